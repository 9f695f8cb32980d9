"""The verbs of SCIM over HTTP: redirects, and what a status means. Knows no resource.

`Client` reads; `WritingClient` also writes. Whatever only reads is given a `Client`, which has no
method that writes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from reconciler.errors import ReadError, WriteError
from reconciler.http import answers
from reconciler.http.closing import Closing
from reconciler.http.limits import date
from reconciler.http.patience import Patience
from reconciler.http.sender import Sender
from reconciler.http.transport import Broken, Params, Reply, Request, Transport
from reconciler.http.words import host, printable, status_words
from reconciler.scim.wire import JsonObject
from reconciler.settings import Connection

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

MEDIA_TYPE = "application/scim+json"
ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:error"
HOPS = 3
"""How many redirects one reading follows, all within the server's origin."""

TIME = "/ServiceProviderConfig"
"""What is asked for to see the time: every server has it, and it is small."""

_HINTS = {
    401: "the token is wrong or has expired; check CIRCLECI_SCIM_TOKEN",
    403: "the token lacks the right for this; SCIM wants a token of an administrator",
    404: "is the base URL right? It usually ends in /scim/v2",
}


class AnswerError(ReadError):
    """The server answered, but not with what was asked for.

    `status` and `scim_type` (RFC 7644 section 3.12) are what it said, `reason` the why in words.
    """

    def __init__(self, what: str, reason: str, *, status: int, scim_type: str = "", hint: str = "") -> None:
        super().__init__(f"{what}: {reason}", hint)
        self.reason = reason
        self.status = status
        self.scim_type = scim_type


class RefusedError(WriteError):
    """The server refused a write: it has certainly not happened."""

    def __init__(self, what: str, reason: str, *, status: int, scim_type: str = "", hint: str = "") -> None:
        super().__init__(f"{what}: {reason}", hint)
        self.reason = reason
        self.status = status
        self.scim_type = scim_type


class UncertainError(WriteError):
    """Nobody knows whether a write has happened: look before anything else."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what}: {reason}", "it may or may not have happened; run the plan again to see")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object from the server and the ETag that came with it; empty where there was no body."""

    document: JsonObject
    etag: str | None = None


class Form(Protocol[T_co]):
    """What to make of an answer."""

    def decoded(self, body: bytes) -> T_co | None:
        """Out of its bytes; None where that takes the whole document."""
        ...

    def understood(self, document: JsonObject) -> T_co:
        """Out of the whole document. Raises ReadError where it makes no sense."""
        ...


@dataclass(frozen=True, slots=True)
class _Refusal:
    """The reason of an answer that is no success, with the error code of SCIM where there is one."""

    reason: str
    scim_type: str = ""


class Client(Closing):
    """Reads. Safe to use from several threads, `at_once` of them. Close it, or use it as a context."""

    def __init__(self, connection: Connection, transport: Transport, patience: Patience) -> None:
        self.at_once = connection.at_once
        self.bulk = connection.bulk
        self._token = connection.token
        self._transport = transport
        self._sender = Sender(transport, patience, self._clean)

    @property
    def server(self) -> str:
        """The base URL; holds no secret."""
        return self._transport.server

    def get(self, path: str, params: Params = ()) -> Answer:
        """The JSON object at a path below the base URL.

        Raises AnswerError where the server answered something else, ReadError where it did not answer.
        """
        what = f"could not read {self.server}{path}"
        reply = self._success(what, path, params)
        self._check_silence(what, reply)
        return Answer(self._document(what, reply), reply.headers.get("etag"))

    def read(self, path: str, params: Params, form: Form[T]) -> T:
        """What a form makes of the JSON object at a path. Raises what `get` and the form raise."""
        what = f"could not read {self.server}{path}"
        reply = self._success(what, path, params)
        self._check_silence(what, reply)
        made = form.decoded(reply.body)
        return form.understood(self._document(what, reply)) if made is None else made

    def _success(self, what: str, path: str, params: Params) -> Reply:
        result = self._follow(what, Request("GET", path, params))
        if isinstance(result, Broken):
            raise ReadError(f"{what}: {self._clean(result.words)}", result.hint) from self._sender.cause(
                result
            )
        if not 200 <= result.status < 300:
            refusal = self._refusal(result)
            raise AnswerError(
                what,
                refusal.reason,
                status=result.status,
                scim_type=refusal.scim_type,
                hint=_HINTS.get(result.status, ""),
            )
        return result

    def time(self) -> datetime | None:
        """What time it is for the server, by the `Date` of its next answer, whatever that is (RFC 9110).

        None where it does not say. Raises ReadError where a redirect leads away.
        """
        result = self._follow(f"could not ask {self.server} for the time", Request("GET", TIME))
        return date(result.headers.get("date", "")) if isinstance(result, Reply) else None

    def _follow(self, what: str, request: Request) -> Reply | Broken:
        """Read, following redirects within the origin (RFC 7644 section 3.12, table 8: 307 and 308)."""
        url = self._transport.url(request.path, request.params)
        for _ in range(HOPS + 1):
            result = self._sender.insist(request, url)
            if isinstance(result, Broken) or result.status not in (301, 302, 303, 307, 308):
                return result
            url = self._target(what, result, url)
        raise ReadError(f"{what}: the server redirected {HOPS + 1} times", _HINTS[404])

    def _target(self, what: str, reply: Reply, url: str) -> str:
        location = reply.headers.get("location", "")
        target = self._transport.led(url, location) if location else None
        if target is None:
            place = printable(self._clean(host(location)), 80)
            raise ReadError(
                f"{what}: the server redirects to {place}, where the token must not go",
                "if that is the right server, make it the base URL",
            )
        if reply.status not in (307, 308):
            raise ReadError(
                f"{what}: the server redirects with {status_words(reply.status)}, which SCIM does not know",
                _HINTS[404],
            )
        return target

    def _check_silence(self, what: str, reply: Reply) -> None:
        """Raises AnswerError where a success tells the token."""
        if answers.repeats(reply, self._token):
            raise AnswerError(what, answers.REPEATED, status=reply.status, hint=answers.REPLACE)

    def _document(self, what: str, reply: Reply) -> JsonObject:
        """The JSON object of a success. Anything else, an error under a 200 included, is none."""
        document = answers.json_object(reply.body)
        if document is None:
            raise AnswerError(what, answers.seen(reply, self._token), status=reply.status, hint=_HINTS[404])
        if is_error(document):
            refusal = self._refusal(reply)
            raise AnswerError(what, refusal.reason, status=reply.status, scim_type=refusal.scim_type)
        return document

    def _refusal(self, reply: Reply) -> _Refusal:
        """Why the server says it did not do it (RFC 7644 section 3.12), whatever shape it says it in."""
        document = answers.json_object(reply.body) or {}
        fields = {name.casefold(): value for name, value in document.items()}
        scim_type = _text(fields.get("scimtype"))
        detail = _text(fields.get("detail")) or _text(fields.get("message")) or _text(fields.get("error"))
        return _Refusal(answers.refusal(reply, self._clean, scim_type, detail), scim_type)

    def _clean(self, text: str) -> str:
        return self._token.hidden_in(text)

    def close(self) -> None:
        self._sender.close()


