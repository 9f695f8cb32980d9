"""The client: statuses in words, repetition in time, redirects, bodies that are no answer."""

import httpx
import pytest
from scim.fake_server import BASE, JSON, SECRET, FakeServer, Fault, error_body, refusal, reset, user

from reconciler.errors import ExitCode, ReadError, ReconcilerError
from reconciler.http.limits import asked_wait
from reconciler.http.patience import Patience
from reconciler.http.transport import Transport
from reconciler.scim.client import Answer, AnswerError, Client, RefusedError, UncertainError, WritingClient

ADA = f"{BASE}/Users/u-ada"


def get_fails(server: FakeServer, path: str = "/Users/u-ada") -> ReconcilerError:
    with pytest.raises(ReadError) as caught:
        server.client().get(path)
    assert caught.value.exit_code is ExitCode.UNREADABLE
    assert server.writes == []
    return caught.value


def one(*faults: Fault) -> FakeServer:
    return FakeServer([user("ada")], faults=list(faults))


def patch(server: FakeServer) -> Answer:
    operation = {"op": "add", "path": "roles", "value": [{"value": "org-viewer"}]}
    return server.writing_client().patch("/Users/u-ada", {"Operations": [operation]}, 'W/"1"')


def test_what_only_reads_has_no_method_that_writes() -> None:
    assert {"patch", "put", "post"} & set(dir(Client)) == set()
    assert {"patch", "put", "post"} <= set(dir(WritingClient))


def test_a_request_says_who_asks_for_what_below_the_path_of_the_base_url() -> None:
    server = one()
    server.client().get("/Users/u-ada", [("attributes", "userName,roles")])

    [request] = server.requests
    assert str(request.url) == f"{ADA}?attributes=userName%2Croles"
    assert request.headers["accept"] == "application/scim+json"
    assert request.headers["user-agent"] == "reconciler"
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert "content-type" not in request.headers


def test_a_write_carries_its_media_type_and_the_version_that_was_seen() -> None:
    server = one()
    patch(server)

    [request] = server.requests
    assert request.headers["content-type"] == "application/scim+json"
    assert request.headers["if-match"] == 'W/"1"'


@pytest.mark.parametrize(
    ("status", "words", "hint"),
    [
        (401, "401 Unauthorized", "the token is wrong or has expired; check CIRCLECI_SCIM_TOKEN"),
        (403, "403 Forbidden", "the token lacks the right for this; SCIM wants a token of an administrator"),
        (404, "404 Not Found", "is the base URL right? It usually ends in /scim/v2"),
        (418, "418 I'm a Teapot", ""),
        (499, "499", ""),
    ],
)
def test_a_refusal_is_told_in_words_with_a_next_step(status: int, words: str, hint: str) -> None:
    error = get_fails(one(refusal("GET", status, detail="because")), "/Users")

    assert error.message == f"could not read {BASE}/Users: the server answered {words}: 'because'"
    assert error.hint == hint


HTML = "<!DOCTYPE html>\n<html><body>\x1b[31mPlease log in</body></html>"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (
            Fault(status=200, headers={"content-type": "text/html; charset=utf-8"}, body=HTML),
            "the server answered 200 OK with 60 bytes that are no JSON object (text/html; charset=utf-8), "
            "beginning '<!DOCTYPE html> <html><body>\\x1b[31mPlease log in</body></html>'",
        ),
        (
            Fault(status=200, headers=JSON, body='{"totalResults": 2, "Resour'),
            "the server answered 200 OK with 27 bytes that are no JSON object (application/scim+json), "
            'beginning \'{"totalResults": 2, "Resour\'',
        ),
        (
            Fault(status=200, headers=JSON, body="[1, 2]"),
            "the server answered 200 OK with 6 bytes that are no JSON object (application/scim+json), "
            "beginning '[1, 2]'",
        ),
        (
            Fault(status=200, headers=JSON, body="[" * 100_000),
            "the server answered 200 OK with 100000 bytes that are no JSON object (application/scim+json), "
            f"beginning '{'[' * 79}…'",
        ),
        (
            Fault(status=200, headers=JSON, body=b"\xff\xfe\xfa"),
            "the server answered 200 OK with 3 bytes that are no JSON object (application/scim+json), "
            "beginning '\ufffd\ufffd\ufffd'",
        ),
        (Fault(status=200), "the server answered 200 OK with nothing in it (no content type)"),
        (
            Fault(status=200, headers=JSON, body=error_body(500, detail="database is down")),
            "the server answered 200 OK with an error in it: 'database is down'",
        ),
        (
            Fault(status=400, headers=JSON, body=error_body(400, "invalidFilter", "x" * 300)),
            f"the server answered 400 Bad Request (invalidFilter): '{'x' * 199}…'",
        ),
        (Fault(status=400, body="<html>"), "the server answered 400 Bad Request"),
    ],
    ids=[
        "html",
        "half json",
        "a list",
        "nested",
        "no utf-8",
        "empty",
        "error under 200",
        "long",
        "html error",
    ],
)
def test_an_answer_that_is_none_is_told_by_what_was_seen(fault: Fault, reason: str) -> None:
    assert get_fails(one(fault)).message == f"could not read {ADA}: {reason}"


