"""The program as a whole: help, version, usage errors, and the one place that exits."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from cli.small_world import run, write_policy
from e2e.loopback import environment, serving
from scim.fake_server import FakeServer, group, user

from reconciler.cli import COMMANDS
from reconciler.errors import SEVERITY, ExitCode, worst


def test_help_lists_every_command_with_what_it_does() -> None:
    code, out, err = run({}, "--help")
    assert (code, err) == (0, "")
    for name, about in COMMANDS.items():
        assert f"  {name:<8}  {about}\n" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    code, out, err = run({}, name, "-h")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: cli {name} ")


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("validate", ["0", "2", "6"]),
        ("plan", ["0", "1", "2", "3", "4", "6", "7", "130"]),
        ("apply", ["0", "1", "2", "4", "5", "6", "7", "8", "130"]),
        ("drift", ["0", "2", "3", "6", "7", "130"]),
        ("explain", ["0", "2", "6", "7", "130"]),
        ("history", ["0", "1", "2"]),
    ],
)
def test_help_tells_the_exit_codes(name: str, codes: list[str]) -> None:
    _, _, told = run({}, name, "--help")[1].partition("\n  Exit")
    told, _, _ = told.partition("\nOptions:")
    assert [word for word in told.replace(",", " ").split() if word.isdigit()] == codes


def test_help_of_plan_names_the_variables_of_the_environment() -> None:
    out = run({}, "plan", "--help")[1]
    for name in ("URL", "TOKEN", "TOKEN_FILE", "TOKEN_COMMAND", "TOKEN_VAULT"):
        assert f"    CIRCLECI_SCIM_{name}  " in out
    assert "ACME_CIRCLECI_SCIM_URL" in out


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["plann"], id="unknown command"),
        pytest.param(["plan", "--frmat", "json"], id="unknown option"),
        pytest.param(["plan", "--format", "xml"], id="unknown format"),
        pytest.param(["plan", "one", "two"], id="one path too many"),
        pytest.param(["apply", "--format"], id="option without its value"),
        pytest.param(["apply", "--exit-code"], id="option of another command"),
        pytest.param(["schema", "polcy"], id="unknown schema"),
    ],
)
def test_a_usage_error_exits_2_and_prints_no_result(arguments: list[str]) -> None:
    code, out, err = run({}, *arguments)
    assert (code, out) == (2, "")
    assert "Error: " in err


def test_the_version_is_that_of_the_package() -> None:
    assert run({}, "--version") == (0, f"cli, version {version('reconciler')}\n", "")


def test_as_a_module_it_is_the_same_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "plan", "--help"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: reconciler plan [OPTIONS] [PATH]\n")


def test_a_plan_that_nobody_reads_ends_as_any_other(tmp_path: Path) -> None:
    write_policy(
        tmp_path / "acme", "version: 1\norganization: acme\nmode: report\nprojects: {storefront: {}}\n"
    )
    with serving(FakeServer([user("ada")], [group("platform", "ada"), group("eng-web")])) as url:
        done = subprocess.run(
            ["sh", "-c", f'"{sys.executable}" -m reconciler plan --exit-code acme >&-'],
            cwd=tmp_path,
            env={**environment(url), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (ExitCode.DRIFT, "")


@pytest.mark.parametrize("arguments", [["--help"], ["schema", "policy"], ["drift", "--help"]])
def test_a_result_that_a_full_disk_does_not_take_is_said_in_words(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "reconciler", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        ExitCode.UNEXPECTED,
        "error: the result could not be written: no space left on device\n",
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["undo", "1f2e3d4c", "--expect", "f" * 32],
            2,
            "--expect and --approve mean nothing without --apply",
        ),
        (["undo", "1f2e3d4c"], 2, "ledger"),
        (["explain"], 2, "name a USER, or ask with --role, --project or --organization"),
        (
            ["explain", "--project", "web", "--organization"],
            2,
            "--project and --organization are two questions",
        ),
        (["history", "nope", "--verify"], 2, "--verify is about the whole ledger, not about one run"),
        (["apply", "policies/acme/web.yaml"], 2, "web.yaml"),
        (["plan", "gone.yaml", "--at", "x"], 2, "Invalid value for '--at'"),
        (["drift", "--ledger", "gone.jsonl"], 2, "gone.jsonl"),
        (["drift", "--redact", "--report", "page.html"], 2, "--redact has no page"),
        (["review", "--ledger", "gone.jsonl"], 2, "gone.jsonl"),
        (["diff", "main", "--membership", "a", "--save-membership", "b"], 2, "exclude each other"),
    ],
)
def test_what_keeps_a_command_from_beginning_is_its_document_of_json(
    arguments: list[str], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_policy(tmp_path / "policies/acme")
    exit_code, out, err = run({}, *arguments, "--format", "json")
    document = json.loads(out)
    [failure] = document["failures"]
    assert (exit_code, document["format"], failure["exit_code"]) == (code, "reconciler.failure/1", code)
    assert failure["organization"] is None
    assert message in failure["message"]
    assert message in err
    assert run({}, *arguments)[1] == "", "as text, errors are standard error's"


def test_there_is_one_document_also_where_a_report_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_policy(tmp_path / "policies/acme")
    (tmp_path / "folder.md").mkdir()
    code, out, err = run({}, "plan", "--format", "json", "--report", "folder.md")
    assert (code, json.loads(out)["format"]) == (2, "reconciler.plan/1")
    assert "no report could be written" in err


LOADED = """
import os, sys
from click.testing import CliRunner
from reconciler.cli import cli
slow = {
    "asyncio", "cryptography", "deepdiff", "email.utils", "httpx", "importlib.metadata", "jinja2",
    "jsonschema", "msgspec", "rich", "scim2_server", "ssl", "xml.etree", "yaml",
}
def run(said, *arguments, **environ):
    result = CliRunner().invoke(cli, arguments, prog_name="reconciler", env=environ)
    assert said in result.output, (arguments, result.output, result.exception)
    print(*arguments, *sorted(slow & sys.modules.keys()))
def complete(*lines):
    for words in lines:
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        run("plain,", _RECONCILER_COMPLETE="bash_complete", **asked)
run("Usage", "--help")
complete("reconciler v", "reconciler validate --f")
run("no such file", "history")
run("is valid", "validate")
complete("reconciler plan --f", "reconciler apply --f")
"""
"""All in one process: each line tells of those before it, too, so who loads the least comes first."""


def test_who_asks_little_waits_for_no_slow_library(tmp_path: Path) -> None:
    write_policy(tmp_path / "policies/acme")
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.stderr, done.stdout.splitlines()) == (
        "",
        ["--help", "", "", "history", "validate yaml", *["msgspec yaml"] * 2],
    )


def test_every_exit_code_of_a_run_has_its_rank() -> None:
    assert set(SEVERITY) == set(ExitCode)


@pytest.mark.parametrize(
    ("codes", "gravest"),
    [
        ([], ExitCode.DONE),
        ([ExitCode.DONE, ExitCode.DRIFT], ExitCode.DRIFT),
        ([ExitCode.DRIFT, ExitCode.INVALID, ExitCode.DONE], ExitCode.INVALID),
        ([ExitCode.PARTLY_APPLIED, ExitCode.REFUSED], ExitCode.REFUSED),
        ([ExitCode.REFUSED, ExitCode.UNREADABLE], ExitCode.UNREADABLE),
        ([ExitCode.REFUSED, ExitCode.STALE], ExitCode.STALE),
    ],
)
def test_the_gravest_of_several_exit_codes_is_told(codes: list[ExitCode], gravest: ExitCode) -> None:
    assert worst(codes) is gravest
