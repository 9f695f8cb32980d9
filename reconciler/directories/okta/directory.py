"""Okta as a directory: the groups that a policy names, who is in them, and who there is."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from reconciler.directories.okta import log, wire
from reconciler.directories.okta.client import HINT, OktaClient, installed_signer
from reconciler.directories.okta.wire import JsonObject, Reader
from reconciler.errors import ReadError
from reconciler.http import filters
from reconciler.http.reach import Reach
from reconciler.http.words import quoted
from reconciler.model import DirectoryGroup, Member, Membership, fold
from reconciler.phrases import counted_people
from reconciler.policy.document import GroupRef, Organization
from reconciler.ports import ProvisioningFailure
from reconciler.settings import okta as settings

GROUPS, USERS = "/api/v1/groups", "/api/v1/users"
LIMIT = ("limit", "200")
"""The size of a page that Okta recommends."""
STATS = ("expand", "stats")

SCOPES = ("okta.groups.read", "okta.users.read")
LOG_SCOPE = "okta.logs.read"

ATTEMPTS = 3
"""How often something is read in all when it changes under the reader."""
ALIKE = 3
"""How many letters of a name that is not there the names that are suggested begin with."""
MARGIN = timedelta(minutes=1)
"""How much earlier than its beginning a reading is taken to have begun."""

EVERYONE = "Everyone"
"""The group of Okta's own that everybody is in."""


@contextmanager
def opened(organization: Organization, environ: Mapping[str, str], reach: Reach) -> Iterator["OktaDirectory"]:
    """The Okta of an organization; its connections are closed when the block ends. Raises SettingsError."""
    scopes = (*SCOPES, LOG_SCOPE) if organization.directory.log else SCOPES
    connection = settings.connection(organization.name, environ)
    with OktaClient(connection, scopes, installed_signer, reach) as client:
        yield OktaDirectory(client, organization)


