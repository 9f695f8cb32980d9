"""`reconciler schema`: the published schemas as they are."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli import cli

SCHEMAS = Path(__file__).parents[2] / "schemas"


@pytest.mark.parametrize("name", ["organization", "policy", "plan", "directory"])
def test_a_schema_is_printed_as_it_is_published(name: str) -> None:
    result = CliRunner().invoke(cli, ["schema", name])
    published = (SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8")
    assert (result.exit_code, result.stdout, result.stderr) == (0, published, "")


def test_without_a_name_the_schemas_are_listed() -> None:
    result = CliRunner().invoke(cli, ["schema"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split()[0] for line in result.stdout.splitlines()] == [
        "organization",
        "policy",
        "plan",
        "directory",
    ]
    assert sorted(path.name for path in SCHEMAS.iterdir()) == [
        "directory.schema.json",
        "organization.schema.json",
        "plan.schema.json",
        "policy.schema.json",
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("organisation", "there is no schema 'organisation', did you mean 'organization'?"),
        ("x", "there is no schema 'x'; the names are organization, policy, plan, directory"),
    ],
)
def test_an_unknown_name_is_a_usage_error_with_a_suggestion(name: str, told: str) -> None:
    result = CliRunner().invoke(cli, ["schema", name])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(f"Error: {told}\n")
