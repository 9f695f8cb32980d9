"""What an edit of policy means for people: two policies over one membership, at one moment. Reads nothing.

The new policy is planned against a server that is just as the old one asks for, so what its plan changes is
what the edit changes, and no drift is in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from reconciler import assertions, desired, drift, edits, guardrails, plan
from reconciler.assertions import Judgement
from reconciler.drift import Drift, ScopeDrift
from reconciler.edits import Edit
from reconciler.finding import Finding
from reconciler.guardrails import Violation
from reconciler.model import (
    DesiredState,
    DirectoryGroup,
    Holdings,
    LiveState,
    Member,
    Membership,
    Principal,
    Scope,
    fold,
    highest,
)
from reconciler.naming import RoleNames
from reconciler.people import lifecycle, population
from reconciler.people.identity import People
from reconciler.people.lifecycle import Course
from reconciler.plan import Plan
from reconciler.planning import Prepared
from reconciler.policy.document import GroupRef, Policy
from reconciler.problem import Problem

EVERYBODY = "everybody in "
"""How the stand-in for a group that nobody was looked up in is called, before the group's name."""

_GROUP, _NAME = "group:", "name:"
"""What the ids of stand-ins begin with: of a whole group, and of a person of whom only the name is known."""


class Source(StrEnum):
    """Where it is known from who is in which group."""

    SERVER = "server"
    """The server and the directory."""
    SAVED = "saved"
    """A file."""
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Ground:
    """What both policies are laid over. Without anybody looked up, only stand-ins."""

    source: Source
    membership: Membership = field(default_factory=lambda: Membership(()))
    live: LiveState = field(default_factory=lambda: LiveState({}, {}))
    """As the old policy reads it: for what holds people as they are."""
    live_for_new: LiveState = field(default_factory=lambda: LiveState({}, {}))
    """As the new one does: for scopes that only this one speaks for."""
    server: str = ""
    own_user: str | None = None
    """The principal id of the user whose token it is, if it is one's."""
    as_of: datetime | None = None
    """When a file says that it was saved, aware."""


class Standing(StrEnum):
    """On which sides an organization is."""

    BOTH = "both"
    NEW = "new"
    GONE = "gone"
    UNTOLD = "untold"
    """Its old policy is invalid, so nothing can be compared with it."""


@dataclass(frozen=True)
class Comparison:
    """What an edit means for one organization."""

    organization: str
    standing: Standing
    source: Source
    saved: datetime | None = None
    edits: tuple[Edit, ...] = ()
    prepared: Prepared | None = None
    """The plan of the edit alone; None where nothing is to be planned."""
    groups: frozenset[str] = frozenset()
    """The principal ids of stand-ins for whole groups."""
    faults: tuple[Problem, ...] = ()
    """Those of the plan's problems that the edit brought."""
    but_for: tuple[Violation, ...] = ()
    """Guardrails of the old policy that would refuse the plan, and those of the new one do not."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the old policy, where that keeps both from being compared."""
    unmanaged: tuple[str, ...] = ()
    """Scopes that the policy spoke for and does not any more: roles there stay as they are."""

    @property
    def touches_people(self) -> bool:
        """Whether anybody's roles or account would be different, or that can't be told."""
        if self.standing is Standing.UNTOLD:
            return True
        return self.prepared is not None and self.prepared.plan.drifted


