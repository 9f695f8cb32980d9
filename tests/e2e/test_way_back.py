"""Undo and the ledger on the real sandbox: byte-equal roles afterwards, a ledger that can't be edited."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reconciler import ledger, sandbox
from reconciler.cli import cli
from reconciler.sandbox import seed
from reconciler.sandbox.server import Server

ROOT = Path(__file__).parents[2]
LEDGER = Path(".reconciler/ledger.jsonl")


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "policies", "policies")
    shutil.rmtree("policies/acme/access")  # temporary grants end, and these tests go on


@pytest.fixture
def server() -> Iterator[Server]:
    with sandbox.run(seed.acme()) as running:
        yield running


def reconciler(server: Server, *arguments: str) -> Result:
    environment = {"CIRCLECI_SCIM_URL": server.url, "CIRCLECI_SCIM_TOKEN": server.token}
    return CliRunner().invoke(cli, arguments, env=environment)


def applied(server: Server) -> str:
    """The run of an apply that wrote something."""
    planned = json.loads(reconciler(server, "plan", "--format", "json").stdout)["plans"][0]
    assert len(planned["changes"]) > 5
    done = reconciler(server, "apply", "--approve", planned["fingerprint"])
    assert done.exit_code == 0, done.output
    found = re.search(r"^run (\w+) is recorded in", done.stderr, re.MULTILINE)
    assert found is not None
    return found[1]


def stored(server: Server) -> dict[str, list[str]]:
    """Everybody's role entries, whole and as JSON. Their order means nothing (RFC 7643 section 2.4)."""
    with server.store.lock:
        users = [user.model_dump(mode="json", exclude_none=True) for user in server.store.users()]
    return {
        user["id"]: sorted(json.dumps(role, sort_keys=True) for role in user.get("roles") or ())
        for user in users
    }


def test_undo_after_an_apply_brings_byte_equal_roles_back(server: Server) -> None:
    before = stored(server)
    run = applied(server)
    assert stored(server) != before
    planned = json.loads(reconciler(server, "undo", run, "--format", "json").stdout)["plans"][0]
    done = reconciler(server, "undo", run, "--apply", "--approve", planned["fingerprint"])
    assert done.exit_code == 0, done.output
    assert stored(server) == before


def test_undo_alone_shows_the_way_back_and_writes_nothing(server: Server) -> None:
    run = applied(server)
    after, written = stored(server), len([request for request in server.requests if request.writes])
    shown = reconciler(server, "undo", run)
    assert f"undoes run {run} (.reconciler/ledger.jsonl:" in shown.stdout
    assert stored(server) == after
    assert len([request for request in server.requests if request.writes]) == written


def test_every_byte_of_the_ledger_of_a_real_run_counts(server: Server) -> None:
    applied(server)
    assert list(ledger.verify(LEDGER)) == []
    content = LEDGER.read_bytes()
    unseen = [at for at in range(len(content)) if not _found_out(content, at)]
    assert len(content) > 5000
    assert unseen == []


def _found_out(content: bytes, at: int) -> bool:
    LEDGER.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    return any(ledger.verify(LEDGER))


def test_an_edit_is_told_with_its_line_and_exits_1(server: Server) -> None:
    applied(server)
    content = LEDGER.read_text(encoding="ascii")
    LEDGER.write_text(content.replace('"viewer"', '"admin"', 1), encoding="ascii")
    told = reconciler(server, "history", "--verify")
    assert told.exit_code == 1
    assert re.match(r"\.reconciler/ledger\.jsonl:\d+: it was edited", told.stdout)
