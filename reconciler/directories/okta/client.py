"""The one verb of Okta's management API that is needed: all pages of a listing, or a ReadError."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from reconciler.directories.okta.access import Access, ApiToken, AppAccess
from reconciler.directories.okta.wire import JsonObject, identifier
from reconciler.errors import ReadError
from reconciler.http import answers
from reconciler.http.abreast import abreast
from reconciler.http.client_credentials import Signs, installed
from reconciler.http.closing import Closing
from reconciler.http.limits import server_time
from reconciler.http.links import next_page
from reconciler.http.patience import Patience
from reconciler.http.reach import Reach
from reconciler.http.sender import Sender
from reconciler.http.transport import Broken, Params, Reply, Request, Transport
from reconciler.http.words import host, quoted
from reconciler.settings import okta as settings
from reconciler.settings.okta import AppKey, OktaConnection
from reconciler.settings.token import Token

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 4
"""How many requests are under way at once. At 100 ms each, these are 40 a second, and an organization has 500
or 600 a minute for groups with their members, of which a token has half by default: more at once would only
wait earlier (https://developer.okta.com/docs/reference/rl-global-mgmt/). An organization may have 35 to 75
under way at once, others' requests among them.
"""

MOST_PAGES = 10_000
EMPTY_PAGES = 3
"""How many empty pages in a row a listing may lead to."""

HINT = "nothing was changed; a plan needs a listing that is whole"
_SCOPES = {
    "/api/v1/groups": "okta.groups.read",
    "/api/v1/users": "okta.users.read",
    "/api/v1/logs": "okta.logs.read",
}


class QueryError(ReadError):
    """Okta won't answer what it was asked, as it was asked (400)."""


class OktaClient(Closing):
    """Reads. Safe to use from several threads. Close it, or use it as a context."""

    def __init__(
        self,
        connection: OktaConnection,
        scopes: tuple[str, ...],
        signer: Callable[[AppKey], Signs],
        reach: Reach | None = None,
    ) -> None:
        """`scopes` are what an app needs that is not told which ones; `signer` makes its key sign."""
        reach = reach or Reach()
        self._patience = reach.waiting
        self._url_variable = connection.front + settings.URL
        self._wrong = _wrong(connection)
        transport = Transport(
            connection.url,
            connection.authorities,
            {"Accept": "application/json"},
            self._patience.clock,
            reach.transport,
        )
        self._transport = transport
        self._sender = Sender(transport, self._patience, self._clean)
        self._access = self._admitted(connection.credential, scopes, signer)
        self.asked_at: datetime | None = None
        """The moment of the last answer by the server's clock, aware; of one of those that came at once."""

    def _admitted(
        self, credential: Token | AppKey, scopes: tuple[str, ...], signer: Callable[[AppKey], Signs]
    ) -> Access:
        if isinstance(credential, Token):
            return ApiToken(credential)
        return AppAccess(credential, signer(credential), scopes, self._sender)

    @property
    def server(self) -> str:
        """The address of the Okta organization; holds no secret."""
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

    def everything(self, path: str, params: Params = (), kind: str = "entry") -> list[JsonObject]:
        """All entries of a listing, in order; each is an object with an `id` (a `uuid` in the log).

        Raises ReadError where Okta did not answer, or with something else, or where the pages can't be all
        there is, each once.
        """
        found: dict[str, JsonObject] = {}
        for number, page in enumerate(self._pages(path, params), 1):
            for entry in page:
                id_ = _key(entry, kind)
                if id_ in found:
                    raise self._unfit(path, f"page {number} repeats the {kind} {quoted(id_, 80)}")
                found[id_] = entry
        return list(found.values())

    def first(self, path: str, params: Params) -> list[JsonObject]:
        """The first page of a listing alone, for those that Okta does not page."""
        return next(self._pages(path, params))

    def _pages(self, path: str, params: Params) -> Iterator[list[JsonObject]]:
        """Each page, by the links that lead from one to the next, as they are given."""
        url = self._transport.url(path, params)
        visited = {url}
        empty = 0
        while True:
            reply = self._get(path, params, url)
            page = self._entries(path, reply)
            yield page
            link = next_page(reply.headers)
            empty = 0 if page else empty + 1
            if link is None or (path == "/api/v1/logs" and not page):  # whose last page leads to the future
                return
            url = self._target(path, url, link)
            if url in visited:
                raise self._unfit(path, f"page {len(visited)} leads to a page that was read before")
            if empty == EMPTY_PAGES:
                raise self._unfit(path, f"{EMPTY_PAGES} pages in a row are empty")
            if len(visited) == MOST_PAGES:
                raise self._unfit(path, f"it has no end: {len(visited)} pages")
            visited.add(url)

    def _get(self, path: str, params: Params, url: str) -> Reply:
        """An answer under the status 200, whatever it holds. An access token may have been voided."""
        what = f"could not read {self.server}{path}"
        shown = self._access.authorization()
        result = self._sent(path, params, url, shown)
        if isinstance(result, Reply) and result.status == 401 and self._access.renew(shown):
            result = self._sent(path, params, url, self._access.authorization())
        if isinstance(result, Broken):
            raise ReadError(f"{what}: {self._clean(result.words)}", result.hint) from self._sender.cause(
                result
            )
        self.asked_at = server_time(result.headers, self._patience.now())
        if result.status != 200:
            raise self._refused(what, path, result)
        return result

    def _sent(self, path: str, params: Params, url: str, authorization: str) -> Reply | Broken:
        headers = {"Authorization": authorization}
        return self._sender.insist(Request("GET", path, params, headers=headers), url)

    def _entries(self, path: str, reply: Reply) -> list[JsonObject]:
        what = f"could not read {self.server}{path}"
        if any(answers.repeats(reply, secret) for secret in self._access.secrets()):
            raise ReadError(f"{what}: {answers.REPEATED}", answers.REPLACE)
        document = answers.json_value(reply.body)
        if isinstance(document, dict) and "errorCode" in document:
            raise self._refused(what, path, reply)
        if not isinstance(document, list):
            words = self._clean(answers.seen(reply, self._access.secrets()[0], "JSON list"))
            raise ReadError(f"{what}: {words}", self._hint(404, path))
        if not all(isinstance(entry, dict) for entry in document):
            raise ReadError(f"{what}: the list has entries that are no JSON objects")
        return document

    def _target(self, path: str, url: str, link: str) -> str:
        target = self._transport.led(url, link)
        if target is None:
            place = quoted(self._clean(host(link)), 80)
            raise self._unfit(path, f"the next page is at {place}, where the token must not go")
        return target

    def _refused(self, what: str, path: str, reply: Reply) -> ReadError:
        """An error in Okta's words, of which only the code is stable."""
        document: Mapping[str, object] = answers.json_object(reply.body) or {}
        code, summary = document.get("errorCode"), document.get("errorSummary")
        reason = answers.refusal(reply, self._clean, code, summary)
        kind = QueryError if reply.status == 400 else ReadError
        return kind(f"{what}: {reason}", self._hint(reply.status, path))

    def _hint(self, status: int, path: str) -> str:
        scope = next((scope for begin, scope in _SCOPES.items() if path.startswith(begin)), "")
        match status:
            case 401:
                return self._wrong
            case 403:
                return (
                    f"it takes the scope {scope}, and an administrator role that sees all of it, such as "
                    "Read-Only Administrator"
                )
            case 404 | 301 | 302 | 303 | 307 | 308:
                return f"is {self._url_variable} right? It is an address such as https://acme.okta.com"
            case 429:
                return "Okta limits how much is asked of it; try again later, or raise the limit of the token"
            case _:
                return ""

    def _unfit(self, path: str, reason: str) -> ReadError:
        return ReadError(f"could not list {self.server}{path}: {reason}", HINT)

    def _clean(self, text: str) -> str:
        for secret in self._access.secrets():
            text = secret.hidden_in(text)
        return text

    def close(self) -> None:
        self._sender.close()


def installed_signer(app: AppKey) -> Signs:
    """The app's key, able to sign. Raises SettingsError where it is none, or where the library is missing."""
    with installed(f"the key of {app.source}"):
        from reconciler.http import assertion
    return assertion.signer(app.source, app.key, app.key_id)


def _wrong(connection: OktaConnection) -> str:
    """What to look at where Okta does not believe who asks."""
    if isinstance(connection.credential, Token):
        variable = connection.front + settings.TOKEN
        return f"the token is wrong, was revoked, or was not used for 30 days; check {variable}"
    return "is the app active, and has it an administrator role?"


def _key(entry: JsonObject, kind: str) -> str:
    uuid = entry.get("uuid")
    return uuid if isinstance(uuid, str) and uuid else identifier(entry, kind)
