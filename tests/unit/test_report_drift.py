"""Drift as text for a log and as data: the verdict in the first line, and all that is known below."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from build import (
    END,
    NOW,
    SERVER,
    Groups,
    Server,
    binding,
    grant,
    group,
    holds,
    live,
    membership,
    organization,
    policy,
    principal,
    provenance,
)
from past import run, wrote

from reconciler import drifted, overview, planning
from reconciler.drifted import Bound, Drifted, Since
from reconciler.errors import ReadError
from reconciler.history import PastRun
from reconciler.policy.document import Mode, Policy
from reconciler.report import drift as report

MONDAY = NOW - timedelta(days=14)
RUNS = (
    run(MONDAY, wrote("bob", "viewer", ""), id="0123456789ab"),
    run(MONDAY + timedelta(days=1), changes=3, refused="removals", id="ba9876543210"),
)
POLICY = policy(
    binding("eng", "viewer", web="admin", line=4),
    grant("ann", "admin", expires=NOW + timedelta(hours=5), line=12),
    of=organization(Mode.ADDITIVE),
)
FAILURE = ("globex", ReadError("the listing is short", "try again"))


def found(policy: Policy = POLICY, *, bob: str = "viewer", runs: Sequence[PastRun] = RUNS) -> Drifted:
    """Ann gains, Bob has what a run had taken from him."""
    state = live({"ann": holds("viewer", web="admin"), "bob": holds(bob)})
    survey = planning.survey(policy, Server(state), Groups(membership(group("eng", "ann"))), NOW)
    return drifted.of(overview.of(policy, SERVER, survey, NOW, runs))


BROKEN = replace(POLICY, bindings=(*POLICY.bindings, binding("ops", "viewer", line=9)))
SETTLED = policy(binding("eng", "viewer", web="admin", line=4))


def test_all_that_is_known_is_told_with_the_verdict_in_the_first_line() -> None:
    soon = "has a temporary grant until 2026-11-23 17:00 UTC, INC-1 (team.yaml:12)"
    assert report.lines([found()], [FAILURE]) == [
        "drift: 2 people in acme; 1 organization could not be looked at",
        "",
        "acme on https://scim.example/v2, mode additive",
        "  changed by somebody else: 1 person",
        "  how is not known: 1 person",
        "last run that left everything right: 0123456789ab of 2026-11-09 12:00 UTC",
        "",
        "ann@acme.example gains",
        "  organization: viewer -> admin  temporary grant until 2026-11-23 17:00 UTC, INC-1 (team.yaml:12)",
        "    how is not known, after run 0123456789ab of 2026-11-09 12:00 UTC",
        "",
        "bob@acme.example loses everything",
        "  organization: viewer -> none  nothing in the policy gives it",
        "    changed by somebody else, after run 0123456789ab of 2026-11-09 12:00 UTC",
        "    run 0123456789ab of 2026-11-09 12:00 UTC left none",
        "    mode additive leaves it as it is",
        "",
        "to look at:",
        "  temporary grant:",
        f"    ann@acme.example {soon}; write another `expires:` if it is needed for longer",
        "",
        "0 organization admins: nobody",
        "temporary grants:",
        "  ann@acme.example: organization admin, until 2026-11-23 17:00 UTC, 5 hours left, "
        "INC-1 (team.yaml:12)",
        "changes of past runs: 1, 3 (refused)",
        "",
        "globex could not be looked at: the listing is short",
    ]


def test_no_drift_is_told_in_few_lines() -> None:
    assert report.lines([found(SETTLED, bob="", runs=())]) == [
        "no drift in acme",
        "",
        "acme on https://scim.example/v2, mode enforce",
        "no drift: everybody has what the policy gives them",
        "last run that left everything right: unknown, for no ledger tells of any",
        "",
        "0 organization admins: nobody",
    ]


@pytest.mark.parametrize(
    ("organizations", "failures", "verdict"),
    [
        ([], [], "nothing is known of drift"),
        ([], [FAILURE], "nothing is known of drift; 1 organization could not be looked at"),
        ([SETTLED, BROKEN], [], "drift: 1 person in acme; 1 problem of policy unresolved"),
    ],
)
def test_the_verdict_tells_what_is_not_known(
    organizations: list[Policy], failures: list[tuple[str, ReadError]], verdict: str
) -> None:
    known = [found(one, bob="" if one is SETTLED else "viewer") for one in organizations]
    assert report.lines(known, failures)[0] == verdict


@pytest.mark.parametrize(
    ("since", "told"),
    [
        (None, "nothing tells since when"),
        (Since(END), "since 2026-11-27 23:59 UTC"),
        (Since(END, Bound.AFTER), "after 2026-11-27 23:59 UTC"),
        (Since(END, Bound.BY), "since 2026-11-27 23:59 UTC or before"),
        (Since(END, Bound.AT, run(MONDAY, id="ab")), "since run ab of 2026-11-27 23:59 UTC"),
        (Since(END, Bound.AFTER, run(MONDAY, id="ab")), "after run ab of 2026-11-27 23:59 UTC"),
        (Since(END, Bound.AT, provenance(line=7)), "since 2026-11-27 23:59 UTC, by team.yaml:7"),
        (
            Since(END, Bound.AFTER, provenance(line=7)),
            "after 2026-11-27 23:59 UTC, when team.yaml:7 was written",
        ),
    ],
)
def test_since_when_is_told_with_what_tells_it(since: Since | None, told: str) -> None:
    assert report.since(since) == told


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (timedelta(days=3, hours=23), "3 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=23, minutes=59), "23 hours"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(seconds=59), "less than a minute"),
    ],
)
def test_the_time_that_is_left_is_told_in_its_largest_unit(left: timedelta, told: str) -> None:
    assert report.remaining(left) == told


def test_a_line_is_one_line_whatever_people_are_called() -> None:
    evil = principal("eve", user_name="eve\n\x1b[31m\u202eadmin")
    state = live({}, evil)
    state = replace(state, roles={evil.id: holds("admin")})
    survey = planning.survey(SETTLED, Server(state), Groups(membership(group("eng"))), NOW)
    lines = report.lines([drifted.of(overview.of(SETTLED, SERVER, survey, NOW))])
    assert all(line.isprintable() for line in lines)
    assert "eve\\n\\x1b[31m\\u202eadmin loses everything" in lines


def test_data_holds_the_same_and_is_json() -> None:
    document = json.loads(json.dumps(report.data("policies/acme", [found()], [FAILURE])))
    [acme] = document["organizations"]
    right = {
        "run": "0123456789ab",
        "at": "2026-11-09T12:00:00+00:00",
        "who": "ann",
        "commit": "c0ffee",
    }
    assert (document["format"], document["policy"], document["drift"]) == (
        "reconciler.drift/1",
        "policies/acme",
        True,
    )
    assert document["failures"][0]["organization"] == "globex"
    assert (acme["last_right"], acme["at"], acme["mode"]) == (right, "2026-11-23T12:00:00+00:00", "additive")
    assert acme["causes"] == {"changed by somebody else": 1, "unknown": 1}
    assert acme["people"][1] == {
        "id": "u-bob",
        "user": "bob@acme.example",
        "active": True,
        "loses_everything": True,
        "scopes": [
            {
                "scope": {"project": None},
                "live": ["viewer"],
                "desired": [],
                "why": [],
                "cause": "changed by somebody else",
                "since": {
                    "bound": "after",
                    "at": "2026-11-09T12:00:00+00:00",
                    "run": "0123456789ab",
                    "line": None,
                },
                "tried": None,
                "contested": False,
                "withheld": True,
                "last_written": {**right, "after": []},
            }
        ],
        "account": [],
    }
    assert [(one["changes"], one["refused"]) for one in acme["runs"]] == [(1, None), (3, "removals")]
    assert acme["grants"] == [
        {
            "user": "ann@acme.example",
            "roles": [{"scope": {"project": None}, "role": "admin"}],
            "reason": "INC-1",
            "starts": None,
            "expires": "2026-11-23T17:00:00+00:00",
            "file": "team.yaml",
            "line": 12,
        }
    ]
    [broken] = json.loads(json.dumps(report.data("policies", [found(BROKEN)])))["organizations"]
    assert [problem["line"] for problem in broken["problems"]] == [9]
