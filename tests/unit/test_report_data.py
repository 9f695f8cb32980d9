"""Plans and outcomes as plain data, whole and ready for JSON."""

import json
from typing import Any

from build import (
    END,
    SERVER,
    WEB,
    at,
    correct,
    create_user,
    deactivate,
    delete_user,
    holds,
    live,
    plan,
    principal,
    provenance,
    reactivate,
    scope_change,
    set_roles,
)

from reconciler.change import CreateGroup, Outcome, Result, SetRoles
from reconciler.errors import PolicyError, ReadError
from reconciler.finding import Finding, Kind
from reconciler.guardrails import Violation
from reconciler.model import ORGANIZATION, Role
from reconciler.plan import Plan
from reconciler.planning import Prepared
from reconciler.policy.document import Mode
from reconciler.problem import Location, Problem
from reconciler.report import data

BINDING = provenance("eng", "admin", line=4)
GRANT = provenance("ann@acme.example", "viewer", line=7, reason="INC-1", until=END)
GROUP = CreateGroup(WEB, Role.ADMIN, "web-admin")
ANN = set_roles(
    principal("ann"), scope_change(ORGANIZATION, "", "viewer", GRANT), scope_change(WEB, "", "admin", BINDING)
)
BOB = set_roles("bob", scope_change(WEB, "admin viewer", ""))
PROBLEMS = (
    Problem(Location("team.yaml", 3, 5, "bindings[0].group"), "no such group", "correct it"),
    Problem(Location("empty.yaml"), "nothing"),
)
TREE = "0123456789abcdef" * 2
PLANNED = Plan("acme", SERVER, Mode.ADDITIVE, (GROUP, ANN), (BOB,), PROBLEMS, TREE)
PREPARED = Prepared(
    PLANNED, live(), (Violation("removals", 2, 1, "too many", "look again", ("a", "b"), True),)
)
EMPTY = Prepared(plan(), live(), ())
FAILURE = ("globex", ReadError("the listing is short", "try again"))

GROUP_DATA = {
    "kind": "create-group",
    "group": "web-admin",
    "scope": {"project": "web"},
    "role": "admin",
}


def summary(**figures: int) -> dict[str, Any]:
    """A summary of nothing but these figures; `created` is one of accounts."""
    none = dict.fromkeys(("people", "gain", "move", "lose", "lose_everything", "keep_access"), 0)
    accounts = dict.fromkeys(("created", "corrected", "reactivated", "deactivated", "deleted"), 0)
    admins: dict[str, list[str]] = {"before": [], "after": [], "new": [], "gone": []}
    told = {key: figures.get(key, 0) for key in none}
    return {**told, "accounts": {key: figures.get(key, 0) for key in accounts}, "admins": admins}


PLAN_DATA = {
    "organization": "acme",
    "server": "https://scim.example/v2",
    "tree": TREE,
    "mode": "additive",
    "drift": True,
    "fingerprint": PLANNED.fingerprint,
    "summary": summary(people=1, gain=1),
    "changes": [
        GROUP_DATA,
        {
            "kind": "set-roles",
            "id": "u-ann",
            "user": "ann@acme.example",
            "scopes": [
                {
                    "scope": {"project": None},
                    "before": [],
                    "after": ["viewer"],
                    "why": [
                        {
                            "entry": "temporary grant",
                            "name": "ann@acme.example",
                            "role": "viewer",
                            "file": "team.yaml",
                            "line": 7,
                            "path": "",
                            "reason": "INC-1",
                            "until": "2026-11-27T23:59:59.999999+00:00",
                            "ended": False,
                        }
                    ],
                },
                {
                    "scope": {"project": "web"},
                    "before": [],
                    "after": ["admin"],
                    "why": [
                        {
                            "entry": "binding",
                            "name": "eng",
                            "role": "admin",
                            "file": "team.yaml",
                            "line": 4,
                            "path": "",
                            "reason": None,
                            "until": None,
                            "ended": False,
                        }
                    ],
                },
            ],
        },
    ],
    "withheld": [
        {
            "kind": "set-roles",
            "id": "u-bob",
            "user": "bob@acme.example",
            "scopes": [{"scope": {"project": "web"}, "before": ["admin", "viewer"], "after": [], "why": []}],
        }
    ],
    "findings": [],
    "problems": [
        {
            "file": "team.yaml",
            "line": 3,
            "column": 5,
            "path": "bindings[0].group",
            "message": "no such group",
            "remedy": "correct it",
        },
        {"file": "empty.yaml", "line": None, "column": None, "path": "", "message": "nothing", "remedy": ""},
    ],
    "violations": [
        {
            "guardrail": "removals",
            "measured": 2,
            "limit": 1,
            "message": "too many",
            "remedy": "look again",
            "people": ["a", "b"],
            "approvable": True,
        }
    ],
}
EMPTY_DATA = {
    "organization": "acme",
    "server": "https://scim.example/v2",
    "tree": "",
    "mode": "enforce",
    "drift": False,
    "fingerprint": EMPTY.plan.fingerprint,
    "summary": summary(),
    "changes": [],
    "withheld": [],
    "findings": [],
    "problems": [],
    "violations": [],
}
FAILURE_DATA = {
    "organization": "globex",
    "message": "the listing is short",
    "hint": "try again",
    "exit_code": 7,
}


def through_json(document: data.Document) -> object:
    """What a program reads: enumerations and tuples do not survive, so none may be needed."""
    return json.loads(json.dumps(document))


