"""Two policies over one membership: who would have what, by the edit alone."""

from dataclasses import replace

import pytest
from build import (
    NOW,
    SERVER,
    UNLIMITED,
    WEB,
    access,
    assertion,
    binding,
    grant,
    group,
    holds,
    live,
    membership,
    organization,
    person_class,
    policy,
    principal,
    provenance,
    scope_change,
    service_account,
    set_roles,
    whom,
)

from reconciler import comparison
from reconciler.change import CreateGroup, SetRoles
from reconciler.comparison import Comparison, Ground, Source, Standing
from reconciler.model import ORGANIZATION, LiveState, Member, Membership, Provenance, Scope
from reconciler.policy.document import (
    Binding,
    DirectoryKind,
    DirectorySettings,
    GroupRef,
    Lifecycle,
    Limit,
    Mode,
    Never,
    Organization,
    Policy,
    StoredAs,
)

IN_ENG = membership(group("eng", "ann", "bob"))
NOBODY_HOLDS = live({}, *map(principal, ("ann", "bob", "cleo")))


def former(reason: Provenance) -> Provenance:
    return replace(reason, former=True)


def on_server(
    members: Membership = IN_ENG, state: LiveState = NOBODY_HOLDS, state_for_new: LiveState | None = None
) -> Ground:
    return Ground(Source.SERVER, members, state, state_for_new or state, SERVER)


def compared(base: Policy | None, head: Policy, ground: Ground | None = None) -> Comparison:
    return comparison.compare(base, head, ground or on_server(), NOW)


def changed(base: Policy | None, head: Policy, ground: Ground | None = None) -> tuple[SetRoles, ...]:
    prepared = compared(base, head, ground).prepared
    assert prepared is not None
    return prepared.plan.people


def means_nothing(told: Comparison) -> bool:
    return told.standing is Standing.BOTH and not (told.edits or told.touches_people or told.faults)


def words(changes: tuple[SetRoles, ...]) -> dict[str, list[str]]:
    """Each person with their scopes before and after."""
    return {
        change.principal.user_name: [
            f"{s.scope} {'+'.join(map(str, s.before))}->{'+'.join(map(str, s.after))}" for s in change.scopes
        ]
        for change in changes
    }


def test_an_edit_means_what_it_gives_and_takes_with_the_entries_that_do() -> None:
    base = policy(binding("eng", web="viewer", line=4), grant("cleo", "viewer", line=9))
    head = policy(binding("eng", web="admin", line=5))

    assert changed(base, head) == (
        set_roles("ann", scope_change(WEB, "viewer", "admin", provenance("eng", "admin", line=5))),
        set_roles("bob", scope_change(WEB, "viewer", "admin", provenance("eng", "admin", line=5))),
        set_roles(
            "cleo",
            scope_change(
                ORGANIZATION,
                "viewer",
                "",
                former(
                    provenance(
                        "cleo@acme.example",
                        "viewer",
                        line=9,
                        reason="INC-1",
                        until=grant().expires,
                    )
                ),
            ),
        ),
    )


def test_a_policy_compared_with_itself_means_nothing() -> None:
    same = policy(binding("eng", "viewer", web="admin"), grant("cleo", "admin"), binding("lost", "viewer"))
    assert means_nothing(compared(same, same))


def test_drift_on_the_server_plays_no_part() -> None:
    state = live({"ann": holds("admin"), "bob": {}, "cleo": holds(web="admin")})
    same = policy(binding("eng", "viewer"))
    assert changed(same, same, on_server(state=state)) == ()


def test_who_is_no_longer_protected_loses_what_they_hold_on_the_server() -> None:
    state = live({"ann": holds("admin"), "bob": {}, "cleo": {}})
    guarded = organization(guardrails=replace(UNLIMITED, protected=("ann@acme.example",)))
    base, head = policy(of=guarded), policy()

    assert words(changed(base, head, on_server(state=state))) == {
        "ann@acme.example": ["organization admin->"]
    }


def test_a_group_that_only_the_new_policy_misnames_holds_what_it_gave_and_is_the_edits_fault() -> None:
    base, head = policy(binding("eng", "viewer")), policy(binding("egn", "viewer"))

    told = compared(base, head)

    assert told.prepared is not None
    assert told.prepared.plan.people == ()
    assert [problem.message for problem in told.faults] == [
        "the directory has no group 'egn', did you mean 'eng'?"
    ]


