"""A plan and its outcomes as plain text."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from build import (
    APP,
    NOW,
    SERVER,
    WEB,
    Groups,
    Server,
    at,
    correct,
    create_user,
    deactivate,
    delete_user,
    holds,
    joiner,
    live,
    plan,
    principal,
    provenance,
    reactivate,
    scope_change,
    set_roles,
)

from reconciler import planning
from reconciler.change import Change, CreateGroup, Outcome, Result
from reconciler.finding import Finding, Kind
from reconciler.guardrails import Violation
from reconciler.model import (
    ORGANIZATION,
    DirectoryGroup,
    LiveState,
    Member,
    Membership,
    Principal,
    Role,
    Roles,
    Scope,
)
from reconciler.naming import RoleNames
from reconciler.plan import Plan
from reconciler.planning import Prepared
from reconciler.policy import source
from reconciler.policy.document import Mode
from reconciler.problem import Problem
from reconciler.report import text
from reconciler.sandbox import seed

ROOT = Path(__file__).parents[2]


def shown(planned: Plan, state: LiveState | None = None, *violations: Violation) -> str:
    return "\n".join(text.plan(Prepared(planned, state or live(), violations)))


# The example organization, whole.

ACME = """\
acme on https://scim.example/v2, mode enforce
9 people change: 2 gain, 1 moves, 5 lose (2 of them everything), 1 keeps access
organization admins: 6 before, 6 after; new: dana@acme.example; no longer: felix@acme.example

dana@acme.example gains
  organization                viewer -> admin        temporary grant until 2026-11-27 23:59 UTC, INC-4211 checkout outage (policies/acme/access/temporary.yaml:9)

felix@acme.example loses
  organization                 admin -> viewer       group data (policies/acme/teams/discovery.yaml:12)

gwen@acme.example loses
  organization           contributor -> viewer       group audit (policies/acme/access/audit.yaml:8)

jorge@acme.example loses everything
  organization           contributor -> none         nothing in the policy gives it
  storefront                   admin -> none         nothing in the policy gives it

kirsten@acme.example loses everything
  organization                viewer -> none         not active

lena@acme.example keeps access
  organization  contributor + viewer -> contributor  one role is enough; group eng-web (policies/acme/teams/commerce.yaml:7)

quinn@acme.example moves
  organization           contributor -> viewer       group eng-payments (policies/acme/teams/commerce.yaml:12)
  checkout                      none -> admin        group eng-payments (policies/acme/teams/commerce.yaml:13)
  storefront                   admin -> contributor  group eng-payments (policies/acme/teams/commerce.yaml:13)

rosa@acme.example loses
  search                       admin -> none         temporary grant ended 2026-10-30 23:59 UTC, PLAT-918 moves the app's search to the new index (policies/acme/access/temporary.yaml:15)

zoe@acme.example gains
  organization                  none -> viewer       group eng-mobile (policies/acme/teams/mobile.yaml:8)
  mobile                        none -> admin        group eng-mobile (policies/acme/teams/mobile.yaml:9)
  storefront                    none -> contributor  group eng-mobile (policies/acme/teams/mobile.yaml:9)

to look at:
  temporary grant:
    dana@acme.example has a temporary grant until 2026-11-27 23:59 UTC, INC-4211 checkout outage (policies/acme/access/temporary.yaml:8); write another `expires:` if it is needed for longer
"""  # noqa: E501 - as it is printed


def acme_prepared() -> Prepared:
    policy, content = source.load(Path("policies/acme")), seed.acme()
    state = live_as_seeded(content.people, RoleNames(policy.organization))
    groups = tuple(
        DirectoryGroup(name, name, frozenset(Member(member) for member in group.members))
        for name, group in content.groups.items()
    )
    return planning.prepare(policy, Server(state), Groups(Membership(groups)), NOW)


def live_as_seeded(people: Mapping[str, seed.Person], names: RoleNames) -> LiveState:
    """The people of a seed, whose ids are their userNames, as the policy's spellings are understood."""
    principals = {name: Principal(name, name, who.external_id, who.active) for name, who in people.items()}
    roles: dict[str, dict[Scope, Roles]] = {}
    for name, person in people.items():
        for scope, role in filter(None, map(names.meaning, person.roles)):
            held = roles.setdefault(name, {})
            held[scope] = held.get(scope, frozenset()) | {role}
    return LiveState(principals, roles)


