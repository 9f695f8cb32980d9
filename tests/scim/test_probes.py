"""What a server is seen to do, beside what it announces: by asking for things whose answer is known."""

from collections.abc import Mapping
from typing import Any

import pytest
from scim.fake_server import JSON, FakeServer, Fault, Listing, Resource, group, refusal, reset, user

from reconciler.checkup import Ability, Verdict
from reconciler.errors import ExitCode, ReadError
from reconciler.scim import probes
from reconciler.scim.reading import Readings

PEOPLE = tuple(user(name, displayName=name.title()) for name in ("ada", "bob", "cleo"))
GROUPS = (group("eng", "ada"), group("ops"))


def server(**knobs: Any) -> FakeServer:
    return FakeServer(**{"users": PEOPLE, "groups": GROUPS, **knobs})


def table(server: FakeServer, *, members: bool = True) -> dict[str, Ability]:
    client = server.client()
    greeting = probes.greet(client)
    found = list(probes.abilities(client, greeting, Readings(client).take("test"), members=members))
    assert server.writes == []
    assert all(bool(one.remedy) for one in found if one.verdict in (Verdict.FINDING, Verdict.FAILED))
    return {one.name: one for one in found}


def seen(server: FakeServer) -> dict[str, tuple[str | None, str, Verdict]]:
    return {name: (one.announced, one.seen, one.verdict) for name, one in table(server).items()}


OK, FINDING, UNKNOWN, FAILED = Verdict.OK, Verdict.FINDING, Verdict.UNKNOWN, Verdict.FAILED
HONEST: dict[str, tuple[str | None, str, Verdict]] = {
    "users": (None, "3 users, whole", OK),
    "groups": (None, "2 groups, whole", OK),
    "members": (None, "by group-members", OK),
    "count": ("100 at most", "works", OK),
    "startIndex": ("yes", "works", OK),
    "cursor": ("no", "works", OK),
    "filter": ("yes", "works", OK),
    "projection": (None, "works", OK),
    "ETag": ("yes", "a user has a version", OK),
    "PATCH": ("yes", "not tried: it would write", OK),
}
"""What the fake is seen to do where nothing is wrong with it."""

IGNORED = "ignored: somebody who does not exist is answered"
REFUSED = "refused: the server answered {} ({}): '{}'"


def unlisted(reason: str) -> dict[str, tuple[str | None, str, Verdict]]:
    return {
        name: (None, f"could not list https://scim.test/scim/v2/{name.title()}: {reason}", FAILED)
        for name in ("users", "groups")
    }


