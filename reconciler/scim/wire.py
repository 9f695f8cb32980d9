"""JSON of SCIM to values and back. Pure: sends nothing and decides nothing about access.

Tolerant of spelling, strict about sense: attribute names compare without case (RFC 7643 section 2.1),
missing is null is empty (section 2.5), and what can't be understood is a ReadError, never a guess.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import unquote

from reconciler.errors import ReadError
from reconciler.http import filters
from reconciler.http.shapes import is_text, needed, shown
from reconciler.http.words import quoted
from reconciler.model import Principal, fold

T = TypeVar("T")
JsonObject = Mapping[str, object]

LIST_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

UNVERSIONED = (
    "userName",
    "externalId",
    "displayName",
    "active",
    "userType",
    "emails",
    "roles",
    "groups",
)
"""The attributes of a User that tell of a person; the version, too, is for who writes."""
USER_ATTRIBUTES = (*UNVERSIONED, "meta")
GROUP_ATTRIBUTES = ("displayName", "members")

_BETWEEN = re.compile(r"[,;|]")
"""What stands between roles where somebody writes several as one value."""


class _Named(NamedTuple):
    """What a message is about, put into words only where there is one: there are very many."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind} {quoted(self.id)}"


@dataclass(frozen=True, slots=True)
class RoleValue:
    """One value of `User.roles`: what it means, how it is spelled, and the whole entry as it came."""

    value: str
    """The role value; unwrapped where Entra wrote it as a JSON object in a string."""
    raw: str
    """`roles[].value` to the letter, which a filter must repeat."""
    entry: object


class Reference(NamedTuple):
    """A member of a group, or a group of a user; `is_group` is None where the server does not say."""

    id: str
    is_group: bool | None = None


class Person(NamedTuple):
    """A User resource, as far as access is concerned."""

    principal: Principal
    roles: tuple[RoleValue, ...] = ()
    groups: tuple[str, ...] = ()
    """The ids of `User.groups`, direct and indirect."""
    user_type: str | None = None
    version: str | None = None
    """The ETag of what was read, where it was asked for."""


@dataclass(frozen=True, slots=True)
class Group:
    """A Group resource, as far as access is concerned."""

    id: str
    name: str
    users: Set[str] = frozenset()
    """The ids of the members that are users, as the server says, and in its order."""
    others: tuple[Reference, ...] = ()
    """Those that are groups, or may be."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One answer of a listing (RFC 7644 section 3.4.2, RFC 9865 section 2)."""

    resources: tuple[T, ...]
    total: int | None
    next_cursor: str | None
    ids: tuple[str, ...] = ()
    """Of the resources, where these are values; a document tells its own."""


def attribute(resource: JsonObject, name: str) -> object:
    """An attribute by its name in any letter case; None where it is missing, null or empty."""
    value = resource.get(name)
    if value is None:
        folded = name.casefold()
        value = next((v for k, v in resource.items() if k.casefold() == folded and v is not None), None)
    return None if value in ("", [], {}) else value


def identifier(resource: JsonObject) -> str:
    """The `id` of a resource (RFC 7643 section 3.1). Raises ReadError where it has none."""
    return needed(attribute(resource, "id"), "the server answered a resource whose id")


def person(resource: JsonObject) -> Person:
    """A User (RFC 7643 section 4.1). Raises ReadError where it makes no sense."""
    id_ = identifier(resource)
    what = _Named("user", id_)
    one_group = _Named("a group of user", id_)
    user_name = _text(resource, "userName", what)
    if user_name is None:
        raise ReadError(f"the server answered {what} without a userName")
    return Person(
        Principal(
            id=id_,
            user_name=user_name,
            external_id=_text(resource, "externalId", what),
            active=_boolean(resource, "active", what),
            display_name=_text(resource, "displayName", what),
            email=email(resource),
        ),
        roles=tuple(role(entry) for entry in _list(resource, "roles", what)),
        groups=tuple(reference(entry, one_group).id for entry in _list(resource, "groups", what)),
        user_type=_text(resource, "userType", what),
        version=version(resource),
    )


def email(resource: JsonObject) -> str | None:
    """The primary e-mail of a User, else the only one (RFC 7643 section 4.1.2).

    It is no key and gives nobody access, so what can't be understood is no e-mail, and no error.
    """
    entries = _emails(resource)
    at = _main_email(entries)
    return None if at is None else _email_value(entries[at])


def has_one_primary_email(resource: JsonObject) -> bool:
    """Whether `emails[primary eq true]` means just one entry."""
    return sum(map(_is_primary, _emails(resource))) == 1


def with_email(resource: JsonObject, value: str) -> list[object]:
    """The `emails` of a User with another primary one, and every other entry as it was.

    Where several entries are there and none is the primary, the value becomes one more.
    """
    entries = list(_emails(resource))
    at = _main_email(entries)
    if at is None:
        return [*entries, {"value": value, "type": "work", "primary": True}]
    entry = entries[at]
    entries[at] = {**_without(entry, "value"), "value": value} if isinstance(entry, dict) else value
    return entries


