"""What holds of assertions, whatever they say, whoever is in the groups and wherever the server stands."""

from collections.abc import Mapping
from dataclasses import replace

from build import at
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from properties import reference, strategies
from properties.strategies import GROUPS, World, worlds

from reconciler.errors import GuardrailError
from reconciler.finding import Kind
from reconciler.guardrails import Violation
from reconciler.model import ORGANIZATION, Holdings, Principal, Role, Scope
from reconciler.plan import after
from reconciler.planning import Prepared
from reconciler.policy.document import (
    Access,
    Assertion,
    AtMost,
    Claim,
    GroupRef,
    Mode,
    Never,
    NeverTogether,
    Only,
    StoredAs,
    Whom,
)

Held = Mapping[str, Holdings]
few = settings(max_examples=40)
"""Each example plans a whole organization, and not every one tells something."""


@st.composite
def whoms(draw: DrawFn, people: tuple[Principal, ...]) -> Whom:
    users = draw(st.lists(st.sampled_from([one.user_name.swapcase() for one in people]), max_size=2))
    named = draw(st.lists(st.sampled_from(GROUPS), max_size=2, unique=True))
    return Whom(tuple(users), tuple(GroupRef(name, None, (f"old-{name}",)) for name in named))


@st.composite
def asserting(
    draw: DrawFn, *, kinds: tuple[type[Claim], ...] = (Never, Only, AtMost, NeverTogether)
) -> World:
    """A world in which everything is known, with one assertion that now and then bites."""
    world = draw(worlds(st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.ADDITIVE]), broken=False))
    anywhere = draw(st.sampled_from([None, None, None, *Role]))
    roles = draw(strategies.entries(world.organization, 200))
    access = Access(roles, anywhere)
    claim: Claim
    match draw(st.sampled_from(kinds)).__name__:
        case "Never":
            claim = Never(draw(whoms(world.people)), access)
        case "Only":
            claim = Only(draw(whoms(world.people)), access)
        case "AtMost":
            claim = AtMost(draw(st.integers(0, 3)), access)
        case _:
            claim = NeverTogether(Access(roles))
    excepted = draw(st.just(Whom()) | whoms(world.people))
    policy = replace(world.policy, assertions=(Assertion("So it is", claim, at(200), excepted),))
    return replace(world, policy=policy)


# The same in the slowest and plainest words.


def is_one(world: World, whom: Whom, person: Principal) -> bool:
    if any(name.casefold() == person.user_name.casefold() for name in whom.users):
        return True
    names = {name for group in whom.groups for name in (group.name, *group.previously)}
    return any(
        group.name in names
        and any(
            member.principal_id == person.id
            or (member.principal_id is None and member.external_id == person.external_id is not None)
            or (member.principal_id is member.external_id is None and member.user_name == person.user_name)
            for member in group.members or ()
        )
        for group in world.membership.groups
    )


def role_in(held: Holdings, scope: Scope) -> int:
    return max([0, *map(int, held.get(scope, ())), *map(int, held.get(ORGANIZATION, ()))])


def has(claim: Claim, held: Holdings) -> bool:
    each = [role_in(held, entry.scope) >= entry.role for entry in claim.access.roles]
    if isinstance(claim, NeverTogether):
        return all(each)
    least = claim.access.anywhere
    return any(each) or (
        least is not None and any(role >= least for roles in held.values() for role in roles)
    )


def having(world: World, held: Held) -> set[str]:
    """Who has what they should not; of a number, everybody who counts."""
    (assertion,) = world.policy.assertions
    claim = assertion.claim
    return {
        person.id
        for person in world.people
        if has(claim, held.get(person.id, {}))
        and not is_one(world, assertion.excepted, person)
        and not (isinstance(claim, Never) and not is_one(world, claim.whom, person))
        and not (isinstance(claim, Only) and is_one(world, claim.whom, person))
    }


def holds_of(world: World, held: Held) -> bool:
    claim = world.policy.assertions[0].claim
    return len(having(world, held)) <= (claim.count if isinstance(claim, AtMost) else 0)


