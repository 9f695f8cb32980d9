"""Entra ID as a directory: the groups that a policy names, who is in them, and who there is."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from reconciler.directories.entra import log, wire
from reconciler.directories.entra.client import WHOLE, GraphClient, Query, installed_signer
from reconciler.directories.entra.wire import JsonObject, Reading
from reconciler.errors import ReadError
from reconciler.http import filters
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
    it holds as many as that counts. A group that it names is read by its id, too, and counts if it has that
    name now; a name that it lacks is asked for once more without it. A deleted user is listed nowhere.
    """

    def __init__(self, client: GraphClient, organization: Organization) -> None:
        self._client = client
        self._settings = organization.directory
        self._reading = Reading(self._settings.attributes, organization.class_attributes)
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
            found = self._by_id(ref.name, ref.id)
            return [found] if found else []
        for name in (ref.name, *ref.previously):
            if groups := self._named(name):
                return groups
        self._suggest(ref.name)
        return []

    def _by_id(self, name: str, id_: str) -> wire.Group | None:
        """A group as it is now, by its object id; what does not look like one is the id of no group."""
        if not _GUID.fullmatch(id_):
            return None
        subject = f"the group {quoted(name)}"
        query = Query(subject, f"{GROUPS}/{id_.lower()}", GROUPS_RIGHT, [OF_GROUPS], counted=False)
        found = self._client.one(query)
        if found is None:
            return None
        group = wire.group(found)
        if group.id.lower() != id_.lower():
            raise ReadError(
                f"could not read {subject} from {self._client.server}: asked for {id_}, "
                f"the server answered {quoted(group.id)}",
                WHOLE,
            )
        return group

    def _named(self, name: str) -> list[wire.Group]:
        """All groups of a name: in Entra ID it is no key. The index first, for it counts them."""
        condition = ("$filter", f"displayName eq {filters.odata(name)}")
        query = Query(f"the groups named {quoted(name)}", GROUPS, GROUPS_RIGHT, [condition, OF_GROUPS])
        if found := self._really(name, self._client.everything(query)):
            return found
        return self._really(name, self._client.everything(replace(query, counted=False)))

    def _really(self, name: str, hits: Collection[JsonObject]) -> list[wire.Group]:
        """Those of these groups that have the name now."""
        alike = [hit for hit in map(wire.group, hits) if fold(hit.name) == fold(name)]
        groups = [group for hit in alike if (group := self._by_id(name, hit.id))]
        return [group for group in groups if fold(group.name) == fold(name)]

    def _suggest(self, name: str) -> None:
        """Names that begin like one that is not there, for whoever misspelled it."""
        condition = ("$filter", f"startswith(displayName,{filters.odata(name[:ALIKE])})")
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
