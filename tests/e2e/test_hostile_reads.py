"""What only reads, against a server with each of the faults that there are: no write, and the truth or words.

One test for each fault, each command and each way of storing roles: how many faults were injected is how
many tests `pytest tests/e2e/test_hostile_reads.py` counts.
"""

from functools import cache
from pathlib import Path

import pytest
from hostile import world
from hostile.faults import Knob, Paging, Rival
from hostile.server import HostileServer
from hostile.table import READS
from scim.fake_server import BASE

from reconciler import ledger as recorded
from reconciler.errors import ExitCode
from reconciler.policy.document import StoredAs

COMMANDS = (("plan",), ("plan", "--format", "json"), ("undo",))
"""Every command that reads a server; `undo` is of the run that brought it to the policy."""

LEDGER = Path(".reconciler/ledger.jsonl")


@pytest.fixture(params=StoredAs, ids=str)
def stored_as(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredAs:
    """A way of storing roles, with a policy for it in the current folder."""
    stored_as: StoredAs = request.param
    monkeypatch.chdir(tmp_path)
    world.policy(tmp_path / "policies/acme", stored_as)
    return stored_as


@cache
def ledger(stored_as: StoredAs) -> str:
    """The ledger of an apply; made in the current folder."""
    assert world.run(world.server(stored_as), "apply")[0] == ExitCode.DONE
    return LEDGER.read_text(encoding="ascii")


def situation(stored_as: StoredAs, command: tuple[str, ...], *knobs: Knob) -> HostileServer:
    """The server that a command is for, behind these knobs, and its ledger in the current folder."""
    if command != ("undo",):
        return world.server(stored_as, *knobs)
    text = ledger(stored_as)
    LEDGER.parent.mkdir(exist_ok=True)
    LEDGER.write_text(text, encoding="ascii")
    return HostileServer(world.content_of(world.DESIRED, world.DIRECTORY, stored_as), *knobs)


def answered(server: HostileServer, command: tuple[str, ...]) -> tuple[int, str, str]:
    """What a command ends with and prints; of the only run there is, where it undoes one."""
    run = [past.id for past in recorded.past(LEDGER)] if command == ("undo",) else []
    return world.run(server, *command, *run)


@cache
def truth(stored_as: StoredAs, *command: str) -> tuple[int, str, str]:
    """How the command ends, and what it prints, where the server is honest."""
    answer = answered(situation(stored_as, command), command)
    assert (answer[0], answer[2]) == (ExitCode.DONE, "")
    return answer


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("knobs", READS.values(), ids=list(READS))
def test_a_command_that_reads_writes_nothing_and_tells_the_truth_or_refuses(
    knobs: tuple[Knob, ...], command: tuple[str, ...], stored_as: StoredAs
) -> None:
    server = situation(stored_as, command, *knobs)
    answer = answered(server, command)
    assert server.writes == []
    if answer == truth(stored_as, *command):
        return
    code, _, err = answer
    if any(isinstance(knob, Rival) for knob in knobs):
        assert code in (ExitCode.UNREADABLE, ExitCode.INVALID) or answer == after_all(server, command)
    else:
        assert code == ExitCode.UNREADABLE
    assert code != ExitCode.UNREADABLE or err.startswith("error: ")


def after_all(server: HostileServer, command: tuple[str, ...]) -> tuple[int, str, str]:
    """What the command says of the same people once the server is honest."""
    server.knobs = ()
    return answered(server, command)


@pytest.mark.slow
def test_a_listing_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    world.policy(tmp_path / "policies/acme", StoredAs.USER_ROLES)
    server = world.server(StoredAs.USER_ROLES, Paging.ENDLESS)
    assert world.run(server, "plan") == (
        7,
        "",
        f"error: could not list {BASE}/Users: it has no end: 40000 resources on 10000 pages\n"
        "hint: nothing was changed; a plan needs a listing that is whole\n",
    )
