"""Pages of a listing from bytes straight to values, as long as they are spelled as the RFC spells them.

The owner of msgspec. Whatever is spelled, typed or nested in another way is left to `wire`, which reads all
that makes sense; so being fast never decides what an answer means. An attribute is skipped only if it is
known by its exact name, for one that only letter case tells from `roles` are the roles.
"""

import json
import re
from codecs import utf_8_decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import Generic, Never, Optional, TypeVar, cast

import msgspec
from msgspec import Raw, Struct, field

from reconciler.errors import ReadError
from reconciler.model import Principal
from reconciler.scim import wire
from reconciler.scim.wire import Group, JsonObject, Page, Person, Reference, RoleValue

T = TypeVar("T")
S = TypeVar("S", bound=Struct)

MOST_LEARNED = 200
"""How many attributes beyond those of the RFC are learned to be skipped."""
MOST_KEPT = 10_000
"""How many different lists of roles, or groups, are remembered while people are read."""
PIECE = 4 * 1024
"""How many bytes are checked at a time: the nearest cache of a processor holds what they decode to."""


class _Meta(Struct, gc=False):
    version: str | None = None


class _Email(Struct, gc=False):
    value: str | None = None
    primary: bool | None = None


class _Member(Struct, gc=False):
    value: str
    kind: str | None = field(default=None, name="type")
    ref: str | None = field(default=None, name="$ref")


class _Identified(Struct, gc=False):
    id: str


class _User(_Identified, rename="camel", gc=False):
    """The attributes of a User that `Principal` has, by its names for them, and the rest of `Person`."""

    user_name: str
    external_id: str | None = None
    active: bool | None = None
    display_name: str | None = None
    user_type: str | None = None
    emails: Sequence[_Email] | None = None
    groups: Raw = Raw(b"null")
    roles: Raw = Raw(b"null")
    """As they came, for the same is said of many: `wire` reads each only once."""

    @property
    def version(self) -> str | None:
        """None where nobody asks."""
        return None

    @property
    def email(self) -> str | None:
        """See `wire.email`. Where it is the userName, as it is for most, the text is kept once."""
        entries = self.emails
        if not entries:
            return None
        entry = entries[0] if len(entries) == 1 else next((one for one in entries if one.primary), None)
        value = entry.value if entry is not None else None
        return self.user_name if value == self.user_name else value or None


class _UserToWrite(_User, gc=False):
    """The same with what tells whether somebody else wrote to it meanwhile."""

    meta: _Meta | None = None

    @property
    def version(self) -> str | None:
        return wire.etag(self.meta.version) if self.meta is not None else None


class _Group(_Identified, rename="camel", gc=False):
    display_name: str | None = None
    members: Sequence[_Member] | None = None


class _Page(Struct, rename="camel"):
    schemas: Sequence[str] | None = None
    total_results: int | None = None
    next_cursor: str | None = None
    resources: Sequence[_Identified] | None = field(default=None, name="Resources")


_USER = (
    "addresses", "entitlements", "ims", "locale", "name", "nickName", "password", "phoneNumbers", "photos",
    "preferredLanguage", "profileUrl", "schemas", "timezone", "title", "x509Certificates",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
)  # fmt: skip

_SKIPPED: Mapping[type[Struct], Sequence[str]] = {
    _Page: ("itemsPerPage", "previousCursor", "startIndex"),
    _Identified: (*_USER, *wire.USER_ATTRIBUTES),
    _User: (*_USER, "meta"),
    _UserToWrite: _USER,
    _Group: ("externalId", "meta", "schemas"),
    _Meta: ("created", "lastModified", "location", "resourceType"),
    _Email: ("$ref", "display", "type"),
    _Member: ("display",),
}
"""What is known and not needed (RFC 7643 sections 3.1, 4 and 8.7, RFC 7644 section 3.4.2, RFC 9865)."""

_NESTED: Mapping[type[Struct], Mapping[str, type[Struct]]] = {
    _User: {"emails": _Email},
    _UserToWrite: {"emails": _Email, "meta": _Meta},
    _Group: {"members": _Member},
}
"""What is within what, by the names of the attributes, which are those of our fields too."""

