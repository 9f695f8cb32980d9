"""Roles stored as membership of one SCIM Group per role and scope: reading, joining, leaving, creating.

Members are added and removed one by one, or up to a hundred by name. A list of members is never replaced, so
nobody who joined meanwhile is thrown out. No two writes to one group are under way at once, for a server that
puts a list together itself could lose one of them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from functools import cache
from threading import Lock
from urllib.parse import quote

from reconciler.change import Change, CreateGroup, SetRoles
from reconciler.errors import ReadError, WriteError
from reconciler.http.words import quoted
from reconciler.model import Holdings, LiveState, Role, Scope
from reconciler.naming import RoleNames
from reconciler.policy.document import MembersFrom
from reconciler.ports import Portion
from reconciler.scim import decoding, listing, memberships, wire
from reconciler.scim.client import RefusedError, UncertainError, WritingClient
from reconciler.scim.listing import Query
from reconciler.scim.memberships import Unreadable
from reconciler.scim.reading import Reading, Readings
from reconciler.scim.user_roles import TOOK_MORE, gathered
from reconciler.scim.wire import Group, JsonObject

TRIES = 3

TOGETHER = 100
"""How many members at most join or leave a group in one request: some servers take no more."""

Meaning = tuple[Scope, Role]
Edit = tuple[Meaning, bool]
"""A group, and whether it is joined or left."""


def live(reading: Reading, names: RoleNames, members_from: MembersFrom) -> LiveState:
    """Everybody, what they hold, and which role groups there are. Raises ReadError."""
    people = reading.people  # before the groups: what says who holds what is then as fresh as it can be
    groups = find(reading.groups.values(), names)
    members = memberships.read(reading, [group.id for group in groups.values()], members_from)
    roles: dict[str, set[Meaning]] = defaultdict(set)
    for meaning, group in groups.items():
        found = members[group.id]
        if isinstance(found, Unreadable):
            raise ReadError(f"could not tell who is in the role group {quoted(group.name)}: {found.words}")
        for id_ in found & people.keys():
            roles[id_].add(meaning)
    holdings = cache(gathered)  # one value for all who are in the same groups
    return LiveState(
        {id_: person.principal for id_, person in people.items()},
        {id_: holdings(frozenset(meanings)) for id_, meanings in roles.items()},
        frozenset(groups),
    )


def find(groups: Iterable[Group], names: RoleNames) -> Mapping[Meaning, Group]:
    """The groups that stand for roles. Raises ReadError where two stand for the same one."""
    found: dict[Meaning, Group] = {}
    for group in groups:
        meaning = names.meaning(group.name)
        if meaning is None:
            continue
        other = found.setdefault(meaning, group)
        if other is not group:
            raise ReadError(
                f"two groups stand for the role {meaning[1]} in {meaning[0]}: {quoted(other.name)} "
                f"(id {quoted(other.id)}) and {quoted(group.name)} (id {quoted(group.id)})",
                "one of the two must be renamed or removed on the server",
            )
    return found


def portions(changes: Iterable[Change], at_once: int) -> Iterator[Portion]:
    """Changes in portions of at most TOGETHER, those together that are for the same groups.

    Where they are for many groups, in as many portions at least as may be under way at once.
    """
    edits = {id(change): _edits(change) for change in changes if isinstance(change, SetRoles)}
    yield from ((change,) for change in changes if id(change) not in edits)
    together = [change for change in changes if id(change) in edits]
    together.sort(key=lambda change: [(m[0].rank, m[1], joins) for m, joins in edits[id(change)]])
    enough = len(together) / at_once
    portion: list[Change] = []
    for change in together:
        differs = portion and edits[id(portion[-1])] != edits[id(change)]
        if len(portion) == TOGETHER or (differs and len(portion) >= enough):
            yield portion
            portion = []
        portion.append(change)
    if portion:
        yield portion


def _edits(change: SetRoles) -> Sequence[Edit]:
    """Which groups somebody joins and then leaves, in that order: nobody is without access in between."""
    joins = [((s.scope, role), True) for s in change.scopes for role in sorted(s.after - s.before)]
    return [*joins, *(((s.scope, role), False) for s in change.scopes for role in sorted(s.before - s.after))]


class RoleGroupsWriter:
    """Adds people to role groups, removes them, creates the groups."""

    def __init__(
        self, client: WritingClient, names: RoleNames, readings: Readings, members_from: MembersFrom
    ) -> None:
        self._client = client
        self._names = names
        self._readings = readings
        self._members_from = members_from
        self._ids: dict[Meaning, str] = {}
        self._held: Mapping[str, Holdings] = {}
        """What everybody held when they were last read, by id."""
        self._edited: set[Meaning] = set()
        self._moved: set[str] = set()
        """The groups that were written to since then, and the ids of those who were to join or leave."""
        self._doubtful: set[tuple[str, Meaning]] = set()
        """Who may have joined or left which group, together with others, and nobody could tell."""
        self._turns: dict[str, Lock] = {}
        """Who writes to a group, by its id."""
        self._creates = Lock()
        """Who looks for a group and creates it: a list that grows while it is read would be refused."""

    def remember(self, groups: Mapping[str, Group]) -> None:
        """What was read in this run, by id, which saves looking before each write."""
        self._ids = {meaning: group.id for meaning, group in find(groups.values(), self._names).items()}

    def check_others(self, state: LiveState) -> None:
        """Raises ReadError where somebody else left a group that was written to: some servers remove all."""
        for id_, holdings in self._held.items():
            left = {(scope, role) for scope, roles in holdings.items() for role in roles} & self._edited
            for scope, role in sorted(left, key=lambda meaning: (meaning[0].rank, meaning[1])):
                stays = id_ in self._moved or id_ not in state.people
                if not stays and role not in state.holdings(id_).get(scope, ()):
                    raise ReadError(
                        f"{quoted(state.people[id_].user_name)} is not in the group "
                        f"{quoted(self._names.name(scope, role))} any more, which this run did not ask for",
                        TOOK_MORE,
                    )
        self._held, self._edited, self._moved = state.roles, set(), set()

    def create(self, change: CreateGroup) -> None:
        """Create a role group that is not there. Never asked twice unseen: names need not be unique."""
        with self._creates:
            self._create(change, (change.scope, change.role))

    def _create(self, change: CreateGroup, meaning: Meaning) -> None:
        if self._listed(meaning):
            return
        try:
            answer = self._client.post(
                "/Groups", wire.new_group(change.name), again=lambda: self._listed(meaning) is None
            )
        except (RefusedError, UncertainError) as error:
            if self._listed(meaning):
                return
            raise WriteError(
                f"could not create the group {quoted(change.name)}: {error.reason}", error.hint
            ) from error
        id_ = wire.attribute(answer.document, "id")
        if isinstance(id_, str):
            self._ids[meaning] = id_

    def set_together(self, changes: Collection[SetRoles]) -> Collection[str]:
        """Carry out changes of different people, group by group; the ids of those for whom all was done."""
        done = {change.principal.id for change in changes}
        edits: dict[Edit, list[str]] = defaultdict(list)
        for change in changes:
            for edit in _edits(change):
                edits[edit].append(change.principal.id)
        for meaning, joins in sorted(edits, key=lambda edit: not edit[1]):
            # Who could not join does not leave.
            people = [id_ for id_ in edits[meaning, joins] if id_ in done]
            done -= self._left_out(meaning, people, joins=joins) if people else set()
        return done

    def _left_out(self, meaning: Meaning, people: Sequence[str], *, joins: bool) -> set[str]:
        """Have people join or leave a group in one request; those who did not, as far as is known."""
        group_id = self._ids.get(meaning)
        if group_id is None:
            return set(people)
        self._edited.add(meaning)
        self._moved.update(people)
        operations = [wire.add_members(people)] if joins else list(map(wire.remove_member, people))
        failure = self._attempt(group_id, operations)
        if failure is None:
            return set()
        if isinstance(failure, RefusedError):
            return set(people)
        try:
            members = self._members(group_id)
        except ReadError:
            self._doubtful.update((id_, meaning) for id_ in people)
            return set(people)
        return {id_ for id_ in people if (id_ in members) is not joins}

    def set_roles(self, change: SetRoles) -> None:
        """Carry out a change, joining before leaving, so that nobody is without access in between."""
        for meaning, joins in _edits(change):
            self._edit(change, meaning, joins=joins)

    def _edit(self, change: SetRoles, meaning: Meaning, *, joins: bool) -> None:
        """One member of one group; where the server objects or falls silent, look before anything else."""
        group_id = self._id(change, meaning)
        person_id = change.principal.id
        self._edited.add(meaning)
        self._moved.add(person_id)
        if (person_id, meaning) in self._doubtful and self._is_member(change, group_id) is joins:
            return
        operation = wire.add_members([person_id]) if joins else wire.remove_member(person_id)
        failure: RefusedError | UncertainError | None = None
        for _ in range(TRIES):
            failure = self._attempt(group_id, [operation])
            if failure is None or self._is_member(change, group_id) is joins:
                return
            if isinstance(failure, RefusedError):
                break
        assert failure is not None
        person, group = quoted(change.principal.user_name), quoted(self._names.name(*meaning))
        what = f"add {person} to" if joins else f"remove {person} from"
        raise WriteError(f"could not {what} the group {group}: {failure.reason}", failure.hint) from failure

    def _attempt(
        self, group_id: str, operations: Sequence[JsonObject]
    ) -> RefusedError | UncertainError | None:
        with self._turns.setdefault(group_id, Lock()):
            try:
                self._client.patch(f"/Groups/{quote(group_id, safe='')}", wire.patch(operations))
            except (RefusedError, UncertainError) as error:
                return error
            return None

    def _id(self, change: SetRoles, meaning: Meaning) -> str:
        id_ = self._ids.get(meaning) or self._listed(meaning)
        if id_ is None:
            raise WriteError(
                f"could not set the roles of {quoted(change.principal.user_name)}: "
                f"there is no group {quoted(self._names.name(*meaning))}",
                "run the plan again",
            )
        return id_

    def _listed(self, meaning: Meaning) -> str | None:
        """The id of a role group as the server lists it now. A filter would not do: some answer nothing."""
        query = Query("/Groups", ("displayName",))
        try:
            groups = listing.everything(self._client, query, self._readings.abilities, decoding.groups())
            found = find(groups.values(), self._names).get(meaning)
        except ReadError as error:
            raise WriteError(f"could not tell which groups there are: {error.message}", error.hint) from error
        if found is None:
            return None
        self._ids[meaning] = found.id
        return found.id

    def _is_member(self, change: SetRoles, group_id: str) -> bool:
        try:
            return change.principal.id in self._members(group_id)
        except ReadError as error:
            raise WriteError(
                f"could not tell which roles {quoted(change.principal.user_name)} has now: {error.message}",
                error.hint,
            ) from error

    def _members(self, group_id: str) -> Set[str]:
        """Who is in a group now. Raises ReadError."""
        reading = Reading(self._client, self._readings.abilities)
        members = memberships.read(reading, [group_id], self._members_from)[group_id]
        if isinstance(members, Unreadable):
            raise ReadError(members.words)
        return members
