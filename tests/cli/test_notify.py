"""Notifications of whole runs: when they are sent, to whom, and that they change nothing of a run."""

import fcntl
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli.in_memory import LEDGER, Ran, alone, latest, records
from cli.small_world import ORGANIZATION, acme, write_policy
from click.testing import CliRunner
from e2e.loopback import serving
from scim.fake_server import BASE, SECRET, FakeServer, refusal
from standardwebhooks.webhooks import Webhook as Referee
from standins.slack import Slack, obeyed, readable

from reconciler.cli import cli
from reconciler.http.reach import Reach

KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
SLACK = {"RECONCILER_SLACK_WEBHOOK_URL": "https://slack.test/services/T0000/B0000/s3cretOfTheChannel"}
SIGNED = {
    "RECONCILER_WEBHOOK_URL": "https://siem.test/s3cretPath?sig=s3cretQuery",
    "RECONCILER_WEBHOOK_SECRET": KEY,
}
TO_SLACK = "slack.test (RECONCILER_SLACK_WEBHOOK_URL)"
TO_SIEM = "siem.test (RECONCILER_WEBHOOK_URL)"
SECRETS = (SECRET, "s3cret", "T0000", KEY[6:])


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = alone(tmp_path, monkeypatch)
    return write_policy(folder / "policies/acme")


@dataclass
class World:
    """A SCIM server, Slack and a receiver of signed JSON; others by the first part of their host."""

    scim: FakeServer = field(default_factory=acme)
    slack: Slack = field(default_factory=Slack)
    siem: Callable[[httpx.Request], httpx.Response] = lambda request: httpx.Response(204, request=request)
    others: Mapping[str, FakeServer | Slack] = field(default_factory=dict)
    signed: list[httpx.Request] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """The last event of the ledger, whenever somebody was told."""

    def answer(self, request: httpx.Request) -> httpx.Response:
        name = request.url.host.removesuffix(".test")
        if name == "scim":
            return self.scim.answer(request)
        if isinstance(other := self.others.get(name), FakeServer):
            return other.answer(request)
        self._look()
        if name == "siem":
            self.signed.append(request)
            return self.siem(request)
        return (other or self.slack).answer(request)

    def _look(self) -> None:
        """At the ledger, which must be over and free."""
        if LEDGER.exists() and records():
            self.seen.append(records()[-1]["event"])
            with LEDGER.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def run(self, *arguments: str, **variables: str) -> Ran:
        result = CliRunner().invoke(
            cli,
            arguments,
            env={"CIRCLECI_SCIM_URL": BASE, "CIRCLECI_SCIM_TOKEN": SECRET, **variables},
            obj=Reach(httpx.MockTransport(self.answer), self.scim.time.patience()),
        )
        assert not [secret for secret in SECRETS if secret in result.output]
        assert "Traceback" not in result.output
        assert isinstance(result.exception, SystemExit | None), result.exception
        return Ran(int(result.exit_code), result.stdout, result.stderr)


def raising(error: BaseException) -> Callable[[httpx.Request], httpx.Response]:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    return answer