Learned = frozenset[tuple[type[Struct], str]]
"""Attributes that a server has beyond these, by what they are in. None is a needed one, spelled otherwise."""


_made = tuple.__new__
"""What makes a named tuple of all its values, without the call that names them: there are very many."""


class _OddError(Exception):
    """What `wire` may understand, and this can't."""


class Form(Generic[T]):
    """How the pages of one listing are read. Learns which attributes a server adds, so as to skip them.

    `quick` makes the values of all resources of a page, as they were decoded; it raises _OddError where it
    can't. `whole` makes the value of one resource in any spelling. May be used from several threads.
    """

    def __init__(
        self, kind: type[S], quick: Callable[[Sequence[S]], Iterable[T]], whole: Callable[[JsonObject], T]
    ) -> None:
        self._kind = kind
        self._quick = cast(Callable[[Sequence[Struct]], Iterable[T]], quick)
        self._whole = whole
        self._learned: Learned = frozenset()

    def decoded(self, body: bytes) -> Page[T] | None:
        """The page that a body is; None where only the whole document can tell."""
        try:
            _check_encoding(body)
            return self._page(_decoder(self._kind, self._learned).decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ReadError, _OddError):
            return None

    def _page(self, page: _Page) -> Page[T]:
        if page.schemas != [wire.LIST_SCHEMA] and (page.schemas or page.total_results is None):
            raise _OddError  # perhaps an error
        if page.total_results is not None and page.total_results < 0:
            raise _OddError
        found = page.resources or ()
        ids = tuple([resource.id for resource in found])
        if "" in ids:
            raise _OddError
        return Page(tuple(self._quick(found)), page.total_results, page.next_cursor or None, ids)

    def understood(self, document: JsonObject) -> Page[T]:
        """The page that a document is, in whatever spelling. Raises ReadError where it makes no sense."""
        page = wire.page(document)
        ids = tuple(map(wire.identifier, page.resources))
        values = tuple(map(self._whole, page.resources))
        if len(self._learned) < MOST_LEARNED:
            self._learned |= set(islice(_added(_Page, document, self._kind), MOST_LEARNED))
        return Page(values, page.total, page.next_cursor, ids)


def people(*, versions: bool = True) -> Form[Person]:
    """Users, as `wire.person` reads them; without `versions`, these are told only where it reads them."""
    return Form(_UserToWrite if versions else _User, _People().all_of, wire.person)


def groups() -> Form[Group]:
    """Groups, as `wire.group` reads them."""
    return Form(_Group, lambda found: map(_group, found), wire.group)


def identifiers() -> Form[str]:
    """Nothing but the ids of users."""
    return Form(_Identified, lambda found: [one.id for one in found], wire.identifier)


def _check_encoding(body: bytes) -> None:
    """Raises UnicodeDecodeError where it is not UTF-8 all through: what is skipped is not looked at.

    In pieces, for the whole text would be thrown away at once.
    """
    if not body.isascii():
        view, begin, end = memoryview(body), 0, len(body)
        while begin < end:  # a piece may end within a character, which the next one begins with then
            begin += utf_8_decode(view[begin : begin + PIECE], "strict", begin + PIECE >= end)[1]


class _Once(dict[bytes, T]):
    """What some bytes mean, found out once for many who say the same."""

    def __init__(self, meaning: Callable[[bytes], T]) -> None:
        super().__init__()
        self._meaning = meaning

    def __missing__(self, text: bytes) -> T:
        meant = self._meaning(text)
        if len(self) < MOST_KEPT:
            self[text] = meant
        return meant


