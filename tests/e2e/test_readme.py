"""The README shows what the program prints."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from reconciler import planning, sandbox, settings
from reconciler.directories.scim import ScimDirectory
from reconciler.errors import ExitCode
from reconciler.naming import RoleNames
from reconciler.policy import source
from reconciler.report import text
from reconciler.sandbox import seed
from reconciler.scim.client import open_client
from reconciler.scim.provider import ScimReader

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
THEN = datetime(2026, 11, 23, 12, tzinfo=UTC)


def block_after(heading: str) -> str:
    section = README.partition(f"## {heading}\n")[2]
    found = re.search(r"```\w*\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_plan_is_what_the_program_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    policy = source.load(Path("policies/acme"))
    organization = policy.organization
    with sandbox.run(seed.acme()) as server:
        environ = {"CIRCLECI_SCIM_URL": server.url, "CIRCLECI_SCIM_TOKEN": server.token}
        with open_client(settings.connection("acme", environ)) as client:
            provider = ScimReader(client, RoleNames(organization), organization)
            directory = ScimDirectory(client, organization.directory)
            prepared = planning.prepare(policy, provider, directory, THEN)
    # Of the moment nothing is in a fingerprint, but the server is: its port differs from run to run.
    prepared = replace(prepared, plan=replace(prepared.plan, server="https://scim.example/v2"))
    assert block_after("The plan it prints") == "\n".join(text.plan(prepared)) + "\n"


def test_the_eight_lines_are_a_valid_policy(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    organization = {
        "version": 1,
        "organization": "acme",
        "mode": "report",
        "projects": {"checkout": {}, "storefront": {}},
    }
    (folder / "organization.yaml").write_text(yaml.safe_dump(organization))
    lines = block_after("Eight lines of policy")
    (folder / "team.yaml").write_text(lines)
    policy = source.load(folder)
    assert len(lines.splitlines()) <= 8
    assert [binding.group.name for binding in policy.bindings] == ["eng-payments"]
    assert [grant.user for grant in policy.grants] == ["dana@acme.example"]


def test_every_exit_code_that_a_command_can_have_is_told() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d) \|", README, re.MULTILINE)}
    assert told == {int(code) for code in ExitCode}
