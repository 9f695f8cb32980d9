"""Okta's own SDK reads the stand-in for Okta, so that what our directory is tested with is no fiction."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from okta.client import Client
from okta.pagination import PaginationHelper
from standins import okta
from standins.okta import CLIENT, KEY_ID, SCOPES, SSWS, Event, Group, Okta, Person

Call = Callable[..., Awaitable[tuple[Any, Any, Any]]]


def company() -> Okta:
    """Seven people of every status but two, three groups, pages of two."""
    world = Okta(
        people=[
            Person("ada", profile={"displayName": "Ada L.", "userType": "Employee"}),
            Person("bob", "PASSWORD_EXPIRED"),
            Person("cleo", "SUSPENDED"),
            Person("dan", "DEPROVISIONED"),
            Person("eve", "STAGED"),
            Person("finn", "LOCKED_OUT"),
            Person("gus", "PROVISIONED", profile={"email": "gus@home.example"}),
        ],
        groups=[
            Group("platform", ["ada", "bob", "cleo", "dan", "finn"]),
            Group("eng-web", ["gus"]),
            Group("eng-ops", [], "APP_GROUP"),
        ],
        page=2,
        now=lambda: datetime.now(UTC),
    )
    world.events = [
        Event("application.provision.user.push", world.person("gus"), datetime.now(UTC) - timedelta(hours=n))
        for n in (5, 3, 1)
    ]
    return world


@pytest.fixture
def world() -> Okta:
    return company()


@pytest.fixture
def url(world: Okta, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where it listens; the SDK is told by the only way there is that a loopback needs no certificate."""
    for name in [name for name in os.environ if name.startswith("OKTA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OKTA_TESTING_TESTINGDISABLEHTTPSCHECK", "true")
    with okta.serving(world) as address:
        yield address


def by_token(url: str, token: str = SSWS) -> Any:
    return _client(url, {"authorizationMode": "SSWS", "token": token})


def by_key(url: str, key: object, **others: object) -> Any:
    settings = {"clientId": CLIENT, "privateKey": key, "scopes": list(SCOPES)}
    return _client(url, {"authorizationMode": "PrivateKey", **settings, **others})


def _client(url: str, settings: dict[str, object]) -> Any:
    return Client({"orgUrl": url, "rateLimit": {"maxRetries": 0}, **settings})


def everything(call: Call, *arguments: object, **options: object) -> list[Any]:
    """All pages of a listing, as the SDK finds its way through them by the headers."""

    async def read() -> list[Any]:
        found: list[Any] = []
        after = None
        while True:
            items, response, error = await call(*arguments, after=after, **options)
            assert error is None, error
            found += items
            after = PaginationHelper.extract_next_cursor(response.headers)
            if after is None or not items:
                return found

    return asyncio.run(read())


def error_of(call: Call, *arguments: object, **options: object) -> Any:
    async def read() -> Any:
        return (await call(*arguments, **options))[-1]

    return asyncio.run(read())


def names(groups: list[Any]) -> list[str]:
    return [group.profile.actual_instance.name for group in groups]


@pytest.mark.parametrize("how", ["token", "PEM", "JWK"])
def test_the_sdk_reads_every_group_with_everybody_in_it(world: Okta, url: str, how: str) -> None:
    client = by_token(url) if how == "token" else by_key(url, world.pem if how == "PEM" else dict(world.jwk))
    groups = everything(client.list_groups, limit=2, expand="stats")
    members = {
        group.profile.actual_instance.name: (
            group.id,
            str(group.type.value),
            group.embedded.stats.users_count,
            [user.profile.login for user in everything(client.list_group_users, group.id, limit=2)],
        )
        for group in groups
    }
    at = "@acme.example"
    assert members == {
        "platform": (
            "00g-platform",
            "OKTA_GROUP",
            5,
            [f"{n}{at}" for n in ("ada", "bob", "cleo", "dan", "finn")],
        ),
        "eng-web": ("00g-eng-web", "OKTA_GROUP", 1, [f"gus{at}"]),
        "eng-ops": ("00g-eng-ops", "APP_GROUP", 0, []),
        "Everyone": (
            "00g0everyone",
            "BUILT_IN",
            7,
            [f"{n}{at}" for n in ("ada", "bob", "cleo", "dan", "eve", "finn", "gus")],
        ),
    }


def test_the_sdk_reads_people_with_status_and_profile(url: str) -> None:
    [ada, *_] = everything(by_token(url).list_users, limit=2)
    assert (ada.id, ada.status.value, ada.profile.login, ada.profile.display_name, ada.profile.user_type) == (
        "00u-ada",
        "ACTIVE",
        "ada@acme.example",
        "Ada L.",
        "Employee",
    )
    assert ada.status_changed == datetime(2026, 1, 5, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["ada", "bob", "cleo", "eve", "finn", "gus"]),
        ({"filter": 'status eq "DEPROVISIONED"'}, ["dan"]),
        ({"filter": 'status eq "ACTIVE" or status eq "STAGED"'}, ["ada", "eve"]),
        ({"filter": 'lastUpdated ge "2026-11-20T00:00:00.000Z"'}, ["dan"]),
        ({"search": 'profile.email eq "gus@home.example"'}, ["gus"]),
    ],
)
def test_a_listing_of_people_leaves_out_the_deprovisioned_unless_it_is_filtered(
    options: dict[str, str], expected: list[str], world: Okta, url: str
) -> None:
    world.become("dan", "DEPROVISIONED", datetime(2026, 11, 20, tzinfo=UTC))
    found = everything(by_token(url).list_users, limit=2, **options)
    assert [user.id.removeprefix("00u-") for user in found] == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"search": 'profile.name eq "eng-web"'}, ["eng-web"]),
        ({"search": 'profile.name sw "eng" and type eq "APP_GROUP"'}, ["eng-ops"]),
        ({"filter": 'id eq "00g-platform"'}, ["platform"]),
        ({"filter": 'type eq "BUILT_IN"'}, ["Everyone"]),
        ({"q": "ENG"}, ["eng-web", "eng-ops"]),
        ({"search": 'profile.name eq "no \\"such\\" group"'}, []),
    ],
)
def test_groups_are_found_in_the_ways_that_okta_has(
    options: dict[str, str], expected: list[str], url: str
) -> None:
    assert names(everything(by_token(url).list_groups, **options)) == expected


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"filter": 'profile.name eq "eng-web"'}, "E0000031"),
        ({"search": 'profile.name gt "eng-web"'}, "E0000031"),
        ({"filter": 'id eq "1" nor id eq "2"'}, "E0000031"),
        ({"q": "eng", "filter": 'id eq "1"'}, "E0000001"),
    ],
)
def test_what_okta_can_not_find_groups_by_is_refused(options: dict[str, str], code: str, url: str) -> None:
    error = error_of(by_token(url).list_groups, **options)
    assert (error.status, error.error_code) == (400, code)


