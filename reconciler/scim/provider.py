"""The provider: roles on a SCIM 2.0 server, in both ways of storing them (`ports.Provider`).

with open_client(connection) as client:                    # or open_writing_client
readings = Readings(client)                            # shares listings between the two
provider = ScimReader(client, names, organization, readings)   # or ScimProvider
directory = ScimDirectory(client, organization.directory, readings)
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from reconciler.change import (
    Change,
    CreateGroup,
    CreateUser,
    DeleteUser,
    SetActive,
    SetAttributes,
    SetRoles,
)
from reconciler.errors import ReadError, WriteError
from reconciler.http.words import quoted
from reconciler.model import LiveState
from reconciler.naming import RoleNames
from reconciler.policy.document import Organization, StoredAs
from reconciler.ports import Portion
from reconciler.scim import role_groups, user_roles, users
from reconciler.scim.accounts import AccountsWriter
from reconciler.scim.bulk import BulkWriter
from reconciler.scim.client import AnswerError, Client, WritingClient
from reconciler.scim.reading import Reading, Readings
from reconciler.scim.role_groups import RoleGroupsWriter
from reconciler.scim.user_roles import UserRolesWriter
from reconciler.scim.wire import Person, attribute, identifier

NO_USER = frozenset({400, 403, 404, 405, 501})
"""What servers answer to `/Me` that don't implement it, or whose token is that of no user."""


class ScimReader:
    """A `ports.ProviderReader`. Everything it sends is a GET."""

    def __init__(
        self, client: Client, names: RoleNames, organization: Organization, readings: Readings | None = None
    ) -> None:
        self._client = client
        self._names = names
        self._stored_as = organization.roles.stored_as
        self._members_from = organization.directory.members_from
        self._readings = readings or Readings(client)
        self._people = 0

    @property
    def server(self) -> str:
        """The base URL; holds no secret."""
        return self._client.server

    def read(self) -> LiveState:
        """Everybody and their roles in the policy's scopes, complete. Raises ReadError."""
        return self._live(self._readings.take(self))

    def read_back(self, principal_ids: Collection[str]) -> LiveState:
        """The roles that these principals hold now, read anew. Raises ReadError."""
        if not principal_ids:
            return LiveState({}, {})
        reading = Reading(self._client, self._readings.abilities)
        if self._stored_as is StoredAs.USER_ROLES:
            people = users.read_back(reading, principal_ids, self._people)
            self._check(people)
            return LiveState(
                {id_: person.principal for id_, person in people.items()},
                {id_: user_roles.holdings(person, self._names) for id_, person in people.items()},
            )
        state = self._live(reading)
        there = [id_ for id_ in principal_ids if id_ in state.people]
        return LiveState(
            {id_: state.people[id_] for id_ in there}, {id_: state.holdings(id_) for id_ in there}
        )

    def _check(self, people: Mapping[str, Person]) -> None:
        """Who only reads has nothing to compare these people with."""

    def token_user(self) -> str | None:
        """The id of the User that `/Me` stands for; None where the server knows none (RFC 7644 section 3.11).

        Raises ReadError where the server fails to say, or says nothing that can be understood.
        """
        try:
            document = self._client.get("/Me").document
        except AnswerError as error:
            if error.status in NO_USER:
                return None
            raise
        if attribute(document, "userName") is None:
            return None
        try:
            return identifier(document)
        except ReadError as error:
            raise ReadError(f"could not tell whose token this is: {error.message}") from error

    def _live(self, reading: Reading) -> LiveState:
        match self._stored_as:
            case StoredAs.USER_ROLES:
                state = user_roles.live(reading, self._names)
            case StoredAs.GROUPS:
                state = role_groups.live(reading, self._names, self._members_from)
            case _ as never:
                assert_never(never)
        self._people = len(state.people)
        return state


