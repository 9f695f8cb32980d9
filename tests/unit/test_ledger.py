"""The ledger as a file: what is in it, who notices what becomes of it, and what a full disk does to a run."""

import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import accumulate, combinations
from pathlib import Path

import pytest
from build import (
    NOW,
    SERVER,
    WEB,
    correct,
    create_user,
    deactivate,
    delete_user,
    holds,
    live,
    organization,
    principal,
    some,
)
from fakes import FakeProvider, Fault
from full_disk import room
from recording import BEFORE, ORIGIN, carry_out, clock, forged, lines, planned, recorded, story

from reconciler import apply, ledger, plan, private
from reconciler.change import AccountChange, Kind, Outcome, Result, data
from reconciler.drift import Drift
from reconciler.errors import LedgerError, SettingsError
from reconciler.history import Leaver, PastRun, Skip, deactivated
from reconciler.ledger import Ledger
from reconciler.model import ORGANIZATION

TORN = "it is not whole: a run was killed while it wrote it, or somebody cut it"
EDITED = "it was edited: its hash is that of something else"
MISPLACED = "the record before it is not the one that it was written after"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


@pytest.fixture
def written(path: Path) -> list[bytes]:
    """The lines of a small ledger that is as it was written."""
    return recorded(path)


def head(path: Path) -> Path:
    return path.with_name(f"{path.name}.head")


def faults(path: Path, content: bytes | Iterable[bytes] | None = None) -> list[tuple[int, str]]:
    """What is wrong with a ledger, once it has this content."""
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else b"".join(content))
    return [(fault.line, fault.words) for fault in ledger.verify(path)]


def hashes(written: Sequence[bytes]) -> list[str]:
    return [json.loads(line)["hash"] for line in written]


def missing(hash: str, path: Path) -> str:
    return f"the record {hash[:12]}…, which {head(path)} names, is not there any more"


def only(path: Path) -> PastRun:
    [run] = ledger.past(path)
    return run


# What is in it


def test_a_run_is_told_record_by_record(path: Path) -> None:
    moments = ["12:00:00", "12:00:01", "12:00:02", "12:00:03", "12:00:04", "12:00:05"]
    records = [json.loads(line) for line in recorded(path)]
    assert [record.pop("at") for record in records] == [f"2026-11-23T{time}.000Z" for time in moments]
    chain = [record.pop("hash") for record in records]
    assert [record.pop("previous") for record in records] == ["0" * 64, *chain[:-1]]
    run = {"run": chain[0][:12]}
    none: list[str] = []
    assert records == [
        {
            "event": "run",
            "format": "reconciler.ledger/1",
            "organization": "acme",
            "server": "https://scim.example/v2",
            "mode": "enforce",
            "tree": "",
            "fingerprint": planned(live(BEFORE), {**BEFORE, "bob": {}, "cat": CAT}).fingerprint,
            "changes": 2,
            "problems": 0,
            "who": "ann",
            "commit": "c0ffee",
            "pipeline": "https://ci.example/7",
        },
        {
            **run,
            "event": "write",
            "number": 1,
            "change": {
                "kind": "set-roles",
                "id": "u-cat",
                "user": "cat@acme.example",
                "scopes": [
                    {"scope": {"project": None}, "before": none, "after": ["viewer"]},
                    {"scope": {"project": "web"}, "before": none, "after": ["admin"]},
                ],
            },
        },
        {**run, "event": "outcome", "number": 1, "result": "applied", "detail": ""},
        {
            **run,
            "event": "write",
            "number": 2,
            "change": {
                "kind": "set-roles",
                "id": "u-bob",
                "user": "bob@acme.example",
                "scopes": [{"scope": {"project": None}, "before": ["viewer"], "after": none}],
            },
        },
        {**run, "event": "outcome", "number": 2, "result": "applied", "detail": ""},
        {**run, "event": "end", "applied": 2, "failed": 0, "skipped": 0},
    ]
    assert head(path).read_text(encoding="ascii") == f"{chain[-1]}\n"
    assert faults(path) == []


CAT = holds("viewer", web="admin")


