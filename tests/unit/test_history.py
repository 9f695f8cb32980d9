"""What records tell of past runs, and what forged ones with right hashes do: nothing but words."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from build import SERVER, some
from recording import END, Json, chained, kept, numbered, outcome, run_record, set_roles, story, write

from reconciler import history
from reconciler.change import Attribute, AttributeChange, Kind, Result
from reconciler.errors import LedgerError
from reconciler.history import ActiveWrite, Begun, Ended, Leaver, PastRun, ScopeWrite, Skip, Write
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
        "problems": None,
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
        {"problems": True},
        {"problems": "0"},
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
    assert past.table(kept(*found))
    assert past.data(kept(*found))
    assert all(past.one(*kept(run)) for run in found)
    return True


def test_what_is_sound_is_shown() -> None:
    assert shown(SOUND)
    assert runs(*SOUND)[0].begun.server == SERVER


# Accounts

PERSON: Json = {"id": "u-bob", "user": "bob@acme.example"}
KNOWN: Json = {"external_id": "00u-bob", "display_name": None, "email": "bob@acme.example"}


def set_active(after: Any = False, before: Any = True, name: str = "bob") -> Json:
    person = {"id": f"u-{name}", "user": f"{name}@acme.example"}
    return {"kind": "set-active", **person, "before": before, "after": after}


def set_attribute(attribute: Any = "displayName", before: Any = None, after: Any = "Bob") -> Json:
    change = {"attribute": attribute, "before": before, "after": after}
    return {"kind": "set-attributes", **PERSON, "attributes": [change]}


CREATED: Json = {"kind": "create-user", **PERSON, "id": "new:bob@acme.example", **KNOWN}
DELETED: Json = {"kind": "delete-user", **PERSON, **KNOWN}


def test_what_happened_to_accounts_is_told_as_values() -> None:
    changes = [CREATED, set_active(), set_active(True, None), set_attribute("emails", "a", "b"), DELETED]
    [run] = runs(*story(*(write(number, change) for number, change in enumerate(changes, start=1))))
    name = "bob@acme.example"
    attribute = AttributeChange(Attribute.EMAIL, "a", "b")
    assert run.writes == (
        Write(2, name, "new:bob@acme.example", True, (), kind=Kind.CREATE_USER),
        Write(3, name, "u-bob", True, (), kind=Kind.SET_ACTIVE, activity=ActiveWrite(True, False)),
        Write(4, name, "u-bob", True, (), kind=Kind.SET_ACTIVE, activity=ActiveWrite(None, True)),
        Write(5, name, "u-bob", True, (), kind=Kind.SET_ATTRIBUTES, attributes=(attribute,)),
        Write(6, name, "u-bob", False, (), kind=Kind.DELETE_USER),
    )


@pytest.mark.parametrize(
    "change",
    [
        set_active(after=None),
        set_active(after="false"),
        set_active(before="true"),
        {name: value for name, value in set_active().items() if name != "after"},
        set_attribute("phoneNumbers"),
        set_attribute(after=None),
        set_attribute(before=7),
        {**set_attribute(), "attributes": [7]},
        {**set_attribute(), "attributes": None},
        {**CREATED, "id": None},
        {**DELETED, "user": 7},
        {**DELETED, "kind": "delete-everybody"},
        {**DELETED, "kind": ["delete-user"]},
    ],
    ids=str,
)
def test_a_forged_change_of_an_account_is_told(change: Json) -> None:
    with pytest.raises(LedgerError, match="line 2 of the ledger is no record that this version understands"):
        runs(*story(write(1, change)))


BOB: Json = {"id": "u-bob", "user": "bob@acme.example"}


@pytest.mark.parametrize(
    "more",
    [
        {"leavers": "u-bob"},
        {"leavers": ["u-bob"]},
        {"leavers": [{"id": "u-bob"}]},
        {"leavers": [{"id": 7, "user": "bob"}]},
        {"leavers": {}},
        {"at": "yesterday"},
        {"at": "2026-11-23T12:00:00"},
    ],
    ids=str,
)
def test_a_forged_beginning_of_a_run_is_told(more: Json) -> None:
    with pytest.raises(LedgerError, match="line 1 of the ledger is no record that this version understands"):
        runs(*story(**more))


def test_which_leavers_a_run_knew_of_is_told() -> None:
    [run] = runs(*story(leavers=[BOB]))
    assert run.begun.leavers == (Leaver("u-bob", "bob@acme.example"),)
    [run] = runs(*story(leavers=[]))
    assert run.begun.leavers == ()


DAYS = [f"2026-11-{day:02}T09:00:00.000Z" for day in range(1, 8)]


def moments(*days: int) -> list[datetime]:
    return [datetime(2026, 11, day, 9, tzinfo=UTC) for day in days]


def days(*stories: Sequence[Json]) -> tuple[PastRun, ...]:
    """Runs on one day after the other, from the first of November."""
    return tuple(
        run
        for at, events in zip(DAYS, stories, strict=False)
        for run in runs(*story(*events[1:], **{**events[0], "at": at}))
    )


def did(change: Json, result: str | None = "applied", **begun: Any) -> list[Json]:
    """A run that did this, and what became of it."""
    return [begun, write(1, change), *([outcome(1, result)] if result else []), END]


OUT, BACK = set_active(), set_active(True, False)


@pytest.mark.parametrize(
    ("stories", "since"),
    [
        ([did(OUT)], 1),
        ([did(OUT), did(set_roles())], 1),
        ([did(OUT, "failed")], None),
        ([did(OUT, None)], None),
        ([did(OUT), did(BACK)], None),
        ([did(OUT), did(BACK, "failed")], None),
        ([did(OUT), did(BACK, None)], None),
        ([did(OUT), did(BACK, undoes="a1b2c3d4e5f6")], None),
        ([did(OUT), did(BACK), did(OUT)], 3),
        ([did(OUT), did(OUT)], 2),
        ([did(OUT), did(OUT, "failed")], 1),
        ([did(OUT), did(DELETED)], None),
        ([did(OUT), did(DELETED, "failed")], 1),
        ([did(OUT, organization="globex")], None),
        ([did(OUT), did(BACK, organization="globex")], 1),
        ([did(set_active(name="cat"))], None),
        ([did(CREATED)], None),
        ([did(set_attribute())], None),
    ],
    ids=[
        "deactivated",
        "and something else later",
        "failed",
        "nobody knows",
        "reactivated",
        "perhaps reactivated",
        "reactivated for all that is known",
        "undone",
        "again",
        "twice in a row",
        "tried once more",
        "deleted",
        "not deleted",
        "in another organization",
        "reactivated in another organization",
        "somebody else",
        "created",
        "corrected",
    ],
)
def test_who_was_deactivated_by_this_program_is_known(stories: list[list[Json]], since: int | None) -> None:
    found = history.deactivated(days(*stories), "acme")
    assert {id_: at for id_, at in found.items() if id_ == "u-bob"} == (
        {"u-bob": moments(since)[0]} if since else {}
    )


def test_ids_of_another_server_are_of_other_people() -> None:
    past = days(did(OUT, server="https://old.example"))
    assert history.deactivated(past, "acme", server=SERVER) == {}
    assert history.deactivated(past, "acme", server="https://old.example") == {"u-bob": moments(1)[0]}


def told(*names: str, **begun: Any) -> list[Json]:
    """A run that knew of these leavers."""
    return [
        {"leavers": [{"id": f"u-{name}", "user": f"{name}@acme.example"} for name in names], **begun},
        END,
    ]


@pytest.mark.parametrize(
    ("stories", "since"),
    [
        ([], {}),
        ([told()], {}),
        ([told("bob")], {"bob": 1}),
        ([told("bob"), told("bob", "cat"), told("bob", "cat")], {"bob": 1, "cat": 2}),
        ([told("bob"), told(), told("bob")], {"bob": 3}),
        ([told("bob"), told("cat")], {"cat": 2}),
        ([told("bob"), [{}, END], told("bob")], {"bob": 3}),
        ([told("bob"), [{}, END]], {}),
        ([told("bob"), [{"undoes": "a1b2c3d4e5f6"}, END], told("bob")], {"bob": 1}),
        ([told("bob"), [{"organization": "globex"}, END], told("bob")], {"bob": 1}),
        ([told("bob", organization="globex")], {}),
        ([told("bob"), told("bob")[:1]], {"bob": 1}),
        (
            [
                [*told("bob")[:1], {"event": "refused", "reason": "no", "exit_code": 4}],
                told("bob"),
            ],
            {"bob": 1},
        ),
    ],
    ids=[
        "no runs",
        "nobody",
        "one run",
        "each since their own",
        "came back in between",
        "came back",
        "a run that did not ask in between",
        "a run that did not ask",
        "an undo in between",
        "another organization in between",
        "another organization",
        "killed",
        "refused",
    ],
)
def test_since_when_runs_told_of_a_leaver_is_known(stories: list[list[Json]], since: dict[str, int]) -> None:
    expected = {f"u-{name}": moments(day)[0] for name, day in since.items()}
    assert history.told_leavers(days(*stories), "acme") == expected


def test_leavers_of_another_server_are_other_people() -> None:
    past = days(told("bob", server="https://old.example"), told("bob"))
    assert history.told_leavers(past, "acme", server=SERVER) == {"u-bob": moments(2)[0]}


def test_groups_that_were_created_are_nobody() -> None:
    assert history.deactivated(days(did(GROUP)), "acme") == {}
