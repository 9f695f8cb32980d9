"""`reconciler sandbox` as a process of its own: streams, exit codes, signals, and nothing left behind."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

RECONCILER = [sys.executable, "-m", "reconciler"]
PATIENCE = 30
"""Seconds after which something that should have ended counts as left behind."""

ASK = """
import json, os, urllib.request
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
def ask(method, path):
    headers = {"Authorization": f"Bearer {os.environ['CIRCLECI_SCIM_TOKEN']}"}
    url = os.environ["CIRCLECI_SCIM_URL"] + path
    return direct.open(urllib.request.Request(url, headers=headers, method=method))
"""
"""The start of a Python program that asks the sandbox around it."""


def start(*arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*RECONCILER, "sandbox", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (env or {}),
    )


def run(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    """The exit code and what was printed. Ends only when every process that can print has ended."""
    return ended(start(*arguments, env=env))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, err


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def is_listening(url: str) -> bool:
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname or "", address.port or 0), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


# Around a command


def test_the_command_reaches_the_sandbox_and_nothing_else() -> None:
    script = ASK + "print(ask('GET', '/Users').status, sorted(name for name in os.environ if 'SCIM' in name))"
    elsewhere = {"ACME_CIRCLECI_SCIM_URL": "https://scim.example", "CIRCLECI_SCIM_TOKEN_FILE": "/run/token"}
    code, out, err = run("--", sys.executable, "-c", script, env=elsewhere)
    assert (code, out) == (0, "200 ['CIRCLECI_SCIM_TOKEN', 'CIRCLECI_SCIM_URL']\n")
    assert err == "sandbox: 1 requests, 0 of them writes\n"


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 5", 5), ("kill -KILL $$", 137), ("kill -TERM $$", 143)],
    ids=["0", "5", "killed", "terminated"],
)
def test_the_exit_code_of_the_command_is_passed_on(script: str, code: int) -> None:
    assert run("--", "sh", "-c", script)[0] == code


def test_a_command_that_does_not_exist_is_said() -> None:
    code, out, err = run("--", "no-such-command")
    assert (code, out) == (127, "")
    assert err.splitlines()[0] == "error: cannot run no-such-command: No such file or directory"


def test_a_command_that_is_not_executable_is_said(tmp_path: Path) -> None:
    file = tmp_path / "plain.txt"
    file.write_text("text")
    code, _, err = run("--", str(file))
    assert code == 126
    assert err.splitlines()[0] == f"error: cannot run {file}: Permission denied"


# Python, not sh: a shell can lose a signal that comes while it starts something.
SLEEPS = """
import os, signal, subprocess
signal.signal(signal.SIGINT, signal.SIG_DFL)
subprocess.Popen(["sleep", "1000"])
print(os.environ["CIRCLECI_SCIM_URL"], flush=True)
signal.pause()
"""
TIDIES = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("ready", flush=True)
signal.sigwait([signal.SIGTERM])
print("tidied")
sys.exit(3)
"""


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name
)
def test_a_signal_ends_the_command_its_children_and_the_server(number: signal.Signals) -> None:
    process = start("--", sys.executable, "-c", SLEEPS)
    url = line(process)
    assert is_listening(url)
    process.send_signal(number)
    assert ended(process)[0] == 128 + number
    assert not is_listening(url)


def test_a_command_that_handles_a_signal_decides_itself_when_and_how_to_end() -> None:
    process = start("--", sys.executable, "-c", TIDIES)
    assert line(process) == "ready"
    process.send_signal(signal.SIGTERM)
    assert ended(process)[:2] == (3, "tidied\n")


def test_what_the_command_left_running_is_ended_with_it() -> None:
    assert run("--", "sh", "-c", "sleep 1000 & exit 4")[0] == 4


def test_the_log_has_one_line_for_each_request(tmp_path: Path) -> None:
    log = tmp_path / "requests.log"
    script = ASK + (
        "user = json.load(ask('GET', '/Users?count=1'))['Resources'][0]['id']\n"
        "ask('DELETE', f'/Users/{user}')\n"
    )
    code, _, err = run("--log", str(log), "--", sys.executable, "-c", script)
    assert (code, err) == (0, "sandbox: 2 requests, 1 of them writes\n")
    methods = [entry.split()[0] for entry in log.read_text().splitlines()]
    assert methods == ["GET", "DELETE"]


# Alone


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_alone_it_prints_how_to_reach_it_and_serves_until_it_is_stopped(number: signal.Signals) -> None:
    process = start("--token", "it's-me")
    exports = dict(shlex.split(line(process))[1].split("=", 1) for _ in range(2))
    assert exports["CIRCLECI_SCIM_TOKEN"] == "it's-me"
    url = exports["CIRCLECI_SCIM_URL"]
    headers = {"Authorization": "Bearer it's-me"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        assert client.get("/Users?startIndex=1&count=1").json()["totalResults"] == 43
        process.send_signal(number)
        assert ended(process) == (
            0,
            "",
            "GET /v2/Users?startIndex=1&count=1 200\nsandbox: 1 requests, 0 of them writes\n",
        )
    assert not is_listening(url)


def test_it_listens_on_the_port_it_is_told_and_says_when_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = run("--port", str(port))
    assert (code, out) == (2, "")
    assert err == (
        f"error: the sandbox cannot listen on 127.0.0.1:{port}: Address already in use\n"
        "hint: choose another port with --port, or leave it out to have a free one chosen\n"
    )
    process = start("--port", str(port))
    assert line(process) == f"export CIRCLECI_SCIM_URL=http://127.0.0.1:{port}/v2"
    process.terminate()
    assert ended(process)[0] == 0


# What it refuses


def test_a_seed_that_is_missing_is_said() -> None:
    assert run("--seed", "nowhere.yaml", "--", "true") == (
        2,
        "",
        "error: cannot read the seed nowhere.yaml: No such file or directory\n"
        "hint: docs/sandbox.md shows how a seed is written\n",
    )


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "tökén"])
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    assert run("--token", token, "--", "true") == (
        2,
        "",
        "error: --token must be printable ASCII without spaces, and not empty\n",
    )


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    assert run("--log", str(tmp_path), "--", "true") == (
        2,
        "",
        f"error: cannot write the request log {tmp_path}: Is a directory\n",
    )


def without(module: str, arguments: Sequence[str]) -> list[str]:
    """A command line that runs the program as if `module` were not installed."""
    code = f"import sys; sys.modules[{module!r}] = None; from reconciler.cli import main; main()"
    return [sys.executable, "-c", code, *arguments]


@pytest.mark.parametrize("module", ["scim2_models", "scim2_server", "cryptography"])
def test_without_the_extra_it_says_what_to_install(module: str) -> None:
    done = subprocess.run(
        without(module, ["sandbox", "--", "true"]),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: cannot start the sandbox: the module {module} is not installed\n"
        "hint: pip install 'reconciler[sandbox]'\n"
    )
