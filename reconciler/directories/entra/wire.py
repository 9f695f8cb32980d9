"""JSON of Microsoft Graph to values. Pure: sends nothing and decides nothing about access.

Null where there must be something is a ReadError, never a guess: a right that is missing shows itself so.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.errors import ReadError
from reconciler.http.shapes import needed, optional_moment, shown, text, texts
from reconciler.http.words import quoted
from reconciler.model import Member
from reconciler.policy.document import AttributeNames

JsonObject = dict[str, Any]

LEAVES = "employeeLeaveDateTime"
"""When somebody left or will leave. To read it takes a right of its own, User-LifeCycleInfo.Read.All."""
HIDDEN = "HiddenMembership"

SEES_PEOPLE = (
    "the app needs the application permission User.Read.All of Microsoft Graph, with an administrator's "
    "consent: without it, Graph shows of people no more than that they are there"
)
SEES_GROUPS = (
    "the app needs the application permission GroupMember.Read.All of Microsoft Graph, with an "
    "administrator's consent"
)

_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_EXTENSION = "extension_"
"""How the attributes that an organization added begin; Graph leaves those out that somebody does not have."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group; `hidden`: whether its members are shown only with a right of its own."""

    id: str
    name: str
    hidden: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of a person: under which names, what else is asked for, and at which moment (aware)."""

    names: AttributeNames
    attributes: Collection[str] = ()

    @property
    def select(self) -> str:
        """The properties to ask Graph for: it shows what is selected and no more.

        Raises ReadError for a name that can be none of Graph's, and would say something else in a query.
        """
        wanted = {"id", "userPrincipalName", "accountEnabled", *self._mapped, *self.attributes}
        for name in sorted(wanted):
            if not _ATTRIBUTE.fullmatch(name):
                raise ReadError(
                    f"could not ask Graph for the attribute {quoted(name, 80)}: it has no such name",
                    "a name is of letters, digits and underscores, with a dot before what is within another",
                )
        return ",".join(sorted({name.partition(".")[0] for name in wanted}))

    def member(self, user: JsonObject, now: datetime) -> Member:
        """A user (https://learn.microsoft.com/graph/api/resources/user) at the moment `now`, aware.

        Raises ReadError where it makes no sense.
        """
        id_ = identifier(user)
        what = f"user {quoted(id_)}"
        user_principal_name = user.get("userPrincipalName")
        if not isinstance(user_principal_name, str) or not user_principal_name:
            raise ReadError(
                f"the server answered {what} whose userPrincipalName is {shown(user_principal_name)}",
                SEES_PEOPLE,
            )
        active = user.get("accountEnabled")
        if not isinstance(active, bool):
            raise ReadError(
                f"the server answered {what} whose accountEnabled is {shown(active)}", SEES_PEOPLE
            )
        what = f"user {quoted(user_principal_name)}"
        names = self.names
        return Member(
            external_id=_text(user, names.external_id or "id", what),
            user_name=_text(user, names.user_name or "userPrincipalName", what),
            active=active,
            status="enabled" if active else "disabled",
            since=None if active else self._left(user, what, now),
            display_name=_text(user, names.display_name or "displayName", what),
            email=_text(user, names.email or "mail", what),
            attributes=tuple(
                sorted((name, one) for name in set(self.attributes) for one in _texts(user, name, what))
            ),
        )

    @property
    def _mapped(self) -> set[str]:
        names = self.names
        return {
            names.external_id or "id",
            names.user_name or "userPrincipalName",
            names.display_name or "displayName",
            names.email or "mail",
        }

    def _left(self, user: JsonObject, what: str, now: datetime) -> datetime | None:
        """When somebody left, where that is asked for and has been; a day to come says nothing of today."""
        if LEAVES not in self.attributes:
            return None
        left = optional_moment(_value(user, LEAVES, what), _said(what, LEAVES))
        return left if left is not None and left <= now else None


def group(resource: JsonObject) -> Group:
    """A group (https://learn.microsoft.com/graph/api/resources/group). Raises ReadError."""
    id_ = identifier(resource)
    said = f"the server answered group {quoted(id_)} whose displayName"
    name = needed(resource.get("displayName"), said, SEES_GROUPS)
    return Group(id_, name, resource.get("visibility") == HIDDEN)


def identifier(resource: JsonObject) -> str:
    """The `id` of a resource. Raises ReadError where it has none."""
    return needed(resource.get("id"), "the server answered a resource whose id")


def _text(user: JsonObject, name: str, what: str) -> str | None:
    return text(_value(user, name, what), _said(what, name))


def _texts(user: JsonObject, name: str, what: str) -> Iterator[str]:
    return texts(_value(user, name, what), _said(what, name))


def _said(what: str, name: str) -> str:
    return f"the server answered {what} whose {name}"


def _value(user: JsonObject, name: str, what: str) -> object:
    """What an attribute has, `a.b` meaning the `b` within the `a`; None where that is null.

    What was selected is there, be it null: who lacks an attribute would seem to be in no class of people.
    """
    value: object = user
    for step in name.split("."):
        if value is None:
            return None
        if not isinstance(value, dict) or (step not in value and not step.startswith(_EXTENSION)):
            raise ReadError(
                f"the server answered {what} without {name}, which was asked for",
                "is the attribute spelled as Microsoft Graph spells it, with its capitals?",
            )
        value = value.get(step)
    return value