def test_a_problem_that_the_old_policy_has_as_well_is_not_the_edits() -> None:
    base = policy(binding("lost", "viewer", line=3))
    head = policy(binding("lost", "viewer", line=8), binding("eng", "viewer"))

    told = compared(base, head)

    assert told.faults == ()
    assert told.prepared is not None
    assert len(told.prepared.plan.problems) == 1


def test_roles_in_a_project_that_is_no_longer_spoken_for_stay_and_are_told() -> None:
    base = policy(binding("eng", web="admin", app="viewer"))
    head = policy(binding("eng", app="viewer"), of=organization(projects={"app": "5d1f"}))

    told = compared(base, head)

    assert told.unmanaged == ("web",)
    assert not told.touches_people


def test_in_a_project_that_is_newly_spoken_for_the_server_says_what_was_before() -> None:
    base = policy(of=organization(projects={"app": "5d1f"}))
    head = policy(binding("eng", web="viewer"))
    now_read = live({"ann": {}, "bob": holds(web="viewer"), "cleo": holds(web="admin")})

    found = changed(base, head, on_server(state_for_new=now_read))

    assert words(found) == {"ann@acme.example": ["web ->viewer"], "cleo@acme.example": ["web admin->"]}


def test_what_the_new_mode_does_not_write_is_withheld() -> None:
    base = policy(binding("eng", "viewer"))
    told = compared(base, policy(of=organization(Mode.REPORT)))

    assert told.prepared is not None
    assert told.prepared.plan.people == ()
    assert len(told.prepared.plan.withheld_people) == 2
    assert told.touches_people


def test_guardrails_are_asked_of_the_edit_and_nobody_can_approve_it() -> None:
    strict = replace(UNLIMITED, removals=Limit(count=1, percent=100))
    base = policy(binding("eng", "viewer"), grant("cleo", "viewer"))
    head = policy(grant("cleo", "viewer"), of=organization(guardrails=strict))

    told = compared(base, head)

    assert told.prepared is not None
    [broken] = told.prepared.violations
    assert (broken.guardrail, broken.measured, broken.approvable) == ("removals", 2, False)
    assert "--approve" not in broken.remedy
    assert told.but_for == ()


def test_a_guardrail_that_the_edit_itself_loosens_is_told_where_it_would_refuse() -> None:
    strict = organization(guardrails=replace(UNLIMITED, removals=Limit(count=1, percent=100)))
    base = policy(binding("eng", "viewer"), grant("cleo", "viewer"), of=strict)

    told = compared(base, policy(grant("cleo", "viewer")))

    assert told.prepared is not None
    assert told.prepared.violations == ()
    assert [one.guardrail for one in told.but_for] == ["removals"]


def test_an_organization_without_an_old_policy_gives_everything_anew() -> None:
    state = live({"ann": holds("admin"), "bob": {}, "cleo": holds("admin")})
    told = compared(None, policy(binding("eng", "viewer")), on_server(state=state))

    assert told.prepared is not None
    assert told.standing is Standing.NEW
    assert words(told.prepared.plan.people) == {
        "ann@acme.example": ["organization ->viewer"],
        "bob@acme.example": ["organization ->viewer"],
    }
    assert told.edits == ()


def test_an_account_that_the_edit_has_created_is_told_and_gets_its_roles() -> None:
    joe = Member(external_id="00u-joe", user_name="joe@acme.example", active=True)
    everybody = [Member(user_name=f"{name}@acme.example", active=True) for name in ("ann", "bob", "cleo")]
    members = Membership((group("eng", joe, everybody[0]),), frozenset(["eng"]), frozenset([joe, *everybody]))

    def with_joiners(creates: bool) -> Organization:
        settings = DirectorySettings(DirectoryKind.OKTA)
        return replace(organization(), directory=settings, lifecycle=Lifecycle(creates=creates))

    base = policy(binding("eng", "viewer"), of=with_joiners(False))
    head = policy(binding("eng", "viewer"), of=with_joiners(True))
    told = compared(base, head, on_server(members))

    assert told.prepared is not None
    assert [change.principal.user_name for change in told.prepared.plan.accounts] == ["joe@acme.example"]
    assert words(told.prepared.plan.people) == {"joe@acme.example": ["organization ->viewer"]}
    assert [edit.name for edit in told.edits] == ["lifecycle.joiners"]
    assert means_nothing(compared(head, head, on_server(members)))