CASES: dict[str, tuple[dict[str, Any], dict[str, tuple[str | None, str, Verdict]]]] = {
    "honest": ({}, {}),
    "filter is ignored": ({"filters": "ignored"}, {"filter": ("yes", IGNORED, FINDING)}),
    "filter is refused": (
        {"filters": "refused"},
        {"filter": ("yes", REFUSED.format("400 Bad Request", "invalidFilter", "no filters here"), FINDING)},
    ),
    "filter is refused as announced": (
        {"filters": "refused", "config": {"filter": {"supported": False}}},
        {
            "filter": ("no", REFUSED.format("400 Bad Request", "invalidFilter", "no filters here"), OK),
            "count": (None, "works", OK),
            "startIndex": (None, "works", OK),
            "cursor": (None, "works", OK),
            "ETag": (None, "a user has a version", OK),
            "PATCH": (None, "not tried: it would write", OK),
        },
    ),
    "startIndex is ignored": (
        {"listing": Listing.IGNORES_START, "page": 2},
        {
            **unlisted(
                "page 2 only repeats 2 resources of earlier pages, after 2 resources; is startIndex ignored?"
            ),
            "groups": (
                None,
                "could not list https://scim.test/scim/v2/Groups: the server ignores startIndex: asked for "
                "what comes after the first 2, it answered 2 of them again, so nobody can tell whether "
                "there are more",
                FAILED,
            ),
            "members": (None, "not looked at", UNKNOWN),
            "count": ("2 at most", "works", OK),
            "startIndex": ("yes", "ignored: the second user is the first again", FINDING),
        },
    ),
    "count is ignored": (
        {"listing": Listing.IGNORES_START_AND_COUNT},
        {
            "count": ("100 at most", "ignored: one was asked for, 3 came", FINDING),
            "startIndex": ("yes", "ignored: the second user is the first again", FINDING),
        },
    ),
    "cursors only": (
        {"cursor_only": True, "cursors": True},
        {
            "startIndex": ("no", "refused: the server answered 501 Not Implemented: 'use a cursor'", OK),
            "cursor": ("yes", "works", OK),
        },
    ),
    "cursor leads nowhere": (
        {"listing": Listing.SAME_CURSOR, "cursors": True},
        {"cursor": ("yes", "leads nowhere new", FINDING)},
    ),
    "attributes are refused": (
        {"projects": False},
        {
            "projection": (
                None,
                REFUSED.format("400 Bad Request", "invalidValue", "attributes is not supported"),
                OK,
            )
        },
    ),
    "no versions": (
        {"etags": "off", "config": {"etag": {"supported": True}, "filter": {"maxResults": 100}}},
        {
            "ETag": ("yes", "a user has no version", FINDING),
            "startIndex": (None, "works", OK),
            "cursor": (None, "works", OK),
            "filter": (None, "works", OK),
            "PATCH": (None, "not tried: it would write", OK),
        },
    ),
    "no versions as announced": ({"etags": "off"}, {"ETag": ("no", "a user has no version", OK)}),
    "members by users": (
        {"shows": frozenset({"groups"})},
        {"members": (None, "by user-groups", OK)},
    ),
    "members by filter": ({"shows": frozenset({"filter"})}, {"members": (None, "by filter", OK)}),
    "no members": ({"shows": frozenset()}, {"members": (None, "no way shows anybody", FAILED)}),
    "no totals": (
        {"listing": Listing.NO_TOTAL},
        {
            **unlisted("the answer has no totalResults, so nobody can tell whether it is all"),
            "members": (None, "not looked at", UNKNOWN),
        },
    ),
    "one user": (
        {"users": PEOPLE[:1], "groups": ()},
        {
            "users": (None, "1 user, whole", OK),
            "groups": (None, "0 groups, whole", OK),
            "members": (None, "not looked at", UNKNOWN),
            "startIndex": ("yes", "too few users to tell", UNKNOWN),
            "cursor": ("no", "no cursor comes back", OK),
        },
    ),
    "nobody": (
        {"users": (), "groups": ()},
        {
            "users": (None, "0 users, whole", OK),
            "groups": (None, "0 groups, whole", OK),
            "members": (None, "not looked at", UNKNOWN),
            "count": ("100 at most", "no user to ask for", UNKNOWN),
            "startIndex": ("yes", "too few users to tell", UNKNOWN),
            "cursor": ("no", "no cursor comes back", OK),
            "filter": ("yes", "no user to ask for", UNKNOWN),
            "projection": (None, "too little in a user to tell", UNKNOWN),
            "ETag": ("yes", "no user to look at", UNKNOWN),
        },
    ),
}


@pytest.mark.parametrize(("knobs", "differing"), CASES.values(), ids=CASES)
def test_what_is_announced_and_what_is_seen(
    knobs: dict[str, Any], differing: dict[str, tuple[str | None, str, Verdict]]
) -> None:
    assert seen(server(**knobs)) == {**HONEST, **differing}


def test_who_is_in_which_group_is_looked_at_only_where_it_matters() -> None:
    assert "members" not in table(server(), members=False)


class Whole(FakeServer):
    """Takes `attributes` and sends them all."""

    def shown(self, endpoint: str, resource: Resource, asked: Mapping[str, str]) -> Resource:
        return super().shown(
            endpoint, resource, {name: asked[name] for name in asked if name != "attributes"}
        )


def test_attributes_that_come_anyway_are_told() -> None:
    it = Whole(PEOPLE, GROUPS)
    assert table(it)["projection"] == Ability("projection", None, "ignored: whole users come")


def test_a_user_who_is_listed_and_not_found_by_id_is_a_finding() -> None:
    it = server(faults=[refusal("GET", 404)])
    it.faults[0] = Fault("GET", 404, JSON, path="/Users/u-ada")
    assert table(it)["ETag"].seen == "a user who is listed is not found by id"


def greeted(*faults: Fault) -> tuple[tuple[str, str], tuple[str, str], bool]:
    """Verdict and words of connection and token, and whether asking on makes sense."""
    it = server(faults=list(faults))
    greeting = probes.greet(it.client())
    first, second = probes.connection(greeting), probes.token(greeting)
    assert it.writes == []
    return (first.verdict, first.said), (second.verdict, second.said), greeting.readable


