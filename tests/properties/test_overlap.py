"""What holds at every moment while writes overlap: whoever is quick, whoever is slow, whatever fails."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from build import NOW
from fakes import FakeProvider, Fault, Notes
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from overlap import drawn
from properties import reference, strategies
from properties.reference import highest
from properties.strategies import World, worlds

from reconciler import apply, ledger, planning
from reconciler.change import Change, Outcome, Result
from reconciler.errors import GuardrailError
from reconciler.ledger import Ledger
from reconciler.model import NOTHING, Roles
from reconciler.origin import Origin
from reconciler.plan import after
from reconciler.planning import Prepared, refuse
from reconciler.policy.document import Mode

NONE: Roles = frozenset()


@dataclass
class Pace:
    """How many writes are under way at once, how many changes are in one, when somebody asks to stop."""

    at_once: int
    together: int
    random: Random
    stops_after: int
    """So many changes that were tried; more than there are: never."""
    told: list[Change] = field(default_factory=list)
    """Each change that was tried and came to its end."""

    def over(self) -> bool:
        return len(self.told) >= self.stops_after


@st.composite
def paces(draw: DrawFn, *, stops: bool = True) -> Pace:
    at_once, together = draw(st.sampled_from([(2, 1), (3, 2), (8, 1), (4, 3)]))
    after = draw(st.sampled_from([99, 99, 99, 2, 0])) if stops else 99
    return Pace(at_once, together, draw(st.randoms(use_true_random=False)), after)


@dataclass(frozen=True)
class Ran:
    """A run, what the server held before it, and what was recorded of it."""

    world: World
    provider: FakeProvider
    account: Notes
    prepared: Prepared
    outcomes: tuple[Outcome, ...]
    before: reference.Held
    unrecorded: list[Change]
    """What arrived at the server and was not recorded by then."""


def run(world: World, pace: Pace, faults: Mapping[int, Fault], read_faults: Mapping[int, Fault]) -> Ran:
    provider = replace(
        world.provider(),
        faults=faults,
        read_faults=read_faults,
        at_once=pace.at_once,
        together=pace.together,
    )
    account, unrecorded, before = Notes(), list[Change](), provider.holdings()

    def arrive(change: Change) -> None:
        if not any(one is change for one in account.written):
            unrecorded.append(change)

    provider.meanwhile = arrive
    try:
        prepared, outcomes = world.run(
            provider,
            account=account,
            progress=pace.told.append,
            asked_to_stop=pace.over,
            hands=drawn(pace.random),
        )
    except GuardrailError:
        reject()
    return Ran(world, provider, account, prepared, outcomes, before, unrecorded)


def ran(world: SearchStrategy[World], *, stops: bool = True) -> SearchStrategy[Ran]:
    return st.builds(run, world, paces(stops=stops), strategies.faults, strategies.read_faults)


anybody = worlds(strategies.writing_mode)


@settings(max_examples=2 * settings().max_examples)
@given(ran(strategies.handovers() | anybody))
def test_whatever_fails_and_whoever_is_slow_every_law_holds_at_every_moment(it: Ran) -> None:
    check_admins(it)
    check_that_nobody_is_without(it)
    check_that_everybody_is_between_before_and_after(it)
    check_what_was_recorded(it)
    check_outcomes(it)


def check_admins(it: Ran) -> None:
    floor = min(it.world.floor, reference.admins(it.world, it.before))
    assert all(reference.admins(it.world, held) >= floor for held in it.provider.history)


def check_that_nobody_is_without(it: Ran) -> None:
    """Who has a role in a scope before and after has the lower of both, or more, at each moment."""
    planned = after(it.prepared.plan, it.before)
    for held in it.provider.history:
        for id_, holdings in it.before.items():
            for scope in holdings.keys() & planned.get(id_, {}).keys():
                least = min(highest(holdings, scope), highest(planned[id_], scope))
                assert highest(held.get(id_, {}), scope) >= least


def check_that_everybody_is_between_before_and_after(it: Ran) -> None:
    now, planned = it.provider.holdings(), after(it.prepared.plan, it.before)
    for id_ in {*it.before, *now, *planned}:
        for scope in strategies.scopes(it.world.organization):
            first, last, held = (of.get(id_, NOTHING).get(scope, NONE) for of in (it.before, planned, now))
            assert first & last <= held <= first | last


def check_what_was_recorded(it: Ran) -> None:
    """Nothing is sent before it is recorded, and what became of each change is recorded once."""
    assert it.unrecorded == []
    assert sorted(map(id, it.account.outcomes)) == sorted(map(id, it.outcomes))
    written = [id(change) for change in it.account.written]
    assert len(set(written)) == len(written)
    tried = {id(outcome.change) for outcome in it.outcomes if outcome.result is not Result.SKIPPED}
    assert {id(change) for change in it.provider.writes} <= tried <= set(written)


def check_outcomes(it: Ran) -> None:
    """They are in the plan's order, and what is called applied is so."""
    assert tuple(outcome.change for outcome in it.outcomes) == it.prepared.plan.changes
    assert all(bool(one.detail) is (one.result is not Result.APPLIED) for one in it.outcomes)
    now = it.provider.holdings()
    for (id_, scope), roles in reference.said(it.outcomes).items():
        assert now.get(id_, NOTHING).get(scope, NONE) == roles


