"""Past runs as text and as data: whole outputs."""

import json
from pathlib import Path
from typing import Any

from recording import END, kept, numbered, outcome, set_roles, story, write

from reconciler import history
from reconciler.history import PastRun
from reconciler.ledger import Fault
from reconciler.ledgers import Verified
from reconciler.report import past


def run(*events: dict[str, object], **begun: object) -> PastRun:
    [told] = history.runs(numbered(story(*events, **begun)))
    return told


WENT_WELL = run(
    write(1, set_roles("cat", "", "admin", "web")), outcome(), write(2, set_roles()), outcome(2), END
)
KILLED = run(write(1, set_roles()), who=None)
REFUSED = run({"event": "refused", "reason": "refused by removals", "exit_code": 4}, organization="globex")
UNDONE = run(
    write(1, set_roles()),
    outcome(1, "failed", "the server said no"),
    outcome(2, "skipped", "not tried", change=set_roles("cat")),
    END,
    undoes="a1b2c3d4e5f6",
    approved=["removals", "demotions"],
    commit="c0ffee",
    pipeline="https://ci.example/7",
)
NOTHING = run(END, changes=0)


def test_no_runs_are_told_in_a_line() -> None:
    assert past.table([]) == ["the ledger holds no run"]


def test_runs_are_a_table_with_the_latest_last() -> None:
    runs = [WENT_WELL, KILLED, REFUSED, UNDONE, NOTHING]
    ids = [told.id for told in runs]
    assert past.table(kept(*runs)) == [
        "run           began                 organization  by   result",
        f"{ids[0]}  2026-11-23T12:00:00Z  acme          ann  2 applied",
        f"{ids[1]}  2026-11-23T12:00:00Z  acme          ?    did not end (1 unknown)",
        f"{ids[2]}  2026-11-23T12:00:00Z  globex        ann  refused: refused by removals",
        f"{ids[3]}  2026-11-23T12:00:00Z  acme          ann  1 failed, 1 skipped, undoes a1b2c3d4e5f6",
        f"{ids[4]}  2026-11-23T12:00:00Z  acme          ann  nothing to write",
    ]


def test_a_run_that_was_killed_before_it_wrote_says_so() -> None:
    assert past.table(kept(run()))[1].endswith("  did not end (nothing written)")


def test_one_run_is_told_with_everything_that_it_wrote() -> None:
    assert past.one(*kept(UNDONE)) == [
        f"run {UNDONE.id} of acme on https://scim.example/v2, mode enforce",
        "  began 2026-11-23T12:00:00.000Z by ann",
        "  policy 77777777777777777777777777777777, commit c0ffee",
        "  plan ffffffffffffffffffffffffffffffff, 2 to write",
        "  pipeline https://ci.example/7",
        "  undoes run a1b2c3d4e5f6",
        "  approved in spite of removals, demotions",
        "  1 failed, 1 skipped, undoes a1b2c3d4e5f6",
        "",
        "failed bob@acme.example: the server said no",
        "  organization: viewer -> none",
        "",
        "skipped cat@acme.example: not tried",
    ]
    assert past.one(*kept(KILLED))[1:5] == [
        "  began 2026-11-23T12:00:00.000Z by nobody known",
        "  policy 77777777777777777777777777777777, commit unknown",
        "  plan ffffffffffffffffffffffffffffffff, 2 to write",
        "  did not end (1 unknown)",
    ]
    assert past.one(*kept(WENT_WELL))[6:8] == ["applied cat@acme.example", "  web: none -> admin"]