def test_what_is_in_it_is_ascii_whatever_people_are_called(path: Path) -> None:
    name = "zo\u00eb\u202e\x1b[31m\nbob\ud800@acme.example"
    state = live({}, principal("zoe", user_name=name))
    todo = planned(state, {"zoe": holds("viewer")})
    with Ledger(path, clock()) as record:
        account = record.begin(todo, state, replace(ORIGIN, who=name), {})
        account.writing([todo.changes[0]])
        account.settled([Outcome(todo.changes[0], Result.FAILED, name)])
        account.end()
    content = path.read_bytes()
    assert content.isascii()
    assert content.count(b"\n") == 4
    assert faults(path) == []
    run = only(path)
    assert (run.begun.who, run.writes[0].subject, run.writes[0].detail) == (name, name, name)


def test_what_undo_needs_is_kept_beside_what_a_plan_shows(path: Path) -> None:
    entry = '{"display": "V", "value": "ORG-Viewer"}'
    state = live({"ann": holds("viewer", web="admin")}, principal("ann", active=False))
    state = replace(state, entries={"u-ann": {ORGANIZATION: (entry,)}})
    todo = planned(state, {"ann": {}})
    with Ledger(path, clock()) as record:
        record.begin(todo, state, ORIGIN, {}).writing([todo.changes[0]])
    [write] = only(path).writes
    assert (write.active, [(scope.scope, scope.entries) for scope in write.scopes]) == (
        False,
        [(ORGANIZATION, (entry,)), (WEB, ())],
    )


def test_changes_of_accounts_are_kept_with_what_was_and_read_back_as_they_were(path: Path) -> None:
    gone = principal("old", active=False)._replace(display_name="Old", email="old@acme.example")
    accounts: list[AccountChange] = [
        create_user("joe"),
        correct("ann", display_name="Ann", user_name="anne@acme.example"),
        deactivate("ann"),
        delete_user(gone),
    ]
    state = live({"ann": holds("admin")}, gone)
    server = FakeProvider.holding(organization(), state)
    todo = plan.build(Drift(), organization(), SERVER, accounts=accounts)
    with Ledger(path, clock()) as record:
        leavers = [{"id": "u-ann", "user": "ann@acme.example"}]
        account = record.begin(todo, state, ORIGIN, {"leavers": leavers})
        apply.carry_out(todo, server, state, 0, account, lambda _: None)
        account.end()

    told = [json.loads(line) for line in lines(path)]
    assert [record["change"] for record in told if record["event"] == "write"] == [
        data(change) for change in todo.changes
    ]
    run = only(path)
    assert run.begun.leavers == (Leaver("u-ann", "ann@acme.example"),)
    assert [(write.kind, write.result) for write in run.writes] == [
        (Kind.CREATE_USER, Result.APPLIED),
        (Kind.SET_ATTRIBUTES, Result.APPLIED),
        (Kind.SET_ACTIVE, Result.APPLIED),
        (Kind.DELETE_USER, Result.APPLIED),
    ]
    assert [*deactivated([run], "acme")] == ["u-ann"]


def test_a_change_that_was_not_tried_is_told_with_its_outcome(path: Path) -> None:
    recorded(path, faults={1: Fault.INTERRUPTED})
    run = only(path)
    assert [(write.subject, write.result) for write in run.writes] == [("cat@acme.example", Result.FAILED)]
    assert run.skipped == (Skip("bob@acme.example", "the run was interrupted before it"),)
    assert run.results() == {"applied": 0, "failed": 1, "unknown": 0, "skipped": 1}


def test_a_run_that_was_refused_says_why(path: Path) -> None:
    state = live(BEFORE)
    with Ledger(path, clock()) as record:
        record.begin(planned(state, {}), state, ORIGIN, {"approved": ["removals"]}).refused("too many", 4)
    run = only(path)
    assert run.ended is not None
    assert (run.ended.refused, run.begun.approved, run.writes) == ("too many", ("removals",), ())
    assert faults(path) == []


def test_moments_are_told_in_utc(path: Path) -> None:
    east = datetime(2026, 11, 23, 14, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    with Ledger(path, lambda: east) as record:
        told = record.append("mended", {})
    assert told["at"] == "2026-11-23T12:30:00.123Z"
    assert east.astimezone(UTC) > NOW


def test_each_record_is_on_the_disk_once_it_is_appended(path: Path) -> None:
    with Ledger(path, clock()) as record:
        for number in range(1, 4):
            record.append("mended", {"number": number})
            assert len(lines(path)) == number


# Who can read it


@pytest.fixture
def _anybody() -> Iterator[None]:
    """A umask that takes nothing away."""
    former = os.umask(0)
    yield
    os.umask(former)


@pytest.mark.usefixtures("_anybody")
def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / ".reconciler" / "ledger.jsonl"
    recorded(path)
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (path.parent, path, head(path))]
    assert modes == [0o700, 0o600, 0o600]


