"""The token is in nothing that a run leaves behind, whatever became of it: not in its output, not in a file.

One test for each path through the program, plain and with `--debug`, as text and as JSON. How many there are
is how many tests `pytest tests/e2e/test_secrets.py` counts.
"""

import fcntl
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cli.small_world import BINDINGS, ORGANIZATION, acme, write_policy
from cli.terminals import RECONCILER, ended, on_terminal, start, surroundings
from click.testing import CliRunner
from e2e.loopback import environment, serving
from scim.fake_server import (
    JSON,
    SECRET,
    FakeServer,
    Fault,
    Listing,
    Resource,
    Time,
    error_body,
    group,
    reset,
    user,
)

from reconciler.cli import cli
from reconciler.errors import ExitCode
from reconciler.http.reach import Reach

LEDGER = Path(".reconciler/ledger.jsonl")
ECHO = f"I do not like 'Authorization: Bearer {SECRET}'"
HTML = {"content-type": "text/html"}
SOMETHING_ELSE = "0" * 32

Command = tuple[str, ...]
PLAN, APPLY, DOCTOR = ("plan",), ("apply",), ("doctor",)
UNDO, UNDO_AND_APPLY = ("undo", "RUN"), ("undo", "RUN", "--apply")


def undisturbed() -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class Case:
    """One path through the program: what is run against which server, and how it ends."""

    command: Command
    code: ExitCode
    faults: tuple[Fault, ...] = ()
    server: Callable[[], FakeServer] = acme
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the environment has beside, or instead; PORT and TOKEN_FILE stand for what is known later."""
    first: tuple[Command, ...] = ()
    """What is run before, without faults."""
    organization: str = ORGANIZATION
    bindings: str = BINDINGS
    meanwhile: Callable[[], AbstractContextManager[None]] = undisturbed
    has_json: bool = True


def always(
    method: str = "", status: int = 0, body: str | bytes = "", path: str = "", **headers: str
) -> tuple[Fault, ...]:
    named = {name.replace("_", "-"): value for name, value in {**JSON, **headers}.items()}
    return (Fault(method, status, named, body, path=path),) * 60


def answers(body: Resource) -> tuple[Fault, ...]:
    return always("GET", 200, json.dumps(body), "/Users")


def with_user(**changes: object) -> Callable[[], FakeServer]:
    return lambda: acme(users=[user("ada", "org-admin"), user("bob", "org-admin"), user("x", **changes)])  # type: ignore[arg-type]


def with_role() -> FakeServer:
    return acme(users=[user("ada", "org-admin"), user("bob", "org-admin"), user("dan", "org-viewer", SECRET)])


def with_group() -> FakeServer:
    return acme(groups=[group("platform", "ada", "bob"), group("eng-web", "cleo"), group(SECRET, "dan")])


@contextmanager
def ledger_locked() -> Iterator[None]:
    LEDGER.parent.mkdir()
    with LEDGER.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def ledger_edited() -> Iterator[None]:
    LEDGER.write_bytes(LEDGER.read_bytes().replace(b'"acme"', b'"acne"', 1))
    yield


@contextmanager
def policy_edited() -> Iterator[None]:
    Path("policies/acme/web.yaml").write_text(BINDINGS.replace("admin}", "viewer}"), encoding="utf-8")
    yield


REPEATED: Mapping[str, tuple[Fault, ...]] = {
    "401 that repeats the header": always(status=401, body=error_body(401, detail=ECHO)),
    "401 with a scimType": always(status=401, body=error_body(401, SECRET, ECHO)),
    "401 with it in a header": always(
        status=401, body=error_body(401), www_authenticate=f'Bearer error="{SECRET}"'
    ),
    "403 as a page": always(status=403, body=f"<p>{ECHO}", **{"content-type": "text/html"}),
    "404 with a message": always(status=404, body=json.dumps({"message": ECHO})),
    "400 with an error": always(status=400, body=json.dumps({"error": ECHO})),
    "500": always(status=500, body=error_body(500, detail=ECHO)),
    "502 as text": always(status=502, body=ECHO),
    "503 with Retry-After": always(status=503, body=ECHO, retry_after=SECRET),
    "429 for hours": always(status=429, body=error_body(429, detail=ECHO), retry_after="36000"),
    "redirect off the host": always(status=307, location=f"https://evil.test/?token={SECRET}"),
    "redirect to a host of that name": always(status=308, location=f"https://{SECRET}.evil.test/"),
    "redirect within the host": always(status=307, location=f"/scim/v2/x?token={SECRET}"),
    "redirect with credentials": always(status=302, location=f"https://me:{SECRET}@evil.test/"),
    "redirect to nowhere": always(status=307, location=f"http://[{SECRET}"),
    "reset": (reset(),) * 60,
    "page": always(status=200, body=f"<p>{ECHO}", **{"content-type": "text/html"}),
    "content type": always(status=200, body="x", **{"content-type": f"text/{SECRET}"}),
    "content type of nothing": always(status=200, **{"content-type": f"text/{SECRET}"}),
    "half of a document": always(status=200, body=f'{{"detail": "{ECHO}'),
    "no object": always(status=200, body=json.dumps([ECHO])),
    "error under 200": always(status=200, body=error_body(500, detail=ECHO)),
    "no UTF-8": always(status=200, body=b"\xff\xfe" + ECHO.encode()),
    "unknown status": always(status=299, body=ECHO),
}
"""Answers to whatever is asked that hold the token, and the connections that give none."""

LISTED: Mapping[str, tuple[Fault, ...]] = {
    "total": answers({"totalResults": SECRET, "Resources": []}),
    "cursor": answers({"totalResults": 9, "Resources": [user("ada")], "nextCursor": SECRET}),
    "resources": answers({"totalResults": 1, "Resources": SECRET}),
    "resource": answers({"totalResults": 1, "Resources": [SECRET]}),
    "active": answers({"totalResults": 1, "Resources": [user("ada", active=SECRET)]}),
    "roles": answers({"totalResults": 1, "Resources": [user("ada", roles=SECRET)]}),
    "unknown attribute": answers({"totalResults": 1, "Resources": [user("ada", nickName=ECHO)]}),
    "escaped": always(
        "GET",
        200,
        '{"totalResults": 1, "Resources": [{"id": "1", "userName": "\\u00733cret-of-the-server"}]}',
        "/Users",
    ),
}
"""Listings of people with the token where something else should be."""

PEOPLE: Mapping[str, Callable[[], FakeServer]] = {
    "userName": with_user(userName=SECRET),
    "part of a userName": with_user(userName=f"x+{SECRET}@acme.example"),
    "id": with_user(id=SECRET),
    "displayName": with_user(displayName=SECRET),
    "role": with_role,
    "group": with_group,
}
"""A server that calls people, roles or groups like the token."""

LISTINGS: Mapping[str, Case] = {
    f"listing {kind.name.lower().replace('_', ' ')}": Case(
        PLAN,
        ExitCode.UNREADABLE,
        server=lambda kind=kind: acme(page=2, listing=kind),  # type: ignore[misc]
    )
    for kind in (Listing.IGNORES_START, Listing.TOTAL_TOO_HIGH, Listing.TWICE_ON_ONE_PAGE)
}

WRITES: Mapping[str, tuple[Fault, ...]] = {
    "401": always("PATCH", 401, error_body(401, detail=ECHO)),
    "400": always("PATCH", 400, error_body(400, SECRET, ECHO)),
    "409": always("PATCH", 409, error_body(409, "uniqueness", ECHO)),
    "412": always("PATCH", 412, error_body(412, detail=ECHO)),
    "500": always("PATCH", 500, error_body(500, detail=ECHO)),
    "429": always("PATCH", 429, ECHO, retry_after="36000"),
    "redirect": always("PATCH", 307, location=f"https://evil.test/?token={SECRET}"),
    "reset": (reset("PATCH"),) * 60,
    "page": always("PATCH", 200, f"<p>{ECHO}"),
    "document": always("PATCH", 200, json.dumps(user("cleo", nickName=ECHO))),
    "error under 200": always("PATCH", 200, error_body(500, SECRET, ECHO)),
}
"""Answers to a write that hold the token."""

ENVIRONMENTS: Mapping[str, Mapping[str, str]] = {
    "URL with credentials": {"CIRCLECI_SCIM_URL": f"https://me:{SECRET}@scim.example"},
    "URL with a query": {"CIRCLECI_SCIM_URL": f"https://scim.example?token={SECRET}"},
    "URL with a port": {"CIRCLECI_SCIM_URL": f"https://scim.example:{SECRET}/"},
    "URL with a blank": {"CIRCLECI_SCIM_URL": f"https://scim.example/ {SECRET}"},
    "token for a URL": {"CIRCLECI_SCIM_URL": SECRET},
    "two lines": {"CIRCLECI_SCIM_TOKEN": f"{SECRET}\nx"},
    "two tokens": {"CIRCLECI_SCIM_TOKEN_FILE": "TOKEN_FILE"},
    "open file": {"CIRCLECI_SCIM_TOKEN": "", "CIRCLECI_SCIM_TOKEN_FILE": "TOKEN_FILE"},
    "token for a file": {"CIRCLECI_SCIM_TOKEN_FILE": SECRET},
    "token for a command": {"CIRCLECI_SCIM_TOKEN_COMMAND": f"/nowhere/{SECRET}"},
    "command that fails": {
        "CIRCLECI_SCIM_TOKEN_COMMAND": f"sh -c 'echo {SECRET}; echo {SECRET} >&2; exit 3'"
    },
    "command with two lines": {"CIRCLECI_SCIM_TOKEN_COMMAND": f"sh -c 'echo {SECRET}; echo {SECRET}'"},
    "command with an open quote": {"CIRCLECI_SCIM_TOKEN_COMMAND": f"echo '{SECRET}"},
    "token for a place": {"CIRCLECI_SCIM_TOKEN_VAULT": SECRET},
    "token for a field": {
        "CIRCLECI_SCIM_TOKEN_VAULT": "secret/scim#token",
        "VAULT_ADDR": "http://127.0.0.1:PORT",
        "VAULT_TOKEN": SECRET,
    },
    "token for Vault's address": {
        "CIRCLECI_SCIM_TOKEN_VAULT": "secret/scim#token",
        "VAULT_ADDR": f"https://{SECRET}@vault.example",
        "VAULT_TOKEN": SECRET,
    },
}
"""The token where it should not be, or in a source that is unfit."""

WAYS: Mapping[str, Case] = {
    "plan": Case(PLAN, ExitCode.DONE),
    "plan with exit code": Case(("plan", "--exit-code"), ExitCode.DRIFT),
    "plan to a file": Case(("plan", "--out", "plan.json"), ExitCode.DONE),
    "plan to nowhere": Case(("plan", "--out", "no/plan.json"), ExitCode.USAGE),
    "apply": Case(APPLY, ExitCode.DONE),
    "apply again": Case(APPLY, ExitCode.DONE, first=(APPLY,)),
    "apply a plan file": Case(("apply", "plan.json"), ExitCode.DONE, first=(("plan", "--out", "plan.json"),)),
    "apply a stale plan file": Case(
        ("apply", "plan.json"),
        ExitCode.STALE,
        first=(("plan", "--out", "plan.json"),),
        meanwhile=policy_edited,
    ),
    "apply another plan": Case(("apply", "--expect", SOMETHING_ELSE), ExitCode.STALE),
    "apply in part": Case(APPLY, ExitCode.PARTLY_APPLIED, server=lambda: acme(keeps_roles=False)),
    "undo": Case(UNDO, ExitCode.DONE, first=(APPLY,)),
    "undo and apply": Case(UNDO_AND_APPLY, ExitCode.DONE, first=(APPLY,)),
    "undo what never was": Case(("undo", "0123456789ab"), ExitCode.USAGE, first=(APPLY,), has_json=False),
    "undo without a ledger": Case(("undo", "0123456789ab"), ExitCode.USAGE, has_json=False),
    "undo against a broken server": Case(
        UNDO, ExitCode.UNREADABLE, REPEATED["401 that repeats the header"], first=(APPLY,)
    ),
    "undo that is refused": Case(UNDO_AND_APPLY, ExitCode.PARTLY_APPLIED, WRITES["400"], first=(APPLY,)),
    "history": Case(("history",), ExitCode.DONE, first=(APPLY, UNDO_AND_APPLY)),
    "history of one run": Case(("history", "RUN"), ExitCode.DONE, first=(APPLY,)),
    "history that is sound": Case(("history", "--verify"), ExitCode.DONE, first=(APPLY,)),
    "history that was edited": Case(
        ("history", "--verify"), ExitCode.UNEXPECTED, first=(APPLY,), meanwhile=ledger_edited
    ),
    "history without a ledger": Case(("history",), ExitCode.USAGE),
    "ledger that is locked": Case(APPLY, ExitCode.USAGE, meanwhile=ledger_locked),
    "ledger that was edited": Case(
        UNDO, ExitCode.UNEXPECTED, first=(APPLY,), meanwhile=ledger_edited, has_json=False
    ),
    "guardrail": Case(APPLY, ExitCode.REFUSED, organization=ORGANIZATION.replace("count: 10", "count: 0")),
    "unknown group": Case(PLAN, ExitCode.INVALID, bindings=BINDINGS.replace("eng-web", "eng-wbe")),
    "invalid policy": Case(PLAN, ExitCode.INVALID, bindings=BINDINGS.replace("admin", "admn")),
    "doctor": Case(DOCTOR, ExitCode.DONE),
    "doctor: open file": Case(DOCTOR, ExitCode.USAGE, variables=ENVIRONMENTS["open file"]),
    "validate": Case(("validate",), ExitCode.DONE),
    "validate what is invalid": Case(
        ("validate",), ExitCode.INVALID, bindings=BINDINGS.replace("admin", "admn")
    ),
    "unknown command": Case(("plann",), ExitCode.USAGE, has_json=False),
    "unknown option": Case(("plan", "--frmat"), ExitCode.USAGE, has_json=False),
    "unknown format": Case(("plan", "--format", "xml"), ExitCode.USAGE, has_json=False),
    "single file": Case(("plan", "policies/acme/web.yaml"), ExitCode.USAGE, has_json=False),
    "help": Case(("plan", "--help"), ExitCode.DONE, has_json=False),
    "nobody listens": Case(PLAN, ExitCode.UNREADABLE, variables={"CIRCLECI_SCIM_URL": "http://127.0.0.1:1"}),
    "no TLS there": Case(
        PLAN, ExitCode.UNREADABLE, variables={"CIRCLECI_SCIM_URL": "https://127.0.0.1:PORT/scim/v2"}
    ),
    **LISTINGS,
    **{
        f"{command[0]}: {name}": Case(command, ExitCode.UNREADABLE, faults, has_json=command == PLAN)
        for name, faults in REPEATED.items()
        for command in (PLAN, APPLY)
    },
    **{f"doctor: {name}": Case(DOCTOR, ExitCode.UNREADABLE, faults) for name, faults in REPEATED.items()},
    **{
        f"doctor, called like it: {name}": Case(DOCTOR, ExitCode.UNREADABLE, server=server)
        for name, server in PEOPLE.items()
    },
    **{f"list: {name}": Case(PLAN, ExitCode.UNREADABLE, faults) for name, faults in LISTED.items()},
    **{
        f"{command[0]}, called like it: {name}": Case(
            command, ExitCode.UNREADABLE, server=server, has_json=command == PLAN
        )
        for name, server in PEOPLE.items()
        for command in (PLAN, APPLY)
    },
    **{f"write: {name}": Case(APPLY, ExitCode.PARTLY_APPLIED, faults) for name, faults in WRITES.items()},
    **{
        f"{command[0]}, environment: {name}": Case(
            command, ExitCode.USAGE, variables=variables, has_json=command == PLAN
        )
        for name, variables in ENVIRONMENTS.items()
        for command in (PLAN, APPLY)
    },
}

RUNS = [
    pytest.param(case, flags, output, id="-".join((name, *flags, *output[1:])))
    for name, case in WAYS.items()
    for flags in ((), ("--debug",))
    for output in ((), ("--format", "json"))
    if case.has_json or not output
]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one; nothing of the environment's own connections."""
    for name in [name for name in os.environ if "SCIM" in name or name.startswith(("VAULT", "SSL_CERT"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CIRCLE_SHA1", "0123abcd")  # asking git takes longer than all the rest
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def run(variables: Mapping[str, str | None], *arguments: str) -> tuple[int, str]:
    """Exit code and both streams of one run that never really waits."""
    reach = Reach(patience=Time().patience())
    words = [_run_id() if word == "RUN" else word for word in arguments]
    result = CliRunner().invoke(cli, words, env=variables, obj=reach)
    assert isinstance(result.exception, SystemExit | None), result.exception
    return int(result.exit_code), result.stdout + result.stderr


def _run_id() -> str:
    """The name of the first run in the ledger."""
    with LEDGER.open(encoding="utf-8") as ledger:
        return str(json.loads(ledger.readline())["hash"])[:12]


def leaks(printed: str, work: Path) -> list[str]:
    """Where the token is: in what was printed, or in which files below the current folder."""
    files = [file for file in work.rglob("*") if file.is_file()]
    found = [str(file) for file in files if SECRET.encode() in file.read_bytes().lower()]
    return (["printed"] if SECRET in printed.lower() else []) + found


@pytest.mark.parametrize(("case", "flags", "output"), RUNS)
def test_the_token_is_in_nothing_that_a_run_leaves_behind(
    case: Case, flags: Command, output: Command, work: Path
) -> None:
    write_policy(work / "policies/acme", case.organization, case.bindings)
    (work.parent / "token").write_text(SECRET)
    (work.parent / "token").chmod(0o644)
    server = case.server()
    with serving(server) as url:
        for command in case.first:
            run(environment(url), *command)
        server.faults = list(case.faults)
        variables = {**environment(url), **_filled(case.variables, url, work.parent / "token")}
        with case.meanwhile():
            code, printed = run(variables, *flags, *case.command, *output)
    assert (leaks(printed, work), code) == ([], case.code)


def _filled(variables: Mapping[str, str], url: str, file: Path) -> Mapping[str, str | None]:
    """These variables; where one gives the token from elsewhere, it is not in its own as well."""
    port = url.split(":")[2].split("/")[0]
    filled = {n: v.replace("PORT", port).replace("TOKEN_FILE", str(file)) for n, v in variables.items()}
    others = [name for name in variables if name.startswith("CIRCLECI_SCIM_TOKEN_")]
    keep_both = "CIRCLECI_SCIM_TOKEN" not in variables and "TOKEN_FILE" in variables.values()
    return {**filled, **({"CIRCLECI_SCIM_TOKEN": None} if others and not keep_both else {})}


# What such an answer is


def test_a_server_that_calls_somebody_like_the_token_cannot_be_read(work: Path) -> None:
    write_policy(work / "policies/acme")
    with serving(with_user(userName=SECRET)()) as url:
        code, printed = run(environment(url), "plan")
    assert (code, printed.replace(url, "SERVER")) == (
        ExitCode.UNREADABLE,
        "error: could not read SERVER/Users: the server's answer repeats the token that it was asked with\n"
        "hint: nothing of it is used, for it would end in plans and ledgers; replace the token\n",
    )


# Processes of their own, whose streams nobody catches first


@pytest.mark.parametrize("flags", [(), ("--debug",)], ids=["plain", "debug"])
@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ((), ExitCode.DONE),
        (REPEATED["401 that repeats the header"], ExitCode.UNREADABLE),
        (REPEATED["redirect to a host of that name"], ExitCode.UNREADABLE),
    ],
    ids=["done", "401", "redirect"],
)
def test_a_process_leaves_it_nowhere(
    faults: tuple[Fault, ...], code: ExitCode, flags: Command, work: Path
) -> None:
    write_policy(work / "policies/acme")
    with serving(acme(faults=list(faults))) as url:
        done, out, err = ended(start(environment(url), *flags, "apply"))
    assert (leaks(out + err, work), done) == ([], code)


def test_a_terminal_is_not_sent_it(work: Path) -> None:
    write_policy(work / "policies/acme")
    with serving(acme(faults=list(WRITES["400"]))) as url:
        code, seen = on_terminal(environment(url), "--debug", "apply")
    assert (leaks(seen, work), code) == ([], ExitCode.PARTLY_APPLIED)


CRASH = """\
import sys
from reconciler import planning
from reconciler.cli import main

def survey(policy, provider, directory, *others):
    client = provider._client
    seen = [provider, directory, client, client._transport, *client._transport._connections, client.__dict__]
    raise RuntimeError(f"no plan: {seen!r}")

planning.survey = survey
main()
"""


def test_a_traceback_of_a_bug_shows_everything_but_the_token(work: Path) -> None:
    write_policy(work / "policies/acme")
    with serving(acme()) as url:
        done = crashed(CRASH, environment(url))
    assert "RuntimeError: no plan: [<reconciler.scim.provider." in done.stderr
    assert (leaks(done.stdout + done.stderr, work), done.returncode) == ([], 1)


def crashed(program: str, variables: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-c", program, "--debug", "plan"]
    return subprocess.run(command, env=surroundings(variables), capture_output=True, text=True, check=False)


def test_nobody_who_lists_the_processes_sees_it(work: Path) -> None:
    """No process that a run starts, git or a token command, is given the token as an argument."""
    write_policy(work / "policies/acme")
    (work / "bin").mkdir()
    for name in ("git", "tell"):
        script = work / "bin" / name
        script.write_text(
            f'#!/bin/sh\necho {name} "$@" >> {shlex.quote(str(work / "told"))}\n'
            f"[ {name} = tell ] && cat {shlex.quote(str(work.parent / 'token'))}\n"
        )
        script.chmod(0o755)
    (work.parent / "token").write_text(SECRET)
    path = f"{work / 'bin'}:{os.environ['PATH']}"
    with serving(acme()) as url:
        variables = {"CIRCLECI_SCIM_URL": url, "CIRCLECI_SCIM_TOKEN_COMMAND": "tell scim", "PATH": path}
        done = subprocess.run(
            [*RECONCILER, "--debug", "apply"],
            env={name: value for name, value in surroundings(variables).items() if name != "CIRCLE_SHA1"},
            capture_output=True,
            text=True,
            check=False,
        )
    told = (work / "told").read_text()
    assert {line.split()[0] for line in told.splitlines()} == {"tell", "git"}
    assert (leaks(done.stdout + done.stderr, work), done.returncode) == ([], ExitCode.DONE)