def _emails(resource: JsonObject) -> Sequence[object]:
    entries = attribute(resource, "emails")
    return entries if isinstance(entries, list) else []


def _main_email(entries: Sequence[object]) -> int | None:
    """Which entry is the e-mail of a person; None where that can't be told."""
    primary = [at for at, entry in enumerate(entries) if _is_primary(entry)]
    if primary:
        return primary[0]
    return 0 if len(entries) == 1 else None


def _is_primary(entry: object) -> bool:
    return isinstance(entry, dict) and boolean(attribute(entry, "primary")) is True


def _email_value(entry: object) -> str | None:
    value = attribute(entry, "value") if isinstance(entry, dict) else entry
    return value if isinstance(value, str) and value and is_text(value) else None


def _without(resource: JsonObject, name: str) -> JsonObject:
    return {key: value for key, value in resource.items() if fold(key) != fold(name)}


def group(resource: JsonObject) -> Group:
    """A Group (RFC 7643 section 4.2). Raises ReadError where it makes no sense."""
    id_ = identifier(resource)
    what = _Named("group", id_)
    one_member = _Named("a member of group", id_)
    members = [reference(entry, one_member) for entry in _list(resource, "members", what)]
    users = dict.fromkeys(member.id for member in members if member.is_group is False).keys()
    others = dict.fromkeys(member for member in members if member.is_group is not False)
    return Group(id_, _text(resource, "displayName", what) or "", users, tuple(others))


def version(resource: JsonObject) -> str | None:
    """The `meta.version` of a resource, which is its ETag (RFC 7644 section 3.14)."""
    meta = attribute(resource, "meta")
    return etag(attribute(meta, "version") if isinstance(meta, dict) else None)


def etag(value: object) -> str | None:
    """A version, as far as it fits into a header."""
    return value if isinstance(value, str) and value and value.isascii() and value.isprintable() else None


def page(document: JsonObject) -> Page[JsonObject]:
    """A ListResponse. Raises ReadError where it is none."""
    resources, total = attribute(document, "Resources"), attribute(document, "totalResults")
    if not _is_list(document):
        raise ReadError("the server answered something that is no list: no Resources, no totalResults")
    if resources is not None and not isinstance(resources, list):
        raise ReadError(f"the server answered a list whose Resources are {shown(resources)}")
    entries = tuple(entry for entry in resources or () if isinstance(entry, dict))
    if len(entries) != len(resources or ()):
        raise ReadError("the server answered a list with entries that are no JSON objects")
    cursor = attribute(document, "nextCursor")
    if cursor is not None and not isinstance(cursor, str):
        raise ReadError(f"the server answered a list whose nextCursor is {shown(cursor)}")
    return Page(entries, number(total), cursor)


def number(value: object) -> int | None:
    """A count that some servers write as text; None where there is none. Raises ReadError for nonsense."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    raise ReadError(f"the server answered a list whose totalResults is {shown(value)}")


def boolean(value: object) -> bool | None:
    """A boolean, also as the text that some clients write; None for anything else."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.casefold()) if isinstance(value, str) else None


def patch(operations: Sequence[JsonObject]) -> JsonObject:
    """The body of a PATCH (RFC 7644 section 3.5.2)."""
    return {"schemas": [PATCH_SCHEMA], "Operations": list(operations)}


def add_roles(entries: Sequence[object]) -> JsonObject:
    """One operation that adds role entries, such as `{"value": "org-viewer"}`."""
    return {"op": "add", "path": "roles", "value": list(entries)}


def remove_role(raw: str) -> JsonObject:
    """One operation that removes the role value spelled so, and no other."""
    return {"op": "remove", "path": f"roles[value eq {filters.scim(raw)}]"}


def replace_roles(entries: Sequence[object]) -> JsonObject:
    """One operation that puts a whole list in the place of `roles`."""
    return {"op": "replace", "path": "roles", "value": list(entries)}


def add_members(person_ids: Iterable[str]) -> JsonObject:
    """One operation that adds people to a group."""
    return {"op": "add", "path": "members", "value": [{"value": id_} for id_ in person_ids]}


def remove_member(person_id: str) -> JsonObject:
    """One operation that removes a person from a group. Never without the filter: that removes everybody."""
    return {"op": "remove", "path": f"members[value eq {filters.scim(person_id)}]"}


def new_group(name: str) -> JsonObject:
    """The body that creates a group without members."""
    return {"schemas": [GROUP_SCHEMA], "displayName": name}


def with_roles(resource: JsonObject, entries: Sequence[object]) -> JsonObject:
    """A whole User with other roles; every other attribute, known or not, as it was."""
    return {**_without(resource, "roles"), "roles": list(entries)}


