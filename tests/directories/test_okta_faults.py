"""Whatever Okta answers but the truth: a refusal with words, and never a smaller group or fewer people."""

import httpx
import pytest
from directories.asking import refs
from directories.okta_world import company, directory, organization, with_event
from scim.fake_server import Time
from standins import okta
from standins.okta import SSWS, Fault

from reconciler.errors import ExitCode, ReadError

ENDPOINTS = {
    "token": "oauth2",
    "search": "search=",
    "group": "filter=id",
    "members": "/groups/00g-platform/users",
    "everyone": "BUILT_IN",
    "people": "/v1/users?limit",
    "deprovisioned": "DEPROVISIONED",
    "changed": "lastUpdated",
    "log": "/v1/logs",
    "log of successes": "SUCCESS",
}
LISTS = {name: path for name, path in ENDPOINTS.items() if name != "token"}
STATUSES = [
    *(
        301,
        302,
        307,
        400,
        401,
        402,
        403,
        404,
        405,
        406,
        407,
        408,
        409,
        410,
        411,
        412,
        413,
        414,
        415,
        416,
        417,
    ),
    *(
        418,
        421,
        422,
        423,
        424,
        425,
        426,
        428,
        431,
        451,
        499,
        500,
        501,
        502,
        503,
        504,
        505,
        507,
        511,
        520,
        599,
    ),
    *(201, 202, 203, 204, 206),
]
BODIES = {
    "html": okta.html(),
    "nothing": okta.nothing(),
    "half": okta.halved(),
    "broken": okta.broken(),
    "an object": okta.body(b"{}"),
    "an error": okta.body(b'{"errorCode": "E0000009", "errorSummary": "Internal Server Error"}'),
    "null": okta.body(b"null"),
    "text": okta.body(b'"ok"'),
    "a list of null": okta.body(b"[null]"),
    "a list of lists": okta.body(b"[[]]"),
    "an entry without anything": okta.body(b"[{}]"),
    "a number for an id": okta.body(b'[{"id": 7, "uuid": 7}]'),
    "half a character": okta.body(b'[{"id": "\\ud800"}]'),
    "limited for long": okta.limited(3600),
    "limited again and again": okta.limited(50),
    "too many at once": okta.concurrent(),
    "another host": okta.elsewhere(),
    "another scheme": okta.elsewhere(to="ftp://acme.okta.test/api/v1/users"),
    "a circle": okta.repeated(),
}


def refused(fault: Fault, path: str) -> ReadError:
    """What is said where one endpoint always has that fault; reads all there is to read."""
    world = with_event(company(page=200))
    placed = Fault(fault.spoils, path, times=None)
    world.faults = [placed]
    there = directory(world, organization(log=True), key=world.pem if path == "oauth2" else None)
    with pytest.raises(ReadError) as caught:
        (there.read(refs("platform"), everybody=True), there.failures())
    said = caught.value.message + caught.value.hint
    assert SSWS not in said
    assert "of-the-stand-in" not in said
    assert caught.value.exit_code is ExitCode.UNREADABLE
    assert caught.value.message.startswith(("could not ", "Okta answered "))
    assert "\n" not in said
    assert {request.method for request in world.requests} <= {"GET", "POST"}
    assert {str(r.url.path) for r in world.requests if r.method == "POST"} <= {"/oauth2/v1/token"}
    assert {r.url.host for r in world.requests} == {"acme.okta.test"}
    return caught.value


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("status", STATUSES)
def test_any_status_but_success_is_a_refusal(status: int, endpoint: str) -> None:
    error = refused(okta.status(status), ENDPOINTS[endpoint])
    assert f"the server answered {status}" in error.message


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("status", [201, 203, 206, 299, 404, 500])
def test_a_whole_list_under_another_status_is_a_refusal_all_the_same(status: int, endpoint: str) -> None:
    """As 206 says, it may well be a part."""
    refused(okta.called(status), ENDPOINTS[endpoint])


@pytest.mark.parametrize("endpoint", LISTS)
@pytest.mark.parametrize("fault", BODIES)
def test_any_answer_but_a_whole_list_is_a_refusal(fault: str, endpoint: str) -> None:
    refused(BODIES[fault], LISTS[endpoint])


@pytest.mark.parametrize(
    "fault", ["html", "nothing", "half", "broken", "an object", "an error", "null", "text"]
)
def test_any_answer_but_a_token_is_a_refusal(fault: str) -> None:
    assert refused(BODIES[fault], "oauth2").message.startswith(
        "could not get an access token of https://acme.okta.test: "
    )


