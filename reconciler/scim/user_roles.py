"""Roles stored in `User.roles` (RFC 7643 section 4.1.2): reading them, and changing one person's.

What the policy does not speak for is never touched: foreign values, unknown sub-attributes and
unknown attributes are left where they are, or sent back to the letter where a server makes us
replace more than we want to change.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import count
from urllib.parse import quote

from reconciler.change import SetRoles
from reconciler.errors import ConflictError, ReadError, WriteError
from reconciler.model import Entries, Holdings, LiveState, Role, Scope, fold
from reconciler.naming import RoleNames
from reconciler.scim import wire
from reconciler.scim.client import Answer, AnswerError, Client, RefusedError, UncertainError, WritingClient
from reconciler.scim.reading import Reading, Readings
from reconciler.scim.wire import JsonObject, Person, RoleValue
from reconciler.scim.words import quoted

TRIES = 5
"""How often one person's change is sent in all: other ways of asking, conflicts and lost answers together."""

TOOK_MORE = (
    "look at it before anything else: the server may take more than it is asked to (RFC 7644 section 3.5.2)"
)

_INABILITY = ("invalidpath", "invalidfilter")


class Way(IntEnum):
    """How a change is put to the server, each plainer than the one before."""

    FILTERED = 0
    """PATCH: add these, remove those by filter."""
    WHOLE_LIST = 1
    """PATCH: replace `roles`."""
    WHOLE_USER = 2
    """PUT."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A person as last read; `document` is the whole resource where that is known."""

    person: Person
    document: JsonObject


def live(reading: Reading, names: RoleNames) -> LiveState:
    """Everybody and what they hold. Raises ReadError."""
    people = reading.people
    roles = {id_: holdings(person, names) for id_, person in people.items()}
    entries = {id_: _entries(person, names) for id_, person in people.items()}
    foreign = {id_: _foreign(person, names) for id_, person in people.items()}
    return LiveState(
        {id_: person.principal for id_, person in people.items()},
        {id_: held for id_, held in roles.items() if held},
        entries={id_: unusual for id_, unusual in entries.items() if unusual},
        foreign={id_: values for id_, values in foreign.items() if values},
    )


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
        held[scope] = held.get(scope, frozenset()) | {role}
    return held


def read_back(reading: Reading, ids: Collection[str], known: int) -> Mapping[str, Person]:
    """These people as they are now; `known` is how many people there are. Raises ReadError."""
    if len(ids) > 2 * (known // reading.abilities.page + 2):
        return {id_: reading.people[id_] for id_ in ids if id_ in reading.people}
    return {id_: seen.person for id_ in ids if (seen := look(reading.client, id_))}


def look(client: Client, person_id: str, *, whole: bool = False) -> Seen | None:
    """One person as they are now, None where they are gone. Raises ReadError."""
    path = _path(person_id)
    try:
        answer = _get(client, path, whole)
    except AnswerError as error:
        if error.status == 404:
            return None
        raise
    person = wire.person(answer.document)
    if person.principal.id != person_id:
        raise ReadError(
            f"could not read {client.server}{path}: the answer is user {quoted(person.principal.id)} instead"
        )
    principal = replace(person.principal, version=person.principal.version or answer.etag)
    return Seen(replace(person, principal=principal), answer.document)


def _get(client: Client, path: str, whole: bool) -> Answer:
    if whole:
        return client.get(path)
    try:
        return client.get(path, [("attributes", ",".join(wire.USER_ATTRIBUTES))])
    except AnswerError as error:
        if error.status != 400:
            raise
        return client.get(path)


def _path(person_id: str) -> str:
    return f"/Users/{quote(person_id, safe='')}"


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
            conditional = conditional and not _is_weak(failure, before, seen)

    def _start(self, change: SetRoles) -> tuple[Seen, Way]:
        """What to begin with: what was read, if that is what the change begins with, or else a look."""
        way = self._way if self._readings.abilities.patch else Way.WHOLE_USER
        person = self._known.pop(change.principal.id, None)
        before = {scope.scope: scope.before for scope in change.scopes}
        if way is Way.FILTERED and person is not None and self._holds(person, before):
            return Seen(person, {}), way
        return self._look(change, way), way

    def _attempt(
        self, change: SetRoles, seen: Seen, way: Way, conditional: bool
    ) -> RefusedError | UncertainError | None:
        path = _path(change.principal.id)
        self._others[change.principal.id] = self._beside(change, seen.person)
        version = seen.person.principal.version if conditional else None
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
        if isinstance(failure, UncertainError) or _is_conflict(failure):
            return way
        plainer = _plainer(way, failure)
        if plainer is None:
            raise WriteError(
                f"could not set the roles of {_name(change)}: {failure.reason}", failure.hint
            ) from failure
        if failure.status != 400 or failure.scim_type.casefold() in _INABILITY:
            self._way = plainer
        return plainer

    def _given_up(self, change: SetRoles, failure: RefusedError | UncertainError) -> WriteError:
        message = f"could not set the roles of {_name(change)} in {TRIES} tries: {failure.reason}"
        if isinstance(failure, RefusedError) and _is_conflict(failure):
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
    if failure.status == 400 and failure.scim_type.casefold() in (*_INABILITY, "notarget"):
        return Way(way + 1)
    return None


def _is_conflict(failure: RefusedError) -> bool:
    """412, or 409 for a version that does not match (RFC 7644 section 3.12, table 8)."""
    return failure.status == 412 or (failure.status == 409 and failure.scim_type.casefold() != "uniqueness")


def _is_weak(failure: RefusedError | UncertainError, before: Seen, after: Seen) -> bool:
    """Whether the server refuses the very version that it gives: some compare weak ETags strongly."""
    return (
        isinstance(failure, RefusedError)
        and failure.status == 412
        and before.person.principal.version == after.person.principal.version
    )


def _name(change: SetRoles) -> str:
    return quoted(change.principal.user_name)
