"""What everybody should have: the policy expanded over group membership. Reads no live role but to hold it.

Whatever must not be touched is copied from the live state into the desired one here, before the two are
compared; so nothing that comes later needs an exception for it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler import notices
from reconciler.aligned import Aligned
from reconciler.finding import Finding
from reconciler.model import (
    ALONE,
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
    highest,
)
from reconciler.people import classes, groups
from reconciler.people.classes import UNBOUND, Bounds, Classes, End
from reconciler.people.identity import People
from reconciler.people.population import Population
from reconciler.phrases import shortened
from reconciler.policy.document import Binding, Policy, RoleEntry, ServiceAccount, TemporaryGrant
from reconciler.problem import Location, Problem

SHOWN = 3
"""How many names a message lists before it only counts."""

SUGGESTIONS = 20
"""For so many unknown names one that is alike is looked for among all; more of them are no slips."""


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
    people = People.on(live, policy.people)
    told = classes.tell_apart(policy, membership, people)
    barred = population.barred(live.people)
    expansion = _Expansion(membership, people, told, live, population, barred, protected(policy, live), now)
    for binding in policy.bindings:
        expansion.bind(binding)
    for grant in policy.grants:
        expansion.grant(grant)
    for account in policy.service_accounts:
        expansion.serve(account)
    expansion.deny(policy.organization.place("directory"))
    found = notices.of(policy, membership, people, told, expansion.touched(policy), now)
    return expansion.state(found)


def protected(policy: Policy, live: LiveState) -> frozenset[str]:
    """The ids of the protected people who are on the provider."""
    names = map(fold, policy.organization.guardrails.protected)
    return frozenset(live.by_user_name[name].id for name in names if name in live.by_user_name)


@dataclass(frozen=True, slots=True, eq=False)
class _Offer:
    """What an entry of the policy has for everybody within the same bounds; of which it may be that it gives
    nothing (`counts`).

    Each is equal to itself alone. So people who are offered the same are told by the offers, which are few,
    and what follows from them is worked out once.
    """

    reasons: tuple[tuple[Scope, Provenance], ...]
    counts: bool = True
    alone: tuple["_Offer", ...] = field(init=False)
    """Just this one, as most people have it: one value for all of them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "alone", (self,))


_Offers = tuple[_Offer, ...]