def test_the_plan_of_the_example_organization(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    prepared = acme_prepared()
    assert "\n".join(text.plan(prepared)) == ACME + f"\nfingerprint {prepared.plan.fingerprint}"


# The verdict.

LOSER = set_roles("ann", scope_change(WEB, "admin", "viewer"))
LEAVER = set_roles("bob", scope_change(WEB, "admin", ""))
LEAVERS = [set_roles(name, scope_change(WEB, "admin", "")) for name in ("bob", "cid")]
JOINER = set_roles("dot", scope_change(WEB, "", "viewer"))
JOINERS = [set_roles(name, scope_change(WEB, "", "viewer")) for name in ("dot", "eve")]
MOVER = set_roles("fay", scope_change(WEB, "admin", ""), scope_change(APP, "", "admin"))
TIDY = set_roles("gil", scope_change(WEB, "admin viewer", "admin"))
STATE = live(
    {
        "ann": holds(web="admin"),
        "bob": holds(web="admin"),
        "cid": holds(web="admin"),
        "fay": holds(web="admin"),
        "gil": holds(web="admin viewer"),
        "kim": holds("admin"),
    },
    principal("dot"),
    principal("eve"),
)


@pytest.mark.parametrize(
    ("planned", "verdict"),
    [
        (plan(JOINER), "1 person changes: 1 gains"),
        (plan(*JOINERS), "2 people change: 2 gain"),
        (plan(LOSER), "1 person changes: 1 loses"),
        (plan(LEAVER), "1 person changes: 1 loses everything"),
        (plan(*LEAVERS), "2 people change: 2 lose everything"),
        (plan(LOSER, LEAVER), "2 people change: 2 lose (1 of them everything)"),
        (plan(LOSER, *LEAVERS), "3 people change: 3 lose (2 of them everything)"),
        (plan(MOVER, TIDY), "2 people change: 1 moves, 1 keeps access"),
        (
            plan(*JOINERS, MOVER, LOSER, *LEAVERS, TIDY),
            "7 people change: 2 gain, 1 moves, 3 lose (2 of them everything), 1 keeps access",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_verdict_counts_people_by_what_happens_to_them(planned: Plan, verdict: str) -> None:
    admins = "organization admins: 1 before, 1 after"
    assert text.verdict(Prepared(planned, STATE, ())) == f"{verdict}\n{admins}"


@pytest.mark.parametrize(
    ("joining", "leaving", "line"),
    [
        ("", "", "organization admins: 3 before, 3 after"),
        ("x", "", "organization admins: 3 before, 4 after; new: x@acme.example"),
        ("", "a", "organization admins: 3 before, 2 after; no longer: a@acme.example"),
        (
            "yx",
            "ba",
            "organization admins: 3 before, 3 after; "
            "new: x@acme.example, y@acme.example; no longer: a@acme.example, b@acme.example",
        ),
        ("i", "", "organization admins: 3 before, 3 after"),
    ],
    ids=["nobody", "one comes", "one goes", "two swap with two", "one who is not active"],
)
def test_the_verdict_names_who_becomes_an_organization_admin_and_who_stops(
    joining: str, leaving: str, line: str
) -> None:
    state = live(
        dict.fromkeys("abc", holds("admin"))
        | dict.fromkeys("xy", holds("viewer"))
        | {"t": holds(web="viewer")},
        principal("i", active=False),
    )
    changes = [
        *(set_roles(state.people[f"u-{n}"], scope_change(ORGANIZATION, "", "admin")) for n in joining),
        *(set_roles(n, scope_change(ORGANIZATION, "admin", "viewer")) for n in leaving),
        set_roles("t", scope_change(WEB, "viewer", "admin")),
    ]
    assert text.verdict(Prepared(plan(*changes), state, ())).split("\n")[1] == line


def test_after_ten_names_the_rest_is_counted() -> None:
    names = [f"p{number:02}" for number in range(12)]
    state = live(dict.fromkeys(names, holds("viewer")))
    changes = [set_roles(name, scope_change(ORGANIZATION, "viewer", "admin")) for name in names]
    line = text.verdict(Prepared(plan(*changes), state, ())).split("\n")[1]
    ten = ", ".join(f"{name}@acme.example" for name in names[:10])
    assert line == f"organization admins: 0 before, 12 after; new: {ten} and 2 more"


def test_no_drift_is_one_sentence() -> None:
    assert shown(plan()) == (
        "acme on https://scim.example/v2, mode enforce\nno drift: everybody has what the policy gives them"
    )


def test_no_drift_is_not_claimed_for_what_could_not_be_resolved() -> None:
    problems = (Problem(at(3), "the directory has no group 'eng'", "correct the name"), Problem(at(9), "no."))
    assert (
        shown(plan(problems=problems))
        == """\
acme on https://scim.example/v2, mode enforce
no drift, as far as the policy could be resolved

not resolved, so nobody loses what it could have given:
  team.yaml:3:1: the directory has no group 'eng'; correct the name
  team.yaml:9:1: no."""
    )


# People, what was withheld, and what is wrong.


def test_the_arrows_of_all_people_are_below_each_other() -> None:
    planned = plan(
        set_roles(
            "ann",
            scope_change(ORGANIZATION, "contributor viewer", "admin", provenance("eng", "admin")),
            scope_change(WEB, "", "viewer", provenance("eng", "viewer")),
        ),
        set_roles("bob", scope_change(Scope("data-platform"), "admin", "")),
    )
    state = live({"ann": holds("contributor viewer"), "bob": holds("admin", **{"data-platform": "admin"})})
    assert (
        shown(planned, state)
        == f"""\
acme on https://scim.example/v2, mode enforce
2 people change: 1 gains, 1 loses
organization admins: 1 before, 2 after; new: ann@acme.example

ann@acme.example gains
  organization   contributor + viewer -> admin   group eng (team.yaml:1)
  web                            none -> viewer  group eng (team.yaml:1)

bob@acme.example loses
  data-platform                 admin -> none    nothing in the policy gives it

fingerprint {planned.fingerprint}"""
    )


def test_new_groups_are_told_before_people() -> None:
    planned = Plan(
        "acme", SERVER, Mode.ENFORCE, (CreateGroup(WEB, Role.VIEWER, "circleci-web-viewer"), *JOINERS[:1])
    )
    assert shown(planned, STATE).split("\n")[3:6] == [
        "creates the group circleci-web-viewer",
        "",
        "dot@acme.example gains",
    ]


def test_a_report_shows_what_it_withholds_and_has_no_fingerprint() -> None:
    assert (
        shown(plan(mode=Mode.REPORT, withheld=(LOSER,)), STATE)
        == """\
acme on https://scim.example/v2, mode report
drift, none of which mode report mends

mode report never writes, so none of this happens:

ann@acme.example loses
  web  admin -> viewer  nothing in the policy gives more"""
    )


def test_additive_shows_what_it_writes_and_then_what_it_withholds() -> None:
    planned = plan(JOINER, mode=Mode.ADDITIVE, withheld=(LEAVER,))
    assert (
        shown(planned, STATE)
        == f"""\
acme on https://scim.example/v2, mode additive
1 person changes: 1 gains
organization admins: 1 before, 1 after

dot@acme.example gains
  web  none -> viewer

mode additive takes nothing away, so none of this happens:

bob@acme.example loses everything
  web  admin -> none  nothing in the policy gives it

fingerprint {planned.fingerprint}"""
    )


def test_problems_and_guardrails_stand_below_the_people() -> None:
    planned = plan(LOSER, problems=(Problem(at(3), "there is no group 'eng'"),))
    people = tuple(f"p{number}" for number in range(12))
    refused = (
        Violation("minimum_admins", 0, 1, "too few admins", "make one", ("ann@acme.example",)),
        Violation("removals", 12, 1, "too many people", "look again", people),
        Violation("protected", 1, 0, "somebody is protected", "think", ()),
    )
    assert (
        shown(planned, STATE, *refused).partition("gives more\n")[2]
        == f"""\

not resolved, so nobody loses what it could have given:
  team.yaml:3:1: there is no group 'eng'

refused by guardrail minimum_admins: too few admins
  people: ann@acme.example
  remedy: make one

refused by guardrail removals: too many people
  people: p0, p1, p2, p3, p4, p5, p6, p7, p8, p9 and 2 more
  remedy: look again

refused by guardrail protected: somebody is protected
  remedy: think

fingerprint {planned.fingerprint}"""
    )


# Names that mean harm.

HOSTILE = "\x1b[2J\u202eeve\n9 people change"
HARMLESS = r"\x1b[2J\u202eeve\n9 people change"


def test_a_name_can_neither_steer_the_terminal_nor_forge_a_line() -> None:
    eve = principal("eve", user_name=HOSTILE)
    change = set_roles(eve, scope_change(ORGANIZATION, "", "admin", provenance(HOSTILE, "admin")))
    planned = Plan(
        "acme",
        SERVER,
        Mode.ENFORCE,
        (CreateGroup(WEB, Role.ADMIN, HOSTILE), change),
        problems=(Problem(at(1), HOSTILE),),
    )
    lines = text.plan(
        Prepared(planned, live({}, eve), (Violation("removals", 1, 0, HOSTILE, HOSTILE, (HOSTILE,)),))
    )
    assert lines == [
        "acme on https://scim.example/v2, mode enforce",
        "1 person changes: 1 gains",
        f"organization admins: 0 before, 1 after; new: {HARMLESS}",
        f"creates the group {HARMLESS}",
        "",
        f"{HARMLESS} gains",
        f"  organization  none -> admin  group {HARMLESS} (team.yaml:1)",
        "",
        "not resolved, so nobody loses what it could have given:",
        f"  team.yaml:1:1: {HARMLESS}",
        "",
        f"refused by guardrail removals: {HARMLESS}",
        f"  people: {HARMLESS}",
        f"  remedy: {HARMLESS}",
        "",
        f"fingerprint {planned.fingerprint}",
    ]


def test_the_verdict_is_safe_by_itself() -> None:
    eve = principal("eve", user_name=HOSTILE)
    change = set_roles(eve, scope_change(ORGANIZATION, "", "admin"))
    verdict = text.verdict(Prepared(plan(change), live({}, eve), ()))
    assert verdict.split("\n")[1:] == [f"organization admins: 0 before, 1 after; new: {HARMLESS}"]


# What became of it.


def outcome(change: Change, result: Result = Result.APPLIED, detail: str = "") -> Outcome:
    return Outcome(change, result, detail)


GROUP = CreateGroup(WEB, Role.ADMIN, "web-admin")


@pytest.mark.parametrize(
    ("outcomes", "lines"),
    [
        ([], ["nothing to write"]),
        ([outcome(LOSER)], ["applied 1 of 1 change"]),
        ([outcome(LOSER), outcome(GROUP)], ["applied 2 of 2 changes"]),
        (
            [
                outcome(GROUP, Result.FAILED, "the server said 500"),
                outcome(JOINER, Result.SKIPPED, "the group that it needs could not be created"),
                outcome(LOSER),
            ],
            [
                "applied 1 of 3 changes",
                "failed group web-admin: the server said 500",
                "skipped dot@acme.example: the group that it needs could not be created",
            ],
        ),
        (
            [outcome(set_roles(principal("eve", user_name=HOSTILE)), Result.FAILED, HOSTILE)],
            ["applied 0 of 1 change", f"failed {HARMLESS}: {HARMLESS}"],
        ),
    ],
    ids=["nothing", "one", "all", "in part", "hostile"],
)
def test_outcomes_are_counted_and_each_that_did_not_come_about_is_told(
    outcomes: list[Outcome], lines: list[str]
) -> None:
    assert text.outcomes(outcomes) == lines


# Accounts and findings


LIVES = live({"ann": holds("admin"), "lea": holds("admin"), "max": holds()}, joiner("joe"))
TAKEN = set_roles("lea", scope_change(ORGANIZATION, "admin", ""))
GIVEN = set_roles(joiner("joe"), scope_change(ORGANIZATION, "", "viewer", provenance("eng", "viewer")))
RENAMED = correct("max", user_name="m@acme.example", display_name="Max", why="")
OUT = deactivate("lea", "not in the directory since 2026-11-20")


def test_what_happens_to_accounts_stands_below_the_roles_each_in_a_line() -> None:
    planned = plan(create_user("joe"), GIVEN, TAKEN, RENAMED, OUT)
    assert (
        shown(planned, LIVES)
        == f"""\
acme on https://scim.example/v2, mode enforce
2 people change: 1 gains, 1 loses everything
1 account is created, 1 is renamed, 1 is deactivated
organization admins: 2 before, 1 after; no longer: lea@acme.example

joe@acme.example gains
  organization   none -> viewer  group eng (team.yaml:1)

lea@acme.example loses everything
  organization  admin -> none    nothing in the policy gives it

joe@acme.example is created       in the group eng
max@acme.example is renamed       displayName none -> Max; userName max@acme.example -> m@acme.example
lea@acme.example is deactivated   not in the directory since 2026-11-20

fingerprint {planned.fingerprint}"""
    )


def test_who_is_deactivated_is_no_admin_any_more_and_who_comes_back_is_one_again() -> None:
    rex = principal("rex", active=False)
    state = live({"ann": holds("admin"), "lea": holds("admin"), "rex": holds("admin")}, rex)
    assert text.verdict(Prepared(plan(reactivate(rex), deactivate("lea")), state, ())) == (
        "1 account is reactivated, 1 is deactivated\n"
        "organization admins: 2 before, 2 after; new: rex@acme.example; no longer: lea@acme.example"
    )


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ([delete_user("old")], "1 account is deleted"),
        ([deactivate("a"), deactivate("b")], "2 accounts are deactivated"),
        (
            [create_user("a"), create_user("b"), reactivate(), delete_user()],
            "2 accounts are created, 1 is reactivated, 1 is deleted",
        ),
        ([correct("a", display_name="A"), correct("b", email="b")], "2 accounts are corrected"),
    ],
)
def test_accounts_are_counted_by_what_happens_to_them(changes: list[Change], line: str) -> None:
    assert text.verdict(Prepared(plan(*changes), live(), ())).split("\n")[0] == line


def test_accounts_that_the_mode_leaves_are_told_apart() -> None:
    planned = plan(mode=Mode.REPORT, withheld=(create_user("joe"), GIVEN, OUT))
    assert (
        shown(planned, LIVES)
        == """\
acme on https://scim.example/v2, mode report
drift, none of which mode report mends

mode report never writes, so none of this happens:

joe@acme.example gains
  organization  none -> viewer  group eng (team.yaml:1)

joe@acme.example is created       in the group eng
lea@acme.example is deactivated   not in the directory since 2026-11-20"""
    )


def test_findings_stand_below_the_people_by_kind() -> None:
    found = (
        Finding(Kind.ATTRIBUTE, "ann@acme.example", "is called Ann here, and Anne in the directory"),
        Finding(Kind.UNPROVISIONED, "joe@acme.example", "is not on the server", since=NOW),
        Finding(
            Kind.GRANT, "dot@acme.example", "is admin until tomorrow", "renew it or let it end", at(7), NOW
        ),
        Finding(Kind.UNPROVISIONED, "eng", "lacks 2 members"),
    )
    problem = Problem(at(9), "no.")
    assert (
        shown(plan(findings=found, problems=(problem,)))
        == """\
acme on https://scim.example/v2, mode enforce
no drift, as far as the policy could be resolved

to look at:
  unprovisioned:
    joe@acme.example is not on the server, since 2026-11-23
    eng lacks 2 members
  attribute:
    ann@acme.example is called Ann here, and Anne in the directory
  temporary grant:
    dot@acme.example is admin until tomorrow, since 2026-11-23 (team.yaml:7); renew it or let it end

not resolved, so nobody loses what it could have given:
  team.yaml:9:1: no."""
    )


@pytest.mark.parametrize(("number", "more"), [(20, []), (21, ["    and 1 more"]), (30, ["    and 10 more"])])
def test_after_twenty_findings_of_a_kind_the_rest_is_counted(number: int, more: list[str]) -> None:
    found = [Finding(Kind.LEAVER, f"p{index:02}", "is gone") for index in range(number)]
    lines = text.findings([*found, Finding(Kind.CLASS, "ann", "is in two")])
    first = [f"    p{index:02} is gone" for index in range(20)]
    assert lines == ["", "to look at:", "  leaver:", *first, *more, "  class:", "    ann is in two"]


def test_what_a_finding_says_can_not_move_the_cursor() -> None:
    found = (Finding(Kind.LEAVER, "p\x1b[2J", "is\ngone"),)
    assert "    p\\x1b[2J is\\ngone" in text.plan(Prepared(plan(findings=found), live(), ()))


def test_changes_of_accounts_that_did_not_come_about_are_told() -> None:
    outcomes = [
        Outcome(create_user("joe"), Result.FAILED, "the server said no"),
        Outcome(OUT, Result.SKIPPED, "not tried"),
        Outcome(delete_user("old"), Result.APPLIED),
    ]
    assert text.outcomes(outcomes) == [
        "applied 1 of 3 changes",
        "failed account joe@acme.example: the server said no",
        "skipped account lea@acme.example: not tried",
    ]
