"""Who let a commit in: on real histories of every shape, and nothing of theirs is run."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from repository import alone, run

from reconciler.git import approval
from reconciler.git.commits import Approval, Commit, Untold

THEN = "2026-11-02T08:30:00+02:00"
DAY = datetime(2026, 11, 2, 6, 30, tzinfo=UTC)
SHALLOW = Untold("the history here goes no further back, and the merge that brought it in may not be in it")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alone(tmp_path, monkeypatch)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    run(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path, "Ann", "the first of all")
    return tmp_path


def author(name: str) -> Mapping[str, str]:
    return {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": "a@x", "GIT_AUTHOR_DATE": THEN}


def commit(folder: Path, who: str, message: str, committer: str = "ci") -> Commit:
    run(
        folder,
        "commit",
        "--quiet",
        "--allow-empty",
        "-m",
        message,
        GIT_COMMITTER_NAME=committer,
        **author(who),
    )
    return last(folder, who, message)


def last(folder: Path, who: str, message: str) -> Commit:
    return Commit(run(folder, "rev-parse", "HEAD"), who, DAY, message.partition("\n")[0])


def merge(folder: Path, who: str, branch: str, message: str, *more: str) -> Commit:
    run(folder, "merge", "--quiet", "--no-ff", "-m", message, branch, *more, **author(who))
    return last(folder, who, message)


def signed(folder: Path) -> Commit:
    """The last commit, as if it were signed."""
    head, _, message = run(folder, "cat-file", "commit", "HEAD").partition("\n\n")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    given = f"{head}\n{signature}\n\n{message}\n"
    id_ = run(folder, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", given=given)
    run(folder, "update-ref", "HEAD", id_)
    return Commit(id_, "Bob", DAY, "one")


def told(folder: Path, *commits: Commit) -> list[Approval | Untold]:
    found = approval.of(folder, commits)
    return [found[one.id] for one in commits]


def test_a_merge_of_the_main_line_is_told_with_all_that_it_brought(repository: Path) -> None:
    run(repository, "checkout", "--quiet", "-b", "topic")
    bob, cid = commit(repository, "Bob", "one"), commit(repository, "Cid", "two")
    run(repository, "checkout", "--quiet", "main")
    dee = merge(repository, "Dee", "topic", "Merge pull request #12 from acme/topic\n\nCheckout")
    commit(repository, "Ann", "later")
    assert told(repository, bob, cid, dee) == [
        Approval((), dee, "ci"),
        Approval((), dee, "ci"),
        Approval((), None, "ci"),
    ]


def test_it_is_the_merge_to_the_main_line_and_not_one_within_a_branch(repository: Path) -> None:
    run(repository, "checkout", "--quiet", "-b", "inner")
    bob = commit(repository, "Bob", "deep inside")
    run(repository, "checkout", "--quiet", "-b", "outer", "main")
    commit(repository, "Cid", "beside")
    merge(repository, "Cid", "inner", "Merge branch inner into outer")
    run(repository, "checkout", "--quiet", "main")
    dee = merge(repository, "Dee", "outer", "Merge pull request #2")
    run(repository, "checkout", "--quiet", "outer")
    merge(repository, "Cid", "main", "Merge main into outer")
    commit(repository, "Cid", "more")
    run(repository, "checkout", "--quiet", "main")
    merge(repository, "Eve", "outer", "Merge pull request #3")
    assert told(repository, bob) == [Approval((), dee, "ci")]


def test_a_commit_on_the_main_line_itself_has_its_committer(repository: Path) -> None:
    squashed = commit(repository, "Bob", "Checkout for the shop (#12)", "GitHub")
    assert told(repository, squashed) == [Approval((), None, "GitHub")]


def test_trailers_of_the_commit_and_of_its_merge_name_reviewers(repository: Path) -> None:
    run(repository, "checkout", "--quiet", "-b", "topic")
    trailers = "Reviewed-by: Fay <f@x>\nsigned-off-by: Bob <b@x>\nreviewed-BY: Fay <f@x>\nReviewed-by:"
    bob = commit(repository, "Bob", f"one\n\nReviewed-by: nobody, this is text\n\n{trailers}")
    run(repository, "checkout", "--quiet", "main")
    dee = merge(repository, "Dee", "topic", "Merge\n\nApproved-by: Gil\n  of security")
    assert told(repository, bob) == [Approval(("Fay <f@x>", "Gil of security"), dee, "ci")]


def test_nobody_is_asked_about_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert approval.of(tmp_path, []) == {}
    unknown = Commit("0" * 40, "Ann", DAY, "x")
    assert told(tmp_path, unknown) == [Untold("there is no git here")]


def test_what_is_not_in_the_history_of_head_is_told_so(repository: Path, tmp_path: Path) -> None:
    run(repository, "checkout", "--quiet", "-b", "topic")
    bob = commit(repository, "Bob", "one")
    run(repository, "checkout", "--quiet", "main")
    assert told(repository, bob) == [Untold("it is not in the history of HEAD")]
    outside = tmp_path.parent / "outside"
    outside.mkdir()
    assert told(outside, bob) == [Untold("not in a git repository")]


def test_in_a_shallow_clone_only_what_is_certain_is_told(repository: Path, tmp_path: Path) -> None:
    run(repository, "checkout", "--quiet", "-b", "topic")
    bob = commit(repository, "Bob", "one")
    run(repository, "checkout", "--quiet", "main")
    merge(repository, "Dee", "topic", "Merge pull request #12")
    cid = commit(repository, "Cid", "squashed (#13)", "GitHub")
    clone = tmp_path / "clone"
    run(tmp_path, "clone", "--quiet", "--depth=2", f"file://{tmp_path}", str(clone))
    end = Commit(run(clone, "rev-parse", "HEAD~1"), "Dee", DAY, "Merge pull request #12", or_earlier=True)
    assert told(clone, cid, end, bob) == [
        Approval((), None, "GitHub"),
        SHALLOW,
        Untold("it is not in the history of HEAD"),
    ]
    run(clone, "fetch", "--quiet", "--depth=3")
    assert told(clone, bob) == [SHALLOW]


def test_hostile_words_are_only_text(repository: Path) -> None:
    hostile = "\x1b[2J\x01\u202e%x00%H"
    eve = commit(
        repository, f"Eve{hostile}", f"x{hostile}\n\nReviewed-by: Ann{hostile}{'A' * 300}", f"ci{hostile}"
    )
    many = "\n".join(f"Reviewed-by: {number}" for number in range(30))
    dan = commit(repository, "Dan", f"y\n\n{many}")
    assert told(repository, eve) == [Approval((f"Ann{hostile}{'A' * 300}"[:200],), None, f"ci{hostile}")]
    assert told(repository, dan) == [Approval(tuple(map(str, range(20))), None, "ci")]


def test_more_commits_than_fit_on_a_command_line_are_told(repository: Path) -> None:
    stream = "".join(
        f"commit refs/heads/main\ncommitter ci <ci@x> {1_700_000_000 + number} +0000\ndata 1\nx\n"
        for number in range(2500)
    )
    run(repository, "fast-import", "--quiet", "--force", given=f"reset refs/heads/main\n{stream}")
    ids = run(repository, "rev-list", "HEAD").splitlines()
    found = approval.of(repository, [Commit(id_, "ci", DAY, "x") for id_ in ids])
    assert found == dict.fromkeys(ids, Approval((), None, "ci"))
    assert len(ids) == 2500


def test_no_program_of_the_checkout_is_run(repository: Path, tmp_path: Path) -> None:
    spy, ran = tmp_path / "spy", tmp_path / "ran"
    spy.write_text(f"#!/bin/sh\ntouch {ran}\nexec cat\n", encoding="utf-8")
    spy.chmod(0o755)
    commit(repository, "Bob", "one\n\nReviewed-by: Fay")
    bob = signed(repository)
    for setting in (
        "core.fsmonitor",
        "core.pager",
        "pager.log",
        "diff.external",
        "gpg.program",
        "core.editor",
    ):
        run(repository, "config", setting, str(spy))
    for setting in ("trailer.reviewed-by.command", "trailer.reviewed-by.cmd", "alias.log", "alias.rev-list"):
        run(repository, "config", setting, f"!{spy}")
    run(repository, "config", "log.showSignature", "true")
    run(repository, "config", "format.pretty", "raw")
    run(repository, "--no-pager", "log", "-1")
    assert ran.exists(), "what these settings do to others"
    ran.unlink()
    assert told(repository, bob) == [Approval(("Fay",), None, "ci")]
    assert not ran.exists()
