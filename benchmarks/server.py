"""A SCIM server that costs next to nothing: `python -m benchmarks.server --people 100000 --groups 2000`.

It answers what a client of SCIM asks for from pages that lie ready, as slowly and as unwillingly as it is
told, and counts what it is asked. It writes its base URL as the first line of its output, and ends when its
input does, as it does with the process that started it. It is no reference for SCIM and checks no token.

Beside the SCIM endpoints there is `GET /counts`, and `PUT /settings`, whose JSON has the fields of `Settings`
(those that lack have their defaults) and puts everything back to the beginning: people, counts, and limits.
"""

import argparse
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any
from urllib.parse import parse_qsl, unquote

from benchmarks.world import Entries, World, group_id, number_of, user_id

BASE = "/scim/v2"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests"}
SMALL = 16_384
"""Up to how many bytes an answer is sent in one piece."""

_ROLE_FILTER = re.compile(r'roles\[value eq "(.*)"\]', re.IGNORECASE)
_FILTER = re.compile(r'(\w+) eq "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server behaves."""

    latency: float = 0.0
    """Seconds that each request takes."""
    page: int = 1000
    """The largest page, which is announced."""
    rate: float = 0.0
    """Requests a second, of which more are refused; 0: any number."""
    burst: float = 10.0
    """How many requests at most may come at once after a while of silence, where there is a rate."""
    retry_after: bool = True
    """Whether a refusal says when to come again."""
    at_once: int = 0
    """How many requests may be under way, of which more are refused; 0: any number."""
    differing: int = 0
    """How many people have other roles than the policy gives them."""


@dataclass(slots=True)
class Counts:
    """What was asked since the settings were made."""

    requests: int = 0
    """All of them, refused ones too."""
    writes: int = 0
    """Those that were let through to change something, be it that they did or not."""
    refused: int = 0
    """429s."""
    lists: int = 0
    """Pages of users and groups."""
    most_at_once: int = 0


class Resources:
    """Resources that lie ready as one run of bytes, of which any page is a slice, and those that changed."""

    def __init__(self, resources: Sequence[bytes]) -> None:
        self.number = len(resources)
        self._ends = list(accumulate(len(one) + 1 for one in resources))
        self._all = memoryview(b",".join(resources))
        self._changed: dict[int, bytes] = {}

    def put(self, number: int, resource: bytes) -> None:
        self._changed[number] = resource

    def reset(self) -> None:
        self._changed = {}

    def one(self, number: int) -> bytes:
        return self._changed.get(number) or bytes(self._piece(number, number + 1))

    def page(self, first: int, end: int) -> Sequence[bytes | memoryview]:
        """The resources of a page, with commas between them, in pieces."""
        changed = sorted(n for n in range(first, end) if n in self._changed) if self._changed else ()
        pieces: list[bytes | memoryview] = []
        for number in changed:
            pieces += [self._piece(first, number), b","] if number > first else []
            pieces += [self._changed[number], b","]
            first = number + 1
        if first < end:
            return [*pieces, self._piece(first, end)]
        return pieces[:-1]

    def _piece(self, first: int, end: int) -> memoryview:
        return self._all[self._ends[first - 1] if first else 0 : self._ends[end - 1] - 1]


class Bucket:
    """Lets `rate` a second through and, after a while of silence, `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, time.monotonic()

    def take(self) -> bool:
        if not self._rate:
            return True
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and a body in pieces."""

    status: int
    body: Sequence[bytes | memoryview] = ()
    headers: bytes = b""


class Service:
    """What the server knows and how it answers. Safe to use from several threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = {"/Users": user_id, "/Groups": group_id}
        self._resources = {
            "/Users": Resources([world.user(n, world.roles(n)) for n in range(world.people)]),
            "/Groups": Resources([world.group(n) for n in range(world.groups)]),
        }
        self._lock = threading.Lock()
        self.behave(Settings())

    def behave(self, settings: Settings) -> None:
        """Behave so, and begin anew."""
        with self._lock:
            self._settings, self._counts, self._under_way = settings, Counts(), 0
            self._bucket = Bucket(settings.rate, settings.burst)
            self._roles: dict[int, Entries] = {}
            self._resources["/Users"].reset()
            for person, roles in self._world.differing(settings.differing).items():
                self._put(person, roles)

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """The answer to any request, in its time."""
        if target == "/counts":
            return _json(asdict(self._counts))
        if target == "/settings":
            self.behave(Settings(**json.loads(body)))
            return Answer(204)
        if not self._begin():
            return Answer(429, headers=b"Retry-After: 1\r\n" if self._settings.retry_after else b"")
        try:
            if self._settings.latency:
                time.sleep(self._settings.latency)
            return self._scim(method, target, body)
        finally:
            self._end()

    def _begin(self) -> bool:
        """Whether a request may be under way; it is, then."""
        with self._lock:
            counts, limit = self._counts, self._settings.at_once
            counts.requests += 1
            if (limit and self._under_way >= limit) or not self._bucket.take():
                counts.refused += 1
                return False
            self._under_way += 1
            counts.most_at_once = max(counts.most_at_once, self._under_way)
            return True

    def _end(self) -> None:
        with self._lock:
            self._under_way -= 1

    def _scim(self, method: str, target: str, body: bytes) -> Answer:
        path, _, query = target.partition("?")
        place = path.removeprefix(BASE)
        kind, _, id_ = place[1:].partition("/")
        if method == "GET" and place in self._resources:
            return self._list(place, dict(parse_qsl(query)))
        if method == "GET" and place == "/ServiceProviderConfig":
            return _json(_config(self._settings.page))
        number = self._known(f"/{kind}", unquote(id_))
        if number is None or method not in ("GET", "PATCH"):
            return _error(404, "there is no such thing")
        if method == "GET":
            return Answer(200, (self._resources[f"/{kind}"].one(number),))
        return self._patch(number, json.loads(body)) if kind == "Users" else _error(400, "of users alone")

    def _known(self, kind: str, id_: str) -> int | None:
        number = number_of(id_) if kind in self._resources else None
        if number is None or number >= self._resources[kind].number or self._ids[kind](number) != id_:
            return None
        return number

    def _list(self, kind: str, query: dict[str, str]) -> Answer:
        resources = self._resources[kind]
        self._counts.lists += 1
        if "filter" in query:
            return self._found(kind, query["filter"])
        first = max(1, int(query.get("startIndex", "1"))) - 1
        count = min(self._settings.page, max(0, int(query.get("count", self._settings.page))))
        end = min(first + count, resources.number)
        return _page(resources.number, first, max(0, end - first), resources.page(first, end))

    def _found(self, kind: str, words: str) -> Answer:
        """Equality alone, one or several joined by `or`; slow."""
        wanted = {(name.casefold(), json.loads(f'"{value}"')) for name, value in _FILTER.findall(words)}
        found = []
        for resource in self._candidates(kind, wanted):
            document = {name.casefold(): value for name, value in json.loads(resource).items()}
            if any(document.get(name) == value for name, value in wanted):
                found.append(resource)
        return _page(len(found), 0, len(found), (b",".join(found),))

    def _candidates(self, kind: str, wanted: set[tuple[str, str]]) -> Sequence[bytes]:
        resources = self._resources[kind]
        if all(name == "id" for name, _ in wanted):
            numbers = [self._known(kind, value) for _, value in wanted]
            return [resources.one(number) for number in sorted(n for n in numbers if n is not None)]
        return [resources.one(number) for number in range(resources.number)]

    def _patch(self, person: int, document: Any) -> Answer:
        with self._lock:
            self._counts.writes += 1
            roles = self._roles.get(person, self._world.roles(person))
            for operation in document["Operations"]:
                changed = _operated(roles, operation)
                if changed is None:
                    return _error(400, "this server knows roles alone", "invalidPath")
                roles = changed
            self._put(person, roles)
        return Answer(204)

    def _put(self, person: int, roles: Entries) -> None:
        self._roles[person] = roles
        self._resources["/Users"].put(person, self._world.user(person, roles))


def _operated(roles: Entries, operation: Any) -> Entries | None:
    """The roles after an operation (RFC 7644 section 3.5.2); None where it can't be understood."""
    path, value = str(operation.get("path", "")), operation.get("value")
    filtered = _ROLE_FILTER.fullmatch(path)
    match str(operation.get("op")).lower(), path.lower():
        case "add", "roles":
            return [*roles, *(one for one in value if one not in roles)]
        case "replace", "roles":
            return list(value)
        case "remove", _ if filtered:
            raw = json.loads(f'"{filtered[1]}"')
            return [one for one in roles if one["value"] != raw]
    return None


def _config(page: int) -> dict[str, object]:
    """The ServiceProviderConfig (RFC 7643 section 5, RFC 9865 section 4)."""
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": page},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": False},
        "pagination": {"cursor": False, "index": True, "maxPageSize": page},
        "authenticationSchemes": [{"type": "oauthbearertoken", "name": "token", "description": "any"}],
    }


