"""From a policy and two readers to a plan that was checked: the reading half of every run. Writes nothing."""

from dataclasses import dataclass, replace
from datetime import datetime

from reconciler import desired, drift, guardrails, plan, undo
from reconciler.guardrails import Violation
from reconciler.history import PastRun
from reconciler.model import DesiredState, LiveState, Membership
from reconciler.naming import RoleNames
from reconciler.plan import Plan
from reconciler.policy.document import Policy
from reconciler.ports import Directory, ProviderReader


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, the live state that it was made from, and the guardrails that it breaks."""

    plan: Plan
    live: LiveState
    violations: tuple[Violation, ...]
    settled: str = "everybody has what the policy gives them"
    """What it means that nothing differs."""
    as_of: datetime | None = None
    """The moment that was asked for, aware, where that is not the present: then nobody carries it out."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides as they were read, and what the policy asks for."""

    live: LiveState
    membership: Membership
    asked: DesiredState


def read(policy: Policy, provider: ProviderReader, directory: Directory, now: datetime) -> Sides:
    """Read both sides, and what the policy asks for at the moment `now` (aware).

    Raises ReadError where either side could not be read whole.
    """
    live = provider.read()
    membership = directory.read(policy.groups)
    return Sides(live, membership, desired.expand(policy, membership, live, now))


def prepare(policy: Policy, provider: ProviderReader, directory: Directory, now: datetime) -> Prepared:
    """Read both sides and plan what would bring them together at the moment `now` (aware).

    Raises ReadError where either side could not be read whole.
    """
    sides = read(policy, provider, directory, now)
    return _checked(policy, sides.asked, sides.live, provider, now)


def prepare_undo(
    policy: Policy, run: PastRun, ledger: str, provider: ProviderReader, now: datetime
) -> tuple[Prepared, tuple[str, ...]]:
    """Read the provider and plan the way back from a run; and what stays, since it has moved meanwhile.

    `ledger` is the file that tells of the run. Raises ReadError.
    """
    live = provider.read()
    scopes = {scope for (scope, _), _ in RoleNames(policy.organization).items()}
    back = undo.way_back(run, live, scopes, ledger)
    prepared = _checked(policy, back.desired, live, provider, now)
    return replace(prepared, settled=f"nothing of run {run.id} is left to take back"), back.moved


def _checked(
    policy: Policy, asked: DesiredState, live: LiveState, provider: ProviderReader, now: datetime
) -> Prepared:
    organization = policy.organization
    planned = plan.build(
        drift.detect(asked, live),
        organization,
        provider.server,
        live.role_groups,
        asked.problems,
        policy.tree,
    )
    token_user = provider.token_user() if guardrails.takes(planned) else None
    violations = guardrails.check(
        planned, asked, live, organization.guardrails, token_user=token_user, now=now
    )
    return Prepared(planned, live, violations)
