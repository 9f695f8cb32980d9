"""A policy of a few lines, the server that it is for, and what a run against it prints."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from scim.fake_server import SECRET, FakeServer, group, user

from reconciler.cli import cli

ORGANIZATION = """\
version: 1
organization: acme
mode: enforce
projects: {storefront: {}}
guardrails: {removals: {percent: 100, count: 10}}
"""
BINDINGS = """\
version: 1
bindings:
  - group: platform
    organization: admin
  - group: eng-web
    organization: viewer
    projects: {storefront: admin}
"""
PEOPLE = ("ada", "bob", "cleo", "dan")
NEEDED = ["PATCH /Users/u-cleo", "PATCH /Users/u-dan"]
"""What the plan shows for `acme()`: Cleo gains, Dan loses."""


def named(told: Iterable[str]) -> list[str]:
    """Whom of the small world any of these texts names; "ada" in a hash or a pseudonym is nobody's name."""
    return [name for name in PEOPLE for one in told if re.search(rf"\b{name}\b", one)]


def acme(**changes: Any) -> FakeServer:
    """Two admins who keep their role, Cleo who lacks hers, Dan who should have none."""
    world = FakeServer(
        [
            user("ada", "org-admin"),
            user("bob", "org-admin"),
            user("cleo"),
            user("dan", "org-viewer", "gadget"),
        ],
        [group("platform", "ada", "bob"), group("eng-web", "cleo")],
    )
    return replace(world, **changes)


def write_policy(folder: Path, organization: str = ORGANIZATION, bindings: str = BINDINGS) -> Path:
    """An organization's folder with these two files in it."""
    folder.mkdir(parents=True)
    (folder / "organization.yaml").write_text(organization, encoding="utf-8")
    (folder / "web.yaml").write_text(bindings, encoding="utf-8")
    return folder


def run(variables: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """Exit code and streams of one run, checked for what no run may ever print."""
    result = CliRunner().invoke(cli, arguments, env=variables)
    assert SECRET not in result.output
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit | None), result.exception
    return int(result.exit_code), result.stdout, result.stderr
