"""From a policy and two readers to a plan that was checked: the reading half of every run. Writes nothing."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from reconciler import assertions, desired, drift, guardrails, plan
from reconciler.assertions import Breach
from reconciler.change import AccountChange
from reconciler.errors import GuardrailError, ReadError
from reconciler.guardrails import Violation
from reconciler.model import DesiredState, LiveState, Membership, Principal
from reconciler.naming import RoleNames
from reconciler.people import identity, lifecycle, population, provisioning
from reconciler.people.lifecycle import Course
from reconciler.people.population import Past, Population
from reconciler.plan import Plan
from reconciler.policy.document import DirectoryKind, GroupRef, Policy
from reconciler.ports import Directory, ProviderReader

if TYPE_CHECKING:
    from reconciler.history import PastRun
    from reconciler.undo import WayBack


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
    leavers: tuple[Principal, ...] | None = None
    """Those whom the ledger is to name, so that their grace is counted from now on; None: no need."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides as they were read, what the policy asks for, and what is to become of accounts."""

    live: LiveState
    membership: Membership
    population: Population
    asked: DesiredState
    course: Course


def read(
    policy: Policy,
    provider: ProviderReader,
    directory: Directory,
    now: datetime,
    past: Past | None = None,
    token_user: Callable[[], str | None] | None = None,
) -> Sides:
    """Read both sides, and work out what the policy asks for at the moment `now` (aware).

    `past` is what the ledger proves of accounts, where that is needed (`lifecycle.needs_past`). `token_user`
    tells the user whose token this is, if the provider is not to be asked. Raises ReadError where either side
    could not be read whole.
    """
    live = provider.read()
    membership = _membership(policy, directory)
    own_user = (token_user or provider.token_user)() if membership.people is not None else None
    people = population.of(policy, membership, live, now, past, own_user)
    asked = desired.expand(policy, membership, people.joined(live), now, people)
    course = lifecycle.decide(policy.organization.lifecycle, people, asked, live, now, past)
    asked = replace(
        asked,
        problems=tuple(sorted({*asked.problems, *people.problems})),
        findings=(*asked.findings, *course.findings),
    )
    return Sides(live, membership, people, asked, course)


@dataclass(frozen=True, slots=True)
class Survey:
    """Both sides as they were read, and the plan that would bring them together."""

    sides: Sides
    prepared: Prepared


def prepare(
    policy: Policy,
    provider: ProviderReader,
    directory: Directory,
    now: datetime,
    past: Past | None = None,
    pushed: Directory | None = None,
) -> Prepared:
    """The plan of a `survey`, which says what the parameters mean."""
    return survey(policy, provider, directory, now, past, pushed).prepared


def survey(
    policy: Policy,
    provider: ProviderReader,
    directory: Directory,
    now: datetime,
    past: Past | None = None,
    pushed: Directory | None = None,
) -> Survey:
    """Read both sides and plan what would bring them together at the moment `now` (aware).

    For `past` and what it raises see `read`. `pushed` are the groups on the server itself, where `directory`
    is another one.
    """
    token_user = cache(provider.token_user)
    sides = read(policy, provider, directory, now, past, token_user)
    failures = directory.failures() if policy.organization.directory.log else ()
    undone = provisioning.findings(
        sides.population, sides.membership, _pushed(pushed, sides.membership), failures
    )
    sides = replace(sides, asked=replace(sides.asked, findings=(*sides.asked.findings, *undone)))
    live, changes = sides.course.live, sides.course.changes
    prepared = _checked(policy, sides.asked, live, sides.membership, provider, now, changes, token_user)
    return Survey(_told(sides, prepared.plan), replace(prepared, leavers=sides.course.told))


def asserted(policy: Policy, sides: Sides, server: str) -> Sides:
    """The same sides with what the assertions find in the plan that would bring them together."""
    if not policy.assertions:
        return sides
    planned, _ = _planned(
        policy, sides.asked, sides.course.live, sides.membership, server, sides.course.changes
    )
    return _told(sides, planned)


