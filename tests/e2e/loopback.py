"""Puts a fake SCIM server behind a real socket, so that the whole program can be run against it."""

import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Protocol

import httpx
from scim.fake_server import SECRET

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes closing a socket a reset instead of an orderly end."""


class Answers(Protocol):
    """Whatever answers a request; raising an httpx error breaks the connection instead."""

    def answer(self, request: httpx.Request) -> httpx.Response: ...


@contextmanager
def serving(server: Answers, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The base URL under which a server answers until the block ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(server)) as listener:
        if tls is not None:
            listener.socket = tls.wrap_socket(listener.socket, server_side=True)
        accepting = Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        accepting.start()
        try:
            yield f"http{'s' if tls else ''}://127.0.0.1:{listener.server_address[1]}/scim/v2"
        finally:
            listener.shutdown()
            accepting.join()


def environment(url: str, token: str = SECRET) -> Mapping[str, str]:
    return {"CIRCLECI_SCIM_URL": url, "CIRCLECI_SCIM_TOKEN": token}


def _handler(server: Answers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1
        timeout = 30

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            url = f"http://{self.headers['Host']}{self.path}"
            request = httpx.Request(self.command, url, headers=dict(self.headers), content=body)
            try:
                response = server.answer(request)
            except httpx.TransportError:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                self.connection.close()
                self.close_connection = True
                return
            self._send(response)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 (http.server's names)

        def _send(self, response: httpx.Response) -> None:
            self.send_response_only(response.status_code)  # no date but the server's own
            for name, value in response.headers.multi_items():
                if name not in ("content-length", "transfer-encoding"):
                    self.send_header(name, value)
            if response.status_code != 204:
                self.send_header("Content-Length", str(len(response.content)))
            self.end_headers()
            cut = len(response.content) // 2 if response.extensions.get("cut") else None
            self.wfile.write(response.content[:cut])
            self.close_connection = self.close_connection or cut is not None

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the fake remembers what it was asked."""

    return Handler
