"""One User resource on the server: looking at it, and what it means when the server won't have it written."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from reconciler.errors import ReadError
from reconciler.http.abreast import abreast
from reconciler.http.words import quoted
from reconciler.scim import wire
from reconciler.scim.client import Answer, AnswerError, Client, RefusedError, UncertainError
from reconciler.scim.reading import Reading
from reconciler.scim.wire import JsonObject, Person

TRIES = 5
"""How often one person's change is sent in all: other ways of asking, conflicts and lost answers together."""

INABILITY = ("invalidpath", "invalidfilter")
"""The error codes of servers that understand no path, or no filter in it (RFC 7644 section 3.12, table 9)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A person as last read; `document` is the whole resource where that is known."""

    person: Person
    document: JsonObject


def read_back(reading: Reading, ids: Collection[str], known: int) -> Mapping[str, Person]:
    """These people as they are now; `known` is how many people there are. Raises ReadError."""
    if len(ids) > 2 * (known // reading.abilities.page + 2):
        return {id_: reading.people[id_] for id_ in ids if id_ in reading.people}
    looks = abreast(lambda id_: look(reading.client, id_), ids, reading.client.at_once)
    return {id_: seen.person for id_, seen in zip(ids, looks, strict=True) if seen is not None}


def look(client: Client, person_id: str, *, whole: bool = False) -> Seen | None:
    """One person as they are now, None where they are gone. Raises ReadError."""
    place = path(person_id)
    try:
        answer = _get(client, place, whole)
    except AnswerError as error:
        if error.status == 404:
            return None
        raise
    person = wire.person(answer.document)
    if person.principal.id != person_id:
        raise ReadError(
            f"could not read {client.server}{place}: the answer is user {quoted(person.principal.id)} instead"
        )
    return Seen(person._replace(version=person.version or answer.etag), answer.document)


def _get(client: Client, place: str, whole: bool) -> Answer:
    if whole:
        return client.get(place)
    try:
        return client.get(place, [("attributes", ",".join(wire.USER_ATTRIBUTES))])
    except AnswerError as error:
        if error.status != 400:
            raise
        return client.get(place)


def path(person_id: str) -> str:
    """Where the resource of a person is, below the base URL."""
    return f"/Users/{quote(person_id, safe='')}"


def is_conflict(failure: RefusedError) -> bool:
    """412, or 409 for a version that does not match (RFC 7644 section 3.12, table 8)."""
    return failure.status == 412 or (failure.status == 409 and failure.scim_type.casefold() != "uniqueness")


def is_weak(failure: RefusedError | UncertainError, before: Seen, after: Seen) -> bool:
    """Whether the server refuses the very version that it gives: some compare weak ETags strongly."""
    return (
        isinstance(failure, RefusedError)
        and failure.status == 412
        and before.person.version == after.person.version
    )
