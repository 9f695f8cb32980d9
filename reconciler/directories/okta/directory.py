"""Okta as a directory: the groups that a policy names, who is in them, and who there is."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from reconciler.directories import by_name
from reconciler.directories.okta import log, wire
from reconciler.directories.okta.client import HINT, OktaClient, QueryError, installed_signer
from reconciler.directories.okta.wire import JsonObject, Reader
from reconciler.errors import ReadError
from reconciler.http import filters
from reconciler.http.reach import Reach
from reconciler.http.transport import Params
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

OR = " or "
MOST_TERMS = 100
"""So many groups are asked for in one request, half of what fits on a page: two may have one name."""
LONGEST = 2000
"""So many characters of a URL may ask for groups, as any proxy takes them: 45 ids."""

ALL: Sequence[Params] = ((), (("filter", 'status eq "DEPROVISIONED"'),))
"""What lists everybody: a listing of users leaves out the deprovisioned."""

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
    which takes nothing from anybody. Groups are read side by side.
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
        refs = sorted(groups, key=lambda ref: (ref.name, ref.id or "", ref.previously))
        meant = {group.id: group for group in self._meant(refs)}
        members = self._members(meant)
        people = self._everybody() if everybody else None
        return Membership(
            tuple(
                DirectoryGroup(id_, group.name, frozenset(self._known[one] for one in members[id_]))
                for id_, group in meant.items()
            ),
            frozenset(self._names),
            None if people is None else dict.fromkeys(people.values()).keys(),
        )

    def failures(self) -> tuple[ProvisioningFailure, ...]:
        """What the System Log says failed and has not succeeded since; () unless the policy asks for it."""
        if not self._settings.log:
            return ()
        return log.failures(self._client, self._settings.application, self._known)

    # -- groups ----------------------------------------------------------------------------------

    def _meant(self, refs: Sequence[GroupRef]) -> list[wire.Group]:
        """Each by id where there is one, else by name, else by an earlier name."""
        by_id = self._by_ids([ref.id for ref in refs if ref.id is not None])
        unnumbered = [ref for ref in refs if ref.id is None]
        found = by_name.meant(unnumbered, self._named)
        self._suggest({ref.name for ref in unnumbered if ref not in found})
        return [
            group
            for ref in refs
            for group in (found.get(ref, ()) if ref.id is None else filter(None, [by_id.get(ref.id)]))
        ]

    def _by_ids(self, ids: Iterable[str]) -> dict[str, wire.Group]:
        """Groups as they are now: by a filter, for only listings can tell how many are in them."""
        wanted = dict.fromkeys(ids)
        listed = self._gathered("filter", "id", wanted, STATS)
        groups = {
            id_: wire.group(entry) for entry in listed if (id_ := wire.identifier(entry, "group")) in wanted
        }
        self._names.update(group.name for group in groups.values())
        return groups

    def _named(self, names: Collection[str]) -> dict[str, list[wire.Group]]:
        found = self._really(names, self._gathered("search", "profile.name", names))
        missing = [name for name in names if not found[name]]
        return found | self._really(missing, self._queried(missing))

    def _really(self, names: Collection[str], hits: Iterable[JsonObject]) -> dict[str, list[wire.Group]]:
        """By each name those of these groups that have it now."""
        alike = {fold(name) for name in names}
        ids = [wire.identifier(hit, "group") for hit in hits if fold(wire.group_name(hit)) in alike]
        return by_name.sorted_out(names, self._by_ids(ids).values())

    def _suggest(self, names: Collection[str]) -> None:
        """Note names that begin like those that are not there, which may be misspelled."""
        hits = self._queried(sorted({name[:ALIKE] for name in names}))
        self._names.update(wire.group_name(hit) for hit in hits)

    def _gathered(
        self, how: str, attribute: str, values: Iterable[str], *params: tuple[str, str]
    ) -> Iterator[JsonObject]:
        """All groups with one of these values, by as few requests as they fit in.

        Where Okta won't take one for several values, each is asked for alone.
        """

        def term(value: str) -> str:
            return f"{OR}{attribute} eq {filters.scim(value)}"

        def listed(some: list[str]) -> list[JsonObject]:
            asked = (how, "".join(map(term, some)).removeprefix(OR))
            try:
                return self._client.everything(GROUPS, [asked, *params, LIMIT], "group")
            except QueryError:
                if len(some) == 1:
                    raise
            return [entry for value in some for entry in listed([value])]

        together = list(filters.gathered(values, term, MOST_TERMS, LONGEST))
        for entries in self._client.abreast(listed, together):
            yield from entries

    def _queried(self, beginnings: Collection[str]) -> Iterator[JsonObject]:
        """Groups whose names begin so, at most as many of each as fit on a page."""
        for entries in self._client.abreast(
            lambda begin: self._client.first(GROUPS, [("q", begin)]), beginnings
        ):
            yield from entries

    def _members(self, groups: Mapping[str, wire.Group]) -> dict[str, frozenset[str]]:
        """The ids of everybody in each group, believed if Okta counts as many before and after."""
        even: dict[str, frozenset[str]] = {}
        before = groups
        for attempt in range(ATTEMPTS):
            if attempt:
                self._again(attempt)
            listed = self._listed(before.values())
            after = self._by_ids(before)
            for group in before.values():
                if group.id not in after or fold(after[group.id].name) != fold(group.name):
                    raise self._unread(group, "it was deleted or renamed meanwhile")
            counts = {id_: (group.count, len(listed[id_]), after[id_].count) for id_, group in before.items()}
            even |= {id_: listed[id_] for id_, of_one in counts.items() if len(set(of_one)) == 1}
            before = {id_: after[id_] for id_ in before if id_ not in even}
            if not before:
                return even
        group = next(iter(before.values()))
        then, number, now = counts[group.id]
        raise self._unread(
            groups[group.id],
            f"Okta counted {then} before and {now} after, and listed {number}; "
            f"it did not come out even in {ATTEMPTS} readings",
        )

    def _listed(self, groups: Collection[wire.Group]) -> dict[str, frozenset[str]]:
        """The same, whatever Okta counts."""
        read = self._client.abreast(
            lambda group: self._people(f"{GROUPS}/{quote(group.id, safe='')}/users"), groups
        )
        return {group.id: self._noted(people) for group, people in zip(groups, read, strict=True)}

    def _unread(self, group: wire.Group, why: str) -> ReadError:
        what = f"could not read the members of the group {quoted(group.name)} of {self._client.server}"
        return ReadError(f"{what}: {why}", HINT)

    # -- people ----------------------------------------------------------------------------------

    def _everybody(self) -> dict[str, Member]:
        """All people by id, those who left included.

        A listing of users leaves out the deprovisioned, who are listed apart. Who changed from one to the
        other meanwhile may have been missed by both, so whoever has changed since the beginning is read last.
        The group Everyone says how many there are at the least, and whether the token may see them.
        """
        seen = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._again(attempt)
            least = self._everyone()
            since = (self._client.asked_at or self._client.patience.now()) - MARGIN
            people: dict[str, Member] = {}
            for some in self._client.abreast(lambda which: self._people(USERS, which), ALL):
                people |= some
            people |= self._people(USERS, [("filter", f"lastUpdated gt {filters.scim(_stamp(since))}")])
            if not people:
                raise ReadError(f"could not list the people of {self._client.server}: there are none", HINT)
            if len(people) >= least:
                self._noted(people)
                return people
            listed = counted_people(len(people))
            seen = f"the group Everyone has {least} members, and the listings hold {listed}"
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

    def _people(self, path: str, params: Params = ()) -> dict[str, Member]:
        entries = self._client.everything(path, [*params, LIMIT], "user")
        return {wire.identifier(entry, "user"): self._reader.member(entry) for entry in entries}

    def _noted(self, people: Mapping[str, Member]) -> frozenset[str]:
        """The ids of people of whom what was read now holds."""
        self._known.update(people)
        return frozenset(people)

    def _again(self, attempt: int) -> None:
        """Give a count that lags behind some time to follow."""
        self._client.patience.sleep(self._client.patience.backoff(attempt))


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