def new_user(principal: Principal) -> JsonObject:
    """The body that creates an active account without roles (RFC 7644 section 3.3)."""
    emails = [{"value": principal.email, "type": "work", "primary": True}] if principal.email else None
    known = {"externalId": principal.external_id, "displayName": principal.display_name, "emails": emails}
    said = {name: value for name, value in known.items() if value}
    return {"schemas": [USER_SCHEMA], "userName": principal.user_name, **said, "active": True}


def replace(path: str, value: object) -> JsonObject:
    """One operation that puts a value in the place of what is at a path."""
    return {"op": "replace", "path": path, "value": value}


def replace_all(values: JsonObject) -> JsonObject:
    """One operation without a path, which replaces attributes by their names."""
    return {"op": "replace", "value": dict(values)}


def with_attributes(resource: JsonObject, values: JsonObject) -> JsonObject:
    """A whole User with other values of some attributes; every other one, known or not, as it was."""
    others = resource
    for name in values:
        others = _without(others, name)
    return {**others, **values}


def role(entry: object) -> RoleValue:
    """One entry of `User.roles`, which some servers write as plain text. What is none has no value."""
    raw = attribute(entry, "value") if isinstance(entry, dict) else entry
    if not isinstance(raw, str) or not is_text(raw):
        return RoleValue("", "", entry)
    return RoleValue(_unwrapped(raw), raw, entry)


def parts(entry: object) -> Iterator[str]:
    """Every text in an entry of `User.roles` that may be meant as a role: in lists, in JSON, by commas."""
    match entry:
        case str() if entry[:1] in ("[", "{") and (inner := _loaded(entry)) is not None:
            yield from parts(inner)
        case str():
            yield from (part.strip() for part in _BETWEEN.split(entry))
        case dict():
            yield from parts(attribute(entry, "value"))
        case list():
            for one in entry:
                yield from parts(one)
        case _:
            pass


def _unwrapped(raw: str) -> str:
    """The role in `{"id": "...", "value": "Admin"}`, which Entra's complex assignments write as text."""
    inner = _loaded(raw) if raw.startswith("{") else None
    value = attribute(inner, "value") if isinstance(inner, dict) else None
    return value if isinstance(value, str) and is_text(value) else raw


def _loaded(text: str) -> object:
    """JSON as data; None where it is none."""
    try:
        loaded: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return loaded


def reference(entry: object, what: object = "a reference") -> Reference:
    """A member of a group, or a group of a user, which `what` says. Raises ReadError where it is neither."""
    if isinstance(entry, str) and entry and is_text(entry):
        return Reference(entry)
    if not isinstance(entry, dict):
        raise ReadError(f"the server answered {what} that is {shown(entry)}")
    ref, kind = attribute(entry, "$ref"), attribute(entry, "type")
    id_ = attribute(entry, "value") or _named(ref)
    if not isinstance(id_, str) or not is_text(id_):
        raise ReadError(f"the server answered {what} whose value is {shown(id_)}")
    return Reference(id_, is_group(kind, ref))


def _named(ref: object) -> str | None:
    """The id in `$ref`; None where there is none."""
    parts = ref.rstrip("/").rsplit("/", 1) if isinstance(ref, str) else []
    return unquote(parts[-1]) if len(parts) > 1 else None


def is_group(kind: object, ref: object) -> bool | None:
    """RFC 7643 section 4.2: `type` says User or Group; `$ref` says it by its endpoint."""
    said = kind.casefold() if isinstance(kind, str) else ""
    parts = ref.rstrip("/").rsplit("/", 2) if ref and isinstance(ref, str) else ()
    endpoint = parts[-2].casefold() if len(parts) > 1 else ""
    if said == "group" or endpoint == "groups":
        return True
    return False if said == "user" or endpoint == "users" else None


def _list(resource: JsonObject, name: str, what: _Named) -> Sequence[object]:
    value = attribute(resource, name)
    if value is None:
        return ()
    if isinstance(value, dict):
        return (value,)
    if not isinstance(value, list):
        raise ReadError(f"the server answered {what} whose {name} are {shown(value)}, not a list")
    return value


def _text(resource: JsonObject, name: str, what: _Named) -> str | None:
    value = attribute(resource, name)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not is_text(value):
        raise ReadError(f"the server answered {what} whose {name} is {shown(value)}")
    return value


def _boolean(resource: JsonObject, name: str, what: _Named) -> bool | None:
    value = attribute(resource, name)
    said = boolean(value)
    if value is not None and said is None:
        raise ReadError(f"the server answered {what} whose {name} is {shown(value)}")
    return said


def _is_list(document: JsonObject) -> bool:
    """Whether it is a ListResponse by its schema, or by what is in it where the schema is missing."""
    schemas = attribute(document, "schemas")
    says_so = isinstance(schemas, list) and any(fold(str(schema)) == fold(LIST_SCHEMA) for schema in schemas)
    return says_so or not {"resources", "totalresults"}.isdisjoint(fold(name) for name in document)
