"""A plan in words: what happens to whom, and why."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from build import (
    APP,
    END,
    NOW,
    SERVER,
    WEB,
    holds,
    live,
    plan,
    principal,
    provenance,
    scope_change,
    set_roles,
)

from reconciler.change import ScopeChange
from reconciler.model import ORGANIZATION, Provenance, Role
from reconciler.planning import Prepared
from reconciler.report import people
from reconciler.report.people import Name, PersonRow, Place, ScopeRow

ENG = provenance("eng", "admin", line=4)
OPS = provenance("ops", "viewer", line=9)
NOW_GIVEN = provenance("ann@acme.example", "admin", line=2, reason="INC-1", until=END)
OVER = provenance(
    "ann@acme.example", "admin", line=3, reason="INC-0", until=NOW - timedelta(days=1), ended=True
)
CONTRACT = Provenance(
    "end",
    "ann@acme.example",
    replace(ENG.at, line=5),
    Role.ADMIN,
    until=NOW - timedelta(days=1),
    ended=True,
    person_class="contractor",
)
CAPPED = replace(ENG, role=Role.VIEWER, asked=Role.ADMIN, person_class="contractor")
WITHHELD = replace(ENG, person_class="contractor", withheld=True)
MACHINE = Provenance("service account", "bot", replace(ENG.at, line=6), Role.VIEWER, "deploys")


def why(scope: ScopeChange, *, active: bool = True) -> str:
    (row,) = people.rows([set_roles(principal("ann", active=active), scope)])
    return row.scopes[0].why


def test_a_row_has_one_line_for_each_scope() -> None:
    change = set_roles(
        principal("ann", user_name="Ann@acme.example"),
        scope_change(ORGANIZATION, "viewer admin contributor", "viewer", OPS),
        scope_change(WEB, "", "admin", ENG),
        scope_change(APP, "viewer", ""),
    )
    assert people.rows([change]) == (
        PersonRow(
            "Ann@acme.example",
            "moves",
            (
                ScopeRow(
                    "organization",
                    "admin + contributor + viewer",
                    "viewer",
                    ("group ", Name("ops"), " (", Place(OPS.at), ")"),
                ),
                ScopeRow("web", "none", "admin", ("group ", Name("eng"), " (", Place(ENG.at), ")")),
                ScopeRow("app", "viewer", "none", ("nothing in the policy gives it",)),
            ),
        ),
    )


def test_rows_are_in_the_order_given() -> None:
    changes = [set_roles(name, scope_change(WEB, "", "admin")) for name in ("zoe", "ann")]
    assert [row.user for row in people.rows(changes)] == ["zoe@acme.example", "ann@acme.example"]


@pytest.mark.parametrize(
    ("scopes", "verb"),
    [
        ([scope_change(WEB, "", "viewer")], "gains"),
        ([scope_change(WEB, "", "viewer"), scope_change(APP, "admin viewer", "admin")], "gains"),
        ([scope_change(WEB, "viewer", "")], "loses"),
        ([scope_change(WEB, "admin", "viewer")], "loses"),
        ([scope_change(WEB, "viewer", ""), scope_change(APP, "", "viewer")], "moves"),
        ([scope_change(WEB, "admin viewer", "admin")], "keeps access"),
        ([scope_change(WEB, "admin", "admin viewer")], "keeps access"),
    ],
    ids=["first role", "gains and tidies", "last role", "lowered", "both", "tidied", "joins a lower group"],
)
def test_a_verb_says_what_happens_to_somebody(scopes: list[ScopeChange], verb: str) -> None:
    assert people.verb(set_roles("ann", *scopes)) == verb


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        (scope_change(WEB, "viewer", "admin", ENG, OPS), "group eng (team.yaml:4)"),
        (
            scope_change(WEB, "viewer", "admin", NOW_GIVEN, OPS),
            "temporary grant until 2026-11-27 23:59 UTC, INC-1 (team.yaml:2)",
        ),
        (scope_change(WEB, "admin", ""), "nothing in the policy gives it"),
        (scope_change(WEB, "admin", "viewer"), "nothing in the policy gives more"),
        (scope_change(WEB, "admin", "viewer", OPS), "group ops (team.yaml:9)"),
        (scope_change(WEB, "admin", "viewer", NOW_GIVEN), "nothing in the policy gives more"),
        (
            scope_change(WEB, "admin", "", OVER),
            "temporary grant ended 2026-11-22 12:00 UTC, INC-0 (team.yaml:3)",
        ),
        (
            scope_change(WEB, "admin", "viewer", OPS, OVER),
            "temporary grant ended 2026-11-22 12:00 UTC, INC-0 (team.yaml:3); group ops (team.yaml:9)",
        ),
        (scope_change(WEB, "", "viewer", OPS, OVER), "group ops (team.yaml:9)"),
        (scope_change(WEB, "viewer", "admin", ENG, OVER), "group eng (team.yaml:4)"),
        (scope_change(WEB, "contributor", "admin", OVER, ENG), "group eng (team.yaml:4)"),
        (scope_change(WEB, "admin viewer", "admin", ENG, OPS), "one role is enough; group eng (team.yaml:4)"),
        (scope_change(WEB, "admin viewer", "admin"), "one role is enough"),
        (
            scope_change(WEB, "admin", "", CONTRACT, OVER),
            "contractor until 2026-11-22 12:00 UTC (team.yaml:5)",
        ),
        (
            scope_change(WEB, "admin", "", OVER, replace(CONTRACT, person_class="")),
            "access until 2026-11-22 12:00 UTC (team.yaml:5)",
        ),
        (
            scope_change(WEB, "admin", "viewer", CAPPED, OPS),
            "group eng (team.yaml:4), viewer at most as contractor",
        ),
        (scope_change(WEB, "admin", "", WITHHELD), "group eng gives contractor nothing (team.yaml:4)"),
        (
            scope_change(WEB, "admin", "viewer", OPS, WITHHELD),
            "group eng gives contractor nothing (team.yaml:4); group ops (team.yaml:9)",
        ),
        (scope_change(WEB, "contributor", "admin", ENG, WITHHELD), "group eng (team.yaml:4)"),
        (scope_change(WEB, "", "viewer", MACHINE), "service account, deploys (team.yaml:6)"),
    ],
    ids=[
        "the strongest reason",
        "a temporary grant",
        "no reason",
        "no reason for more",
        "a reason for less",
        "a reason for more is none",
        "a grant that is over",
        "a grant that is over and a reason for less",
        "a grant that is over gives no reason to gain",
        "nor where something else gives the same",
        "in whatever order they stand",
        "a surplus",
        "a surplus without a reason",
        "the end of somebody's time, before all else",
        "wherever it stands, and without a class",
        "a class that caps",
        "a class that is not named",
        "a class that is not named, and a reason for less",
        "a binding that does not count gives no reason to gain",
        "a service account",
    ],
)
def test_each_scope_says_why(scope: ScopeChange, reason: str) -> None:
    assert why(scope) == reason


def test_somebody_who_is_not_active_loses_for_that_reason() -> None:
    assert why(scope_change(WEB, "admin", "", OVER), active=False) == "not active"


def test_the_end_of_a_grant_is_told_in_utc() -> None:
    until = datetime(2026, 11, 27, 1, 30, tzinfo=timezone(timedelta(hours=3)))
    grant = Provenance("temporary grant", "ann", ENG.at, ENG.role, "INC-1", until)
    assert until.astimezone(UTC).day == 26
    assert why(scope_change(WEB, "", "admin", grant)) == (
        "temporary grant until 2026-11-26 22:30 UTC, INC-1 (team.yaml:4)"
    )


STATE = live(
    {
        "all": holds("viewer", web="admin"),
        "part": holds("viewer", web="admin"),
        "move": holds(web="admin"),
        "none": holds(),
        "stay": holds("admin"),
    }
)
CHANGES = (
    set_roles("all", scope_change(ORGANIZATION, "viewer", ""), scope_change(WEB, "admin", "")),
    set_roles("part", scope_change(WEB, "admin", "")),
    set_roles("move", scope_change(WEB, "admin", ""), scope_change(APP, "", "viewer")),
    set_roles("none", scope_change(WEB, "", "viewer")),
)


def test_who_holds_nothing_any_more_loses_everything_and_who_keeps_another_scope_does_not() -> None:
    prepared = Prepared(plan(*CHANGES), STATE, ())
    assert prepared.plan.server == SERVER
    assert people.emptied(prepared) == {"u-all"}
    rows = people.rows(CHANGES, people.emptied(prepared))
    assert [row.verb for row in rows] == ["loses everything", "loses", "moves", "gains"]


def test_who_leaves_one_role_group_after_the_other_loses_everything_in_the_end() -> None:
    halves = [set_roles("all", scope) for scope in CHANGES[0].scopes]
    assert people.emptied(Prepared(plan(*halves), STATE, ())) == {"u-all"}
    assert people.emptied(Prepared(plan(halves[0]), STATE, ())) == set()