def answering(status: int, body: str = "", **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(status, headers=headers, text=body, request=request)


# When


def test_what_was_written_is_told_after_the_ledger_was_ended_and_the_run_is_as_without() -> None:
    world, silent = World(), World()
    without = silent.run("apply", "--ledger", "other.jsonl", "--notify", "never", **SLACK, **SIGNED)
    ran = world.run("apply", **SLACK, **SIGNED)
    assert (ran.code, ran.out) == (without.code, without.out) == (0, without.out)
    assert ran.err.splitlines()[-2:] == [f"notified {TO_SLACK}", f"notified {TO_SIEM}"]
    assert world.seen == ["end", "end"]
    [message] = world.slack.posted
    assert message["text"].startswith("acme: access of 2 people changed\n")
    assert f"run {latest()}" in readable(message)
    [request] = world.signed
    read = Referee(KEY).verify(request.content, dict(request.headers), json_parse=True)
    assert [one["run"] for one in read["data"]["organizations"]] == [latest()]
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert (silent.slack.requests, silent.signed) == (0, [])


def test_a_run_without_changes_is_told_only_if_that_is_asked_for() -> None:
    world = World()
    world.run("apply", "--notify", "never", **SLACK)
    assert world.run("apply", **SLACK).code == 0
    assert world.slack.requests == 0
    assert world.run("apply", "--notify", "always", **SLACK).code == 0
    assert [message["blocks"][0]["text"]["text"] for message in world.slack.posted] == ["acme: unchanged"]


def test_drift_that_the_mode_withholds_is_no_change(policy: Path) -> None:
    text = ORGANIZATION.replace("enforce", "report")
    (policy / "organization.yaml").write_text(text, encoding="utf-8")
    world = World()
    assert world.run("apply", **SLACK).code == 0
    assert world.slack.requests == 0


def test_a_refusal_is_told(policy: Path) -> None:
    text = ORGANIZATION.replace("percent: 100, count: 10", "count: 0")
    (policy / "organization.yaml").write_text(text, encoding="utf-8")
    world = World()
    assert world.run("apply", **SLACK).code == 4
    assert world.seen == ["refused"]
    assert world.slack.posted[0]["text"].startswith("acme: refused by removals\n")


def test_a_server_that_can_t_be_read_is_told() -> None:
    world = World(acme(faults=[refusal("GET", 403)] * 9))
    assert world.run("apply", **SLACK).code == 7
    assert world.slack.posted[0]["text"].startswith("acme: could not be read whole\n```\ncould not ")


def test_a_change_that_failed_is_told_with_the_server_s_words_harmless() -> None:
    world = World(acme(faults=[refusal("PATCH", 400, "invalidValue", "<!channel> *no*")] * 9))
    assert world.run("apply", **SLACK).code == 8
    [message] = world.slack.posted
    assert message["text"].startswith("acme: applied in part\n")
    assert "<!channel> *no*" in readable(message)
    assert obeyed(message) == []


def test_an_invalid_policy_is_told_with_the_first_problem(policy: Path) -> None:
    (policy / "app.yaml").write_text("version: 1\nbindngs: []\n", encoding="utf-8")
    world = World()
    assert world.run("apply", "--notify", "always", **SLACK).code == 6
    [message] = world.slack.posted
    assert message["text"].startswith("apply: the policy is invalid\n```\nthe policy has 1 problem\n")
    assert "app.yaml:2:1" in message["text"]


def test_a_ledger_that_another_run_holds_is_told_to_everybody() -> None:
    LEDGER.parent.mkdir()
    world = World()
    with LEDGER.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert world.run("apply", **{f"ACME_{name}": value for name, value in SLACK.items()}).code == 2
    assert world.slack.posted[0]["text"].startswith("apply: the run failed\n")


def test_a_plan_that_is_not_the_expected_one_is_told() -> None:
    world = World()
    assert world.run("apply", "--expect", "0" * 32, **SLACK).code == 5
    assert world.slack.posted[0]["text"].startswith(
        "acme: nothing was written, the plan is not the one that was expected\n"
    )


def test_the_way_back_is_told_too_and_only_where_it_is_taken() -> None:
    world = World()
    world.run("apply")
    run = latest()
    world.run("undo", run, **SLACK)
    assert world.slack.requests == 0
    assert world.run("undo", run, "--apply", **SLACK).code == 0
    assert "reconciler undo, exit code 0" in readable(world.slack.posted[0])


def test_drift_is_told_even_if_no_report_can_be_written_and_no_drift_is_not() -> None:
    world = World()
    ran = world.run("drift", "--report", "/dev/null/x.json", **SLACK, **SIGNED)
    assert (ran.code, world.slack.posted[0]["blocks"][0]["text"]["text"]) == (
        2,
        "acme: drift, 2 people differ",
    )
    assert "• dan@acme.example loses everything: organization viewer -> none" in readable(
        world.slack.posted[0]
    )
    [request] = world.signed
    told = Referee(KEY).verify(request.content, dict(request.headers))
    assert (told["type"], told["data"]["exit_code"]) == ("reconciler.drift", 3)
    world.run("apply")
    assert world.run("drift", **SLACK, **SIGNED).code == 0
    assert (world.slack.requests, len(world.signed)) == (1, 1)


def test_what_a_mode_withholds_is_drift_and_so_is_told(policy: Path) -> None:
    text = ORGANIZATION.replace("enforce", "report")
    (policy / "organization.yaml").write_text(text, encoding="utf-8")
    world = World()
    assert world.run("drift", **SLACK).code == 3
    assert world.slack.posted[0]["text"].startswith("acme: drift, 2 people differ\n")


def test_a_policy_that_names_what_does_not_exist_is_told_with_the_line(policy: Path) -> None:
    text = (policy / "web.yaml").read_text(encoding="utf-8").replace("eng-web", "eng-wbe")
    (policy / "web.yaml").write_text(text, encoding="utf-8")
    world = World()
    assert world.run("drift", **SLACK).code == 6
    assert world.slack.posted[0]["text"].startswith("acme: the policy names what does not exist\n")
    assert "web.yaml:5" in world.slack.posted[0]["text"]


# To whom


def test_each_organization_is_told_where_it_wants_to_be(tmp_path: Path) -> None:
    write_policy(tmp_path / "policies/globex", ORGANIZATION.replace("acme", "globex"))
    own = Slack("/own")
    world = World(others={"globex": acme(), "own": own})
    ran = world.run(
        "apply",
        GLOBEX_CIRCLECI_SCIM_URL="https://globex.test/scim/v2",
        GLOBEX_CIRCLECI_SCIM_TOKEN=SECRET,
        GLOBEX_RECONCILER_SLACK_WEBHOOK_URL="https://own.test/own",
        **SLACK,
        **SIGNED,
    )
    assert ran.code == 0
    assert [message["text"].split("\n")[0] for message in world.slack.posted] == [
        "acme: access of 2 people changed"
    ]
    assert [message["text"].split("\n")[0] for message in own.posted] == [
        "globex: access of 2 people changed"
    ]
    [request] = world.signed
    told = json.loads(request.content)["data"]["organizations"]
    assert [one["organization"] for one in told] == ["acme", "globex"]


# What is wrong with them


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"RECONCILER_SLACK_WEBHOOK_URL": ""}, "RECONCILER_SLACK_WEBHOOK_URL is empty"),
        (
            {"RECONCILER_SLACK_WEBHOOK_URL": "http://slack.test/s3cret"},
            "RECONCILER_SLACK_WEBHOOK_URL would send what it is told unencrypted to slack.test: "
            "http:// is for loopback only",
        ),
        (
            {"RECONCILER_WEBHOOK_URL": "https://siem.test/s3cret"},
            "RECONCILER_WEBHOOK_SECRET is not set, and RECONCILER_WEBHOOK_URL is",
        ),
        (
            {"ACME_RECONCILER_WEBHOOK_SECRET": KEY},
            "ACME_RECONCILER_WEBHOOK_URL is not set, and ACME_RECONCILER_WEBHOOK_SECRET is",
        ),
    ],
)
def test_a_wrong_setting_is_a_usage_error_before_anything_is_asked_of_any_server(
    variables: dict[str, str], message: str
) -> None:
    world = World()
    ran = world.run("apply", **variables)
    assert (ran.code, ran.out, ran.err.splitlines()[0]) == (2, "", f"error: {message}")
    assert (world.scim.requests, LEDGER.exists()) == ([], False)
    assert world.run("apply", "--notify", "never", **variables).code == 0