def test_plans_as_one_document() -> None:
    assert through_json(data.plans("policies", [PREPARED, EMPTY], [FAILURE])) == {
        "format": "reconciler.plan/1",
        "policy": "policies",
        "plans": [PLAN_DATA, EMPTY_DATA],
        "failures": [FAILURE_DATA],
    }


def test_no_plans_are_a_document_too() -> None:
    assert through_json(data.plans("policies", [], [])) == {
        "format": "reconciler.plan/1",
        "policy": "policies",
        "plans": [],
        "failures": [],
    }


def test_runs_as_one_document_with_what_became_of_each_change() -> None:
    outcomes = [Outcome(GROUP, Result.APPLIED), Outcome(BOB, Result.FAILED, "the server said 500")]
    bob = {
        "kind": "set-roles",
        "id": "u-bob",
        "user": "bob@acme.example",
        "scopes": [{"scope": {"project": "web"}, "before": ["admin", "viewer"], "after": []}],
    }
    assert through_json(data.applied([(PREPARED, outcomes, "1f2e3d"), (EMPTY, [], "a1b2c3")], [FAILURE])) == {
        "format": "reconciler.apply/1",
        "runs": [
            {
                "run": "1f2e3d",
                **PLAN_DATA,
                "outcomes": [
                    {"change": GROUP_DATA, "result": "applied", "detail": ""},
                    {"change": bob, "result": "failed", "detail": "the server said 500"},
                ],
            },
            {"run": "a1b2c3", **EMPTY_DATA, "outcomes": []},
        ],
        "failures": [FAILURE_DATA],
    }


def test_a_failure_says_how_the_program_would_end() -> None:
    assert through_json(data.failure("acme", PolicyError([Problem(at(), "wrong")]))) == {
        "organization": "acme",
        "message": "the policy has 1 problem",
        "hint": "",
        "exit_code": 6,
    }


def test_accounts_and_findings_are_told_with_their_reasons() -> None:
    joe = create_user("joe")
    findings = (
        Finding(Kind.LEAVER, "lea@acme.example", "is gone", "look", at(3), END),
        Finding(Kind.RETURNER, "rex@acme.example", "is back"),
    )
    told = plan(joe, withheld=(deactivate("lea"),), findings=findings)
    document = through_json(data.plan(Prepared(told, live(), ())))
    assert document == EMPTY_DATA | {
        "drift": True,
        "fingerprint": told.fingerprint,
        "summary": summary(created=1),
        "changes": [
            {
                "kind": "create-user",
                "id": "new:joe@acme.example",
                "user": "joe@acme.example",
                "external_id": "00u-joe",
                "display_name": "Joe",
                "email": None,
                "why": "in the group eng",
            }
        ],
        "withheld": [
            {
                "kind": "set-active",
                "id": "u-lea",
                "user": "lea@acme.example",
                "before": True,
                "after": False,
                "why": "not in the directory",
            }
        ],
        "findings": [
            {
                "kind": "leaver",
                "subject": "lea@acme.example",
                "message": "is gone",
                "remedy": "look",
                "file": "team.yaml",
                "line": 3,
                "path": "",
                "since": "2026-11-27T23:59:59.999999+00:00",
            },
            {
                "kind": "returner",
                "subject": "rex@acme.example",
                "message": "is back",
                "remedy": "",
                "file": None,
                "line": None,
                "path": None,
                "since": None,
            },
        ],
    }


def test_the_summary_counts_people_and_accounts_and_names_the_admins() -> None:
    held = {
        "ann": holds("admin"),
        "Bob": holds("viewer"),
        "cleo": holds("admin", web="viewer"),
        "dan": holds(web="viewer"),
        "eve": holds("viewer contributor"),
        "fay": holds("viewer"),
        "gil": holds("admin"),
    }
    changes = (
        set_roles("Bob", scope_change(ORGANIZATION, "viewer", "admin")),
        set_roles("dan", scope_change(WEB, "viewer", "")),
        set_roles("eve", scope_change(ORGANIZATION, "viewer contributor", "contributor")),
        set_roles("fay", scope_change(ORGANIZATION, "viewer", ""), scope_change(WEB, "", "admin")),
        set_roles("cleo", scope_change(ORGANIZATION, "admin", "")),
        create_user("joe"),
        correct("max", user_name="m@acme.example"),
        correct("ann", display_name="Ann"),
        reactivate("rex"),
        deactivate("gil"),
        delete_user("old"),
    )
    who = [one.principal for one in changes if not isinstance(one, SetRoles)]
    state = live(held, *(person for person in who if person.id not in ("u-ann", "u-gil")))
    planned = plan(*changes)
    told = data.plan(Prepared(planned, state, ()))
    assert through_json({"summary": told["summary"]}) == {
        "summary": {
            "people": 5,
            "gain": 1,
            "move": 1,
            "lose": 2,
            "lose_everything": 1,
            "keep_access": 1,
            "accounts": {"created": 1, "corrected": 2, "reactivated": 1, "deactivated": 1, "deleted": 1},
            "admins": {
                "before": ["ann@acme.example", "cleo@acme.example", "gil@acme.example"],
                "after": ["ann@acme.example", "Bob@acme.example"],
                "new": ["Bob@acme.example"],
                "gone": ["cleo@acme.example", "gil@acme.example"],
            },
        }
    }
