"""`reconciler apply`: what it writes and refuses to write, whole outputs, streams, interrupts, exit codes."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from threading import Event

import httpx
import pytest
from cli.small_world import BINDINGS, NEEDED, ORGANIZATION, acme, run, write_policy
from cli.terminals import ended, on_terminal, start
from e2e.loopback import environment, serving
from scim.fake_server import FakeServer, group, user

from reconciler.change import CreateGroup
from reconciler.cli import terminal
from reconciler.model import Role, Scope
from reconciler.report import text


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small policy in the current folder, and no connection to anywhere."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if "SCIM" in name]:
        monkeypatch.delenv(name)
    return write_policy(tmp_path / "policies/acme")


def apply(server: FakeServer, *arguments: str) -> tuple[int, str, str]:
    with serving(server) as url:
        code, out, err = run(environment(url), "apply", *arguments)
    return code, out.replace(url, "SERVER"), err.replace(url, "SERVER")


# What it does


def test_the_result_is_on_standard_output_and_progress_on_standard_error() -> None:
    server = acme()
    with serving(server) as url:
        planned = run(environment(url), "plan")[1]
        code, out, err = run(environment(url), "apply")
    assert (code, out) == (0, planned + "applied 2 of 2 changes\n")
    assert re.fullmatch(
        r"\[1/2] cleo@acme\.example\n\[2/2] dan@acme\.example\n"
        r"run [0-9a-f]{12} is recorded in \.reconciler/ledger\.jsonl\n",
        err,
    )
    assert server.writes == NEEDED


@pytest.mark.parametrize(("total", "told"), [(3, 3), (100, 100), (250, 100), (5_000, 100)])
def test_of_many_changes_a_few_tell_how_far_it_is(
    total: int, told: int, capsys: pytest.CaptureFixture[str]
) -> None:
    change = CreateGroup(Scope("web"), Role.ADMIN, "web-admins")
    with terminal.progress(total) as step:
        for _ in range(total):
            step(change)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == told
    assert lines[-1] == f"[{total}/{total}] {text.subject(change)}"


def test_as_json_it_is_one_document_with_what_became_of_each_change() -> None:
    code, out, _ = apply(acme(), "--format", "json")
    document = json.loads(out)
    assert (code, document["format"], document["problems"], document["failures"]) == (
        0,
        "reconciler.apply/1",
        [],
        [],
    )
    [done] = document["runs"]
    outcomes = [(o["change"]["user"], o["result"], o["detail"]) for o in done["outcomes"]]
    assert outcomes == [("cleo@acme.example", "applied", ""), ("dan@acme.example", "applied", "")]


# What it refuses


def test_a_policy_without_any_binding_against_a_server_with_roles_is_refused(policy: Path) -> None:
    (policy / "web.yaml").unlink()
    server = acme()
    code, out, err = apply(server)
    assert (code, server.writes) == (4, [])
    assert "refused by guardrail empty_policy: the policy grants nothing to anybody" in out
    assert re.match(r"error: nothing was written to acme: refused by .*\bempty_policy\n", err)


@pytest.mark.parametrize(
    ("limits", "names"),
    [
        pytest.param("{removals: {percent: 0}}", "removals", id="no percent"),
        pytest.param("{removals: {count: 0}}", "removals", id="no count"),
        pytest.param("{protected: [ghost@acme.example]}", "protected", id="protected and unknown"),
    ],
)
def test_a_plan_that_a_guardrail_refuses_is_not_begun(limits: str, names: str, policy: Path) -> None:
    head, _, _ = ORGANIZATION.partition("guardrails:")
    (policy / "organization.yaml").write_text(f"{head}guardrails: {limits}\n", encoding="utf-8")
    server = acme()
    code, out, err = apply(server, "--format", "json")
    [refused] = json.loads(out)["runs"]
    assert (code, server.writes, refused["outcomes"]) == (4, [], [])
    assert [violation["guardrail"] for violation in refused["violations"]] == [names]
    assert err.splitlines()[0] == f"error: nothing was written to acme: refused by {names}"
    assert err.splitlines()[1].startswith("hint: ")


def test_a_plan_that_leaves_too_few_admins_is_not_begun(policy: Path) -> None:
    (policy / "web.yaml").write_text(BINDINGS.replace("admin\n", "viewer\n", 1), encoding="utf-8")
    server = acme()
    code, _, err = apply(server)
    assert (code, server.writes) == (4, [])
    assert err.splitlines()[0].startswith("error: nothing was written to acme: refused by minimum_admins")


def test_an_invalid_policy_is_not_applied_in_part(policy: Path) -> None:
    (policy / "app.yaml").write_text("version: 1\nbindngs: []\n", encoding="utf-8")
    server = acme()
    code, out, err = apply(server)
    assert (code, out, server.requests) == (6, "", [])
    problem, error = err.splitlines()
    assert problem.startswith(
        "policies/acme/app.yaml:2:1 bindngs: unknown key 'bindngs', did you mean 'bindings'?"
    )
    assert error == "error: the policy has 1 problem"


@pytest.mark.parametrize("file", ["policies/acme/web.yaml", "policies/acme/organization.yaml"])
def test_a_single_file_is_not_applied(file: str) -> None:
    server = acme()
    code, out, _ = apply(server, file)
    assert (code, out, server.requests) == (2, "", [])


# What it carries out in part


def test_a_group_that_is_unknown_freezes_what_it_could_give_and_the_rest_is_carried_out(policy: Path) -> None:
    extra = "  - group: eng-wbe\n    organization: viewer\n"
    (policy / "web.yaml").write_text(BINDINGS + extra, encoding="utf-8")
    server = acme()
    code, out, err = apply(server)
    assert code == 8
    assert server.writes == ["PATCH /Users/u-cleo"]
    assert server.roles("dan") == ["org-viewer", "gadget"]
    assert "the directory has no group 'eng-wbe', did you mean 'eng-web'?" in out
    assert err.splitlines()[-2:] == [
        "error: 1 problem kept the policy of acme from being applied whole",
        "hint: `reconciler plan` shows what is left to do",
    ]


# Several organizations


def two(policy: Path) -> None:
    """Another organization before this one; both would be brought to the same server."""
    write_policy(policy.parent / "aaa", ORGANIZATION.replace("organization: acme", "organization: aaa"))


def test_an_organization_that_fails_does_not_stop_the_others_and_the_gravest_code_wins(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two(policy)
    monkeypatch.setenv("AAA_CIRCLECI_SCIM_URL", "http://aaa.example")
    server = acme()
    code, out, err = apply(server, "--format", "json")
    document = json.loads(out)
    assert (code, server.writes) == (2, NEEDED)
    assert [done["organization"] for done in document["runs"]] == ["acme"]
    assert [(f["organization"], f["exit_code"]) for f in document["failures"]] == [("aaa", 2)]
    assert err.startswith("error: AAA_CIRCLECI_SCIM_URL would send the token unencrypted to aaa.example: ")


# On a terminal


def test_on_a_terminal_a_bar_shows_how_far_it_is_and_goes_away() -> None:
    server = acme()
    with serving(server) as url:
        code, seen = on_terminal(environment(url), "apply")
    assert code == 0
    assert "2/2" in seen
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen)
    assert "\napplied 2 of 2 changes\n" in shown.replace("\r", "\n")
    assert "[1/2]" not in shown


def test_a_name_that_looks_like_markup_does_not_end_a_run() -> None:
    server = acme()
    server.data["Users"]["u-cleo"]["userName"] = "[/red]cleo[bold"
    server.data["Users"]["u-dan"]["userName"] = "[/red]dan[bold"
    with serving(server) as url:
        code, seen = on_terminal(environment(url), "apply")
    assert "Traceback" not in seen
    assert (code, "2/2\x1b[0m [/red]dan[bold" in seen) == (0, True)


def test_a_reader_of_the_progress_that_goes_away_does_not_end_a_run_half_way() -> None:
    server = acme()
    with serving(server) as url:
        process = start(environment(url), "apply")
        assert process.stdout is not None
        assert process.stderr is not None
        process.stderr.close()
        out = process.stdout.read()
        process.stdout.close()
        assert process.wait(timeout=30) == 0
    assert out.splitlines()[-1] == "applied 2 of 2 changes"


# Interrupts


class Interrupting:
    """Sends signals to the program when the write for somebody arrives; after two it gets no answer."""

    def __init__(self, server: FakeServer, at: str, *numbers: signal.Signals) -> None:
        self._server = server
        self._at = at
        self._numbers = numbers
        self.over = Event()
        self.process: subprocess.Popen[str] | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        response = self._server.answer(request)
        if request.method == "PATCH" and request.url.path.endswith(self._at):
            assert self.process is not None
            for number in self._numbers:
                self.process.send_signal(number)
            if len(self._numbers) > 1:
                self.over.wait(30)
        return response


PROGRESS = [
    [f"[1/3] {one}@acme.example", f"[2/3] {two}@acme.example"]
    for one, two in (("cleo", "eve"), ("eve", "cleo"))
]
"""Which of two writes that are under way at once ends first, nobody knows."""


def three() -> FakeServer:
    """Cleo and Eve gain, Dan loses."""
    people = [user("ada", "org-admin"), user("bob", "org-admin"), user("cleo"), user("eve")]
    groups = [group("platform", "ada", "bob"), group("eng-web", "cleo", "eve")]
    return acme(users=[*people, user("dan", "org-viewer")], groups=groups)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupt_ends_the_writing_but_not_the_account_of_it(
    policy: Path, number: signal.Signals
) -> None:
    write_policy(policy.parent / "zzz", ORGANIZATION.replace("organization: acme", "organization: zzz"))
    server = three()
    interrupting = Interrupting(server, "/u-eve", number)
    with serving(interrupting) as url:
        interrupting.process = start(environment(url), "apply")
        code, out, err = ended(interrupting.process)
    assert (code, sorted(server.writes)) == (8, ["PATCH /Users/u-cleo", "PATCH /Users/u-eve"])
    assert out.splitlines()[-2:] == [
        "acme: applied 2 of 3 changes",
        "acme: skipped dan@acme.example: the run was interrupted before it",
    ]
    told = err.splitlines()
    assert told.pop(2).endswith(" is recorded in .reconciler/ledger.jsonl")
    assert sorted(told[:2]) in PROGRESS
    assert told[2:] == [
        "error: 1 of 3 changes to acme did not come about",
        "hint: `reconciler plan` shows what is left to do",
        "error: zzz was not begun: the run was interrupted before it",
    ]
    assert "zzz: " not in out


def test_who_interrupts_twice_is_not_kept_waiting_for_an_answer_and_is_told_so() -> None:
    server = three()
    del server.data["Users"]["u-cleo"], server.data["Groups"]["g-eng-web"]["members"][0]
    interrupting = Interrupting(server, "/u-eve", signal.SIGINT, signal.SIGTERM)
    with serving(interrupting) as url:
        interrupting.process = start(environment(url), "apply")
        code, out, err = ended(interrupting.process)
        interrupting.over.set()
    assert (code, server.writes) == (8, ["PATCH /Users/u-eve"])
    assert out.splitlines()[-3:] == [
        "applied 0 of 2 changes",
        "failed eve@acme.example: interrupted; it may have been written",
        "skipped dan@acme.example: the run was interrupted before it",
    ]
    assert err.splitlines()[1:] == [
        "error: 2 of 2 changes to acme did not come about",
        "hint: `reconciler plan` shows what is left to do",
    ]
    *_, write, failed, skipped, end = map(
        json.loads, Path(".reconciler/ledger.jsonl").read_text().splitlines()
    )
    assert (write["event"], failed["result"], skipped["result"]) == ("write", "failed", "skipped")
    assert (end["event"], end["failed"], end["skipped"]) == ("end", 1, 1)


def test_an_interrupt_before_anything_was_written_ends_with_one_line() -> None:
    server = acme()
    reading = Event()

    class Holding:
        process: "subprocess.Popen[str]"

        def answer(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/Groups"):
                self.process.send_signal(signal.SIGINT)
                reading.wait(30)
            return server.answer(request)

    holding = Holding()
    with serving(holding) as url:
        holding.process = start(environment(url), "apply")
        result = ended(holding.process)
        reading.set()
    assert result == (130, "", "error: interrupted\n")
    assert server.writes == []