@pytest.mark.parametrize(
    "document",
    [
        {"token_type": "Bearer", "expires_in": 3600},
        {"token_type": "Bearer", "expires_in": 3600, "access_token": None},
        {"token_type": "Bearer", "expires_in": 3600, "access_token": ""},
        {"token_type": "Bearer", "expires_in": 3600, "access_token": "two words"},
        {"token_type": "Bearer", "expires_in": 3600, "access_token": "a\nHost: b"},
        {"token_type": "DPoP", "expires_in": 3600, "access_token": "token-of-the-stand-in"},
        {"expires_in": 3600, "access_token": "token-of-the-stand-in"},
        {"error": "invalid_client", "access_token": "token-of-the-stand-in", "token_type": "Bearer"},
    ],
)
def test_a_token_that_is_none_is_a_refusal(document: object) -> None:
    refused(okta.changed(lambda _: document), "oauth2")


USER_NULLS = [("id",), ("status",), ("profile",), ("profile", "login")]


@pytest.mark.parametrize("how", ["null", "missing", "empty", "a number"])
@pytest.mark.parametrize("steps", USER_NULLS, ids=".".join)
@pytest.mark.parametrize("endpoint", ["members", "people", "deprovisioned"])
def test_a_person_without_what_everybody_has_is_a_refusal(
    endpoint: str, steps: tuple[str, ...], how: str
) -> None:
    """Okta leaves out what the token may not see, and that is no leaver."""
    error = refused(_spoilt(steps, how), LISTS[endpoint])
    assert f"whose {'.'.join(steps)} is " in error.message
    assert steps == ("id",) or "okta.users.read" in error.hint


GROUP_NULLS = [("id",), ("profile",), ("profile", "name")]
COUNT_NULLS = [("_embedded",), ("_embedded", "stats"), ("_embedded", "stats", "usersCount")]


@pytest.mark.parametrize("how", ["null", "missing", "empty", "a number"])
@pytest.mark.parametrize("steps", GROUP_NULLS, ids=".".join)
@pytest.mark.parametrize("endpoint", ["search", "group", "everyone"])
def test_a_group_without_what_every_group_has_is_a_refusal(
    endpoint: str, steps: tuple[str, ...], how: str
) -> None:
    error = refused(_spoilt(steps, how), LISTS[endpoint])
    assert (
        "is missing" in error.message or "is the number 7" in error.message or "is the text" in error.message
    )


@pytest.mark.parametrize("how", ["null", "missing", "empty", "below zero"])
@pytest.mark.parametrize("steps", COUNT_NULLS, ids=".".join)
@pytest.mark.parametrize("endpoint", ["group", "everyone"])
def test_a_group_that_is_not_counted_is_a_refusal(endpoint: str, steps: tuple[str, ...], how: str) -> None:
    error = refused(_spoilt(steps, how), LISTS[endpoint])
    assert "whose usersCount is " in error.message
    assert "okta.groups.read" in error.hint


@pytest.mark.parametrize("steps", [("eventType",), ("published",), ("outcome",), ("uuid",)], ids=".".join)
@pytest.mark.parametrize("endpoint", ["log", "log of successes"])
def test_an_event_without_what_every_event_has_is_a_refusal(endpoint: str, steps: tuple[str, ...]) -> None:
    world = with_event(company())
    world.faults = [okta.without(*steps, path=LISTS[endpoint]).always()]
    with pytest.raises(ReadError, match=r"^Okta answered an? event "):
        directory(world, organization(log=True)).failures()


def _spoilt(steps: tuple[str, ...], how: str) -> Fault:
    values: dict[str, object] = {"null": None, "empty": "", "a number": 7, "below zero": -1}

    def change(document: list[dict[str, object]]) -> object:
        entry: dict[str, object] = document[0]
        for step in steps[:-1]:
            inner = entry[step]
            assert isinstance(inner, dict)
            entry = inner
        if how == "missing":
            del entry[steps[-1]]
        else:
            entry[steps[-1]] = values[how]
        return document

    return okta.changed(change)


@pytest.mark.parametrize(
    "since", ["yesterday", "2026-01-05T08:00:00", 7, {}, "2026-13-05T08:00:00.000Z"], ids=str
)
def test_a_time_that_is_none_is_a_refusal(since: object) -> None:
    def change(document: list[dict[str, object]]) -> object:
        document[0]["statusChanged"] = since
        return document

    assert "whose statusChanged is " in refused(okta.changed(change), LISTS["members"]).message


@pytest.mark.parametrize("by", [-1, 1, 1000])
def test_a_count_that_does_not_match_is_a_refusal(by: int) -> None:
    assert "did not come out even in 3 readings" in refused(okta.miscounted(by), LISTS["group"]).message


def test_a_page_that_is_short_is_a_refusal() -> None:
    assert "and listed 2" in refused(okta.short(), LISTS["members"]).message


