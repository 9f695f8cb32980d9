"""Whose token it is: what a server says of `/Me`, and what it means when it says nothing."""

import json
from typing import Any

import pytest
from scim.fake_server import JSON, SECRET, FakeServer, Fault, error_body, reset, user
from scim.worlds import organization, role_names

from reconciler.errors import ReadError
from reconciler.scim.provider import ScimReader


def told(*faults: Fault) -> str | None:
    """What a provider makes of these answers to `/Me`."""
    server = FakeServer([user("ada")], faults=list(faults))
    with server.client(tries=1) as client:
        answer = ScimReader(client, role_names(), organization()).token_user()
    assert server.reads[0] == "/Me"
    assert not server.writes
    return answer


def says(body: Any, status: int = 200) -> Fault:
    return Fault("GET", status, JSON, body if isinstance(body, str) else json.dumps(body), path="/Me")


def test_the_user_is_told_by_id() -> None:
    assert told(says(user("ada"))) == "u-ada"


def test_the_user_may_be_told_by_a_redirect_to_their_own_place() -> None:
    assert told(Fault("GET", 308, {"location": "/scim/v2/Users/u-ada"}, path="/Me")) == "u-ada"


def test_attributes_compare_without_case() -> None:
    assert told(says({"ID": "u-ada", "username": "ada@acme.example"})) == "u-ada"


@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
def test_a_server_that_knows_no_me_knows_no_user(status: int) -> None:
    assert told(says(error_body(status, detail="/Me is not supported"), status)) is None


@pytest.mark.parametrize(
    "document",
    [{}, {"id": "c-1", "displayName": "a client"}, {"Resources": [user("ada")], "totalResults": 1}],
    ids=["nothing", "something else", "a list"],
)
def test_an_answer_that_is_no_user_is_none(document: Any) -> None:
    assert told(says(document)) is None


@pytest.mark.parametrize(
    "fault",
    [
        says(error_body(401), 401),
        says(error_body(429), 429),
        says(error_body(500), 500),
        says(error_body(503), 503),
        says('{"id": "u-ada", "userName": '),
        says("<html>sign in</html>"),
        says(error_body(404)),
        says({"userName": "ada@acme.example"}),
        says({"id": 7, "userName": "ada@acme.example"}),
        Fault("GET", 302, {"location": "https://elsewhere.example/Me"}, path="/Me"),
        reset("GET"),
    ],
    ids=[
        "wrong token",
        "too many requests",
        "broken",
        "unavailable",
        "half an answer",
        "a page",
        "an error that looks like a success",
        "a user without an id",
        "an odd id",
        "a redirect to another host",
        "no answer",
    ],
)
def test_where_it_cannot_be_told_nothing_follows(fault: Fault) -> None:
    with pytest.raises(ReadError, match=r"^could not ") as caught:
        told(fault)
    assert SECRET not in str(caught.value)
