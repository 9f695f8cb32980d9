"""What holds for every organization, whatever it looks like and whatever goes wrong."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

from build import NOW
from fakes import FakeProvider, Fault
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from properties import reference, strategies
from properties.reference import highest
from properties.strategies import World, worlds

from reconciler import desired, guardrails
from reconciler.change import Outcome, Result, SetRoles
from reconciler.errors import GuardrailError
from reconciler.model import Holdings, Roles
from reconciler.plan import after
from reconciler.planning import Prepared
from reconciler.policy.document import Mode, StoredAs

enforced = st.just(Mode.ENFORCE)
NONE: Roles = frozenset()


def run(world: World, provider: FakeProvider) -> tuple[Prepared, tuple[Outcome, ...]]:
    """An apply; the example is of no use where a guardrail refuses it."""
    try:
        return world.run(provider)
    except GuardrailError:
        reject()


@given(worlds(enforced))
def test_a_plan_after_an_apply_is_empty(world: World) -> None:
    provider = world.provider()

    _, outcomes = run(world, provider)

    again = world.prepare(provider)
    assert {outcome.result for outcome in outcomes} <= {Result.APPLIED}
    assert not again.plan.drifted
    assert again.violations == ()


@given(worlds(st.sampled_from([Mode.ADDITIVE, Mode.REPORT])))
def test_a_plan_after_an_apply_that_may_not_do_everything_leaves_only_what_it_may_not(world: World) -> None:
    provider = world.provider()

    first, _ = run(world, provider)

    again = world.prepare(provider).plan
    assert again.changes == ()
    assert {change.principal.id for change in again.withheld_people} <= {
        change.principal.id for change in first.plan.withheld_people
    }


@given(worlds())
def test_an_apply_twice_sends_no_write_the_second_time(world: World) -> None:
    provider = world.provider()
    run(world, provider)
    calls, requests = list(provider.calls), provider.requests

    _, outcomes = run(world, provider)

    assert outcomes == ()
    assert (provider.calls, provider.requests) == (calls, requests)


@given(worlds(enforced, broken=False))
def test_everybody_ends_with_what_the_policy_gives_them(world: World) -> None:
    assert reference.resolved(world)
    provider = world.provider()
    before = provider.holdings()

    run(world, provider)

    wanted = {
        person.id: before.get(person.id, {})
        if reference.is_protected(world, person)
        else {scope: frozenset([role]) for scope, role in reference.given(world, person).items()}
        for person in world.people
    }
    assert provider.holdings() == {id_: holdings for id_, holdings in wanted.items() if holdings}


@given(worlds())
def test_nobody_loses_what_something_unresolved_could_have_given(world: World) -> None:
    provider = world.provider()
    before = provider.holdings()

    run(world, provider)

    now = provider.holdings()
    for person in world.people:
        could = reference.could_be_given(world, person)
        for scope in could:
            had = highest(before.get(person.id, {}), scope)
            assert highest(now.get(person.id, {}), scope) >= min(had, could[scope])


@given(worlds(enforced))
def test_what_is_unresolved_keeps_what_it_could_give_and_gives_nothing_itself(world: World) -> None:
    provider = world.provider()
    before = provider.holdings()

    run(world, provider)

    now = provider.holdings()
    for person in world.people:
        if reference.is_protected(world, person):
            continue
        asked, could = reference.given(world, person), reference.could_be_given(world, person)
        for scope in strategies.scopes(world.organization):
            kept = min(could.get(scope, 0), highest(before.get(person.id, {}), scope))
            assert highest(now.get(person.id, {}), scope) == max(asked.get(scope, 0), kept)


@given(worlds(strict=True))
def test_the_plan_leads_where_it_says(world: World) -> None:
    """What is shown before the first write, and what guardrails judge, is what happens."""
    provider = world.provider()

    prepared, _ = run(world, provider)

    assert provider.holdings() == after(prepared.plan, prepared.live.roles)


@given(worlds(strict=True))
def test_planning_twice_gives_one_plan_and_one_fingerprint(world: World) -> None:
    first, second = world.prepare(world.provider()), world.prepare(world.provider())

    assert first == second
    assert first.plan.fingerprint == second.plan.fingerprint


@given(worlds(strict=True), st.randoms(use_true_random=False))
def test_the_order_in_which_anything_is_answered_changes_nothing(world: World, random: Random) -> None:
    assert strategies.shuffled(world, random).prepare(
        strategies.shuffled(world, random).provider()
    ) == world.prepare(world.provider())


@given(worlds(strict=True), st.sampled_from([str.upper, str.lower, str.swapcase, str.casefold]))
def test_the_letter_case_of_names_changes_nothing(world: World, spelled: Callable[[str], str]) -> None:
    other = strategies.respelled(world, spelled)

    plan, same = world.prepare(world.provider()).plan, other.prepare(other.provider()).plan

    assert same.fingerprint == plan.fingerprint
    assert len(same.problems) == len(plan.problems)


def test_the_hash_seed_changes_nothing() -> None:
    printed = {
        subprocess.run(
            [sys.executable, str(Path(__file__).with_name("fixed_organization.py"))],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        ).stdout
        for seed in ("0", "1", "2", "3")
    }

    assert len(printed) == 1
    assert len(printed.pop().splitlines()) == 2 * len(StoredAs)


@given(worlds(strict=True))
def test_who_is_protected_is_in_no_change(world: World) -> None:
    plan = world.prepare(world.provider()).plan

    protected = {person.id for person in world.people if reference.is_protected(world, person)}
    assert protected.isdisjoint(change.principal.id for change in (*plan.people, *plan.withheld_people))


@given(worlds(strategies.writing_mode), strategies.faults)
def test_what_is_not_the_policys_survives_every_run(world: World, faults: Mapping[int, Fault]) -> None:
    provider = replace(world.provider(), faults=faults)

    run(world, provider)

    for id_, values in world.foreign.items():
        for value in values:
            assert id_ in provider.groups.get(value, ()) or value in provider.roles.get(id_, ())


@given(worlds(st.just(Mode.ADDITIVE)), strategies.faults)
def test_additive_takes_nothing_and_gives_nothing_below_what_somebody_has(
    world: World, faults: Mapping[int, Fault]
) -> None:
    provider = replace(world.provider(), faults=faults)
    before = provider.holdings()

    run(world, provider)

    assert_at_least(provider.holdings(), before)
    for id_, holdings in provider.holdings().items():
        for scope, roles in holdings.items():
            had = before.get(id_, {})
            assert all(role > highest(had, scope) for role in roles - had.get(scope, NONE))


@given(worlds(st.just(Mode.REPORT), strict=True))
def test_report_never_writes(world: World) -> None:
    provider = world.provider()

    prepared, outcomes = world.run(provider)

    assert (prepared.plan.changes, outcomes, provider.calls) == ((), (), [])
    assert prepared.violations == ()


@given(worlds(strict=True))
def test_what_a_guardrail_refuses_is_not_carried_out(world: World) -> None:
    provider = world.provider()
    prepared = world.prepare(provider)

    try:
        world.run(provider)
    except GuardrailError:
        assert prepared.violations
        assert provider.calls == []
    assert bool(provider.calls) is bool(prepared.plan.changes and not prepared.violations)


@given(worlds(strict=True))
def test_what_is_carried_out_keeps_every_limit(world: World) -> None:
    """The limits are counted here on what the server held before and holds after, without the plan."""
    provider = world.provider()
    before = provider.holdings()

    run(world, provider)

    now = provider.holdings()
    allowed = reference.allowed(world, before)
    for guardrail, concerned in reference.gauges(world, before, now).items():
        assert len(concerned) <= allowed[guardrail], guardrail
    assert reference.admins(world, now) >= min(world.floor, reference.admins(world, before))


@settings(max_examples=5 * settings().max_examples)
@given(worlds(strict=True), st.booleans(), st.booleans(), st.booleans())
def test_guardrails_measure_what_would_happen_and_refuse_just_what_is_too_much(
    world: World, restrained: bool, history: bool, emptied: bool
) -> None:
    world = strategies.restrained(world) if restrained else world
    world = strategies.with_history(world) if history else world
    world = strategies.with_empty_groups(world) if emptied else world
    provider = world.provider()
    before = provider.holdings()

    prepared = world.prepare(provider)

    gauges = reference.gauges(world, before, after(prepared.plan, before))
    allowed = reference.allowed(world, before)
    assert {
        violation.guardrail: violation.measured
        for violation in prepared.violations
        if violation.guardrail in gauges
    } == {name: len(found) for name, found in gauges.items() if len(found) > allowed[name]}


@given(
    worlds(strategies.writing_mode, strict=True)
    | worlds(enforced, strict=True).map(strategies.with_history).map(strategies.with_empty_groups)
    | strategies.handovers()
)
def test_no_prefix_of_a_plan_measures_worse_than_the_whole(world: World) -> None:
    """Whatever is allowed as a whole is allowed as far as an interrupted run got."""
    provider = world.provider()
    live, plan = provider.read(), world.prepare(provider).plan
    asked = desired.expand(world.policy, world.membership, live, NOW)
    nothing = strategies.restrained(world).organization.guardrails
    parts = [replace(plan, changes=plan.changes[:number]) for number in range(len(plan.changes) + 1)]

    *measured, whole = [
        {
            found.guardrail: found.measured
            for found in guardrails.check(part, asked, live, nothing, token_user=world.me, now=NOW)
        }
        for part in parts
    ]

    fewest = min(reference.admins(world, after(part, live.roles)) for part in parts)
    assert whole.pop("minimum_admins", reference.admins(world, live.roles)) == fewest
    for gauges in measured:
        gauges.pop("minimum_admins", None)
        assert all(number <= whole.get(guardrail, 0) for guardrail, number in gauges.items())


@settings(max_examples=3 * settings().max_examples)
@given(strategies.handovers() | worlds(strategies.writing_mode), strategies.faults, strategies.read_faults)
def test_at_no_moment_are_there_too_few_admins(
    world: World, faults: Mapping[int, Fault], read_faults: Mapping[int, Fault]
) -> None:
    provider = replace(world.provider(), faults=faults, read_faults=read_faults)
    floor = min(world.floor, reference.admins(world, provider.holdings()))

    run(world, provider)

    assert all(reference.admins(world, held) >= floor for held in provider.history)


@given(worlds(strategies.writing_mode), strategies.faults, strategies.read_faults)
def test_who_has_a_role_before_and_after_is_at_no_moment_without(
    world: World, faults: Mapping[int, Fault], read_faults: Mapping[int, Fault]
) -> None:
    provider = replace(world.provider(), faults=faults, read_faults=read_faults)
    before = provider.holdings()

    prepared, _ = run(world, provider)

    planned = after(prepared.plan, before)
    for held in provider.history:
        for id_, holdings in before.items():
            for scope in holdings.keys() & planned.get(id_, {}).keys():
                least = min(highest(holdings, scope), highest(planned[id_], scope))
                assert highest(held.get(id_, {}), scope) >= least


@given(worlds(strategies.writing_mode), strategies.faults, strategies.read_faults)
def test_whatever_fails_everybody_is_between_before_and_after(
    world: World, faults: Mapping[int, Fault], read_faults: Mapping[int, Fault]
) -> None:
    provider = replace(world.provider(), faults=faults, read_faults=read_faults)
    before = provider.holdings()

    prepared, _ = run(world, provider)

    now, planned = provider.holdings(), after(prepared.plan, before)
    for id_ in {*before, *now, *planned}:
        for scope in strategies.scopes(world.organization):
            first, last, held = (state.get(id_, {}).get(scope, NONE) for state in (before, planned, now))
            assert first & last <= held <= first | last


@given(worlds(strategies.writing_mode), strategies.faults, strategies.read_faults)
def test_whatever_fails_the_outcomes_tell_the_truth(
    world: World, faults: Mapping[int, Fault], read_faults: Mapping[int, Fault]
) -> None:
    provider = replace(world.provider(), faults=faults, read_faults=read_faults)

    prepared, outcomes = run(world, provider)

    assert tuple(outcome.change for outcome in outcomes) == prepared.plan.changes
    assert [o.change for o in outcomes if o.result is not Result.SKIPPED] == provider.writes
    assert all(bool(outcome.detail) is (outcome.result is not Result.APPLIED) for outcome in outcomes)
    now = provider.holdings()
    for (id_, scope), roles in reference.said(outcomes).items():
        assert now.get(id_, {}).get(scope, NONE) == roles


@given(worlds(strategies.writing_mode) | strategies.handovers(), strategies.faults, strategies.read_faults)
def test_whatever_failed_the_next_run_converges(
    world: World, faults: Mapping[int, Fault], read_faults: Mapping[int, Fault]
) -> None:
    provider = replace(world.provider(), faults=faults, read_faults=read_faults)
    admins = reference.admins(world, provider.holdings())
    run(world, provider)
    provider.faults = provider.read_faults = {}

    try:
        world.run(provider)
    except GuardrailError:
        # A successor was made and nobody unseated yet: now there are enough admins to have too few.
        assert [violation.guardrail for violation in world.prepare(provider).violations] == ["minimum_admins"]
        assert admins < min(world.floor, reference.admins(world, provider.holdings()))
        return

    assert world.prepare(provider).plan.changes == ()


@given(worlds(strategies.writing_mode), strategies.faults, strategies.read_faults)
def test_there_are_no_more_writes_than_changes(
    world: World, faults: Mapping[int, Fault], read_faults: Mapping[int, Fault]
) -> None:
    provider = replace(world.provider(), faults=faults, read_faults=read_faults)

    prepared, _ = run(world, provider)

    written = [id(change) for change in provider.writes]
    assert len(written) == len(set(written)) <= len(prepared.plan.changes)
    if world.organization.roles.stored_as is StoredAs.USER_ROLES:
        people = [change.principal.id for change in prepared.plan.changes if isinstance(change, SetRoles)]
        assert len(people) == len(set(people)) == len(prepared.plan.changes)
        assert provider.requests <= len(people)


def assert_at_least(now: Mapping[str, Holdings], before: Mapping[str, Holdings]) -> None:
    for id_, holdings in before.items():
        for scope, roles in holdings.items():
            assert now.get(id_, {}).get(scope, NONE) >= roles
