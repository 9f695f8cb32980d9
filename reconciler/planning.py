"""From a policy and two readers to a plan that was checked: the reading half of every run. Writes nothing."""

from dataclasses import dataclass
from datetime import datetime

from reconciler import desired, drift, guardrails, plan
from reconciler.guardrails import Violation
from reconciler.model import LiveState
from reconciler.plan import Plan
from reconciler.policy.document import Policy
from reconciler.ports import Directory, ProviderReader


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, the live state that it was made from, and the guardrails that it breaks."""

    plan: Plan
    live: LiveState
    violations: tuple[Violation, ...]


def prepare(policy: Policy, provider: ProviderReader, directory: Directory, now: datetime) -> Prepared:
    """Read both sides and plan what would bring them together at the moment `now` (aware).

    Raises ReadError where either side could not be read whole.
    """
    organization = policy.organization
    live = provider.read()
    membership = directory.read({binding.group for binding in policy.bindings})
    asked = desired.expand(policy, membership, live, now)
    planned = plan.build(
        drift.detect(asked, live), organization, provider.server, live.role_groups, asked.problems
    )
    return Prepared(planned, live, guardrails.check(planned, asked, live, organization.guardrails))
