"""What the identity provider's own provisioning left undone on the server. No plan mends it: others do."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.finding import Finding, Kind
from reconciler.model import DirectoryGroup, Member, Membership, fold
from reconciler.people.population import Match, Population
from reconciler.ports import ProvisioningFailure

_WHOLE = ("group", "")
"""The key of what the log tells of nobody in particular."""

REMEDY = "look into the identity provider's provisioning to this server"


def findings(
    population: Population,
    membership: Membership,
    pushed: Membership | None,
    failures: Iterable[ProvisioningFailure],
) -> tuple[Finding, ...]:
    """Who and what the directory has and the server lacks, or the other way round; sorted.

    `pushed` are the groups of the same names on the server, by principal ids: None where it lists none, and
    of a group without a namesake there nothing is said. `failures` are the log's, for since when and why.
    Somebody who leaves, or can't be told, is not named again here.
    """
    log = _Log.of(failures)
    by_member = {match.member: match for match in population.matches.values()} if pushed else {}
    found = [
        *(_missing(member, population.groups[member], log) for member in population.strangers),
        *(
            _unprovisioned(group.name, "could not be pushed whole", failure)
            for group in membership.groups
            if (failure := log.of_group(group.name))
        ),
        *(
            finding
            for ours, theirs in _pairs(membership, pushed)
            for finding in _memberships(ours, theirs, by_member, population.matches, log)
        ),
    ]
    return tuple(sorted(found, key=lambda finding: finding.rank))


@dataclass(frozen=True, slots=True)
class _Log:
    """What could not be provisioned, by each key of the person and the folded name of the group, or ""."""

    failures: dict[tuple[str, str, str], ProvisioningFailure] = field(default_factory=dict)

    @classmethod
    def of(cls, failures: Iterable[ProvisioningFailure]) -> "_Log":
        ordered = sorted(failures, key=lambda failure: (failure.since, failure.words), reverse=True)
        return cls(
            {
                (*key, fold(failure.group or "")): failure
                for failure in ordered  # the earliest last
                for key in (_keys(failure.person) if failure.person else [_WHOLE])
            }
        )

    def of_account(self, member: Member) -> ProvisioningFailure | None:
        return self._first(member, "")

    def of_membership(self, member: Member, group: str) -> ProvisioningFailure | None:
        return self._first(member, fold(group)) or self.of_group(group) or self._first(member, "")

    def of_group(self, group: str) -> ProvisioningFailure | None:
        """Of a group as a whole, whoever is in it."""
        return self.failures.get((*_WHOLE, fold(group)))

    def _first(self, member: Member, group: str) -> ProvisioningFailure | None:
        found = (self.failures.get((*key, group)) for key in _keys(member))
        return next((failure for failure in found if failure), None)


def _keys(member: Member) -> list[tuple[str, str]]:
    """What tells a person from others, the surest first. An e-mail does not."""
    keys = (("id", member.external_id), ("name", member.user_name and fold(member.user_name)))
    return [(kind, value) for kind, value in keys if value]


def _missing(member: Member, groups: tuple[str, ...], log: _Log) -> Finding:
    names = ", ".join(groups)
    message = f"is in the directory ({names}), and not on the server"
    if not member.user_name:
        message += "; the directory has no userName for them"
    return _unprovisioned(str(member), message, log.of_account(member))


def _unprovisioned(subject: str, message: str, failure: ProvisioningFailure | None) -> Finding:
    words = f"; its log says: {failure.words}" if failure and failure.words else ""
    return Finding(Kind.UNPROVISIONED, subject, message + words, REMEDY, since=_since(failure))


def _since(failure: ProvisioningFailure | None) -> datetime | None:
    return failure.since if failure else None


def _pairs(
    membership: Membership, pushed: Membership | None
) -> Iterator[tuple[DirectoryGroup, DirectoryGroup]]:
    """Each group of the directory with the one group of that name on the server."""
    for ours in membership.groups:
        theirs = pushed.by_name.get(fold(ours.name), ()) if pushed else ()
        if len(theirs) == 1 and ours.members is not None and theirs[0].members is not None:
            yield ours, theirs[0]


def _memberships(
    ours: DirectoryGroup,
    theirs: DirectoryGroup,
    by_member: Mapping[Member, Match],
    by_id: Mapping[str, Match],
    log: _Log,
) -> Iterator[Finding]:
    """Of those who are in one of both groups: most people are in neither."""
    should = ours.members or frozenset()
    does = {member.principal_id for member in theirs.members or () if member.principal_id}
    inside = {match.principal.id: match for member in should if (match := by_member.get(member))}
    inside |= {id_: match for id_ in does if (match := by_id.get(id_))}
    for match in inside.values():
        if match.member.active is False or not match.principal.entitled:
            continue
        is_here, user = match.principal.id in does, match.principal.user_name
        if match.member in should and not is_here:
            message = f"is in the group '{ours.name}' of the directory, and not in the server's"
            yield _unprovisioned(user, message, log.of_membership(match.member, ours.name))
        elif is_here and match.member not in should:
            message = f"is in the group '{ours.name}' of the server, and not in the directory's"
            failure = log.of_membership(match.member, ours.name)
            yield Finding(Kind.UNKNOWN, user, message, REMEDY, since=_since(failure))