def test_to_ask_for_a_notification_always_and_name_nobody_is_a_usage_error() -> None:
    ran = World().run("apply", "--notify", "always")
    assert (ran.code, ran.err) == (
        2,
        "error: --notify always, and the environment names no webhook\n"
        "hint: set RECONCILER_SLACK_WEBHOOK_URL, or RECONCILER_WEBHOOK_URL and RECONCILER_WEBHOOK_SECRET\n",
    )


@pytest.mark.parametrize(
    ("status", "words", "said", "hint"),
    [
        (404, "no_service", "404 Not Found (no_service)", "make another webhook in Slack"),
        (403, "action_prohibited", "403 Forbidden (action_prohibited)", "ask an administrator"),
        (410, "channel_is_archived", "410 Gone (channel_is_archived)", "make a webhook for a channel"),
        (400, "invalid_blocks", "400 Bad Request (invalid_blocks)", "Slack does not take this message"),
        (400, "T0000/B0000/s3cretOfTheChannel", "400 Bad Request", "is RECONCILER_SLACK_WEBHOOK_URL the"),
        (
            200,
            "<html>login</html>",
            "200 OK, but not ok, as Slack does",
            "is RECONCILER_SLACK_WEBHOOK_URL the",
        ),
        (500, "rollup_error", "500 Internal Server Error (rollup_error)", "nothing is lost but the message"),
    ],
)
def test_what_slack_refuses_is_said_with_what_to_do_and_the_run_is_as_it_was(
    status: int, words: str, said: str, hint: str
) -> None:
    world = World(slack=Slack(refuses=(status, words)))
    ran = world.run("--debug", "apply", **SLACK)
    assert (ran.code, "applied 2 of 2 changes" in ran.out) == (0, True)
    told = [line for line in ran.err.splitlines() if not line.startswith("debug: ")]
    assert told[-2] == f"no notification to {TO_SLACK}: the answer was {said}"
    assert told[-1].startswith(f"hint: {hint}")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (answering(302, location="https://evil.test/"), "the answer was 302 Found"),
        (answering(401, "s3cretPath"), "the answer was 401 Unauthorized"),
        (answering(410), "the answer was 410 Gone"),
        (answering(503), "the answer was 503 Service Unavailable"),
        (raising(httpx.ReadError("reset by https://siem.test/s3cretPath?sig=s3cretQuery")), "the connection"),
        (raising(httpx.ConnectError("no such host")), "no connection: no such host"),
        (raising(httpx.ReadTimeout("")), "no answer within 8 s"),
        (answering(200, "x" * 2_000_000), "the answer is larger than 1048576 bytes"),
        (raising(RuntimeError("s3cret")), ""),
    ],
)
def test_a_receiver_that_does_not_take_it_fails_no_run(
    answer: Callable[[httpx.Request], httpx.Response], said: str
) -> None:
    world = World(siem=answer)
    ran = world.run("--debug", "apply", **SIGNED)
    assert (ran.code, "applied 2 of 2 changes" in ran.out) == (0, True)
    if said:
        assert f"no notification to {TO_SIEM}: {said}" in ran.err
    else:
        assert "no notification: unexpected RuntimeError" in ran.err
    assert {request.url.host for request in world.signed} == {"siem.test"}


