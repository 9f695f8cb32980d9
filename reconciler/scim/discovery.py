"""What the server says that it can do. Only hints: saying nothing, or nonsense, is no reason to refuse it."""

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.scim.client import AnswerError, Client
from reconciler.scim.wire import JsonObject, attribute, boolean

PATH = "/ServiceProviderConfig"

PAGE = 100
"""How many to ask for at once where the server does not say how many it gives: all known servers take it."""

LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class BulkLimits:
    """How many operations, and how many bytes in all, one bulk request may have (RFC 7644 section 3.7.4)."""

    operations: int
    size: int


@dataclass(frozen=True, slots=True)
class Abilities:
    """The `ServiceProviderConfig` of a server (RFC 7643 section 5, RFC 9865 section 4), as far as used.

    The defaults are what to assume of a server that says nothing.
    """

    patch: bool = True
    etag: bool = True
    """Whether a version, where one was seen, is worth sending back."""
    cursor_first: bool = False
    """Whether to begin a listing with a cursor instead of an index."""
    page: int = PAGE
    bulk: BulkLimits | None = None
    """None where there are no bulk requests, or nobody knows how large they may be."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What a `ServiceProviderConfig` says in so many words; None: nothing, or nothing sensible."""

    patch: bool | None = None
    etag: bool | None = None
    filter: bool | None = None
    by_index: bool | None = None
    by_cursor: bool | None = None
    cursor_first: bool | None = None
    page: int | None = None
    bulk: BulkLimits | None = None


def abilities(client: Client) -> Abilities:
    """Ask the server. Raises ReadError where it can't be reached, or refuses the token."""
    try:
        document = client.get(PATH).document
    except AnswerError as error:
        if error.status == 401:
            raise
        return Abilities()
    return read(document)


def read(document: JsonObject) -> Abilities:
    """The abilities in a ServiceProviderConfig; anything odd in it counts as not said."""
    said = announced(document)
    return Abilities(
        patch=said.patch is not False,
        etag=said.etag is not False,
        cursor_first=said.by_cursor is True and (said.by_index is False or said.cursor_first is True),
        page=PAGE if said.page is None else min(said.page, LARGEST_PAGE),
        bulk=said.bulk,
    )


def announced(document: JsonObject) -> Announced:
    """What a ServiceProviderConfig says."""
    pagination = _section(document, "pagination")
    default = attribute(pagination, "defaultPaginationMethod")
    return Announced(
        patch=_supported(document, "patch"),
        etag=_supported(document, "etag"),
        filter=_supported(document, "filter"),
        by_index=boolean(attribute(pagination, "index")),
        by_cursor=boolean(attribute(pagination, "cursor")),
        cursor_first=None if default is None else str(default).casefold() == "cursor",
        page=_page(document, pagination),
        bulk=_bulk(document),
    )


def _supported(document: JsonObject, name: str) -> bool | None:
    return boolean(attribute(_section(document, name), "supported"))


def _page(document: JsonObject, pagination: JsonObject) -> int | None:
    said = [attribute(pagination, "maxPageSize"), attribute(_section(document, "filter"), "maxResults")]
    return min([limit for one in said if (limit := _limit(one)) is not None], default=None)


def _bulk(document: JsonObject) -> BulkLimits | None:
    section = _section(document, "bulk")
    operations, size = (_limit(attribute(section, name)) for name in ("maxOperations", "maxPayloadSize"))
    if not boolean(attribute(section, "supported")) or operations is None or size is None:
        return None
    return BulkLimits(operations, size)


def _limit(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _section(document: JsonObject, name: str) -> JsonObject:
    section = attribute(document, name)
    return section if isinstance(section, Mapping) else {}