def test_an_account_that_is_deactivated_with_and_without_the_edit_is_not_told() -> None:
    everybody = [Member(user_name=f"{name}@acme.example", active=True) for name in ("ann", "bob")]
    members = Membership((group("eng", *everybody),), frozenset(["eng"]), frozenset(everybody))
    of = replace(
        organization(), directory=DirectorySettings(DirectoryKind.OKTA), lifecycle=Lifecycle(deactivates=True)
    )
    base, head = policy(binding("eng", "viewer"), of=of), policy(binding("eng", "admin"), of=of)

    told = compared(base, head, on_server(members))
    begun = compared(
        policy(binding("eng", "viewer"), of=replace(of, lifecycle=Lifecycle())), base, on_server(members)
    )

    assert told.prepared is not None
    assert told.prepared.plan.accounts == ()
    assert begun.prepared is not None
    assert [change.principal.user_name for change in begun.prepared.plan.accounts] == ["cleo@acme.example"]


# With nobody looked up.

NOBODY = Ground(Source.NOWHERE)


def test_without_membership_each_group_is_told_as_a_whole_and_people_by_name() -> None:
    base = policy(binding("eng", "viewer"), binding("sre", "admin"))
    head = policy(
        binding("eng", "viewer", web="admin"), grant("Cleo", "admin"), service_account("bot", "viewer")
    )

    told = compared(base, head, NOBODY)

    assert told.prepared is not None
    assert words(told.prepared.plan.people) == {
        "bot@acme.example": ["organization ->viewer"],
        "Cleo@acme.example": ["organization ->admin"],
        "everybody in eng": ["web ->admin"],
        "everybody in sre": ["organization admin->"],
    }
    assert {
        change.principal.user_name
        for change in told.prepared.plan.people
        if change.principal.id in told.groups
    } == {
        "everybody in eng",
        "everybody in sre",
    }
    assert (told.prepared.violations, told.but_for, told.faults) == ((), (), ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (GroupRef("eng-web"), GroupRef("eng-web", "g1")),
        (GroupRef("eng-web", "g1"), GroupRef("eng-web")),
        (GroupRef("eng-web", "g1"), GroupRef("web", "g1")),
        (GroupRef("web-team"), GroupRef("eng-web", None, ("Web-Team",))),
        (GroupRef("web-team"), GroupRef("eng-web", "g1", ("web-team",))),
    ],
    ids=["gets an id", "loses its id", "is renamed, by id", "is renamed, as it says", "both"],
)
def test_a_group_that_is_named_otherwise_is_the_same_group(before: GroupRef, after: GroupRef) -> None:
    base, head = policy(binding("x", "viewer")), policy(binding("x", "viewer"))
    base = replace(base, bindings=(replace(base.bindings[0], group=before),))
    head = replace(head, bindings=(replace(head.bindings[0], group=after),))
    assert changed(base, head, NOBODY) == ()


def test_two_ids_of_one_name_are_two_groups() -> None:
    base = policy(binding("eng", "viewer", group_id="g1"))
    head = policy(binding("eng", "viewer", group_id="g2"))
    assert len(changed(base, head, NOBODY)) == 2


def test_a_class_of_people_by_a_group_needs_no_membership() -> None:
    of = organization(classes=[person_class(groups=["contractors"], highest="viewer")])
    base, head = policy(binding("eng", "viewer"), of=of), policy(binding("eng", "admin"), of=of)
    assert words(changed(base, head, NOBODY)) == {"everybody in eng": ["organization viewer->admin"]}


# With a saved membership.


def saved(*groups: str) -> Ground:
    """Ann and Bob are in each of these groups."""
    people = [Member(user_name=f"{name}@acme.example") for name in ("ann", "bob")]
    known = Membership(tuple(group(name, *people) for name in groups), frozenset(groups), frozenset(people))
    state = comparison.known_people(known)
    return Ground(Source.SAVED, known, state, state, as_of=NOW)


