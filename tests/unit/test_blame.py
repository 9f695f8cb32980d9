"""Which commit wrote a line: on real repositories in every state, and nothing of theirs is run."""

import os
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from repository import alone, run

from reconciler.git import blame
from reconciler.git.client import Unanswered, ask
from reconciler.git.commits import NOT_COMMITTED, Commit, Untold, Writer
from reconciler.problem import Location

THEN = "2026-11-02T08:30:00+02:00"
DAY = datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


def commit(folder: Path, author: str, subject: str, date: str = THEN) -> Commit:
    """Commit everything, and what blame should tell of a line of it."""
    run(folder, "add", "--all", ".")
    who = {"GIT_AUTHOR_NAME": author, "GIT_AUTHOR_EMAIL": "a@x", "GIT_AUTHOR_DATE": date}
    run(folder, "commit", "--quiet", "--allow-empty", "--message", subject, **who)
    return Commit(run(folder, "rev-parse", "HEAD"), author, DAY, subject)


def told(file: Path, lines: Iterable[int] = range(1, 4)) -> list[Writer]:
    found = blame.writers([Location(str(file), line) for line in lines])
    assert set(found) == {(str(file), line) for line in lines}
    return [found[str(file), line] for line in lines]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alone(tmp_path, monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of two commits: `one` and `three` by Ann, `two` by Bob in between."""
    folder = tmp_path / "policies"
    folder.mkdir()
    run(tmp_path, "init", "--quiet")
    (folder / "web.yaml").write_text("one\nthree\n", encoding="utf-8")
    return folder / "web.yaml"


@pytest.fixture
def ann(file: Path) -> Commit:
    return commit(file.parent, "Ann", "the first of all")


@pytest.fixture
def bob(file: Path, ann: Commit) -> Commit:
    assert ann.subject
    file.write_text("one\ntwo\nthree\n", encoding="utf-8")
    return commit(file.parent, "Bob", "two: between them")


# Who wrote it


def test_each_line_is_told_with_the_commit_that_wrote_it(file: Path, ann: Commit, bob: Commit) -> None:
    assert told(file) == [ann, bob, ann]


def test_a_file_is_asked_about_once_whatever_the_number_of_lines(
    file: Path, bob: Commit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = run(tmp_path, "--exec-path")
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nexec {real}/git "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    assert told(file, [2, 2, 2]) == [bob, bob, bob]
    assert len((tmp_path / "asked").read_text(encoding="utf-8").splitlines()) == 1


def test_the_place_is_as_the_policy_s_reader_tells_it(
    file: Path, ann: Commit, bob: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent.parent)
    assert told(Path("policies/web.yaml")) == [ann, bob, ann]


def test_a_renamed_file_keeps_its_writers(file: Path, ann: Commit, bob: Commit) -> None:
    moved = file.with_name("shop: [1].yaml")
    file.rename(moved)
    commit(moved.parent, "Cid", "renamed")
    assert told(moved) == [ann, bob, ann]


def test_a_link_is_told_as_the_file_that_it_leads_to(file: Path, ann: Commit, bob: Commit) -> None:
    link = file.with_name("link.yaml")
    link.symlink_to("web.yaml")
    commit(link.parent, "Cid", "linked")
    assert told(link) == [ann, bob, ann]


def test_hostile_authors_and_subjects_are_only_text(file: Path) -> None:
    author, subject = "Eve\x1b[2J\u202e boundary", "\x1b]0;owned\x07 author Ann"
    assert told(file, [1]) == [NOT_COMMITTED]
    assert told(file, [1]) != [commit(file.parent, author, subject)]
    [writer] = told(file, [1])
    assert isinstance(writer, Commit)
    assert (writer.author, writer.subject) == (author, subject)


def test_a_date_that_is_none_is_not_told(file: Path, ann: Commit) -> None:
    raw = run(file.parent, "cat-file", "commit", ann.id)
    forged = raw.replace("1793601000 +0200", "99999999999999999 +0000", 1)
    assert forged != raw
    id_ = subprocess.run(
        ["git", "-C", str(file.parent), "hash-object", "-t", "commit", "-w", "--stdin", "--literally"],
        input=f"{forged}\n",
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    run(file.parent, "update-ref", "HEAD", id_)
    [writer] = told(file, [1])
    assert isinstance(writer, Commit)
    assert (writer.id, writer.author, writer.at) == (id_, "Ann", None)


# What is not committed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("new\none\ntwo\nthree\n", ["new", "ann", "bob", "ann"]),
        ("one\ntwo\nnew\nthree\n", ["ann", "bob", "new", "ann"]),
        ("one\ntwo\nthree\nnew\n", ["ann", "bob", "ann", "new"]),
        ("one\nnew\nthree\n", ["ann", "new", "ann"]),
        ("three\n", ["ann"]),
        ("two\nnew\nthree", ["bob", "new", "ann"]),
        ("three\ntwo\none\n", ["new", "new", "ann"]),
        ("one\r\ntwo\r\nthree\r\n", ["ann", "bob", "ann"]),
        ("# a\rone\ntwo\n", ["new", "new", "bob"]),
    ],
    ids=[
        "in front",
        "between",
        "at the end",
        "edited",
        "deleted",
        "several",
        "moved",
        "other line breaks",
        "breaks of YAML that are none of git",
    ],
)
def test_a_line_that_is_not_committed_is_told_so_and_the_others_keep_their_writers(
    text: str, expected: list[str], file: Path, ann: Commit, bob: Commit
) -> None:
    file.write_text(text, encoding="utf-8", newline="")
    writers: dict[str, Writer] = {"ann": ann, "bob": bob, "new": NOT_COMMITTED}
    assert told(file, range(1, len(expected) + 1)) == [writers[name] for name in expected]


def test_a_file_that_was_rewritten_is_not_compared_for_ever(file: Path) -> None:
    file.write_text("".join(f"a {line}\n" for line in range(2000)), encoding="utf-8")
    commit(file.parent, "Ann", "much")
    file.write_text("".join(f"b {line % 7}\n" for line in range(2000)), encoding="utf-8")
    assert told(file, [1]) == [Untold("too much of the file differs from what was committed")]


@pytest.mark.parametrize("committed", [True, False], ids=["a new file", "no commit at all"])
def test_a_file_that_is_not_committed_is_told_so(committed: bool, file: Path) -> None:
    if committed:
        commit(file.parent, "Ann", "all")
        file = file.with_name("new.yaml")
        file.write_text("one\n", encoding="utf-8")
    assert told(file, [1]) == [NOT_COMMITTED]


def test_a_file_that_is_gone_meanwhile_is_told_so(file: Path, ann: Commit) -> None:
    assert ann.id
    file.unlink()
    assert told(file, [1]) == [Untold("the file can't be read any more: No such file or directory")]


# Where git can't tell


@pytest.mark.parametrize("depth", [1, 2], ids=["the last commit only", "all but one"])
def test_where_a_shallow_clone_ends_an_earlier_commit_may_have_written_it(
    depth: int, file: Path, ann: Commit, bob: Commit, tmp_path: Path
) -> None:
    assert ann.id
    cid = commit(file.parent, "Cid", "nothing")
    clone = tmp_path / "clone"
    run(tmp_path, "clone", "--quiet", f"--depth={depth}", f"file://{tmp_path}", str(clone))
    run(clone, "config", "blame.showRoot", "true")  # would pass the end of the clone for the first commit
    last = cid if depth == 1 else bob
    expected = Commit(last.id, last.author, DAY, last.subject, or_earlier=True)
    assert told(clone / "policies/web.yaml") == [expected] * 3


def test_a_clone_without_old_files_is_told_so_and_fetches_nothing(
    ann: Commit, bob: Commit, tmp_path: Path
) -> None:
    assert ann.id != bob.id
    run(tmp_path, "config", "uploadpack.allowFilter", "true")
    clone, ran = tmp_path / "clone", tmp_path / "ran"
    run(tmp_path, "clone", "--quiet", "--filter=blob:none", f"file://{tmp_path}", str(clone))
    run(clone, "config", "remote.origin.uploadpack", program(tmp_path, ran))
    run(clone, "config", "protocol.file.allow", "always")
    lacking = Untold("this clone was made without older versions of the file")
    assert told(clone / "policies/web.yaml", [1]) == [lacking]
    assert not ran.exists()


def test_a_file_outside_of_a_repository_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text("one\n", encoding="utf-8")
    assert told(file, [1]) == [Untold("not in a git repository")]


def test_without_git_that_is_told(file: Path, ann: Commit, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ann.id
    monkeypatch.setenv("PATH", "")
    assert told(file, [1]) == [Untold("there is no git here")]


def test_a_repository_of_somebody_else_is_told_in_git_s_words(
    file: Path, ann: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ann.id
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    [writer] = told(file, [1])
    assert isinstance(writer, Untold)
    assert writer.words.startswith("git could not tell: detected dubious ownership in repository at ")


def test_git_that_takes_too_long_is_not_waited_for(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 100\n", encoding="utf-8")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    answer = ask(file.parent, "version", seconds=0.2)
    assert answer == Unanswered("git took longer than 0.2 seconds")


# Nothing of the checkout is run


def program(folder: Path, ran: Path) -> str:
    """A program that leaves a trace."""
    path = folder / "program"
    path.write_text(f"#!/bin/sh\ntouch {ran}\nexec cat\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_no_program_of_the_checkout_is_run(file: Path, ann: Commit, bob: Commit, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    spy = program(tmp_path, ran)
    (file.parent / ".gitattributes").write_text("*.yaml diff=spy filter=spy\n", encoding="utf-8")
    for setting in ("core.fsmonitor", "core.pager", "diff.external", "core.editor", "core.sshCommand"):
        run(file.parent, "config", setting, spy)
    for setting in ("diff.spy.textconv", "diff.spy.command", "filter.spy.clean", "filter.spy.process"):
        run(file.parent, "config", setting, spy)
    run(file.parent, "config", "filter.spy.required", "true")
    run(file.parent, "config", "log.showSignature", "true")
    run(file.parent, "config", "gpg.program", spy)
    ran.unlink(missing_ok=True)
    subprocess.run(["git", "-C", str(file.parent), "blame", "web.yaml"], capture_output=True, check=False)
    assert ran.exists(), "what these settings do to others"
    ran.unlink()
    assert told(file) == [ann, bob, ann]
    assert not ran.exists()


def test_no_setting_of_the_checkout_hides_a_commit(file: Path, ann: Commit, bob: Commit) -> None:
    file.write_text("one\nTWO\nthree\n", encoding="utf-8")
    cid = commit(file.parent, "Cid", "shouting")
    ignored = file.parent.parent / "ignored"
    ignored.write_text(f"{cid.id}\n", encoding="utf-8")
    run(file.parent, "config", "blame.ignoreRevsFile", "ignored")
    assert bob.id in run(file.parent, "blame", "--porcelain", "HEAD", "--", "web.yaml")
    assert told(file) == [ann, cid, ann]


def test_a_folder_that_passes_for_a_repository_is_none(file: Path, ann: Commit) -> None:
    assert ann.id
    bare = file.parent / "bare"
    run(file.parent, "clone", "--quiet", "--bare", str(file.parent.parent), str(bare))
    (bare / "policies").mkdir()
    (bare / "policies" / "web.yaml").write_text("one\n", encoding="utf-8")
    [writer] = told(bare / "policies" / "web.yaml", [1])
    assert isinstance(writer, Untold)
    assert writer.words.startswith("git could not tell: cannot use bare repository ")


def test_nothing_is_written_to_the_checkout(file: Path, ann: Commit, bob: Commit) -> None:
    before = {path: path.stat().st_mtime_ns for path in file.parent.parent.rglob("*")}
    assert told(file) == [ann, bob, ann]
    assert {path: path.stat().st_mtime_ns for path in file.parent.parent.rglob("*")} == before
