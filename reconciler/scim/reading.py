"""One reading of a server, shared by everything in a run that reads it, so that each listing is sent once."""

from collections.abc import Mapping
from functools import cached_property
from typing import TypeVar

from reconciler.errors import ReadError
from reconciler.http.words import quoted
from reconciler.model import fold, fold_all
from reconciler.scim import decoding, discovery, listing, wire
from reconciler.scim.client import Client, WritingClient
from reconciler.scim.discovery import Abilities
from reconciler.scim.listing import Query
from reconciler.scim.wire import Group, Person

T = TypeVar("T")


class Reading:
    """Everybody and every group, each listed when first asked for. Immutable from then on, failures too."""

    def __init__(self, client: Client, abilities: Abilities) -> None:
        self.client = client
        self.abilities = abilities

    @property
    def people(self) -> Mapping[str, Person]:
        """By id. Raises ReadError where two people can't be told apart by name (RFC 7643 section 4.1.1)."""
        return _listed(self._people)

    @property
    def groups(self) -> Mapping[str, Group]:
        """By id."""
        return _listed(self._groups)

    @cached_property
    def _people(self) -> Mapping[str, Person] | ReadError:
        writes = isinstance(self.client, WritingClient)
        query = Query("/Users", wire.USER_ATTRIBUTES if writes else wire.UNVERSIONED)
        try:
            people = listing.everything(self.client, query, self.abilities, decoding.people(versions=writes))
            _check_names(people)
        except ReadError as error:
            return error
        return people

    @cached_property
    def _groups(self) -> Mapping[str, Group] | ReadError:
        query = Query("/Groups", wire.GROUP_ATTRIBUTES)
        try:
            return listing.everything(self.client, query, self.abilities, decoding.groups())
        except ReadError as error:
            return error


class Readings:
    """Hands out one reading to everybody, until somebody asks a second time or something is written."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._current: Reading | None = None
        self._taken: set[object] = set()

    @cached_property
    def abilities(self) -> Abilities:
        """What the server can do, asked once."""
        return discovery.abilities(self._client)

    def take(self, consumer: object) -> Reading:
        """A reading that this consumer has not had yet, which another one may have."""
        if self._current is None or consumer in self._taken:
            self._current = Reading(self._client, self.abilities)
            self._taken.clear()
        self._taken.add(consumer)
        return self._current

    def forget(self) -> None:
        """What was read is no longer so."""
        self._current = None
        self._taken.clear()


def _listed(found: T | ReadError) -> T:
    if isinstance(found, ReadError):
        raise found
    return found


def _check_names(people: Mapping[str, Person]) -> None:
    if len(set(fold_all(person.principal.user_name for person in people.values()))) == len(people):
        return
    seen: dict[str, Person] = {}
    for person in people.values():
        other = seen.setdefault(fold(person.principal.user_name), person)
        if other is not person:
            one, two = other.principal, person.principal
            raise ReadError(
                f"two users have the same userName: {quoted(one.user_name)} (id {quoted(one.id)}) and "
                f"{quoted(two.user_name)} (id {quoted(two.id)}); letter case makes no difference",
                "one of the two must be renamed or removed on the server",
            )
