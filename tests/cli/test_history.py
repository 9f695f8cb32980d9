"""`reconciler history`: what it tells of past runs and of the ledger; it asks no server."""

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cli.in_memory import HEAD, LEDGER, Ran, alone, generous, latest, many, ran, records
from cli.small_world import write_policy
from recording import END, Json, forged, outcome, set_roles, story, write
from scim.fake_server import BASE, FakeServer, Fault

EMPTY = "error: the ledger .reconciler/ledger.jsonl can't be read: no such file or directory"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return alone(tmp_path, monkeypatch)


def history(*arguments: str) -> Ran:
    """What it says; no server is asked, and no connection is needed."""
    server = FakeServer()
    result = ran(server, "history", *arguments, CIRCLECI_SCIM_URL="", CIRCLECI_SCIM_TOKEN="")
    assert server.requests == []
    return result


@pytest.fixture
def run(folder: Path) -> str:
    """A run that wrote, and its name."""
    generous(folder)
    assert ran(many(), "apply").code == 0
    return latest()


# Runs


def test_runs_are_listed(run: str) -> None:
    result = history()
    assert (result.code, result.err) == (0, "")
    heading, row = result.out.splitlines()
    assert heading == "run           began                 organization  by   result"
    assert re.fullmatch(rf"{run}  \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ  acme          ann  5 applied", row)


def test_one_run_is_shown_with_what_it_wrote(run: str) -> None:
    result = history(run[:6])
    lines = result.out.splitlines()
    assert (result.code, result.err) == (0, "")
    assert lines[0] == f"run {run} of acme on {BASE}, mode enforce"
    assert lines[5:10] == [
        "",
        "applied cleo@acme.example",
        "  organization: none -> viewer",
        "  storefront: none -> admin",
        "",
    ]


def test_as_json_runs_are_one_document(run: str) -> None:
    document = history("--format", "json").data
    assert document["format"] == "reconciler.history/1"
    assert [told["run"] for told in document["runs"]] == [run]
    assert history(run, "--format", "json").data == document
    [told] = document["runs"]
    assert (told["who"], told["results"]["applied"]) == ("ann", 5)


def test_a_run_that_was_refused_is_listed_with_why(run: str, folder: Path) -> None:
    (folder / "policies/acme/web.yaml").unlink()
    assert ran(many(), "apply").code == 4
    told = history().out.splitlines()[-1]
    assert run not in told
    assert re.search(
        r"refused: nothing was written to acme: refused by minimum_admins, .*empty_policy$", told
    )


def test_a_run_that_was_killed_is_listed_as_one_that_did_not_end(run: str) -> None:
    written = LEDGER.read_bytes().splitlines(keepends=True)
    LEDGER.write_bytes(b"".join(written[:2]) + written[2][:50])
    assert history().out.splitlines()[-1].endswith("  did not end (1 unknown)")
    assert "unknown cleo@acme.example" in history(run).out
    assert history("--format", "json").data["runs"][0]["ended"] is None


def test_a_run_in_which_something_failed_is_listed_so(folder: Path) -> None:
    generous(folder)
    server = many()
    server.faults.append(Fault("PATCH", 403, path="/Users/u-dan"))
    assert ran(server, "apply").code == 8
    assert history().out.splitlines()[-1].endswith("  4 applied, 1 failed")
    assert re.search(r"^failed dan@acme\.example: .*403 Forbidden", history(latest()).out, re.MULTILINE)


def test_runs_over_several_organizations_are_listed_one_by_one(folder: Path) -> None:
    generous(folder)
    write_policy(folder / "policies/globex", HEAD.replace("acme", "globex"))
    assert ran({"acme": many(), "globex": many()}, "apply").code == 0
    rows = [line.split()[2:] for line in history().out.splitlines()[1:]]
    assert rows == [["acme", "ann", "5", "applied"], ["globex", "ann", "5", "applied"]]
    assert history("--verify").code == 0


