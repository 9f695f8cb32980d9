"""What records tell of past runs, and what forged ones with right hashes do: nothing but words."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import pytest
from build import SERVER, some
from recording import END, Json, chained, numbered, outcome, run_record, set_roles, story, write

from reconciler import history
from reconciler.change import Kind, Result
from reconciler.errors import LedgerError
from reconciler.history import Begun, Ended, PastRun, ScopeWrite, Skip, Write
from reconciler.model import ORGANIZATION, Scope
from reconciler.report import past

GROUP: Json = {
    "kind": "create-group",
    "group": "circleci-web-admin",
    "scope": {"project": "web"},
    "role": "admin",
}
SOUND = story(
    write(1, GROUP),
    write(2, set_roles("ann", "viewer contributor", "admin", "web")),
    outcome(1),
    outcome(2, "failed", "the server said no"),
    write(3, set_roles("bob")),
    outcome(4, "skipped", "not tried", change=set_roles("cat")),
    END,
)


def runs(*records: Mapping[str, Any]) -> tuple[PastRun, ...]:
    return history.runs(numbered(records))


def begun(**changes: Any) -> Begun:
    told = {
        **run_record(),
        "undoes": None,
        "approved": (),
        "leavers": None,
        "at": "2026-11-23T12:00:00.000Z",
        **changes,
    }
    return Begun(**{name: told[name] for name in told.keys() - {"event", "format"}})


# What records tell


def test_a_run_is_told_as_values() -> None:
    records = numbered(SOUND)
    everywhere = ScopeWrite(ORGANIZATION, some("viewer"), some())
    web = ScopeWrite(Scope("web"), some("viewer contributor"), some("admin"))
    assert history.runs(records) == (
        PastRun(
            records[0].record["hash"][:12],
            begun(),
            (
                Write(2, "circleci-web-admin", None, True, (), Result.APPLIED, kind=Kind.CREATE_GROUP),
                Write(3, "ann@acme.example", "u-ann", True, (web,), Result.FAILED, "the server said no"),
                Write(6, "bob@acme.example", "u-bob", True, (everywhere,), None),
            ),
            (Skip("cat@acme.example", "not tried"),),
            Ended("2026-11-23T12:00:07.000Z"),
        ),
    )


def test_outcomes_are_counted() -> None:
    [run] = runs(*SOUND)
    assert run.results() == {"applied": 1, "failed": 1, "unknown": 1, "skipped": 1}


def test_a_write_that_was_announced_and_then_skipped_was_no_write() -> None:
    [run] = runs(*story(write(), outcome(1, "skipped", "interrupted", change=set_roles())))
    assert (run.writes, run.skipped) == ((), (Skip("bob@acme.example", "interrupted"),))


def test_runs_over_several_organizations_may_take_turns() -> None:
    first, second = run_record(), run_record(organization="globex")
    one, other = (record["hash"][:12] for record in chained([first, second]))
    [acme, globex] = runs(
        first,
        second,
        {"event": "mended", "torn": ""},
        {"run": one, **write()},
        {"run": other, **write(1, set_roles("zoe"))},
        {"run": other, **outcome()},
        {"run": one, **END},
    )
    assert [write.subject for write in acme.writes] == ["bob@acme.example"]
    assert (acme.ended is None, globex.ended is None) == (False, True)
    assert [write.result for write in globex.writes] == [Result.APPLIED]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, begun()),
        ({"undoes": "a1b2c3d4e5f6"}, begun(undoes="a1b2c3d4e5f6")),
        ({"approved": ["removals", "demotions"]}, begun(approved=("removals", "demotions"))),
        (
            {"who": None, "commit": "c0ffee-dirty", "pipeline": "7"},
            begun(who=None, commit="c0ffee-dirty", pipeline="7"),
        ),
    ],
    ids=["plain", "undoes", "approved", "origin"],
)
def test_how_a_run_began_is_told(more: Json, told: Begun) -> None:
    [run] = runs(*story(**more))
    assert run.begun == told


def test_how_roles_were_stored_is_told() -> None:
    change = set_roles()
    change["scopes"][0]["stored"] = ['{"value": "ORG-Viewer"}']
    [run] = runs(*story(write(1, change)))
    assert run.writes[0].scopes[0].entries == ('{"value": "ORG-Viewer"}',)


@pytest.mark.parametrize(
    ("said", "active"), [({}, True), ({"active": True}, True), ({"active": False}, False)]
)
def test_whether_somebody_was_inactive_is_told(said: Json, active: bool) -> None:
    [run] = runs(*story(write(1, {**set_roles(), **said})))
    assert run.writes[0].active is active


# Forged ones


def changed(change: Json, **parts: Any) -> Json:
    """A change with other parts of its only scope."""
    return {**change, "scopes": [{**change["scopes"][0], **parts}]}


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([outcome()], id="outcome before write"),
        pytest.param([outcome(1, "failed")], id="failure before write"),
        pytest.param([write(), outcome(), outcome()], id="two outcomes"),
        pytest.param([write(), write()], id="written twice"),
        pytest.param([END, write()], id="write after the end"),
        pytest.param([END, END], id="two ends"),
        pytest.param([{"event": "refused", "reason": "no", "exit_code": 4}, END], id="end after refusal"),
        pytest.param([{"event": "approve"}], id="unknown event"),
        pytest.param([{"event": ""}], id="event without a name"),
        pytest.param([{"event": "refused", "exit_code": 4}], id="refused for nothing"),
        pytest.param([{"event": "refused", "reason": 4}], id="refused for a number"),
        pytest.param([{**END, "run": "0" * 12}], id="unknown run"),
        pytest.param([{**END, "run": None}], id="no run"),
        pytest.param([{**END, "run": ["0"]}], id="run that is a list"),
        pytest.param([write("1")], id="number as text"),
        pytest.param([write(True)], id="number as truth"),
        pytest.param([write(1.0)], id="number with a fraction"),
        pytest.param([write([1])], id="number as a list"),
        pytest.param([write(1, ["x"])], id="change that is a list"),
        pytest.param([write(1, {"kind": "delete-user", "user": "bob"})], id="unknown change"),
        pytest.param([write(1, {"user": "bob", "id": "u-bob", "scopes": []})], id="change without a kind"),
        pytest.param([write(1, {**set_roles(), "id": None})], id="nobody"),
        pytest.param([write(1, {**set_roles(), "id": ["u-bob"]})], id="id that is a list"),
        pytest.param([write(1, {**set_roles(), "user": 7})], id="name that is a number"),
        pytest.param([write(1, {**set_roles(), "scopes": None})], id="no scopes"),
        pytest.param([write(1, {**set_roles(), "scopes": {"a": 1}})], id="scopes that are a mapping"),
        pytest.param([write(1, {**set_roles(), "scopes": [7]})], id="scope that is a number"),
        pytest.param([write(1, changed(set_roles(), scope="web"))], id="scope that is text"),
        pytest.param([write(1, changed(set_roles(), scope={}))], id="scope without a project"),
        pytest.param(
            [write(1, changed(set_roles(), scope={"project": ["web"]}))], id="project that is a list"
        ),
        pytest.param([write(1, changed(set_roles(), before=["owner"]))], id="role that is none"),
        pytest.param([write(1, changed(set_roles(), before=["Admin"]))], id="role in capitals"),
        pytest.param([write(1, changed(set_roles(), after=[3]))], id="role that is a number"),
        pytest.param([write(1, changed(set_roles(), after=[["admin"]]))], id="role that is a list"),
        pytest.param([write(1, changed(set_roles(), after="admin"))], id="roles that are text"),
        pytest.param([write(1, changed(set_roles(), after=None))], id="no roles"),
        pytest.param([write(1, changed(set_roles(), stored="{}"))], id="stored that is text"),
        pytest.param([write(1, changed(set_roles(), stored=[{}]))], id="stored that is not text"),
        pytest.param([write(1, changed(set_roles(), stored=["{"]))], id="stored that is no JSON"),
        pytest.param([write(1, changed(set_roles(), stored=["[" * 100_000]))], id="stored that is deep"),
        pytest.param([write(), outcome(1, "done")], id="unknown result"),
        pytest.param([write(), outcome(1, None)], id="no result"),
        pytest.param([write(), outcome(1, "applied", None)], id="no detail"),
        pytest.param([outcome(1, "skipped")], id="skipped without a change"),
        pytest.param([outcome(1, "skipped", change={})], id="skipped and empty"),
        pytest.param([outcome(1, "skipped", change=7)], id="skipped number"),
    ],
)
def test_a_record_that_can_t_be_is_told_with_its_line(events: Sequence[Json]) -> None:
    records = story(*events)
    with pytest.raises(LedgerError) as caught:
        runs(*records)
    assert caught.value.message == (
        f"line {len(records)} of the ledger is no record that this version understands"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "reconciler.ledger/2"},
        {"format": None},
        {"organization": None},
        {"organization": ["acme"]},
        {"server": 7},
        {"fingerprint": {}},
        {"changes": "2"},
        {"changes": True},
        {"who": ["ann"]},
        {"commit": 7},
        {"undoes": 7},
        {"approved": "removals"},
        {"approved": [7]},
        {"approved": None},
    ],
    ids=str,
)
def test_a_beginning_that_can_t_be_is_told(changes: Json) -> None:
    with pytest.raises(LedgerError, match="line 1 of the ledger is no record"):
        runs(run_record(**changes))


@pytest.mark.parametrize("name", sorted(run_record().keys() - {"event"}))
def test_a_beginning_that_lacks_something_is_told(name: str) -> None:
    record = run_record()
    del record[name]
    with pytest.raises(LedgerError, match="line 1 of the ledger is no record"):
        runs(record)


def test_the_first_record_of_a_run_can_t_come_twice() -> None:
    [line] = numbered([run_record()])
    with pytest.raises(LedgerError, match="line 1 of the ledger"):
        history.runs([line, line])


ODD: Sequence[Any] = (None, 0, -1, 1.5, True, "", "\x1b[2J", [], [[]], {}, {"a": []}, ["admin", "admin"])


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, part in inside for place in places(part, (*at, key)))]


def test_whatever_stands_in_a_record_is_told_or_shown_and_never_a_traceback() -> None:
    tried = told = 0
    for number, record in enumerate(SOUND):
        for place in places(record)[1:]:
            for odd in ODD:
                records = deepcopy(SOUND)
                inner: Any = records[number]
                for step in place[:-1]:
                    inner = inner[step]
                inner[place[-1]] = odd
                tried += 1
                told += not shown(records)
    assert tried > 700
    assert 0 < told < tried


def shown(records: Sequence[Json]) -> bool:
    """Whether these records make sense; then every report of them can be made."""
    try:
        found = runs(*records)
    except LedgerError:
        return False
    assert past.table(found)
    assert past.data(found)
    assert all(past.one(run) for run in found)
    return True


def test_what_is_sound_is_shown() -> None:
    assert shown(SOUND)
    assert runs(*SOUND)[0].begun.server == SERVER
