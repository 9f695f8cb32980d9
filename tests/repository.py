"""A repository of git for tests, made by git itself and by nobody's settings."""

import os
import subprocess
from pathlib import Path

import pytest

ALONE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_COMMITTER_EMAIL": "ci@x"}


def run(folder: Path, *arguments: str, given: str = "", **variables: str) -> str:
    """What a git command prints when it is given this; it must succeed."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env={**os.environ, **ALONE, "GIT_COMMITTER_NAME": "ci", **variables},
        input=given,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No repository above this folder, and no settings but those of the repository itself."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)
