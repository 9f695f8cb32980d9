"""The client against real sockets that break in the middle of an answer."""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import httpx
import pytest
from scim.fake_server import SECRET, Time

from reconciler.errors import ReadError, SettingsError
from reconciler.scim.client import UncertainError, open_client, open_writing_client
from reconciler.settings import Connection, Token

HALF = b'HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{"totalResults": 2,'
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
RESET = b""


@contextmanager
def breaking_server(answer: bytes) -> Iterator[tuple[Connection, list[bytes]]]:
    """Answers every request with these bytes and resets the connection."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=_serve, args=(listener, answer, heard))
        thread.start()
        port = listener.getsockname()[1]
        yield Connection(f"http://127.0.0.1:{port}/scim/v2", Token(SECRET)), heard
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(listener: socket.socket, answer: bytes, heard: list[bytes]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            heard.append(connection.recv(65536))
            connection.sendall(answer)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", not answer, 0))


@pytest.mark.parametrize("answer", [HALF, RESET], ids=["half a body", "reset"])
def test_a_reading_that_breaks_off_is_repeated_and_then_an_error(answer: bytes) -> None:
    with (
        breaking_server(answer) as (connection, heard),
        open_client(connection, patience=Time().patience()) as client,
        pytest.raises(ReadError) as caught,
    ):
        client.get("/Users")

    assert len(heard) == 5
    assert caught.value.message.startswith(
        f"could not read {connection.url}/Users: the connection broke before the answer was whole: "
    )


@pytest.mark.parametrize("answer", [HALF, RESET], ids=["half a body", "reset"])
def test_a_write_that_breaks_off_is_sent_once_and_uncertain(answer: bytes) -> None:
    patience = Time().patience()
    with (
        breaking_server(answer) as (connection, heard),
        open_writing_client(connection, patience=patience) as client,
        pytest.raises(UncertainError),
    ):
        client.patch("/Users/u", {"Operations": []})

    assert len(heard) == 1


def test_an_answer_that_only_drips_is_given_up_when_time_is_up() -> None:
    time = Time()

    class Dripping(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                time.passed += 29
                yield b"x"

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Dripping()))
    connection = Connection("https://scim.test/scim/v2", Token(SECRET))

    with (
        open_client(connection, transport=transport, patience=time.patience()) as client,
        pytest.raises(ReadError) as caught,
    ):
        client.get("/Users")

    assert caught.value.message == (
        "could not read https://scim.test/scim/v2/Users: the answer did not arrive whole in the time allowed"
    )


def test_a_proxy_of_the_environment_never_sees_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    with breaking_server(WHOLE) as (connection, heard), open_client(connection) as client:
        assert client.get("/Users").document == {}

    assert len(heard) == 1


REFUSED = f"[Errno {errno.ECONNREFUSED}] {os.strerror(errno.ECONNREFUSED)}"


def reading_fails(url: str) -> tuple[str, list[float]]:
    """What is said of a server, and how long was waited meanwhile."""
    time = Time()
    with (
        open_client(Connection(url, Token(SECRET)), patience=time.patience()) as client,
        pytest.raises(ReadError) as caught,
    ):
        client.get("/Users")
    return caught.value.message.replace(url, "SERVER"), time.slept


def test_a_port_where_nobody_ever_listened_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    assert reading_fails(url) == (f"could not read SERVER/Users: no connection: {REFUSED}", [])


def test_a_server_that_was_there_is_waited_for() -> None:
    time = Time()
    with breaking_server(WHOLE) as (connection, _):
        client = open_client(connection, patience=time.patience())
        client.get("/Users")

    with client, pytest.raises(ReadError):
        client.get("/Users")

    assert time.slept == [0.5, 1.0, 2.0, 4.0]


def test_a_server_without_tls_is_told_at_once() -> None:
    with breaking_server(WHOLE) as (connection, _):
        message, slept = reading_fails(connection.url.replace("http://", "https://"))

    assert message.startswith("could not read SERVER/Users: no connection: [SSL")
    assert slept == []


def test_a_proxy_is_asked_for_a_tunnel_and_told_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    with breaking_server(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as (proxy, heard):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("http://", "http://me:word@"))
        message, _ = reading_fails("https://scim.test")

    assert message == "could not read SERVER/Users: no connection: 403 Forbidden"
    assert {told.split(b"\r\n")[0] for told in heard} == {b"CONNECT scim.test:443 HTTP/1.1"}
    assert SECRET.encode() not in b"".join(heard)


@pytest.mark.parametrize(
    "proxy",
    ["ftp://me:word@proxy.test", "socks5://me:word@proxy.test", "http://me:word@proxy.test:x"],
    ids=["unknown kind", "without its library", "no port"],
)
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", proxy)

    with pytest.raises(SettingsError) as caught:
        open_client(Connection("https://scim.test", Token(SECRET)))

    assert (caught.value.message, caught.value.hint) == (
        "the environment names a proxy that can't be used",
        "HTTPS_PROXY and ALL_PROXY hold a URL such as http://proxy.example.com:3128, NO_PROXY hosts",
    )
    assert caught.value.__suppress_context__