def _told(sides: Sides, planned: Plan) -> Sides:
    """The same with all that a plan of them tells."""
    asked = replace(sides.asked, problems=planned.problems, findings=planned.findings)
    return replace(sides, asked=asked)


def prepare_undo(
    policy: Policy,
    run: "PastRun",
    ledger: str,
    provider: ProviderReader,
    now: datetime,
    directory: Directory | None = None,
) -> "tuple[Prepared, WayBack]":
    """Read the provider and plan the way back from a run; and that way, which tells what it leaves alone.

    `ledger` is the file that tells of the run. `directory` tells whom assertions mean by groups and classes;
    where it does not answer, that is not known, for the way back must not depend on it. Raises ReadError.
    """
    from reconciler import undo  # only here is it needed

    live = provider.read()
    scopes = {scope for (scope, _), _ in RoleNames(policy.organization).items()}
    back = undo.way_back(run, live, scopes, ledger)
    membership = _answered(policy, directory)
    prepared = _checked(policy, back.desired, live, membership, provider, now, back.accounts)
    return replace(prepared, settled=f"nothing of run {run.id} is left to take back"), back


def refuse(prepared: Prepared, approved: Collection[str] = ()) -> None:
    """Raise GuardrailError where a guardrail is broken that no approval covers: not one write is sent then.

    `approved` are the fingerprints of plans that somebody approved in spite of guardrails.
    """
    is_approved = prepared.plan.fingerprint in approved
    broken = [one for one in prepared.violations if not (one.approvable and is_approved)]
    if broken:
        names = ", ".join(dict.fromkeys(violation.guardrail for violation in broken))
        why = ", which no approval covers" if is_approved else ""
        raise GuardrailError(
            f"nothing was written to {prepared.plan.organization}: refused by {names}{why}",
            broken[0].remedy,
        )


def _membership(policy: Policy, directory: Directory) -> Membership:
    """The groups that the policy names, and everybody; the server itself knows only its own people."""
    if policy.organization.directory.kind is DirectoryKind.SCIM:
        return directory.read(policy.groups)
    return identity.together(directory.read(policy.groups, everybody=True))


def _answered(policy: Policy, directory: Directory | None) -> Membership | None:
    """The same as far as assertions need it; None where the directory does not answer, or was not given."""
    if directory is None or not assertions.needs_membership(policy):
        return None
    try:
        return _membership(policy, directory)
    except ReadError:
        return None


def _pushed(pushed: Directory | None, membership: Membership) -> Membership | None:
    """The groups of the same names on the server. Many servers show none: only findings come of them."""
    if pushed is None:
        return None
    try:
        return pushed.read({GroupRef(group.name) for group in membership.groups})
    except ReadError:
        return None


def _checked(
    policy: Policy,
    asked: DesiredState,
    live: LiveState,
    membership: Membership | None,
    provider: ProviderReader,
    now: datetime,
    accounts: Iterable[AccountChange] = (),
    token_user: Callable[[], str | None] | None = None,
) -> Prepared:
    planned, breaches = _planned(policy, asked, live, membership, provider.server, accounts)
    own_user = (token_user or provider.token_user)() if guardrails.takes(planned) else None
    limits = policy.organization.guardrails
    violations = guardrails.check(
        planned, asked, live, limits, token_user=own_user, now=now, breaches=breaches
    )
    return Prepared(planned, live, violations)


def _planned(
    policy: Policy,
    asked: DesiredState,
    live: LiveState,
    membership: Membership | None,
    server: str,
    accounts: Iterable[AccountChange],
) -> tuple[Plan, tuple[Breach, ...]]:
    """The plan, with what the assertions of the policy find in it, and those that it would break."""
    planned = plan.build(
        drift.detect(asked, live),
        policy.organization,
        server,
        live.role_groups,
        asked.problems,
        policy.tree,
        accounts,
        asked.findings,
    )
    judgement = assertions.judge(policy, planned, live, asked, membership)
    told = replace(
        planned,
        problems=tuple(sorted({*planned.problems, *judgement.problems})),
        findings=(*planned.findings, *judgement.findings),
    )
    return told, judgement.caused
