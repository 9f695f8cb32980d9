"""From a policy and two readers to a plan that was checked: the reading half of every run. Writes nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler import desired, drift, guardrails, plan, undo
from reconciler.change import AccountChange
from reconciler.guardrails import Violation
from reconciler.history import PastRun
from reconciler.model import DesiredState, LiveState
from reconciler.naming import RoleNames
from reconciler.plan import Plan
from reconciler.policy.document import Policy
from reconciler.ports import Directory, ProviderReader
from reconciler.undo import WayBack


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, the live state that it was made from, and the guardrails that it breaks."""

    plan: Plan
    live: LiveState
    violations: tuple[Violation, ...]
    settled: str = "everybody has what the policy gives them"
    """What it means that nothing differs."""


def prepare(policy: Policy, provider: ProviderReader, directory: Directory, now: datetime) -> Prepared:
    """Read both sides and plan what would bring them together at the moment `now` (aware).

    Raises ReadError where either side could not be read whole.
    """
    live = provider.read()
    membership = directory.read({binding.group for binding in policy.bindings})
    return _checked(policy, desired.expand(policy, membership, live, now), live, provider, now)


def prepare_undo(
    policy: Policy, run: PastRun, ledger: str, provider: ProviderReader, now: datetime
) -> tuple[Prepared, WayBack]:
    """Read the provider and plan the way back from a run; and that way, which tells what it leaves alone.

    `ledger` is the file that tells of the run. Raises ReadError.
    """
    live = provider.read()
    scopes = {scope for (scope, _), _ in RoleNames(policy.organization).items()}
    back = undo.way_back(run, live, scopes, ledger)
    prepared = _checked(policy, back.desired, live, provider, now, back.accounts)
    return replace(prepared, settled=f"nothing of run {run.id} is left to take back"), back


def _checked(
    policy: Policy,
    asked: DesiredState,
    live: LiveState,
    provider: ProviderReader,
    now: datetime,
    accounts: Iterable[AccountChange] = (),
) -> Prepared:
    organization = policy.organization
    planned = plan.build(
        drift.detect(asked, live),
        organization,
        provider.server,
        live.role_groups,
        asked.problems,
        policy.tree,
        accounts,
    )
    token_user = provider.token_user() if guardrails.takes(planned) else None
    violations = guardrails.check(
        planned, asked, live, organization.guardrails, token_user=token_user, now=now
    )
    return Prepared(planned, live, violations)
