"""Complete listings, by index (RFC 7644 section 3.4.2.4) and by cursor (RFC 9865), or a ReadError.

Servers get paging wrong in every way there is, and a listing that lacks somebody reads as "has no
access". So a listing advances by what it received, believes no count that it did not see confirmed,
and gives up with the numbers in words wherever they do not add up.
"""

from collections.abc import Iterator, Sequence, Sized
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import Generic, TypeVar

from reconciler.errors import ReadError
from reconciler.http.abreast import abreast
from reconciler.phrases import counted
from reconciler.scim import wire
from reconciler.scim.client import AnswerError, Client, Form
from reconciler.scim.discovery import Abilities
from reconciler.scim.wire import JsonObject, Page

T = TypeVar("T")

ATTEMPTS = 3
"""How often a listing is read in all when it changes under the reader."""

MOST_PAGES = 10_000
EMPTY_PAGES = 3
"""How many empty pages in a row a cursor may lead to; the RFC forbids none, and some servers filter late."""

WORTH_WAITING = 1.5
"""A page that takes so many times as long as the work on it is waited for, and others can be meanwhile.

Of work, this interpreter does one thing at a time: threads would only hand it to each other.
"""

HINT = "nothing was changed; a plan needs a listing that is whole"


@dataclass(frozen=True, slots=True)
class Query:
    """What to list: an endpoint, the attributes that are needed, and a filter."""

    path: str
    attributes: tuple[str, ...] = ()
    filter: str | None = None


class _MovedError(Exception):
    """The listing changed under the reader; from the start again it may hold still."""


def everything(
    client: Client,
    query: Query,
    abilities: Abilities,
    form: Form[Page[T]],
    most_pages: int = MOST_PAGES,
    at_once: int | None = None,
) -> dict[str, T]:
    """All resources of a query by id, each converted as its page arrives.

    Pages by index are asked for side by side where a page is waited for, `at_once` of them if not as many as
    the client may. Raises ReadError unless the answers prove that this is all of them.
    """
    width = at_once or client.at_once
    moved = ""
    for _ in range(ATTEMPTS):
        try:
            found = _Listing(client, query, abilities, form, most_pages, width).read()
            if not found and not query.filter:
                _check_empty(_Listing(client, query, abilities, form, most_pages, width).read())
            return found
        except _MovedError as error:
            moved = str(error)
    raise ReadError(
        f"could not list {client.server}{query.path}: {moved}; it did not hold still in {ATTEMPTS} readings",
        HINT,
    )


def first(client: Client, query: Query, abilities: Abilities) -> Page[JsonObject]:
    """The first page alone, asked for in the way that the server takes. Raises ReadError."""
    return _Listing(client, query, abilities, _Documents(), 1, 1).first()


class _Documents:
    """Resources as they came."""

    def decoded(self, body: bytes) -> None:
        """Nothing is made of bytes here."""

    def understood(self, document: JsonObject) -> Page[JsonObject]:
        return wire.page(document)


def _check_empty(again: Sized) -> None:
    """Nothing at all is asked for twice: it is what a server says that has just lost its database."""
    if len(again):
        raise _MovedError(f"it was empty at first and held {counted(len(again), 'resource')} then")


