"""Who is in which group, by whichever way the server shows it, or a ReadError where no way can be believed.

Some servers answer every group without members, always. "Nobody" is believed only of a way that shows
somebody somewhere.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from uuid import uuid4

from reconciler.errors import ReadError
from reconciler.http import filters
from reconciler.http.abreast import abreast
from reconciler.http.words import quoted
from reconciler.phrases import counted
from reconciler.policy.document import MembersFrom
from reconciler.scim import decoding, listing
from reconciler.scim.client import AnswerError
from reconciler.scim.listing import Query
from reconciler.scim.reading import Reading
from reconciler.scim.wire import Group, Reference

HINT = "if the server does show members, say how: directory.members_from in organization.yaml"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why the members of one group can't be known."""

    words: str


Members = Set[str] | Unreadable
"""The ids of everybody in a group, through groups within it too."""


def read(reading: Reading, wanted: Collection[str], members_from: MembersFrom) -> Mapping[str, Members]:
    """The members of each of these groups, by group id.

    Raises ReadError where no way shows anybody in any group of the server.
    """
    if not wanted:
        return {}
    ways = _WAYS if members_from is MembersFrom.AUTO else {members_from: _WAYS[members_from]}
    tried: list[str] = []
    for name, way in ways.items():
        answer = way(reading, wanted)
        if not isinstance(answer, Unreadable):
            if members_from is MembersFrom.AUTO:
                _check_agreement(reading, answer)
            return answer
        tried.append(f"by {name}: {answer.words}")
    raise ReadError(
        f"could not tell who is in which group: {reading.client.server} lists "
        f"{counted(len(reading.groups), 'group')}, but no way shows a single member: 'nobody' can't be told "
        f"from 'not shown' ({'; '.join(tried)})",
        HINT,
    )


def _check_agreement(reading: Reading, answer: Mapping[str, Members]) -> None:
    """Nobody says to be in a group that does not have them: lists of members that are cut exist.

    Of those who are not active nothing follows: they get nothing, and some servers leave them out.
    """
    known = {group_id: members for group_id, members in answer.items() if not isinstance(members, Unreadable)}
    said: dict[tuple[str, ...], list[str]] = defaultdict(list)  # many say the same
    for id_, person in reading.people.items():
        said[person.groups].append(id_)
    for groups, ids in said.items():
        for group_id in groups:
            if group_id not in known or all(map(known[group_id].__contains__, ids)):
                continue
            absent = (reading.people[id_].principal for id_ in ids if id_ not in known[group_id])
            lost = next((one for one in absent if one.entitled), None)
            if lost is not None:
                raise ReadError(
                    f"could not tell who is in the group {quoted(reading.groups[group_id].name)}: "
                    f"{quoted(lost.user_name)} is by their own groups, and not by its members",
                    "it may have changed meanwhile: run it again; if it stays so, say which is right: "
                    "directory.members_from in organization.yaml",
                )


def _by_group_members(reading: Reading, wanted: Collection[str]) -> Mapping[str, Members] | Unreadable:
    if not any(group.users or group.others for group in reading.groups.values()):
        return Unreadable("every group is answered without members")
    return {id_: _expanded(reading, id_) for id_ in wanted}


def _expanded(reading: Reading, group_id: str) -> Members:
    """Everybody in a group and in the groups within it, which may contain each other."""
    groups = reading.groups
    group = groups.get(group_id) or Group(group_id, "")
    if not group.others:
        return group.users
    people: set[str] = set()
    seen, waiting = {group_id}, [group]
    while waiting:
        group = waiting.pop()
        people |= group.users
        for member in group.others:
            if not _is_group(reading, member):
                people.add(member.id)
            elif member.id not in groups:
                return Unreadable(
                    f"it contains the group {quoted(member.id)}, which the server does not list"
                )
            elif member.id not in seen:
                seen.add(member.id)
                waiting.append(groups[member.id])
    return people


def _is_group(reading: Reading, member: Reference) -> bool:
    if member.is_group is None:
        return member.id in reading.groups and member.id not in reading.people
    return member.is_group


def _by_user_groups(reading: Reading, wanted: Collection[str]) -> Mapping[str, Members] | Unreadable:
    people: dict[str, dict[str, None]] = defaultdict(dict)
    for id_, person in reading.people.items():
        for group_id in person.groups:
            people[group_id][id_] = None
    if not people:
        return Unreadable("every user is answered without groups")
    return {id_: people[id_].keys() for id_ in wanted}


def _by_filter(reading: Reading, wanted: Collection[str]) -> Mapping[str, Members] | Unreadable:
    """One query for each group, `groups.value eq "..."`, which is how AWS shows it."""
    try:
        if any(_members_by_filter(reading, [f"no-such-group-{uuid4()}"])):
            return Unreadable("the filter is ignored: a group that does not exist has members")
        answers: Mapping[str, Members] = dict(zip(wanted, _members_by_filter(reading, wanted), strict=True))
        if any(answers.values()) or any(_members_by_filter(reading, _others(reading, wanted))):
            return answers
    except AnswerError as error:
        if error.status not in (400, 403, 404, 501):
            raise
        return Unreadable(error.reason)
    return Unreadable("the query answers nobody for every group")


def _others(reading: Reading, wanted: Collection[str]) -> Iterator[str]:
    return (id_ for id_ in reading.groups if id_ not in wanted)


def _members_by_filter(reading: Reading, group_ids: Iterable[str]) -> Iterator[Set[str]]:
    """The members of each group, in this order; several groups are asked for at once."""
    form = decoding.identifiers()

    def members(group_id: str) -> Set[str]:
        query = Query("/Users", ("userName",), f"groups.value eq {filters.scim(group_id)}")
        return listing.everything(reading.client, query, reading.abilities, form, at_once=1).keys()

    return abreast(members, group_ids, reading.client.at_once)


_WAYS: Mapping[MembersFrom, Callable[[Reading, Collection[str]], Mapping[str, Members] | Unreadable]] = {
    MembersFrom.GROUPS: _by_group_members,
    MembersFrom.USERS: _by_user_groups,
    MembersFrom.FILTER: _by_filter,
}
