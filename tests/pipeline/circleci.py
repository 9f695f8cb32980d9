"""Runs the jobs of a CircleCI configuration or an orb as CircleCI does, as far as these use it.

Commands are put in the place of their names, parameters in that of theirs; each `run` step is given to the
shell as it is written. A step that fails ends its job, but for `when: always` and what keeps results.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Step = Mapping[str, Any]

_PARAMETER = re.compile(r"<<\s*parameters\.([a-z-]+)\s*>>")
_ENVIRONMENT = re.compile(r"\{\{ \.Environment\.([A-Z_]+) \}\}")


def steps(document: Mapping[str, Any], job: str, **given: Any) -> list[tuple[str, Step]]:
    """The steps of a job, each by its kind, with its parameters or their defaults filled in."""
    return list(_expanded(document, document["jobs"][job], given))


def _expanded(
    document: Mapping[str, Any], part: Mapping[str, Any], given: Mapping[str, Any]
) -> Iterator[Any]:
    defaults = {name: one.get("default") for name, one in part.get("parameters", {}).items()}
    values = {name: given.get(name.replace("-", "_"), default) for name, default in defaults.items()}
    assert None not in values.values(), f"a parameter of {part} has no value"
    for step in part["steps"]:
        kind, content = (step, {}) if isinstance(step, str) else next(iter(step.items()))
        filled = _filled(content, values)
        if kind in document.get("commands", {}):
            yield from _expanded(document, document["commands"][kind], filled)
        else:
            yield kind, filled


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(one, values) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, values) for one in value]
    if isinstance(value, str):
        return _PARAMETER.sub(lambda found: str(values[found[1]]).replace("True", "true"), value)
    return value


@dataclass
class Ran:
    """What came of a job: the exit code of the step that ended it, 0 where none did, and all it printed."""

    code: int = 0
    out: str = ""
    halted: bool = False
    results: list[str] = field(default_factory=list)
    """What was kept: test results and artifacts."""


@dataclass
class Agent:
    """A machine that runs jobs, one after the other, each in a clone of its own of a repository."""

    repository: Path
    place: Path
    """An empty folder for clones, caches and workspaces."""
    environment: Mapping[str, str] = field(default_factory=dict)
    jobs: int = 0
    installed: set[str] = field(default_factory=set)
    """What was installed: once is enough for all jobs of one machine."""

    def run(
        self, document: Mapping[str, Any], job: str, *, context: Mapping[str, str] = {}, **given: Any
    ) -> tuple[Ran, Path]:
        """Run a job with what its contexts hold; tells what came of it, and the folder that it ran in."""
        self.jobs += 1
        folder = self.place / f"job-{self.jobs}-{job}"
        folder.mkdir(parents=True)
        of_executor = document["executors"][document["jobs"][job]["executor"]].get("environment", {})
        variables = {**self._variables(folder), **of_executor, **self.environment, **context}
        ran = Ran()
        for kind, step in steps(document, job, **given):
            self._step(ran, folder, kind, step, variables)
        return ran, folder

    def _variables(self, folder: Path) -> dict[str, str]:
        """The environment of a job, which knows nothing of ours but where programs are."""
        tools = self.place / "tools"
        tools.mkdir(exist_ok=True)
        agent = tools / "circleci-agent"
        agent.write_text('#!/bin/sh\necho "agent: $*"\n', encoding="utf-8")
        agent.chmod(0o755)
        ours = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
        return ours | {
            "PATH": path,
            "CIRCLE_NODE_INDEX": "0",
            "CIRCLE_NODE_TOTAL": "1",
            "CIRCLE_WORKFLOW_JOB_ID": str(self.jobs),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def _step(self, ran: Ran, folder: Path, kind: str, step: Step, variables: Mapping[str, str]) -> None:
        if ran.halted or (ran.code and step.get("when") != "always" and not kind.startswith("store_")):
            return
        match kind:
            case "checkout":
                # A folder that is not empty, as after a workspace was attached, is no hindrance.
                subprocess.run(["git", "clone", "-q", str(self.repository), str(folder)], check=True)
            case "run" if step["command"] in self.installed:
                pass
            case "run":
                self._shell(ran, folder, step, variables)
                if step["name"] == "Install":
                    self.installed.add(step["command"])
            case "save_cache":
                key = _ENVIRONMENT.sub(lambda found: variables[found[1]], step["key"])
                for name in step["paths"]:
                    if (folder / name).exists():
                        shutil.copytree(folder / name, self.place / "caches" / key / name)
            case "restore_cache":
                keys = [_ENVIRONMENT.sub(lambda found: variables[found[1]], key) for key in step["keys"]]
                self._restore(folder, keys)
            case "persist_to_workspace":
                for name in step["paths"]:
                    shutil.copytree(
                        folder / step["root"] / name, self.place / "workspace" / name, dirs_exist_ok=True
                    )
            case "attach_workspace":
                shutil.copytree(self.place / "workspace", folder / step["at"], dirs_exist_ok=True)
            case "store_artifacts" | "store_test_results":
                if (folder / step["path"]).exists():
                    ran.results.append(step["path"])
            case unknown:
                raise AssertionError(f"no step is called {unknown}")

    def _restore(self, folder: Path, keys: list[str]) -> None:
        """The newest cache of which the key begins as one of these, the first that there is."""
        caches = sorted((self.place / "caches").glob("*"), key=lambda one: one.stat().st_ctime_ns)
        for key in keys:
            if found := [one for one in caches if one.name.startswith(key)]:
                shutil.copytree(found[-1], folder, dirs_exist_ok=True)
                return

    @staticmethod
    def _shell(ran: Ran, folder: Path, step: Step, variables: Mapping[str, str]) -> None:
        own = {
            name: str(value).replace("True", "true") for name, value in step.get("environment", {}).items()
        }
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", step["command"]],
            cwd=folder,
            env={**variables, **own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        ran.out += done.stdout
        ran.code = ran.code or done.returncode
        ran.halted = ran.halted or "agent: step halt" in done.stdout
