"""`reconciler --debug`: what it tells of each request, and all that it keeps to itself."""

import json
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from cli.small_world import acme, write_policy
from click.testing import CliRunner
from e2e.loopback import environment, serving
from scim.fake_server import FakeServer, Fault, Time, reset

from reconciler.cli import cli
from reconciler.errors import ExitCode
from reconciler.http.reach import Reach


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small policy in the current folder, and no connection to anywhere."""
    for name in [name for name in os.environ if "SCIM" in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CIRCLE_SHA1", "0123abcd")
    monkeypatch.chdir(tmp_path)
    return write_policy(tmp_path / "policies/acme")


def run(variables: Mapping[str, str], *arguments: str) -> tuple[int, str, list[str]]:
    """Exit code, standard output and the lines of standard error of one run that never really waits."""
    result = CliRunner().invoke(cli, arguments, env=variables, obj=Reach(patience=Time().patience()))
    assert isinstance(result.exception, SystemExit | None), result.exception
    return int(result.exit_code), result.stdout, result.stderr.splitlines()


def debugged(server: FakeServer, *arguments: str) -> list[str]:
    """What a run tells beside what it tells anyhow; times are replaced by N."""
    with serving(server) as url:
        _, _, lines = run(environment(url), "--debug", *arguments)
    return [re.sub(r"\d+ ms", "N ms", line) for line in lines if line.startswith("debug: ")]


def test_each_request_is_one_line_with_what_came_of_it() -> None:
    server = acme()
    lines = debugged(server, "apply")
    told = [re.fullmatch(r"debug: ([A-Z]+ /\S+): (.*)", line) for line in lines]
    seen = [f"{request.method} {request.url.path.removeprefix('/scim/v2')}" for request in server.requests]
    assert [match[1].partition("?")[0] for match in told if match] == seen
    assert {match and re.sub(r"\d+ bytes", "N bytes", match[2]) for match in told} == {
        "200 OK, N bytes, N ms",
        "204 No Content, N bytes, N ms",
        "404 Not Found, N bytes, N ms",
    }


def test_of_a_query_the_names_are_told_and_no_values() -> None:
    server = acme(shows=frozenset({"filter"}))
    lines = debugged(server, "plan")
    assert any("?" in str(request.url) and "filter=" in str(request.url) for request in server.requests)
    assert any(re.match(r"debug: GET /Users\?[A-Za-z&]*\bfilter\b[A-Za-z&]*: 200 OK", line) for line in lines)
    assert [line for line in lines if "=" in line or "%" in line or "eng-web" in line] == []


def test_what_went_wrong_is_told_with_each_try_and_each_wait() -> None:
    busy = Fault("GET", 503, {"retry-after": "7"}, "busy", path="/Users")
    lines = debugged(acme(faults=[busy, reset("GET")]), "plan")
    assert [re.sub(r"\[Errno \d+] .*?,|\d+ bytes,", "X,", line) for line in lines[:6]] == [
        "debug: GET /ServiceProviderConfig: the connection broke before the answer was whole: X, N ms",
        "debug: waiting 0.5 s before try 2",
        "debug: GET /ServiceProviderConfig: 200 OK, X, N ms, try 2",
        "debug: GET /Users?startIndex&count&attributes: 503 Service Unavailable, X, N ms",
        "debug: waiting 7.0 s before try 2",
        "debug: GET /Users?startIndex&count&attributes: 200 OK, X, N ms, try 2",
    ]


def test_the_result_is_what_it_is_without() -> None:
    with serving(acme()) as url:
        quiet = run(environment(url), "plan", "--format", "json")
        loud = run(environment(url), "--debug", "plan", "--format", "json")
    assert quiet[:2] == loud[:2]
    assert json.loads(loud[1])["format"] == "reconciler.plan/1"
    assert (quiet[2], [line for line in loud[2] if not line.startswith("debug: ")]) == ([], [])


def test_without_it_nothing_of_the_kind_is_told() -> None:
    with serving(acme(faults=[reset("GET")])) as url:
        assert run(environment(url), "plan")[2] == []


def test_it_ends_with_the_run() -> None:
    with serving(acme()) as url:
        first = run(environment(url), "--debug", "plan")[2]
        again = run(environment(url), "--debug", "plan")[2]
        assert run(environment(url), "plan")[2] == []
    assert len(first) == len(again) > 0
    log = logging.getLogger("reconciler")
    assert (log.handlers, log.level) == ([], logging.NOTSET)


def test_it_ends_with_a_run_that_fails() -> None:
    code, _, _ = run({}, "--debug", "plan")
    assert (code, logging.getLogger("reconciler").handlers) == (ExitCode.USAGE, [])


def test_what_libraries_log_is_not_told() -> None:
    """httpx logs whole URLs, httpcore the headers of every answer."""
    with serving(acme()) as url:
        lines = run(environment(url), "--debug", "plan")[2]
    assert [line for line in lines if "HTTP/1.1" in line or "http://" in line or "receive_" in line] == []
