"""The sandbox's HTTP side: a threading server on 127.0.0.1 that keeps connections and notes each request."""

import json
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from threading import Lock, Thread
from typing import Any, NamedTuple, TextIO
from urllib.parse import parse_qsl, urlsplit

import scim2_server.cursor  # noqa: F401  (not there without its extra: found out here, not by the first request)
from scim2_models import (
    Bulk,
    ChangePassword,
    EnterpriseUser,
    ETag,
    Filter,
    Group,
    Pagination,
    Patch,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    User,
)
from scim2_server.applications.base import VERSION_PREFIX
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.service import ScimService
from scim2_server.testserver.application import BEARER_TOKEN_SCHEME, BearerTokenApplication

from reconciler.errors import SettingsError
from reconciler.sandbox.seed import Seed
from reconciler.sandbox.store import GROUPS, USERS, Store

HOST = "127.0.0.1"
PAGE_SIZE = 200
"""The most resources that one answer holds, whatever the client asks for."""

_WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Request(NamedTuple):
    """One request that was answered; `path` includes the query."""

    method: str
    path: str
    status: int

    @property
    def writes(self) -> bool:
        """Whether it is one that can change something (a search by POST, RFC 7644 section 3.4.3, is not)."""
        return self.method in {"POST", "PUT", "PATCH", "DELETE"} and not self.path.endswith("/.search")

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status}"


class Server(ThreadingMixIn, TCPServer):
    """A running sandbox: where it listens, what it was asked, what it holds."""

    allow_reuse_address = True
    request_queue_size = 512
    daemon_threads = False

    def __init__(self, seed: Seed, token: str, port: int, log: TextIO | None) -> None:
        self.token = token
        self.requests: list[Request] = []
        self.store = Store(seed)
        self.application = application(self.store, token)
        self._log = log
        self._noting = Lock()
        self._connections: set[socket.socket] = set()
        super().__init__((HOST, port), _Handler)

    @property
    def url(self) -> str:
        """The base URL of the SCIM endpoints."""
        return f"http://{HOST}:{self.server_address[1]}{VERSION_PREFIX}"

    def roles(self) -> dict[str, list[str]]:
        """The role values of everybody, sorted, by userName."""
        with self.store.lock:
            return {
                str(user.user_name): sorted(str(role.value) for role in user.roles or ())
                for user in self.store.users()
            }

    def members(self) -> dict[str, list[str]]:
        """The userNames of everybody in each group, sorted, by displayName."""
        with self.store.lock:
            names = {user.id: str(user.user_name) for user in self.store.users()}
            return {
                str(group.display_name): sorted(names[member.value] for member in group.members or ())
                for group in self.store.groups()
            }

    def note(self, request: Request) -> None:
        """Remember a request, and log it where there is a log."""
        with self._noting:
            self.requests.append(request)
            if self._log is not None:
                self._log.write(f"{request}\n")

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stop listening, hang up on everybody who kept a connection, and wait for their threads."""
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle of an answer is nothing to report."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def serving(seed: Seed, *, token: str | None, port: int, log: TextIO | None) -> Iterator[Server]:
    """Run a server in threads of this process; nothing of it is left when the block ends."""
    try:
        server = Server(seed, token or secrets.token_urlsafe(24), port, log)
    except OSError as error:
        raise SettingsError(
            f"the sandbox cannot listen on {HOST}:{port}: {error.strerror}",
            hint="choose another port with --port, or leave it out to have a free one chosen",
        ) from error
    with server:
        accepting = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        accepting.start()
        try:
            yield server
        finally:
            server.shutdown()
            accepting.join()


class _Handler(BaseHTTPRequestHandler):
    """One connection: hands each request to the SCIM application and sends its answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def _answer(self) -> None:
        if "Transfer-Encoding" in self.headers or not self._length().isdecimal():
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
            return
        response = self.server.application.serve(self._request())
        # Noted before it is sent: who has the answer finds the request noted.
        self.server.note(Request(self.command, self.path, response.status))
        self._send(response)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 (http.server's names)

    def _request(self) -> ScimRequest:
        url = urlsplit(self.path)
        return ScimRequest(
            method=self.command,
            base_url=self.server.url,
            path=self.server.application.split_path(url.path),
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers=self.headers.items(),
            body=self.rfile.read(int(self._length())),
        )

    def _length(self) -> str:
        return self.headers.get("Content-Length", "0")

    def _send(self, response: ScimResponse) -> None:
        body = b"" if response.body is None else json.dumps(response.body).encode()
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status not in _WITHOUT_BODY:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: requests are noted by `Server.note`."""


def application(store: Store, token: str) -> BearerTokenApplication:
    """The SCIM server itself, without sockets: requests in, responses out, `store` in between."""
    provider = ScimProvider(
        models=[User, EnterpriseUser, Group], resource_types=[USERS, GROUPS], config=_abilities()
    )
    service = ScimService(provider, secret=secrets.token_bytes(32))
    return BearerTokenApplication(store, provider, service, bearer_tokens=[token])


def _abilities() -> ServiceProviderConfig:
    """What the server says of itself (RFC 7643 section 5, RFC 9865 section 4)."""
    return ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=Filter(supported=True, max_results=PAGE_SIZE),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=True),
        etag=ETag(supported=True),
        pagination=Pagination(
            cursor=True,
            index=True,
            default_pagination_method=Pagination.DefaultPaginationMethod.index,
            default_page_size=100,
            max_page_size=PAGE_SIZE,
            cursor_timeout=600,
        ),
        authentication_schemes=[BEARER_TOKEN_SCHEME],
    )
