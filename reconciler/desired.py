"""What everybody should have: the policy expanded over group membership. Reads no live role but to hold it.

Whatever must not be touched is copied from the live state into the desired one here, before the two are
compared; so nothing that comes later needs an exception for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler import notices
from reconciler.finding import Finding
from reconciler.model import (
    DIRECTORY,
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
    Roles,
    Scope,
    Term,
    fold,
)
from reconciler.people import classes, groups
from reconciler.people.classes import Bounds, Classes, End
from reconciler.people.identity import People
from reconciler.people.population import Population
from reconciler.phrases import shortened
from reconciler.policy.document import Binding, Policy, RoleEntry, ServiceAccount, TemporaryGrant
from reconciler.problem import Location, Problem

SHOWN = 3
"""How many names a message lists before it only counts."""


def expand(
    policy: Policy,
    membership: Membership,
    live: LiveState,
    now: datetime,
    population: Population = Population(),
) -> DesiredState:
    """Everybody's roles as the policy asks for them at the moment `now` (aware), and why.

    A group or a person that cannot be resolved is a problem, and holds what it could have given. A
    protected person keeps what they have. Somebody who is not active, or whose time is over, is entitled to
    nothing; where it is not known whether it is over, they keep what they have. `population` says who else
    is held, and who is entitled to nothing, or to something all the same; its newcomers are people of `live`
    already.
    """
    people = People.of(live.people.values(), policy.people)
    told = classes.tell_apart(policy, membership, people)
    expansion = _Expansion(membership, people, told, live, population, protected(policy, live), now)
    for binding in policy.bindings:
        expansion.bind(binding)
    for grant in policy.grants:
        expansion.grant(grant)
    for account in policy.service_accounts:
        expansion.serve(account)
    expansion.deny(policy.organization.place("directory"))
    found = notices.of(policy, membership, people, told, expansion.concerned(), now)
    return expansion.state(found)


def protected(policy: Policy, live: LiveState) -> frozenset[str]:
    """The ids of the protected people who are on the provider."""
    names = {fold(name) for name in policy.organization.guardrails.protected}
    return frozenset(id_ for id_, person in live.people.items() if fold(person.user_name) in names)


@dataclass(slots=True)
class _Expansion:
    """The desired state while it is put together."""

    membership: Membership
    people: People
    classes: Classes
    live: LiveState
    population: Population
    protected: frozenset[str]
    now: datetime
    given: dict[str, dict[Scope, list[Provenance]]] = field(default_factory=dict)
    idle: dict[str, dict[Scope, list[Provenance]]] = field(default_factory=dict)
    """What gives nothing, or nothing any more, and explains what somebody lacks."""
    held_for_all: dict[Scope, Role] = field(default_factory=dict)
    """The highest role in each scope that an unknown group, or a grant to an unknown name, could give."""
    held_for_unmatched: dict[Scope, Role] = field(default_factory=dict)
    """The same for a stranger among a group's members, who is nobody that the directory told apart."""
    matched: set[str] = field(init=False)
    """Who is known to be a certain person of the directory, or none of its strangers."""
    to_come: dict[str, dict[Scope, list[Provenance]]] = field(default_factory=dict)
    empty: dict[str, EmptyGroup] = field(default_factory=dict)
    """Groups that nobody is in, by id."""
    terms: list[Term] = field(default_factory=list)
    problems: dict[Problem, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.matched = set(self.population.told_apart)

    def bind(self, binding: Binding) -> None:
        """Without knowing who is in which class, a group that is known gives no more than one that is not."""
        group = groups.find(binding.group, binding.at, self.membership)
        if isinstance(group, Problem):
            self.problems[group] = None
        if isinstance(group, Problem) or self.classes.problems:
            _raise_to(self.held_for_all, binding.roles)
        if not isinstance(group, Problem):
            self._bind(binding, group)

    def grant(self, grant: TemporaryGrant) -> None:
        person = self.people.named(grant.user)
        begun = grant.starts is None or grant.starts <= self.now
        over = self.now > grant.expires
        if not over:
            self.terms.append(Term(grant.user, grant.at, grant.expires, grant.starts))
        if person is None:
            if not over:
                self._nobody(grant.at, "person", grant.user)
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
            _note(self.idle, person, reasons)
        elif begun:
            self._give(person, reasons)
        else:
            _note(self.to_come, person, reasons)

    def serve(self, account: ServiceAccount) -> None:
        machine = self.people.named(account.user)
        if machine is None:
            self._nobody(account.at, "service account", account.user)
            _raise_to(self.held_for_all, account.roles)
            return
        self._give(
            machine,
            [
                (e.scope, Provenance("service account", account.user, e.at, e.role, account.reason))
                for e in account.roles
            ],
        )

    def deny(self, at: Location) -> None:
        """Give the directory's word as the one reason why some lose all that they have."""
        for id_, words in self.population.denied.items():
            self.idle[id_] = {
                scope: [Provenance(DIRECTORY, words, at, max(roles), withheld=True)]
                for scope, roles in self.live.holdings(id_).items()
            }

    def concerned(self) -> Mapping[str, Mapping[Scope, Sequence[Provenance]]]:
        """Whom the policy touches: who is given something or has something, and by what, before any end."""
        return {id_: self.given.get(id_, {}) for id_ in self._concerned()}

    def state(self, findings: tuple[Finding, ...]) -> DesiredState:
        """The finished state, with everything that is to be held copied in from the live one."""
        doubtful = self._frozen()
        held = self.protected | doubtful
        self._end()
        why = {
            id_: _ranked(self.given.get(id_, {}), self.idle.get(id_, {}))
            for id_ in self.given.keys() | self.idle.keys()
        }
        roles = {id_: self._asked(id_) for id_ in self.given}
        if self.held_for_all or self.held_for_unmatched:
            for id_ in self.live.roles:
                roles[id_] = self._held(id_, roles.get(id_, NOTHING))
        for id_ in self.population.held - held:
            roles[id_], why[id_] = self._kept(id_, roles.get(id_, NOTHING))
        for id_ in held:
            roles[id_] = self.live.holdings(id_)
        held |= self.population.held
        given = sum(len(roles[id_]) for id_ in self.given if id_ not in held)
        return DesiredState(
            {id_: holdings for id_, holdings in roles.items() if holdings},
            {id_: reasons for id_, reasons in why.items() if reasons},
            tuple(sorted({**self.problems, **dict.fromkeys(self.classes.problems)})),
            given,
            empty_groups=tuple(sorted(self.empty.values(), key=lambda group: fold(group.name))),
            terms=tuple(sorted(self.terms, key=lambda term: term.at)),
            findings=findings,
            to_come={id_: _ranked(scopes, {}) for id_, scopes in self.to_come.items()},
            doubtful=doubtful,
        )

    def _bind(self, binding: Binding, group: DirectoryGroup) -> None:
        members = group.members or frozenset()
        if not members:
            self._empty(group, binding.roles)
        strangers = []
        offers: dict[Bounds, _Offer] = {}
        for member in members:
            person = self.people.match(member)
            if person is None and member.active is False:
                continue  # entitled to nothing, whoever they are
            if person is None:
                strangers.append(str(member))
                continue
            self.matched.add(person.id)
            if self.classes.problems:
                continue
            bounds = self.classes.of(person.id).bounds
            if bounds not in offers:
                offers[bounds] = _offer(binding, bounds)
            if offers[bounds].counts:
                self._give(person, offers[bounds].reasons)
            else:
                _note(self.idle, person, offers[bounds].reasons)
        if strangers:
            _raise_to(self.held_for_unmatched, binding.roles)
            self.problems[Problem(binding.at, _strangers(group, strangers))] = None

    def _concerned(self) -> frozenset[str]:
        ids = (self.given.keys() | self.live.roles.keys()) - self.protected
        return frozenset(id_ for id_ in ids if self.population.entitles(self.live.people[id_]))

    def _give(self, person: Principal, reasons: Iterable[tuple[Scope, Provenance]]) -> None:
        if self.population.entitles(person):
            _note(self.given, person, reasons)

    def _frozen(self) -> frozenset[str]:
        """The ids of those who may be past their end or not; why, is a problem."""
        doubts = {
            id_: doubt
            for id_ in self._concerned()
            if (standing := self.classes.of(id_)).frozen(self.now) and (doubt := standing.doubt)
        }
        users = [(self.live.people[id_].user_name, doubt) for id_, doubt in doubts.items()]
        self.problems.update(dict.fromkeys(classes.problems(users)))
        return frozenset(doubts)

    def _end(self) -> None:
        """Take everything back from those whose time is over, with the end as the reason."""
        for id_ in self._concerned():
            end = self.classes.of(id_).end
            if end is None or self.now <= end.moment:
                continue
            person, lost = self.live.people[id_], self.given.pop(id_, {})
            highest = {scope: max(roles) for scope, roles in self.live.holdings(id_).items()}
            for scope, reasons in lost.items():
                highest[scope] = max(highest.get(scope, Role.VIEWER), *(one.role for one in reasons))
            if highest:
                _note(
                    self.idle, person, [(scope, _over(person, end, role)) for scope, role in highest.items()]
                )

    def _empty(self, group: DirectoryGroup, roles: Iterable[RoleEntry]) -> None:
        earlier = self.empty.get(group.id)
        gives = frozenset((entry.scope, entry.role) for entry in roles)
        self.empty[group.id] = EmptyGroup(group.name, gives | earlier.gives if earlier else gives)

    def _asked(self, id_: str) -> Holdings:
        return {
            scope: frozenset([max(reason.role for reason in reasons)])
            for scope, reasons in self.given[id_].items()
        }

    def _held(self, id_: str, asked: Holdings) -> Holdings:
        """What was asked for, raised to what somebody holds, as far as something unresolved could give it."""
        if not self.population.entitles(self.live.people[id_]) or self.classes.of(id_).over(self.now):
            return asked
        result = dict(asked)
        for scope, roles in self.live.holdings(id_).items():
            reach = self.held_for_all.get(scope, 0)
            if id_ not in self.matched:
                reach = max(reach, self.held_for_unmatched.get(scope, 0))
            kept = min(max(roles), reach)
            if kept > max(asked.get(scope, ()), default=0):
                result[scope] = frozenset([Role(kept)])
        return result

    def _kept(self, id_: str, asked: Holdings) -> tuple[Holdings, Reasons]:
        """What somebody holds, but for what ended entries gave: an announced end waits for nobody."""
        result: dict[Scope, Roles] = {}
        why: dict[Scope, tuple[Provenance, ...]] = {}
        given, idle = self.given.get(id_, {}), self.idle.get(id_, {})
        for scope, roles in self.live.holdings(id_).items():
            over = [one for one in idle.get(scope, ()) if one.ended and one.role >= max(roles)]
            left = asked.get(scope, frozenset())
            if not over or max(left, default=0) >= max(roles):
                result[scope] = roles
                continue
            why |= _ranked({scope: given.get(scope, [])}, {scope: over})
            if left:
                result[scope] = left
        return result, why

    def _nobody(self, at: Location, noun: str, user: str) -> None:
        message = f"there is no {noun} '{user}' on the server{self.people.meant(user)}"
        remedy = f"{'people' if noun == 'person' else f'{noun}s'} are named by their userName"
        self.problems[Problem(at, message, remedy)] = None


def _note(
    book: dict[str, dict[Scope, list[Provenance]]],
    person: Principal,
    reasons: Iterable[tuple[Scope, Provenance]],
) -> None:
    scopes = book.setdefault(person.id, {})
    for scope, reason in reasons:
        scopes.setdefault(scope, []).append(reason)


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a binding has for everybody within the same bounds; nothing where it does not count for them."""

    reasons: tuple[tuple[Scope, Provenance], ...]
    counts: bool


def _offer(binding: Binding, bounds: Bounds) -> _Offer:
    unnamed = sorted(bounds.only.difference(binding.classes))
    reasons = ((entry.scope, _reason(binding, entry, bounds, unnamed)) for entry in binding.roles)
    return _Offer(tuple(reasons), not unnamed)


def _reason(binding: Binding, entry: RoleEntry, bounds: Bounds, unnamed: Sequence[str]) -> Provenance:
    """Why a binding gives somebody a role, or does not."""
    reason = Provenance("binding", binding.group.name, entry.at, entry.role)
    if unnamed:
        return replace(reason, person_class=unnamed[0], withheld=True)
    if bounds.cap is not None and bounds.cap < entry.role:
        return replace(reason, role=bounds.cap, asked=entry.role, person_class=bounds.capped_by)
    return reason


def _over(person: Principal, end: End, role: Role) -> Provenance:
    """Why somebody whose time is over loses a role."""
    return Provenance(
        "end", person.user_name, end.at, role, until=end.moment, ended=True, person_class=end.person_class
    )


def _strangers(group: DirectoryGroup, strangers: list[str]) -> str:
    shown = shortened(sorted(strangers), SHOWN)
    return f"members of the group '{group.name}' are not on the server: {shown}"


def _raise_to(held: dict[Scope, Role], entries: Iterable[RoleEntry]) -> None:
    for entry in entries:
        held[entry.scope] = max(entry.role, held.get(entry.scope, entry.role))


def _ranked(given: Mapping[Scope, list[Provenance]], idle: Mapping[Scope, list[Provenance]]) -> Reasons:
    """Reasons by scope: those that hold, strongest first, then those that do not or no more."""
    return {
        scope: (
            *sorted(given.get(scope, ()), key=_strength),
            *sorted(idle.get(scope, ()), key=_strength),
        )
        for scope in {**given, **idle}
    }


def _strength(reason: Provenance) -> tuple[int, object]:
    return (-reason.role, reason.at)