def test_a_run_that_had_nothing_to_write_is_listed(run: str, folder: Path) -> None:
    (folder / "policies/acme/web.yaml").write_text("version: 1\nbindings: []\n", encoding="utf-8")
    assert ran(FakeServer(), "apply").code == 0
    rows = history().out.splitlines()[1:]
    assert [row.startswith(run) for row in rows] == [True, False]
    assert rows[1].endswith("  nothing to write")


def test_hostile_names_are_shown_as_escapes(folder: Path) -> None:
    generous(folder)
    server = many()
    server.data["Users"]["u-dan"]["userName"] = "dan\x1b[2J\u202e\nroot applied"
    assert ran(server, "apply", CIRCLE_USERNAME="\x1b[31mmallory").code == 0
    assert LEDGER.read_bytes().isascii()
    for told in (history(), history(latest())):
        assert (told.code, "\x1b" in told.out, "\u202e" in told.out) == (0, False, False)
    assert "dan\\x1b[2J\\u202e\\nroot applied" in history(latest()).out
    assert "\\x1b[31mmallory" in history().out
    assert "\x1b" not in history("--format", "json").out


# Names of runs


@pytest.mark.parametrize("name", ["abc", "zzzz", "0000000000000", "\x1b[2J"])
def test_a_run_that_is_not_there_is_told(name: str, run: str) -> None:
    result = history(name)
    shown = name.replace("\x1b", "\\x1b")
    assert (result.code, result.out, run.startswith(name)) == (2, "", False)
    assert result.err == (
        f"error: there is no run '{shown}' in the ledger\n"
        "hint: `reconciler history` lists them; 4 digits or more of a name will do\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["abcd", "--verify"], "--verify is about the whole ledger, not about one run"),
        (["--head", "0" * 64], "--head means nothing without --verify"),
        (["--verify", "--head", "abc"], "'abc' is no hash of a record: 64 hexadecimal digits"),
        (["--verify", "--head", "A" * 64], f"'{'A' * 64}' is no hash of a record: 64 hexadecimal digits"),
    ],
)
def test_options_that_mean_nothing_are_a_mistake(arguments: Sequence[str], words: str, run: str) -> None:
    result = history(*arguments)
    assert (result.code, result.out, result.err, bool(run)) == (2, "", f"error: {words}\n", True)


# The ledger


def test_a_ledger_that_is_as_it_was_written_is_said_to_be(run: str) -> None:
    assert history("--verify") == (0, ".reconciler/ledger.jsonl is as it was written\n", "")
    assert history("--verify", "--format", "json").data == {
        "format": "reconciler.verify/1",
        "sound": True,
        "ledgers": [".reconciler/ledger.jsonl"],
        "faults": [],
    }
    for record in records():
        assert history("--verify", "--head", record["hash"]).code == 0
    assert run


def test_a_ledger_of_which_one_byte_was_edited_is_found_out(run: str) -> None:
    content = bytearray(LEDGER.read_bytes())
    at = content.index(b'"viewer"') + 1
    content[at] = ord("V")
    LEDGER.write_bytes(content)
    line = content[:at].count(b"\n") + 1
    result = history("--verify")
    assert (result.code, result.out, result.err) == (
        1,
        f".reconciler/ledger.jsonl:{line}: it was edited: its hash is that of something else\n",
        "error: .reconciler/ledger.jsonl is not as it was written: 1 fault\n"
        "hint: keep it as evidence, and look for who could write to it\n",
    )
    document = history("--verify", "--format", "json")
    assert (document.code, document.data["sound"], len(document.data["faults"])) == (1, False, 1)
    for arguments in ([], [run]):
        told = history(*arguments)
        assert (told.code, told.out) == (1, "")
        assert told.err.startswith(
            f"error: line {line} of the ledger .reconciler/ledger.jsonl can't be trusted: it was edited"
        )


def test_a_ledger_that_was_cut_is_found_out(run: str) -> None:
    last = records()[-1]["hash"]
    LEDGER.write_bytes(b"".join(LEDGER.read_bytes().splitlines(keepends=True)[:-1]))
    result = history("--verify")
    assert (result.code, result.out) == (
        1,
        f".reconciler/ledger.jsonl:11: the record {last[:12]}…, which .reconciler/ledger.jsonl.head names, "
        "is not there any more\n",
    )
    LEDGER.with_name("ledger.jsonl.head").unlink()
    assert history("--verify").code == 0
    assert history("--verify", "--head", last).code == 1
    assert run


