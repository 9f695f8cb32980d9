"""A policy for an organization that has none: which groups explain what people have. Decides, writes nothing.

A binding gives a role to everybody in its group, now and in future. So a group is taken for the reason of a
role only where everybody in it has that role or a higher one, and nobody is given more than they have.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.model import ORGANIZATION, DirectoryGroup, LiveState, Membership, Principal, Role, Scope, fold
from reconciler.people.identity import People

SMALLEST = 2
"""A group of fewer people explains nothing: that its one member is an admin is no reason why the next is."""

MOST = 2 / 3
"""Where at least so many of a group have a role, and not all, somebody may want to know."""

LONGEST = 255
"""So many characters a name in a policy may have."""

Gifts = Mapping[Scope, Role]


@dataclass(frozen=True, slots=True)
class GroupGives:
    """A group, the roles that it explains, and how many people it gives them to."""

    group: DirectoryGroup
    gives: Gifts
    people: int


@dataclass(frozen=True, slots=True)
class Nearly:
    """A role that most people of a group have, `having` of `people`; as a binding it would give more."""

    group: DirectoryGroup
    scope: Scope
    role: Role
    having: int
    people: int


@dataclass(frozen=True, slots=True)
class PersonHas:
    """What somebody has for which no group is the reason. A role below `organization` stands apart: it is
    without effect as long as that lasts.
    """

    user: str
    gives: Gifts
    below: Gifts


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a policy would say so that nothing changes, and of whom it can't: userNames and group names."""

    groups: tuple[GroupGives, ...]
    people: tuple[PersonHas, ...]
    nearly: tuple[Nearly, ...] = ()
    inactive: tuple[str, ...] = ()
    """Who has roles and is not active: a policy entitles them to nothing."""
    doubled: tuple[str, ...] = ()
    """Who has several roles in one scope: a policy gives the highest alone."""
    passed_over: tuple[str, ...] = ()
    """Groups whose members or whose name can't be told for sure."""
    unnamed: tuple[str, ...] = ()
    """Whose roles no group explains, and whose userName no policy can be sure of."""


def propose(live: LiveState, membership: Membership) -> Proposal:
    """The policy under which everybody keeps what they have; the largest groups explain most.

    `membership` has every group that may be a reason, and no role groups.
    """
    people = {id_: person for id_, person in live.people.items() if person.entitled}
    holders = _Holders({id_: _highest(live, id_) for id_ in people})
    known, passed_over = _told_apart(membership, People.of(live.people.values()))
    for group, ids in known:
        holders.offer(group, ids & people.keys())
    needed = holders.needed()
    unexplained = dict(holders.unexplained(_by_name(people)))
    left = {id_: gifts for id_, gifts in unexplained.items() if is_name(people[id_].user_name)}
    return Proposal(
        needed,
        tuple(_left(people[id_], gifts) for id_, gifts in left.items()),
        tuple(one for group, ids in known for one in _nearly(group, ids & people.keys(), left)),
        inactive=_names(live.people[id_] for id_ in live.roles if id_ not in people),
        doubled=_names(people[id_] for id_ in people if any(len(r) > 1 for r in live.holdings(id_).values())),
        passed_over=passed_over,
        unnamed=_names(people[id_] for id_ in unexplained if id_ not in left),
    )


