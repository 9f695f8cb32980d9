"""What holds for every edit of every policy: it means what applying it changes, and nothing to itself."""

from dataclasses import replace

from build import NOW
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from properties import strategies
from properties.strategies import World, worlds

from reconciler import comparison
from reconciler.change import SetRoles
from reconciler.comparison import Comparison, Ground, Source
from reconciler.errors import GuardrailError
from reconciler.model import LiveState
from reconciler.policy.document import Mode, Policy

enforced = st.just(Mode.ENFORCE)


@st.composite
def edited(draw: DrawFn, *, broken: bool = True) -> tuple[World, Policy]:
    """A world, and the policy that somebody makes of its own; the organization's document stays as it is."""
    world = draw(worlds(enforced, broken=broken))
    of = world.organization
    protected = {name.swapcase() for name in of.guardrails.protected}
    users = [person.user_name for person in world.people if person.user_name not in protected]
    return world, Policy(of, draw(strategies.bindings(of)), draw(strategies.grants(of, users)))


def compared(world: World, base: Policy, head: Policy, live: LiveState) -> Comparison:
    ground = Ground(Source.SERVER, world.membership, live, live, own_user=world.me)
    return comparison.compare(base, head, ground, NOW)


def changes(people: tuple[SetRoles, ...]) -> dict[str, list[tuple[object, ...]]]:
    return {one.principal.id: [(s.scope, s.before, s.after) for s in one.scopes] for one in people}


@given(worlds())
@settings(max_examples=50)
def test_a_policy_means_nothing_new_to_itself(world: World) -> None:
    live = world.provider().read()
    on_server = compared(world, world.policy, world.policy, live)
    nobody = Ground(Source.NOWHERE)
    with_nobody = comparison.compare(world.policy, world.policy, nobody, NOW)
    for told in (on_server, with_nobody):
        assert (told.edits, told.touches_people, told.faults) == ((), False, ())


@given(edited())
@settings(max_examples=100)
def test_applying_an_edit_to_a_server_that_was_converged_changes_just_what_was_shown(
    drawn: tuple[World, Policy],
) -> None:
    world, head = drawn
    provider = world.provider()
    before = provider.read()
    try:
        world.run(provider)
    except GuardrailError:
        reject()

    shown = compared(world, world.policy, head, before).prepared
    planned = replace(world, policy=head).prepare(provider)

    assert shown is not None
    assert changes(shown.plan.people) == changes(planned.plan.people)
    assert [one.message for one in shown.plan.problems] == [one.message for one in planned.plan.problems]
    assert {one.guardrail for one in shown.violations} == {one.guardrail for one in planned.violations}


@given(edited(broken=False))
@settings(max_examples=50)
def test_the_way_back_is_the_edit_turned_around(drawn: tuple[World, Policy]) -> None:
    world, head = drawn
    live = world.provider().read()

    forth = compared(world, world.policy, head, live).prepared
    back = compared(world, head, world.policy, live).prepared

    assert forth is not None
    assert back is not None
    turned = {
        id_: [(scope, after, before) for scope, before, after in scopes]
        for id_, scopes in changes(forth.plan.people).items()
    }
    assert changes(back.plan.people) == turned