CONFIG, USERS = "/ServiceProviderConfig", "/Users"
NOTHING = ("unknown", "not looked at: the server can't be read")
TAKEN = ("ok", "the server takes it")


def test_a_server_that_says_nothing_of_itself_is_one() -> None:
    assert greeted(Fault("GET", 404, path=CONFIG)) == (
        ("ok", "a server answers; it says nothing of its abilities (404 Not Found)"),
        TAKEN,
        True,
    )


def test_a_token_that_is_refused_proves_that_somebody_is_there() -> None:
    assert greeted(refusal("GET", 401), refusal("GET", 401)) == (
        ("ok", "a server answers; it says nothing of its abilities (401 Unauthorized)"),
        (
            "failed",
            "could not read https://scim.test/scim/v2/Users: the server answered 401 Unauthorized",
        ),
        False,
    )


def test_a_token_is_not_taken_by_a_server_that_tells_anybody_of_itself() -> None:
    connection, token, readable = greeted(Fault("GET", 403, path=USERS))
    assert (connection, token[0], readable) == (("ok", "a SCIM server answers"), "failed", False)


def test_a_connection_that_breaks_is_not_tried_over_and_over() -> None:
    it = server(faults=[reset()] * 20)
    greeting = probes.greet(it.client(tries=1))
    found = probes.connection(greeting)
    assert (found.verdict, found.exit_code, len(it.requests)) == (FAILED, ExitCode.UNREADABLE, 1)
    token = probes.token(greeting)
    assert (token.verdict, token.said) == NOTHING


def test_a_page_instead_of_a_server_is_no_connection() -> None:
    page = Fault("GET", 200, {"content-type": "text/html"}, "<html>Sign in</html>")
    connection, token, readable = greeted(page, page)
    assert (token, readable) == (NOTHING, False)
    assert connection == (
        "failed",
        "could not read https://scim.test/scim/v2/Users: the server answered 200 OK with 20 bytes "
        "that are no JSON object (text/html), beginning '<html>Sign in</html>'",
    )


def test_whose_token_it_is_is_told_by_name() -> None:
    reading = Readings(server().client()).take("test")
    fails = ReadError("the server answered 500", "try again")

    def broken() -> str:
        raise fails

    found = [
        probes.token_user(ask, reading) for ask in (lambda: "u-ada", lambda: None, lambda: "u-gone", broken)
    ]
    assert [(one.verdict, one.said) for one in found] == [
        (OK, "it is that of 'ada@acme.example'"),
        (UNKNOWN, "the server does not tell whose token it is (GET /Me)"),
        (FINDING, "it is of the user 'u-gone', who is not listed"),
        (FAILED, "the server answered 500"),
    ]


def test_what_is_announced_is_told_where_nothing_could_be_looked_at() -> None:
    it = server(faults=[Fault("GET", 403, path=USERS)])
    assert list(probes.unseen(probes.greet(it.client()))) == [
        Ability("startIndex", "yes", "not looked at", UNKNOWN),
        Ability("cursor", "no", "not looked at", UNKNOWN),
        Ability("filter", "yes", "not looked at", UNKNOWN),
        Ability("ETag", "yes", "not looked at", UNKNOWN),
        Ability("PATCH", "yes", "not looked at", UNKNOWN),
    ]


def test_users_that_cannot_be_read_are_told_where_the_server_is_there() -> None:
    it = server(faults=[Fault("GET", 500, path=USERS)] * 9)
    greeting = probes.greet(it.client())
    found = [probes.connection(greeting).verdict, probes.token(greeting).verdict]
    assert (found, next(probes.unseen(greeting))) == (
        [OK, UNKNOWN],
        Ability(
            "users",
            None,
            "could not read https://scim.test/scim/v2/Users: the server answered 500 Internal Server Error",
            FAILED,
            "run it again; `reconciler --debug doctor` tells each request",
        ),
    )


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({}, None),
        ({"bulk": (50, 9999)}, Ability("Bulk", "50 at most", "not tried: it would write")),
        (
            {"asked_for_bulk": True},
            Ability(
                "Bulk",
                None,
                "not tried: it would write",
                FINDING,
                "each person is written alone here: unset CIRCLECI_SCIM_BULK",
            ),
        ),
    ],
    ids=["nobody speaks of it", "announced", "asked for and not announced"],
)
def test_bulk_is_told_of_where_it_is_announced_or_asked_for(
    knobs: dict[str, Any], told: Ability | None
) -> None:
    assert table(server(**knobs)).get("Bulk") == told
