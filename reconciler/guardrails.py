"""Checks of a plan that can refuse it. Computed on the changes that would run, before the first write.

There is no off switch: a limit is part of the policy, so loosening one is a reviewed change.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.change import SetRoles
from reconciler.model import ORGANIZATION, DesiredState, Holdings, LiveState, Role, fold
from reconciler.plan import Plan, after
from reconciler.policy.document import Guardrails, Limit


@dataclass(frozen=True, slots=True)
class Violation:
    """A guardrail that a plan breaks: its name in the policy, what was measured, who, and what to do."""

    guardrail: str
    message: str
    remedy: str
    people: tuple[str, ...] = ()
    """UserNames, as the provider spells them, sorted."""


def check(plan: Plan, desired: DesiredState, live: LiveState, limits: Guardrails) -> tuple[Violation, ...]:
    """Every guardrail that the plan breaks; none: it may run."""
    found = (
        _minimum_admins(plan, live, limits.minimum_admins),
        _protected(plan, live, limits.protected),
        _removals(plan, live, limits.removals),
        _empty_policy(plan, desired, live),
    )
    return tuple(violation for violation in found if violation is not None)


def admins(live: LiveState, roles: Mapping[str, Holdings]) -> frozenset[str]:
    """The ids of those who hold the organization's admin role and can act: everybody but the inactive."""
    return frozenset(
        id_
        for id_, holdings in roles.items()
        if Role.ADMIN in holdings.get(ORGANIZATION, ()) and live.people[id_].entitled
    )


def _minimum_admins(plan: Plan, live: LiveState, minimum: int) -> Violation | None:
    before = admins(live, live.roles)
    left = admins(live, after(plan, live.roles))
    floor = min(minimum, len(before))
    if len(left) >= floor:
        return None
    return Violation(
        "minimum_admins",
        f"the number of organization admins would fall from {len(before)} to {len(left)}; "
        f"at least {floor} must stay",
        "give the admin role to somebody else first, in the same policy or in an earlier one",
        _user_names(live, before - left),
    )


def _protected(plan: Plan, live: LiveState, protected: tuple[str, ...]) -> Violation | None:
    """Nobody protected is touched, and each of them is known, for a name that fits nobody protects nobody."""
    names = {fold(name) for name in protected}
    touched = [c.principal.user_name for c in plan.people if fold(c.principal.user_name) in names]
    if touched:
        return Violation(
            "protected",
            "the plan would change the roles of people who are protected",
            "take them off `guardrails.protected` in a change of its own, if that is what is meant",
            tuple(touched),
        )
    known = {fold(person.user_name) for person in live.people.values()}
    missing = tuple(name for name in protected if fold(name) not in known)
    if missing and any(_loses(change) for change in plan.people):
        return Violation(
            "protected",
            "people who are protected are not on the server, so the plan could take their roles unseen",
            "correct their names in `guardrails.protected`: they may have been renamed",
            missing,
        )
    return None


def _removals(plan: Plan, live: LiveState, limit: Limit) -> Violation | None:
    losing = tuple(change.principal.user_name for change in plan.people if _loses(change))
    holding = sum(1 for holdings in live.roles.values() if holdings)
    allowed = min(limit.count, _share(limit.percent, holding))
    if len(losing) <= allowed:
        return None
    return Violation(
        "removals",
        f"{len(losing)} of {holding} people with roles would lose one or be lowered; "
        f"{allowed} may at once (at most {limit.percent} % and at most {limit.count})",
        "check that each of them should; if so, raise `guardrails.removals` in the policy, or do it in steps",
        losing,
    )


def _share(percent: int, population: int) -> int:
    """How many people a percentage allows: at least one, or the smallest organizations could lose nobody."""
    return 0 if percent == 0 else max(1, population * percent // 100)


def _empty_policy(plan: Plan, desired: DesiredState, live: LiveState) -> Violation | None:
    losing = tuple(change.principal.user_name for change in plan.people if _loses(change))
    if desired.given or not losing:
        return None
    holding = sum(1 for holdings in live.roles.values() if holdings)
    return Violation(
        "empty_policy",
        f"the policy grants nothing to anybody; {len(losing)} of {holding} people with roles would lose one",
        "check that all policy files are there, and that the groups they name have members",
        losing,
    )


def _loses(change: SetRoles) -> bool:
    return any(scope.loses for scope in change.scopes)


def _user_names(live: LiveState, ids: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(live.people[id_].user_name for id_ in ids))
