"""A run is killed at each moment, one by one: nothing is lost, nothing is unknown, the next run converges.

The number of crash points is the number of these tests but the first two:
`pytest tests/e2e/test_killed.py -q`.
"""

import json
import os
import signal
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from click.testing import CliRunner
from e2e import killed_process, killed_world
from e2e.killed_process import LEDGER, Ends
from e2e.killed_world import MINIMUM_ADMINS, PROJECTS, ROLES, Deed, KillingServer, Request, deed, spelled
from e2e.loopback import environment, serving
from httpx import MockTransport

from reconciler import ledger
from reconciler.cli import cli
from reconciler.http.reach import Reach
from reconciler.policy.document import StoredAs

pytestmark = pytest.mark.slow

APPLY = ("apply", "--ledger", LEDGER)
AT_ONCE = 4
"""So many writes at once: few, so that a stage has more than may be recorded ahead of them."""
VARIABLES = {"CIRCLE_USERNAME": "ci", "CIRCLE_SHA1": "0" * 40, "CIRCLECI_SCIM_AT_ONCE": str(AT_ONCE)}
CHANGES = {StoredAs.USER_ROLES: 31, StoredAs.GROUPS: 30}
WRITES = {StoredAs.USER_ROLES: 31, StoredAs.GROUPS: 18}
"""Requests that write. Where roles are groups, one can be for several changes."""
READS = {StoredAs.USER_ROLES: 17, StoredAs.GROUPS: 22}
"""Requests that read once something was written."""
RECORDINGS = {StoredAs.USER_ROLES: 12, StoredAs.GROUPS: 9}
"""So often at least a run adds to its ledger, mostly several records."""
SYNCS = 6
"""So often at least it waits for the disk."""
AHEAD = {StoredAs.USER_ROLES: 3 * AT_ONCE - 2, StoredAs.GROUPS: 15}
"""So many changes at most are recorded at once; where roles are groups, all of the longest stage."""
EVERY = 7
"""So many moments to one of those whose neighbours are much alike."""
TRIED = 2 if os.environ.get("CI") == "true" else 1
"""In CI, for time is short there, every second moment of all."""


def requests(*, every: int) -> list[Any]:
    """The moments around each request that writes, and at each that reads meanwhile."""
    moments = [
        (stored_as, kills, number)
        for stored_as in StoredAs
        for kills, last in (("before", WRITES), ("after", WRITES), ("at", READS))
        for number in range(1, last[stored_as] + 1)
    ]
    return [pytest.param(*moment, id=" ".join(map(str, moment))) for moment in moments[::every]]


def records() -> list[Any]:
    """Moments at which records are written in part, or whole and not waited for."""
    moments = [
        (stored_as, Ends(function, call))
        for stored_as in StoredAs
        for function, last in (("write", RECORDINGS[stored_as]), ("fsync", SYNCS))
        for call in range(last, 0, -2)
    ]
    return [pytest.param(*moment, id=f"{moment[0]} {moment[1]}") for moment in moments]


# A run that nobody kills