def prepared(world: World) -> tuple[Prepared, Held, Held]:
    """The plan, and what everybody holds before and after it; only where all of it can be known."""
    if not reference.resolved(world):
        reject()
    plan = world.prepare(world.provider())
    if plan.plan.problems:
        reject()
    return plan, plan.live.roles, after(plan.plan, plan.live.roles)


def refusals(plan: Prepared) -> list[Violation]:
    return [one for one in plan.violations if one.guardrail == "assertions"]


def found(plan: Prepared) -> set[str]:
    return {one.subject for one in plan.plan.findings if one.kind is Kind.ASSERTION}


@few
@given(asserting())
def test_an_assertion_that_holds_of_the_state_after_a_plan_says_nothing_and_no_other_is_passed_over(
    world: World,
) -> None:
    plan, _, left = prepared(world)
    assert (not refusals(plan) and not found(plan)) == holds_of(world, left)


@few
@given(asserting())
def test_nobody_stops_a_plan_who_gains_nothing_by_it(world: World) -> None:
    plan, _, _ = prepared(world)
    gaining = {one.principal.user_name for one in plan.plan.people if any(s.gains for s in one.scopes)}
    assert all(one.people and {*one.people} <= gaining for one in refusals(plan))


@few
@given(asserting(kinds=(Never, Only, NeverTogether)))
def test_each_person_who_breaks_it_is_told_once_and_refuses_if_they_did_not_before(world: World) -> None:
    plan, before, left = prepared(world)
    names = {person.id: person.user_name for person in world.people}
    refused = {name for one in refusals(plan) for name in one.people}
    breaking = {names[id_] for id_ in having(world, left)}
    assert refused | found(plan) == breaking
    assert not refused & found(plan)
    assert refused >= breaking - {names[id_] for id_ in having(world, before)}


@few
@given(asserting(kinds=(AtMost,)))
def test_a_number_refuses_exactly_where_it_rises_above_its_limit(world: World) -> None:
    plan, before, left = prepared(world)
    claim = world.policy.assertions[0].claim
    assert isinstance(claim, AtMost)
    rises = len(having(world, left)) > max(claim.count, len(having(world, before)))
    assert bool(refusals(plan)) == rises


@few
@given(asserting(kinds=(Never,)), st.data())
def test_to_name_one_more_person_adds_what_that_person_breaks_and_nothing_else(
    world: World, data: st.DataObject
) -> None:
    plan, _, left = prepared(world)
    person = data.draw(st.sampled_from(world.people))
    (assertion,) = world.policy.assertions
    assert isinstance(assertion.claim, Never)
    whom = replace(assertion.claim.whom, users=(*assertion.claim.whom.users, person.user_name))
    more = replace(
        world,
        policy=replace(
            world.policy, assertions=(replace(assertion, claim=Never(whom, assertion.claim.access)),)
        ),
    )
    again, _, _ = prepared(more)
    told = {name for one in refusals(again) for name in one.people} | found(again)
    before = {name for one in refusals(plan) for name in one.people} | found(plan)
    assert told - before <= {person.user_name}
    breaks = has(assertion.claim, left.get(person.id, {})) and not is_one(world, assertion.excepted, person)
    assert (person.user_name in told) == breaks


@few
@given(asserting(kinds=(Never, Only, NeverTogether)))
def test_no_write_of_a_plan_makes_a_breach_of_somebody_that_is_none_before_and_after_it(world: World) -> None:
    provider = world.provider()
    _, before, left = prepared(world)
    claim = world.policy.assertions[0].claim
    if isinstance(claim, NeverTogether) and world.organization.roles.stored_as is StoredAs.GROUPS:
        reject()  # there somebody joins the new group before they leave the old one
    try:
        world.run(provider)
    except GuardrailError:
        reject()
    allowed = having(world, before) | having(world, left)
    for held in provider.history:
        assert having(world, held) <= allowed
