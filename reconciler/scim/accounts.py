"""Accounts of people: creating, renaming, deactivating, reactivating and deleting Users. Knows no role.

Nothing is sent twice unseen. An account is searched for before it is created and before that is tried
again, so that a lost answer makes no twin; everything else is looked at before it is changed, and once
more before that is repeated.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import IntEnum
from itertools import count
from threading import Lock, Semaphore
from typing import assert_never

from reconciler.change import Attribute, AttributeChange, CreateUser, DeleteUser, SetActive, SetAttributes
from reconciler.errors import ConflictError, ReadError, WriteError
from reconciler.http import filters
from reconciler.http.words import quoted
from reconciler.model import PROVISIONAL, Principal, fold
from reconciler.scim import decoding, listing, users, wire
from reconciler.scim.client import Answer, AnswerError, RefusedError, UncertainError, WritingClient
from reconciler.scim.listing import Query
from reconciler.scim.reading import Readings
from reconciler.scim.users import INABILITY, TRIES, Seen, is_conflict, is_weak
from reconciler.scim.wire import JsonObject, Person

AGAIN = "run the plan again"


class Way(IntEnum):
    """How a change of attributes is put to the server, each plainer than the one before."""

    BY_PATH = 0
    """PATCH: one operation for each attribute."""
    WITHOUT_PATH = 1
    """PATCH: one operation with all of them by name, which is all that some servers understand."""
    WHOLE_USER = 2
    """PUT."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """One change of an account that is there: what it is to be, what it must be before, how it is sent."""

    principal: Principal
    what: str
    """What is done, after "could not": `deactivate 'ann@acme.example'`."""
    done: Callable[[Person], bool]
    as_planned: Callable[[Person], bool]
    send: Callable[[Seen, Way, str | None], object]
    """Raises RefusedError, UncertainError. Given what was seen, the way, and the version where it counts."""
    may_be_gone: bool = False
    """Whether it is done, too, where there is no such account any more."""


class AccountsWriter:
    """Creates accounts and changes them, one request each where the server can."""

    def __init__(self, client: WritingClient, readings: Readings) -> None:
        self._client = client
        self._readings = readings
        self._ids: dict[str, str] = {}
        """The server's id by the provisional one, of those who were created."""
        self._way = Way.BY_PATH
        self._places = Semaphore(client.at_once)
        """One is taken by each request that creates."""
        self._alone = Lock()
        """Who takes all places, so that what is listed holds still."""

    def id(self, principal_id: str) -> str | None:
        """The server's id of somebody; None for a provisional one that no account was created for."""
        return self._ids.get(principal_id) if principal_id.startswith(PROVISIONAL) else principal_id

    # -- creating --------------------------------------------------------------------------------

    def create(self, change: CreateUser) -> None:
        """Create an account, unless it is there; for what it raises see `ports.Provider.write`."""
        if self._is_there(change):
            return
        with self._places:
            self._create(change)

    def _is_there(self, change: CreateUser) -> bool:
        """Whether the account is there; where that can't be told, looks again while none is created.

        Everybody is listed where filters do not work, and a list that grows while it is read is refused.
        """
        try:
            return self._found(change, self._by_filter)
        except ConflictError:
            raise
        except WriteError:
            with self._alone, ExitStack() as places:
                for _ in range(self._client.at_once):
                    places.enter_context(self._places)
                return self._found(change, self._by_filter)

    def _create(self, change: CreateUser) -> None:
        failure: RefusedError | UncertainError | None = None
        try:
            answer = self._client.post(
                "/Users", wire.new_user(change.principal), again=lambda: not self._found(change, self._listed)
            )
            if self._answered(change, answer):
                return
        except (RefusedError, UncertainError) as error:
            failure = error
        if self._found(change, self._listed):
            return
        reason = failure.reason if failure else "the server accepted it, and there is no such account"
        hint = failure.hint if failure else "it may come about later; run the plan again to see"
        if isinstance(failure, RefusedError) and failure.status == 409:
            reason += "; it lists no such account, so there may be an inactive one that it hides"
            hint = "look for it on the server: activate it there, or delete it"
        raise WriteError(f"could not {_creating(change)}: {reason}", hint) from failure

    def _answered(self, change: CreateUser, answer: Answer) -> bool:
        """Whether a success shows the account that was asked for, and not another one, or nothing."""
        try:
            person = wire.person(answer.document)
        except ReadError:
            return False
        external_id = person.principal.external_id
        is_theirs = fold(person.principal.user_name) == fold(change.principal.user_name)
        if not is_theirs or external_id not in (None, change.principal.external_id):
            return False
        self._ids[change.principal.id] = person.principal.id
        return True

    def _found(self, change: CreateUser, search: Callable[[Principal], Iterator[Principal]]) -> bool:
        """Whether the account is there. Raises ConflictError for somebody else's, WriteError."""
        with _telling(f"could not tell whether there is {_account(change.principal)} already"):
            found = {person.id: person for person in search(change.principal)}
        for person in found.values():
            if not _is_same(person, change.principal):
                raise ConflictError(
                    f"could not {_creating(change)}: somebody else made an account meanwhile, "
                    f"{quoted(person.user_name)} with {_external(person)}, for {_external(change.principal)}",
                    AGAIN,
                )
        if len(found) > 1:
            raise ConflictError(f"could not {_creating(change)}: there are {len(found)} by now", AGAIN)
        for id_ in found:
            self._ids[change.principal.id] = id_
        return bool(found)

    def _by_filter(self, principal: Principal) -> Iterator[Principal]:
        """Who is found by userName or externalId. A server that ignores filters answers everybody."""
        wanted = {"userName": principal.user_name, "externalId": principal.external_id}
        for name, value in wanted.items():
            if value is None:
                continue
            query = Query("/Users", wire.USER_ATTRIBUTES, f"{name} eq {filters.scim(value)}")
            try:
                people = listing.everything(self._client, query, self._readings.abilities, decoding.people())
            except AnswerError as error:
                if error.status not in (400, 403, 501):
                    raise
                yield from self._listed(principal)
                return
            yield from _alike(people, principal)

    def _listed(self, principal: Principal) -> Iterator[Principal]:
        """The same out of everybody: slow, but true of servers whose filters find nothing, too."""
        query = Query("/Users", wire.USER_ATTRIBUTES)
        people = listing.everything(self._client, query, self._readings.abilities, decoding.people())
        return _alike(people, principal)

    # -- changing --------------------------------------------------------------------------------

    def set_active(self, change: SetActive) -> None:
        """Deactivate or reactivate somebody who is as the plan saw them."""
        before = change.principal.active is not False
        values = {"active": change.after}
        self._carry_out(
            _Edit(
                change.principal,
                f"{'reactivate' if change.after else 'deactivate'} {quoted(change.principal.user_name)}",
                done=lambda person: person.principal.entitled is change.after,
                as_planned=lambda person: person.principal.entitled is before,
                send=lambda seen, way, version: self._put_to(
                    seen, way, version, [wire.replace("active", change.after)], values
                ),
            )
        )

    def set_attributes(self, change: SetAttributes) -> None:
        """Give somebody other names or another primary e-mail; everything else about them stays."""
        self._carry_out(
            _Edit(
                change.principal,
                f"correct {_account(change.principal)}",
                done=lambda person: all(_has(person, a, a.after) for a in change.attributes),
                as_planned=lambda person: all(
                    _has(person, a, a.before) or _has(person, a, a.after) for a in change.attributes
                ),
                send=lambda seen, way, version: self._put_to(
                    seen, way, version, *_attributes(change, seen.document)
                ),
            )
        )

    def delete(self, change: DeleteUser) -> None:
        """Delete an account that is still inactive. One that is gone is deleted."""
        self._carry_out(
            _Edit(
                change.principal,
                f"delete {_account(change.principal)}",
                done=lambda _: False,
                as_planned=lambda person: not person.principal.entitled,
                send=lambda seen, _, version: self._client.delete(
                    users.path(seen.person.principal.id), version
                ),
                may_be_gone=True,
            )
        )

    def _carry_out(self, edit: _Edit) -> None:
        """Look, send, and where that fails look again before anything else."""
        way = self._way if self._readings.abilities.patch else Way.WHOLE_USER
        conditional = self._readings.abilities.etag
        failure: RefusedError | UncertainError | None = None
        before: Seen | None = None
        for tried in count():
            seen = self._look(edit, way)
            if seen is None or edit.done(seen.person):
                return
            if not edit.as_planned(seen.person):
                raise ConflictError(
                    f"could not {edit.what}: somebody else changed the account meanwhile", AGAIN
                ) from failure
            if failure is not None and before is not None:
                conditional = conditional and not is_weak(failure, before, seen)
                if tried >= TRIES:
                    raise _given_up(edit, failure) from failure
            try:
                edit.send(seen, way, seen.person.version if conditional else None)
                return
            except (RefusedError, UncertainError) as error:
                failure, before = error, seen
            way = self._next_way(edit, way, failure)

    def _look(self, edit: _Edit, way: Way) -> Seen | None:
        """The person as they are; None where that they are gone is as good. Raises WriteError."""
        with _telling(f"could not {edit.what}: how it is now can't be told"):
            seen = users.look(self._client, edit.principal.id, whole=way is Way.WHOLE_USER)
        if seen is None and not edit.may_be_gone:
            raise WriteError(f"could not {edit.what}: the server does not know them any more", AGAIN)
        if seen is None and edit.principal.id in self._everybody(edit):
            raise WriteError(f"could not {edit.what}: the server says that it is gone, and lists it", AGAIN)
        return seen

    def _everybody(self, edit: _Edit) -> Mapping[str, str]:
        """Who there is: a 404 alone is what a server says, too, that is not there itself."""
        query = Query("/Users", ("userName",))
        with _telling(f"could not {edit.what}: whether it is gone can't be told"):
            return listing.everything(self._client, query, self._readings.abilities, decoding.identifiers())

    def _put_to(
        self, seen: Seen, way: Way, version: str | None, operations: list[JsonObject], values: JsonObject
    ) -> None:
        """Send new values of attributes: as `operations`, or by the names of the attributes."""
        path = users.path(seen.person.principal.id)
        match way:
            case Way.BY_PATH:
                self._client.patch(path, wire.patch(operations), version)
            case Way.WITHOUT_PATH:
                self._client.patch(path, wire.patch([wire.replace_all(values)]), version)
            case Way.WHOLE_USER:
                self._client.put(path, wire.with_attributes(seen.document, values), version)
            case _ as never:
                assert_never(never)

    def _next_way(self, edit: _Edit, way: Way, failure: RefusedError | UncertainError) -> Way:
        """The way to try after a failure, once it was looked. Raises WriteError where there is none."""
        if isinstance(failure, UncertainError) or is_conflict(failure):
            return way
        if edit.may_be_gone and failure.status == 404:
            return way
        plainer = None if edit.may_be_gone else _plainer(way, failure)
        if plainer is None:
            raise WriteError(f"could not {edit.what}: {failure.reason}", failure.hint) from failure
        if failure.status != 400 or failure.scim_type.casefold() in INABILITY:
            self._way = max(self._way, plainer)
        return plainer