def test_a_ledger_that_was_mended_is_sound(run: str, folder: Path) -> None:
    with LEDGER.open("ab") as file:
        file.write(b'{"at":"2026-11-')
    assert history("--verify").code == 1
    assert history().code == 0
    generous(folder / "again")
    assert ran(many(), "apply").code == 0
    assert [record["event"] for record in records()].count("mended") == 1
    assert history("--verify").code == 0
    assert len(history().out.splitlines()) == 3
    assert run


@pytest.mark.parametrize("arguments", [[], ["abcd"], ["--verify"]], ids=["list", "one", "verify"])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: None, "no such file or directory"),
        (Path.mkdir, "it is no regular file"),
        (os.mkfifo, "it is no regular file"),
    ],
    ids=["missing", "folder", "pipe"],
)
def test_a_ledger_that_is_missing_or_no_file_is_told(
    make: Callable[[Path], None], reason: str, arguments: Sequence[str]
) -> None:
    LEDGER.parent.mkdir()
    make(LEDGER)
    assert history(*arguments) == (
        2,
        "",
        f"error: the ledger .reconciler/ledger.jsonl can't be read: {reason}\n"
        "hint: name it with --ledger; `apply` writes one in the folder that it is run in\n",
    )


def test_an_empty_ledger_is_said_to_be() -> None:
    Path("mine.jsonl").touch()
    assert history("--ledger", "mine.jsonl") == (0, "the ledger holds no run\n", "")
    assert history("--ledger", "mine.jsonl", "--format", "json").data["runs"] == []
    assert history("--ledger", "mine.jsonl", "--verify") == (0, "mine.jsonl is as it was written\n", "")


@pytest.mark.parametrize(
    "events",
    [
        [outcome()],
        [{"event": "surprise"}],
        [write(1, {**set_roles(), "scopes": 7})],
        [{**END, "run": "0" * 12}],
    ],
    ids=["outcome before write", "unknown event", "scopes", "unknown run"],
)
def test_a_forged_ledger_with_right_hashes_is_told_in_words(events: Sequence[Json]) -> None:
    forged(Path("forged.jsonl"), story(*events))
    assert history("--ledger", "forged.jsonl", "--verify").code == 0
    for arguments in ([], ["abcd"], ["--format", "json"]):
        done = history("--ledger", "forged.jsonl", *arguments)
        assert "Traceback" not in done.out
        assert (done.code, done.err) == (
            1,
            "error: line 2 of the ledger is no record that this version understands\n"
            "hint: was it written by another version? "
            "`reconciler history --verify` finds edits, not forgeries\n",
        )


def test_a_forged_ledger_may_hold_anything_and_is_shown_harmlessly() -> None:
    escape = "\x1b]0;owned\x07\n\u2066"
    records = story(
        write(1, set_roles(escape, project=escape)),
        outcome(1, "failed", escape),
        outcome(2, "skipped", escape, change=set_roles(escape)),
        who=escape,
        commit=escape,
        pipeline=escape,
        organization=escape,
        server=escape,
        mode=escape,
        tree=escape,
        undoes=escape,
        approved=[escape],
    )
    forged(Path("forged.jsonl"), records)
    [run] = history("--ledger", "forged.jsonl", "--format", "json").data["runs"]
    for told in (history("--ledger", "forged.jsonl"), history("--ledger", "forged.jsonl", run["run"])):
        assert told.code == 0
        assert told.out.replace("\n", "").isprintable()


def test_a_line_without_an_end_is_read_as_torn() -> None:
    Path("torn.jsonl").write_text(json.dumps({"at": "2026"}), encoding="utf-8")
    assert history("--ledger", "torn.jsonl") == (0, "the ledger holds no run\n", "")
    assert history("--ledger", "torn.jsonl", "--verify").code == 1
