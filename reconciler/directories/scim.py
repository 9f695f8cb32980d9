"""Group membership as the identity provider pushed it to the same SCIM server. Reads only."""

from collections.abc import Collection, Mapping

from reconciler.model import DirectoryGroup, Member, Membership, ProviderMembers
from reconciler.people.groups import Meant
from reconciler.policy.document import DirectorySettings, GroupRef
from reconciler.ports import ProvisioningFailure
from reconciler.scim import memberships
from reconciler.scim.client import Client
from reconciler.scim.memberships import Members, Unreadable
from reconciler.scim.reading import Reading, Readings
from reconciler.scim.wire import Group


class ScimDirectory:
    """A `ports.Directory`. Given the provider's `readings`, a run lists users and groups once for both."""

    def __init__(self, client: Client, settings: DirectorySettings, readings: Readings | None = None) -> None:
        self._settings = settings
        self._readings = readings or Readings(client)

    def read(self, groups: Collection[GroupRef], *, everybody: bool = False) -> Membership:
        """Every group that one of these references could mean. Raises ReadError.

        Of people, this directory knows just those whom the provider knows, so it tells nothing of them. Of
        their attributes it knows `userType` (RFC 7643 section 4.1.1).
        """
        reading = self._readings.take(self)
        asked = Meant.by(groups)
        meant = [group for group in reading.groups.values() if asked.could_be(group.id, group.name)]
        members = memberships.read(reading, [group.id for group in meant], self._settings.members_from)
        people = _Members(reading)
        return Membership(
            tuple(_directory_group(group, members[group.id], people) for group in meant),
            frozenset(group.name for group in reading.groups.values() if group.name),
        )

    def failures(self) -> tuple[ProvisioningFailure, ...]:
        """None: SCIM has no log."""
        return ()


class _Members(dict[str, Member]):
    """By id, each made when first asked for.

    A member who is not among the users keeps their id, so that it can be said who is missing.
    """

    def __init__(self, reading: Reading) -> None:
        self._people = reading.people
        self._attributes = _Attributes()

    def __missing__(self, id_: str) -> Member:
        person = self._people.get(id_)
        if person is None:
            member = Member(id_)
        else:
            of, attributes = person.principal, self._attributes[person.user_type]
            member = Member(of.id, of.external_id, of.user_name, attributes=attributes)
        self[id_] = member
        return member


class _Attributes(dict[str | None, tuple[tuple[str, str], ...]]):
    """By `userType`, which is the only one; many people share it."""

    def __missing__(self, user_type: str | None) -> tuple[tuple[str, str], ...]:
        self[user_type] = (("userType", user_type),) if user_type else ()
        return self[user_type]


def _directory_group(group: Group, members: Members, people: Mapping[str, Member]) -> DirectoryGroup:
    if isinstance(members, Unreadable):
        return DirectoryGroup(group.id, group.name, None, members.words)
    return DirectoryGroup(group.id, group.name, ProviderMembers(members, people.__getitem__))