@dataclass(slots=True)
class _Expansion:
    """The desired state while it is put together."""

    membership: Membership
    people: People
    classes: Classes
    live: LiveState
    population: Population
    barred: frozenset[str]
    """Who can be given nothing."""
    protected: frozenset[str]
    now: datetime
    given: Aligned[_Offers] = field(init=False)
    """Of everybody, the offers in the order of the policy."""
    idle: Aligned[_Offers] = field(init=False)
    """What gives nothing, or nothing any more, and explains what somebody lacks."""
    to_come: Aligned[_Offers] = field(init=False)
    bounds_at: Mapping[int, Bounds] = field(init=False)
    """The bounds of those in a class, by their positions."""
    barred_at: frozenset[int] = field(init=False)
    """The positions of the `barred`."""
    held_for_all: dict[Scope, Role] = field(default_factory=dict)
    """The highest role in each scope that an unknown group, or a grant to an unknown name, could give."""
    held_for_unmatched: dict[Scope, Role] = field(default_factory=dict)
    """The same for a stranger among a group's members, who is nobody that the directory told apart."""
    bound: list[DirectoryGroup] = field(default_factory=list)
    """The groups of bindings, as far as they are known."""
    empty: dict[str, EmptyGroup] = field(default_factory=dict)
    """Groups that nobody is in, by id."""
    terms: list[Term] = field(default_factory=list)
    problems: dict[Problem, None] = field(default_factory=dict)
    unknown: int = 0
    """How many entries name somebody or a group that is not there."""

    def __post_init__(self) -> None:
        everybody = self.live.held
        nothing: _Offers = ()
        books = (everybody.beside([nothing] * len(everybody.people)) for _ in range(3))
        self.given, self.idle, self.to_come = books
        at = everybody.positions
        self.bounds_at = {at[id_]: one.bounds for id_, one in self.classes.standings.items()}
        self.barred_at = frozenset(at[id_] for id_ in self.barred)

    def bind(self, binding: Binding) -> None:
        """Without knowing who is in which class, a group that is known gives no more than one that is not."""
        group = groups.find(binding.group, binding.at, self.membership, suggests=self.unknown < SUGGESTIONS)
        if isinstance(group, Problem):
            self.unknown += 1
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
        reasons = tuple(
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
        )
        if over:
            _add(self.idle, person.id, _Offer(reasons))
        elif begun:
            self._give(person, _Offer(reasons))
        else:
            _add(self.to_come, person.id, _Offer(reasons))

    def serve(self, account: ServiceAccount) -> None:
        machine = self.people.named(account.user)
        if machine is None:
            self._nobody(account.at, "service account", account.user)
            _raise_to(self.held_for_all, account.roles)
            return
        reasons = (
            (e.scope, Provenance("service account", account.user, e.at, e.role, account.reason))
            for e in account.roles
        )
        self._give(machine, _Offer(tuple(reasons)))

    def deny(self, at: Location) -> None:
        """Give the directory's word as the one reason why some lose all that they have."""
        for id_, words in self.population.denied.items():
            reasons = (
                (scope, Provenance(DIRECTORY, words, at, max(roles), withheld=True))
                for scope, roles in self.live.holdings(id_).items()
            )
            self.idle.put(id_, ())
            _add(self.idle, id_, _Offer(tuple(reasons)))

    def touched(self, policy: Policy) -> Mapping[str, Collection[Provenance]]:
        """Who is given or has something before any end, and by what: of all in a class or under `people:`."""
        named = (found.id for entry in policy.people if (found := self.people.named(entry.user)))
        ids = filter(self._is_touched, {*self.classes.standings, *named})
        return {
            id_: [reason for offer in self.given.get(id_, ()) for _, reason in offer.reasons] for id_ in ids
        }

    def state(self, findings: tuple[Finding, ...]) -> DesiredState:
        """The finished state, with everything that is to be held copied in from the live one."""
        doubtful = self._frozen()
        held = self.protected | doubtful
        self._end()
        roles = self._asked()
        given = sum(map(len, roles.each))
        given -= sum(len(roles.get(id_, NOTHING)) for id_ in held | self.population.held)
        kept_for: dict[str, Reasons] = {}
        if self.held_for_all or self.held_for_unmatched:
            apart = self._told_apart()
            for id_ in self.live.roles:
                roles.put(id_, self._held(id_, roles.get(id_, NOTHING), apart))
        for id_ in self.population.held - held:
            kept, kept_for[id_] = self._kept(id_, roles.get(id_, NOTHING))
            roles.put(id_, kept)
        for id_ in held:
            roles.put(id_, self.live.holdings(id_))
        return DesiredState(
            roles,
            _Why(self.given, self.idle, kept_for),
            tuple(sorted({**self.problems, **dict.fromkeys(self.classes.problems)})),
            given,
            empty_groups=tuple(sorted(self.empty.values(), key=lambda group: fold(group.name))),
            terms=tuple(sorted(self.terms, key=lambda term: term.at)),
            findings=findings,
            to_come=_Why(self.to_come, {}, {}),
            doubtful=doubtful,
        )

    def _asked(self) -> Aligned[Holdings]:
        """The highest role that everybody is given in each scope, worked out once for all given the same.

        What somebody of them holds already is the same value on both sides: most comparisons end there.
        """
        given, live = self.given.each, self.live.held
        found: dict[_Offers, Holdings] = {}
        for offers, held in dict(zip(given, live.each, strict=True)).items():
            asked = _highest(offers)
            found[offers] = held if held == asked else asked
        return live.beside([*map(found.__getitem__, given)])

    def _bind(self, binding: Binding, group: DirectoryGroup) -> None:
        self.bound.append(group)
        members = group.members or frozenset()
        if not members:
            self._empty(group, binding.roles)
        known, unmatched = self.people.told_apart(members)
        # Who is not active is entitled to nothing, whoever they are.
        strangers = [str(member) for member in unmatched if member.active is not False]
        for bounds, whom in self._within(known) if not self.classes.problems else ():
            offer = _offer(binding, bounds)
            if offer.counts:
                _note(self.given, self._entitled(whom), offer)
            else:
                _note(self.idle, whom, offer)
        if strangers:
            _raise_to(self.held_for_unmatched, binding.roles)
            self.problems[Problem(binding.at, _strangers(group, strangers))] = None

    def _within(self, positions: Collection[int]) -> Iterable[tuple[Bounds, Collection[int]]]:
        """People by what bindings can give them; nearly all are in no class."""
        if self.bounds_at.keys().isdisjoint(positions):
            return [(UNBOUND, positions)]
        found: dict[Bounds, list[int]] = defaultdict(list)
        for at in positions:
            found[self.bounds_at.get(at, UNBOUND)].append(at)
        return found.items()

    def _entitled(self, positions: Collection[int]) -> Collection[int]:
        """Those of some people who can be given something."""
        if self.barred_at.isdisjoint(positions):
            return positions
        return [at for at in positions if at not in self.barred_at]

    def _is_touched(self, id_: str) -> bool:
        """Whether somebody is given or has something that an end of their time would take."""
        if id_ in self.protected or not (id_ in self.given or id_ in self.live.roles):
            return False
        return id_ not in self.barred

    def _give(self, person: Principal, offer: _Offer) -> None:
        if person.id not in self.barred:
            _add(self.given, person.id, offer)

    def _frozen(self) -> frozenset[str]:
        """The ids of those who may be past their end or not; why, is a problem."""
        doubts = {
            id_: doubt
            for id_, standing in self.classes.standings.items()
            if standing.frozen(self.now) and (doubt := standing.doubt) and self._is_touched(id_)
        }
        users = [(self.live.people[id_].user_name, doubt) for id_, doubt in doubts.items()]
        self.problems.update(dict.fromkeys(classes.problems(users)))
        return frozenset(doubts)

    def _end(self) -> None:
        """Take everything back from those whose time is over, with the end as the reason."""
        for id_, standing in self.classes.standings.items():
            end = standing.end
            if end is None or self.now <= end.moment or not self._is_touched(id_):
                continue
            person, lost = self.live.people[id_], _by_scope(self.given.get(id_, ()))
            self.given.put(id_, ())
            taken = {scope: max(roles) for scope, roles in self.live.holdings(id_).items()}
            for scope, reasons in lost.items():
                taken[scope] = max(taken.get(scope, Role.VIEWER), *(one.role for one in reasons))
            if taken:
                over = ((scope, _over(person, end, role)) for scope, role in taken.items())
                _add(self.idle, id_, _Offer(tuple(over)))

    def _empty(self, group: DirectoryGroup, roles: Iterable[RoleEntry]) -> None:
        earlier = self.empty.get(group.id)
        gives = frozenset((entry.scope, entry.role) for entry in roles)
        self.empty[group.id] = EmptyGroup(group.name, gives | earlier.gives if earlier else gives)

    def _told_apart(self) -> frozenset[str]:
        """Who is known to be a certain person of the directory, or none of its strangers."""
        ids = [*self.live.people]
        inside = (self.people.told_apart(group.members or frozenset())[0] for group in self.bound)
        return self.population.told_apart.union(ids[at] for of_one in inside for at in of_one)

    def _held(self, id_: str, asked: Holdings, apart: Collection[str]) -> Holdings:
        """What was asked for, raised to what somebody holds, as far as something unresolved could give it."""
        if id_ in self.barred or self.classes.of(id_).over(self.now):
            return asked
        result = dict(asked)
        for scope, roles in self.live.holdings(id_).items():
            reach = self.held_for_all.get(scope, 0)
            if id_ not in apart:
                reach = max(reach, self.held_for_unmatched.get(scope, 0))
            kept = min(max(roles), reach)
            if kept > highest(asked.get(scope, frozenset())):
                result[scope] = frozenset([Role(kept)])
        return result

    def _kept(self, id_: str, asked: Holdings) -> tuple[Holdings, Reasons]:
        """What somebody holds, but for what ended entries gave: an announced end waits for nobody."""
        result: dict[Scope, Roles] = {}
        why: dict[Scope, tuple[Provenance, ...]] = {}
        given, idle = _by_scope(self.given.get(id_, ())), _by_scope(self.idle.get(id_, ()))
        for scope, roles in self.live.holdings(id_).items():
            over = [one for one in idle.get(scope, ()) if one.ended and one.role >= max(roles)]
            left = asked.get(scope, frozenset())
            if not over or highest(left) >= max(roles):
                result[scope] = roles
                continue
            why |= _ranked({scope: given.get(scope, [])}, {scope: over})
            if left:
                result[scope] = left
        return result, why

    def _nobody(self, at: Location, noun: str, user: str) -> None:
        meant = self.people.meant(user) if self.unknown < SUGGESTIONS else ""
        self.unknown += 1
        message = f"there is no {noun} '{user}' on the server{meant}"
        remedy = f"{'people' if noun == 'person' else f'{noun}s'} are named by their userName"
        self.problems[Problem(at, message, remedy)] = None


