"""Reading Microsoft Graph: single resources, and listings that are complete or a ReadError.

https://learn.microsoft.com/graph/paging: a page leads to the next by a link that is followed as given, and
may be empty. https://learn.microsoft.com/graph/aad-advanced-queries: counts and casts come from an index that
lags behind, and want the header ConsistencyLevel, which no link carries.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from reconciler.directories.entra.access import AppAccess
from reconciler.directories.entra.wire import JsonObject, identifier
from reconciler.errors import ReadError
from reconciler.http import answers
from reconciler.http.abreast import abreast
from reconciler.http.client_credentials import Signs, installed
from reconciler.http.closing import Closing
from reconciler.http.patience import Patience
from reconciler.http.reach import Reach
from reconciler.http.sender import Sender
from reconciler.http.transport import Broken, Params, Reply, Request, Transport
from reconciler.http.words import host, printable
from reconciler.phrases import counted
from reconciler.settings.entra import Certificate, EntraConnection

T = TypeVar("T")
R = TypeVar("R")

VERSION = "/v1.0"

AT_ONCE = 8
"""How many requests are under way at once. At 100 ms each, these are 800 in ten seconds, which cost two units
for the members of a group, four with nested groups. An app has 3,500 units in ten seconds at the least, and
shares them with no other (https://learn.microsoft.com/graph/throttling-limits).
"""
LARGEST_PAGE = 999
"""The most that `$top` takes."""

ATTEMPTS = 3
"""How often a listing is read in all when it does not hold still or its count disagrees."""
PAUSE = 5.0
"""Seconds before it is read again: the index that counts lags behind by about as much."""

MOST_PAGES = 10_000
EMPTY_PAGES = 20
"""How many empty pages in a row are followed: Graph filters late, and its documentation sets no bound."""

WHOLE = "nothing was changed; a plan needs a listing that is whole"


@dataclass(frozen=True, slots=True)
class Query:
    """What to read: `subject` for messages, `right` the application permission that it takes.

    `counted`: whether Graph is asked how many there are, so that nothing can be missing.
    """

    subject: str
    path: str
    right: str
    params: Params = ()
    counted: bool = True
    most_pages: int = MOST_PAGES


class _MovedError(Exception):
    """The listing changed under the reader, or its count lags; a little later it may hold still."""


class GraphClient(Closing):
    """Reads. The access token goes to Graph's origin and no other. Close it, or use it as a context.

    Safe to use from several threads.
    """

    def __init__(
        self, connection: EntraConnection, signer: Callable[[Certificate], Signs], reach: Reach | None = None
    ) -> None:
        """`signer` makes a certificate sign. Raises SettingsError."""
        reach = reach or Reach()
        self._patience = reach.waiting
        self._front = connection.front
        credential = connection.credential
        signs = signer(credential) if isinstance(credential, Certificate) else None
        self._access = AppAccess(connection, signs, reach, self._patience)
        self._transport = Transport(
            connection.graph + VERSION,
            connection.authorities,
            {"Accept": "application/json"},
            self._patience.clock,
            reach.transport,
        )
        self._sender = Sender(self._transport, self._patience, self._access.clean)

    @property
    def server(self) -> str:
        """Where Graph is; holds no secret."""
        return self._transport.server

    @property
    def patience(self) -> Patience:
        """What it waits by."""
        return self._patience

    def abreast(self, work: Callable[[T], R], items: Collection[T]) -> Iterator[R]:
        """The results of some reading for each item, in their order, several under way at once."""
        if items:
            self._access.authorization()  # who can't sign in is told so once, and not by several threads
        return abreast(work, items, max(1, min(AT_ONCE, len(items))))

    def one(self, query: Query) -> JsonObject | None:
        """The resource at a path; None where Graph says that there is none. Raises ReadError."""
        reply = self._get(query, self._transport.url(query.path, query.params))
        if reply.status == 404 and _error(reply).get("code") == "Request_ResourceNotFound":
            return None
        return self._document(query, reply)

    def everything(self, query: Query) -> list[JsonObject]:
        """All records of a listing, each with an id of its own.

        Raises ReadError unless the pages lead to an end and hold as many as Graph counts.
        """
        moved = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self.patience.sleep(PAUSE)
            try:
                return self._reading(query)
            except _MovedError as error:
                moved = str(error)
        raise self._failed(query, f"{moved}, in {ATTEMPTS} readings", WHOLE)

    def first(self, query: Query) -> list[JsonObject]:
        """The first page of a listing alone, for what needs not be whole. Raises ReadError."""
        url = self._transport.url(query.path, self._params(query))
        return self._records(query, self._document(query, self._get(query, url)), 1)

    def _reading(self, query: Query) -> list[JsonObject]:
        """One reading of a listing. Raises _MovedError where another may come to something."""
        found: dict[str, JsonObject] = {}
        count = None
        for number, page in enumerate(self._pages(query), 1):
            if number == 1 and query.counted:
                count = self._count(query, page)
            _take(found, self._records(query, page, number), number)
        if count not in (None, len(found)):
            raise _MovedError(f"@odata.count says {count}, and the pages hold {len(found)}")
        return list(found.values())

    def _pages(self, query: Query) -> Iterator[JsonObject]:
        """Each page, by the links that lead from one to the next, as they are given."""
        url: str | None = self._transport.url(query.path, self._params(query))
        visited: set[str] = set()
        empty = 0
        while url is not None:
            if url in visited:
                raise self._failed(query, f"page {len(visited)} leads back to an earlier one", WHOLE)
            if len(visited) == query.most_pages:
                raise self._failed(query, f"it has no end: {counted(len(visited), 'page')} were read", WHOLE)
            visited.add(url)
            page = self._document(query, self._get(query, url))
            yield page
            empty = 0 if page.get("value") else empty + 1
            if empty > EMPTY_PAGES:
                raise self._failed(query, f"{empty} pages in a row are empty", WHOLE)
            url = self._next(query, page, url)

    def _params(self, query: Query) -> Params:
        paged = (*query.params, ("$top", str(LARGEST_PAGE)))
        return (*paged, ("$count", "true")) if query.counted else paged

    def _records(self, query: Query, document: JsonObject, page: int) -> list[JsonObject]:
        records = document.get("value")
        if not isinstance(records, list):
            raise self._failed(query, f"page {page} has no list of values", WHOLE)
        if not all(isinstance(record, dict) for record in records):
            raise self._failed(query, f"page {page} has entries that are no JSON objects", WHOLE)
        return records

    def _count(self, query: Query, document: JsonObject) -> int:
        count = document.get("@odata.count")
        if not isinstance(count, int) or isinstance(count, bool):
            raise self._failed(
                query, "the answer has no @odata.count, so nobody can tell whether it is all", WHOLE
            )
        return count

    def _next(self, query: Query, document: JsonObject, url: str) -> str | None:
        """Where the next page is. A link to another host would take the token along."""
        link = document.get("@odata.nextLink")
        if link is None:
            return None
        led = self._transport.led(url, link) if isinstance(link, str) and link else None
        if led is None:
            place = printable(self._access.clean(host(link)), 80)
            raise self._failed(query, f"its next page is on {place}, where the token must not go", WHOLE)
        return led

    def _get(self, query: Query, url: str) -> Reply:
        """The answer to a request that was let in, whatever it holds. A token may have been voided."""
        shown = self._access.authorization()
        result = self._sent(query, url, shown)
        if isinstance(result, Reply) and result.status == 401:
            self._access.renew(shown)
            result = self._sent(query, url, self._access.authorization())
        if isinstance(result, Broken):
            error = self._failed(query, self._access.clean(result.words), result.hint)
            raise error from self._sender.cause(result)
        return result

    def _sent(self, query: Query, url: str, authorization: str) -> Reply | Broken:
        headers = {"Authorization": authorization}
        if query.counted:
            headers["ConsistencyLevel"] = "eventual"
        return self._sender.insist(Request("GET", query.path, query.params, headers=headers), url)

    def _document(self, query: Query, reply: Reply) -> JsonObject:
        """The JSON object of a success. Anything else, an error under a 200 included, is none."""
        if 300 <= reply.status < 400:
            place = printable(self._access.clean(host(reply.headers.get("location"))), 80)
            raise self._failed(query, f"the server redirects to {place}, where the token must not go")
        if reply.status >= 400 or _error(reply):
            raise self._failed(query, self._refusal(reply), self._hint(query, reply.status))
        if any(answers.repeats(reply, secret) for secret in self._access.secrets()):
            raise self._failed(query, answers.REPEATED, answers.REPLACE)
        document = answers.json_object(reply.body)
        if reply.status != 200 or document is None:
            words = self._access.clean(answers.seen(reply, self._access.secrets()[0]))
            raise self._failed(query, words, self._hint(query, 404))
        return document

    def _refusal(self, reply: Reply) -> str:
        """Why Graph says it did not do it (https://learn.microsoft.com/graph/errors), with its request-id."""
        error = _error(reply)
        clean = self._access.clean
        request_id = printable(clean(_request_id(reply, error)), 40)
        told = f"request-id {request_id}" if request_id else ""
        return answers.refusal(reply, clean, error.get("code"), error.get("message"), told)

    def _hint(self, query: Query, status: int) -> str:
        match status:
            case 401:
                return f"is {self._front}AZURE_GRAPH_ENDPOINT, if it is set, the Graph of the tenant's cloud?"
            case 403:
                return (
                    f"the app needs the application permission {query.right} of Microsoft Graph, with an "
                    "administrator's consent"
                )
            case 404:
                return f"is {self._front}AZURE_GRAPH_ENDPOINT, if it is set, a Microsoft Graph?"
            case 429 | 503 | 504:
                return "Graph has too much to do; run it again later"
            case _:
                return ""

    def _failed(self, query: Query, reason: str, hint: str = "") -> ReadError:
        return ReadError(f"could not read {query.subject} from {self.server}: {reason}", hint)

    def close(self) -> None:
        self._access.close()
        self._sender.close()


def installed_signer(certificate: Certificate) -> Signs:
    """The app's certificate, able to sign. Raises SettingsError where it can't, or the library is missing."""
    with installed(f"the certificate of {certificate.source}"):
        from reconciler.http import certificate as certificates
    return certificates.signer(certificate.source, certificate.pem, certificate.password)


def _take(found: dict[str, JsonObject], records: list[JsonObject], page: int) -> None:
    """Add a page to what was found; raises _MovedError where it repeats anything."""
    ids = [identifier(record) for record in records]
    repeated = len(ids) - len({id_ for id_ in ids if id_ not in found})
    if repeated:
        raise _MovedError(f"page {page} repeats {repeated} of its {len(ids)}")
    found.update(zip(ids, records, strict=True))


def _error(reply: Reply) -> Mapping[str, Any]:
    """Graph's error object; empty where the answer is none."""
    error = (answers.json_object(reply.body) or {}).get("error")
    return error if isinstance(error, dict) else {}


def _request_id(reply: Reply, error: Mapping[str, Any]) -> str:
    """What Microsoft's support asks for."""
    inner = error.get("innerError")
    told = inner.get("request-id") if isinstance(inner, dict) else None
    return told if isinstance(told, str) else reply.headers.get("request-id", "")