def a_link(path: Path) -> None:
    path.with_name("target").write_bytes(b"")
    path.symlink_to("target")


def a_dangling_link(path: Path) -> None:
    path.symlink_to("target")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(a_link, "links are not followed", id="link"),
        pytest.param(a_dangling_link, "links are not followed", id="dangling link"),
        pytest.param(os.mkfifo, "it is no regular file", id="pipe"),
        pytest.param(Path.mkdir, "is a directory", id="folder"),
    ],
)
def test_what_is_no_file_is_no_ledger(make: Callable[[Path], None], reason: str, path: Path) -> None:
    make(path)
    with pytest.raises(SettingsError) as caught:
        Ledger(path, clock())
    assert caught.value.message == f"the ledger {path} can't be opened: {reason}"
    assert not path.with_name("target").exists() or path.with_name("target").read_bytes() == b""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/dev/full", "it is no regular file"),
        ("file/ledger.jsonl", "its folder is no folder"),
        ("n" * 300, "file name too long"),
        ("nul\0", "no path can look like that"),
    ],
    ids=["device", "below a file", "too long", "NUL"],
)
def test_where_no_file_can_be_there_is_no_ledger(name: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        Ledger(tmp_path / name, clock())
    assert caught.value.message.endswith(f" can't be opened: {reason}")


def test_two_runs_do_not_write_one_ledger_at_once(path: Path) -> None:
    with Ledger(path, clock()) as record:
        record.append("mended", {})
        before = path.read_bytes()
        with pytest.raises(SettingsError) as caught:
            Ledger(path, clock())
        assert caught.value.message == f"another run is writing the ledger {path}"
        assert path.read_bytes() == before
    Ledger(path, clock()).close()


@pytest.fixture
def theirs(tmp_path: Path) -> None:
    """A ledger that nobody may read."""
    (tmp_path / "theirs.jsonl").touch(mode=0)


@pytest.mark.usefixtures("theirs", "without_privileges")
def test_a_ledger_that_may_not_be_read_is_told() -> None:
    with pytest.raises(SettingsError) as caught:
        list(ledger.verify(Path("theirs.jsonl")))
    assert caught.value.message == "the ledger theirs.jsonl can't be read: permission denied"


# Who notices what becomes of it


def test_every_edit_of_every_byte_is_found(path: Path, written: list[bytes]) -> None:
    content = b"".join(written)
    tried = 0
    for position, byte in enumerate(content):
        for other in {byte ^ 1, byte ^ 0x20, ord("\n"), 0xFF} - {byte}:
            edited = content[:position] + bytes([other]) + content[position + 1 :]
            found = faults(path, edited)
            line = content[:position].count(b"\n") + 1
            assert found, (position, byte, other)
            assert found[0][0] == line, (position, byte, other)
            tried += 1
    assert tried > 3 * len(content) > 5000


def test_every_byte_that_is_taken_away_or_put_in_is_found(path: Path, written: list[bytes]) -> None:
    content = b"".join(written)
    for position in range(len(content)):
        assert faults(path, content[:position] + content[position + 1 :]), position
        assert faults(path, content[:position] + b" " + content[position:]), position
    assert faults(path, content + b"\n")
    assert faults(path, content + b" ")


def test_every_cut_is_found(path: Path, written: list[bytes]) -> None:
    content = b"".join(written)
    last = hashes(written)[-1]
    for length in range(len(content)):
        found = faults(path, content[:length])
        whole = content[:length].count(b"\n")
        torn = [] if content[:length].endswith(b"\n") or not length else [(whole + 1, TORN)]
        assert found == [*torn, (whole + len(torn), missing(last, path))]
    assert faults(path, content) == []


def test_a_cut_between_records_can_t_be_seen_where_the_head_is_gone_too(
    path: Path, written: list[bytes]
) -> None:
    head(path).unlink()
    content = b"".join(written)
    unseen = [length for length in range(len(content) + 1) if not faults(path, content[:length])]
    assert unseen == [0, *accumulate(map(len, written))]
    for length in unseen[:-1]:
        path.write_bytes(content[:length])
        assert [found.words for found in ledger.verify(path, hashes(written)[-1])] == [
            f"the record {hashes(written)[-1][:12]}…, which --head names, is not there any more"
        ]


def test_every_record_that_is_taken_away_is_found(path: Path, written: list[bytes]) -> None:
    for gone in range(len(written) - 1):
        assert faults(path, written[:gone] + written[gone + 1 :]) == [(gone + 1, MISPLACED)]
    assert faults(path, written[:-1]) == [(5, missing(hashes(written)[-1], path))]
    assert faults(path, b"") == [(0, missing(hashes(written)[-1], path))]


def test_every_pair_of_records_that_change_places_is_found(path: Path, written: list[bytes]) -> None:
    for one, other in combinations(range(len(written)), 2):
        moved = [*written]
        moved[one], moved[other] = moved[other], moved[one]
        assert (one + 1, MISPLACED) in faults(path, moved)


def test_every_record_that_is_put_in_is_found(path: Path, written: list[bytes], tmp_path: Path) -> None:
    [foreign] = lines(forged(tmp_path / "forged.jsonl", story()))
    for place in range(len(written) + 1):
        for more in (*written, foreign):
            found = faults(path, [*written[:place], more, *written[place:]])
            assert found, (place, more)
            assert {words for _, words in found} == {MISPLACED}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param(b"\n", "it is no JSON", id="empty"),
        pytest.param(b"\xff\xfe\n", "it is no JSON", id="no UTF-8"),
        pytest.param(b"[" * 100_000 + b"\n", "it is no JSON", id="deep"),
        pytest.param(b'{"a":' * 900 + b"1" + b"}" * 900 + b"\n", "it is no record of a ledger", id="nested"),
        pytest.param(b"9" * 5000 + b"\n", "it is no JSON", id="too long a number"),
        pytest.param(b"[]\n", "it is no record of a ledger", id="list"),
        pytest.param(b'"at event hash previous"\n', "it is no record of a ledger", id="text"),
        pytest.param(b"{}\n", "it is no record of a ledger", id="nothing in it"),
        pytest.param(
            b'{"at":1,"event":"","hash":"","previous":""}\n', "it is no record of a ledger", id="types"
        ),
        pytest.param(b'{"at":"","event":"","hash":"","previous":"","x":NaN}\n', EDITED, id="NaN"),
        pytest.param(
            b'{"at":"","event":"","hash":"","previous":"","x":' + b"[" * 700 + b"]" * 700 + b"}\n",
            EDITED,
            id="deep in a record",
        ),
    ],
)
def test_a_line_that_is_no_record_is_told_and_the_rest_is_still_looked_at(
    line: bytes, words: str, path: Path, written: list[bytes]
) -> None:
    assert faults(path, [*written[:2], line, *written[2:]]) == [(3, words)]