def _plainer(way: Way, failure: RefusedError) -> Way | None:
    """What to try where the server lacks what a way needs (RFC 7644 section 3.12, tables 8 and 9)."""
    if way is Way.WHOLE_USER:
        return None
    if failure.status in (405, 501):
        return Way.WHOLE_USER
    if failure.status == 400 and failure.scim_type.casefold() in (*INABILITY, "notarget", "invalidsyntax"):
        return Way(way + 1)
    return None


def _given_up(edit: _Edit, failure: RefusedError | UncertainError) -> WriteError:
    message = f"could not {edit.what} in {TRIES} tries: {failure.reason}"
    if isinstance(failure, RefusedError) and is_conflict(failure):
        return ConflictError(message, AGAIN)
    return WriteError(f"{message}; it is as it was", AGAIN)


def _attributes(change: SetAttributes, resource: JsonObject) -> tuple[list[JsonObject], JsonObject]:
    """What is to be written of a person, as operations by path and as values by name."""
    operations: list[JsonObject] = []
    values: dict[str, object] = {}
    for one in change.attributes:
        if one.attribute is Attribute.EMAIL:
            emails = wire.with_email(resource, one.after)
            by_path = wire.replace("emails[primary eq true].value", one.after)
            whole = wire.replace("emails", emails)
            operations.append(by_path if wire.has_one_primary_email(resource) else whole)
            values["emails"] = emails
        else:
            operations.append(wire.replace(one.attribute.value, one.after))
            values[one.attribute.value] = one.after
    return operations, values


def _has(person: Person, change: AttributeChange, value: str | None) -> bool:
    return change.attribute.same(change.attribute.of(person.principal), value)


def _alike(people: Mapping[str, Person], wanted: Principal) -> Iterator[Principal]:
    """Those who have the userName or the externalId of somebody; whatever a filter made of that."""
    for person in people.values():
        found = person.principal
        same_external_id = wanted.external_id is not None and found.external_id == wanted.external_id
        if same_external_id or fold(found.user_name) == fold(wanted.user_name):
            yield found


def _is_same(found: Principal, wanted: Principal) -> bool:
    return fold(found.user_name) == fold(wanted.user_name) and found.external_id == wanted.external_id


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """A failure to read in the middle of a write is one of the write: the run goes on with the others."""
    try:
        yield
    except ReadError as error:
        raise WriteError(f"{what}: {error.message}", error.hint) from error


def _creating(change: CreateUser) -> str:
    return f"create {_account(change.principal)}"


def _account(principal: Principal) -> str:
    return f"the account of {quoted(principal.user_name)}"


def _external(principal: Principal) -> str:
    return f"externalId {quoted(principal.external_id)}" if principal.external_id else "no externalId"
