"""Writes that are under way at once in real threads, whose ends come when the test lets them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from threading import Condition, Event, Thread, current_thread

import build
import pytest
from build import holds, live, organization, principal
from fakes import FakeProvider, Fault, Notes

from reconciler import apply, drift, plan
from reconciler.change import Change, Outcome, Result, SetActive, SetRoles
from reconciler.hands import Hands
from reconciler.plan import Plan

APPLIED, FAILED, SKIPPED = Result
PEOPLE = [f"p{number:02}" for number in range(20)]


@dataclass
class Gated(FakeProvider):
    """A provider whose writes wait until they are let through, or `raises` stands for them."""

    at_once: int = 4
    waits: bool = True
    arrived: list[str] = field(default_factory=list)
    threads: set[Thread] = field(default_factory=set)
    failing: Collection[str] = ()
    gate: Condition = field(default_factory=Condition)

    def write(self, change: Change) -> None:
        name = who(change)
        with self.gate:
            self.threads.add(current_thread())
            self.arrived.append(name)
            self.gate.notify_all()
            assert self.gate.wait_for(lambda: not self.waits or name not in self.arrived, 30)
            self.faults = {len(self.writes) + 1: Fault.REFUSED} if name in self.failing else {}
            super().write(change)

    def wait_for(self, number: int) -> list[str]:
        """Who is written to, once they are so many."""
        with self.gate:
            assert self.gate.wait_for(lambda: len(self.arrived) >= number, 30)
            return sorted(self.arrived)

    def let(self, *names: str) -> None:
        """Let the writes for these people end."""
        with self.gate:
            for name in names:
                self.arrived.remove(name)
            self.gate.notify_all()

    def open(self) -> None:
        """Let everything end that comes from now on, too."""
        with self.gate:
            self.waits = False
            self.gate.notify_all()


def who(change: Change) -> str:
    assert isinstance(change, SetRoles | SetActive)
    return change.principal.id.removeprefix("u-")


@dataclass
class Work:
    """A plan carried out in a thread of its own, which the test watches."""

    plan: Plan
    provider: Gated
    account: Notes = field(default_factory=Notes)
    progress: list[str] = field(default_factory=list)
    stop: bool = False
    heard: Event = field(default_factory=Event)
    outcomes: Sequence[Outcome] = ()

    def __post_init__(self) -> None:
        self.thread = Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        def step(change: Change) -> None:
            self.progress.append(who(change))

        def asked_to_stop() -> bool:
            if self.stop:
                self.heard.set()
            return self.stop

        state = self.provider.read()
        self.outcomes = apply.carry_out(self.plan, self.provider, state, 0, self.account, step, asked_to_stop)

    def ended(self) -> list[tuple[str, Result]]:
        self.thread.join(30)
        assert not self.thread.is_alive()
        return [(who(outcome.change), outcome.result) for outcome in self.outcomes]


def gains(number: int, **how: object) -> Work:
    """So many people who gain something, all of one stage."""
    of, state = organization(), live({name: holds() for name in PEOPLE[:number]})
    wanted = build.desired({name: holds("viewer") for name in PEOPLE[:number]})
    planned = plan.build(drift.detect(wanted, state), of, build.SERVER)
    provider = Gated(of, dict(state.people), **how)  # type: ignore[arg-type]
    return Work(planned, provider)


def test_as_many_writes_are_under_way_as_the_provider_takes_and_each_end_begins_another() -> None:
    work = gains(12)

    assert work.provider.wait_for(4) == PEOPLE[:4]
    work.provider.let("p02")
    assert work.provider.wait_for(4) == ["p00", "p01", "p03", "p04"]
    work.provider.open()

    assert work.ended() == [(name, APPLIED) for name in PEOPLE[:12]]
    assert work.progress[0] == "p02"
    assert sorted(work.progress) == PEOPLE[:12]
    assert len(work.provider.threads) == 4


def test_no_more_is_recorded_ahead_than_lies_ready_for_the_next_hand() -> None:
    work = gains(12)

    work.provider.wait_for(4)

    assert [who(change) for change in work.account.written] == PEOPLE[:10]
    work.provider.open()
    work.ended()


def test_who_asks_to_stop_waits_for_what_is_under_way_and_nothing_else_is_sent() -> None:
    work = gains(12)
    work.provider.wait_for(4)

    work.stop = True
    work.provider.let("p01")
    assert work.heard.wait(30)
    work.provider.open()

    results = dict(work.ended())
    sent = {who(change) for change in work.provider.writes}
    assert {*PEOPLE[:4]} <= sent <= {*PEOPLE[:10]}  # what lay ready a free hand may have been quicker to take
    assert results == {name: APPLIED if name in sent else SKIPPED for name in PEOPLE[:12]}
    assert len(work.account.outcomes) == 12


def test_what_fails_in_a_row_stops_the_rest_and_what_is_under_way_comes_to_its_end() -> None:
    work = gains(20, failing=PEOPLE)
    work.provider.open()

    results = [result for _, result in work.ended()]

    assert 5 <= results.count(FAILED) <= 5 + 3 + 6
    assert results.count(SKIPPED) == 20 - results.count(FAILED)
    assert len(work.provider.writes) == results.count(FAILED)


def test_what_a_write_must_not_raise_is_seen_by_who_waits_for_it() -> None:
    class Broken(FakeProvider):
        def write(self, change: Change) -> None:
            raise ZeroDivisionError

    state = live({"ann": holds()})
    planned = plan.build(
        drift.detect(build.desired({"ann": holds("viewer")}), state), organization(), build.SERVER
    )

    with pytest.raises(ZeroDivisionError):
        apply.carry_out(planned, Broken(organization()), state, 0, Notes(), lambda _: None)


def test_nothing_that_lies_ready_is_sent_once_nobody_waits_for_it() -> None:
    provider = Gated(organization(), {"u-ann": principal("ann"), "u-bob": principal("bob")}, at_once=2)
    hands = Hands(provider)
    hands.begin([build_change("ann")])
    hands.begin([build_change("bob")])
    hands.begin([build_change("cat")])
    provider.wait_for(2)

    assert [who(change) for change in hands.recall()] == ["cat"]
    assert [who(change) for change in hands.abandon()] == ["ann", "bob"]
    assert not hands.busy
    hands.close()
    provider.open()


def test_more_is_begun_only_once_there_is_room_for_as_many_as_there_are_hands() -> None:
    provider = Gated(organization(), {f"u-{name}": principal(name) for name in ("ann", "bob")}, at_once=2)
    hands = Hands(provider)
    free = [hands.free]
    for name in ("ann", "bob", "cat"):
        hands.begin([build_change(name)])
        free.append(hands.free)

    assert free == [4, 3, 2, 0]
    hands.close()
    provider.open()


def build_change(name: str) -> Change:
    return build.deactivate(name)
