"""Roles stored in `User.roles` (RFC 7643 section 4.1.2): reading them, and changing one person's.

What the policy does not speak for is never touched: foreign values, unknown sub-attributes and
unknown attributes are left where they are, or sent back to the letter where a server makes us
replace more than we want to change.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import count

from reconciler.aligned import Aligned
from reconciler.change import SetRoles
from reconciler.errors import ConflictError, ReadError, WriteError
from reconciler.http.words import quoted
from reconciler.model import ALONE, Entries, Holdings, LiveState, Role, Scope, fold
from reconciler.naming import RoleNames
from reconciler.scim import users, wire
from reconciler.scim.client import RefusedError, UncertainError, WritingClient
from reconciler.scim.reading import Reading, Readings
from reconciler.scim.users import INABILITY, TRIES, Seen, is_conflict, is_weak, look
from reconciler.scim.wire import JsonObject, Person, RoleValue

TOOK_MORE = (
    "look at it before anything else: the server may take more than it is asked to (RFC 7644 section 3.5.2)"
)


class Way(IntEnum):
    """How a change is put to the server, each plainer than the one before."""

    FILTERED = 0
    """PATCH: add these, remove those by filter."""
    WHOLE_LIST = 1
    """PATCH: replace `roles`."""
    WHOLE_USER = 2
    """PUT."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The body of a PATCH that is not sent yet, and the version of the user that it is for, if any."""

    body: JsonObject
    version: str | None


@dataclass(frozen=True, slots=True)
class _Standing:
    """What a list of roles amounts to: see `LiveState`."""

    holdings: Holdings
    entries: Entries
    foreign: tuple[str, ...]


def live(reading: Reading, names: RoleNames) -> LiveState:
    """Everybody and what they hold. Raises ReadError."""
    people = {id_: person.principal for id_, person in reading.people.items()}
    # Many share a list of roles (`decoding`), which `reading` keeps.
    lists = [id(person.roles) for person in reading.people.values()]
    somebody = dict(zip(lists, reading.people.values(), strict=True))
    known = {key: _standing(person, names) for key, person in somebody.items()}
    standings = [known[key] for key in lists]
    return LiveState(
        people,
        Aligned(people, [one.holdings for one in standings]),
        entries={id_: one.entries for id_, one in zip(people, standings, strict=True) if one.entries},
        foreign={id_: one.foreign for id_, one in zip(people, standings, strict=True) if one.foreign},
    )


def _standing(person: Person, names: RoleNames) -> _Standing:
    return _Standing(holdings(person, names), _entries(person, names), _foreign(person, names))


def holdings(person: Person, names: RoleNames) -> Holdings:
    """What a person holds in the policy's scopes. Raises ReadError where that can't be told."""
    return gathered(meaning for role in person.roles if (meaning := _meaning(person, role, names)))


def _meaning(person: Person, role: RoleValue, names: RoleNames) -> tuple[Scope, Role] | None:
    """The role that a value stands for; None: it is foreign, and so is all that is in it.

    Several roles in one value, as some servers and mappings write them, would read as "has none of them".
    """
    meaning = names.meaning(role.value)
    if meaning is None and any(names.meaning(part) for part in wire.parts(role.entry)):
        raise ReadError(
            f"could not tell which roles {quoted(person.principal.user_name)} has: the server answered "
            f"{quoted(json.dumps(role.entry, ensure_ascii=False), 80)}, which is not one role",
            "each value of `roles` must be one role; correct how they are provisioned to this server",
        )
    return meaning


def _foreign(person: Person, names: RoleNames) -> tuple[str, ...]:
    return tuple(sorted({role.value for role in person.roles if names.meaning(role.value) is None}))


def _entries(person: Person, names: RoleNames) -> Entries:
    """All role entries of a person, as JSON, in scopes where one of them says more than the role's name."""
    found: dict[Scope, tuple[str, ...]] = {}
    unusual: set[Scope] = set()
    for role in person.roles:
        meaning = names.meaning(role.value)
        if meaning is None:
            continue
        scope = meaning[0]
        text = json.dumps(role.entry, sort_keys=True, ensure_ascii=False)
        found[scope] = (*found.get(scope, ()), text)
        if role.entry != {"value": names.name(*meaning)}:
            unusual.add(scope)
    return {scope: found[scope] for scope in unusual}