def compare(base: Policy | None, head: Policy, ground: Ground, now: datetime) -> Comparison:
    """What the edit from `base` to `head` means at the moment `now` (aware); without a base, all is new.

    Raises ReadError where the membership can't be that of a directory.
    """
    old = base or Policy(replace(head.organization, projects={}, organization_roles_managed=False))
    if base is None:
        ground = replace(ground, live_for_new=replace(ground.live_for_new, roles={}))
    ground, groups = _with_stand_ins(ground, old, head)
    before, past = _asked(old, ground, ground.live, now)
    live = _as_asked(before, past.live, _scopes(old), _scopes(head), ground.live_for_new)
    after, course = _asked(head, ground, live, now)
    looked_up = ground.source is not Source.NOWHERE
    built = plan.build(
        _with_former(drift.detect(after, course.live), before),
        head.organization,
        ground.server,
        course.live.role_groups,
        after.problems,
        head.tree,
        [change for change in course.changes if change not in past.changes],
        _new(before.findings, after.findings),
    )

    def judged(policy: Policy, edit: Plan = built) -> Judgement:
        """By the assertions of one of the policies; stand-ins can't be counted, nor told from each other."""
        if not looked_up:
            return Judgement()
        return assertions.judge(policy, edit, course.live, after, ground.membership)

    def refusals(policy: Policy) -> tuple[Violation, ...]:
        limits, broken = policy.organization.guardrails, judged(policy).caused
        return guardrails.check(
            built,
            after,
            course.live,
            limits,
            token_user=ground.own_user,
            now=now,
            approvable=False,
            breaches=broken,
        )

    judgement = judged(head)
    known = judged(old, replace(built, changes=()))
    after = replace(after, problems=tuple(sorted({*after.problems, *judgement.problems})))
    before = replace(before, problems=(*before.problems, *known.problems))
    planned = replace(
        built,
        problems=after.problems,
        findings=(*built.findings, *_new(known.findings, judgement.findings)),
    )
    violations = refusals(head) if looked_up else ()
    refused = {one.guardrail for one in violations}
    told_before = {problem.message for problem in before.problems}
    return Comparison(
        head.organization.name,
        Standing.NEW if base is None else Standing.BOTH,
        ground.source,
        ground.as_of,
        () if base is None else edits.between(base, head, now),
        Prepared(planned, course.live, violations, "nobody gains or loses anything by this edit"),
        groups,
        tuple(problem for problem in after.problems if problem.message not in told_before),
        tuple(one for one in refusals(old) if one.guardrail not in refused) if base and looked_up else (),
        unmanaged=tuple(map(str, sorted(_scopes(old) - _scopes(head), key=lambda scope: scope.rank))),
    )


def gone(organization: str) -> Comparison:
    """What it means that an organization has no policy any more: nobody loses anything by it."""
    return Comparison(organization, Standing.GONE, Source.NOWHERE)


def untold(organization: str, problems: Sequence[Problem]) -> Comparison:
    """An organization whose old policy is invalid."""
    return Comparison(organization, Standing.UNTOLD, Source.NOWHERE, problems=tuple(problems))


def known_people(membership: Membership) -> LiveState:
    """Everybody of a membership as if they were on a server, where they hold nothing."""
    people = {
        _NAME + fold(member.user_name): Principal(
            _NAME + fold(member.user_name),
            member.user_name,
            member.external_id,
            member.active,
            member.display_name,
            email=member.email,
        )
        for member in membership.everybody
        if member.user_name
    }
    return LiveState(people, {})


def _scopes(policy: Policy) -> frozenset[Scope]:
    """The scopes that a policy speaks for."""
    return frozenset(scope for (scope, _), _ in RoleNames(policy.organization).items())


def _asked(policy: Policy, ground: Ground, live: LiveState, now: datetime) -> tuple[DesiredState, Course]:
    """What a policy asks for, with problems and findings of people's lives, and what becomes of accounts."""
    people = population.of(policy, ground.membership, live, now, own_user=ground.own_user)
    asked = desired.expand(policy, ground.membership, people.joined(live), now, people)
    course = lifecycle.decide(policy.organization.lifecycle, people, asked, live, now)
    problems = tuple(sorted({*asked.problems, *people.problems}))
    return replace(asked, problems=problems, findings=(*asked.findings, *course.findings)), course


def _as_asked(
    asked: DesiredState,
    live: LiveState,
    spoken_for: frozenset[Scope],
    to_be: frozenset[Scope],
    beyond: LiveState,
) -> LiveState:
    """A server that is as it was asked to be, in the scopes `to_be`; in new ones, as it is `beyond`."""

    def holdings(id_: str) -> Holdings:
        was = {scope: roles for scope, roles in asked.holdings(id_).items() if scope in to_be}
        more = {s: roles for s, roles in beyond.holdings(id_).items() if s in to_be - spoken_for}
        return {**was, **more}

    held = {id_: has for id_ in live.people if (has := holdings(id_))}
    groups = beyond.role_groups
    if groups is not None:
        needed = ((scope, role) for has in held.values() for scope, roles in has.items() for role in roles)
        groups = groups.union(needed)
    return LiveState(live.people, held, groups)