def _add(book: Aligned[_Offers], id_: str, offer: _Offer) -> None:
    _note(book, [book.positions[id_]], offer)


def _note(book: Aligned[_Offers], positions: Iterable[int], offer: _Offer) -> None:
    """Add an offer to those of many people, by their positions."""
    if offer.reasons:
        offers, alone = book.each, offer.alone
        for at in positions:
            earlier = offers[at]
            offers[at] = (*earlier, offer) if earlier else alone


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


def _by_scope(offers: _Offers) -> dict[Scope, list[Provenance]]:
    """The reasons in each scope, strongest first."""
    scopes: dict[Scope, list[Provenance]] = {}
    for offer in offers:
        for scope, reason in offer.reasons:
            scopes.setdefault(scope, []).append(reason)
    for reasons in scopes.values():
        if len(reasons) > 1:
            reasons.sort(key=_strength)
    return scopes


def _highest(offers: _Offers) -> Holdings:
    """The highest role in each scope."""
    return {scope: ALONE[reasons[0].role] for scope, reasons in _by_scope(offers).items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Why(Mapping[str, Reasons]):
    """By principal id: why, put together for whoever is asked about, which are few."""

    given: Mapping[str, _Offers]
    idle: Mapping[str, _Offers]
    instead: Mapping[str, Reasons]
    """Of whom something else is to be told, or nothing."""

    def __getitem__(self, id_: str) -> Reasons:
        if id_ in self.instead:
            reasons = self.instead[id_]
        else:
            reasons = _ranked(_by_scope(self.given.get(id_, ())), _by_scope(self.idle.get(id_, ())))
        if not reasons:
            raise KeyError(id_)
        return reasons

    def __iter__(self) -> Iterator[str]:
        told = {**self.given, **self.idle, **self.instead}
        return (id_ for id_ in told if id_ in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _ranked(given: Mapping[Scope, list[Provenance]], idle: Mapping[Scope, list[Provenance]]) -> Reasons:
    """Reasons by scope: those that hold, then those that do not or no more."""
    if not idle:
        return {scope: tuple(reasons) for scope, reasons in given.items()}
    return {scope: (*given.get(scope, ()), *idle.get(scope, ())) for scope in {**given, **idle}}


def _strength(reason: Provenance) -> tuple[int, object]:
    return (-reason.role, reason.at)
