"""What plan and apply say of servers that lie, break or refuse, to the letter, over real sockets.

What they do is tested with every fault that there is in test_hostile_reads and test_hostile_writes.
"""

import json
import re
from pathlib import Path

import httpx
import pytest
from cli.small_world import NEEDED, acme, run, write_policy
from e2e.loopback import environment, serving
from scim.fake_server import (
    JSON,
    SECRET,
    FakeServer,
    Fault,
    Listing,
    Resource,
    error_body,
    refusal,
    reset,
    user,
)

HINT = "hint: nothing was changed; a plan needs a listing that is whole\n"


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small policy in the current folder."""
    monkeypatch.chdir(tmp_path)
    return write_policy(tmp_path / "policies/acme")


def apply(server: FakeServer, *arguments: str) -> tuple[int, str, str]:
    """One `apply` against a server; its address is replaced by SERVER in what was printed."""
    with serving(server) as url:
        code, out, err = run(environment(url), "apply", *arguments)
    return code, out.replace(url, "SERVER"), err.replace(url, "SERVER")


def refused(server: FakeServer) -> str:
    """What `plan` and `apply` say, the same, of a server that can't be read whole. Nothing is written."""
    with serving(server) as url:
        planned = run(environment(url), "plan")
        reads = len(server.requests)
        applied = run(environment(url), "apply")
    assert reads
    assert server.writes == []
    assert (applied[0], applied[1]) == (planned[0], planned[1]) == (7, "")
    return applied[2].replace(url, "SERVER")


# Listings that cannot be believed


def test_a_server_that_ignores_where_to_start_is_refused() -> None:
    people = [user(f"p{index}") for index in range(5)]
    assert refused(acme(users=people, page=2, listing=Listing.IGNORES_START)) == (
        "error: could not list SERVER/Users: page 2 only repeats 2 resources of earlier pages, "
        "after 2 resources; is startIndex ignored?\n" + HINT
    )


def test_a_listing_that_is_shorter_than_it_says_is_refused() -> None:
    assert refused(acme(listing=Listing.TOTAL_TOO_HIGH)) == (
        "error: could not list SERVER/Users: totalResults says 7, the pages end after 4 resources\n" + HINT
    )


def test_a_listing_that_claims_the_size_of_its_page_as_the_whole_is_refused() -> None:
    people = [user(f"p{index}") for index in range(5)]
    assert refused(acme(users=people, page=2, listing=Listing.TOTAL_OF_PAGE)) == (
        "error: could not list SERVER/Users: totalResults says 2, but the page after these holds more\n"
        + HINT
    )


def test_a_page_that_names_somebody_twice_is_refused() -> None:
    assert refused(acme(listing=Listing.TWICE_ON_ONE_PAGE)) == (
        "error: could not list SERVER/Users: page 1 names 1 of its 4 twice\n" + HINT
    )


def test_a_listing_that_keeps_changing_under_the_reader_is_refused() -> None:
    people = [user(f"p{index}") for index in range(400)]  # each page takes one away
    message = refused(acme(users=people, page=2, listing=Listing.CHANGES_ALWAYS))
    assert message.startswith("error: could not list SERVER/Users: totalResults was ")
    assert message.endswith("; it did not hold still in 3 readings\n" + HINT)


def test_a_listing_that_leads_back_to_itself_without_end_is_refused() -> None:
    assert refused(
        acme(users=[user("ada")], listing=Listing.SAME_CURSOR, cursor_only=True, cursors=True)
    ) == (
        "error: could not list SERVER/Users: the server gave the same cursor twice, after 1 resource\n" + HINT
    )


def test_two_people_whose_names_differ_in_letter_case_only_are_refused() -> None:
    people = [user("ada", "org-admin"), user("twin", id="u-2", userName="ADA@acme.example")]
    assert refused(acme(users=people)) == (
        "error: two users have the same userName: 'ada@acme.example' (id 'u-ada') and "
        "'ADA@acme.example' (id 'u-2'); letter case makes no difference\n"
        "hint: one of the two must be renamed or removed on the server\n"
    )


def test_a_server_that_never_shows_a_member_by_any_route_is_refused() -> None:
    message = refused(acme(shows=frozenset()))
    assert message.startswith(
        "error: could not tell who is in which group: SERVER lists 2 groups, but no way shows a single "
        "member: 'nobody' can't be told from 'not shown' ("
    )
    assert message.endswith(
        "\nhint: if the server does show members, say how: directory.members_from in organization.yaml\n"
    )


# Answers that are none


@pytest.mark.parametrize(
    ("body", "kind", "seen"),
    [
        pytest.param(
            "<html><title>Log in</title></html>",
            "text/html",
            "200 OK with 34 bytes that are no JSON object (text/html), "
            "beginning '<html><title>Log in</title></html>'",
            id="HTML",
        ),
        pytest.param(
            '{"totalResults": 4, "Resources": [{"id": "u-a',
            "application/scim+json",
            "200 OK with 45 bytes that are no JSON object (application/scim+json), "
            'beginning \'{"totalResults": 4, "Resources": [{"id": "u-a\'',
            id="half a document",
        ),
        pytest.param("", "text/plain", "200 OK with nothing in it (text/plain)", id="nothing"),
    ],
)
def test_an_answer_that_is_no_json_object_is_refused(body: str, kind: str, seen: str) -> None:
    answer = Fault("GET", 200, {"content-type": kind}, body, path="/Users")
    assert refused(acme(faults=[answer] * 2)) == (
        f"error: could not read SERVER/Users: the server answered {seen}\n"
        "hint: is the base URL right? It usually ends in /scim/v2\n"
    )


