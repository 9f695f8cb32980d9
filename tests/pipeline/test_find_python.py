"""`.ci/find-python` and what `make` says where there is no Python to make the environment with."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIND = ROOT / ".ci" / "find-python"

TOO_OLD = "exit 1"
WITHOUT_VENV = 'case "$2" in *ensurepip*) exit 1 ;; esac'
GOOD = "exit 0"


def interpreter(folder: Path, name: str, does: str) -> str:
    """A stand-in for an interpreter of that name, in a folder for a PATH."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def find(path: Path, *arguments: str) -> tuple[int, str, str]:
    found = subprocess.run(
        ["/bin/sh", str(FIND), *arguments],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    return found.returncode, found.stdout, found.stderr


def test_the_first_that_will_do_is_taken(tmp_path: Path) -> None:
    interpreter(tmp_path, "python3", TOO_OLD)
    interpreter(tmp_path, "python3.13", WITHOUT_VENV)
    interpreter(tmp_path, "python3.12", GOOD)
    assert find(tmp_path) == (0, "python3.12\n", "")


def test_an_interpreter_that_is_named_is_taken_though_others_would_do(tmp_path: Path) -> None:
    interpreter(tmp_path, "python3", GOOD)
    named = interpreter(tmp_path, "my python", GOOD)
    assert find(tmp_path, named) == (0, f"{named}\n", "")


def test_the_interpreter_of_these_tests_will_do(tmp_path: Path) -> None:
    assert find(tmp_path, sys.executable) == (0, f"{sys.executable}\n", "")


@pytest.mark.parametrize(
    ("does", "says"),
    [
        pytest.param(
            TOO_OLD,
            "error: Python 3.11 or newer is missing (tried: python3 python3.13 python3.12 python3.11); "
            "install it, or name it: make PYTHON=/path/to/python3\n",
            id="too old",
        ),
        pytest.param(
            WITHOUT_VENV,
            "error: the venv module of python3 is missing; "
            "install it (Debian and Ubuntu: the package python3-venv)\n",
            id="without venv",
        ),
    ],
)
def test_what_is_missing_is_said_in_one_line(does: str, says: str, tmp_path: Path) -> None:
    interpreter(tmp_path, "python3", does)
    assert find(tmp_path) == (1, "", says)


@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_says_no_more_than_that_line(target: str, tmp_path: Path) -> None:
    for needed in ("Makefile", "pyproject.toml", ".ci/find-python", "requirements/dev.txt"):
        copy = tmp_path / needed
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / needed, copy)
    old = interpreter(tmp_path, "python3.8", TOO_OLD)
    made = subprocess.run(
        ["make", "--no-print-directory", target, f"PYTHON={old}"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )
    first, *rest = made.stderr.splitlines()
    assert first.startswith(f"error: Python 3.11 or newer is missing (tried: {old})")
    assert [line.split(" ")[0] for line in rest] == ["make:"]
    assert (made.returncode, made.stdout) == (2, "")
    assert not (tmp_path / ".venv").exists()
