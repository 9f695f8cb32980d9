"""JSON over HTTP with a code host: listings, writes, words for what failed. Knows no host's API."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reconciler.errors import HostError
from reconciler.hosts.credentials import Credential
from reconciler.hosts.wire import JsonObject
from reconciler.http import answers
from reconciler.http.closing import Closing
from reconciler.http.links import next_page
from reconciler.http.reach import Reach
from reconciler.http.sender import Sender
from reconciler.http.transport import Broken, Params, Reply, Request, Transport
from reconciler.http.words import host, quoted, status_words

MOST_PAGES = 1000
"""So many pages of comments are read at most."""

LIMITED = (403, 429, 503)
"""The statuses under which these hosts say how long to wait; GitHub's limits answer 403, too."""


class RefusedError(HostError):
    """The host answered no: what was asked for has certainly not happened."""

    def __init__(self, message: str, hint: str = "", *, status: int) -> None:
        super().__init__(message, hint)
        self.status = status


class UncertainError(HostError):
    """Nobody knows whether a write has happened."""


class Client(Closing):
    """Requests to the API at `api`. `advice` is the next step by status."""

    def __init__(
        self,
        api: str,
        credential: Credential,
        headers: Mapping[str, str],
        authorities: str,
        reach: Reach,
        advice: Mapping[int, str],
    ) -> None:
        patience = reach.waiting
        self._credential = credential
        self._advice = advice
        self._transport = Transport(
            api,
            authorities,
            {**headers, "Authorization": credential.header.reveal()},
            patience.clock,
            reach.transport,
        )
        self._sender = Sender(self._transport, patience, credential.hidden_in, LIMITED)

    def get(self, path: str) -> JsonObject:
        """One JSON object."""
        what = f"could not read {self._transport.server}{path}"
        return self._object(what, self._answered(what, Request("GET", path)))

    def all_of(
        self, path: str, params: Params, page: Callable[[Reply], tuple[list[Any], str | None] | None]
    ) -> Iterator[JsonObject]:
        """All entries of a listing. `page` finds in an answer its entries and the address of the next one."""
        what = f"could not list {self._transport.server}{path}"
        url = self._transport.url(path, params)
        visited: set[str] = set()
        while url not in visited:
            if len(visited) == MOST_PAGES:
                raise HostError(f"{what}: it has no end: {MOST_PAGES} pages")
            visited.add(url)
            reply = self._answered(what, Request("GET", path, params), url)
            entries, following = page(reply) or (None, None)
            if entries is None or not all(isinstance(entry, dict) for entry in entries):
                raise HostError(f"{what}: {self._seen(reply, 'list of JSON objects')}")
            yield from entries
            if following is None:
                return
            url = self._led(what, url, following)
        raise HostError(f"{what}: a page leads to a page that was read before")

    def ask(self, path: str, document: JsonObject) -> JsonObject:
        """One JSON object for another, by a POST that changes nothing."""
        return self._sent(f"could not ask {self._transport.server}{path}", "POST", path, document, True)

    def write(self, method: str, path: str, document: JsonObject, *, repeatable: bool) -> JsonObject:
        """Send a JSON object and give the one that comes back.

        `repeatable`: sending it twice does no more than sending it once. Raises UncertainError else, where
        the answer was lost.
        """
        return self._sent(
            f"could not write {self._transport.server}{path}", method, path, document, repeatable
        )

    def delete(self, path: str) -> None:
        """Delete what is at a path."""
        self._answered(
            f"could not delete {self._transport.server}{path}", Request("DELETE", path, repeatable=True)
        )

    def _sent(self, what: str, method: str, path: str, document: JsonObject, repeatable: bool) -> JsonObject:
        content = json.dumps(document).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(method, path, content=content, headers=headers, repeatable=repeatable)
        return self._object(what, self._answered(what, request))

    def _answered(self, what: str, request: Request, url: str = "") -> Reply:
        """An answer under a status of success."""
        result = self._sender.insist(request, url)
        uncertain = request.method != "GET" and not request.repeatable
        if isinstance(result, Broken):
            kind = UncertainError if uncertain and result.sent else HostError
            message = f"{what}: {self._credential.hidden_in(result.words)}"
            raise kind(message, result.hint) from self._sender.cause(result)
        if 200 <= result.status < 300:
            return result
        if 300 <= result.status < 400:
            raise self._redirected(what, result)
        message = f"{what}: {self._refusal(result)}"
        hint = self._advice.get(result.status, "")
        if uncertain and (result.status == 408 or result.status >= 500):
            raise UncertainError(message, hint)
        raise RefusedError(message, hint, status=result.status)

    def _redirected(self, what: str, reply: Reply) -> RefusedError:
        place = quoted(self._credential.hidden_in(host(reply.headers.get("location"))), 80)
        return RefusedError(
            f"{what}: the server redirects to {place} ({status_words(reply.status)}), where no token is sent",
            "was the repository renamed? Name the pull request by its new address: --pull-request URL",
            status=reply.status,
        )

    def _refusal(self, reply: Reply) -> str:
        """Why the host says that it did not do it, whatever shape it says it in."""
        document = answers.json_object(reply.body) or {}
        error = document.get("error")  # Bitbucket: {"error": {"message": …}}; GitLab: a text
        inner = error.get("message") if isinstance(error, dict) else error
        words = document.get("message") or inner  # GitHub, GitLab: {"message": …}, at times an object
        if isinstance(words, dict | list):
            words = json.dumps(words)
        return answers.refusal(reply, self._credential.hidden_in, None, words)

    def _object(self, what: str, reply: Reply) -> JsonObject:
        document = answers.json_object(reply.body)
        if document is None:
            raise HostError(f"{what}: {self._seen(reply, 'JSON object')}")
        return document

    def _seen(self, reply: Reply, wanted: str) -> str:
        return self._credential.hidden_in(answers.seen(reply, self._credential.token, wanted))

    def _led(self, what: str, url: str, following: str) -> str:
        target = self._transport.led(url, following)
        if target is None:
            place = quoted(self._credential.hidden_in(host(following)), 80)
            raise HostError(f"{what}: the next page is at {place}, where the token must not go")
        return target

    def close(self) -> None:
        self._sender.close()


def linked(reply: Reply) -> tuple[list[Any], str | None] | None:
    """A page that is a list, with the next one in its Link header."""
    entries = answers.json_value(reply.body)
    return (entries, next_page(reply.headers)) if isinstance(entries, list) else None
