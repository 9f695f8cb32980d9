"""Classes of people, such as contractors: who is in which, and what holds for them. Gives no role itself."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import NamedTuple

from reconciler.model import Member, Membership, Role, fold
from reconciler.people import groups
from reconciler.people.identity import People
from reconciler.phrases import shortened
from reconciler.policy import times
from reconciler.policy.document import PersonClass, PersonEntry, Policy
from reconciler.policy.marked import quote
from reconciler.problem import Location, Problem

SHOWN = 3
"""How many people a message lists before it only counts."""

_UNSET = datetime(1970, 1, 1, tzinfo=UTC)
"""Directories write a time long ago (year 1, 1601, or this) for "not set": nobody's time ended by then."""


@dataclass(frozen=True, slots=True)
class End:
    """The last moment of somebody's time, aware, the line of policy that knows it, and the class meant."""

    moment: datetime
    at: Location
    person_class: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why it is not known whether somebody's time is over, though their class needs it known."""

    person_class: PersonClass
    told: str = ""
    """What the directory says and nobody understands; empty where it says nothing, and must."""


class Bounds(NamedTuple):
    """What bindings can give somebody."""

    cap: Role | None = None
    """The highest role that one gives them."""
    capped_by: str = ""
    """The class that says so."""
    only: frozenset[str] = frozenset()
    """The classes all of which one has to name, or it gives them nothing."""


UNBOUND = Bounds()


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for one person: the strictest of all classes that they are in."""

    classes: tuple[str, ...] = ()
    """Sorted."""
    bounds: Bounds = UNBOUND
    end: End | None = None
    """The earliest that is known."""
    doubt: Doubt | None = None

    def over(self, now: datetime) -> bool:
        """Whether their time is over for certain."""
        return self.end is not None and now > self.end.moment

    def frozen(self, now: datetime) -> bool:
        """Whether their time may be over or not, so that they neither gain nor lose."""
        return self.doubt is not None and not self.over(now)


EVERYBODY = Standing()
"""What holds for who is in no class."""


@dataclass(frozen=True, slots=True)
class Classes:
    """Everybody's standing, by principal id; who is absent is in no class and has no end.

    With problems, the group of a class is not known: then nobody can be told apart from those in it.
    """

    standings: Mapping[str, Standing]
    problems: tuple[Problem, ...] = ()
    known: Mapping[str, Collection[Member]] = field(default_factory=dict, compare=False)
    """What the directory knows of people (`members`): of nobody where no class and no entry asks for it."""

    def of(self, principal_id: str) -> Standing:
        return self.standings.get(principal_id, EVERYBODY)


def tell_apart(policy: Policy, membership: Membership, people: People) -> Classes:
    """Who is in which class by group, attribute or the policy's word, and until when. Service accounts never.

    `people` are those on the provider; of anybody else nothing needs to be told.
    """
    declared = sorted(policy.organization.classes.values(), key=lambda one: one.name)
    known = members(membership, people) if declared or policy.people else {}
    entries = _entries(policy.people, people, known)
    problems: dict[Problem, None] = {}
    inside: dict[str, list[PersonClass]] = defaultdict(list)
    for one in declared:
        for id_ in _ids(one, membership, people, known, problems) | _said(one, entries):
            inside[id_].append(one)
    machines = {found.id for one in policy.service_accounts if (found := people.named(one.user))}
    standings = {
        id_: _standing(inside.get(id_, ()), entries.get(id_, ()), known.get(id_, ()))
        for id_ in (inside.keys() | entries.keys()) - machines
    }
    return Classes(standings, tuple(problems), known)


def members(membership: Membership, people: People) -> Mapping[str, Collection[Member]]:
    """What the directory knows of everybody on the provider, by principal id."""
    result: dict[str, list[Member]] = defaultdict(list)
    for member in membership.everybody:
        if person := people.match(member):
            result[person.id].append(member)
    return result


def problems(doubts: Iterable[tuple[str, Doubt]]) -> Iterator[Problem]:
    """The problem of each class whose people's ends are not known; the people are given by userName."""
    missing: dict[str, list[str]] = defaultdict(list)
    garbled: dict[str, list[str]] = defaultdict(list)
    declared = {}
    for user, doubt in sorted(doubts, key=lambda pair: (fold(pair[0]), pair[0])):
        declared[doubt.person_class.name] = doubt.person_class
        if doubt.told:
            garbled[doubt.person_class.name].append(f"{user} ({quote(doubt.told)})")
        else:
            missing[doubt.person_class.name].append(user)
    for name, users in missing.items():
        message = f"no end is known of people of the class '{name}': {shortened(users, SHOWN)}"
        yield Problem(declared[name].at, message, "write their `ends:` under `people:` of a policy file")
    for name, users in garbled.items():
        attribute = declared[name].end_attribute
        message = f"cannot understand '{attribute}' of people of the class '{name}'"
        remedy = "correct it there to a date such as 2026-12-31"
        yield Problem(declared[name].at, f"{message}: {shortened(users, SHOWN)}", remedy)


