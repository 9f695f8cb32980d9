"""Two applies of different policies against one server: the second runs whole at each request of the first.

Each policy is legal by itself and unseats one of three admins; both together would leave one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hostile import world
from hostile.server import Effect, Held, HostileServer

from reconciler.errors import ExitCode
from reconciler.policy.document import StoredAs

DIRECTORY = {
    "founders": ("ada", "bob"),
    "platform": ("ada", "eve"),
    "eng-web": ("bob", "cleo", "eve", "finn"),
}
LIVE = {
    "ada": (world.ADMIN,),
    "bob": (world.ADMIN,),
    "eve": (world.ADMIN,),
    "cleo": ("org-viewer",),
    "finn": (),
}
BINDINGS = """\
version: 1
bindings:
  - group: {admins}
    organization: admin
  - group: eng-web
    organization: {role}
"""
POLICIES = {"one": ("founders", "contributor"), "other": ("platform", "viewer")}
"""Each with the group whose people are admins, and the role of everybody in eng-web."""


def desired(policy: str, stored_as: StoredAs) -> Held:
    admins, role = POLICIES[policy]
    roles = {person: (world.ADMIN,) if person in DIRECTORY[admins] else (f"org-{role}",) for person in LIVE}
    return world.held(roles, stored_as, DIRECTORY)


@pytest.fixture(params=StoredAs, ids=str)
def stored_as(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredAs:
    """A way of storing roles, with both policies for it in the current folder."""
    stored_as: StoredAs = request.param
    monkeypatch.chdir(tmp_path)
    for policy, (admins, role) in POLICIES.items():
        bindings = BINDINGS.format(admins=admins, role=role)
        world.policy(tmp_path / policy / "acme", stored_as, bindings=bindings)
    return stored_as


def organization(stored_as: StoredAs) -> HostileServer:
    return HostileServer(world.content_of(LIVE, DIRECTORY, stored_as))


def apply(server: HostileServer, policy: str) -> int:
    """One run, one request after another, with a ledger of its own as on a machine of its own."""
    return world.run(server, "apply", policy, "--ledger", f"{policy}.jsonl", at_once=1)[0]


@dataclass(frozen=True)
class Meeting:
    """What came of two runs, the second of which ran whole just before a request of the first was served."""

    at: int
    server: HostileServer
    first: int
    second: int
    by_first: Sequence[Effect]

    @property
    def fewest_admins(self) -> int:
        """The fewest organization admins that there were at any moment."""
        return min(
            len(world.admins(effect.after, StoredAs.USER_ROLES) | world.admins(effect.after, StoredAs.GROUPS))
            for effect in self.server.effects
        )

    @property
    def before_a_write(self) -> bool:
        """Whether the first run had no look between the second and its own write."""
        return self.server.requests[self.at - 1].method != "GET"


def meet(stored_as: StoredAs, first: str, second: str, at: int) -> Meeting:
    server = organization(stored_as)
    codes: list[int] = []
    seen: list[int] = []

    def run_second(request: int) -> None:
        if request == at:
            server.meanwhile = None
            seen.append(len(server.effects))
            codes.append(apply(server, second))
            seen.append(len(server.effects))

    server.meanwhile = run_second
    code = apply(server, first)
    by_first = [*server.effects[: seen[0]], *server.effects[seen[1] :]]
    return Meeting(at, server, code, codes[0], by_first)


def meetings(stored_as: StoredAs, first: str, second: str) -> Sequence[Meeting]:
    """The second run at each request that the first sends where it is alone."""
    server = organization(stored_as)
    assert apply(server, first) == ExitCode.DONE
    assert server.held() == desired(first, stored_as)
    return [meet(stored_as, first, second, at) for at in range(1, len(server.requests) + 1)]


@pytest.mark.parametrize(("first", "second"), [("one", "other"), ("other", "one")])
def test_two_runs_at_once_hurt_nobody_and_end_honestly_wherever_they_meet(
    first: str, second: str, stored_as: StoredAs
) -> None:
    live = world.held(LIVE, stored_as, DIRECTORY)
    wanted = {policy: desired(policy, stored_as) for policy in POLICIES}
    met = meetings(stored_as, first, second)
    for meeting in met:
        check_nobody_holds_what_nobody_asked_for(meeting.server.held(), [live, *wanted.values()])
        check_exits(meeting, wanted[first])
    check_admins(met)
    for meeting in met:
        assert apply(meeting.server, first) == ExitCode.DONE, meeting.at
        assert meeting.server.held() == wanted[first], meeting.at


def check_nobody_holds_what_nobody_asked_for(held: Held, asked: Sequence[Held]) -> None:
    for person, names in held.items():
        assert len(names) == len(set(names))
        assert set(names) <= {name for one in asked for name in one[person]}


def check_exits(meeting: Meeting, wanted: Held) -> None:
    """The second was alone while it ran. The first says 0 only where it did all that it meant to."""
    assert meeting.second in (ExitCode.DONE, ExitCode.REFUSED)
    left = {person: after for effect in meeting.by_first for person, (_, after) in effect.people.items()}
    match meeting.first:
        case ExitCode.DONE:
            assert left == {person: wanted[person] for person in left}
        case ExitCode.UNREADABLE | ExitCode.REFUSED:
            assert not left
        case _:
            assert meeting.first == ExitCode.PARTLY_APPLIED


def check_admins(met: Sequence[Meeting]) -> None:
    """There are always enough, but where the second comes between the last look of the first and its write.

    SCIM has no request that says "if two admins are left", so this gap can't be closed. It is seen and said.
    """
    short = [meeting for meeting in met if meeting.fewest_admins < world.MINIMUM_ADMINS]
    if short:
        assert [meeting.at for meeting in short] == list(range(short[0].at, short[-1].at + 1))
        assert short[-1].before_a_write
    assert {meeting.first for meeting in short} <= {ExitCode.PARTLY_APPLIED}