def test_a_saved_membership_names_people_and_a_group_that_it_lacks_is_told_as_a_whole() -> None:
    base = policy(binding("eng", "viewer"))
    head = policy(binding("eng", web="viewer"), binding("new", "admin"), grant("zoe", "viewer"))

    told = compared(base, head, saved("eng"))

    assert told.prepared is not None
    assert words(told.prepared.plan.people) == {
        "ann@acme.example": ["organization viewer->", "web ->viewer"],
        "bob@acme.example": ["organization viewer->", "web ->viewer"],
        "everybody in new": ["organization ->admin"],
        "zoe@acme.example": ["organization ->viewer"],
    }
    assert told.faults == ()
    assert told.saved == NOW


def test_nobody_leaves_by_a_saved_membership_because_only_the_policy_names_them() -> None:
    of = replace(
        organization(), directory=DirectorySettings(DirectoryKind.OKTA), lifecycle=Lifecycle(deactivates=True)
    )
    base = policy(binding("eng", "viewer"), of=of)
    head = policy(binding("eng", "viewer"), binding("new", "viewer"), service_account("bot", "viewer"), of=of)

    told = compared(base, head, saved("eng"))

    assert told.prepared is not None
    assert told.prepared.plan.accounts == ()
    assert words(told.prepared.plan.people) == {
        "bot@acme.example": ["organization ->viewer"],
        "everybody in new": ["organization ->viewer"],
    }


def test_groups_of_roles_that_the_old_policy_needed_are_not_created_by_the_edit() -> None:
    of = organization(stored_as=StoredAs.GROUPS)
    state = replace(NOBODY_HOLDS, role_groups=frozenset())
    base = policy(binding("eng", "viewer"), of=of)
    head = policy(binding("eng", "viewer", web="admin"), of=of)

    prepared = compared(base, head, on_server(state=state)).prepared

    assert prepared is not None
    created = [change.scope for change in prepared.plan.changes if isinstance(change, CreateGroup)]
    assert created == [Scope("web")]


# Assertions


def breaking(*entries: Binding, checked: bool = True) -> Policy:
    asserted = assertion(Never(whom("ann"), access(web="admin")), says="Not Ann")
    return policy(*entries, *([asserted] if checked else []))


def test_an_edit_that_breaks_an_assertion_is_refused_as_its_plan_will_be() -> None:
    told = compared(breaking(), breaking(binding("eng", web="admin")))
    assert told.prepared is not None
    assert [(one.guardrail, one.people) for one in told.prepared.violations] == [
        ("assertions", ("ann@acme.example",))
    ]
    assert told.but_for == ()


def test_an_edit_that_takes_an_assertion_away_and_breaks_it_is_told_as_what_it_loosens() -> None:
    told = compared(breaking(), breaking(binding("eng", web="admin"), checked=False))
    assert told.prepared is not None
    assert told.prepared.violations == ()
    assert [one.guardrail for one in told.but_for] == ["assertions"]
    assert [(edit.name, edit.removed, edit.loosens) for edit in told.edits] == [
        ('assertions["Not Ann"]', ("never ann@acme.example: admin of project 'web'",), True)
    ]


def test_a_new_assertion_that_does_not_hold_is_pointed_out_once_and_no_refusal() -> None:
    bound = binding("eng", web="admin")
    told = compared(breaking(bound, checked=False), breaking(bound))
    assert told.prepared is not None
    assert told.prepared.violations == ()
    assert [one.subject for one in told.prepared.plan.findings] == ["ann@acme.example"]
    assert [(edit.added, edit.loosens) for edit in told.edits] == [
        (("never ann@acme.example: admin of project 'web'",), False)
    ]
    again = compared(breaking(bound), breaking(bound))
    assert again.prepared is not None
    assert again.prepared.plan.findings == ()


def test_where_nobody_was_looked_up_no_assertion_is_judged() -> None:
    told = compared(breaking(), breaking(binding("eng", web="admin")), Ground(Source.NOWHERE))
    assert told.prepared is not None
    assert (told.prepared.violations, told.prepared.plan.findings, told.but_for) == ((), (), ())