def test_the_sdk_reads_one_group_and_one_person_and_the_groups_of_that_person(url: str) -> None:
    client = by_token(url)

    async def read() -> tuple[Any, Any, Any]:
        return (
            await client.get_group("00g-eng-web"),
            await client.get_user("gus@acme.example"),
            await client.list_user_groups("00u-gus"),
        )

    group, user, groups = asyncio.run(read())
    assert (names([group[0]]), user[0].id, names(groups[0])) == (
        ["eng-web"],
        "00u-gus",
        ["eng-web", "Everyone"],
    )


def test_the_sdk_reads_the_log_to_an_empty_page_where_a_query_waits_for_more(world: Okta, url: str) -> None:
    options = {"filter": 'eventType sw "application.provision"', "limit": 2}
    events = everything(by_token(url).list_log_events, **options)
    assert [(event.event_type, event.outcome.result, event.target[0].id) for event in events] == [
        ("application.provision.user.push", "FAILURE", "00u-gus")
    ] * 3
    assert len(world.requests) == 3


def test_a_bounded_query_of_the_log_ends_by_itself(world: Okta, url: str) -> None:
    until = okta.stamp(datetime.now(UTC))
    events = everything(by_token(url).list_log_events, until=until, sort_order="DESCENDING", limit=2)
    assert [event.published for event in events] == sorted((e.published for e in events), reverse=True)
    assert len(world.requests) == 2


def test_who_has_no_right_is_refused_as_okta_does_it(world: Okta, url: str) -> None:
    wrong = error_of(by_token(url, "another").list_groups)
    assert (wrong.status, wrong.error_code) == (401, "E0000011")
    absent = error_of(by_token(url).get_group, "00g-none")
    assert (absent.status, absent.error_code) == (404, "E0000007")
    few = by_key(url, world.pem, scopes=["okta.users.read"])
    unscoped = error_of(few.list_groups)
    assert (unscoped.status, unscoped.error_code) == (403, "E0000006")


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ({"clientId": "0oa-other"}, "invalid_client"),
        ({"scopes": ["okta.groups.manage"]}, "invalid_scope"),
        ({"kid": "key-2"}, "invalid_client"),
        ({"kid": KEY_ID}, ""),
    ],
)
def test_the_token_endpoint_believes_a_signed_assertion_only(
    others: dict[str, object], code: str, world: Okta, url: str
) -> None:
    error = error_of(by_key(url, world.pem, **others).list_groups)
    assert (error.error_code if error else "") == code


def test_a_key_of_somebody_else_is_not_believed(url: str) -> None:
    error = error_of(by_key(url, Okta(owner="another").pem).list_groups)
    assert (error.status, error.error_code) == (401, "invalid_client")


def test_an_assertion_for_another_server_or_a_second_time_is_not_believed(world: Okta, url: str) -> None:
    def ask(audience: str, jti: str) -> str:
        claims = {
            "iss": CLIENT,
            "sub": CLIENT,
            "aud": audience,
            "exp": datetime.now(UTC) + timedelta(minutes=5),
            "jti": jti,
        }
        form = {
            "grant_type": "client_credentials",
            "scope": "okta.groups.read",
            "client_assertion_type": okta.ASSERTION,
            "client_assertion": jwt.encode(claims, world.pem, "RS256"),
        }
        answer = httpx.post(f"{url}/oauth2/v1/token", data=form).json()
        return str(answer.get("error", answer.get("token_type")))

    ours = f"{url}/oauth2/v1/token"
    asked = [
        ask("https://other.okta.com/oauth2/v1/token", "1"),
        ask(ours, "1"),
        ask(ours, "1"),
        ask(ours, "2"),
    ]
    assert asked == ["invalid_client", "Bearer", "invalid_client", "Bearer"]


def test_the_sdk_meets_the_limits_that_the_stand_in_was_told_to_set(world: Okta, url: str) -> None:
    world.faults = [okta.limited(30, "/groups")]
    error = error_of(by_token(url).list_groups)
    assert (error.status, error.error_code) == (429, "E0000047")