class _People:
    """Makes people of what was decoded; what many of them have, they share."""

    def __init__(self) -> None:
        self._roles = _Once(_roles)
        self._group = _Once(_group_id)
        self._groups = _Once(self._group_ids)

    def all_of(self, users: Sequence[_User]) -> Iterable[Person]:
        roles, groups = self._roles, self._groups
        return [
            _made(Person, (
                _made(Principal, (
                    user.id,
                    user.user_name or _nobody(),
                    user.external_id or None,
                    user.active,
                    user.display_name or None,
                    user.email,
                )),
                roles[bytes(user.roles)],
                groups[bytes(user.groups)],
                user.user_type or None,
                user.version,
            ))
            for user in users
        ]  # fmt: skip

    def _group_ids(self, text: bytes) -> tuple[str, ...]:
        entries = msgspec.json.decode(text, type=list[Raw] | None)
        return tuple([self._group[bytes(entry)] for entry in entries or ()])


def _group_id(text: bytes) -> str:
    return wire.reference(_loaded(text)).id


def _roles(text: bytes) -> tuple[RoleValue, ...]:
    entries = _loaded(text)
    if entries is not None and not isinstance(entries, list):
        raise _OddError
    return tuple(map(wire.role, entries or ()))


def _loaded(text: bytes) -> object:
    try:
        loaded: object = json.loads(text)
    except ValueError as error:  # a number of thousands of digits
        raise _OddError from error
    return loaded


def _group(found: _Group) -> Group:
    users: list[str] = []
    others: dict[Reference, None] = {}
    for member in found.members or ():
        kind = member.kind
        is_group = False if kind == "User" and member.ref is None else wire.is_group(kind, member.ref)
        if not member.value:
            raise _OddError  # `$ref` may tell
        if is_group is False:
            users.append(member.value)
        else:
            others[Reference(member.value, is_group)] = None
    return Group(found.id, found.display_name or "", dict.fromkeys(users).keys(), tuple(others))


def _nobody() -> Never:
    """Empty is as good as missing (RFC 7643 section 2.5), but there is nobody without a userName."""
    raise _OddError


@lru_cache(maxsize=32)
def _decoder(kind: type[Struct], learned: Learned) -> "msgspec.json.Decoder[_Page]":
    resources = ("resources", _list_of(_exactly(kind, learned)), field(default=None, name="Resources"))
    return msgspec.json.Decoder(_exactly(_Page, learned, [resources]))


def _exactly(kind: type[S], learned: Learned, fields: Sequence[tuple[str, object, object]] = ()) -> type[S]:
    """The same, which refuses every attribute that is neither needed nor known to be needless."""
    nested = [(name, _within(name, inner, learned), None) for name, inner in _NESTED.get(kind, {}).items()]
    names = sorted({*_SKIPPED[kind], *(name for where, name in learned if where is kind)})
    skipped = [(f"skipped_{at}", Raw, field(default=Raw(), name=name)) for at, name in enumerate(names)]
    made = msgspec.defstruct(
        kind.__name__, [*fields, *nested, *skipped], bases=(kind,), forbid_unknown_fields=True, gc=False
    )
    return cast(type[S], made)


def _within(name: str, kind: type[Struct], learned: Learned) -> object:
    exact = _exactly(kind, learned)
    return Optional[exact] if name == "meta" else _list_of(exact)  # noqa: UP045, for a type made at runtime


def _list_of(kind: type[Struct]) -> object:
    return Optional[list.__class_getitem__(kind)]  # noqa: UP045


def _added(kind: type[Struct], value: object, resources: type[Struct]) -> Iterator[tuple[type[Struct], str]]:
    """Every attribute that can be skipped from now on, and what it is in."""
    nested = {"Resources": resources} if kind is _Page else _NESTED.get(kind, {})
    needed = _needed(kind)
    for entry in value if isinstance(value, list) else [value]:
        for name, inner in entry.items() if isinstance(entry, dict) else ():
            if name in nested:
                yield from _added(nested[name], inner, resources)
            elif name.casefold() not in needed and name not in _SKIPPED[kind] and _UNQUOTED.fullmatch(name):
                yield kind, name


@cache
def _needed(kind: type[Struct]) -> frozenset[str]:
    return frozenset(one.encode_name.casefold() for one in msgspec.structs.fields(kind))


_UNQUOTED = re.compile(r"[\w:.$@/ -]+", re.ASCII)
"""The names of attributes that msgspec takes for sure."""