def test_an_answer_without_end_is_cut_off() -> None:
    server = one(Fault(status=200, headers=JSON, body="x" * 1001))
    patience = server.time.patience()
    inner = httpx.MockTransport(server.answer)
    transport = Transport(BASE, "", {}, patience.clock, inner, largest_body=1000)

    with pytest.raises(ReadError) as caught:
        Client(server.connection(), transport, patience).get("/Users/u-ada")

    assert caught.value.message == f"could not read {ADA}: the answer is larger than 1000 bytes"
    assert len(server.requests) == 1


# -- repetition ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_reading_is_repeated_after_growing_waits(status: int) -> None:
    server = one(*[Fault(status=status)] * 3)

    assert server.client().get("/Users/u-ada").document["id"] == "u-ada"
    assert server.time.slept == [0.5, 1.0, 2.0]


def test_waits_are_spread_by_chance() -> None:
    server = one(*[Fault(status=502)] * 2)
    server.client(random=lambda: 0.25).get("/Users/u-ada")

    assert server.time.slept == [0.125, 0.25]


@pytest.mark.parametrize(
    "broken",
    [
        httpx.ReadTimeout,
        httpx.ConnectTimeout,
        httpx.ConnectError,
        httpx.ReadError,
        httpx.RemoteProtocolError,
        httpx.WriteError,
        httpx.PoolTimeout,
        httpx.DecodingError,
    ],
)
def test_a_reading_survives_a_broken_connection(broken: type[httpx.RequestError]) -> None:
    server = one(Fault(breaks=lambda request: broken("broke", request=request)))

    assert server.client().get("/Users/u-ada").document["id"] == "u-ada"


def test_repetition_ends_after_a_few_tries() -> None:
    server = one(*[Fault(status=502)] * 9)

    error = get_fails(server)

    assert error.message == f"could not read {ADA}: the server answered 502 Bad Gateway"
    assert server.time.slept == [0.5, 1.0, 2.0, 4.0]


def test_a_server_that_cannot_be_reached_is_an_error_with_its_cause() -> None:
    def breaks(request: httpx.Request) -> Exception:
        return httpx.ConnectError("[Errno -2] Name or service not known", request=request)

    error = get_fails(one(*[Fault(breaks=breaks)] * 9))

    assert error.message == f"could not read {ADA}: no connection: [Errno -2] Name or service not known"
    assert isinstance(error.__cause__, httpx.ConnectError)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.5),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:09 GMT"}, 9.0),
        ({"retry-after": "Fri, 20 Nov 2026 09:00:09 GMT", "date": "Fri, 20 Nov 2026 09:00:00 GMT"}, 9.0),
        ({"retry-after": "Fri, 20 Nov 2026 08:00:00 GMT"}, 0.5),
        ({"retry-after": "soon"}, 0.5),
        ({}, 0.5),
    ],
    ids=["seconds", "zero", "date", "date of a server that is slow", "past date", "nonsense", "absent"],
)
def test_a_server_that_is_busy_is_asked_again_when_it_says(
    status: int, headers: dict[str, str], seconds: float
) -> None:
    server = one(Fault(status=status, headers=headers))

    assert server.client().get("/Users/u-ada").document["id"] == "u-ada"
    assert server.time.slept == [seconds]


@pytest.mark.parametrize("kind", ["reading", "writing"])
def test_a_wait_beyond_the_budget_fails_at_once_in_words(kind: str) -> None:
    server = one(Fault(status=429, headers={"retry-after": "3600"}))

    with pytest.raises(ReconcilerError) as caught:
        server.client().get("/Users/u-ada") if kind == "reading" else patch(server)

    assert caught.value.message.endswith(
        "the server answered 429 Too Many Requests; "
        "waiting another 3600 s would exceed the 120 s a request may take"
    )
    assert server.time.slept == []


