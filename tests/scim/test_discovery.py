"""What a server says of itself is a hint: nonsense is no reason to stop."""

import pytest
from scim.fake_server import JSON, FakeServer, Fault, refusal

from reconciler.errors import ReadError
from reconciler.scim import discovery
from reconciler.scim.discovery import Abilities


@pytest.mark.parametrize(
    ("config", "abilities"),
    [
        ({}, Abilities()),
        ({"patch": {"supported": False}, "etag": {"supported": False}}, Abilities(patch=False, etag=False)),
        ({"Patch": {"Supported": "False"}}, Abilities(patch=False)),
        ({"patch": {"supported": 0}, "etag": "yes", "pagination": [], "filter": None}, Abilities()),
        ({"filter": {"supported": True, "maxResults": 50}}, Abilities(page=50)),
        ({"filter": {"maxResults": 200}, "pagination": {"maxPageSize": 30}}, Abilities(page=30)),
        ({"filter": {"maxResults": 999999}}, Abilities(page=1000)),
        ({"filter": {"maxResults": 0}}, Abilities()),
        ({"filter": {"maxResults": True}}, Abilities()),
        ({"filter": {"maxResults": "many"}}, Abilities()),
        ({"pagination": {"cursor": True, "index": True}}, Abilities()),
        ({"pagination": {"cursor": True, "index": False}}, Abilities(cursor_first=True)),
        (
            {"pagination": {"cursor": True, "index": True, "defaultPaginationMethod": "Cursor"}},
            Abilities(cursor_first=True),
        ),
        ({"pagination": {"cursor": False, "defaultPaginationMethod": "cursor"}}, Abilities()),
    ],
)
def test_abilities_are_read_tolerantly(config: dict[str, object], abilities: Abilities) -> None:
    assert discovery.abilities(FakeServer(config=config).client()) == abilities


@pytest.mark.parametrize(
    "fault",
    [
        refusal("GET", 403),
        refusal("GET", 404),
        refusal("GET", 501),
        Fault(status=200, headers={"content-type": "text/html"}, body="<html>"),
        Fault(status=200, headers=JSON, body="[]"),
    ],
    ids=["403", "404", "501", "html", "a list"],
)
def test_a_server_that_does_not_say_is_assumed_to_be_usual(fault: Fault) -> None:
    assert discovery.abilities(FakeServer(faults=[fault]).client()) == Abilities()


def test_a_token_that_is_refused_is_said_at_once() -> None:
    with pytest.raises(ReadError) as caught:
        discovery.abilities(FakeServer(faults=[refusal("GET", 401, detail="expired")]).client())

    assert caught.value.message == (
        "could not read https://scim.test/scim/v2/ServiceProviderConfig: "
        "the server answered 401 Unauthorized: 'expired'"
    )