def _with_former(found: Drift, before: DesiredState) -> Drift:
    """The same; what somebody loses is explained by the entries that gave it and are gone, too."""

    def scope(id_: str, one: ScopeDrift) -> ScopeDrift:
        still = {(reason.entry, reason.name) for reason in one.why}
        former = tuple(
            replace(reason, former=True)
            for reason in before.why.get(id_, {}).get(one.scope, ())
            if reason.role > highest(one.desired)
            and not (reason.ended or reason.withheld or (reason.entry, reason.name) in still)
        )
        return replace(one, why=one.why + former)

    return Drift(
        tuple(
            replace(person, scopes=tuple(scope(person.principal.id, one) for one in person.scopes))
            for person in found.people
        )
    )


def _new(before: Iterable[Finding], after: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that were not told before, wherever they stand."""
    told = {(one.kind, one.subject, one.message) for one in before}
    return tuple(one for one in after if (one.kind, one.subject, one.message) not in told)


# Stand-ins, for whom nobody looked up.


def _with_stand_ins(ground: Ground, *policies: Policy) -> tuple[Ground, frozenset[str]]:
    """The same, with a stand-in for each group and each name that was not found; and those of groups.

    A server that was asked knows everybody: what it does not know is a problem, and has none.
    """
    if ground.source is Source.SERVER:
        return ground, frozenset()
    membership, people = ground.membership, dict(ground.live.people)
    groups = tuple(_stand_in(group) for group in _not_found(policies, membership))
    ids = frozenset(member.principal_id or "" for group in groups for member in group.members or ())
    named = _unknown_names(policies, people.values())
    people |= {id_: Principal(id_, name) for id_, name in named.items()}
    people |= {_id(group): Principal(_id(group), f"{EVERYBODY}{group.name}") for group in groups}
    everybody = membership.people
    if everybody is not None:
        everybody |= {Member(id_, user_name=name) for id_, name in named.items()}
    membership = replace(membership, groups=(*membership.groups, *groups), people=everybody)
    live = replace(ground.live, people=people)
    return replace(ground, membership=membership, live=live), ids


def _id(group: DirectoryGroup) -> str:
    return _GROUP + group.id


def _stand_in(ref: GroupRef) -> DirectoryGroup:
    """A group with one member, who is everybody in it."""
    id_ = ref.id or f"(no id) {fold(ref.name)}"
    return DirectoryGroup(id_, ref.name, frozenset([Member(_GROUP + id_)]))


def _not_found(policies: Iterable[Policy], membership: Membership) -> Sequence[GroupRef]:
    """The groups that policies name and that are not in a membership, each once, whatever it was called."""
    refs = [
        ref for policy in policies for ref in sorted(policy.groups, key=lambda ref: (ref.name, ref.id or ""))
    ]
    missing: list[GroupRef] = []
    for ref in refs:
        if _is_in(ref, membership):
            continue
        same = next((n for n, other in enumerate(missing) if _same(other, ref)), None)
        if same is None:
            missing.append(ref)
        else:
            missing[same] = replace(missing[same], id=missing[same].id or ref.id)
    return missing


def _is_in(ref: GroupRef, membership: Membership) -> bool:
    if ref.id is not None:
        return ref.id in membership.by_id
    return any(fold(name) in membership.by_name for name in (ref.name, *ref.previously))


def _same(one: GroupRef, later: GroupRef) -> bool:
    """Whether two references mean one group, as far as they tell."""
    if one.id is not None and later.id is not None:
        return one.id == later.id
    return fold(one.name) in map(fold, (later.name, *later.previously))


def _unknown_names(policies: Iterable[Policy], people: Iterable[Principal]) -> Mapping[str, str]:
    """By the id of a stand-in: the people and machines that policies name, and nobody knows."""
    policies = list(policies)
    known = People.of(people, [entry for policy in policies for entry in policy.people])
    names: dict[str, str] = {}
    for policy in policies:
        limits = policy.organization.guardrails
        for name in (
            *(grant.user for grant in policy.grants),
            *(account.user for account in policy.service_accounts),
            *(account.owner for account in policy.service_accounts),
            *(entry.user for entry in policy.people),
            *limits.protected,
            *limits.required_admins,
            *limits.service_admins,
        ):
            if known.named(name) is None:
                names.setdefault(_NAME + fold(name), name)
    return names
