"""Entra ID as a directory: the groups that a policy names, who is in them, and who there is."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from reconciler.directories import by_name
from reconciler.directories.entra import log, wire
from reconciler.directories.entra.client import WHOLE, GraphClient, Query, installed_signer
from reconciler.directories.entra.wire import Reading
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

MOST_NAMES = 15
"""So many values a filter takes."""
LONGEST = 1500
"""So many characters of a URL may be names: all of it may be 2,048 long where the index is asked."""

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

    Counts and casts are served by an index that lags behind by seconds; a listing is believed when it holds
    as many as that counts. Names are looked up in it and without it, and a group counts if it has that name
    now. A deleted user is listed nowhere. Groups are read side by side.
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
        refs = sorted(groups, key=lambda ref: (ref.name, ref.id or "", ref.previously))
        meant = {group.id: group for group in self._meant(refs)}
        if everybody:
            self._everybody()
        members = self._members(meant.values())
        return Membership(
            tuple(self._answer(group, members[id_]) for id_, group in meant.items()),
            frozenset(self._names.union(group.name for group in meant.values())),
            dict.fromkeys(self._known.values()).keys() if everybody else None,
        )

    def failures(self) -> tuple[ProvisioningFailure, ...]:
        """What the log says failed and has not succeeded since; () unless the policy asks for it."""
        if not self._settings.log:
            return ()
        return log.failures(self._client, self._settings.application, self._known)

    # -- groups ----------------------------------------------------------------------------------

    def _meant(self, refs: Sequence[GroupRef]) -> list[wire.Group]:
        """Each by id where there is one, else by name, else by an earlier name."""
        numbered = [(ref.name, ref.id) for ref in refs if ref.id is not None]
        unnumbered = [ref for ref in refs if ref.id is None]
        by_id = dict(
            zip(numbered, self._client.abreast(lambda one: self._by_id(*one), numbered), strict=True)
        )
        found = by_name.meant(unnumbered, self._named)
        self._suggest([ref.name for ref in unnumbered if ref not in found])
        return [
            group
            for ref in refs
            for group in (found.get(ref, ()) if ref.id is None else filter(None, [by_id[ref.name, ref.id]]))
        ]

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

    def _named(self, names: Collection[str]) -> dict[str, list[wire.Group]]:
        """All groups of each name: in Entra ID it is no key.

        The index counts what it lists, so that nothing is missing; without it, groups are listed as they are
        now. What the index alone knows is read by its id.
        """
        queries = [
            query
            for some in filters.gathered(names, lambda name: f",{filters.odata(name)}", MOST_NAMES, LONGEST)
            for query in _by_names(some)
        ]
        hits = [
            (query.counted, hit)
            for query, found in zip(
                queries, self._client.abreast(self._client.everything, queries), strict=True
            )
            for hit in map(wire.group, found)
        ]
        groups = {hit.id: hit for counted, hit in hits if not counted}
        alike = {fold(name) for name in names}
        doubtful = {hit.id: hit for _, hit in hits if hit.id not in groups and fold(hit.name) in alike}
        read = self._client.abreast(lambda hit: self._by_id(hit.name, hit.id), doubtful.values())
        groups |= {group.id: group for group in read if group}
        return by_name.sorted_out(names, groups.values())

    def _suggest(self, names: Collection[str]) -> None:
        """Names that begin like those that are not there, for whoever misspelled them."""
        queries = [_like(name) for name in names]
        for records in self._client.abreast(self._client.first, queries):
            self._names.update(wire.group(record).name for record in records)

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

    def _members(self, groups: Collection[wire.Group]) -> dict[str, list[str]]:
        """The ids of everybody in each group, and with nested groups of everybody in those within it."""
        within = "transitiveMembers" if self._settings.nested else "members"

        def people(group: wire.Group) -> dict[str, Member]:
            subject = f"the members of the group {quoted(group.name)}"
            return self._people(subject, f"{GROUPS}/{group.id}/{within}/{CAST}", GROUPS_RIGHT)

        read = self._client.abreast(people, groups)
        return {group.id: self._noted(some) for group, some in zip(groups, read, strict=True)}

    def _everybody(self) -> None:
        subject = "the people of the tenant"
        if not self._noted(self._people(subject, USERS, USERS_RIGHT)):
            raise ReadError(f"could not read {subject} from {self._client.server}: there are none", WHOLE)

    def _people(self, subject: str, path: str, right: str) -> dict[str, Member]:
        now = self._client.patience.now()
        query = Query(subject, path, right, [("$select", self._reading.select)])
        return {
            wire.identifier(record): self._reading.member(record, now)
            for record in self._client.everything(query)
        }

    def _noted(self, people: Mapping[str, Member]) -> list[str]:
        """The ids of people, of whom the latest reading holds: it must not contradict an earlier one."""
        self._known.update(people)
        return list(people)


def _by_names(names: Sequence[str]) -> tuple[Query, Query]:
    """Groups that have one of these names: as the index has them, counted, and as they are."""
    subject = f"the groups named {quoted(names[0])}"
    if len(names) > 1:
        subject = f"{subject} to {quoted(names[-1])}"
    condition = f"displayName in ({','.join(map(filters.odata, names))})"
    query = Query(subject, GROUPS, GROUPS_RIGHT, [("$filter", condition), OF_GROUPS])
    return query, replace(query, counted=False)


def _like(name: str) -> Query:
    condition = ("$filter", f"startswith(displayName,{filters.odata(name[:ALIKE])})")
    return Query(f"groups named like {quoted(name)}", GROUPS, GROUPS_RIGHT, [condition, OF_GROUPS])
