"""Assertions, and checks of a team's own, on plans that the program makes: what is printed, how it exits."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import regopy  # type: ignore[import-untyped]
from cli.in_memory import alone, ran, records
from cli.small_world import BINDINGS, acme, write_policy
from scim.fake_server import FakeServer, group, user

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs/examples"
RULES = """\
version: 1
assertions:
  - says: Web people run no shop
    never: {groups: [eng-web], projects: {storefront: admin}}
    except: {users: [ada@acme.example]}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    alone(tmp_path, monkeypatch)
    return write_policy(tmp_path / "policies/acme")


# Assertions


def test_a_plan_that_breaks_an_assertion_is_refused_by_plan_and_by_apply_and_no_approval_helps(
    folder: Path,
) -> None:
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    server = acme()
    shown = ran(server, "plan")
    assert shown.code == 4
    assert (
        "refused by guardrail assertions: 'Web people run no shop' (policies/acme/rules.yaml:3) would be "
        "broken by 1 person: cleo@acme.example as admin of project 'storefront' by group eng-web "
        "(policies/acme/web.yaml:7)\n"
        "  people: cleo@acme.example\n"
        "  remedy: give them less, or change the assertion"
    ) in shown.out
    fingerprint = re.findall(r"^fingerprint (\w+)$", shown.out, re.MULTILINE)[0]
    applied = ran(server, "apply", "--approve", fingerprint)
    assert (applied.code, server.writes) == (4, [])
    assert "refused by assertions, which no approval covers" in applied.err
    assert [record["event"] for record in records()] == ["run", "refused"]


def test_what_is_broken_already_stops_no_plan_that_takes_something_and_is_pointed_out(folder: Path) -> None:
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    server = acme()
    server.data["Users"]["u-cleo"]["roles"] = [
        {"value": "org-viewer"},
        {"value": "project-admin:storefront"},
    ]
    told = ran(server, "apply")
    assert (told.code, server.writes) == (0, ["PATCH /Users/u-dan"])
    finding = (
        "cleo@acme.example is admin of project 'storefront' by group eng-web (policies/acme/web.yaml:7), "
        "against 'Web people run no shop' (policies/acme/rules.yaml:3); take the role away, or change the "
        "assertion"
    )
    assert f"  assertion:\n    {finding}\n" in told.out
    assert f"to look at: {finding[18:]}" in ran(server, "explain", "cleo@acme.example").out


def test_the_way_back_is_held_to_assertions_as_well(folder: Path) -> None:
    server = acme()
    (folder / "web.yaml").write_text(BINDINGS.replace("storefront: admin", "storefront: viewer"))
    server.data["Users"]["u-cleo"]["roles"] = [{"value": "project-admin:storefront"}]
    assert ran(server, "apply").code == 0
    (run,) = [record["hash"][:12] for record in records() if record["event"] == "run"]
    assert ran(server, "undo", run).code == 0
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    told = ran(server, "undo", run)
    assert told.code == 4
    assert "as admin of project 'storefront' by undo of " in told.out


def test_what_is_asserted_of_a_group_that_nobody_knows_is_a_problem_of_the_policy(folder: Path) -> None:
    rules = RULES.replace("eng-web", "eng-wep").replace("storefront: admin", "storefront: contributor")
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    told = ran(acme(), "plan")
    assert told.code == 4  # Cleo might be in it
    assert (
        "rules.yaml:4:22 assertions[0].never.groups[0]: the directory has no group 'eng-wep', did you"
        in told.out
    )
    assert "could be broken by 1 person" in told.out
    (folder / "web.yaml").write_text(BINDINGS.replace("storefront: admin", "storefront: viewer"))
    assert ran(acme(), "plan").code == 6


def test_plan_and_validate_refuse_files_that_break_an_assertion_by_themselves(folder: Path) -> None:
    (folder / "rules.yaml").write_text(RULES.replace("    except: {users: [ada@acme.example]}\n", ""))
    problem = (
        "policies/acme/web.yaml:7:16 bindings[1].projects.storefront: the group 'eng-web' is made admin of "
        "project 'storefront' here, against 'Web people run no shop' (policies/acme/rules.yaml:3:5); "
        "delete it here, or change the assertion\n"
    )
    server = acme()
    assert ran(server, "validate").out == problem
    assert (ran(server, "plan").code, server.requests) == (6, [])


# A team's own checks


def crowded() -> FakeServer:
    """Six people lose all that they have, and somebody from outside becomes admin."""
    losing = [user(f"p{number}", "org-viewer") for number in range(6)]
    kim = user("kim") | {"userName": "kim@agency.example"}
    staff = [user("ada", "org-admin"), user("bob", "org-admin"), kim]
    return FakeServer([*staff, *losing], [group("platform", "ada", "bob", "kim"), group("eng-web", "ada")])


def by_rego(plan: str) -> set[str]:
    """What the Rego policy says, which regopy interprets as Open Policy Agent does."""
    interpreter = regopy.Interpreter()
    interpreter.add_module("plan", (EXAMPLES / "plan.rego").read_text(encoding="utf-8"))
    interpreter.set_input_term(plan)
    answer = json.loads(str(interpreter.query("data.reconciler.deny")))
    return set(answer["expressions"][0])


def by_python(plan: str) -> set[str]:
    """What the script says."""
    Path("plan.json").write_text(plan, encoding="utf-8")
    script = [sys.executable, str(EXAMPLES / "check_plan.py"), "plan.json"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (int(bool(done.stderr)), "")
    return set(done.stderr.splitlines())


@pytest.mark.parametrize("check", [by_rego, by_python])
def test_the_examples_of_the_page_let_a_plan_pass_and_refuse_another(
    check: Callable[[str], set[str]], folder: Path
) -> None:
    assert check(ran(acme(), "plan", "--format", "json").out) == set()
    generous = "guardrails: {removals: {percent: 100, count: 10}, last_roles: {percent: 100, count: 10}}\n"
    organization = (folder / "organization.yaml").read_text(encoding="utf-8")
    (folder / "organization.yaml").write_text(organization.partition("guardrails")[0] + generous)
    told = ran(crowded(), "plan", "--format", "json")
    assert told.code == 0
    assert check(told.out) == {
        "kim@agency.example would be an admin of acme",
        "6 people of acme would lose everything",
    }
    unknown = told.out.replace("reconciler.plan/1", "reconciler.plan/2")
    assert "this is no plan of a format that " in " ".join(check(unknown))


def test_the_examples_are_as_short_as_the_page_says() -> None:
    for name in ("plan.rego", "check_plan.py"):
        lines = (EXAMPLES / name).read_text(encoding="utf-8").splitlines()
        assert len([line for line in lines if line.strip()]) <= 15, name
