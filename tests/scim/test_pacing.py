"""A client whose server limits requests: who waits for what, whose time it costs, and how waits end."""

import re
from threading import Barrier, Lock

import httpx
import pytest
from scim.fake_server import BASE, SECRET, FakeServer, Fault, Time, crowd, refusal, user

from reconciler.errors import ReadError
from reconciler.http.abreast import abreast
from reconciler.http.patience import Patience
from reconciler.scim.client import RefusedError, open_client, open_writing_client
from reconciler.settings import Connection, Token

SECONDS = 10.0
"""Nobody waits so long for others unless they never come."""


def busy(seconds: int, at: int | None = None) -> Fault:
    return Fault(status=429, headers={"retry-after": str(seconds)}, at=at)


def test_who_was_refused_makes_the_others_wait() -> None:
    server = FakeServer([user("ada")], faults=[busy(3600)])
    client = server.client()
    with pytest.raises(ReadError):
        client.get("/Users/u-ada")

    with pytest.raises(ReadError) as caught:
        client.get("/Users/u-ada")

    assert caught.value.message == (
        f"could not read {BASE}/Users/u-ada: it was not sent: waiting another 3600 s would exceed the 120 s "
        "a request may take"
    )
    assert len(server.requests) == 1
    server.time.sleep(3600)
    assert client.get("/Users/u-ada").document["id"] == "u-ada"


def test_a_write_that_was_never_sent_has_certainly_not_happened() -> None:
    server = FakeServer([user("ada")], faults=[busy(3600)])
    client = server.writing_client()
    for _ in range(2):
        with pytest.raises(RefusedError):
            client.patch("/Users/u-ada", {"Operations": []})

    assert len(server.requests) == 1


def test_waiting_for_what_the_server_says_it_will_take_costs_a_request_none_of_its_time() -> None:
    """100 s until the quota is renewed and 100 s after a refusal are more than the 120 s of one request."""
    told = {"x-ratelimit-limit": "600", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "100"}
    answer = Fault(status=200, headers=told, body='{"id": "u-ada"}')
    server = FakeServer([user("ada")], faults=[answer, busy(100)])
    client = server.client()
    client.get("/Users/u-ada")

    assert client.get("/Users/u-ada").document["id"] == "u-ada"
    assert server.time.slept == [100.0, 100.0]


def test_a_quota_that_is_renewed_tomorrow_is_not_waited_for() -> None:
    told = {"ratelimit-remaining": "0", "ratelimit-reset": "86400"}
    server = FakeServer([user("ada")], faults=[Fault(status=200, headers=told, body="{}")])
    client = server.client()
    client.get("/Users/u-ada")

    assert client.get("/Users/u-ada").document["id"] == "u-ada"
    assert server.time.slept == []


@pytest.mark.parametrize("kind", ["reading", "writing"])
def test_a_server_that_takes_nothing_is_given_up_and_said_to_be_busy(kind: str) -> None:
    server = FakeServer([user("ada")], faults=[refusal("", 429)] * 99)
    client = server.writing_client()
    with pytest.raises((ReadError, RefusedError)) as caught:
        client.get("/Users/u-ada") if kind == "reading" else client.patch("/Users/u-ada", {})

    assert "the server answered 429 Too Many Requests" in caught.value.message
    assert server.time.passed <= 120


def test_refusals_while_others_are_let_through_use_up_no_tries() -> None:
    """More of them in a row than a request has tries."""
    time, tried = Time(), 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal tried
        if request.url.path.endswith("/Groups"):
            return httpx.Response(200, json={})
        tried += 1
        if tried > 8:
            return httpx.Response(200, json={"id": "u-ada"})
        time.passed += 0.01
        other.get("/Groups")  # somebody is let through while this one is refused
        return httpx.Response(429)

    transport = httpx.MockTransport(answer)
    other = open_client(Connection(BASE, Token(SECRET)), transport=transport, patience=time.patience())

    assert other.get("/Users/u-ada").document["id"] == "u-ada"
    assert tried == 9


def test_whoever_waits_stops_when_nobody_wants_the_result() -> None:
    """A minute would pass otherwise: this waits by the real clock."""
    refused = Barrier(2, timeout=SECONDS)
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path.rpartition("/")[2])
        refused.wait()
        fails = asked[-1] == "none" or request.url.path.endswith("none")
        return httpx.Response(404 if fails else 429, headers={"retry-after": "60"})

    transport = httpx.MockTransport(answer)
    client = open_client(Connection(BASE, Token(SECRET)), transport=transport, patience=Patience())
    with pytest.raises(ReadError, match="404"):
        list(abreast(client.get, ["/none", "/busy"], 2))

    assert sorted(asked) == ["busy", "none"]


def test_no_write_is_lost_or_done_twice_where_few_are_taken_at_once() -> None:
    """With real threads, and waits by a clock that only waiting moves."""
    lock, inside, most, done, time = Lock(), 0, 0, list[str](), Time()

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal inside, most
        with lock:
            if inside == 2:
                return httpx.Response(429)
            inside += 1
            most = max(most, inside)
        done.append(request.url.path)
        with lock:
            inside -= 1
        return httpx.Response(204)

    connection = Connection(BASE, Token(SECRET), at_once=16)
    patience = time.patience()
    client = open_writing_client(connection, transport=httpx.MockTransport(answer), patience=patience)
    paths = [f"/Users/{person['id']}" for person in crowd(200)]
    list(abreast(lambda path: client.patch(path, {}), paths, client.at_once))

    assert sorted(done) == [f"/scim/v2{path}" for path in paths]
    assert most <= 2


def test_what_the_pace_does_is_told_to_who_debugs(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeServer(crowd(40), faults=[busy(1, at=30)])
    client = server.client()
    with caplog.at_level("DEBUG", logger="reconciler.http.sender"):
        for number in range(35):
            server.time.passed += 0.01
            client.get(f"/Users/u-p{number:03}")

    [told] = [record.getMessage() for record in caplog.records if "limits" in record.getMessage()]
    assert re.fullmatch(rf"{BASE} limits requests: \d+\.\d a second from now on", told)
