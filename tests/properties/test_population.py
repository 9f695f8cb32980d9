"""What holds for every run over joiners, leavers and returners, whatever directory and server look like."""

from dataclasses import replace

from build import NOW, Groups, binding, group, organization, policy
from fakes import FakeProvider, Notes
from hypothesis import given, reject
from hypothesis import strategies as st
from properties.population import Sides, lifecycles, sides
from properties.strategies import any_mode

from reconciler import apply, planning
from reconciler.change import Change, Result, SetActive
from reconciler.model import PROVISIONAL, Membership
from reconciler.people.population import Past
from reconciler.planning import Prepared
from reconciler.policy.document import DirectoryKind, DirectorySettings, Lifecycle, Mode, Policy


def asks(rules: Lifecycle, mode: Mode = Mode.ENFORCE) -> Policy:
    of = replace(organization(mode), directory=DirectorySettings(DirectoryKind.OKTA), lifecycle=rules)
    return policy(binding("eng", "viewer", web="admin"), of=of)


def prepare(seen: Sides, asked: Policy, provider: FakeProvider, past: Past) -> Prepared:
    membership = Membership((group("eng", *seen.eng),), frozenset({"eng"}), frozenset(seen.people))
    return planning.prepare(asked, provider, Groups(membership), NOW, past)


def ignore(_: Change) -> None:
    pass


@given(sides(), lifecycles, any_mode)
def test_a_plan_after_an_apply_is_empty_lifecycle_included(seen: Sides, rules: Lifecycle, mode: Mode) -> None:
    asked = asks(rules, mode)
    provider = FakeProvider.holding(asked.organization, seen.live)
    first = prepare(seen, asked, provider, seen.past)
    if first.violations:
        reject()
    outcomes = apply.carry_out(first.plan, provider, first.live, 0, Notes(), ignore)
    assert {outcome.result for outcome in outcomes} <= {Result.APPLIED}
    deactivated = {
        change.principal.id: NOW
        for change in first.plan.changes
        if isinstance(change, SetActive) and not change.after
    }
    past = replace(seen.past, deactivated={**seen.past.deactivated, **deactivated})
    assert prepare(seen, asked, provider, past).plan.changes == ()


@given(sides(), lifecycles, any_mode)
def test_two_plannings_of_the_same_have_one_fingerprint_and_write_nothing(
    seen: Sides, rules: Lifecycle, mode: Mode
) -> None:
    asked = asks(rules, mode)
    provider = FakeProvider.holding(asked.organization, seen.live)
    shuffled = replace(seen, people=seen.people[::-1], eng=seen.eng[::-1])
    one, other = (prepare(side, asked, provider, seen.past) for side in (seen, shuffled))
    assert one == other
    assert one.plan.fingerprint == other.plan.fingerprint
    assert provider.calls == []


@given(sides(), st.sampled_from([Mode.REPORT, Mode.ADDITIVE]))
def test_a_mode_that_takes_nothing_shuts_nobody_out(seen: Sides, mode: Mode) -> None:
    asked = asks(Lifecycle(True, True, True, True, delete_after=1), mode)
    provider = FakeProvider.holding(asked.organization, seen.live)
    first = prepare(seen, asked, provider, seen.past)
    if not first.violations:
        apply.carry_out(first.plan, provider, first.live, 0, Notes(), ignore)
    for id_, account in seen.live.people.items():
        assert provider.people[id_].entitled or not account.entitled


@given(sides())
def test_without_the_policys_leave_no_account_is_touched(seen: Sides) -> None:
    asked = asks(Lifecycle())
    provider = FakeProvider.holding(asked.organization, seen.live)
    plan = prepare(seen, asked, provider, seen.past).plan
    assert (plan.accounts, plan.withheld_accounts) == ((), ())
    assert not any(change.principal.id.startswith(PROVISIONAL) for change in plan.people)
