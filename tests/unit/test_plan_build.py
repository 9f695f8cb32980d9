"""From drift to ordered changes: what each mode allows, both ways to store roles, the fingerprint."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations

import pytest
from build import (
    APP,
    SERVER,
    WEB,
    at,
    by_id,
    correct,
    create_user,
    deactivate,
    delete_user,
    holds,
    live,
    organization,
    plan,
    principal,
    provenance,
    reactivate,
    scope_change,
    set_roles,
    some,
)

from reconciler import drift
from reconciler.change import (
    AccountChange,
    Change,
    CreateGroup,
    CreateUser,
    DeleteUser,
    SetActive,
    SetAttributes,
    SetRoles,
    Stage,
    data,
)
from reconciler.drift import Drift, PersonDrift, ScopeDrift
from reconciler.finding import Finding, Kind
from reconciler.model import ORGANIZATION, DesiredState, Holdings, Principal, Role, Scope
from reconciler.plan import AT_A_TIME, Plan, after, build, whole
from reconciler.policy.document import Mode, StoredAs
from reconciler.problem import Problem

ALL_GROUPS = frozenset((scope, role) for scope in (ORGANIZATION, WEB, APP) for role in Role)
WHY = provenance("eng", "admin")


def drifted(name: str, before: Holdings, after: Holdings) -> PersonDrift:
    state = live({name: before})
    (person,) = drift.detect(DesiredState(by_id({name: after}), {}), state).people
    return person


JOINER = drifted("joe", holds(), holds("viewer", web="admin"))
LEAVER = drifted("lea", holds("viewer", web="admin"), holds())
MOVER = drifted("max", holds(web="admin"), holds(app="admin"))
LOWERED = drifted("low", holds(web="admin"), holds(web="viewer"))
RAISED = drifted("rae", holds(web="viewer"), holds(web="admin"))
SURPLUS = drifted("sue", holds(web="admin viewer"), holds(web="admin"))
NEW_ADMIN = drifted("zoe", holds("viewer"), holds("admin"))
OLD_ADMIN = drifted("abe", holds("admin"), holds("viewer"))
EVERYBODY = (JOINER, LEAVER, MOVER, LOWERED, RAISED, SURPLUS, NEW_ADMIN, OLD_ADMIN)


def planned(
    *people: PersonDrift, mode: Mode = Mode.ENFORCE, role_groups: frozenset[tuple[Scope, Role]] | None = None
) -> Plan:
    stored_as = StoredAs.USER_ROLES if role_groups is None else StoredAs.GROUPS
    return build(Drift(people), organization(mode, stored_as=stored_as), SERVER, role_groups)


def told(changes: Iterable[Change]) -> list[tuple[str, str]]:
    """Changes as `joe: web none -> admin` with their stages, short enough for tables."""
    return [(change.stage.name, _told(change)) for change in changes]


def _told(change: Change) -> str:
    match change:
        case CreateGroup():
            return change.name
        case SetRoles():
            scopes = (f"{s.scope} {_roles(s.before)} -> {_roles(s.after)}" for s in change.scopes)
            return f"{change.principal.id[2:]}: {', '.join(scopes)}"
        case CreateUser() | SetAttributes() | SetActive() | DeleteUser():
            return change.principal.user_name.partition("@")[0]


def _roles(roles: frozenset[Role]) -> str:
    return "+".join(str(role) for role in sorted(roles, reverse=True)) or "none"


# What a mode allows.


def test_enforce_writes_each_person_once_promotions_first_and_admins_unseated_last() -> None:
    result = planned(*EVERYBODY)
    assert told(result.changes) == [
        ("PROMOTE", "joe: organization none -> viewer, web none -> admin"),
        ("PROMOTE", "rae: web viewer -> admin"),
        ("PROMOTE", "zoe: organization viewer -> admin"),
        ("MOVE", "max: app none -> admin, web admin -> none"),
        ("REVOKE", "lea: organization viewer -> none, web admin -> none"),
        ("REVOKE", "low: web admin -> viewer"),
        ("REVOKE", "sue: web admin+viewer -> admin"),
        ("UNSEAT", "abe: organization admin -> viewer"),
    ]
    assert result.withheld == ()


def test_additive_gives_what_is_missing_beside_what_is_there_and_withholds_the_rest() -> None:
    result = planned(*sorted(EVERYBODY, key=lambda person: person.principal.id), mode=Mode.ADDITIVE)
    assert told(result.changes) == [
        ("PROMOTE", "joe: organization none -> viewer, web none -> admin"),
        ("PROMOTE", "max: app none -> admin"),
        ("PROMOTE", "rae: web viewer -> admin+viewer"),
        ("PROMOTE", "zoe: organization viewer -> admin+viewer"),
    ]
    assert told(result.withheld) == [
        ("UNSEAT", "abe: organization admin -> viewer"),
        ("REVOKE", "lea: organization viewer -> none, web admin -> none"),
        ("REVOKE", "low: web admin -> viewer"),
        ("REVOKE", "max: web admin -> none"),
        ("REVOKE", "rae: web admin+viewer -> admin"),
        ("REVOKE", "sue: web admin+viewer -> admin"),
        ("REVOKE", "zoe: organization admin+viewer -> admin"),
    ]


def test_report_writes_nothing_and_withholds_everything() -> None:
    result = planned(*EVERYBODY, mode=Mode.REPORT)
    assert result.changes == ()
    assert whole(result.withheld_people) == planned(*EVERYBODY).people


@pytest.mark.parametrize("role_groups", [None, ALL_GROUPS], ids=["user-roles", "groups"])
@pytest.mark.parametrize("mode", Mode)
def test_what_is_written_and_what_is_withheld_is_all_the_drift_together(
    mode: Mode, role_groups: frozenset[tuple[Scope, Role]] | None
) -> None:
    result = planned(*EVERYBODY, mode=mode, role_groups=role_groups)
    changes = [change for change in result.changes if isinstance(change, SetRoles)]
    assert whole([*changes, *result.withheld_people]) == planned(*EVERYBODY).people


@pytest.mark.parametrize("mode", Mode)
def test_without_drift_there_is_an_empty_plan(mode: Mode) -> None:
    result = planned(mode=mode)
    assert result == Plan("acme", SERVER, mode)
    assert not result.drifted


@pytest.mark.parametrize("mode", Mode)
def test_drift_is_drift_whether_the_mode_lets_a_run_mend_it_or_not(mode: Mode) -> None:
    assert planned(LEAVER, mode=mode).drifted


def test_a_change_keeps_its_reasons_and_how_it_is_stored_and_a_plan_its_problems_and_its_tree() -> None:
    problem, stored = Problem(at(3), "something is wrong"), ('{"value": "x"}',)
    person = PersonDrift(principal("ann"), (ScopeDrift(WEB, some(), some("admin"), (WHY,), stored),))
    result = build(Drift((person,)), organization(), SERVER, problems=(problem,), tree="0f")
    change = set_roles("ann", replace(scope_change(WEB, "", "admin", WHY), entries=stored))
    assert result == Plan("acme", SERVER, Mode.ENFORCE, (change,), (), (problem,), "0f")


# Where roles are groups.


def test_where_roles_are_groups_everybody_joins_before_they_leave() -> None:
    assert told(planned(*EVERYBODY, role_groups=ALL_GROUPS).changes) == [
        ("PROMOTE", "abe: organization admin -> admin+viewer"),
        ("PROMOTE", "joe: organization none -> viewer, web none -> admin"),
        ("PROMOTE", "low: web admin -> admin+viewer"),
        ("PROMOTE", "max: app none -> admin"),
        ("PROMOTE", "rae: web viewer -> admin+viewer"),
        ("PROMOTE", "zoe: organization viewer -> admin+viewer"),
        ("REVOKE", "lea: organization viewer -> none, web admin -> none"),
        ("REVOKE", "low: web admin+viewer -> viewer"),
        ("REVOKE", "max: web admin -> none"),
        ("REVOKE", "rae: web admin+viewer -> admin"),
        ("REVOKE", "sue: web admin+viewer -> admin"),
        ("REVOKE", "zoe: organization admin+viewer -> admin"),
        ("UNSEAT", "abe: organization admin+viewer -> viewer"),
    ]


def test_only_groups_that_somebody_joins_and_that_do_not_exist_are_created_and_first() -> None:
    existing = ALL_GROUPS - {(WEB, Role.ADMIN), (APP, Role.ADMIN), (WEB, Role.VIEWER), (APP, Role.VIEWER)}
    assert told(planned(JOINER, MOVER, SURPLUS, role_groups=existing).changes)[:3] == [
        ("CREATE", "circleci-5d1f-admin"),
        ("CREATE", "circleci-web-admin"),
        ("PROMOTE", "joe: organization none -> viewer, web none -> admin"),
    ]


def test_no_group_is_created_for_a_role_that_somebody_keeps() -> None:
    assert told(planned(SURPLUS, role_groups=frozenset()).changes) == [
        ("REVOKE", "sue: web admin+viewer -> admin")
    ]


@pytest.mark.parametrize("mode", [Mode.REPORT, Mode.ADDITIVE], ids=str)
def test_no_group_is_created_for_what_is_withheld(mode: Mode) -> None:
    assert planned(LOWERED, LEAVER, mode=mode, role_groups=frozenset()).changes == ()


def test_no_group_is_created_where_roles_are_stored_on_the_user() -> None:
    assert told(planned(JOINER).changes) == [
        ("PROMOTE", "joe: organization none -> viewer, web none -> admin")
    ]


# Everybody once.


def test_both_halves_of_a_person_are_told_as_one_change_from_the_start_to_the_end() -> None:
    assert planned(*EVERYBODY, role_groups=ALL_GROUPS).people == planned(*EVERYBODY).people


def test_changes_of_a_person_that_undo_each_other_are_none() -> None:
    there = set_roles("ann", scope_change(WEB, "", "admin"), scope_change(APP, "viewer", "admin"))
    back = set_roles("ann", scope_change(WEB, "admin", ""))
    away = set_roles("bob", scope_change(WEB, "", "admin"))
    assert whole([away, there, back]) == (set_roles("ann", scope_change(APP, "viewer", "admin")), away)
    assert whole([set_roles("ann", scope_change(WEB, "", "admin")), back]) == ()


def test_scopes_put_together_are_sorted_and_keep_the_later_reasons() -> None:
    early = set_roles("ann", scope_change(WEB, "viewer", "admin viewer"))
    late = set_roles(
        "ann", scope_change(ORGANIZATION, "admin", ""), scope_change(WEB, "admin viewer", "admin", WHY)
    )
    both = set_roles(
        "ann", scope_change(ORGANIZATION, "admin", ""), scope_change(WEB, "viewer", "admin", WHY)
    )
    assert whole([early, late]) == (both,)


def test_people_are_told_by_folded_user_name() -> None:
    names = ["Zoe", "ann", "Bob"]
    changes = [set_roles(principal(name), scope_change(WEB, "", "admin")) for name in names]
    assert [change.principal.id for change in whole(changes)] == ["u-ann", "u-Bob", "u-Zoe"]


def test_what_everybody_holds_after_a_plan_is_told_from_what_they_held_before() -> None:
    before = by_id({"ann": holds("viewer", web="admin"), "bob": holds(web="viewer"), "cid": holds("admin")})
    changes = [
        set_roles("ann", scope_change(WEB, "admin", "viewer"), scope_change(APP, "", "admin")),
        set_roles("bob", scope_change(WEB, "viewer", "")),
        set_roles("dot", scope_change(WEB, "", "viewer")),
    ]
    assert after(plan(*changes), before) == by_id(
        {"ann": holds("viewer", web="viewer", app="admin"), "cid": holds("admin"), "dot": holds(web="viewer")}
    )
    assert before["u-bob"] == holds(web="viewer"), "what is given is not changed"


# The fingerprint.

CHANGE = set_roles("ann", scope_change(WEB, "viewer", "admin", WHY))
PLAN = plan(CHANGE, withheld=(), problems=())


def with_scope(before: str, after: str, scope: Scope = WEB) -> Plan:
    return plan(set_roles("ann", scope_change(scope, before, after)))


def with_person(person: Principal) -> Plan:
    return plan(set_roles(person, scope_change(WEB, "viewer", "admin")))


def test_a_fingerprint_is_32_hexadecimal_digits_and_the_same_in_every_release() -> None:
    assert re.fullmatch("[0-9a-f]{32}", PLAN.fingerprint)
    assert PLAN.fingerprint == "56f2b68740bb0508fc96a48e76c94fa3"


@pytest.mark.parametrize("size", [0, 1, AT_A_TIME - 1, AT_A_TIME, AT_A_TIME + 1, 3 * AT_A_TIME])
def test_a_fingerprint_is_the_hash_of_one_document_however_many_changes_there_are(size: int) -> None:
    large = plan(*(set_roles(f"person-{n}", scope_change(WEB, "viewer", "admin")) for n in range(size)))
    document = {
        "format": "reconciler.plan/1",
        "organization": large.organization,
        "server": large.server,
        "tree": large.tree,
        "mode": large.mode,
        "changes": [data(change) for change in large.changes],
    }
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert large.fingerprint == hashlib.sha256(canonical.encode()).hexdigest()[:32]


@pytest.mark.parametrize("role_groups", [None, frozenset[tuple[Scope, Role]]()], ids=["user-roles", "groups"])
def test_the_order_in_which_people_are_known_does_not_change_the_fingerprint(
    role_groups: frozenset[tuple[Scope, Role]] | None,
) -> None:
    some_people = (JOINER, MOVER, OLD_ADMIN, SURPLUS)
    plans = [planned(*order, role_groups=role_groups) for order in permutations(some_people)]
    assert len({one.fingerprint for one in plans}) == 1


@pytest.mark.parametrize(
    "other",
    [
        with_person(principal("ann")._replace(display_name="Ann", external_id="00u1", active=None)),
        plan(set_roles("ann", scope_change(WEB, "viewer", "admin", provenance("ops", "admin", line=9)))),
        plan(set_roles("ann", scope_change(WEB, "viewer", "admin"))),
        replace(PLAN, withheld=(set_roles("bob", scope_change(WEB, "viewer", "")),)),
        replace(PLAN, problems=(Problem(at(), "something"),)),
    ],
    ids=["other attributes", "other reasons", "no reasons", "other withheld", "problems"],
)
def test_what_would_not_be_written_is_not_in_the_fingerprint(other: Plan) -> None:
    assert other.fingerprint == PLAN.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, organization="globex"),
        replace(PLAN, server="https://other.example/v2"),
        replace(PLAN, mode=Mode.ADDITIVE),
        replace(PLAN, tree="0123456789abcdef0123456789abcdef"),
        plan(set_roles("ann", replace(scope_change(WEB, "viewer", "admin"), entries=('{"value": "x"}',)))),
        with_scope("", "admin"),
        with_scope("viewer", "contributor"),
        with_scope("viewer", "admin viewer"),
        with_scope("viewer", "admin", APP),
        with_scope("viewer", "admin", ORGANIZATION),
        with_person(principal("ann", id="u-other")),
        with_person(principal("ann", user_name="ann@other.example")),
        plan(CHANGE, set_roles("bob", scope_change(WEB, "viewer", "admin"))),
        plan(),
    ],
    ids=[
        "organization",
        "server",
        "mode",
        "policy files",
        "how it is stored",
        "before",
        "after",
        "role beside it",
        "project",
        "scope",
        "id",
        "userName",
        "one more",
        "none",
    ],
)
def test_what_would_be_written_and_where_is_in_the_fingerprint(other: Plan) -> None:
    assert other.fingerprint != PLAN.fingerprint


def test_a_new_group_is_in_the_fingerprint() -> None:
    missing = ALL_GROUPS - {(WEB, Role.ADMIN)}
    plans = [planned(JOINER, role_groups=groups) for groups in (ALL_GROUPS, missing)]
    assert len({one.fingerprint for one in plans}) == 2


def test_a_project_called_organization_is_not_taken_for_the_organization() -> None:
    assert (
        with_scope("", "admin", Scope("organization")).fingerprint
        != with_scope("", "admin", ORGANIZATION).fingerprint
    )


def test_no_change_of_a_plan_leaves_somebody_without_access_in_between() -> None:
    """Where two requests are needed, the first only adds."""
    for change in planned(*EVERYBODY, role_groups=ALL_GROUPS).changes:
        if isinstance(change, SetRoles) and change.stage is Stage.PROMOTE:
            assert all(scope.after >= scope.before for scope in change.scopes), data(change)


# What happens to accounts.

NEW = create_user("joe")
NEW_ROLES = PersonDrift(NEW.principal, (ScopeDrift(WEB, some(), some("viewer")),))
FIXED = correct("low", display_name="Low")
BACK = reactivate("rex")
OUT = deactivate("lea")
GONE = delete_user("old")
ACCOUNTS = (GONE, OUT, BACK, FIXED, NEW)


def lives(
    *people: PersonDrift,
    mode: Mode = Mode.ENFORCE,
    accounts: Iterable[AccountChange] = ACCOUNTS,
    role_groups: frozenset[tuple[Scope, Role]] | None = None,
) -> Plan:
    stored_as = StoredAs.USER_ROLES if role_groups is None else StoredAs.GROUPS
    of = organization(mode, stored_as=stored_as)
    return build(Drift(people), of, SERVER, role_groups, accounts=accounts)


def test_accounts_are_made_before_any_role_is_given_and_closed_after_all_are_taken() -> None:
    result = lives(NEW_ROLES, LEAVER)
    assert told(result.changes) == [
        ("CREATE", "joe"),
        ("PROMOTE", "w:joe@acme.example: web none -> viewer"),
        ("REVOKE", "lea: organization viewer -> none, web admin -> none"),
        ("REPAIR", "low"),
        ("REACTIVATE", "rex"),
        ("DEACTIVATE", "lea"),
        ("DELETE", "old"),
    ]
    assert result.withheld == ()
    assert result.accounts == (NEW, FIXED, BACK, OUT, GONE)
    assert [change.principal.id for change in result.people] == ["new:joe@acme.example", "u-lea"]


def test_accounts_of_one_stage_are_in_the_order_of_names() -> None:
    names = ("cat", "Ann", "bob")
    result = lives(accounts=[create_user(name) for name in names])
    assert [change.principal.user_name[:3] for change in result.accounts] == ["Ann", "bob", "cat"]


def test_role_groups_and_accounts_are_made_in_the_first_stage() -> None:
    result = lives(NEW_ROLES, role_groups=frozenset(), accounts=[NEW])
    assert told(result.changes) == [
        ("CREATE", "circleci-web-viewer"),
        ("CREATE", "joe"),
        ("PROMOTE", "w:joe@acme.example: web none -> viewer"),
    ]


def test_additive_makes_and_corrects_accounts_and_closes_none() -> None:
    result = lives(NEW_ROLES, LEAVER, mode=Mode.ADDITIVE)
    assert told(result.changes) == [
        ("CREATE", "joe"),
        ("PROMOTE", "w:joe@acme.example: web none -> viewer"),
        ("REPAIR", "low"),
        ("REACTIVATE", "rex"),
    ]
    assert told(result.withheld) == [
        ("REVOKE", "lea: organization viewer -> none, web admin -> none"),
        ("DEACTIVATE", "lea"),
        ("DELETE", "old"),
    ]
    assert result.withheld_accounts == (OUT, GONE)
    assert [change.principal.id for change in result.withheld_people] == ["u-lea"]


def test_additive_brings_nobody_back_to_roles_that_they_are_to_lose() -> None:
    rex = principal("rex", active=False)
    lowered = PersonDrift(rex, (ScopeDrift(WEB, some("admin"), some("viewer")),))
    tidied = PersonDrift(rex, (ScopeDrift(WEB, some("admin viewer"), some("admin")),))
    assert lives(lowered, mode=Mode.ADDITIVE, accounts=[BACK]).accounts == ()
    assert lives(lowered, mode=Mode.ADDITIVE, accounts=[BACK]).withheld_accounts == (BACK,)
    assert lives(tidied, mode=Mode.ADDITIVE, accounts=[BACK]).accounts == (BACK,)
    assert lives(lowered, mode=Mode.ENFORCE, accounts=[BACK]).accounts == (BACK,)


def test_report_withholds_accounts_and_their_roles_together() -> None:
    result = lives(NEW_ROLES, LEAVER, mode=Mode.REPORT)
    assert result.changes == ()
    assert told(result.withheld) == [
        ("CREATE", "joe"),
        ("PROMOTE", "w:joe@acme.example: web none -> viewer"),
        ("REVOKE", "lea: organization viewer -> none, web admin -> none"),
        ("REPAIR", "low"),
        ("REACTIVATE", "rex"),
        ("DEACTIVATE", "lea"),
        ("DELETE", "old"),
    ]
    assert result.drifted


@pytest.mark.parametrize("change", ACCOUNTS, ids=lambda change: change.stage.name)
def test_a_change_of_an_account_is_drift_and_part_of_the_fingerprint(change: AccountChange) -> None:
    nothing = lives(accounts=[])
    result = lives(accounts=[change])
    assert (nothing.drifted, result.drifted) == (False, True)
    assert result.fingerprint != nothing.fingerprint
    assert lives(accounts=[replace(change, why="another")]).fingerprint == result.fingerprint


def test_findings_are_kept_and_are_no_part_of_the_fingerprint() -> None:
    found = (Finding(Kind.LEAVER, "lea", "is gone"),)
    with_findings = build(Drift(), organization(), SERVER, findings=found)
    without = build(Drift(), organization(), SERVER)
    assert (with_findings.findings, without.findings) == (found, ())
    assert with_findings.fingerprint == without.fingerprint
    assert not with_findings.drifted
