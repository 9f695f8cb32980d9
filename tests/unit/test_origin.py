"""Who runs the program, of which commit: from CircleCI's variables, or from the system and git."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler import origin
from reconciler.origin import Origin

CIRCLECI = {
    "CIRCLE_USERNAME": "ann",
    "CIRCLE_SHA1": "c0ffee",
    "CIRCLE_BUILD_URL": "https://circleci.example/7",
    "CIRCLE_WORKFLOW_ID": "w-1",
}
ALONE = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "ann",
    "GIT_AUTHOR_EMAIL": "ann@acme.example",
    "GIT_COMMITTER_NAME": "ann",
    "GIT_COMMITTER_EMAIL": "ann@acme.example",
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env={**os.environ, **ALONE},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Somebody called `bob` on a system, outside of any repository."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "bob")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit, and a policy in it."""
    folder = tmp_path / "policies" / "acme"
    folder.mkdir(parents=True)
    (folder / "organization.yaml").write_text("version: 1\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    return folder


def test_on_circleci_its_variables_tell(repository: Path) -> None:
    assert origin.of(CIRCLECI, repository) == Origin("ann", "c0ffee", "https://circleci.example/7")


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, Origin("bob", None, None)),
        ({"CIRCLE_USERNAME": " ", "CIRCLE_SHA1": ""}, Origin("bob", None, None)),
        ({"CIRCLE_WORKFLOW_ID": "w-1"}, Origin("bob", None, "w-1")),
        ({"CIRCLE_USERNAME": " ann\n", "CIRCLE_SHA1": "c" * 500}, Origin("ann", "c" * 200, None)),
    ],
    ids=["nothing", "blank", "workflow", "too long"],
)
def test_elsewhere_the_system_tells(environ: Mapping[str, str], told: Origin, tmp_path: Path) -> None:
    assert origin.of(environ, tmp_path) == told


def test_the_commit_is_that_of_the_policy(repository: Path) -> None:
    assert origin.of({}, repository).commit == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("file", "dirty"),
    [("organization.yaml", True), ("teams.yaml", True), ("../../notes.txt", False), ("../../new.txt", False)],
    ids=["edited", "new", "edited elsewhere", "new elsewhere"],
)
def test_a_policy_that_differs_from_its_commit_is_dirty(file: str, dirty: bool, repository: Path) -> None:
    (repository / file).write_text("version: 2\n", encoding="utf-8")
    commit = git(repository, "rev-parse", "HEAD")
    assert origin.of({}, repository).commit == (f"{commit}-dirty" if dirty else commit)


def test_a_repository_without_a_commit_has_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert origin.of({}, tmp_path).commit is None


def test_a_folder_that_is_not_there_has_no_commit(tmp_path: Path) -> None:
    assert origin.of({}, tmp_path / "nowhere").commit is None


def test_without_git_there_is_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert origin.of({}, repository) == Origin("bob", None, None)


def test_no_program_of_the_checkout_is_run(repository: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n", encoding="utf-8")
    program.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(program))
    git(repository, "status")
    assert ran.exists()
    ran.unlink()
    assert origin.of({}, repository).commit is not None
    assert not ran.exists()
