"""What is built: a wheel that carries all it needs and no more, and works in an empty environment."""

import json
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

pytestmark = pytest.mark.slow

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def build(kind: str, source: Path, into: Path) -> Path:
    """The one file that the build backend makes of a source tree."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(into)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the unpacked source distribution: so that one is complete, too."""
    archive = build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))
    sources = tmp_path_factory.mktemp("sources")
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):  # Python 3.11 has it from 3.11.4 on
            tar.extraction_filter = tarfile.data_filter
        tar.extractall(sources)
    return build("wheel", sources / f"reconciler-{VERSION}", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a program of an environment that holds the wheel and its locked dependencies, and nothing else."""
    folder = tmp_path_factory.mktemp("empty environment")
    venv.create(folder, with_pip=True)

    def run(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [folder / "bin" / program, *arguments],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            capture_output=True,
            text=True,
            check=True,
        )

    locked = ("--require-hashes", "--requirement", str(ROOT / "requirements" / "runtime.txt"))
    run("python", "-m", "pip", "install", "--quiet", *locked)
    run("python", "-m", "pip", "install", "--quiet", "--no-deps", str(wheel))
    run("python", "-m", "pip", "check")
    return run


def files_in(folder: Path) -> set[str]:
    """Every file below a folder of the repository, but for what Python leaves there."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }


def test_the_wheel_carries_the_program_its_data_and_the_schemas_and_nothing_else(wheel: Path) -> None:
    about = f"reconciler-{VERSION}.dist-info"
    expected = {f"reconciler/{name}" for name in files_in(ROOT / "reconciler")}
    expected |= {f"reconciler/schemas/{name}" for name in files_in(ROOT / "schemas")}
    expected |= {
        f"{about}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    with ZipFile(wheel) as archive:
        assert set(archive.namelist()) == expected
    assert {"reconciler/py.typed", "reconciler/schemas/policy.schema.json"} <= expected


def test_the_installed_program_says_what_it_can_do(installed: Run) -> None:
    assert installed("reconciler", "--help").stdout.startswith(
        "Usage: reconciler [OPTIONS] COMMAND [ARGS]..."
    )


def test_the_module_is_the_same_program(installed: Run) -> None:
    said = installed("python", "-m", "reconciler", "--version").stdout
    assert said == installed("reconciler", "--version").stdout == f"reconciler, version {VERSION}\n"


@pytest.mark.parametrize("name", ["organization", "policy"])
def test_the_installed_program_has_the_schemas(name: str, installed: Run) -> None:
    printed = json.loads(installed("reconciler", "schema", name).stdout)
    assert printed == json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
