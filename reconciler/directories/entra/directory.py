"""Entra ID as a directory: the groups that a policy names, who is in them, and who there is."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from reconciler.directories.entra import log, wire
from reconciler.directories.entra.client import WHOLE, GraphClient, Query, installed_signer
from reconciler.directories.entra.wire import Reading
from reconciler.errors import ReadError
from reconciler.http.reach import Reach
from reconciler.http.words import quoted
from reconciler.model import DirectoryGroup, Member, Membership, fold
from reconciler.policy.document import GroupRef, Organization
from reconciler.ports import ProvisioningFailure
from reconciler.settings import entra as settings

GROUPS, USERS = "/groups", "/users"
OF_GROUPS = ("$select", "displayName,id,visibility")
CAST = "microsoft.graph.user"
"""Only people count: groups, devices and apps may be members, too."""

ALIKE = 3
"""How many letters of a name that is not there the names that are suggested begin with."""

GROUPS_RIGHT, USERS_RIGHT, HIDDEN_RIGHT = "GroupMember.Read.All", "User.Read.All", "Member.Read.Hidden"

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@contextmanager
def opened(
    organization: Organization, environ: Mapping[str, str], reach: Reach
) -> Iterator["EntraDirectory"]:
    """The tenant of an organization; its connections are closed when the block ends. Raises SettingsError."""
    connection = settings.connection(organization.name, environ)
    with GraphClient(connection, installed_signer, reach) as client:
        yield EntraDirectory(client, organization)


class EntraDirectory:
    """A `ports.Directory`.

    Counts, casts and filters are served by an index that lags behind by seconds; a listing is believed when
    it holds as many as that counts. A deleted user is listed nowhere.
    """

    def __init__(self, client: GraphClient, organization: Organization) -> None:
        self._client = client
        self._settings = organization.directory
        self._reading = Reading(self._settings.attributes, _attributes(organization))
        self._known: dict[str, Member] = {}
        """Everybody who was read, by object id."""
        self._names: set[str] = set()

    def read(self, groups: Collection[GroupRef], *, everybody: bool = False) -> Membership:
        """Every group that one of these references could mean. Raises ReadError."""
        self._known, self._names = {}, set()
        meant: dict[str, wire.Group] = {}
        for ref in sorted(groups, key=lambda ref: (ref.name, ref.id or "")):
            meant.update({group.id: group for group in self._meant(ref)})
        if everybody:
            self._everybody()
        members = {id_: self._members(group) for id_, group in meant.items()}
        return Membership(
            tuple(self._answer(group, members[id_]) for id_, group in meant.items()),
            frozenset(self._names.union(group.name for group in meant.values())),
            frozenset(self._known.values()) if everybody else None,
        )

    def failures(self) -> tuple[ProvisioningFailure, ...]:
        """What the log says failed and has not succeeded since; () unless the policy asks for it."""
        if not self._settings.log:
            return ()
        return log.failures(self._client, self._settings.application, self._known)

    # -- groups ----------------------------------------------------------------------------------

    def _meant(self, ref: GroupRef) -> list[wire.Group]:
        """By id where there is one, else by name, else by an earlier name."""
        if ref.id is not None:
            found = self._by_id(ref)
            return [found] if found else []
        for name in (ref.name, *ref.previously):
            if groups := self._named(name):
                return groups
        self._suggest(ref.name)
        return []

    def _by_id(self, ref: GroupRef) -> wire.Group | None:
        """A group by its object id; what does not look like one is the id of no group."""
        if ref.id is None or not _GUID.fullmatch(ref.id):
            return None
        subject = f"the group {quoted(ref.name)}"
        query = Query(subject, f"{GROUPS}/{ref.id.lower()}", GROUPS_RIGHT, [OF_GROUPS], counted=False)
        found = self._client.one(query)
        if found is None:
            return None
        group = wire.group(found)
        if group.id.lower() != ref.id.lower():
            raise ReadError(
                f"could not read {subject} from {self._client.server}: asked for {ref.id}, "
                f"the server answered {quoted(group.id)}",
                WHOLE,
            )
        return group

    def _named(self, name: str) -> list[wire.Group]:
        """All groups of a name: in Entra ID it is no key."""
        condition = ("$filter", f"displayName eq {_literal(name)}")
        query = Query(f"the groups named {quoted(name)}", GROUPS, GROUPS_RIGHT, [condition, OF_GROUPS])
        found = [wire.group(record) for record in self._client.everything(query)]
        return [group for group in found if fold(group.name) == fold(name)]

    def _suggest(self, name: str) -> None:
        """Names that begin like one that is not there, for whoever misspelled it."""
        condition = ("$filter", f"startswith(displayName,{_literal(name[:ALIKE])})")
        query = Query(f"groups named like {quoted(name)}", GROUPS, GROUPS_RIGHT, [condition, OF_GROUPS])
        self._names.update(wire.group(record).name for record in self._client.first(query))

    def _answer(self, group: wire.Group, ids: list[str]) -> DirectoryGroup:
        """A group that hides its members looks empty to who may not see them."""
        if group.hidden and not ids:
            return DirectoryGroup(
                group.id,
                group.name,
                None,
                f"it hides its members; the app needs the application permission {HIDDEN_RIGHT}",
            )
        return DirectoryGroup(group.id, group.name, frozenset(self._known[id_] for id_ in ids))

    # -- people ----------------------------------------------------------------------------------

    def _members(self, group: wire.Group) -> list[str]:
        """The ids of everybody in a group, and with nested groups of everybody in those within it."""
        within = "transitiveMembers" if self._settings.nested else "members"
        subject = f"the members of the group {quoted(group.name)}"
        return self._people(subject, f"{GROUPS}/{group.id}/{within}/{CAST}", GROUPS_RIGHT)

    def _everybody(self) -> None:
        subject = "the people of the tenant"
        if not self._people(subject, USERS, USERS_RIGHT):
            raise ReadError(f"could not read {subject} from {self._client.server}: there are none", WHOLE)

    def _people(self, subject: str, path: str, right: str) -> list[str]:
        """Read people, of whom the latest reading holds: it must not contradict an earlier one."""
        now = self._client.patience.now()
        query = Query(subject, path, right, [("$select", self._reading.select)])
        read = {
            wire.identifier(record): self._reading.member(record, now)
            for record in self._client.everything(query)
        }
        self._known.update(read)
        return list(read)


def _attributes(organization: Organization) -> frozenset[str]:
    """The attributes of people that the policy's classes ask for."""
    classes = organization.classes.values()
    names = {name for one in classes for name in (*one.attributes, one.end_attribute)}
    return frozenset(name for name in names if name)


def _literal(text: str) -> str:
    """Text in a filter (OData 4.01, URL Conventions, section 5.1.1.14.1): a quote within is doubled."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
