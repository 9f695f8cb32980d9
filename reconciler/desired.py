"""What everybody should have: the policy expanded over group membership. Reads no live role but to hold it.

Whatever must not be touched is copied from the live state into the desired one here, before the two are
compared; so nothing that comes later needs an exception for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.identity import People
from reconciler.model import (
    NOTHING,
    DesiredState,
    DirectoryGroup,
    EmptyGroup,
    Holdings,
    LiveState,
    Membership,
    Principal,
    Provenance,
    Reasons,
    Role,
    Scope,
    Term,
    fold,
)
from reconciler.policy.document import Binding, GroupRef, Policy, RoleEntry, TemporaryGrant
from reconciler.problem import Problem, did_you_mean

SHOWN = 3
"""How many names a message lists before it only counts."""


def expand(policy: Policy, membership: Membership, live: LiveState, now: datetime) -> DesiredState:
    """Everybody's roles as the policy asks for them at the moment `now` (aware), and why.

    A group or a person that cannot be resolved is a problem, and holds what it could have given. A
    protected person keeps what they have. Somebody who is not active is entitled to nothing.
    """
    expansion = _Expansion(membership, People.of(live.people.values(), policy.people))
    for binding in policy.bindings:
        expansion.bind(binding)
    for grant in policy.grants:
        expansion.grant(grant, now)
    return expansion.state(live, protected(policy, live))


def protected(policy: Policy, live: LiveState) -> frozenset[str]:
    """The ids of the protected people who are on the provider."""
    names = {fold(name) for name in policy.organization.guardrails.protected}
    return frozenset(id_ for id_, person in live.people.items() if fold(person.user_name) in names)


@dataclass(slots=True)
class _Expansion:
    """The desired state while it is put together."""

    membership: Membership
    people: People
    given: dict[str, dict[Scope, list[Provenance]]] = field(default_factory=dict)
    ended: dict[str, dict[Scope, list[Provenance]]] = field(default_factory=dict)
    held_for_all: dict[Scope, Role] = field(default_factory=dict)
    """The highest role in each scope that an unknown group, or a grant to an unknown name, could give."""
    held_for_unmatched: dict[Scope, Role] = field(default_factory=dict)
    """The same for a stranger among a group's members, who is nobody that the directory told apart."""
    matched: set[str] = field(default_factory=set)
    """Who is known to be a certain person of the directory."""
    to_come: dict[str, dict[Scope, list[Provenance]]] = field(default_factory=dict)
    empty: dict[str, EmptyGroup] = field(default_factory=dict)
    """Groups that nobody is in, by id."""
    terms: list[Term] = field(default_factory=list)
    problems: dict[Problem, None] = field(default_factory=dict)

    def bind(self, binding: Binding) -> None:
        group = self._group(binding)
        if group is None or group.members is None:
            _raise_to(self.held_for_all, binding.roles)
            return
        if not group.members:
            self._empty(group, binding.roles)
        strangers = []
        reasons = [(e.scope, Provenance("binding", binding.group.name, e.at, e.role)) for e in binding.roles]
        for member in group.members:
            person = self.people.match(member)
            if person is None:
                strangers.append(str(member))
            else:
                self.matched.add(person.id)
                self._give(person, reasons)
        if strangers:
            _raise_to(self.held_for_unmatched, binding.roles)
            self._problem(binding, _strangers(group, strangers), "")

    def grant(self, grant: TemporaryGrant, now: datetime) -> None:
        person = self.people.named(grant.user)
        begun = grant.starts is None or grant.starts <= now
        over = now > grant.expires
        if not over:
            self.terms.append(Term(grant.user, grant.at, grant.expires, grant.starts))
        if person is None:
            if not over:
                self._unknown_person(grant)
            if begun and not over:
                _raise_to(self.held_for_all, grant.roles)
            return
        reasons = [
            (
                e.scope,
                Provenance(
                    "temporary grant",
                    grant.user,
                    e.at,
                    e.role,
                    grant.reason,
                    grant.expires,
                    over,
                    since=grant.starts,
                ),
            )
            for e in grant.roles
        ]
        if over:
            _add(self.ended, person, reasons)
        elif begun:
            self._give(person, reasons)
        else:
            _add(self.to_come, person, reasons)

    def state(self, live: LiveState, protected_ids: frozenset[str]) -> DesiredState:
        """The finished state, with everything that is to be held copied in from the live one."""
        why = {id_: _ranked(scopes, self.ended.get(id_, {})) for id_, scopes in self.given.items()}
        for id_, scopes in self.ended.items():
            if id_ not in why:
                why[id_] = _ranked({}, scopes)
        roles = {id_: self._asked(id_) for id_ in self.given}
        if self.held_for_all or self.held_for_unmatched:
            for id_ in live.roles:
                roles[id_] = self._held(id_, roles.get(id_, NOTHING), live)
        for id_ in protected_ids:
            roles[id_] = live.holdings(id_)
        given = sum(len(roles[id_]) for id_ in self.given if id_ not in protected_ids)
        return DesiredState(
            {id_: holdings for id_, holdings in roles.items() if holdings},
            why,
            tuple(sorted(self.problems)),
            given,
            empty_groups=tuple(sorted(self.empty.values(), key=lambda group: fold(group.name))),
            terms=tuple(sorted(self.terms, key=lambda term: term.at)),
            to_come={id_: _ranked(scopes, {}) for id_, scopes in self.to_come.items()},
        )

    def _give(self, person: Principal, reasons: Iterable[tuple[Scope, Provenance]]) -> None:
        if person.entitled:
            _add(self.given, person, reasons)

    def _empty(self, group: DirectoryGroup, roles: Iterable[RoleEntry]) -> None:
        earlier = self.empty.get(group.id)
        gives = frozenset((entry.scope, entry.role) for entry in roles)
        self.empty[group.id] = EmptyGroup(group.name, gives | earlier.gives if earlier else gives)

    def _asked(self, id_: str) -> Holdings:
        return {
            scope: frozenset([max(reason.role for reason in reasons)])
            for scope, reasons in self.given[id_].items()
        }

    def _held(self, id_: str, asked: Holdings, live: LiveState) -> Holdings:
        """What was asked for, raised to what somebody holds, as far as something unresolved could give it."""
        if not live.people[id_].entitled:
            return asked
        result = dict(asked)
        for scope, roles in live.holdings(id_).items():
            reach = self.held_for_all.get(scope, 0)
            if id_ not in self.matched:
                reach = max(reach, self.held_for_unmatched.get(scope, 0))
            kept = min(max(roles), reach)
            if kept > max(asked.get(scope, ()), default=0):
                result[scope] = frozenset([Role(kept)])
        return result

    def _group(self, binding: Binding) -> DirectoryGroup | None:
        found = _candidates(binding.group, self.membership.groups)
        if len(found) == 1:
            if found[0].members is None:
                self._problem(
                    binding, f"cannot tell who is in the group '{found[0].name}'", found[0].unreadable
                )
            return found[0]
        name = binding.group.name
        if found:
            ids = ", ".join(sorted(group.id for group in found))
            remedy = "name the one that is meant by its id: `group: {name: …, id: …}`"
            self._problem(binding, f"the directory has {len(found)} groups '{name}' (ids {ids})", remedy)
        elif binding.group.id is not None:
            message = f"the directory has no group with the id '{binding.group.id}', as '{name}' should have"
            self._problem(binding, message, "correct the id, or leave it out to go by the name")
        else:
            meant = did_you_mean(name, self.membership.names)
            remedy = "correct the name, or say what it was called before with `previously:`"
            self._problem(binding, f"the directory has no group '{name}'{meant}", "" if meant else remedy)
        return None

    def _unknown_person(self, grant: TemporaryGrant) -> None:
        self.problems[
            Problem(
                grant.at,
                f"there is no person '{grant.user}' on the server{self.people.meant(grant.user)}",
                "people are named by their userName",
            )
        ] = None

    def _problem(self, binding: Binding, message: str, remedy: str) -> None:
        self.problems[Problem(binding.at, message, remedy)] = None


