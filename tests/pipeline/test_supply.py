"""`make audit` and `make sbom`, each recipe run as it is written, on a project of its own."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
ADVISORY = {
    "id": "PYSEC-2026-1",
    "modified": "2026-01-01T00:00:00Z",
    "summary": "Tiny is not safe.",
    "affected": [{"package": {"name": "tiny", "ecosystem": "PyPI"}, "versions": ["1.0"]}],
}
PIN = f"tiny==1.0 \\\n    --hash=sha256:{'0' * 64}\n"


@contextmanager
def service(status: int, *advisories: dict[str, Any]) -> Iterator[str]:
    """The address of a service on loopback that knows these advisories, or has trouble."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer = json.dumps({"vulns": advisories} if advisories else {}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What the recipes need, with one locked package."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "dev.txt").write_text(PIN, encoding="utf-8")
    for needed in ("Makefile", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / needed, tmp_path)
    return tmp_path


def clean(**variables: str) -> dict[str, str]:
    """The environment, without what a `make` around the tests put there."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | variables


def recipe(project: Path, target: str, *arguments: str) -> str:
    """The shell commands of a target, which use the environment of these tests instead of making one."""
    told = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", target, *arguments],
        cwd=project,
        env=clean(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    after_the_environment = told.rpartition(">.venv/.made-in\n")[2]
    return after_the_environment.replace(".venv/bin", shlex.quote(str(Path(sys.executable).parent)))


def run(project: Path, commands: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "-ec", commands],
        cwd=project,
        env=clean(**variables),
        capture_output=True,
        text=True,
        check=False,
    )


def audit(project: Path, url: str) -> tuple[int, str]:
    """How an audit ends, and what it says."""
    ran = run(project, recipe(project, "audit", f"OSV={url}"))
    return ran.returncode, ran.stdout + ran.stderr


def test_an_audit_passes_where_nothing_is_known(project: Path) -> None:
    with service(200) as url:
        assert audit(project, url) == (0, "No known vulnerabilities found\n")


def test_an_audit_fails_where_a_locked_version_is_known_to_be_vulnerable(project: Path) -> None:
    with service(200, ADVISORY) as url:
        code, said = audit(project, url)
    assert (code, re.findall(r"^tiny +1\.0 +(\S+)", said, re.MULTILINE)) == (1, ["PYSEC-2026-1"]), said


@pytest.mark.parametrize("status", [404, 500, 503])
def test_an_audit_fails_where_the_service_has_no_answer(status: int, project: Path) -> None:
    with service(status) as url:
        code, said = audit(project, url)
    assert (code, "No known vulnerabilities" in said) == (1, False), said


def test_an_audit_fails_where_nobody_is_there_to_answer(project: Path) -> None:
    with service(200) as url:
        pass
    code, said = audit(project, url)
    assert (code, "No known vulnerabilities" in said) == (1, False), said


def test_an_audit_looks_up_every_lock_and_passes_over_nothing_that_the_service_does_not_know() -> None:
    words = shlex.split(recipe(ROOT, "audit"))
    asked = {after for word, after in pairwise(words) if word == "-r"}
    assert asked == {f"requirements/{path.name}" for path in (ROOT / "requirements").iterdir()}
    assert "--strict" in words


@pytest.mark.slow
def test_the_bill_of_materials_has_what_is_locked_and_what_needs_what_and_no_place(project: Path) -> None:
    shutil.copy(ROOT / "requirements" / "runtime.txt", project / "requirements")
    ran = run(project, recipe(project, "sbom"))
    assert ran.returncode == 0, ran.stderr
    written = (project / "build" / "sbom.cdx.json").read_text(encoding="utf-8")
    bill = json.loads(written)
    locked = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    pins = [Requirement(pin.strip()) for pin in re.findall(r"^[a-z0-9-]+==[^\\]+", locked, re.MULTILINE)]
    assert {f"{canonicalize_name(part['name'])}=={part['version']}" for part in bill["components"]} == {
        f"{pin.name}{pin.specifier}" for pin in pins if pin.marker is None or pin.marker.evaluate()
    }
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    (needed,) = (entry["dependsOn"] for entry in bill["dependencies"] if entry["ref"] == "root-component")
    assert {canonicalize_name(ref.partition("==")[0]) for ref in needed} == {
        canonicalize_name(Requirement(text).name) for text in declared
    }
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "reconciler")
    assert [place for place in ("/simple", "file://", str(project)) if place in written] == []