def test_somebody_twice_is_a_refusal() -> None:
    error = refused(okta.changed(lambda document: [*document, document[0]]), LISTS["members"])
    assert error.message == (
        "could not list https://acme.okta.test/api/v1/groups/00g-platform/users: "
        "page 1 repeats the user '00u-ada'"
    )


def test_a_page_that_leads_to_itself_is_a_refusal() -> None:
    assert refused(okta.repeated(), LISTS["people"]).message == (
        "could not list https://acme.okta.test/api/v1/users: page 1 leads to a page that was read before"
    )


def test_the_token_goes_to_no_other_host() -> None:
    error = refused(okta.elsewhere(), LISTS["members"])
    assert (error.message, error.hint) == (
        "could not list https://acme.okta.test/api/v1/groups/00g-platform/users: the next page is at "
        "'okta.evil.example', where the token must not go",
        "nothing was changed; a plan needs a listing that is whole",
    )


def test_pages_without_end_and_without_anybody_are_a_refusal() -> None:
    count = iter(range(1000))

    def on(response: httpx.Response) -> httpx.Response:
        spoilt = httpx.Response(200, json=[])
        okta.linked(spoilt, str(response.url), f"https://acme.okta.test/api/v1/users?after={next(count)}")
        return spoilt

    assert refused(Fault(on), "/v1/users").message == (
        "could not list https://acme.okta.test/api/v1/users: 3 pages in a row are empty"
    )


def test_an_answer_that_repeats_the_token_is_used_for_nothing() -> None:
    def change(document: list[dict[str, object]]) -> object:
        document[0]["status"] = SSWS
        return document

    assert "repeats the token" in refused(okta.changed(change), LISTS["members"]).message


def test_a_complaint_that_repeats_the_token_is_told_without_it() -> None:
    complaint = Fault(lambda _: okta.refused(400, SSWS, f"no such token: {SSWS}"))
    assert refused(complaint, LISTS["members"]).message == (
        "could not read https://acme.okta.test/api/v1/groups/00g-platform/users: "
        "the server answered 400 Bad Request (***): 'no such token: ***'"
    )


@pytest.mark.parametrize(
    ("fault", "endpoint", "message", "hint"),
    [
        (
            okta.status(401, "E0000011"),
            "people",
            "could not read https://acme.okta.test/api/v1/users: the server answered 401 Unauthorized "
            "(E0000011): 'because of the test'",
            "the token is wrong, was revoked, or was not used for 30 days; check OKTA_CLIENT_TOKEN",
        ),
        (
            okta.status(403, "E0000006"),
            "log",
            "could not read https://acme.okta.test/api/v1/logs: the server answered 403 Forbidden "
            "(E0000006): 'because of the test'",
            "it takes the scope okta.logs.read, and an administrator role that sees all of it, such as "
            "Read-Only Administrator",
        ),
        (
            okta.status(404, "E0000007"),
            "search",
            "could not read https://acme.okta.test/api/v1/groups: the server answered 404 Not Found "
            "(E0000007): 'because of the test'",
            "is OKTA_CLIENT_ORGURL right? It is an address such as https://acme.okta.com",
        ),
        (
            okta.html(),
            "members",
            "could not read https://acme.okta.test/api/v1/groups/00g-platform/users: the server answered "
            "200 OK with 37 bytes that are no JSON list (text/html; charset=utf-8), beginning "
            "'<!DOCTYPE html><title>Sign in</title>'",
            "is OKTA_CLIENT_ORGURL right? It is an address such as https://acme.okta.com",
        ),
        (
            okta.without("profile", "login"),
            "members",
            "Okta answered user '00u-ada' whose profile.login is missing",
            "the scope okta.users.read, and an administrator role that sees people whole, such as "
            "Read-Only Administrator, may be missing",
        ),
    ],
)
def test_a_refusal_says_what_could_not_be_read_and_what_to_do(
    fault: Fault, endpoint: str, message: str, hint: str
) -> None:
    error = refused(fault, LISTS[endpoint])
    assert (error.message, error.hint) == (message, hint)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    "fault",
    [okta.status(500), okta.status(503), okta.status(429), okta.broken(), okta.limited(5)],
    ids=["500", "503", "429", "broken", "limited"],
)
def test_what_fails_once_is_asked_again_and_changes_nothing(fault: Fault, endpoint: str) -> None:
    def read(faults: list[Fault]) -> object:
        world = with_event(company())
        world.faults = faults
        there = directory(world, organization(log=True), key=world.pem, time=Time())
        return there.read(refs("platform", "eng-web"), everybody=True), there.failures()

    assert read([Fault(fault.spoils, ENDPOINTS[endpoint])]) == read([])
