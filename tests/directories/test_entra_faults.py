"""Whatever Graph does wrong, wherever: a refusal with words, never an answer without somebody."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from directories.entra_world import SERVER, company, directory, organization, registered, with_event
from scim.fake_server import Time
from standins.graph import CLIENT_SECRET, JSON, Fault, Graph, error_body, id_of, refusal

from reconciler.directories.entra.directory import EntraDirectory
from reconciler.errors import ExitCode, ReadError
from reconciler.model import Membership
from reconciler.policy.document import GroupRef
from reconciler.ports import ProvisioningFailure
from reconciler.settings.entra import Certificate
from reconciler.settings.token import Token

BY_ID = id_of("group:platform")
REFS = {GroupRef("platform", id=BY_ID), GroupRef("eng-web")}
HTML = "<html><body>Our services aren't available right now</body></html>"

Change = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Endpoint:
    """Where a fault strikes: `path` for the stand-in, `subject` in our words."""

    path: str
    subject: str
    listing: bool = True
    counted: bool = True

    def __str__(self) -> str:
        return self.path


MEMBERS = Endpoint("/members/", "the members of the group 'eng-web'")
USERS = Endpoint("/v1.0/users$", "the people of the tenant")
NAMES = Endpoint("/v1.0/groups$", "the groups named 'eng-web'")
GROUP = Endpoint(f"/groups/{BY_ID}$", "the group 'platform'", listing=False)
LOG = Endpoint("/auditLogs/provisioning$", "the provisioning log", counted=False)
ENDPOINTS = (MEMBERS, USERS, NAMES, GROUP, LOG)
LISTINGS = tuple(one for one in ENDPOINTS if one.listing)
COUNTED = tuple(one for one in LISTINGS if one.counted)


def everything(entra: EntraDirectory) -> tuple[Membership, tuple[ProvisioningFailure, ...]]:
    """All that a run reads."""
    return entra.read(REFS, everybody=True), entra.failures()


def asked(world: Graph, time: Time | None = None) -> tuple[Membership, tuple[ProvisioningFailure, ...]]:
    return everything(directory(with_event(world), organization(log=True), time=time))


def refused(*faults: Fault, time: Time | None = None, **changes: Any) -> tuple[str, str]:
    """Message and hint of the refusal that this comes to, checked for what no message may hold."""
    world = company(faults=list(faults), **changes)
    with pytest.raises(ReadError) as caught:
        asked(world, time)
    error = caught.value
    shown = f"{error.message} {error.hint} {error.__cause__!r}"
    assert [secret for secret in (CLIENT_SECRET, *world.tokens) if secret in shown] == []
    assert error.exit_code is ExitCode.UNREADABLE
    assert error.message.isprintable()
    return error.message, error.hint


def test_without_a_fault_all_of_it_is_read() -> None:
    membership, failures = asked(company())
    assert [len(group.members or ()) for group in membership.groups] == [1, 3]
    assert (len(membership.people or ()), len(failures)) == (6, 1)


# -- what is no success --------------------------------------------------------------------------

STATUSES = [*range(400, 432), 440, 449, 451, 499, *range(500, 512), 598]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
@pytest.mark.parametrize("status", STATUSES)
def test_an_error_is_told_in_graphs_words(status: int, endpoint: Endpoint) -> None:
    message, _ = refused(refusal(endpoint.path, status, "SomeCode", "Some words."))
    assert message.startswith(
        f"could not read {endpoint.subject} from {SERVER}: the server answered {status}"
    )
    assert "(SomeCode): 'Some words.'; request-id 0f1e2d3c-0000-4000-8000-000000000000" in message


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
@pytest.mark.parametrize(
    "status", [100, 201, 202, 203, 204, 206, 301, 302, 304, 307, 404, 418, 429, 500, 503, 504]
)
def test_a_page_of_something_between_is_no_answer(status: int, endpoint: Endpoint) -> None:
    headers = {"content-type": "text/html", "location": "https://elsewhere.example/"}
    body = "" if status in (100, 204, 304) else HTML
    message, _ = refused(Fault(endpoint.path, status, headers, body))
    assert message.startswith(f"could not read {endpoint.subject} from {SERVER}: the server ")
    assert "services" not in message or "beginning" in message


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
@pytest.mark.parametrize("status", [201, 202, 203, 206, 226])
def test_a_good_page_under_another_status_is_no_answer(status: int, endpoint: Endpoint) -> None:
    """206 says so itself: it is a part."""
    message, _ = refused(Fault(endpoint.path, instead=status))
    assert message.startswith(
        f"could not read {endpoint.subject} from {SERVER}: the server answered {status} "
    )


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (
            Fault(status=401, headers=JSON, body=error_body("InvalidAuthenticationToken", "Expired.")),
            (
                "401 Unauthorized (InvalidAuthenticationToken): 'Expired.'; request-id {}",
                "is AZURE_GRAPH_ENDPOINT, if it is set, the Graph of the tenant's cloud?",
            ),
        ),
        (
            Fault(status=403, headers=JSON, body=error_body("Authorization_RequestDenied", "No.")),
            (
                "403 Forbidden (Authorization_RequestDenied): 'No.'; request-id {}",
                "the app needs the application permission User.Read.All of Microsoft Graph, with an "
                "administrator's consent",
            ),
        ),
        (
            Fault(status=404, headers=JSON, body=error_body("Request_ResourceNotFound", "Gone.")),
            (
                "404 Not Found (Request_ResourceNotFound): 'Gone.'; request-id {}",
                "is AZURE_GRAPH_ENDPOINT, if it is set, a Microsoft Graph?",
            ),
        ),
        (
            Fault(status=429, headers=JSON, body=error_body("TooManyRequests", "Slow.")),
            (
                "429 Too Many Requests (TooManyRequests): 'Slow.'; request-id {}",
                "Graph has too much to do; run it again later",
            ),
        ),
        (
            Fault(status=502, headers={"content-type": "text/html", "request-id": "r-1"}, body=HTML),
            ("502 Bad Gateway; request-id r-1", ""),
        ),
        (Fault(status=500, headers=JSON, body='{"error": "x"}'), ("500 Internal Server Error", "")),
        (
            Fault(status=400, headers=JSON, body=error_body("\x1b[31m", "a\nb\x00")),
            ("400 Bad Request (\\x1b[31m): 'a b\\x00'; request-id {}", ""),
        ),
    ],
    ids=["401", "403", "404", "429", "502", "odd", "control characters"],
)
def test_an_error_is_told_whole(fault: Fault, told: tuple[str, str]) -> None:
    message, hint = told
    number = "0f1e2d3c-0000-4000-8000-000000000000"
    assert refused(replace(fault, path="/v1.0/users")) == (
        f"could not read the people of the tenant from {SERVER}: the server answered "
        f"{message.format(number)}",
        hint,
    )


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_a_connection_that_breaks_is_told(endpoint: Endpoint) -> None:
    message, _ = refused(Fault(endpoint.path, breaks=True))
    assert message.endswith("the connection broke before the answer was whole: connection reset by peer")


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_what_passes_is_waited_for(endpoint: Endpoint) -> None:
    faults = [
        Fault(endpoint.path, breaks=True, times=1),
        refusal(endpoint.path, 503, "Busy", "Busy.", at=1, times=1),
    ]
    assert asked(company(faults=faults)) == asked(company())


# -- answers that are none -----------------------------------------------------------------------


def cut(body: bytes) -> bytes:
    return body[: len(body) * 2 // 3]


BODIES: dict[str, Callable[[bytes], bytes]] = {
    "cut short": cut,
    "nothing": lambda _: b"",
    "blank": lambda _: b"  \n",
    "HTML": lambda _: HTML.encode(),
    "a list": lambda body: b"[" + body + b"]",
    "null": lambda _: b"null",
    "text": lambda _: b'"ok"',
    "an empty object": lambda _: b"{}",
    "an error under a 200": lambda _: error_body("generalException", "Failed.").encode(),
    "no UTF-8": lambda _: b"\xff\xfe{}",
    "deep": lambda _: b"[" * 100_000,
}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
@pytest.mark.parametrize("spoil", BODIES.values(), ids=BODIES.keys())
def test_a_200_with_something_else_in_it_is_no_answer(
    spoil: Callable[[bytes], bytes], endpoint: Endpoint
) -> None:
    message, _ = refused(Fault(endpoint.path, spoil=spoil))
    assert message.startswith(
        (f"could not read {endpoint.subject} from {SERVER}: ", "the server answered a ")
    )


# -- pages that don't add up ---------------------------------------------------------------------


def put(name: str, value: Any) -> Change:
    return lambda document: document.__setitem__(name, value)


def drop(name: str) -> Change:
    return lambda document: document.pop(name, None)


def entry(change: Change) -> Change:
    """The same for the first entry of a page, or for the resource that the answer is."""

    def of_first(document: dict[str, Any]) -> None:
        entries = document.get("value", [document])
        if entries:
            change(entries[0])

    return of_first


def repeats(document: dict[str, Any]) -> None:
    document["value"].append(document["value"][0])


ALWAYS_WRONG: dict[str, Change] = {
    "value is null": put("value", None),
    "value is missing": drop("value"),
    "value is an object": put("value", {}),
    "entries are null": lambda document: document.__setitem__("value", [None, *document["value"]]),
    "entries are text": lambda document: document.__setitem__("value", ["x"]),
    "id is null": entry(put("id", None)),
    "id is missing": entry(drop("id")),
    "id is a number": entry(put("id", 7)),
    "id is empty": entry(put("id", "")),
    "id is half a character": entry(put("id", "\ud800")),
    "an entry twice": repeats,
    "a link to another host": put("@odata.nextLink", "https://graph.evil.example/v1.0/users?$skiptoken=1"),
    "a link to another port": put("@odata.nextLink", "https://graph.microsoft.com:8443/v1.0/users"),
    "a link without encryption": put("@odata.nextLink", "http://graph.microsoft.com/v1.0/users"),
    "a link that is none": put("@odata.nextLink", "https://[/"),
    "a link that is a number": put("@odata.nextLink", 7),
    "an empty link": put("@odata.nextLink", ""),
}


@pytest.mark.parametrize("endpoint", LISTINGS, ids=str)
@pytest.mark.parametrize("change", ALWAYS_WRONG.values(), ids=ALWAYS_WRONG.keys())
def test_a_page_that_makes_no_sense_is_no_answer(change: Change, endpoint: Endpoint) -> None:
    message, _ = refused(Fault(endpoint.path, change=change))
    assert message.startswith(
        (f"could not read {endpoint.subject} from {SERVER}: ", "the server answered a ")
    )


COUNTS: dict[str, Change] = {
    "no count": drop("@odata.count"),
    "null": put("@odata.count", None),
    "text": put("@odata.count", "3"),
    "true": put("@odata.count", True),
    "a fraction": put("@odata.count", 3.0),
}


@pytest.mark.parametrize("endpoint", COUNTED, ids=str)
@pytest.mark.parametrize("change", COUNTS.values(), ids=COUNTS.keys())
def test_without_a_count_nobody_can_tell_whether_it_is_all(change: Change, endpoint: Endpoint) -> None:
    message, _ = refused(Fault(endpoint.path, change=change), page=999)
    assert message == (
        f"could not read {endpoint.subject} from {SERVER}: "
        "the answer has no @odata.count, so nobody can tell whether it is all"
    )


@pytest.mark.parametrize(
    ("lag", "told"),
    [(1, "@odata.count says 7, and the pages hold 6"), (-1, "@odata.count says 5, and the pages hold 6")],
)
def test_a_count_that_never_agrees_is_told_with_both_numbers(lag: int, told: str) -> None:
    time = Time()
    world = company(lag=lag)
    with pytest.raises(ReadError) as caught:
        directory(world, time=time).read(set(), everybody=True)
    assert (caught.value.message, time.slept) == (
        f"could not read the people of the tenant from {SERVER}: {told}, in 3 readings",
        [5.0, 5.0],
    )


def short(document: dict[str, Any]) -> None:
    del document["value"][-1:]


@pytest.mark.parametrize(
    ("change", "endpoint"),
    [*((short, one) for one in COUNTED), *((drop("@odata.nextLink"), one) for one in (MEMBERS, USERS))],
    ids=["members short", "users short", "names short", "members end early", "users end early"],
)
def test_half_a_listing_is_none(change: Change, endpoint: Endpoint) -> None:
    message, hint = refused(Fault(endpoint.path, change=change))
    assert "@odata.count says " in message
    assert hint == "nothing was changed; a plan needs a listing that is whole"


def test_a_page_that_leads_to_itself_is_told() -> None:
    world = company()

    def to_itself(document: dict[str, Any]) -> None:
        document["@odata.nextLink"] = str(world.requests[-1].url)

    world.faults = [Fault("/v1.0/users", change=to_itself)]
    with pytest.raises(ReadError) as caught:
        asked(world)
    assert caught.value.message == (
        f"could not read the people of the tenant from {SERVER}: page 1 leads back to an earlier one"
    )


def test_empty_pages_without_an_end_are_told() -> None:
    message, _ = refused(empty_pages=21)
    assert message.endswith(": 21 pages in a row are empty")


def test_the_link_to_another_host_is_told_without_following_it() -> None:
    world = company()
    world.faults = [Fault("/v1.0/users", change=ALWAYS_WRONG["a link to another host"])]
    with pytest.raises(ReadError) as caught:
        asked(world)
    assert caught.value.message == (
        f"could not read the people of the tenant from {SERVER}: its next page is on "
        f"graph.evil.example, where "
        "the token must not go"
    )
    assert {one.url.host for one in world.requests} == {"login.microsoftonline.com", "graph.microsoft.com"}


# -- nulls of people and groups ------------------------------------------------------------------

NEEDED = ["userPrincipalName", "accountEnabled"]
SEES_PEOPLE = (
    "the app needs the application permission User.Read.All of Microsoft Graph, with an "
    "administrator's consent: "
    "without it, Graph shows of people no more than that they are there"
)


@pytest.mark.parametrize("endpoint", [MEMBERS, USERS], ids=str)
@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (lambda name: entry(put(name, None)), "missing"),
        (lambda name: entry(drop(name)), "missing"),
        (lambda name: entry(put(name, [])), "a list"),
        (lambda name: entry(put(name, 1)), "the number 1"),
    ],
    ids=["null", "missing", "a list", "a number"],
)
def test_a_person_without_what_everybody_has_names_the_right_that_is_missing(
    change: Callable[[str], Change], shown: str, name: str, endpoint: Endpoint
) -> None:
    message, hint = refused(Fault(endpoint.path, change=change(name)))
    assert message.startswith("the server answered user '")
    assert message.endswith(f"whose {name} is {shown}")
    assert hint == SEES_PEOPLE


def test_limited_information_names_the_right_that_is_missing() -> None:
    world = company(rights=frozenset({"GroupMember.Read.All"}))
    with pytest.raises(ReadError) as caught:
        directory(world).read(REFS)
    assert (caught.value.message, caught.value.hint) == (
        f"the server answered user '{id_of('eve')}' whose userPrincipalName is missing",
        SEES_PEOPLE,
    )


@pytest.mark.parametrize("name", ["mail", "displayName"])
def test_what_somebody_may_lack_is_none(name: str) -> None:
    membership, _ = asked(company(faults=[Fault("/v1.0/users", change=entry(put(name, None)))]))
    assert len(membership.people or ()) == 6


@pytest.mark.parametrize("value", [None, "", 7, {}])
def test_a_group_without_a_name_is_no_group(value: object) -> None:
    world = company(faults=[Fault(GROUP.path, change=put("displayName", value))])
    with pytest.raises(ReadError, match=f"the server answered group '{BY_ID}' whose displayName is "):
        directory(world).read({GroupRef("platform", id=BY_ID)})


def test_another_group_than_the_one_that_was_asked_for_is_none() -> None:
    world = company(faults=[Fault(GROUP.path, change=put("id", id_of("group:eng-web")))])
    with pytest.raises(ReadError, match=f"asked for {BY_ID}, the server answered "):
        directory(world).read({GroupRef("platform", id=BY_ID)})


@pytest.mark.parametrize(
    "change",
    [
        entry(put("activityDateTime", None)),
        entry(put("activityDateTime", "yesterday")),
        entry(put("provisioningStatusInfo", None)),
        entry(put("provisioningStatusInfo", {"status": None})),
        entry(put("sourceIdentity", None)),
    ],
    ids=["no time", "text", "no information", "no status", "no source"],
)
def test_an_item_of_the_log_that_makes_no_sense_is_none(change: Change) -> None:
    message, _ = refused(Fault("/auditLogs/", change=change))
    assert message == "the server answered an item of its provisioning log without time, status or source"


def test_a_token_in_an_answer_would_be_shown_as_the_name_of_somebody() -> None:
    world = company()

    def names(document: dict[str, Any]) -> None:
        document["value"][0]["displayName"] = next(iter(world.tokens))

    world.faults = [Fault("/v1.0/users", change=names)]
    with pytest.raises(ReadError, match="the server's answer repeats the token that it was asked with"):
        asked(world)


# -- signing in ----------------------------------------------------------------------------------

SIGNING_IN = (
    "could not sign in to https://login.microsoftonline.com as app 7b0c1c5e-2a3f-4d5b-9c1d-000000000002 of "
    "7b0c1c5e-2a3f-4d5b-9c1d-000000000001: "
)
RIGHT = "are AZURE_TENANT_ID, AZURE_CLIENT_ID and the app's credential right?"


def aadsts(status: int, error: str, number: int, words: str) -> Fault:
    trace = "4d6b-trace"
    body = {
        "error": error,
        "error_description": f"AADSTS{number}: {words} Trace ID: {trace} Correlation ID: c Timestamp: t",
        "trace_id": trace,
    }
    return Fault("/oauth2/", status, {"content-type": "application/json"}, json.dumps(body))


@pytest.mark.parametrize(
    ("fault", "told", "hint"),
    [
        (
            aadsts(401, "invalid_client", 7000215, f"Invalid client secret {CLIENT_SECRET}."),
            "401 Unauthorized (invalid_client): 'AADSTS7000215: Invalid client secret ***.'; trace id "
            "4d6b-trace",
            "AZURE_CLIENT_SECRET must give the value of the app's secret, not the secret's id",
        ),
        (
            aadsts(401, "invalid_client", 7000222, "The provided client secret keys are expired."),
            "401 Unauthorized (invalid_client): 'AADSTS7000222: The provided client secret keys are "
            "expired.'; "
            "trace id 4d6b-trace",
            "make a new secret for the app, and set AZURE_CLIENT_SECRET to it",
        ),
        (
            aadsts(400, "invalid_request", 90002, "Tenant 'x' not found."),
            "400 Bad Request (invalid_request): \"AADSTS90002: Tenant 'x' not found.\"; trace id 4d6b-trace",
            "is AZURE_TENANT_ID right, and AZURE_AUTHORITY_HOST that of its cloud?",
        ),
        (
            aadsts(400, "unauthorized_client", 700016, "Application was not found."),
            "400 Bad Request (unauthorized_client): 'AADSTS700016: Application was not found.'; "
            "trace id 4d6b-trace",
            "is AZURE_CLIENT_ID the app's id, and is the app registered in this tenant?",
        ),
        (
            aadsts(401, "invalid_client", 700027, "Signature validation failed."),
            "401 Unauthorized (invalid_client): 'AADSTS700027: Signature validation failed.'; "
            "trace id 4d6b-trace",
            "is the certificate registered with the app?",
        ),
        (Fault("/oauth2/", 200, JSON, "{}"), "holds no access token", RIGHT),
        (
            Fault("/oauth2/", 200, JSON, '{"access_token": null, "token_type": "Bearer"}'),
            "no access token",
            RIGHT,
        ),
        (
            Fault("/oauth2/", 200, JSON, '{"access_token": "a b", "token_type": "Bearer"}'),
            "no access token",
            RIGHT,
        ),
        (
            Fault("/oauth2/", 200, JSON, '{"access_token": "ab", "token_type": "pop"}'),
            "not of type Bearer",
            RIGHT,
        ),
        (Fault("/oauth2/", 200, {"content-type": "text/html"}, HTML), "65 bytes that are no answer", RIGHT),
        (Fault("/oauth2/", 200, JSON, ""), "with nothing in it", RIGHT),
        (Fault("/oauth2/", 302, {"location": "https://evil.example"}), "302 Found with nothing in it", RIGHT),
        (Fault("/oauth2/", 503, {"content-type": "text/html"}, HTML), "503 Service Unavailable", RIGHT),
        (Fault("/oauth2/", breaks=True), "the connection broke", ""),
    ],
)
def test_an_app_that_cannot_sign_in_reads_nothing(fault: Fault, told: str, hint: str) -> None:
    world = company(faults=[fault])
    with pytest.raises(ReadError) as caught:
        asked(world)
    message = caught.value.message
    assert message.startswith(SIGNING_IN)
    assert told.replace('"', "'") in message.replace('"', "'")
    assert caught.value.hint == hint
    assert CLIENT_SECRET not in message
    assert {one.url.host for one in world.requests} == {"login.microsoftonline.com"}


@pytest.mark.parametrize("signs", [False, True], ids=["secret", "certificate"])
def test_an_authority_that_stumbles_is_asked_a_few_times(signs: bool) -> None:
    world = company(faults=[Fault("/oauth2/", 500)])
    credential = Certificate(Token(registered(world)), "AZURE_CLIENT_CERTIFICATE_PATH") if signs else None
    with pytest.raises(ReadError):
        directory(world, credential=credential).read(REFS)
    assert len(world.requests) == (3 if signs else 5)


@pytest.mark.parametrize("status", STATUSES)
def test_every_refusal_of_the_authority_is_told(status: int) -> None:
    message, _ = refused(aadsts(status, "some_error", 1, "Some words."))
    assert message.startswith(f"{SIGNING_IN}the server answered {status}")
    assert "(some_error): 'AADSTS1: Some words.'; trace id 4d6b-trace" in message
