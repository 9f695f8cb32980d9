"""The client against real sockets that break in the middle of an answer."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import httpx
import pytest
from scim.fake_server import SECRET, Time

from reconciler.errors import ReadError
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