class _Holders:
    """What everybody has, and how much of it is explained so far."""

    def __init__(self, held: Mapping[str, Gifts]) -> None:
        self._held = held
        self._given: dict[tuple[str, Scope], list[Role]] = defaultdict(list)
        """By principal id: what each group that was taken gives."""
        self._taken: list[tuple[DirectoryGroup, frozenset[str], dict[Scope, Role]]] = []

    def offer(self, group: DirectoryGroup, ids: frozenset[str]) -> None:
        """Take what a group can give as far as that explains something that is not explained yet."""
        if len(ids) < SMALLEST:
            return
        everybody = [self._held[id_] for id_ in ids]
        shared = set(everybody[0]).intersection(*everybody[1:])
        most = {scope: min(held[scope] for held in everybody) for scope in shared}
        gives = {
            scope: role
            for scope, role in most.items()
            if role >= most.get(ORGANIZATION, role) and any(self._best(id_, scope) < role for id_ in ids)
        }
        if gives:
            self._taken.append((group, ids, gives))
            for scope, role in gives.items():
                for id_ in ids:
                    self._given[id_, scope].append(role)

    def needed(self) -> tuple[GroupGives, ...]:
        """What was taken without what is explained by others, too; by the groups' names."""
        for _, ids, gives in reversed(self._taken):
            for scope, role in list(gives.items()):
                if all(self._without(id_, scope, role) >= self._best(id_, scope) for id_ in ids):
                    del gives[scope]
                    for id_ in ids:
                        self._given[id_, scope].remove(role)
        found = [GroupGives(group, gives, len(ids)) for group, ids, gives in self._taken if gives]
        return tuple(sorted(found, key=lambda one: (fold(one.group.name), one.group.id)))

    def unexplained(self, ids: Iterable[str]) -> Iterable[tuple[str, Gifts]]:
        """What nobody's group explains, by principal id, in this order."""
        for id_ in ids:
            gifts = {s: role for s, role in self._held[id_].items() if self._best(id_, s) < role}
            if gifts:
                yield id_, gifts

    def _best(self, id_: str, scope: Scope) -> int:
        return max(self._given.get((id_, scope), ()), default=0)

    def _without(self, id_: str, scope: Scope, role: Role) -> int:
        others = list(self._given[id_, scope])
        others.remove(role)
        return max(others, default=0)


def _nearly(group: DirectoryGroup, ids: frozenset[str], left: Mapping[str, Gifts]) -> Iterable[Nearly]:
    """The roles of which a group would be the reason, were it not for a few of its people."""
    having = Counter(gift for id_ in ids for gift in left.get(id_, {}).items())
    for (scope, role), number in sorted(having.items(), key=lambda pair: pair[0][0].rank):
        if number >= max(SMALLEST, MOST * len(ids)):
            yield Nearly(group, scope, role, number, len(ids))


def _told_apart(
    membership: Membership, people: People
) -> tuple[list[tuple[DirectoryGroup, frozenset[str]]], tuple[str, ...]]:
    """Groups with the ids of their members, the largest first; and the names of those that can't be used."""
    known: list[tuple[DirectoryGroup, frozenset[str]]] = []
    passed_over: list[str] = []
    for group in membership.groups:
        found = [people.match(member) for member in group.members or ()]
        if group.members is None or None in found or not is_name(group.name):
            passed_over.append(group.name)
        else:
            known.append((group, frozenset(person.id for person in found if person)))
    known.sort(key=lambda pair: (-len(pair[1]), fold(pair[0].name), pair[0].id))
    return known, tuple(sorted(passed_over, key=fold))


def is_name(text: str) -> bool:
    """Whether a policy can call somebody or something so without any doubt about what is read."""
    return 0 < len(text) <= LONGEST and text == text.strip() and text.isprintable()


def _left(person: Principal, gifts: Gifts) -> PersonHas:
    """Roles that stand together in one entry, and those that one entry may not have beside them."""
    organization = gifts.get(ORGANIZATION)
    below = {scope: role for scope, role in gifts.items() if organization and role < organization}
    return PersonHas(person.user_name, {s: r for s, r in gifts.items() if s not in below}, below)


def _highest(live: LiveState, id_: str) -> Gifts:
    return {scope: max(roles) for scope, roles in live.holdings(id_).items() if roles}


def _by_name(people: Mapping[str, Principal]) -> Sequence[str]:
    return sorted(people, key=lambda id_: (fold(people[id_].user_name), id_))


def _names(people: Iterable[Principal]) -> tuple[str, ...]:
    return tuple(sorted((person.user_name for person in people), key=fold))