def _entries(
    entries: Iterable[PersonEntry], people: People, known: Mapping[str, Collection[Member]]
) -> Mapping[str, Collection[PersonEntry]]:
    """What the policy says of everybody on the provider, by principal id.

    Who is called so by the directory alone is meant, too: their account has the old name until it is mended.
    """
    result: dict[str, list[PersonEntry]] = defaultdict(list)
    unnamed: dict[str, list[PersonEntry]] = defaultdict(list)
    for entry in entries:
        if person := people.named(entry.user):
            result[person.id].append(entry)
        else:
            unnamed[fold(entry.user)].append(entry)
    for id_, several in known.items() if unnamed else ():
        for name in unnamed.keys() & {fold(member.user_name or "") for member in several}:
            result[id_] += unnamed[name]
    return result


def _ids(
    one: PersonClass,
    membership: Membership,
    people: People,
    known: Mapping[str, Collection[Member]],
    problems: dict[Problem, None],
) -> set[str]:
    """Who the directory says is in a class; `problems` is added to where a group of it is not known."""
    matches = cache(partial(_matches, one))
    ids = {id_ for id_, several in known.items() if any(matches(member.attributes) for member in several)}
    for reference in one.groups:
        found = groups.find(reference, one.at, membership)
        if isinstance(found, Problem):
            problems[found] = None
        else:
            ids.update(person.id for member in found.members or () if (person := people.match(member)))
    return ids


def _matches(one: PersonClass, attributes: tuple[tuple[str, str], ...]) -> bool:
    """Whether somebody is in a class by their attributes (`Member.attributes`), which are those of many."""
    return any(
        fold(value) in map(fold, one.attributes[name]) for name, value in attributes if name in one.attributes
    )


def _said(one: PersonClass, entries: Mapping[str, Collection[PersonEntry]]) -> set[str]:
    """Whom the policy puts in a class by name."""
    return {id_ for id_, several in entries.items() if any(one.name in entry.classes for entry in several)}


def _standing(
    inside: Collection[PersonClass], entries: Collection[PersonEntry], known: Collection[Member]
) -> Standing:
    caps = [(one.highest_role, one.name) for one in inside if one.highest_role is not None]
    cap, capped_by = min(caps, default=(None, ""))
    meant = (
        min((not (one.end_required or one.end_attribute), one.name) for one in inside)[1] if inside else ""
    )
    ends = [End(entry.ends, entry.at, meant) for entry in entries if entry.ends is not None]
    doubts = []
    for one in inside:
        for told in _told_ends(one, known):
            moment = _moment(told)
            if moment is None:
                doubts.append(Doubt(one, told))
            else:
                ends.append(End(moment, one.at, one.name))
    doubts += [Doubt(one) for one in inside if one.end_required and not ends]
    return Standing(
        tuple(one.name for one in inside),
        Bounds(cap, capped_by, frozenset(one.name for one in inside if one.only_where_named)),
        min(ends, key=lambda end: (end.moment, end.at), default=None),
        doubts[0] if doubts else None,
    )


def _told_ends(one: PersonClass, known: Collection[Member]) -> list[str]:
    """What the directory says of somebody's end, sorted; nothing where the class has no attribute for it."""
    told = {
        value.strip() for member in known for name, value in member.attributes if name == one.end_attribute
    }
    return sorted(told - {""})


def _moment(told: str) -> datetime | None:
    try:
        moment = times.end(told)
    except ValueError:
        return None
    return moment if moment > _UNSET else None
