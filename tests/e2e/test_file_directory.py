"""Plans from an export of the identity provider: the same as from the groups that it pushed to the server."""

import json
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from reconciler import sandbox
from reconciler.cli import cli
from reconciler.errors import ExitCode
from reconciler.http.reach import Reach
from reconciler.sandbox import seed
from reconciler.sandbox.server import Server

ROOT = Path(__file__).parents[2]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the policy of acme in it, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIRECTORY_FILE", raising=False)
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    return tmp_path


@pytest.fixture
def server() -> Iterator[Server]:
    with sandbox.run(seed.acme()) as running:
        yield running


def from_file() -> None:
    """Let the policy name a file as its directory."""
    file = Path("policies/acme/organization.yaml")
    text = file.read_text(encoding="utf-8")
    assert "directory: {kind: scim}" in text
    file.write_text(text.replace("directory: {kind: scim}", "directory: {kind: file}"), encoding="utf-8")


NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
"""A day on which the policy's temporary grants are as these tests know them."""


def now(**ago: float) -> str:
    return (NOW - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_json(members: Mapping[str, list[str]], exported: str = "") -> str:
    groups = [{"name": name, "members": people} for name, people in members.items()]
    return json.dumps({"format": "reconciler.directory/1", "exported": exported or now(), "groups": groups})


def as_csv(members: Mapping[str, list[str]]) -> str:
    rows = [f"{name},{person}" for name, people in members.items() for person in people or [""]]
    head = f"# format: reconciler.directory/1\n# exported: {now()}\n# rows: {len(rows)}\n"
    return "\n".join([head + "group,user_name", *rows, ""])


def plan(server: Server, *arguments: str, **variables: str) -> Result:
    environment = {"CIRCLECI_SCIM_URL": server.url, "CIRCLECI_SCIM_TOKEN": server.token, **variables}
    clock = Reach(now=lambda: NOW)
    return CliRunner().invoke(cli, ["plan", "policies/acme", *arguments], env=environment, obj=clock)


def changes(result: Result) -> Any:
    [planned] = json.loads(result.stdout)["plans"]
    return planned["changes"], planned["problems"], planned["violations"]


@pytest.mark.parametrize("notation", [as_json, as_csv])
def test_an_export_gives_the_plan_that_the_pushed_groups_give(
    notation: Any, work: Path, server: Server
) -> None:
    export = work / f"idp.{notation.__name__.removeprefix('as_')}"
    export.write_text(notation(server.members()), encoding="utf-8")
    pushed = plan(server, "--format", "json")
    from_file()
    exported = plan(server, "--format", "json", DIRECTORY_FILE=str(export))
    assert changes(exported) == changes(pushed)
    assert (exported.exit_code, pushed.exit_code) == (ExitCode.DONE, ExitCode.DONE)
    assert not any(request.writes for request in server.requests)


@pytest.mark.usefixtures("work")
def test_an_export_of_yesterday_plans_nothing(server: Server) -> None:
    from_file()
    Path("idp.json").write_text(as_json(server.members(), now(hours=25)), encoding="utf-8")
    result = plan(server, DIRECTORY_FILE="idp.json")
    assert (result.exit_code, result.stdout) == (ExitCode.UNREADABLE, "")
    assert result.stderr.startswith("error: the directory's export idp.json says that it is of ")
    assert result.stderr.endswith("hint: export it anew; or raise directory.oldest in organization.yaml\n")


@pytest.mark.usefixtures("work")
def test_without_the_variable_nothing_is_planned(server: Server) -> None:
    from_file()
    result = plan(server)
    assert (result.exit_code, result.stdout, result.stderr) == (
        ExitCode.USAGE,
        "",
        "error: DIRECTORY_FILE is not set\n"
        "hint: set DIRECTORY_FILE to the export of the identity provider: a file in JSON, YAML or CSV\n",
    )


@pytest.mark.usefixtures("work")
def test_the_examples_of_the_docs_are_exports(server: Server) -> None:
    from_file()
    blocks = (ROOT / "docs/file-directory.md").read_text(encoding="utf-8").split("```")
    examples = {"json": 0, "yaml": 0, "csv": 0}
    for block in blocks[1::2]:
        suffix, _, text = block.partition("\n")
        if suffix in examples:
            examples[suffix] += 1
            Path(f"idp.{suffix}").write_text(text.replace("2026-11-26T06:00:00Z", now()), encoding="utf-8")
            result = plan(server, DIRECTORY_FILE=f"idp.{suffix}")
            # It has other groups than the policy, and some that assertions ask about.
            assert result.exit_code in {ExitCode.INVALID, ExitCode.REFUSED}, result.stderr
            assert "the directory has no group" in result.output
    assert examples == {"json": 1, "yaml": 1, "csv": 1}