class _Listing(Generic[T]):
    """One attempt at a listing: what has been received so far, and how to ask for more."""

    def __init__(
        self,
        client: Client,
        query: Query,
        abilities: Abilities,
        form: Form[Page[T]],
        most_pages: int,
        at_once: int,
    ) -> None:
        self._client = client
        self._query = query
        self._form = form
        self._most_pages = most_pages
        self._at_once = at_once
        self._is_waited_for = False
        self._count = abilities.page
        self._by_cursor = abilities.cursor_first
        self._projected = bool(query.attributes)
        self._found: dict[str, T] = {}
        self._total: int | None = None
        self._sizes: list[int] = []
        self._cursors: set[str] = set()

    def read(self) -> dict[str, T]:
        page = self._taken(self.first())
        while True:
            if page.next_cursor is not None:
                page = self._taken(self._next(page.next_cursor))
            elif self._is_whole(page):
                return self._found
            else:
                page = self._following(len(page.ids))

    def _following(self, size: int) -> Page[T]:
        """Take the pages that may follow; the last one taken.

        They are asked for side by side from the first on that was waited for. They fit as long as each ends
        where the next begins. Where one does not, what was asked for beyond it is of no use, and all further
        pages are asked for one by one.
        """
        assert self._total is not None
        width = self._width
        starts = range(len(self._found) + 1, self._total + 1, size)[: self._most_pages - len(self._sizes)]
        with closing(abreast(self._at, starts, width)) as pages:
            for start in starts:
                page = self._taken(next(pages))
                if page.next_cursor is not None or len(self._found) + 1 != start + size:
                    break
                if width < self._width:
                    return page
        if len(self._found) < self._total:
            self._at_once = 1
        return page

    @property
    def _width(self) -> int:
        """How many pages may be under way."""
        return self._at_once if self._is_waited_for else 1

    def _at(self, start: int) -> Page[T]:
        return self._ask(("startIndex", str(start)), self._count)

    def first(self) -> Page[T]:
        """The first page, asked for in plainer ways where the server refuses the better ones."""
        refusal: AnswerError | None = None
        for by_cursor, projected in self._styles():
            self._by_cursor, self._projected = by_cursor, projected
            try:
                return self._ask(("cursor", "") if by_cursor else ("startIndex", "1"), self._count)
            except AnswerError as error:
                if error.status == 404 and self._query.filter:
                    return Page((), 0, None)
                if error.status not in (400, 501):
                    raise
                refusal = error
        assert refusal is not None
        raise refusal

    def _styles(self) -> Iterator[tuple[bool, bool]]:
        for projected in (True, False) if self._projected else (False,):
            if self._by_cursor:
                yield True, projected
            yield False, projected

    def _next(self, cursor: str) -> Page[T]:
        if cursor in self._cursors:
            raise self._refused(f"the server gave the same cursor twice, after {self._so_far()}")
        self._cursors.add(cursor)
        self._by_cursor = True
        try:
            return self._ask(("cursor", cursor), self._count)
        except AnswerError as error:
            if error.scim_type.casefold() == "expiredcursor":
                raise _MovedError(f"the cursor expired after {self._so_far()}") from error
            raise

    def _ask(self, start: tuple[str, str], count: int) -> Page[T]:
        params = [start, ("count", str(count))]
        if self._projected:
            params.append(("attributes", ",".join(self._query.attributes)))
        if self._query.filter:
            params.append(("filter", self._query.filter))
        begun, worked = perf_counter(), thread_time()
        page = self._client.read(self._query.path, params, self._form)
        self._is_waited_for = perf_counter() - begun >= WORTH_WAITING * (thread_time() - worked)
        return page

    def _taken(self, page: Page[T]) -> Page[T]:
        """The same page, added to what was found. Raises ReadError where it does not fit to that."""
        self._sizes.append(len(page.ids))
        self._check_total(page)
        before = len(self._found)
        self._found.update(zip(page.ids, page.resources, strict=True))
        self._check_ids(page.ids, len(self._found) - before)
        self._check_end(page)
        return page

    def _check_total(self, page: Page[T]) -> None:
        if None not in (page.total, self._total) and page.total != self._total:
            raise _MovedError(
                f"totalResults was {self._total} at first and {page.total} on page {len(self._sizes)}"
            )
        self._total = page.total if self._total is None else self._total

    def _check_ids(self, ids: Sequence[str], new: int) -> None:
        """Refuse ids of which only so many are new."""
        if new == len(ids):
            return
        if twice := len(ids) - len(set(ids)):
            raise self._refused(f"page {len(self._sizes)} names {twice} of its {len(ids)} twice")
        if not new:
            raise self._refused(
                f"page {len(self._sizes)} only repeats {counted(len(ids), 'resource')} of earlier pages, "
                f"after {self._so_far()}; is {'the cursor' if self._by_cursor else 'startIndex'} ignored?"
            )
        raise _MovedError(f"page {len(self._sizes)} repeats {len(ids) - new} of its {len(ids)}")

    def _check_end(self, page: Page[T]) -> None:
        """Refuse what has no end: more than was announced, pages without number, pages without content."""
        if self._total is not None and len(self._found) > self._total:
            raise self._refused(f"totalResults says {self._total}, the pages hold {len(self._found)}")
        if page.next_cursor is not None and self._sizes[-EMPTY_PAGES:] == [0] * EMPTY_PAGES:
            raise self._refused(f"{EMPTY_PAGES} pages in a row are empty, after {self._so_far()}")
        if len(self._sizes) >= self._most_pages:
            raise self._refused(f"it has no end: {self._so_far()} on {len(self._sizes)} pages")

    def _is_whole(self, page: Page[T]) -> bool:
        """Whether the last page received was the last there is. Raises ReadError where it can't be."""
        if not self._by_cursor and self._total is None:
            raise self._refused("the answer has no totalResults, so nobody can tell whether it is all")
        if self._total is None or len(self._found) == self._total:
            if not self._by_cursor and self._may_be_cut():
                self._confirm_end()
            return True
        if self._by_cursor or not page.ids:
            raise self._refused(f"totalResults says {self._total}, the pages end after {self._so_far()}")
        return False

    def _may_be_cut(self) -> bool:
        """Whether the total may be that of the pages seen: only a page that is shorter shows an end."""
        return self._sizes[-1] > 0 and (len(self._sizes) == 1 or self._sizes[-1] >= self._sizes[0])

    def _confirm_end(self) -> None:
        """Ask for what comes after the end: servers that give the size of a page as totalResults exist."""
        beyond = self._beyond()
        ids = set(beyond.ids)
        if ids - self._found.keys():
            raise self._refused(f"totalResults says {self._total}, but the page after these holds more")
        if ids and self._is_limited():
            raise self._refused(
                f"the server ignores startIndex: asked for what comes after the first {len(self._found)}, "
                f"it answered {len(ids)} of them again, so nobody can tell whether there are more"
            )

    def _beyond(self) -> Page[T]:
        try:
            return self._at(len(self._found) + 1)
        except AnswerError as error:
            if error.status in (400, 404):
                return Page((), None, None)
            raise

    def _is_limited(self) -> bool:
        """Whether a server that ignores startIndex heeds count; if not even that, it never cuts anything."""
        return len(self._ask(("startIndex", "1"), 1).ids) < len(self._found)

    def _so_far(self) -> str:
        return counted(len(self._found), "resource")

    def _refused(self, reason: str) -> ReadError:
        return ReadError(f"could not list {self._client.server}{self._query.path}: {reason}", HINT)