def test_a_request_that_came_too_early_is_sent_again_and_a_failure_three_times_at_the_most() -> None:
    world = World(slack=Slack(busy=1), siem=answering(500))
    ran = world.run("apply", **SLACK, **SIGNED)
    assert (ran.code, world.slack.requests, len(world.slack.posted), len(world.signed)) == (0, 2, 1, 3)
    assert len({request.headers["webhook-id"] for request in world.signed}) == 1


def test_no_receiver_is_waited_for_longer_than_some_seconds() -> None:
    world = World(slack=Slack(busy=1000))
    begun = world.scim.time.clock()
    ran = world.run("apply", "--notify", "always", **SLACK)
    assert (ran.code, len(world.slack.posted)) == (0, 0)
    assert world.scim.time.clock() - begun <= 10
    assert "429 Too Many Requests; waiting another 8 s would exceed the 10 s a request may take" in ran.err


def test_of_many_receivers_those_are_left_out_for_whom_no_time_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"org{i}" for i in range(5)]
    for name in names:
        write_policy(tmp_path / f"policies/{name}", ORGANIZATION.replace("acme", name))
    (tmp_path / "policies/acme/organization.yaml").unlink()
    (tmp_path / "policies/acme/web.yaml").unlink()
    (tmp_path / "policies/acme").rmdir()
    variables = {f"{n.upper()}_CIRCLECI_SCIM_URL": f"https://{n}.test/scim/v2" for n in names}
    variables |= {f"{n.upper()}_CIRCLECI_SCIM_TOKEN": SECRET for n in names}
    hooks = {f"{n.upper()}_RECONCILER_SLACK_WEBHOOK_URL": f"https://slack.test/{n}" for n in names}
    world = World(slack=Slack(), others={name: acme() for name in names})

    def slow(request: httpx.Request) -> httpx.Response:
        world.scim.time.sleep(10)
        return httpx.Response(200, text="ok", request=request)

    monkeypatch.setattr(world.slack, "answer", slow)
    ran = world.run("apply", **variables, **hooks)
    assert ran.code == 0
    assert [line for line in ran.err.splitlines() if "slack.test" in line] == [
        *(f"notified slack.test ({n.upper()}_RECONCILER_SLACK_WEBHOOK_URL)" for n in names[:3]),
        *(
            f"no notification to slack.test ({n.upper()}_RECONCILER_SLACK_WEBHOOK_URL): "
            "the other notifications took too long"
            for n in names[3:]
        ),
    ]


def test_an_interrupt_while_somebody_is_told_changes_nothing_of_what_was_done() -> None:
    world = World(siem=raising(KeyboardInterrupt()))
    ran = world.run("apply", "--format", "json", **SIGNED)
    assert (ran.code, ran.data["runs"][0]["run"]) == (0, latest())
    assert ran.err.splitlines()[-1] == "no further notification: interrupted"


def test_over_real_sockets_slack_takes_it_on_the_second_try() -> None:
    scim, slack = acme(), Slack(busy=1, wait=0)
    with serving(scim) as url, serving(slack) as base:
        hook = base.removesuffix("/scim/v2") + slack.secret
        variables: dict[str, Any] = {
            "CIRCLECI_SCIM_URL": url,
            "CIRCLECI_SCIM_TOKEN": SECRET,
            "RECONCILER_SLACK_WEBHOOK_URL": hook,
        }
        result = CliRunner().invoke(cli, ["--debug", "apply"], env=variables)
    assert result.exit_code == 0
    assert result.stderr.splitlines()[-1] == "notified 127.0.0.1 (RECONCILER_SLACK_WEBHOOK_URL)"
    assert "debug: POST /***: 200 OK" in result.stderr
    assert (slack.requests, len(slack.posted)) == (2, 1)
    assert slack.secret not in result.output
