"""Who runs the program, of which commit: from CircleCI's variables, or from the system and git."""

import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
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
    (tmp_path / ".gitignore").write_text("ignored*\n", encoding="utf-8")
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
    [
        ("organization.yaml", True),
        ("teams.yaml", True),
        ("ignored.YML", True),
        ("../../notes.txt", False),
        ("../../new.yaml", False),
        ("readme.md", False),
        (".hidden.yaml", False),
    ],
    ids=["edited", "new", "ignored", "edited elsewhere", "new elsewhere", "no policy", "hidden"],
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


def is_dirty(folder: Path) -> bool:
    told = origin.commit(folder)
    assert told
    assert told.removesuffix("-dirty") == git(folder, "rev-parse", "HEAD")
    return told.endswith("-dirty")


def committed(folder: Path) -> None:
    git(folder, "add", "--all", ".")
    git(folder, "commit", "--quiet", "--message", "more")


def test_a_policy_that_lacks_a_file_is_dirty(repository: Path) -> None:
    (repository / "organization.yaml").unlink()
    assert is_dirty(repository)


def test_an_edit_that_is_staged_is_dirty_until_it_is_committed(repository: Path) -> None:
    (repository / "organization.yaml").write_text("version: 2\n", encoding="utf-8")
    git(repository, "add", ".")
    assert is_dirty(repository)
    committed(repository)
    assert not is_dirty(repository)


def test_an_edit_that_leaves_size_and_time_as_they_were_is_dirty(repository: Path) -> None:
    file = repository / "organization.yaml"
    before = os.stat(file)
    file.write_text("version: 2\n", encoding="utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert is_dirty(repository)


@pytest.mark.parametrize(("text", "dirty"), [("version: 1\r\n", False), ("version: 2\r\n", True)])
def test_other_ends_of_lines_are_no_difference(text: str, dirty: bool, repository: Path) -> None:
    (repository / "organization.yaml").write_bytes(text.encode())
    assert is_dirty(repository) is dirty


def test_names_of_files_may_be_anything(repository: Path) -> None:
    (repository / 'tab\t"quote"\nline.yaml').write_text("", encoding="utf-8")
    (repository / os.fsdecode(b"caf\xe9.yaml")).write_text("", encoding="utf-8")
    assert is_dirty(repository)
    committed(repository)
    assert not is_dirty(repository)


def test_a_link_is_where_it_leads_and_what_is_there(repository: Path) -> None:
    (repository / "shared.txt").write_text("one", encoding="utf-8")
    (repository / "link.yaml").symlink_to("shared.txt")
    committed(repository)
    assert not is_dirty(repository)
    (repository / "shared.txt").write_text("two", encoding="utf-8")
    assert is_dirty(repository)
    committed(repository)
    (repository / "link.yaml").unlink()
    (repository / "link.yaml").write_text("shared.txt", encoding="utf-8")
    assert is_dirty(repository), "a file that has the words of the link"


def test_a_pipe_is_not_waited_for(repository: Path) -> None:
    (repository / "organization.yaml").unlink()
    os.mkfifo(repository / "organization.yaml")
    assert is_dirty(repository)


def test_a_repository_may_hash_by_sha_256(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--object-format=sha256")
    (tmp_path / "organization.yaml").write_text("version: 1\n", encoding="utf-8")
    committed(tmp_path)
    assert not is_dirty(tmp_path)
    (tmp_path / "organization.yaml").write_text("version: 2\n", encoding="utf-8")
    assert is_dirty(tmp_path)


@pytest.mark.parametrize(
    "setting", ["core.fsmonitor", "filter.x.clean", "filter.x.process", "diff.x.textconv"]
)
def test_no_program_of_the_checkout_is_run(setting: str, repository: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n", encoding="utf-8")
    program.chmod(0o755)
    (repository / ".gitattributes").write_text("*.yaml filter=x diff=x\n", encoding="utf-8")
    git(repository, "config", setting, str(program))
    (repository / "organization.yaml").write_text("version: 2\n", encoding="utf-8")
    command = "diff" if setting.startswith("diff") else "status"
    with suppress(subprocess.CalledProcessError):  # of a process that does not speak git's language
        git(repository, command)
    assert ran.exists(), "it would be run"
    ran.unlink()
    assert is_dirty(repository)
    assert not ran.exists()
