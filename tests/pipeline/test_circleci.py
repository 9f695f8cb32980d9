"""`.circleci/config.yml`: valid, and careful with what may write. `test_uses` runs its steps."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pipeline.circleci import steps

from reconciler import ledgers
from reconciler.cli import COMMANDS

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / ".circleci" / "config.yml"
DOCUMENT: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))


def jobs_of(workflow: str) -> dict[str, dict[str, Any]]:
    """What a workflow says of each of its jobs, by name."""
    entries = DOCUMENT["workflows"][workflow]["jobs"]
    return {
        name: job
        for entry in entries
        for name, job in (entry if isinstance(entry, dict) else {entry: {}}).items()
    }


def shell_of(job: str) -> list[str]:
    """The shell commands of a job, in order."""
    return [step["command"] for kind, step in steps(DOCUMENT, job, version="3.11") if kind == "run"]


WORKFLOWS = {name: jobs_of(name) for name in DOCUMENT["workflows"]}


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
        pytest.param("requires: [apply]", "requires: apply", id="requires"),
        pytest.param("command: bash .ci/run", "comand: bash .ci/run", id="step"),
    ],
)
def test_the_schema_would_find_a_slip(written: str, instead: str, tmp_path: Path) -> None:
    text = CONFIG.read_text(encoding="utf-8")
    assert written in text
    slipped = tmp_path / "config.yml"
    slipped.write_text(text.replace(written, instead), encoding="utf-8")
    assert check_schema(slipped).returncode == 1


def test_every_job_is_in_a_workflow() -> None:
    used = {
        name for jobs in WORKFLOWS.values() for name, job in jobs.items() if job.get("type") != "approval"
    }
    assert used == set(DOCUMENT["jobs"])


def test_each_pipeline_is_one_of_the_three_uses() -> None:
    assert {name: one["when"] for name, one in DOCUMENT["workflows"].items()} == {
        "branch": 'pipeline.git.branch != "main" and pipeline.trigger.type != "schedule"',
        "main": 'pipeline.git.branch == "main" and pipeline.trigger.type != "schedule"',
        "schedule": 'pipeline.trigger.type == "schedule"',
    }


def test_known_vulnerabilities_are_looked_for_and_a_bill_of_materials_is_kept() -> None:
    assert all(jobs["audit"] == {} for jobs in WORKFLOWS.values())
    assert (shell_of("audit"), shell_of("sbom")) == (["make audit"], ["make sbom"])
    assert DOCUMENT["jobs"]["sbom"]["steps"][-1] == {"store_artifacts": {"path": "build/sbom.cdx.json"}}


def test_every_command_that_is_called_exists() -> None:
    scripts = [path.read_text(encoding="utf-8") for path in (ROOT / "orb/src/scripts").iterdir()]
    shell = "\n".join([*scripts, *(line for job in DOCUMENT["jobs"] for line in shell_of(job))])
    called = set(re.findall(r"(?:RECONCILER|RECONCILER:-reconciler\}) ([a-z]+)", shell))
    assert called == {"validate", "plan", "apply", "comment", "drift"}
    assert called <= set(COMMANDS)


def test_what_applies_runs_on_main_alone_and_one_at_a_time() -> None:
    assert "apply" not in WORKFLOWS["branch"]
    assert WORKFLOWS["main"]["apply"] == {
        "requires": ["test", "validate"],
        "context": ["access-write", "notifications"],
        "serial-group": "<< pipeline.project.slug >>/access",
    }


def test_drift_is_told_before_it_is_mended_whether_there_is_any_or_not() -> None:
    assert WORKFLOWS["schedule"]["apply"] == {
        "requires": [{"drift": ["success", "failed"]}],
        "context": ["access-write", "notifications"],
        "serial-group": "<< pipeline.project.slug >>/access",
    }


def test_approval_is_asked_for_only_where_a_guardrail_refused() -> None:
    assert WORKFLOWS["main"]["guardrails"] == {"requires": ["apply"]}
    assert WORKFLOWS["main"]["approve"] == {"type": "approval", "requires": [{"guardrails": "failed"}]}
    assert WORKFLOWS["main"]["apply-approved"]["requires"] == ["approve"]


def test_only_what_applies_gets_the_token_that_may_write() -> None:
    writing = {
        (workflow, name)
        for workflow, jobs in WORKFLOWS.items()
        for name, job in jobs.items()
        if "access-write" in job.get("context", ())
    }
    assert writing == {("main", "apply"), ("main", "apply-approved"), ("schedule", "apply")}


def test_no_two_jobs_of_a_workflow_share_a_serial_group() -> None:
    for jobs in WORKFLOWS.values():
        groups = [job["serial-group"] for job in jobs.values() if "serial-group" in job]
        assert len(groups) == len(set(groups))


def test_the_ledger_of_each_run_is_kept_and_brought_to_the_next() -> None:
    for job in ("apply", "apply-approved"):
        kinds = {kind: step for kind, step in steps(DOCUMENT, job) if "cache" in kind}
        assert kinds["save_cache"]["paths"] == [str(ledgers.DEFAULT.parent)]
        assert kinds["save_cache"]["when"] == "always"
        assert [kinds["save_cache"]["key"].startswith(key) for key in kinds["restore_cache"]["keys"]] == [
            True
        ]
        kept = [step["path"] for kind, step in steps(DOCUMENT, job) if kind == "store_artifacts"]
        assert str(ledgers.DEFAULT.parent) in kept