class WritingClient(Client):
    """Reads and writes."""

    def patch(self, path: str, body: JsonObject, version: str | None = None) -> Answer:
        """RFC 7644 section 3.5.2. For `version` and what it raises, see `_write`."""
        return self._write("PATCH", path, body, version)

    def put(self, path: str, body: JsonObject, version: str | None = None) -> Answer:
        """RFC 7644 section 3.5.1."""
        return self._write("PUT", path, body, version)

    def post(self, path: str, body: JsonObject, again: Callable[[], bool]) -> Answer:
        """RFC 7644 section 3.3. `again` is asked before it is sent once more, for that may create another."""
        return self._write("POST", path, body, None, again)

    def delete(self, path: str, version: str | None = None) -> None:
        """RFC 7644 section 3.6."""
        self._write("DELETE", path, None, version)

    def _write(
        self,
        method: str,
        path: str,
        body: JsonObject | None,
        version: str | None,
        again: Callable[[], bool] = lambda: True,
    ) -> Answer:
        """Send a write; with `version`, only if the resource still has it (`If-Match`, section 3.14).

        Raises RefusedError where it has certainly not happened, UncertainError where nobody knows.
        """
        what = f"could not write {self.server}{path}"
        headers = {} if body is None else {"Content-Type": MEDIA_TYPE}
        headers |= {"If-Match": version} if version else {}
        content = None if body is None else json.dumps(body).encode()
        request = Request(method, path, content=content, headers=headers)
        result = self._sender.insist(request, self._transport.url(path), again)
        if isinstance(result, Broken):
            reason = self._clean(result.words)
            if result.sent:
                raise UncertainError(what, reason) from self._sender.cause(result)
            raise RefusedError(what, reason, status=0, hint=result.hint) from self._sender.cause(result)
        if 200 <= result.status < 300:
            return self._written(what, result)
        raise self._failure(what, result)

    def _written(self, what: str, reply: Reply) -> Answer:
        """A success has a JSON object or nothing in it; a page of a gateway proves nothing."""
        if not reply.body.strip():
            return Answer({}, reply.headers.get("etag"))
        if answers.repeats(reply, self._token):
            raise UncertainError(what, answers.REPEATED)
        document = answers.json_object(reply.body)
        if document is None:
            raise UncertainError(what, answers.seen(reply, self._token))
        if is_error(document):
            raise UncertainError(what, self._refusal(reply).reason)
        return Answer(document, reply.headers.get("etag"))

    def _failure(self, what: str, reply: Reply) -> RefusedError | UncertainError:
        refusal = self._refusal(reply)
        if reply.status == 408 or (reply.status >= 500 and reply.status != 501):
            return UncertainError(what, refusal.reason)
        hint = _HINTS.get(reply.status, "") if reply.status in (401, 403) else ""
        return RefusedError(what, refusal.reason, status=reply.status, scim_type=refusal.scim_type, hint=hint)


def open_client(
    connection: Connection,
    *,
    transport: "httpx.BaseTransport | None" = None,
    patience: Patience | None = None,
) -> Client:
    """A client that reads. `transport` and `patience` are the seams for tests."""
    patience = patience or Patience()
    return Client(connection, connected(connection, patience, transport), patience)


def open_writing_client(
    connection: Connection,
    *,
    transport: "httpx.BaseTransport | None" = None,
    patience: Patience | None = None,
) -> WritingClient:
    """A client that reads and writes."""
    patience = patience or Patience()
    return WritingClient(connection, connected(connection, patience, transport), patience)


def connected(
    connection: Connection, patience: Patience, inner: "httpx.BaseTransport | None" = None
) -> Transport:
    """The transport that a connection describes. Raises SettingsError where it can't be."""
    headers = {"Accept": MEDIA_TYPE, "Authorization": f"Bearer {connection.token.reveal()}"}
    return Transport(connection.url, connection.authorities, headers, patience.clock, inner)


def is_error(document: JsonObject) -> bool:
    """Whether a document is the Error of RFC 7644 section 3.12, under whatever status it comes."""
    schemas = document.get("schemas")
    return isinstance(schemas, list) and any(str(schema).casefold() == ERROR_SCHEMA for schema in schemas)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