def test_nested_lines_of_any_depth_are_told(path: Path) -> None:
    for depth in range(1, 3000, 7):
        nested = b'{"at":"","event":"","hash":"","previous":"","x":' + b"[" * depth + b"]" * depth + b"}\n"
        [(line, words)] = faults(path, nested)
        assert (line, words in (EDITED, "it is no JSON")) == (1, True)


def test_a_key_that_stands_there_twice_is_an_edit(path: Path, written: list[bytes]) -> None:
    twice = written[0].replace(b'"mode":"enforce"', b'"mode":"report","mode":"enforce"')
    assert faults(path, [twice, *written[1:]]) == [(1, EDITED)]


@pytest.mark.parametrize("content", [b"", b"\n", b"0" * 63 + b"\n", b"0" * 64, b"A" * 64 + b"\n", b"\xff\n"])
def test_a_head_that_holds_no_hash_is_told(content: bytes, path: Path, written: list[bytes]) -> None:
    head(path).write_bytes(content)
    words = f"{head(path)} holds no hash of a record, so nobody knows how far the ledger went"
    assert faults(path) == [(len(written), words)]


def test_a_head_of_another_ledger_is_told(path: Path) -> None:
    recorded(path)
    head(path).write_text("0" * 64 + "\n", encoding="ascii")
    assert faults(path) == [(6, missing("0" * 64, path))]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_a_head_that_is_no_file_is_not_waited_for(make: Callable[[Path], None], path: Path) -> None:
    recorded(path)
    head(path).unlink()
    make(head(path))
    with pytest.raises(SettingsError) as caught:
        faults(path)
    assert caught.value.message == f"{head(path)} can't be read: it is no regular file"