def test_as_data_a_run_is_told_whole() -> None:
    document = past.data(kept(UNDONE))
    assert json.loads(json.dumps(document)) == {
        "format": "reconciler.history/1",
        "runs": [
            {
                "run": UNDONE.id,
                "at": "2026-11-23T12:00:00.000Z",
                "organization": "acme",
                "server": "https://scim.example/v2",
                "mode": "enforce",
                "tree": "7" * 32,
                "fingerprint": "f" * 32,
                "changes": 2,
                "problems": None,
                "who": "ann",
                "commit": "c0ffee",
                "pipeline": "https://ci.example/7",
                "undoes": "a1b2c3d4e5f6",
                "approved": ["removals", "demotions"],
                "leavers": None,
                "ended": "2026-11-23T12:00:04.000Z",
                "refused": None,
                "results": {"applied": 0, "failed": 1, "unknown": 0, "skipped": 1},
                "writes": [
                    {
                        "kind": "set-roles",
                        "subject": "bob@acme.example",
                        "id": "u-bob",
                        "result": "failed",
                        "detail": "the server said no",
                        "scopes": [{"scope": {"project": None}, "before": ["viewer"], "after": []}],
                        "attributes": [],
                        "active": None,
                    }
                ],
                "skipped": [{"subject": "cat@acme.example", "detail": "not tried"}],
                "ledgers": [".reconciler/ledger.jsonl"],
            }
        ],
        "contested": [],
    }


def test_as_data_a_run_that_did_not_end_and_one_that_was_refused_say_so() -> None:
    told = [(entry["ended"], entry["refused"]) for entry in _runs(past.data(kept(KILLED, REFUSED)))]
    assert told == [(None, None), ("2026-11-23T12:00:01.000Z", "refused by removals")]
    assert [write["result"] for write in _runs(past.data(kept(KILLED)))[0]["writes"]] == [None]


def _runs(document: dict[str, object]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(json.dumps(document))["runs"]
    return found


def test_what_is_wrong_with_a_ledger_is_data_too() -> None:
    sound, edited = Verified(Path("a.jsonl"), ()), Verified(Path("b.jsonl"), (Fault(3, "it was edited"),))
    assert past.verified([sound]) == {
        "format": "reconciler.verify/1",
        "sound": True,
        "ledgers": ["a.jsonl"],
        "faults": [],
    }
    assert past.verified([sound, edited]) == {
        "format": "reconciler.verify/1",
        "sound": False,
        "ledgers": ["a.jsonl", "b.jsonl"],
        "faults": [{"ledger": "b.jsonl", "line": 3, "message": "it was edited"}],
    }


KNOWN = {"external_id": None, "display_name": None, "email": None}
BOB = {"id": "u-bob", "user": "bob@acme.example"}
LIVES = run(
    write(1, {"kind": "create-user", **BOB, **KNOWN}),
    write(2, {"kind": "set-active", **BOB, "before": None, "after": False}),
    outcome(2),
    write(
        3,
        {
            "kind": "set-attributes",
            **BOB,
            "attributes": [{"attribute": "displayName", "before": None, "after": "Bob"}],
        },
    ),
    write(4, {"kind": "delete-user", **BOB, **KNOWN}),
)


def test_what_happened_to_accounts_is_told() -> None:
    assert past.one(*kept(LIVES))[5:] == [
        "",
        "unknown bob@acme.example",
        "  account: none -> created",
        "",
        "applied bob@acme.example",
        "  active: none -> false",
        "",
        "unknown bob@acme.example",
        "  displayName: none -> Bob",
        "",
        "unknown bob@acme.example",
        "  account: deactivated -> deleted",
    ]


def test_what_happened_to_accounts_is_data_too() -> None:
    nothing = {"subject": "bob@acme.example", "id": "u-bob", "detail": "", "scopes": []}
    writes = _runs(past.data(kept(LIVES)))[0]["writes"]
    assert writes == [
        {"kind": "create-user", **nothing, "result": None, "attributes": [], "active": None},
        {
            "kind": "set-active",
            **nothing,
            "result": "applied",
            "attributes": [],
            "active": {"before": None, "after": False},
        },
        {
            "kind": "set-attributes",
            **nothing,
            "result": None,
            "attributes": [{"attribute": "displayName", "before": None, "after": "Bob"}],
            "active": None,
        },
        {"kind": "delete-user", **nothing, "result": None, "attributes": [], "active": None},
    ]


def test_leavers_that_a_run_knew_of_are_data() -> None:
    [told] = _runs(past.data(kept(run(END, leavers=[BOB]))))
    assert told["leavers"] == [BOB]