@cache
def undisturbed(stored_as: StoredAs) -> KillingServer:
    """The server after a run that was left alone, in a folder that is gone."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        server = organization(stored_as)
        run(server, *APPLY)
        assert list(ledger.verify(server.ledger)) == []
        return server


@pytest.mark.parametrize("stored_as", StoredAs, ids=str)
def test_there_are_just_so_many_moments(stored_as: StoredAs) -> None:
    server = undisturbed(stored_as)
    assert (len(server.came), server.looks) == (WRITES[stored_as], READS[stored_as])
    assert len(frozenset().union(*(request.deeds for request in server.came))) == CHANGES[stored_as] >= 30
    known = sorted({0, *(len(request.records) for request in server.came)})
    assert max(after - before for before, after in pairwise(known)) == AHEAD[stored_as]


# A run that is killed


@pytest.mark.parametrize(("stored_as", "kills", "number"), requests(every=TRIED))
def test_whenever_a_run_is_killed_the_next_one_converges(
    stored_as: StoredAs, kills: str, number: int
) -> None:
    server = killed(stored_as, kills, number)

    assert list(ledger.verify(server.ledger)) == []
    assert_that_the_ledger_is_what_the_server_saw(server)
    assert_that_the_next_run_converges(server)


@pytest.mark.parametrize(("stored_as", "ends"), records())
def test_whenever_a_run_is_killed_while_it_records_the_next_one_converges(
    stored_as: StoredAs, ends: Ends
) -> None:
    server = killed(stored_as, ends=ends)

    whole = server.ledger.read_bytes().endswith(b"\n")
    assert whole is (ends.function == "fsync")
    faults = [fault.line for fault in ledger.verify(server.ledger)]
    assert faults == ([] if whole else [len(server.ledger.read_bytes().splitlines())])
    assert_that_the_ledger_is_what_the_server_saw(server)
    assert_that_the_next_run_converges(server)


@pytest.mark.parametrize(("stored_as", "kills", "number"), requests(every=EVERY))
def test_whenever_a_run_is_killed_it_can_be_undone(stored_as: StoredAs, kills: str, number: int) -> None:
    server = killed(stored_as, kills, number)
    (past,) = told(server)

    run(server, "undo", past["run"], "--apply", "--ledger", LEDGER)

    assert server.contents() == fresh(stored_as).contents()
    assert_that_nobody_was_worse_off(server)
    assert list(ledger.verify(server.ledger)) == []
    assert told(server)[1]["undoes"] == past["run"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder for the policy and the ledger is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", killed_process.without_waiting)


def organization(stored_as: StoredAs) -> KillingServer:
    """An organization whose policy and ledger are in the current folder."""
    killed_world.policy(Path("policies/acme"), stored_as)
    return fresh(stored_as)


def fresh(stored_as: StoredAs) -> KillingServer:
    return killed_world.server(stored_as, Path(LEDGER).absolute())


def killed(stored_as: StoredAs, kills: str = "", number: int = 0, ends: Ends | None = None) -> KillingServer:
    """The server after the run was killed at that moment."""
    server = organization(stored_as)
    server.kills, server.number = kills, number
    with serving(server) as server.url:
        # Certificates of authorities are not needed, and many take long to load.
        variables = {**environment(server.url), **VARIABLES, "SSL_CERT_FILE": "", "SSL_CERT_DIR": "."}
        server.victim = killed_process.start(Path.cwd(), variables, APPLY, ends)
        server.known.set()
        victim = server.victim
        victim.join(60)
        assert victim.exitcode == -signal.SIGKILL, Path(killed_process.OUTPUT).read_text(encoding="utf-8")
    server.victim, server.is_dead = None, False
    return server


def run(server: KillingServer, *arguments: str) -> str:
    """What a run prints that nobody kills, and that has to end well."""
    reach = Reach(MockTransport(server.answer))
    result = CliRunner().invoke(cli, arguments, env={**environment(server.url), **VARIABLES}, obj=reach)
    assert result.exit_code == 0, result.output
    return result.stdout


def told(server: KillingServer) -> Sequence[Mapping[str, Any]]:
    """The runs that `history` tells of."""
    runs: Sequence[Mapping[str, Any]] = json.loads(
        run(server, "history", "--format", "json", "--ledger", LEDGER)
    )["runs"]
    return runs


# What has to hold


def assert_that_the_next_run_converges(server: KillingServer) -> None:
    written = server.ledger.read_bytes().splitlines(keepends=True)
    known = b"".join(line for line in written if line.endswith(b"\n"))
    runs = [one["ended"] for one in told(server)]
    assert runs == [None] * bool(known)

    run(server, *APPLY)

    assert server.contents() == undisturbed(server.stored_as).contents()
    assert_that_nobody_was_worse_off(server)
    assert server.ledger.read_bytes().startswith(known)
    assert list(ledger.verify(server.ledger)) == []
    *_, last = told(server)
    assert last["ended"] is not None
    assert len(told(server)) == len(runs) + 1


def assert_that_the_ledger_is_what_the_server_saw(server: KillingServer) -> None:
    """Each write was recorded before it came, as what it was; few are recorded that did not come."""
    lines = server.ledger.read_bytes().splitlines(keepends=True)
    told = [json.loads(line) for line in lines if line.endswith(b"\n")]
    recorded = [one["change"] for one in told if one["event"] == "write"]
    came = frozenset[Deed]().union(*(request.deeds for request in server.came))
    ahead = [one for one in recorded if deed(server.stored_as, one) not in came]
    assert len(ahead) <= AHEAD[server.stored_as]
    for request in server.came:
        changes = [record["change"] for record in request.records]
        assert_that_it_was_as_recorded(server.stored_as, request, changes)


def assert_that_it_was_as_recorded(
    stored_as: StoredAs, request: Request, changes: Sequence[Mapping[str, Any]]
) -> None:
    """All that a request does is of changes that were recorded by then, and nothing else became of it."""
    meant = {deed(stored_as, change): change for change in changes}
    assert request.deeds <= meant.keys()
    if request.method == "POST" or request.after is None:
        return
    for verb, id_ in request.deeds:
        change = meant[verb, id_]
        before, after = values(stored_as, change, "before"), values(stored_as, change, "after")
        had, has = request.before[id_], request.after[id_]
        assert has - had <= after - before
        assert had - has <= before - after
    others = request.before.keys() - {id_ for _, id_ in request.deeds}
    assert all(request.before[id_] == request.after[id_] for id_ in others)


def assert_that_nobody_was_worse_off(server: KillingServer) -> None:
    """At no moment were there too few admins, or somebody without what they have before and after it all."""
    stored_as = server.stored_as
    before, after = fresh(stored_as).state(), undisturbed(stored_as).state()
    for request in server.came:
        state = request.after
        if state is None:
            continue
        admins = [id_ for id_, held in state.items() if spelled(stored_as, "", "admin") in held]
        assert len(admins) >= MINIMUM_ADMINS
        for id_, held in state.items():
            assert before[id_] & after[id_] <= held <= before[id_] | after[id_]
            for scope in ("", *PROJECTS):
                had, has, gets = (rank(stored_as, one[id_], scope) for one in (before, state, after))
                assert min(had, gets) <= has <= max(had, gets)


def values(stored_as: StoredAs, change: Mapping[str, Any], side: str) -> frozenset[str]:
    """What the server calls the roles before or after a recorded change."""
    return frozenset(spelled(stored_as, _name(one), role) for one in change["scopes"] for role in one[side])


def _name(scope_change: Mapping[str, Any]) -> str:
    return scope_change["scope"]["project"] or ""


def rank(stored_as: StoredAs, held: frozenset[str], scope: str) -> int:
    """How high somebody's highest role in a scope is, 0 for none."""
    return max((n for n, role in enumerate(ROLES, 1) if spelled(stored_as, scope, role) in held), default=0)
