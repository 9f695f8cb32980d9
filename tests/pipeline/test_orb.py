"""The orb: what is packed is what is written in pieces, valid, and does what our own configuration does."""

import importlib.util
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from pipeline.circleci import steps

from reconciler.cli import COMMANDS
from reconciler.policy import source

ROOT = Path(__file__).parents[2]
PACKED = ROOT / "orb/orb.yml"
ORB: dict[str, Any] = yaml.safe_load(PACKED.read_text(encoding="utf-8"))
OURS: dict[str, Any] = yaml.safe_load((ROOT / ".circleci/config.yml").read_text(encoding="utf-8"))
EXAMPLE = ROOT / "docs/example/.circleci/config.yml"


def packer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pack_orb", ROOT / ".ci/pack-orb.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def schema_says(file: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.circle-ci", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_is_packed_is_what_is_written_in_pieces() -> None:
    pack = packer()
    assert PACKED.read_text(encoding="utf-8") == pack.text(pack.packed(ROOT / "orb/src")), "run: make orb"


def test_scripts_are_packed_to_the_letter() -> None:
    scripts = {path.read_text(encoding="utf-8") for path in (ROOT / "orb/src/scripts").iterdir()}
    shell = {step["command"] for job in ORB["jobs"] for kind, step in steps(ORB, job) if kind == "run"}
    assert scripts <= shell


def test_nothing_is_left_that_only_packing_understands() -> None:
    assert "<<include" not in PACKED.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", [PACKED, EXAMPLE], ids=lambda path: str(path.relative_to(ROOT)))
def test_it_follows_the_published_schema(file: Path) -> None:
    checked = schema_says(file)
    assert checked.returncode == 0, checked.stdout


def test_every_command_that_is_called_exists() -> None:
    shell = "\n".join(
        step["command"] for job in ORB["jobs"] for kind, step in steps(ORB, job) if kind == "run"
    )
    called = set(re.findall(r"(?:^|[ -])reconciler\}? ([a-z]+) ", shell, re.MULTILINE))
    assert called == {"validate", "plan", "apply", "comment", "drift"}
    assert called <= set(COMMANDS)


def test_jobs_keep_and_bring_what_ours_do() -> None:
    for job in ("apply", "apply-approved", "drift", "guardrails"):
        ours = [kind for kind, _ in steps(OURS, job)]
        theirs = [kind for kind, _ in steps(ORB, job)]
        assert [kind for kind in ours if kind != "checkout"] == [
            kind for kind in theirs if kind != "checkout"
        ]


def test_the_example_repository_is_the_one_in_the_orb() -> None:
    [usage] = [one["usage"] for one in ORB["examples"].values()]
    assert yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")) == usage


def test_the_example_calls_jobs_that_there_are_with_parameters_that_they_have() -> None:
    entries = [
        job
        for one in ORB["examples"].values()
        for w in one["usage"]["workflows"].values()
        for job in w["jobs"]
    ]
    known = {"context", "serial-group", "requires", "name", "filters"}
    for entry in entries:
        [(name, given)] = entry.items()
        job = ORB["jobs"][name.removeprefix("access/")]
        assert set(given) - known <= set(job["parameters"])


def test_the_hook_before_commits_calls_a_command_that_there_is_for_policy_files_alone() -> None:
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    [program, command] = hook["entry"].split()
    assert (program, command in COMMANDS, hook["pass_filenames"]) == ("reconciler", True, False)
    files = ["policies/acme/teams/web.yaml", "policies/a.yml", "docs/policies/a.yaml", "policies/README.md"]
    assert [bool(re.search(hook["files"], file)) for file in files] == [True, True, False, False]
    [wanted] = yaml.safe_load((EXAMPLE.parents[1] / ".pre-commit-config.yaml").read_text(encoding="utf-8"))[
        "repos"
    ]
    assert [one["id"] for one in wanted["hooks"]] == [hook["id"]]


def test_the_example_repository_holds_a_valid_policy() -> None:
    loaded = source.load_all([EXAMPLE.parents[1] / "policies"])
    assert (loaded.problems, [policy.organization.name for policy in loaded.policies]) == ((), ["acme"])


def test_the_page_about_pipelines_shows_the_example() -> None:
    page = (ROOT / "docs/pipeline.md").read_text(encoding="utf-8")
    assert textwrap.indent(EXAMPLE.read_text(encoding="utf-8"), "    ") in page
