"""`requirements/`: what is declared is locked, with hashes, and from no place in particular."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ["dev", "lock", "runtime"]

RUNTIME: list[str] = PROJECT["project"]["dependencies"]
SANDBOX: list[str] = PROJECT["project"]["optional-dependencies"]["sandbox"]
BACKEND: list[str] = PROJECT["build-system"]["requires"]
GROUPS: dict[str, list[str]] = PROJECT["dependency-groups"]
DECLARED = {
    "dev": [*RUNTIME, *SANDBOX, *BACKEND, *GROUPS["dev"]],
    "lock": GROUPS["lock"],
    "runtime": RUNTIME,
}


def text_of(lock: str) -> str:
    return (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")


def entries_of(lock: str) -> list[str]:
    """Each locked package with its hashes, comments left out."""
    lines = [line for line in text_of(lock).splitlines() if not line.lstrip().startswith("#")]
    return re.split(r"\n(?! )", "\n".join(lines))


def pins_of(lock: str) -> dict[str, str]:
    """Version by name."""
    pins = re.findall(r"^([a-z0-9-]+)==([^ ]+)", text_of(lock), re.MULTILINE)
    return dict(pins)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_is_a_version_with_hashes_and_nothing_else(lock: str) -> None:
    entry = re.compile(r"[a-z0-9-]+==\S+( ; [^\\]+)? \\(\n    --hash=sha256:[0-9a-f]{64}( \\)?)+")
    assert [text for text in entries_of(lock) if not entry.fullmatch(text)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_that_is_declared_is_locked(lock: str) -> None:
    pins = pins_of(lock)
    declared = [Requirement(text) for text in DECLARED[lock]]
    assert [
        str(requirement)
        for requirement in declared
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
    ] == []
    assert {canonicalize_name(requirement.name) for requirement in declared} <= set(pins)


def test_the_program_is_tested_with_the_versions_that_it_runs_with() -> None:
    assert pins_of("runtime").items() <= pins_of("dev").items()
