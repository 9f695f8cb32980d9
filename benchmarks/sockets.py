"""As little as it takes to speak HTTP over several connections: for floors; no client to live with."""

import socket
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

CONNECTIONS = 8


class Connection:
    """One connection to a server that announces the length of each answer and keeps the connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._base, self._host = parts.path, parts.netloc
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, method: str, path: str, content: bytes = b"") -> bytearray:
        """The body of the answer to one request. Raises OSError for anything but a success."""
        length = f"Content-Length: {len(content)}\r\n" if content else ""
        head = f"{method} {self._base}{path} HTTP/1.1\r\nHost: {self._host}\r\n{length}\r\n"
        self._socket.sendall(head.encode() + content)
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            more = self._socket.recv(65_536)
            if not more:
                raise ConnectionError("the server closed the connection")
            received += more
        if not received.startswith(b"HTTP/1.1 2"):
            raise ConnectionError(received[:end].decode("latin-1"))
        return self._body(received, end)

    def _body(self, received: bytearray, end: int) -> bytearray:
        at = received.find(b"Content-Length: ", 0, end)
        length = int(received[at + 16 : received.index(b"\r\n", at)]) if at >= 0 else 0
        body = bytearray(length)
        come = len(received) - end - 4
        body[:come] = memoryview(received)[end + 4 :]
        while come < length:
            more = self._socket.recv_into(memoryview(body)[come:])
            if not more:
                raise ConnectionError("the server closed the connection")
            come += more
        return body


def abreast(
    url: str, requests: Iterable[tuple[str, str, bytes]], use: Callable[[bytearray], object] = len
) -> None:
    """Send requests (method, path, content) over all connections at once, and use each answer as it comes."""
    lock, waiting = threading.Lock(), iter(requests)
    faults: list[OSError] = []

    def work() -> None:
        try:
            with Connection(url) as connection:
                while True:
                    with lock:
                        request = next(waiting, None)
                    if request is None or faults:
                        return
                    use(connection.send(*request))
        except OSError as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