def test_the_head_of_an_earlier_run_must_still_be_there(path: Path) -> None:
    first = hashes(recorded(path))
    recorded(path, wanted=BEFORE)
    for one in first:
        assert list(ledger.verify(path, one)) == []
    [fault] = ledger.verify(path, "e" * 64)
    assert fault.words == "the record eeeeeeeeeeee…, which --head names, is not there any more"


def test_what_was_tampered_with_is_not_believed(path: Path, written: list[bytes]) -> None:
    edited = written[1].replace(b'"after":["viewer"]', b'"after":["admin"]')
    for content, line, words in (
        ([written[0], edited, *written[2:]], 2, EDITED),
        ([*written[:2], *written[3:]], 3, MISPLACED),
        (written[1:], 1, MISPLACED),
    ):
        path.write_bytes(b"".join(content))
        with pytest.raises(LedgerError) as caught:
            ledger.past(path)
        assert caught.value.message == f"line {line} of the ledger {path} can't be trusted: {words}"


@pytest.mark.parametrize("name", ["nowhere.jsonl", "folder", "pipe"])
def test_a_ledger_that_is_not_there_or_no_file_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    reason = "no such file or directory" if name == "nowhere.jsonl" else "it is no regular file"
    for read in (ledger.past, lambda path: list(ledger.verify(path))):
        with pytest.raises(SettingsError) as caught:
            read(tmp_path / name)
        assert caught.value.message == f"the ledger {tmp_path / name} can't be read: {reason}"


def test_an_empty_ledger_holds_no_run(path: Path) -> None:
    path.touch()
    assert (ledger.past(path), faults(path)) == ((), [])


# How it goes on


def test_a_run_goes_on_where_the_one_before_it_ended(path: Path, written: list[bytes]) -> None:
    both = recorded(path, wanted=BEFORE)
    assert both[: len(written)] == written
    assert faults(path) == []
    assert len(ledger.past(path)) == 2


def test_what_a_killed_run_left_of_a_line_is_passed_over_and_then_mended(path: Path) -> None:
    content = b"".join(recorded(path))
    head(path).unlink()  # a run that is killed writes none
    for length in range(len(content)):
        path.write_bytes(content[:length])
        whole = content[:length].count(b"\n")
        runs = ledger.past(path)
        torn = content[content[:length].rfind(b"\n") + 1 : length]
        Ledger(path, clock()).close()
        assert faults(path) == []
        assert ledger.past(path) == runs
        mended = [json.loads(line) for line in lines(path)[whole:]]
        told = [(record["event"], record["torn"], record["bytes"]) for record in mended]
        assert told == ([("mended", torn.decode(), len(torn))] if torn else [])


def test_a_long_line_that_is_torn_is_cut_off_whole_and_told_in_part(path: Path) -> None:
    recorded(path)
    kept = path.read_bytes()
    torn = b'{"at":"' + b"\xc3" * 3_000_000
    path.write_bytes(kept + torn)
    Ledger(path, clock()).close()
    mended = json.loads(lines(path)[-1])
    assert path.read_bytes().startswith(kept)
    assert (mended["bytes"], len(mended["torn"])) == (len(torn), 1000)
    assert faults(path) == []


def test_a_long_record_can_be_followed_by_another(path: Path) -> None:
    with Ledger(path, clock()) as record:
        record.append("mended", {"torn": "x" * 3_000_000})
    with Ledger(path, clock()) as record:
        record.append("mended", {"torn": ""})
    assert faults(path) == []


