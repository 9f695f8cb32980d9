"""Group membership as the identity provider pushed it to the same SCIM server. Reads only."""

from collections.abc import Collection

from reconciler.model import DirectoryGroup, Member, Membership
from reconciler.people.groups import could_mean
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
        meant = [
            group
            for group in reading.groups.values()
            if any(could_mean(ref, group.id, group.name) for ref in groups)
        ]
        members = memberships.read(reading, [group.id for group in meant], self._settings.members_from)
        return Membership(
            tuple(_directory_group(reading, group, members[group.id]) for group in meant),
            frozenset(group.name for group in reading.groups.values() if group.name),
        )

    def failures(self) -> tuple[ProvisioningFailure, ...]:
        """None: SCIM has no log."""
        return ()


def _directory_group(reading: Reading, group: Group, members: Members) -> DirectoryGroup:
    if isinstance(members, Unreadable):
        return DirectoryGroup(group.id, group.name, None, members.words)
    return DirectoryGroup(group.id, group.name, frozenset(_member(reading, id_) for id_ in members))


def _member(reading: Reading, id_: str) -> Member:
    """A member who is not among the users keeps their id, so that it can be said who is missing."""
    person = reading.people.get(id_)
    if person is None:
        return Member(principal_id=id_)
    principal = person.principal
    attributes = (("userType", person.user_type),) if person.user_type else ()
    return Member(principal.id, principal.external_id, principal.user_name, attributes=attributes)
