"""Pages of a listing, cut honestly or not: documents out of resources. Knows no server."""

from collections.abc import Mapping, Sequence
from typing import Any

from hostile.faults import Cursors, Paging, Total

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ENDLESS = 1_000_000

Resource = dict[str, Any]


def by_index(
    everything: Sequence[Resource], start: int, count: int, how: Paging | None, said: Total | None, turn: int
) -> Resource:
    """The page that begins at `start`, from 1; `turn` is another number for each answer of a server."""
    begin, end = start - 1, start - 1 + count
    total, page = len(everything), list(everything[begin:end])
    match how:
        case Paging.REPEATS:
            page = list(everything[:count])
        case Paging.WHOLE:
            page = list(everything)
        case Paging.OVERLAPS if begin:
            page = list(everything[begin - 1 : end - 1])
        case Paging.FROM_ZERO:
            page = list(everything[begin + 1 : end + 1])
        case Paging.REORDERS:
            turned = turn % max(1, total)
            page = [*everything[turned:], *everything[:turned]][begin:end]
        case Paging.SKIPS:
            page = page[1:]
        case Paging.ENDS_EARLY if begin:
            page = []
        case Paging.TWICE if len(page) > 1:
            page = [*page[:-1], page[0]]
        case Paging.ENDLESS:
            total, page = ENDLESS, _crowd(start, count)
        case Paging.EMPTY:
            page = []
        case Paging.GONE if not turn % 2:
            total, page = 0, []
        case _:
            pass
    return _document(page) | _total(total, len(page), said)


def by_cursor(everything: Sequence[Resource], begin: int, count: int, how: Cursors) -> Resource:
    """The page that begins after the first `begin` resources, with a cursor where another follows."""
    end = begin + count
    page, following = list(everything[begin:end]), end if end < len(everything) else 0
    total: Resource = {}
    match how:
        case Cursors.SAME:
            following = begin or end
        case Cursors.LOSES_A_PAGE:
            total = {"totalResults": len(everything)}
            page = page if not begin else list(everything[end : end + count])
        case Cursors.EMPTY:
            page, following = page if not begin else [], end
        case Cursors.ENDLESS:
            page, following = _crowd(begin, count), end
        case _:
            pass
    cursor = {"nextCursor": following if how is Cursors.NUMBERS else f"at={following}"} if following else {}
    return _document(page) | total | cursor


def _document(page: list[Resource]) -> Resource:
    return {"schemas": [LIST], "itemsPerPage": len(page)} | ({"Resources": page} if page else {})


def _total(total: int, page: int, said: Total | None) -> Resource:
    if said is Total.MISSING:
        return {}
    lies: Mapping[Total, object] = {
        Total.TOO_HIGH: total + 3,
        Total.TOO_LOW: max(0, total - 3),
        Total.OF_PAGE: page,
        Total.AS_TEXT: str(total),
        Total.NULL: None,
        Total.NEGATIVE: -1,
        Total.FRACTION: total + 0.5,
        Total.BOOLEAN: True,
        Total.WORD: "many",
        Total.ZERO: 0,
        Total.HUGE: 10**400,
    }
    return {"totalResults": total if said is None else lies[said]}


def _crowd(start: int, count: int) -> list[Resource]:
    return [
        {"id": f"endless-{n}", "userName": f"endless-{n}", "displayName": f"endless-{n}"}
        for n in range(start, start + count)
    ]