@settings(max_examples=settings().max_examples // 2)
@given(anybody, paces())
def test_once_somebody_asked_to_stop_nothing_more_is_begun(world: World, pace: Pace) -> None:
    it = run(world, pace, {}, {})

    most = (pace.at_once + pace.at_once // 2) * pace.together
    assert len(it.provider.writes) < pace.stops_after + most
    assert pace.stops_after or not it.provider.calls
    results = {outcome.result for outcome in it.outcomes}
    assert results <= {Result.APPLIED} if not pace.over() else results <= {Result.APPLIED, Result.SKIPPED}


@settings(max_examples=settings().max_examples // 2)
@given(worlds(st.just(Mode.ENFORCE)), paces(stops=False))
def test_whatever_order_writes_end_in_it_converges(world: World, pace: Pace) -> None:
    it = run(world, pace, {}, {})

    assert {outcome.result for outcome in it.outcomes} <= {Result.APPLIED}
    assert world.prepare(it.provider).plan.changes == ()


class Killed(BaseException):
    """The process is gone in the middle of a write."""


@given(worlds(st.just(Mode.ENFORCE)), paces(stops=False), st.integers(1, 9))
def test_a_run_that_is_killed_while_writes_overlap_can_be_undone(world: World, pace: Pace, dies: int) -> None:
    provider = replace(world.provider(), at_once=pace.at_once, together=pace.together)
    before = provider.holdings()
    prepared = world.prepare(provider)
    if prepared.violations or not prepared.plan.changes:
        reject()

    def arrive(_: Change) -> None:
        if len(provider.writes) == dies:
            raise Killed

    provider.meanwhile = arrive
    with TemporaryDirectory() as folder:
        path = Path(folder, "ledger.jsonl")
        with Ledger(path, lambda: NOW) as record, suppress(Killed):
            account = record.begin(prepared.plan, prepared.live, Origin(), {})
            apply.carry_out(
                prepared.plan,
                provider,
                prepared.live,
                world.floor,
                account,
                pace.told.append,
                hands=drawn(pace.random),
            )
        assert list(ledger.verify(path)) == []
        [past] = ledger.past(path)
    provider.meanwhile = lambda _: None
    way, back = planning.prepare_undo(world.policy, past, "ledger.jsonl", provider, NOW)
    assert back.moved == ()
    try:
        refuse(way, {way.plan.fingerprint})
    except GuardrailError:
        return  # no approval lowers the admins, or takes anything while somebody protected can't be found
    apply.carry_out(way.plan, provider, way.live, world.floor, Notes(), pace.told.append)
    assert provider.holdings() == before
