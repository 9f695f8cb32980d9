"""A membership kept for later as an export: what one run read, another one has where no server is at hand.

Of people it keeps what tells who they are and what class they are in; neither roles, names nor e-mails.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from reconciler.directories.file.directory import NO_ID, FileDirectory
from reconciler.model import DirectoryGroup, LiveState, Member, Membership, Principal, fold
from reconciler.people.identity import People
from reconciler.phrases import second
from reconciler.policy import schema
from reconciler.policy.document import AttributeNames, DirectoryKind, DirectorySettings, GroupRef, Policy

FORMAT = "reconciler.directory/1"

ANY_AGE = 24 * 366 * 1000
"""Hours. How old a saved membership is, is told, and nobody is refused for it."""


def read(
    path: Path, policy: Policy, groups: Collection[GroupRef], now: datetime
) -> tuple[Membership, datetime]:
    """What was saved of these groups and of everybody, and when.

    The file may be any export that the policy's directory reads. Raises ReadError, SettingsError.
    """
    settings = DirectorySettings(DirectoryKind.FILE, oldest=ANY_AGE, attributes=_names(policy))
    directory = FileDirectory(path, settings, lambda: now)
    membership = directory.read(groups, everybody=True)
    assert directory.exported is not None, "it was read"
    return membership, directory.exported


def text(membership: Membership, live: LiveState, policy: Policy, now: datetime) -> tuple[str, int]:
    """A membership as JSON, with everybody on the server; and how many names no export can hold.

    Whoever has an account goes by its userName.
    """
    keeping = _Keeping(People.of(live.people.values(), policy.people), _names(policy))
    by_id = not any(group.id.startswith(NO_ID) for group in membership.groups)
    groups = [keeping.group(group, by_id=by_id) for group in _distinct(membership, by_id=by_id)]
    for member in sorted(membership.people or (), key=str):
        keeping.member(member)
    for principal in sorted(live.people.values(), key=lambda one: fold(one.user_name)):
        keeping.principal(principal)
    people = [keeping.people[name] for name in sorted(keeping.people)]
    document = {
        "format": FORMAT,
        "exported": second(now),
        "groups": [group for group in groups if group is not None],
        **({"people": people} if people else {}),
    }
    return json.dumps(document, indent=1) + "\n", keeping.left_out


def _names(policy: Policy) -> AttributeNames:
    """What the export of this organization calls things; one of another directory is never read as a file."""
    settings = policy.organization.directory
    return settings.attributes if settings.kind is DirectoryKind.FILE else AttributeNames()


def _distinct(membership: Membership, *, by_id: bool) -> Iterable[DirectoryGroup]:
    """The groups that can be told apart, by name; of one that is there twice, nobody knows who is in it."""
    known = membership.by_id if by_id else membership.by_name
    alone = (groups[0] for groups in known.values() if len(groups) == 1)
    return sorted(alone, key=lambda group: (fold(group.name), group.id))


@dataclass(slots=True)
class _Keeping:
    """Everybody, each once, while they are gathered."""

    accounts: People
    names: AttributeNames
    people: dict[str, Mapping[str, object]] = field(default_factory=dict)
    """By folded user_name."""
    ids: set[str] = field(default_factory=set)
    """The external ids that are taken."""
    left_out: int = 0

    def group(self, group: DirectoryGroup, *, by_id: bool) -> Mapping[str, object] | None:
        """A group with everybody in it; None where that is not known, or it has a name that doesn't fit."""
        if group.members is None:
            return None
        if not _can_be(group.name) or not _can_be(group.id):
            self.left_out += 1
            return None
        members = {name for member in group.members if (name := self.member(member)) is not None}
        return {**({"id": group.id} if by_id else {}), "name": group.name, "members": sorted(members)}

    def member(self, member: Member) -> str | None:
        """Keep somebody of the directory, and tell by which name."""
        account = self.accounts.match(member)
        name = account.user_name if account else member.user_name
        if name is None:
            self.left_out += 1
            return None
        return self._keep(
            name,
            (account.external_id if account else None) or member.external_id,
            False if account and account.active is False else member.active,
            member,
        )

    def principal(self, account: Principal) -> str | None:
        """Keep somebody of the server."""
        return self._keep(account.user_name, account.external_id, account.active, Member())

    def _keep(self, name: str, external_id: str | None, active: bool | None, known: Member) -> str | None:
        if fold(name) in self.people:
            return str(self.people[fold(name)]["user_name"])
        if not _can_be(name):
            self.left_out += 1
            return None
        facts: dict[str, object] = {"user_name": name}
        if external_id and external_id not in self.ids and _can_be(external_id):
            self.ids.add(external_id)
            facts["external_id"] = external_id
        if active is not None:
            facts["active"] = active
        if known.status and _can_be(known.status):
            facts["status"] = known.status
        if known.since:
            facts["since"] = second(known.since)
        attributes = {key: value for key, value in known.attributes if _can_be(value)}
        attributes |= self._renamed(facts)
        self.people[fold(name)] = {**facts, **({"attributes": attributes} if attributes else {})}
        return name

    def _renamed(self, facts: Mapping[str, object]) -> Mapping[str, str]:
        """The keys under which the policy's own export has them, so that it is read as one."""
        called = {"user_name": self.names.user_name, "external_id": self.names.external_id}
        return {
            name: str(facts[key])
            for key, name in called.items()
            if name and name not in facts and key in facts
        }


def _can_be(name: str) -> bool:
    """Whether an export can hold a name."""
    rule = _name_rule()
    return 0 < len(name) <= rule["maxLength"] and re.search(rule["pattern"], name) is not None


@cache
def _name_rule() -> Mapping[str, Any]:
    """What the schema asks of every name."""
    rule: Mapping[str, Any] = json.loads(schema.text("directory"))["$defs"]["name"]
    return rule
