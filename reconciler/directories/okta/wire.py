"""JSON of Okta to values. Pure: sends nothing and decides nothing about access.

Null where there must be something is a ReadError, never a guess: a right that is missing shows itself so.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.errors import ReadError
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
        status = _needed(user, "status", what, "status", SEES_PEOPLE)
        profile = user.get("profile")
        if not isinstance(profile, dict):
            raise ReadError(f"Okta answered {what} whose profile is {_shown(profile)}", SEES_PEOPLE)
        login = _needed(profile, "login", what, "profile.login", SEES_PEOPLE)
        names = self.names
        return Member(
            external_id=_text(profile, names.external_id, what) if names.external_id else id_,
            user_name=_text(profile, names.user_name, what) if names.user_name else login,
            active=self._active(status),
            status=status,
            since=_moment(user, "statusChanged", what),
            display_name=_text(profile, names.display_name, what)
            if names.display_name
            else _name(profile, what),
            email=_text(profile, names.email or "email", what),
            attributes=tuple(
                sorted(
                    (name, value) for name in set(self.attributes) for value in _values(profile, name, what)
                )
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
        raise ReadError(f"Okta answered {what} whose profile is {_shown(profile)}", SEES_GROUPS)
    name = _needed(profile, "name", what, "profile.name", SEES_GROUPS)
    count: object = resource
    for step in ("_embedded", "stats", "usersCount"):
        count = count.get(step) if isinstance(count, dict) else None
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ReadError(f"Okta answered {what} whose usersCount is {_shown(count)}", SEES_GROUPS)
    return Group(id_, name, count)


def group_name(resource: JsonObject) -> str:
    """The name of a group, whatever else is told of it."""
    profile = resource.get("profile")
    name = profile.get("name") if isinstance(profile, dict) else None
    if not isinstance(name, str) or not name:
        what = f"group {quoted(identifier(resource, 'group'))}"
        raise ReadError(f"Okta answered {what} whose profile.name is {_shown(name)}", SEES_GROUPS)
    return name


def identifier(resource: JsonObject, kind: str) -> str:
    """The `id` of a resource. Raises ReadError where it has none."""
    value = resource.get("id")
    if not isinstance(value, str) or not value or not is_text(value):
        raise ReadError(f"Okta answered a {kind} whose id is {_shown(value)}")
    return value


def moment(text: object) -> datetime | None:
    """A time as Okta writes them, aware; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else None


def is_text(value: str) -> bool:
    """Whether it can be written at all: JSON may escape halves of characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _moment(resource: JsonObject, name: str, what: str) -> datetime | None:
    value = resource.get(name)
    parsed = moment(value)
    if value is not None and parsed is None:
        raise ReadError(f"Okta answered {what} whose {name} is {_shown(value)}")
    return parsed


def _name(profile: JsonObject, what: str) -> str | None:
    """How Okta's own mapping for SCIM applications makes a displayName."""
    if given := _text(profile, "displayName", what):
        return given
    parts = (_text(profile, "firstName", what), _text(profile, "lastName", what))
    return " ".join(part for part in parts if part) or None


def _needed(resource: JsonObject, name: str, what: str, shown: str, missing: str) -> str:
    value = resource.get(name)
    if not isinstance(value, str) or not value or not is_text(value):
        raise ReadError(f"Okta answered {what} whose {shown} is {_shown(value)}", missing)
    return value


def _text(profile: JsonObject, name: str, what: str) -> str | None:
    values = list(_values(profile, name, what))
    if len(values) > 1:
        raise ReadError(f"Okta answered {what} whose profile.{name} is a list of {len(values)}")
    return values[0] if values else None


def _values(profile: JsonObject, name: str, what: str) -> Iterator[str]:
    """An attribute as text, each entry of it where it is a list; nothing where it is null or empty."""
    value = profile.get(name)
    for entry in value if isinstance(value, list) else [value]:
        match entry:
            case None | "":
                continue
            case bool():
                yield str(entry).lower()
            case int() | float():
                yield str(entry)
            case str() if is_text(entry):
                yield entry
            case _:
                raise ReadError(f"Okta answered {what} whose profile.{name} is {_shown(entry)}")


def _shown(value: object) -> str:
    match value:
        case None:
            return "missing"
        case str():
            return f"the text {quoted(value, 60)}"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
        case _:
            return "a JSON object"
