"""`.circleci/config.yml`: valid, careful with what may write, and its steps run as they are written."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import ledger
from reconciler.cli import COMMANDS

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / ".circleci" / "config.yml"
DOCUMENT: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))


def jobs_of_the_workflow() -> dict[str, dict[str, Any]]:
    """What the workflow says of each of its jobs, by name."""
    entries = DOCUMENT["workflows"]["access"]["jobs"]
    return {
        name: job
        for entry in entries
        for name, job in (entry if isinstance(entry, dict) else {entry: {}}).items()
    }


def shell_of(job: str) -> list[str]:
    """The shell commands of a job, in order."""
    return [step["run"]["command"] for step in DOCUMENT["jobs"][job]["steps"] if "run" in step]


def commands_of(job: str) -> list[str]:
    """The commands of the program that a job calls."""
    return re.findall(r"\breconciler ([a-z]+)", "\n".join(shell_of(job)))


WORKFLOW = jobs_of_the_workflow()


def check_schema(config: Path) -> "subprocess.CompletedProcess[str]":
    # The schema is in the package; a proxy that nobody answers at proves that nothing else is asked.
    offline = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    arguments = ["-m", "check_jsonschema", "--builtin-schema", "vendor.circle-ci", str(config)]
    return subprocess.run(
        [sys.executable, *arguments], env=os.environ | offline, capture_output=True, text=True, check=False
    )


def test_the_configuration_follows_the_published_schema() -> None:
    checked = check_schema(CONFIG)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        pytest.param("serial-group: <<", "serial-group: [<<", id="serial group"),
        pytest.param(
            'filters: pipeline.git.branch == "main"', "filters: << pipeline.git.branch >>", id="filter"
        ),
        pytest.param("command: bash .ci/run", "comand: bash .ci/run", id="step"),
    ],
)
def test_the_schema_would_find_a_slip(written: str, instead: str, tmp_path: Path) -> None:
    text = CONFIG.read_text(encoding="utf-8")
    assert written in text
    slipped = tmp_path / "config.yml"
    slipped.write_text(text.replace(written, instead), encoding="utf-8")
    assert check_schema(slipped).returncode == 1


def test_every_job_is_in_the_workflow() -> None:
    assert list(WORKFLOW) == list(DOCUMENT["jobs"])


def test_the_policies_are_validated_planned_and_applied() -> None:
    calls = {job: commands_of(job) for job in WORKFLOW}
    assert {job: called for job, called in calls.items() if called} == {
        "validate": ["validate"],
        "plan": ["plan"],
        "apply": ["apply"],
    }


def test_known_vulnerabilities_are_looked_for_and_a_bill_of_materials_is_kept_everywhere() -> None:
    assert (WORKFLOW["audit"], WORKFLOW["sbom"]) == ({}, {})
    assert (shell_of("audit"), shell_of("sbom")) == (["make audit"], ["make sbom"])
    assert DOCUMENT["jobs"]["sbom"]["steps"][-1] == {"store_artifacts": {"path": "build/sbom.cdx.json"}}


def test_the_ledger_of_each_apply_is_kept() -> None:
    assert {"store_artifacts": {"path": str(ledger.DEFAULT.parent)}} in DOCUMENT["jobs"]["apply"]["steps"]


def test_every_command_that_is_called_exists() -> None:
    called = {command for job in WORKFLOW for command in commands_of(job)}
    assert called <= set(COMMANDS)


def test_apply_runs_on_main_alone_and_one_at_a_time() -> None:
    assert WORKFLOW["apply"] == {
        "requires": ["test", "validate"],
        "context": "access-write",
        "filters": 'pipeline.git.branch == "main"',
        "serial-group": "<< pipeline.project.slug >>/access",
    }


def test_no_other_job_gets_the_token_that_may_write() -> None:
    assert {name: job["context"] for name, job in WORKFLOW.items() if "context" in job} == {
        "plan": "access-read",
        "apply": "access-write",
    }


def test_plan_runs_everywhere_but_on_main() -> None:
    assert WORKFLOW["plan"]["filters"] == 'pipeline.git.branch != "main"'


def run_as_written(command: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """A step as CircleCI runs it; the agent's own command only notes that it was called."""
    agent = folder / "circleci-agent"
    agent.write_text('#!/bin/sh\necho "agent: $*"\n', encoding="utf-8")
    agent.chmod(0o755)
    path = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", command],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if "SCIM" not in name}
        | variables
        | {"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_job_that_plans_stops_where_there_are_no_credentials(tmp_path: Path) -> None:
    stop = shell_of("plan")[0]
    assert run_as_written(stop, tmp_path).stdout.splitlines()[-1] == "agent: step halt"


@pytest.mark.parametrize("variable", ["CIRCLECI_SCIM_URL", "ACME_CIRCLECI_SCIM_URL"])
def test_the_job_that_plans_goes_on_where_there_is_a_server(variable: str, tmp_path: Path) -> None:
    stop = shell_of("plan")[0]
    went_on = run_as_written(stop, tmp_path, **{variable: "https://scim.example/v2"})
    assert (went_on.returncode, went_on.stdout) == (0, "")


@pytest.mark.slow
def test_the_steps_that_converge_do_it_as_written(tmp_path: Path) -> None:
    steps = [step for job in ("validate", "plan", "apply") for step in shell_of(job)]
    script = tmp_path / "steps.sh"
    script.write_text(
        "\n".join(["set -eu", *steps, "reconciler plan --exit-code policies/acme"]), encoding="utf-8"
    )
    ran = run_as_written(f'reconciler sandbox -- bash "{script}"', tmp_path)
    assert (ran.returncode, "agent:" in ran.stdout) == (0, False), ran.stderr