class OktaDirectory:
    """A `ports.Directory`.

    A name is looked up by `search`, Okta's own recommendation, whose index lags behind by seconds. So a hit
    is a hint only: the group itself is read by its id and counts if it has that name now. A name without a
    hit is asked for once more by `q`, which is no index but can't be paged. What neither knows is absent,
    which takes nothing from anybody.
    """

    def __init__(self, client: OktaClient, organization: Organization) -> None:
        self._client = client
        self._settings = organization.directory
        self._reader = Reader(
            self._settings.attributes,
            wire.ENTITLED if self._settings.entitled is None else frozenset(self._settings.entitled),
            organization.class_attributes,
        )
        self._names: set[str] = set()
        self._known: dict[str, Member] = {}
        """Everybody who was read, as they were last, by Okta's id: groups and people can't contradict."""

    def read(self, groups: Collection[GroupRef], *, everybody: bool = False) -> Membership:
        """Every group that one of these references could mean. Raises ReadError."""
        self._names, self._known = set(), {}
        meant: dict[str, wire.Group] = {}
        for ref in sorted(groups, key=lambda ref: (ref.name, ref.id or "")):
            meant.update({group.id: group for group in self._meant(ref)})
        members = {id_: self._members(group) for id_, group in meant.items()}
        people = self._everybody() if everybody else None
        return Membership(
            tuple(
                DirectoryGroup(id_, group.name, frozenset(self._known[one] for one in members[id_]))
                for id_, group in meant.items()
            ),
            frozenset(self._names),
            None if people is None else frozenset(people.values()),
        )

    def failures(self) -> tuple[ProvisioningFailure, ...]:
        """What the System Log says failed and has not succeeded since; () unless the policy asks for it."""
        if not self._settings.log:
            return ()
        return log.failures(self._client, self._settings.application, self._known)

    # -- groups ----------------------------------------------------------------------------------

    def _meant(self, ref: GroupRef) -> list[wire.Group]:
        """By id where there is one, else by name, else by an earlier name."""
        if ref.id is not None:
            found = self._by_id(ref.id)
            return [found] if found else []
        for name in (ref.name, *ref.previously):
            if groups := self._named(name):
                return groups
        self._suggest(ref.name)
        return []

    def _by_id(self, id_: str) -> wire.Group | None:
        """A group as it is now: by a filter, for only listings can tell how many are in it."""
        entries = self._client.everything(
            GROUPS, [("filter", f"id eq {filters.scim(id_)}"), STATS, LIMIT], "group"
        )
        group = next((wire.group(entry) for entry in entries if entry.get("id") == id_), None)
        if group is not None:
            self._names.add(group.name)
        return group

    def _named(self, name: str) -> list[wire.Group]:
        search = [("search", f"profile.name eq {filters.scim(name)}"), LIMIT]
        hits = self._client.everything(GROUPS, search, "group")
        if found := self._really(name, hits):
            return found
        return self._really(name, self._client.first(GROUPS, [("q", name)]))

    def _really(self, name: str, hits: Collection[JsonObject]) -> list[wire.Group]:
        """Those of these groups that have the name now."""
        alike = [wire.identifier(hit, "group") for hit in hits if fold(wire.group_name(hit)) == fold(name)]
        groups = [group for id_ in alike if (group := self._by_id(id_))]
        return [group for group in groups if fold(group.name) == fold(name)]

    def _suggest(self, name: str) -> None:
        """Note names that begin like one that is not there, which may be misspelled."""
        hits = self._client.first(GROUPS, [("q", name[:ALIKE])])
        self._names.update(wire.group_name(hit) for hit in hits)

    def _members(self, group: wire.Group) -> frozenset[str]:
        """The ids of everybody in a group, believed if Okta counts as many before and after."""
        seen = ""
        before: wire.Group | None = group
        for attempt in range(ATTEMPTS):
            entries = self._client.everything(f"{GROUPS}/{quote(group.id, safe='')}/users", [LIMIT], "user")
            members = frozenset(self._people(entries))
            after = self._by_id(group.id)
            if before is None or after is None or fold(after.name) != fold(group.name):
                raise ReadError(
                    f"could not read the members of the group {quoted(group.name)} of {self._client.server}: "
                    "it was deleted or renamed meanwhile",
                    HINT,
                )
            if before.count == len(members) == after.count:
                return members
            seen = f"Okta counted {before.count} before and {after.count} after, and listed {len(members)}"
            before = after
            self._again(attempt)
        raise ReadError(
            f"could not read the members of the group {quoted(group.name)} of {self._client.server}: {seen}; "
            f"it did not come out even in {ATTEMPTS} readings",
            HINT,
        )

    # -- people ----------------------------------------------------------------------------------

    def _everybody(self) -> dict[str, Member]:
        """All people by id, those who left included.

        A listing of users leaves out the deprovisioned, who are listed apart. Who changed from one to the
        other meanwhile may have been missed by both, so whoever has changed since the beginning is read last.
        The group Everyone says how many there are at the least, and whether the token may see them.
        """
        seen = ""
        for attempt in range(ATTEMPTS):
            least = self._everyone()
            since = (self._client.asked_at or self._client.patience.now()) - MARGIN
            people: dict[str, Member] = {}
            for which in (
                (),
                (("filter", 'status eq "DEPROVISIONED"'),),
                (("filter", f"lastUpdated gt {filters.scim(_stamp(since))}"),),
            ):
                people |= self._people(self._client.everything(USERS, [*which, LIMIT], "user"))
            if not people:
                raise ReadError(f"could not list the people of {self._client.server}: there are none", HINT)
            if len(people) >= least:
                return people
            listed = counted_people(len(people))
            seen = f"the group Everyone has {least} members, and the listings hold {listed}"
            self._again(attempt)
        raise ReadError(
            f"could not list the people of {self._client.server}: {seen}; "
            f"it did not come out even in {ATTEMPTS} readings",
            wire.SEES_PEOPLE,
        )

    def _everyone(self) -> int:
        """How many are in the group Everyone, which an administrator of some groups only does not see."""
        entries = self._client.everything(GROUPS, [("filter", 'type eq "BUILT_IN"'), STATS, LIMIT], "group")
        for entry in entries:
            if wire.group_name(entry) == EVERYONE:
                return wire.group(entry).count
        raise ReadError(
            f"could not list the people of {self._client.server}: the token does not see the group Everyone, "
            "so it may not see everybody either",
            "it takes an administrator role for all people and groups, such as Read-Only Administrator",
        )

    def _people(self, entries: Collection[JsonObject]) -> dict[str, Member]:
        people = {wire.identifier(entry, "user"): self._reader.member(entry) for entry in entries}
        self._known.update(people)
        return people

    def _again(self, attempt: int) -> None:
        """Give a count that lags behind some time to follow."""
        if attempt + 1 < ATTEMPTS:
            self._client.patience.sleep(self._client.patience.backoff(attempt + 1))


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