@pytest.mark.parametrize(
    "content",
    [
        b"a note without an end",
        b"two\nlines",
        b"{",
        b"\0\0\0\0",
        b'{\n  "format": "reconciler.plan/1"\n}\n',
        b"\n",
    ],
    ids=["note", "lines", "brace", "zeros", "plan file", "newline"],
)
def test_a_file_of_something_else_is_not_written_to(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    if content == b"{":  # could be what a killed run left of its first record
        Ledger(path, clock()).close()
        assert faults(path) == []
        return
    with pytest.raises(LedgerError, match="can't be continued"):
        Ledger(path, clock())
    assert path.read_bytes() == content


def test_a_ledger_whose_last_record_was_edited_is_not_continued(path: Path, written: list[bytes]) -> None:
    content = b"".join([*written[:-1], written[-1].replace(b'"applied":2', b'"applied":3')])
    path.write_bytes(content)
    with pytest.raises(LedgerError) as caught:
        Ledger(path, clock())
    assert caught.value.message == (
        f"the ledger {path} can't be continued: its last record is not as it was written"
    )
    assert path.read_bytes() == content


@pytest.mark.parametrize("kept", range(6))
def test_a_ledger_that_was_cut_is_not_continued_so_the_cut_stays_to_be_seen(kept: int, path: Path) -> None:
    written = recorded(path)
    content = b"".join(written[:kept])
    path.write_bytes(content)
    with pytest.raises(LedgerError) as caught:
        Ledger(path, clock())
    assert caught.value.message == (
        f"the ledger {path} can't be continued: it does not hold the record that {head(path)} names"
    )
    assert path.read_bytes() == content
    assert faults(path) == [(kept, missing(hashes(written)[-1], path))]


def test_a_ledger_that_is_gone_while_its_head_is_there_is_not_begun_anew(path: Path) -> None:
    recorded(path)
    path.unlink()
    with pytest.raises(LedgerError, match="does not hold the record"):
        Ledger(path, clock())


# A full disk


def test_on_a_full_disk_nothing_is_sent_that_is_not_recorded(tmp_path: Path) -> None:
    size = len(b"".join(recorded(tmp_path / "whole.jsonl")))
    sent: dict[int, int] = {}
    for limit in range(0, size + 1, 3):
        path = tmp_path / f"{limit}.jsonl"
        server = FakeProvider.holding(organization(), live(BEFORE))
        with room(limit):
            told = run_out(path, server)
        announced = [write.principal_id for run in ledger.past(path) for write in run.writes]
        assert [change.principal.id for change in server.writes] == announced  # type: ignore[union-attr]
        assert not [words for _, words in faults(path) if "not there any more" not in words]
        ended = [run.id for run in ledger.past(path) if run.ended]
        assert (told, len(ended)) in ((None, 1), (f"{path} can't be written: file too large", 0))
        sent[len(announced)] = sent.get(len(announced), 0) + 1
        Ledger(path, clock()).close()
        assert faults(path) == []
    assert sorted(sent) == [0, 1, 2]


def run_out(path: Path, server: FakeProvider) -> str | None:
    """A run on a disk with too little room; why it could not be recorded to its end."""
    try:
        with Ledger(path, clock()) as record:
            carry_out(record, provider=server)
    except LedgerError as error:
        return error.message
    return None


def test_a_record_that_did_not_fit_leaves_nothing_behind_and_the_next_can_follow(path: Path) -> None:
    with Ledger(path, clock()) as record:
        record.append("mended", {"torn": "1"})
        before = path.read_bytes()
        for limit in range(len(before), 2 * len(before)):
            with room(limit), pytest.raises(LedgerError):
                record.append("mended", {"torn": "2"})
            assert path.read_bytes() == before
        record.append("mended", {"torn": "3"})
    assert faults(path) == []
    assert [json.loads(line)["torn"] for line in lines(path)] == ["1", "3"]


def test_a_run_of_which_an_outcome_could_not_be_recorded_does_not_end_well(path: Path) -> None:
    state = live({"ann": {}})
    todo = planned(state, {"ann": {WEB: some("viewer")}})
    with Ledger(path, clock()) as record:
        account = record.begin(todo, state, ORIGIN, {})
        account.writing([todo.changes[0]])
        with room(path.stat().st_size), pytest.raises(LedgerError):
            account.settled([Outcome(todo.changes[0], Result.APPLIED)])
        with pytest.raises(LedgerError) as caught:
            account.end()
    assert caught.value.message == f"{path} can't be written: file too large"
    run = only(path)
    assert (run.ended, run.results()["unknown"]) == (None, 1)


def test_a_head_that_can_t_be_written_is_told(path: Path) -> None:
    with Ledger(path, clock()) as record:
        head(path).mkdir()
        with pytest.raises(LedgerError) as caught:
            record.seal()
    assert caught.value.message == f"{head(path)} can't be written: {private.NO_FILE}"


def test_a_change_without_an_outcome_is_unknown(path: Path) -> None:
    state = live({"ann": {}})
    todo = planned(state, {"ann": {WEB: some("viewer")}})
    with Ledger(path, clock()) as record:
        record.begin(todo, state, ORIGIN, {}).writing([todo.changes[0]])
    run = only(path)
    assert (run.ended, run.results()) == (None, {"applied": 0, "failed": 0, "unknown": 1, "skipped": 0})
