"""Who on the provider a directory means: by id, by externalId, by userName, and by nothing else."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from reconciler.model import LiveState, Member, Membership, Principal, ProviderMembers, fold
from reconciler.policy.document import PersonEntry
from reconciler.problem import did_you_mean

T = TypeVar("T")


@dataclass(frozen=True)
class People:
    """Principals by the keys that identify them. An e-mail is none of them."""

    live: LiveState
    earlier: Mapping[str, tuple[str, ...]]
    """By folded userName: the names that the policy says somebody had before."""

    @classmethod
    def of(cls, people: Iterable[Principal], entries: Iterable[PersonEntry] = ()) -> "People":
        """These principals; `entries` are the policy's, for earlier names."""
        return cls.on(LiveState({person.id: person for person in people}, {}), entries)

    @classmethod
    def on(cls, live: LiveState, entries: Iterable[PersonEntry] = ()) -> "People":
        """The same of everybody on a provider."""
        return cls(live, {fold(entry.user): entry.previously for entry in entries})

    @property
    def by_id(self) -> Mapping[str, Principal]:
        return self.live.people

    @cached_property
    def by_external_id(self) -> Mapping[str, list[Principal]]:
        """Who shares an externalId is not told apart by it."""
        found: dict[str, list[Principal]] = {}
        for person in self.by_id.values():
            if person.external_id:
                found.setdefault(person.external_id, []).append(person)
        return found

    def match(self, member: Member) -> Principal | None:
        """Who a directory means: by id where both sides share it, by externalId, then by userName."""
        if member.principal_id is not None:
            return self.by_id.get(member.principal_id)
        if member.external_id:
            found = self.by_external_id.get(member.external_id, [])
            if len(found) > 1:
                return None
            if found:
                return found[0]
        return self.named(member.user_name) if member.user_name else None

    def told_apart(self, members: Set[Member]) -> tuple[Sequence[int], Collection[Member]]:
        """Which of some members are on the provider (`LiveState.held`), and the strangers among them.

        Where the provider itself tells of them, nobody has to be looked at.
        """
        positions = self.live.held.positions
        if isinstance(members, ProviderMembers):
            known = [at for at in map(positions.get, members.ids) if at is not None]
            gone = members.ids - positions.keys() if len(known) < len(members) else ()
            return known, [*map(Member, gone)]
        matched: set[int] = set()
        strangers: list[Member] = []
        for member in members:
            person = self.match(member)
            if person is None:
                strangers.append(member)
            else:
                matched.add(positions[person.id])
        return [*matched], strangers

    def named(self, user_name: str) -> Principal | None:
        """Who is called so, or was before as the policy says."""
        folded = fold(user_name)
        for name in (folded, *map(fold, self.earlier.get(folded, ()))):
            if found := self.live.by_user_name.get(name):
                return found
        return None

    def meant(self, user_name: str) -> str:
        """The end of a message that nobody is called so: `, did you mean 'ann@acme.example'?`, or nothing."""
        names = [person.user_name for person in self.by_id.values()]
        # Everybody is alike behind the @, so what stands before it has to be alike by itself.
        alike = [name for name in names if did_you_mean(_local(user_name), [_local(name)])]
        return did_you_mean(user_name, alike)


def together(membership: Membership) -> Membership:
    """The same with one record of each person, in whatever groups and listings they were told of.

    Where the records differ, as of somebody who was changed meanwhile, a single "inactive" counts, and a
    name that is not the same in all of them is not known.
    """
    merged = _merged(membership.everybody)
    if not merged:
        return membership

    def persons(members: Set[Member] | None) -> Set[Member] | None:
        return None if members is None else dict.fromkeys(merged.get(one, one) for one in members).keys()

    groups = tuple(replace(group, members=persons(group.members)) for group in membership.groups)
    return replace(membership, groups=groups, people=persons(membership.people))


def _merged(records: Collection[Member]) -> Mapping[Member, Member]:
    """Each record of somebody of whom there are several, to the one that they make together."""
    known = {record.external_id for record in records if record.external_id and record.principal_id is None}
    if len(known) == len(records):
        return {}  # of each person there is one, as of most directories
    ids: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record.external_id and record.user_name:
            ids[fold(record.user_name)].add(record.external_id)
    of_one: dict[tuple[str, str], list[Member]] = defaultdict(list)
    for record in records:
        of_one[_key(record, ids)].append(record)
    several = [same for same in of_one.values() if len(same) > 1]
    return {record: one for same in several for one in (_one(same),) for record in same}


def _key(record: Member, ids: Mapping[str, Collection[str]]) -> tuple[str, str]:
    """What tells a person from others; `ids` are the external ones of each folded userName.

    A name without an id is that of the one person who is called so, if there is just one.
    """
    if record.principal_id is not None:
        return ("id", record.principal_id)
    name = fold(record.user_name or "")
    of_name = ids.get(name, ())
    external_id = record.external_id or (next(iter(of_name)) if len(of_name) == 1 else None)
    return ("external id", external_id) if external_id else ("name", name)


def _one(records: list[Member]) -> Member:
    active = False if any(one.active is False for one in records) else _agreed(records, lambda m: m.active)
    saying_so = [one for one in records if one.active is active]
    return Member(
        principal_id=_agreed(records, lambda member: member.principal_id),
        external_id=_agreed(records, lambda member: member.external_id),
        user_name=_agreed(records, lambda member: member.user_name, fold),
        active=active,
        status=min((one.status for one in saying_so if one.status), default=""),
        since=min((one.since for one in saying_so if one.since), default=None),
        display_name=_agreed(records, lambda member: member.display_name),
        email=_agreed(records, lambda member: member.email, fold),
        attributes=tuple(sorted({pair for one in records for pair in one.attributes})),
    )


def _agreed(
    records: Iterable[Member],
    get: Callable[[Member], T | None],
    form: Callable[[T], object] = lambda value: value,
) -> T | None:
    """What all records that tell it tell alike; None where they differ."""
    told = [value for record in records if (value := get(record)) is not None]
    return min(told, key=str) if len(set(map(form, told))) == 1 else None


def _local(user_name: str) -> str:
    """What stands before the @ of a userName that looks like an address, else all of it."""
    return user_name.partition("@")[0] or user_name
