"""JSON of Okta to values. Pure: sends nothing and decides nothing about access.

Null where there must be something is a ReadError, never a guess: a right that is missing shows itself so.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.errors import ReadError
from reconciler.http.shapes import needed, optional_moment, shown, text, texts
from reconciler.http.words import quoted
from reconciler.model import Member
from reconciler.policy.document import AttributeNames

JsonObject = Mapping[str, Any]

ENTITLED = frozenset({"PROVISIONED", "ACTIVE", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT"})
"""Who may sign in, or only has to choose a password or wait a while."""
NOT_ENTITLED = frozenset({"STAGED", "SUSPENDED", "DEPROVISIONED"})
"""With those above all statuses that there are; any other is one that we don't know."""

SEES_PEOPLE = (
    "the scope okta.users.read, and an administrator role that sees people whole, such as "
    "Read-Only Administrator, may be missing"
)
SEES_GROUPS = (
    "the scope okta.groups.read, and an administrator role that sees groups whole, such as "
    "Read-Only Administrator, may be missing"
)


@dataclass(frozen=True, slots=True)
class Group:
    """A group, and of how many people Okta says it is."""

    id: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads people: under which names, which statuses may have access, which further attributes are kept."""

    names: AttributeNames
    entitled: Collection[str]
    attributes: Collection[str]

    def member(self, user: JsonObject) -> Member:
        """A user (schema User of Okta's OpenAPI description). Raises ReadError where it makes no sense."""
        id_ = identifier(user, "user")
        what = f"user {quoted(id_)}"
        status = needed(user.get("status"), f"Okta answered {what} whose status", SEES_PEOPLE)
        profile = user.get("profile")
        if not isinstance(profile, dict):
            raise ReadError(f"Okta answered {what} whose profile is {shown(profile)}", SEES_PEOPLE)
        login = needed(profile.get("login"), f"Okta answered {what} whose profile.login", SEES_PEOPLE)
        names = self.names
        return Member(
            external_id=_text(profile, names.external_id, what) if names.external_id else id_,
            user_name=_text(profile, names.user_name, what) if names.user_name else login,
            active=self._active(status),
            status=status,
            since=optional_moment(user.get("statusChanged"), f"Okta answered {what} whose statusChanged"),
            display_name=_text(profile, names.display_name, what)
            if names.display_name
            else _name(profile, what),
            email=_text(profile, names.email or "email", what),
            attributes=tuple(
                sorted((name, one) for name in set(self.attributes) for one in _texts(profile, name, what))
            ),
        )

    def _active(self, status: str) -> bool | None:
        """None for a status that Okta did not have yet: nobody leaves for a word that we don't know."""
        if status in self.entitled:
            return True
        return False if status in ENTITLED | NOT_ENTITLED else None


def group(resource: JsonObject) -> Group:
    """A group with its statistics. Raises ReadError where it makes no sense."""
    id_ = identifier(resource, "group")
    what = f"group {quoted(id_)}"
    profile = resource.get("profile")
    if not isinstance(profile, dict):
        raise ReadError(f"Okta answered {what} whose profile is {shown(profile)}", SEES_GROUPS)
    name = needed(profile.get("name"), f"Okta answered {what} whose profile.name", SEES_GROUPS)
    count: object = resource
    for step in ("_embedded", "stats", "usersCount"):
        count = count.get(step) if isinstance(count, dict) else None
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ReadError(f"Okta answered {what} whose usersCount is {shown(count)}", SEES_GROUPS)
    return Group(id_, name, count)


def group_name(resource: JsonObject) -> str:
    """The name of a group, whatever else is told of it."""
    profile = resource.get("profile")
    name = profile.get("name") if isinstance(profile, dict) else None
    if not isinstance(name, str) or not name:
        what = f"group {quoted(identifier(resource, 'group'))}"
        raise ReadError(f"Okta answered {what} whose profile.name is {shown(name)}", SEES_GROUPS)
    return name


def identifier(resource: JsonObject, kind: str) -> str:
    """The `id` of a resource. Raises ReadError where it has none."""
    return needed(resource.get("id"), f"Okta answered a {kind} whose id")


def _name(profile: JsonObject, what: str) -> str | None:
    """How Okta's own mapping for SCIM applications makes a displayName."""
    if given := _text(profile, "displayName", what):
        return given
    parts = (_text(profile, "firstName", what), _text(profile, "lastName", what))
    return " ".join(part for part in parts if part) or None


def _text(profile: JsonObject, name: str, what: str) -> str | None:
    return text(profile.get(name), f"Okta answered {what} whose profile.{name}")


def _texts(profile: JsonObject, name: str, what: str) -> Iterator[str]:
    return texts(profile.get(name), f"Okta answered {what} whose profile.{name}")
