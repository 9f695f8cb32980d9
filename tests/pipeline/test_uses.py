"""The three uses of a policy repository, each step run as it is written: pull request, merge, schedule.

By this repository's configuration, and by the orb. Each job runs in a clone of its own, against the sandbox.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.loopback import serving
from pipeline.circleci import Agent, Ran
from standins.code_hosts import TOKEN, GitHub

from reconciler import ledger, ledgers, sandbox
from reconciler.sandbox import seed

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
OURS: dict[str, Any] = yaml.safe_load((ROOT / ".circleci/config.yml").read_text(encoding="utf-8"))
ORB: dict[str, Any] = yaml.safe_load((ROOT / "orb/orb.yml").read_text(encoding="utf-8"))
GRANT = "policies/acme/access/temporary.yaml"


INSTALLED: set[str] = set()
"""By the install steps of all these tests, which share one environment."""


@dataclass
class World:
    """A repository of policies, the server that it is about, and the code host with its pull request 7."""

    agent: Agent
    server: Mapping[str, str]
    comments: Mapping[str, str]
    host: GitHub
    jobs: Mapping[str, Any]
    given: Mapping[str, str] = field(default_factory=dict)

    def edit(self, file: str, written: str, instead: str) -> None:
        """Commit an edit, as somebody would."""
        path = self.agent.repository / file
        text = path.read_text(encoding="utf-8")
        assert written in text
        path.write_text(text.replace(written, instead), encoding="utf-8")
        commit(self.agent.repository, "Edited")

    def run(
        self, job: str, *, secrets: bool = True, container: Mapping[str, str] = {}, **given: Any
    ) -> tuple[Ran, Path]:
        """Run a job with the contexts that the workflows give it, or without, as in a fork's pull request.

        On the only container, or on one of several, by the variables that tell it which.
        """
        context = {**self.server, **(self.comments if job == "plan" else {})} if secrets else {}
        context = {**context, **container}
        wanted = self.jobs["jobs"][job].get("parameters", {})
        known = {name: one for name, one in {**self.given, **given}.items() if name in wanted}
        return self.agent.run(self.jobs, job, context=context, **known)


def commit(repository: Path, message: str) -> None:
    git = ["git", "-C", str(repository), "-c", "user.name=Ada", "-c", "user.email=ada@acme.example"]
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", message], check=True)


@pytest.fixture(params=["ours", "orb"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    repository = tmp_path / "repository"
    repository.mkdir()
    kept = (
        ("policies", "orb", "requirements", "reconciler", "schemas")
        if request.param == "ours"
        else ("policies",)
    )
    for name in kept:
        copied = ["git", "-C", str(ROOT), "ls-files", "-z", name]
        for file in subprocess.run(copied, capture_output=True, check=True).stdout.decode().split("\0")[:-1]:
            (repository / file).parent.mkdir(parents=True, exist_ok=True)
            (repository / file).write_bytes((ROOT / file).read_bytes())
    if request.param == "orb":
        (repository / "requirements.txt").write_bytes((ROOT / "requirements/runtime.txt").read_bytes())
    subprocess.run(["git", "init", "-q", "-b", "main", str(repository)], check=True)
    commit(repository, "Begun")
    host = GitHub()
    host.root = "/api"
    with sandbox.run(seed.acme()) as server, serving(host) as url:
        at = url.removesuffix("/scim/v2")
        yield World(
            Agent(
                repository,
                tmp_path / "jobs",
                {"CIRCLECI": "true", "CIRCLE_PULL_REQUEST": f"{at}/acme/access/pull/7"},
                installed=INSTALLED,
            ),
            {"ACME_CIRCLECI_SCIM_URL": server.url, "ACME_CIRCLECI_SCIM_TOKEN": server.token},
            {"GITHUB_TOKEN": TOKEN, "GITHUB_SERVER_URL": at},
            host,
            OURS if request.param == "ours" else ORB,
            {"policy": "policies/acme", "organization": "acme"},
        )


only_ours = pytest.mark.parametrize("world", ["ours"], indirect=True)
"""The orb has the same scripts, of which one story is enough."""


def test_a_pull_request_with_a_mistake_learns_of_it_without_a_server(world: World) -> None:
    world.edit(GRANT, "organization: admin", "organization: admn")
    ran, folder = world.run("validate" if world.jobs is OURS else "plan", secrets=False)
    assert ran.code == 6
    assert f"{GRANT}:9:19 grants[0].organization: unknown role 'admn', did you mean 'admin'?" in ran.out
    assert ran.results == ["test-results", "validate.sarif"]
    assert "unknown role" in (folder / "test-results/policy/junit.xml").read_text(encoding="utf-8")
    assert world.host.asked == []


@only_ours
def test_three_pushes_of_a_good_change_make_one_comment_that_is_edited(world: World) -> None:
    plan = [world.run("plan")]
    for number, reason in enumerate(("a second", "and a third reason")):
        world.edit(GRANT, "INC-4211 checkout outage" if not number else "a second", reason)
        plan.append(world.run("plan"))
    assert [ran.code for ran, _ in plan] == [0, 0, 0], plan[0][0].out
    assert world.host.writes == ["POST", "PATCH", "PATCH"]
    [text] = world.host.texts
    assert "and a third reason" in text
    assert (plan[2][1] / "plan.md").read_text(encoding="utf-8").strip() in text


def test_a_pull_request_from_a_fork_is_validated_and_ends_well(world: World) -> None:
    ran, folder = world.run("plan", secrets=False)
    assert (ran.code, ran.halted, (folder / "plan.json").exists()) == (0, True, False), ran.out
    assert world.host.asked == []


def test_a_merge_converges_and_its_ledger_is_there_for_the_next(world: World) -> None:
    first, _ = world.run("apply")
    second, folder = world.run("apply")
    assert (first.code, second.code) == (0, 0), first.out
    assert "nothing to write" in second.out
    runs = ledger.past(folder / ledgers.DEFAULT)
    assert [bool(run.writes) for run in runs] == [True, False]
    assert ".reconciler" in second.results
    guardrails, _ = world.run("guardrails")
    assert guardrails.code == 0


def test_a_refused_plan_asks_for_approval_and_just_that_plan_is_carried_out(world: World) -> None:
    world.edit("policies/acme/organization.yaml", "count: 10", "count: 1")
    refused, _ = world.run("apply", approval=True)
    assert (refused.code, "approval is asked for" in refused.out) == (0, True), refused.out
    asking, _ = world.run("guardrails")
    assert (asking.code, "refused the plan" in asking.out) == (1, True)
    approved, folder = world.run("apply-approved")
    assert approved.code == 0, approved.out
    assert [bool(run.writes) for run in ledger.past(folder / ledgers.DEFAULT)] == [False, True]


@only_ours
def test_what_was_approved_is_not_carried_out_once_it_is_another_plan(world: World) -> None:
    world.edit("policies/acme/organization.yaml", "count: 10", "count: 1")
    world.run("apply", approval=True)
    world.edit("policies/acme/organization.yaml", "count: 1}", "count: 2}")
    stale, _ = world.run("apply-approved")
    assert stale.code == 5, stale.out


@pytest.mark.parametrize("world", ["orb"], indirect=True)
def test_parallel_containers_share_the_organizations_and_each_keeps_its_ledger(world: World) -> None:
    policies = world.agent.repository / "policies"
    shutil.copytree(policies / "acme", policies / "umbrella")
    world.edit("policies/umbrella/organization.yaml", "organization: acme", "organization: umbrella")
    world.edit("policies/umbrella/organization.yaml", "count: 10", "count: 1")
    both = [{"CIRCLE_NODE_INDEX": str(index), "CIRCLE_NODE_TOTAL": "2"} for index in (0, 1)]
    with sandbox.run(seed.acme()) as server:
        of_umbrella = {
            "UMBRELLA_CIRCLECI_SCIM_URL": server.url,
            "UMBRELLA_CIRCLECI_SCIM_TOKEN": server.token,
        }
        mine = [{**container, **of_umbrella} for container in both]
        first, second = [world.run("apply", container=one, policy="policies", approval=True) for one in mine]
        assert "applied 9 of 9 changes" in first[0].out
        assert "approval is asked for" in second[0].out
        assert world.run("guardrails")[0].code == 1
        approved = [world.run("apply-approved", container=one) for one in mine]
        assert [ran.code for ran, _ in approved] == [0, 0], approved[1][0].out
        assert "Nothing was refused here." in approved[0][0].out
    told = [
        [(run.organization, bool(run.writes)) for run in ledger.past(folder / ".reconciler" / name)]
        for folder, name in ((first[1], "ledger-0-of-2.jsonl"), (approved[1][1], "ledger-1-of-2.jsonl"))
    ]
    assert told == [[("acme", True)], [("umbrella", False), ("umbrella", True)]]


@only_ours
def test_a_schedule_reports_drift_as_a_failure_with_a_page_and_then_it_is_mended(world: World) -> None:
    drifted, folder = world.run("drift")
    assert drifted.code == 3, drifted.out
    assert drifted.results == ["test-results", "drift.html"]
    assert "jorge@acme.example" in (folder / "test-results/drift/junit.xml").read_text(encoding="utf-8")
    assert "jorge@acme.example" in (folder / "drift.html").read_text(encoding="utf-8")
    mended, _ = world.run("apply")
    quiet, _ = world.run("drift")
    assert (mended.code, quiet.code) == (0, 0), mended.out