class ScimProvider(ScimReader):
    """A `ports.Provider`. Several threads may write, for different people."""

    def __init__(
        self,
        client: WritingClient,
        names: RoleNames,
        organization: Organization,
        readings: Readings | None = None,
    ) -> None:
        super().__init__(client, names, organization, readings)
        self._accounts = AccountsWriter(client, self._readings)
        self._user_roles = UserRolesWriter(client, names, self._readings)
        self._bulk = BulkWriter(client, self._user_roles, self._readings)
        self._role_groups = RoleGroupsWriter(client, names, self._readings, self._members_from)

    def _live(self, reading: Reading) -> LiveState:
        state = super()._live(reading)
        match self._stored_as:
            case StoredAs.USER_ROLES:
                self._user_roles.remember(reading.people)
            case StoredAs.GROUPS:
                self._role_groups.check_others(state)
                self._role_groups.remember(reading.groups)
            case _ as never:
                assert_never(never)
        return state

    def _check(self, people: Mapping[str, Person]) -> None:
        self._user_roles.check_others(people)

    def read_back(self, principal_ids: Collection[str]) -> LiveState:
        """The same, also of those whom this provider created, by their provisional ids. Raises ReadError."""
        asked = {real: id_ for id_ in principal_ids if (real := self._accounts.id(id_)) is not None}
        state = super().read_back(asked)
        return LiveState(
            {asked[id_]: person for id_, person in state.people.items()},
            {asked[id_]: holdings for id_, holdings in state.roles.items()},
        )

    @property
    def at_once(self) -> int:
        """How many writes may be under way."""
        return self._client.at_once

    def portions(self, changes: Sequence[Change]) -> Iterable[Portion]:
        """The changes, those together that the same groups are for, or that one bulk request takes."""
        match self._stored_as:
            case StoredAs.USER_ROLES:
                return self._bulk.portions(changes)
            case StoredAs.GROUPS:
                return role_groups.portions(changes, self.at_once)
            case _ as never:
                assert_never(never)

    def write_together(self, portion: Portion) -> Collection[Change]:
        """Carry out several changes in fewer requests; see `ports.Provider`."""
        self._readings.forget()
        known = {
            id(change): known
            for change in portion
            if isinstance(change, SetRoles) and (known := self._known(change)) is not None
        }
        match self._stored_as:
            case StoredAs.USER_ROLES:
                done = self._bulk.set_together(known.values())
            case StoredAs.GROUPS:
                done = self._role_groups.set_together(list(known.values()))
            case _ as never:
                assert_never(never)
        written = {number for number, change in known.items() if change.principal.id in done}
        return [change for change in portion if id(change) not in written]

    def write(self, change: Change) -> None:
        """Carry out one change. Raises ConflictError or WriteError, see `ports.Provider`."""
        self._readings.forget()
        match change:
            case SetRoles():
                self._set_roles(change)
            case CreateUser():
                self._accounts.create(change)
            case SetAttributes():
                self._accounts.set_attributes(change)
            case SetActive():
                self._accounts.set_active(change)
            case DeleteUser():
                self._accounts.delete(change)
            case CreateGroup() if self._stored_as is StoredAs.GROUPS:
                self._role_groups.create(change)
            case CreateGroup():
                raise WriteError(
                    f"could not create the group {quoted(change.name)}: roles are stored on the user here",
                    "make a new plan",
                )
            case _ as never:
                assert_never(never)

    def _set_roles(self, change: SetRoles) -> None:
        known = self._known(change)
        if known is None:
            raise WriteError(
                f"could not set the roles of {quoted(change.principal.user_name)}: they have no account",
                "run the plan again",
            )
        match self._stored_as:
            case StoredAs.USER_ROLES:
                self._user_roles.set_roles(known)
            case StoredAs.GROUPS:
                self._role_groups.set_roles(known)
            case _ as never:
                assert_never(never)

    def _known(self, change: SetRoles) -> SetRoles | None:
        """The change by the server's id of the person; None where they have no account."""
        id_ = self._accounts.id(change.principal.id)
        return None if id_ is None else replace(change, principal=change.principal._replace(id=id_))