def test_a_success_with_an_error_in_it_is_refused() -> None:
    answer = Fault("GET", 200, JSON, error_body(500, detail="the database is away"), path="/Users")
    assert refused(acme(faults=[answer] * 2)) == (
        "error: could not read SERVER/Users: the server answered 200 OK with an error in it: "
        "'the database is away'\n"
    )


@pytest.mark.parametrize(
    ("status", "words", "hint"),
    [
        (401, "401 Unauthorized", "the token is wrong or has expired; check CIRCLECI_SCIM_TOKEN"),
        (403, "403 Forbidden", "the token lacks the right for this; SCIM wants a token of an administrator"),
        (404, "404 Not Found", "is the base URL right? It usually ends in /scim/v2"),
    ],
)
def test_a_base_url_that_refuses_everything_is_told_with_what_to_do(
    status: int, words: str, hint: str
) -> None:
    said = f"no, Bearer {SECRET} will not do"
    server = acme(faults=[refusal("GET", status, detail=said) for _ in range(20)])
    path = "/ServiceProviderConfig" if status == 401 else "/Users"
    assert refused(server) == (
        f"error: could not read SERVER{path}: the server answered {words}: "
        f"'no, Bearer *** will not do'\nhint: {hint}\n"
    )


# Where the token may go


class Elsewhere:
    """Another host that would take anything."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200, json={"totalResults": 0, "Resources": []}, headers=JSON)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_token_does_not_follow_a_redirect_to_another_host(status: int) -> None:
    elsewhere = Elsewhere()
    with serving(elsewhere) as other:
        away = Fault("GET", status, {"location": f"{other}/Users?secret=1"})
        message = refused(acme(faults=[away] * 20))
    assert elsewhere.requests == []
    assert message.splitlines() == [
        "error: could not read SERVER/ServiceProviderConfig: the server redirects to 127.0.0.1, "
        "where the token must not go",
        "hint: if that is the right server, make it the base URL",
    ]


def test_a_write_is_not_redirected_either() -> None:
    elsewhere = Elsewhere()
    with serving(elsewhere) as other:
        away = Fault("PATCH", 308, {"location": f"{other}/Users/u-cleo"})
        code, out, _ = apply(acme(faults=[away] * 20))
    assert elsewhere.requests == []
    assert code == 8
    assert "failed cleo@acme.example: could not set the roles of 'cleo@acme.example': " in out


# Writes that do not come about


def test_a_server_that_drops_roles_silently_is_found_out() -> None:
    server = acme(keeps_roles=False)
    code, out, err = apply(server)
    assert code == 8
    assert out.splitlines()[-3:] == [
        "applied 0 of 2 changes",
        "failed cleo@acme.example: the server accepted it and did not keep it: organization, storefront",
        "failed dan@acme.example: the server accepted it and did not keep it: organization",
    ]
    assert err.splitlines()[-2:] == [
        "error: 2 of 2 changes to acme did not come about",
        "hint: `reconciler plan` shows what is left to do",
    ]
    assert server.writes == NEEDED


def test_a_connection_that_is_always_reset_leaves_an_account_and_the_next_run_ends_it() -> None:
    server = acme(faults=[reset("PATCH")] * 5)
    code, out, _ = apply(server)
    assert code == 8
    assert out.splitlines()[-2] == "applied 1 of 2 changes"
    assert re.fullmatch(
        r"failed cleo@acme\.example: could not set the roles of 'cleo@acme\.example' in 5 tries: "
        r"the connection broke before the answer was whole: \[Errno \d+\] Connection reset by peer; "
        r"they are as they were",
        out.splitlines()[-1],
    )
    assert server.roles("dan") == ["gadget"]
    code, out, _ = apply(server)
    assert (code, out.splitlines()[-1]) == (0, "applied 1 of 1 change")


def test_a_server_that_is_busy_for_longer_than_a_run_may_take_is_told() -> None:
    busy = Fault("GET", 503, {"retry-after": "3600"}, "busy", path="/Users")
    assert refused(acme(faults=[busy] * 2)) == (
        "error: could not read SERVER/Users: the server answered 503 Service Unavailable; "
        "waiting another 3600 s would exceed the 120 s a request may take\n"
    )


def test_what_a_competing_writer_changed_is_not_overwritten() -> None:
    def promote(server: FakeServer) -> None:
        server.data["Users"]["u-cleo"]["roles"] = [{"value": "org-contributor"}]
        server.touch("u-cleo")

    server = acme(before_write=[promote])
    code, out, _ = apply(server)
    assert code == 8
    assert out.splitlines()[-2:] == [
        "applied 1 of 2 changes",
        "failed cleo@acme.example: could not set the roles of 'cleo@acme.example': "
        "somebody else changed them meanwhile",
    ]
    assert server.roles("cleo") == ["org-contributor"]
    assert server.writes == NEEDED


def test_a_person_whom_the_server_refuses_does_not_stop_the_others() -> None:
    server = acme(faults=[refusal("PATCH", 400, "invalidValue", "unknown role")])
    code, out, _ = apply(server, "--format", "json")
    document = json.loads(out)
    outcomes: list[Resource] = document["runs"][0]["outcomes"]
    assert code == 8
    assert [(o["change"]["user"], o["result"], o["detail"]) for o in outcomes] == [
        (
            "cleo@acme.example",
            "failed",
            "could not set the roles of 'cleo@acme.example': the server answered "
            "400 Bad Request (invalidValue): 'unknown role'",
        ),
        ("dan@acme.example", "applied", ""),
    ]
    assert [failure["exit_code"] for failure in document["failures"]] == [8]
