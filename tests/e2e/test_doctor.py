"""`reconciler doctor` against the sandbox, where all is well, and its page in the docs."""

import re
from pathlib import Path

import pytest
from cli.in_memory import IN_GROUPS
from click.testing import CliRunner

from reconciler import sandbox
from reconciler.cli import cli
from reconciler.errors import ExitCode
from reconciler.sandbox import seed

ROOT = Path(__file__).parents[2]
SEEDS = Path(__file__).parent / "seeds"


def test_on_the_sandbox_all_is_well_and_shown_in_the_docs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with sandbox.run(seed.acme()) as server:
        variables = {"CIRCLECI_SCIM_URL": server.url, "CIRCLECI_SCIM_TOKEN": server.token}
        result = CliRunner().invoke(cli, ["doctor", "policies/acme"], env=variables)
    assert (result.exit_code, result.stderr) == (ExitCode.DONE, "")
    assert {request.method for request in server.requests} == {"GET"}
    shown = re.search(r"```\n(.*?)```", (ROOT / "docs/doctor.md").read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    assert result.stdout.replace(server.url, "https://scim.example/v2") == shown[1]


def test_where_roles_are_groups_all_is_well_too(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    head = "version: 1\norganization: acme\nmode: report\nprojects: {storefront: {}}\n" + IN_GROUPS
    (folder / "organization.yaml").write_text(head, encoding="utf-8")
    with sandbox.run(seed.load(SEEDS / "role-groups.yaml")) as server:
        variables = {"CIRCLECI_SCIM_URL": server.url, "CIRCLECI_SCIM_TOKEN": server.token}
        result = CliRunner().invoke(cli, ["doctor", str(folder)], env=variables)
    assert (result.exit_code, result.stderr) == (ExitCode.DONE, "")
    lines = result.stdout.splitlines()
    assert [line for line in lines if line.startswith(("finding", "failed"))] == []
    assert "are roles by the templates" in next(line for line in lines if "role storage" in line)
    assert not any(request.writes for request in server.requests)
