"""Several ledgers as one past: which files are meant, in which order runs are told, and each of them once."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from build import NOW, SERVER
from recording import END, Json, carry_out, clock, forged, lines, run_record, story

from reconciler import ledger, ledgers
from reconciler.errors import LedgerError, SettingsError
from reconciler.history import Leaver, told_leavers
from reconciler.ledger import Ledger
from reconciler.shards import ALL, Shard


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(path: str, *runs: Sequence[Mapping[str, Any]]) -> Path:
    """A ledger of these runs, in a folder that there need not be."""
    Path(path).parent.mkdir(exist_ok=True)
    return forged(Path(path), [record for run in runs for record in run])


def run(minute: int, *events: Json, **begun: Any) -> list[Json]:
    """A run that began at a minute; its events are told as of it wherever it stands in a ledger."""
    return [run_record(at=f"2026-11-23T12:{minute:02}:00.000Z", **begun), *events]


def began(*places: str) -> list[tuple[str, list[str]]]:
    """The minute of each run, and the ledgers that it is in."""
    told = ledgers.told(ledgers.files(map(Path, places)))
    return [(one.run.begun.at[14:16], [str(path) for path in one.ledgers]) for one in told]


# Which files


def test_a_run_writes_one_ledger_of_a_folder_and_each_shard_its_own() -> None:
    Path("kept").mkdir()
    for place in ("kept", ".reconciler"):
        assert ledgers.written(Path(place), ALL) == Path(place, "ledger.jsonl")
        assert ledgers.written(Path(place), Shard(0, 4)) == Path(place, "ledger-0-of-4.jsonl")
        assert ledgers.written(Path(place), Shard(3, 4)) == Path(place, "ledger-3-of-4.jsonl")


def test_a_file_that_somebody_names_is_written_by_whatever_shard() -> None:
    Path("mine.jsonl").touch()
    for name in ("mine.jsonl", "not-yet.jsonl"):
        assert [ledgers.written(Path(name), one) for one in (ALL, Shard(1, 2))] == [Path(name)] * 2


def test_of_a_folder_every_ledger_is_read_and_nothing_else_that_is_in_it() -> None:
    Path("kept/deeper").mkdir(parents=True)
    for name in ("ledger.jsonl.head", ".ledger.jsonl.new", ".hidden.jsonl", "plan.json", "deeper/a.jsonl"):
        Path("kept", name).touch()
    wanted = ["kept/ledger-0-of-2.jsonl", "kept/ledger-1-of-2.jsonl", "kept/ledger.jsonl", "kept/node0.jsonl"]
    for name in wanted:
        Path(name).touch()
    assert list(map(str, ledgers.files([Path("kept")]))) == wanted


def test_a_folder_without_a_ledger_has_the_one_that_would_be_written_there() -> None:
    Path("kept").mkdir()
    wanted = (Path("kept/ledger.jsonl"), ledgers.DEFAULT, Path("gone.jsonl"))
    places = [Path("kept"), ledgers.FOLDER, Path("gone.jsonl")]
    assert (ledgers.files(places), ledgers.there(places)) == (wanted, ())


def test_a_ledger_that_is_named_in_two_ways_is_one() -> None:
    made("kept/ledger.jsonl", run(1, END))
    os.symlink("kept", "link")
    places = [Path("kept"), Path("kept/ledger.jsonl"), Path("kept/../kept"), Path("link/ledger.jsonl")]
    assert ledgers.files(places) == (Path("kept/ledger.jsonl"),)


@pytest.fixture
def shut(folder: Path) -> None:
    """A folder that nobody may list."""
    (folder / "shut").mkdir(mode=0o300)


@pytest.mark.usefixtures("shut", "without_privileges")
def test_a_folder_that_cannot_be_read_is_told() -> None:
    with pytest.raises(SettingsError, match=r"^the ledgers in shut can't be read: permission denied$"):
        ledgers.files([Path("shut")])


# In which order


def test_runs_of_several_ledgers_are_told_in_the_order_of_time() -> None:
    made("kept/a.jsonl", run(1), run(4), run(5))
    made("kept/b.jsonl", run(2), run(6))
    made("c.jsonl", run(3))
    a, b, c = ["kept/a.jsonl"], ["kept/b.jsonl"], ["c.jsonl"]
    wanted = [("01", a), ("02", b), ("03", c), ("04", a), ("05", a), ("06", b)]
    assert began("kept", "c.jsonl") == began("c.jsonl", "kept") == wanted


def test_what_a_ledger_has_in_order_stays_so_though_its_clock_went_back() -> None:
    made("kept/a.jsonl", run(5), run(1), run(6))
    made("kept/b.jsonl", run(2), run(7))
    assert [minute for minute, _ in began("kept")] == ["02", "05", "01", "06", "07"]


# Each once


def recorded(path: Path, minute: int = 0, *, copy_of: Path | None = None) -> Path:
    """One more run in a ledger, or in what goes on from a copy of another."""
    path.parent.mkdir(exist_ok=True)
    if copy_of:
        shutil.copy(copy_of, path)
    with Ledger(path, clock(NOW + timedelta(minutes=minute))) as opened:
        carry_out(opened)
    return path


def test_a_run_that_two_ledgers_have_is_told_once() -> None:
    first = recorded(Path("a/ledger.jsonl"))
    second = recorded(Path("b/ledger.jsonl"), 1, copy_of=first)
    third = recorded(Path("c/ledger.jsonl"), 2, copy_of=first)
    told = ledgers.told([first, second, third])
    assert [one.ledgers for one in told] == [(first, second, third), (second,), (third,)]
    assert told[0].run == ledger.past(first)[0]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_run_is_told_by_the_ledger_that_has_more_of_it(backwards: bool) -> None:
    whole = recorded(Path("whole.jsonl"))
    for number in range(1, len(lines(whole)) + 1):
        cut = Path("cut.jsonl")
        cut.write_bytes(b"".join(lines(whole)[:number]))
        [told] = ledgers.told([whole, cut] if backwards else [cut, whole])
        assert told.run == ledger.past(whole)[0]
        assert set(told.ledgers) == {whole, cut}
        assert told.ledgers[0] == (whole if number < len(lines(whole)) or backwards else cut)


def test_two_runs_of_one_name_are_a_forgery() -> None:
    [run] = ledger.past(made("a.jsonl", story(END)))
    other = replace(run, begun=replace(run.begun, who="mallory"))
    with pytest.raises(LedgerError) as raised:
        ledgers.merged([(Path("a.jsonl"), [run]), (Path("b.jsonl"), [other])])
    assert raised.value.message == f"two runs are called {run.id}: one in a.jsonl, another in b.jsonl"


# Each a chain of its own


def test_one_ledger_that_was_edited_is_told_with_its_name_and_line() -> None:
    a, b = made("kept/a.jsonl", run(1)), made("kept/b.jsonl", run(2))
    b.write_bytes(b.read_bytes().replace(b"acme", b"acmf"))
    found = [(one.path, [fault.line for fault in one.faults]) for one in ledgers.verify([a, b])]
    assert found == [(a, []), (b, [1])]
    for read in (ledgers.told, ledgers.past, ledgers.sound):
        with pytest.raises(LedgerError, match=r"^line 1 of the ledger kept/b\.jsonl can't be trusted"):
            read([a, b])


def test_a_record_that_must_be_there_may_be_in_any_of_the_ledgers() -> None:
    paths = [made("kept/a.jsonl", run(1)), made("kept/b.jsonl", run(2))]
    heads = ledgers.sound(paths).heads
    assert [ledger.sound(path).head for path in paths] == list(heads)
    for head in heads:
        assert [one.faults for one in ledgers.verify(paths, head)] == [(), ()]
    assert [len(one.faults) for one in ledgers.verify(paths, "e" * 64)] == [1, 1]


def test_all_that_several_ledgers_tell_is_what_each_of_them_tells() -> None:
    paths = [recorded(Path("a.jsonl")), recorded(Path("b.jsonl"), 1)]
    sound = ledgers.sound(paths)
    assert sound.runs == ledgers.past(paths) == tuple(run for path in paths for run in ledger.past(path))
    assert sound.hashes == {hash_ for path in paths for hash_ in ledger.sound(path).hashes}


# What needs the past of an organization


def test_since_when_somebody_leaves_is_known_though_the_organization_moved_to_another_shard() -> None:
    bob, none = [{"id": "u-bob", "user": "bob"}], list[Json]()
    made("kept/ledger-0-of-2.jsonl", run(1, leavers=none), run(2, leavers=bob))
    made("kept/ledger-2-of-3.jsonl", run(3, leavers=bob), run(4, leavers=bob))
    past = ledgers.past(ledgers.files([Path("kept")]))
    assert [run.begun.leavers for run in past] == [(), *[(Leaver("u-bob", "bob"),)] * 3]
    assert told_leavers(past, "acme", server=SERVER) == {"u-bob": past[1].moment}


def test_somebody_who_came_back_while_another_shard_looked_is_no_leaver_of_long_ago() -> None:
    bob, none = [{"id": "u-bob", "user": "bob"}], list[Json]()
    made("kept/ledger-0-of-2.jsonl", run(1, leavers=bob), run(5, leavers=bob))
    made("kept/ledger.jsonl", run(3, leavers=none))
    past = ledgers.past(ledgers.files([Path("kept")]))
    assert told_leavers(past, "acme", server=SERVER) == {"u-bob": past[-1].moment}
