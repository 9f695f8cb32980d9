"""`requirements/`: what is declared is locked, with hashes, from no place in particular, and installed so."""

import hashlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

RUNTIME: list[str] = PROJECT["project"]["dependencies"]
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
BACKEND: list[str] = PROJECT["build-system"]["requires"]
GROUPS: dict[str, list[str]] = PROJECT["dependency-groups"]
DECLARED = {
    "dev": [*RUNTIME, *EXTRAS["jwt"], *EXTRAS["sandbox"], *EXTRAS["vault"], *BACKEND, *GROUPS["dev"]],
    "jwt": [*RUNTIME, *EXTRAS["jwt"]],
    "lock": GROUPS["lock"],
    "mutation": GROUPS["mutation"],
    "runtime": RUNTIME,
    "vault": [*RUNTIME, *EXTRAS["vault"]],
}
ENTRY = re.compile(r"[a-z0-9-]+==\S+( ; [^\\]+)? \\(\n    --hash=sha256:[0-9a-f]{64}( \\)?)+")


def text_of(lock: str) -> str:
    return (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")


def faults(text: str) -> list[str]:
    """The entries of a lock, comments left out, that are not a version of a package with hashes."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    entries = re.split(r"\n(?! )", "\n".join(lines))
    return [entry for entry in entries if not ENTRY.fullmatch(entry)]


def pins_of(lock: str) -> dict[str, str]:
    """Version by name."""
    pins = re.findall(r"^([a-z0-9-]+)==([^ ]+)", text_of(lock), re.MULTILINE)
    return dict(pins)


def test_every_lock_is_checked_here() -> None:
    assert {path.stem for path in (ROOT / "requirements").iterdir()} == set(DECLARED)


@pytest.mark.parametrize("lock", DECLARED)
def test_every_entry_is_a_version_with_hashes_and_nothing_else(lock: str) -> None:
    assert faults(text_of(lock)) == []


@pytest.mark.parametrize(
    "slip",
    [
        "left-out==1.0",
        "left-out>=1.0 \\\n    --hash=sha256:" + "0" * 64,
        "left-out @ https://files.example/left_out-1.0-py3-none-any.whl",
        "https://files.example/left_out-1.0-py3-none-any.whl",
        "-i https://index.example/simple",
        "-f wheels",
        "-e .",
    ],
    ids=["no hash", "no version", "address", "address alone", "index", "folder", "editable"],
)
def test_a_slip_in_a_lock_would_be_found(slip: str) -> None:
    assert faults(f"{text_of('runtime')}{slip}\n") == [slip]


@pytest.mark.parametrize("lock", DECLARED)
def test_everything_that_is_declared_is_locked(lock: str) -> None:
    pins = pins_of(lock)
    declared = [Requirement(text) for text in DECLARED[lock]]
    assert [
        str(requirement)
        for requirement in declared
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
    ] == []
    assert {canonicalize_name(requirement.name) for requirement in declared} <= set(pins)


@pytest.mark.parametrize("lock", ["jwt", "runtime", "vault"])
def test_the_program_is_tested_with_the_versions_that_it_runs_with(lock: str) -> None:
    assert pins_of(lock).items() <= pins_of("dev").items()


def test_mutants_are_tested_with_the_versions_that_the_program_is_tested_with() -> None:
    dev, mutation = pins_of("dev"), pins_of("mutation")
    assert {name: version for name, version in mutation.items() if dev.get(name, version) != version} == {}


INSTALLERS = [
    "Makefile",
    ".circleci/config.yml",
    ".ci/run",
    "README.md",
    "CONTRIBUTING.md",
    "docs/connection.md",
    "docs/entra.md",
    "docs/okta.md",
]
INSTALL = re.compile(r"\bpip3?\b[^\n|;&]*? install\b[^\n;&]*")


def unhashed(text: str) -> list[str]:
    """The commands that have pip install more than a folder without asking for hashes."""
    commands = INSTALL.findall(text)
    return [found for found in commands if not re.search(r" --(require-hashes|no-deps)\b", found)]


@pytest.mark.parametrize("path", INSTALLERS)
def test_nothing_is_installed_without_its_hash(path: str) -> None:
    assert unhashed((ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "command", ["pip install click", "python3 -m pip install -r x.txt", "pip --python x install --quiet ."]
)
def test_an_install_without_hashes_would_be_found(command: str) -> None:
    assert unhashed(f"    @.venv/bin/{command}\n") == [command[command.index("pip") :]]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The smallest thing that pip installs."""
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    about = "tiny-1.0.dist-info"
    with ZipFile(path, "w") as archive:
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


def install(wheel: Path, entry: str) -> tuple[int, str]:
    """What pip does with a lock of one entry, as far as it goes without installing: exit code, complaint."""
    lock = wheel.with_name("lock.txt")
    lock.write_text(entry, encoding="utf-8")
    options = ("--isolated", "--no-index", "-f", str(wheel.parent), "--dry-run", "--quiet")
    tried = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--require-hashes", "-r", str(lock)],
        capture_output=True,
        text=True,
        check=False,
    )
    return tried.returncode, tried.stderr


def test_what_has_the_locked_hash_is_installed(wheel: Path) -> None:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert install(wheel, f"tiny==1.0 --hash=sha256:{digest}\n")[0] == 0


def test_what_was_tampered_with_since_it_was_locked_is_refused(wheel: Path) -> None:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with ZipFile(wheel, "a") as archive:
        archive.writestr("tiny.pth", "import os")
    code, complaint = install(wheel, f"tiny==1.0 --hash=sha256:{digest}\n")
    assert (code, "THESE PACKAGES DO NOT MATCH THE HASHES" in complaint) == (1, True), complaint


def test_what_was_locked_without_a_hash_is_refused(wheel: Path) -> None:
    code, complaint = install(wheel, "tiny==1.0\n")
    assert (code, "Hashes are required in --require-hashes mode" in complaint) == (1, True), complaint