def test_a_server_that_is_always_busy_is_given_up_within_the_budget() -> None:
    server = one(*[Fault(status=429, headers={"retry-after": "30"})] * 99)

    get_fails(server)

    assert sum(server.time.slept) <= 120


@pytest.mark.parametrize(
    ("fault", "sent_again"),
    [
        (Fault(status=429, headers={"retry-after": "1"}), True),
        (Fault(status=429), True),
        (Fault(status=503, headers={"retry-after": "1"}), True),
        (Fault(breaks=lambda request: httpx.ConnectError("refused", request=request)), True),
        (Fault(status=503), False),
        (Fault(status=503, headers={"ratelimit-remaining": "0", "ratelimit-reset": "1"}), False),
        (Fault(status=500), False),
        (Fault(status=502), False),
        (Fault(status=504), False),
        (Fault(status=408), False),
        (reset(), False),
        (reset(after_effect=True), False),
        (Fault(breaks=lambda request: httpx.ReadTimeout("slow", request=request)), False),
        (Fault(status=200, body="<html>"), False),
        (Fault(status=200, body=error_body(500)), False),
    ],
)
def test_a_write_is_repeated_only_where_it_certainly_did_not_happen(fault: Fault, sent_again: bool) -> None:
    server = one(fault)

    if sent_again:
        patch(server)
        assert len(server.requests) == 2
    else:
        with pytest.raises(UncertainError):
            patch(server)
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 413, 501, 307])
def test_a_write_that_is_refused_is_said_to_be(status: int) -> None:
    with pytest.raises(RefusedError) as caught:
        patch(one(refusal("PATCH", status, "invalidValue", "no such role")))

    assert (caught.value.status, caught.value.scim_type) == (status, "invalidValue")
    assert caught.value.reason.endswith("(invalidValue): 'no such role'")


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_write_may_be_answered_without_a_body(status: int) -> None:
    assert patch(one(Fault(status=status, headers={"etag": 'W/"2"'}))) == Answer({}, 'W/"2"')


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        ("  5 ", 5.0),
        ("-5", None),
        ("5.5", None),
        ("٥", None),
        ("", None),
        ("9" * 40, 999999999.0),
    ],
)
def test_only_whole_seconds_and_dates_are_waits(text: str, seconds: float | None) -> None:
    assert asked_wait({"retry-after": text}, Patience().now()) == seconds


# -- redirects -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize(
    "location", ["/scim/v2/Users/u-ada", f"{BASE}/Users/u-ada", "https://SCIM.test:443/scim/v2/Users/u-ada"]
)
def test_a_redirect_within_the_origin_is_followed(status: int, location: str) -> None:
    server = one(Fault(status=status, headers={"location": location}))

    assert server.client().get("/Users/u-old").document["id"] == "u-ada"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("https://login.evil.test/?token=abc", "login.evil.test"),
        ("//login.evil.test/x", "login.evil.test"),
        ("http://scim.test/scim/v2/Users/u-ada", "scim.test"),
        ("https://scim.test:8443/scim/v2/Users/u-ada", "scim.test"),
        ("https://[nonsense", "a place that it does not name"),
        ("", "a place that it does not name"),
    ],
)
def test_a_redirect_to_anywhere_else_is_an_error_and_the_token_stays(
    status: int, location: str, place: str
) -> None:
    server = one(Fault(status=status, headers={"location": location}))

    error = get_fails(server)

    assert (
        error.message == f"could not read {ADA}: the server redirects to {place}, where the token must not go"
    )
    assert [str(request.url) for request in server.requests] == [ADA]


def test_a_redirect_that_scim_does_not_know_is_an_error() -> None:
    error = get_fails(one(Fault(status=302, headers={"location": "/login"})))

    assert error.message == (
        f"could not read {ADA}: the server redirects with 302 Found, which SCIM does not know"
    )


def test_redirects_that_never_end_are_an_error() -> None:
    server = one(*[Fault(status=307, headers={"location": "/scim/v2/Users/u-ada"})] * 9)

    assert get_fails(server).message == f"could not read {ADA}: the server redirected 4 times"
    assert len(server.requests) == 4


def test_a_write_follows_no_redirect() -> None:
    server = one(Fault(status=308, headers={"location": "/scim/v2/Users/u-ada"}))

    with pytest.raises(RefusedError):
        patch(server)

    assert len(server.requests) == 1


def test_the_status_and_type_of_a_refusal_are_kept_for_who_asked() -> None:
    with pytest.raises(AnswerError) as caught:
        one(refusal("GET", 400, "expiredCursor")).client().get("/Users")

    assert (caught.value.status, caught.value.scim_type) == (400, "expiredCursor")