def _json(document: object) -> Answer:
    return Answer(200, (json.dumps(document).encode(),))


def _error(status: int, detail: str, scim_type: str = "") -> Answer:
    document = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": str(status)}
    more = {"detail": detail, **({"scimType": scim_type} if scim_type else {})}
    return Answer(status, (json.dumps(document | more).encode(),))


def _page(total: int, first: int, number: int, resources: Sequence[bytes | memoryview]) -> Answer:
    begin = (
        f'{{"schemas":["{LIST}"],"totalResults":{total},"startIndex":{first + 1},'
        f'"itemsPerPage":{number},"Resources":['
    )
    return Answer(200, (begin.encode(), *resources, b"]}"))


def _serve(connection: socket.socket, service: Service) -> None:
    """Answer the requests of one connection, one after the other, until it ends."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    received = b""
    while True:
        while (end := received.find(b"\r\n\r\n")) < 0:
            more = connection.recv(65_536)
            if not more:
                return
            received += more
        head, received = received[:end], received[end + 4 :]
        length = _length(head)
        while len(received) < length:
            more = connection.recv(65_536)
            if not more:
                return
            received += more
        body, received = received[:length], received[length:]
        method, target, _ = head[: head.index(b"\r\n")].decode("latin-1").split(" ", 2)
        _send(connection, service.answer(method, target, body))


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    return 0 if at < 0 else int(lower[at + 17 :].split(b"\r\n", 1)[0])


def _send(connection: socket.socket, answer: Answer) -> None:
    length = sum(map(len, answer.body))
    content = b"" if answer.status == 204 else f"Content-Length: {length}\r\n".encode()
    status = f"HTTP/1.1 {answer.status} {REASONS[answer.status]}\r\nContent-Type: application/scim+json\r\n"
    head = status.encode() + content + answer.headers + b"\r\n"
    if length <= SMALL or len(answer.body) > 8:
        connection.sendall(b"".join((head, *answer.body)))
        return
    connection.sendall(head + answer.body[0])
    for piece in answer.body[1:]:
        connection.sendall(piece)


def _converse(connection: socket.socket, service: Service) -> None:
    """Serve a connection until its client goes away, in whatever manner."""
    with suppress(ConnectionError, TimeoutError), connection:
        _serve(connection, service)


def _accept(listener: socket.socket, service: Service) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_converse, args=(connection, service), daemon=True).start()


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--groups", type=int, default=2_000)
    parser.add_argument("--port", type=int, default=0)
    for name, value in asdict(Settings()).items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=value)
        else:
            parser.add_argument(option, type=type(value), default=value)
    given = vars(parser.parse_args())
    listener = socket.create_server(("127.0.0.1", given["port"]), backlog=256)
    service = Service(World(given["people"], given["groups"]))
    service.behave(Settings(**{name: given[name] for name in asdict(Settings())}))
    threading.Thread(target=_accept, args=(listener, service), daemon=True).start()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}{BASE}", flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # the threads that serve have nothing to lose


if __name__ == "__main__":
    main()