def gathered(meanings: Iterable[tuple[Scope, Role]]) -> Holdings:
    """Holdings out of single roles."""
    held: dict[Scope, frozenset[Role]] = {}
    for scope, role in meanings:
        held[scope] = held[scope] | {role} if scope in held else ALONE[role]
    return held


class UserRolesWriter:
    """Changes the roles of one person at a time, in one request where the server can."""

    def __init__(self, client: WritingClient, names: RoleNames, readings: Readings) -> None:
        self._client = client
        self._names = names
        self._readings = readings
        self._known: dict[str, Person] = {}
        self._others: dict[str, frozenset[str]] = {}
        """By id: what somebody held beside what was to be changed when that was written."""
        self._way = Way.FILTERED

    def remember(self, people: Mapping[str, Person]) -> None:
        """What was read in this run: spellings and versions, which save looking before each write."""
        self._known = dict(people)

    def check_others(self, people: Mapping[str, Person]) -> None:
        """Raises ReadError where a write took more than it was asked to take: some servers remove all."""
        for id_, person in people.items():
            gone = self._others.pop(id_, frozenset()) - {fold(role.value) for role in person.roles}
            if gone:
                raise ReadError(
                    f"{quoted(person.principal.user_name)} does not have {quoted(min(gone))} any more, which "
                    f"this run did not ask for",
                    TOOK_MORE,
                )

    def set_roles(self, change: SetRoles) -> None:
        """Carry out a change; for what it raises see `ports.Provider.write`."""
        seen, way = self._start(change)
        conditional = self._readings.abilities.etag
        failure: RefusedError | UncertainError | None = None
        for tried in count():
            if self._holds(seen.person, {scope.scope: scope.after for scope in change.scopes}):
                return
            if not self._holds(seen.person, {scope.scope: scope.before for scope in change.scopes}):
                raise ConflictError(
                    f"could not set the roles of {_name(change)}: somebody else changed them meanwhile",
                    "run the plan again",
                ) from failure
            if failure is not None and tried >= TRIES:
                raise self._given_up(change, failure) from failure
            failure = self._attempt(change, seen, way, conditional)
            if failure is None:
                return
            way = self._next_way(change, way, failure)
            before, seen = seen, self._look(change, way)
            conditional = conditional and not is_weak(failure, before, seen)

    def draft(self, change: SetRoles) -> Draft | None:
        """What a change is put to the server as, where that takes no look before; None where it does."""
        person = self._known.get(change.principal.id)
        if person is None or not self._fits(change, person, self._first_way):
            return None
        operations = self._operations(change, person)
        version = person.version if self._readings.abilities.etag else None
        return Draft(wire.patch(operations), version) if operations else None

    def begun(self, change: SetRoles) -> None:
        """Somebody else sends its draft now: whatever comes of that, who writes after it looks before."""
        person = self._known.pop(change.principal.id)
        self._others[change.principal.id] = self._beside(change, person)

    @property
    def _first_way(self) -> Way:
        return self._way if self._readings.abilities.patch else Way.WHOLE_USER

    def _fits(self, change: SetRoles, person: Person, way: Way) -> bool:
        """Whether what was read is all that a change needs, and what it begins with."""
        before = {scope.scope: scope.before for scope in change.scopes}
        return way is Way.FILTERED and self._holds(person, before)

    def _start(self, change: SetRoles) -> tuple[Seen, Way]:
        """What to begin with: what was read, if that is what the change begins with, or else a look."""
        way = self._first_way
        person = self._known.pop(change.principal.id, None)
        if person is not None and self._fits(change, person, way):
            return Seen(person, {}), way
        return self._look(change, way), way

    def _attempt(
        self, change: SetRoles, seen: Seen, way: Way, conditional: bool
    ) -> RefusedError | UncertainError | None:
        path = users.path(change.principal.id)
        self._others[change.principal.id] = self._beside(change, seen.person)
        version = seen.person.version if conditional else None
        try:
            match way:
                case Way.FILTERED:
                    self._client.patch(path, wire.patch(self._operations(change, seen.person)), version)
                case Way.WHOLE_LIST:
                    body = wire.patch([wire.replace_roles(self._entries(change, seen.person))])
                    self._client.patch(path, body, version)
                case Way.WHOLE_USER:
                    body = wire.with_roles(seen.document, self._entries(change, seen.person))
                    self._client.put(path, body, version)
        except (RefusedError, UncertainError) as error:
            return error
        return None

    def _next_way(self, change: SetRoles, way: Way, failure: RefusedError | UncertainError) -> Way:
        """The way to try after a failure, once it was looked. Raises WriteError where there is none."""
        if isinstance(failure, UncertainError) or is_conflict(failure):
            return way
        plainer = _plainer(way, failure)
        if plainer is None:
            raise WriteError(
                f"could not set the roles of {_name(change)}: {failure.reason}", failure.hint
            ) from failure
        if failure.status != 400 or failure.scim_type.casefold() in INABILITY:
            self._way = max(self._way, plainer)
        return plainer

    def _given_up(self, change: SetRoles, failure: RefusedError | UncertainError) -> WriteError:
        message = f"could not set the roles of {_name(change)} in {TRIES} tries: {failure.reason}"
        if isinstance(failure, RefusedError) and is_conflict(failure):
            return ConflictError(message, "run the plan again")
        return WriteError(f"{message}; they are as they were", "run the plan again")

    def _look(self, change: SetRoles, way: Way) -> Seen:
        try:
            seen = look(self._client, change.principal.id, whole=way is Way.WHOLE_USER)
        except ReadError as error:
            raise WriteError(
                f"could not tell what roles {_name(change)} has now: {error.message}", error.hint
            ) from error
        if seen is None:
            raise WriteError(
                f"could not set the roles of {_name(change)}: the server does not know them any more"
            )
        return seen

    def _holds(self, person: Person, wanted: Holdings) -> bool:
        held = holdings(person, self._names)
        return all(held.get(scope, frozenset()) == roles for scope, roles in wanted.items())

    def _beside(self, change: SetRoles, person: Person) -> frozenset[str]:
        scopes = {scope.scope for scope in change.scopes}
        meanings = {fold(role.value): self._names.meaning(role.value) for role in person.roles}
        return frozenset(
            value for value, meant in meanings.items() if meant is None or meant[0] not in scopes
        )

    def _operations(self, change: SetRoles, person: Person) -> list[JsonObject]:
        """Adding first: nobody is without access in between, even where a PATCH is not atomic."""
        gained, lost = self._gained(change), _lost(change)
        raws = dict.fromkeys(role.raw for role in person.roles if self._names.meaning(role.value) in lost)
        removals = [wire.remove_role(raw) for raw in raws]
        return [wire.add_roles(gained), *removals] if gained else removals

    def _entries(self, change: SetRoles, person: Person) -> list[object]:
        lost = _lost(change)
        kept = [role.entry for role in person.roles if self._names.meaning(role.value) not in lost]
        return [*kept, *self._gained(change)]

    def _gained(self, change: SetRoles) -> list[object]:
        """The entries to add: as the change says where it does, else the role's name."""
        gained: list[object] = []
        for scope in change.scopes:
            stored = [json.loads(text) for text in scope.entries]
            for role in sorted(scope.after - scope.before):
                meant = (scope.scope, role)
                entries = [e for e in stored if self._names.meaning(wire.role(e).value) == meant]
                gained += entries or [{"value": self._names.name(*meant)}]
        return gained


def _lost(change: SetRoles) -> frozenset[tuple[Scope, Role] | None]:
    return frozenset((scope.scope, role) for scope in change.scopes for role in scope.before - scope.after)


def _plainer(way: Way, failure: RefusedError) -> Way | None:
    """What to try where the server lacks what a way needs (RFC 7644 section 3.12, tables 8 and 9)."""
    if way is Way.WHOLE_USER:
        return None
    if failure.status in (405, 501):
        return Way.WHOLE_USER
    if failure.status == 400 and failure.scim_type.casefold() in (*INABILITY, "notarget"):
        return Way(way + 1)
    return None


def _name(change: SetRoles) -> str:
    return quoted(change.principal.user_name)