def _candidates(wanted: GroupRef, groups: Iterable[DirectoryGroup]) -> list[DirectoryGroup]:
    """The groups that a reference can mean: by id if it has one, else by name, else by an earlier name."""
    if wanted.id is not None:
        return [group for group in groups if group.id == wanted.id]
    for name in (wanted.name, *wanted.previously):
        found = [group for group in groups if fold(group.name) == fold(name)]
        if found:
            return found
    return []


def _strangers(group: DirectoryGroup, strangers: list[str]) -> str:
    shown = ", ".join(sorted(strangers)[:SHOWN])
    more = f" and {len(strangers) - SHOWN} more" if len(strangers) > SHOWN else ""
    return f"members of the group '{group.name}' are not on the server: {shown}{more}"


def _add(
    to: dict[str, dict[Scope, list[Provenance]]],
    person: Principal,
    reasons: Iterable[tuple[Scope, Provenance]],
) -> None:
    scopes = to.setdefault(person.id, {})
    for scope, reason in reasons:
        scopes.setdefault(scope, []).append(reason)


def _raise_to(held: dict[Scope, Role], entries: Iterable[RoleEntry]) -> None:
    for entry in entries:
        held[entry.scope] = max(entry.role, held.get(entry.scope, entry.role))


def _ranked(given: Mapping[Scope, list[Provenance]], ended: Mapping[Scope, list[Provenance]]) -> Reasons:
    """Reasons by scope: those that hold, strongest first, then those that are over."""
    return {
        scope: (
            *sorted(given.get(scope, ()), key=_strength),
            *sorted(ended.get(scope, ()), key=_strength),
        )
        for scope in {**given, **ended}
    }


def _strength(reason: Provenance) -> tuple[int, object]:
    return (-reason.role, reason.at)
