"""Listings against a server that pages honestly and one that pages in every wrong way."""

from threading import Barrier, current_thread

import httpx
import pytest
from scim.fake_server import JSON, FakeServer, Fault, Listing, crowd, error_body, user

from reconciler.errors import ExitCode, ReadError
from reconciler.http.abreast import AHEAD
from reconciler.scim import decoding, discovery, listing, wire
from reconciler.scim.client import AnswerError
from reconciler.scim.listing import Query
from reconciler.scim.reading import Readings

SECONDS = 10.0
"""Nobody waits so long for others unless they never come."""
USERS = Query("/Users", wire.USER_ATTRIBUTES)
FIRST_PAGE = '{"Resources": [{"id": "u-p000", "userName": "p"}], "nextCursor": "x"}'


def listed(server: FakeServer, query: Query = USERS, most_pages: int = 50) -> list[str]:
    client = server.client()
    found = listing.everything(client, query, discovery.abilities(client), decoding.people(), most_pages)
    return [person.principal.user_name for person in found.values()]


def names(number: int) -> list[str]:
    return [entry["userName"] for entry in crowd(number)]


@pytest.mark.parametrize("number", [0, 1, 2, 3, 7, 10, 11])
@pytest.mark.parametrize("page", [1, 2, 5, 10, 100])
@pytest.mark.parametrize("style", ["index", "cursor"])
def test_the_size_of_a_page_changes_nothing(number: int, page: int, style: str) -> None:
    by_cursor = style == "cursor"
    server = FakeServer(crowd(number), page=page, cursors=by_cursor, cursor_only=by_cursor)

    assert listed(server) == names(number)
    assert server.writes == []


def test_a_listing_advances_by_what_it_received_and_looks_once_beyond_a_full_last_page() -> None:
    server = FakeServer(crowd(4), page=2)

    listed(server)

    assert server.reads == [
        "/ServiceProviderConfig",
        "/Users?startIndex=1&count=2",
        "/Users?startIndex=3&count=2",
        "/Users?startIndex=5&count=2",
    ]


def test_a_last_page_that_is_shorter_needs_no_look_beyond() -> None:
    server = FakeServer(crowd(3), page=2)

    listed(server)

    assert server.reads[-1] == "/Users?startIndex=3&count=2"


def test_a_cursor_is_followed_percent_encoded_and_without_an_index() -> None:
    server = FakeServer(crowd(3), page=2, cursors=True, cursor_only=True)

    listed(server)

    queries = [request.url.query.decode().partition("&attributes")[0] for request in server.requests[1:]]
    assert queries == ["cursor=&count=2", "cursor=at%2B%2F%3D2&count=2"]


def test_pages_by_index_are_asked_for_side_by_side_and_taken_in_order() -> None:
    together = Barrier(4, timeout=SECONDS)
    server = FakeServer(crowd(9), page=2, at_once=4)

    def wait(request: httpx.Request) -> None:
        if request.url.params.get("startIndex", "1") != "1":
            together.wait()

    server.before_read = wait

    assert listed(server) == names(9)


@pytest.mark.parametrize(
    ("waits", "alone"), [((), 5), ((1,), 1), ((5,), 3), ((5, 9), 3)], ids=["never", "first", "third", "later"]
)
def test_pages_are_read_side_by_side_from_the_first_on_that_is_waited_for(
    waits: tuple[int, ...], alone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So long as the work is all that there is, several threads would but take it from each other."""
    wall, work, readers = [0.0], [0.0], {}
    monkeypatch.setattr(listing, "WORTH_WAITING", 1.5)
    monkeypatch.setattr(listing, "perf_counter", lambda: wall[0])
    monkeypatch.setattr(listing, "thread_time", lambda: work[0])
    server = FakeServer(crowd(9), page=2, at_once=2)

    def take(request: httpx.Request) -> None:
        start = int(request.url.params.get("startIndex", "0"))
        readers[start] = current_thread()
        wall[0] += 2.0 if start in waits else 1.0
        work[0] += 1.0

    server.before_read = take

    assert listed(server) == names(9)
    assert [start for start in (1, 3, 5, 7, 9) if readers[start] is current_thread()] == [1, 3, 5, 7, 9][
        :alone
    ]


@pytest.mark.parametrize("at_once", [1, 2, 8])
@pytest.mark.parametrize("number", [5, 6, 7, 40])
def test_pages_of_different_sizes_are_a_whole_listing_all_the_same(at_once: int, number: int) -> None:
    server = FakeServer(crowd(number), page=3, listing=Listing.UNEVEN, at_once=at_once)

    assert listed(server) == names(number)


def test_a_total_that_is_a_lie_leads_to_few_requests() -> None:
    server = FakeServer(crowd(5), page=2, listing=Listing.ABSURD, at_once=4)

    with pytest.raises(ReadError) as caught:
        listed(server, most_pages=listing.MOST_PAGES)

    assert "totalResults says 1000000000, the pages end after 5 resources" in caught.value.message
    assert len(server.requests) < 2 + 2 * AHEAD * 4


def test_of_pages_side_by_side_the_first_that_fails_is_told() -> None:
    faults = [Fault("GET", 403, path="/Users", at=number) for number in (3, 4)]
    server = FakeServer(crowd(20), page=2, faults=faults)

    with pytest.raises(AnswerError) as caught:
        listed(server)

    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            Listing.IGNORES_START,
            "page 2 only repeats 2 resources of earlier pages, after 2 resources; is startIndex ignored?",
        ),
        (Listing.TOTAL_OF_PAGE, "totalResults says 2, but the page after these holds more"),
        (Listing.TOTAL_TOO_HIGH, "totalResults says 8, the pages end after 5 resources"),
        (Listing.TOTAL_TOO_LOW, "totalResults says 2, but the page after these holds more"),
        (Listing.NO_TOTAL, "the answer has no totalResults, so nobody can tell whether it is all"),
        (Listing.NO_RESOURCES, "totalResults says 5, the pages end after 0 resources"),
        (Listing.ENDLESS, "it has no end: 100 resources on 50 pages"),
        (Listing.OVERLAPS, "page 2 repeats 1 of its 2; it did not hold still in 3 readings"),
        (Listing.TWICE_ON_ONE_PAGE, "page 1 names 1 of its 2 twice"),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, Listing) else "",
)
def test_a_listing_by_index_that_lies_is_refused_with_its_numbers(fault: Listing, words: str) -> None:
    server = FakeServer(crowd(5), page=2, listing=fault)

    with pytest.raises(ReadError) as caught:
        listed(server)

    assert caught.value.message == f"could not list https://scim.test/scim/v2/Users: {words}"
    assert caught.value.exit_code is ExitCode.UNREADABLE
    assert server.writes == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Listing.SAME_CURSOR, "the server gave the same cursor twice, after 2 resources"),
        (Listing.EMPTY_PAGES, "3 pages in a row are empty, after 2 resources"),
        (Listing.ENDLESS, "it has no end: 100 resources on 50 pages"),
        (Listing.TOTAL_TOO_HIGH, "totalResults says 8, the pages end after 5 resources"),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, Listing) else "",
)
def test_a_listing_by_cursor_that_lies_is_refused_with_its_numbers(fault: Listing, words: str) -> None:
    server = FakeServer(crowd(5), page=2, cursors=True, cursor_only=True, listing=fault)

    with pytest.raises(ReadError) as caught:
        listed(server)

    assert caught.value.message == f"could not list https://scim.test/scim/v2/Users: {words}"


def test_a_server_that_ignores_the_index_is_refused_even_where_one_page_holds_all() -> None:
    server = FakeServer(crowd(5), page=100, listing=Listing.IGNORES_START)

    with pytest.raises(ReadError) as caught:
        listed(server)

    assert caught.value.message == (
        "could not list https://scim.test/scim/v2/Users: the server ignores startIndex: asked for what comes "
        "after the first 5, it answered 5 of them again, so nobody can tell whether there are more"
    )


def test_a_server_that_does_not_page_at_all_is_believed() -> None:
    assert listed(FakeServer(crowd(5), page=2, listing=Listing.IGNORES_START_AND_COUNT)) == names(5)


def test_counts_written_as_text_are_counts() -> None:
    assert listed(FakeServer(crowd(5), page=2, listing=Listing.COUNTS_AS_TEXT)) == names(5)


def test_a_listing_that_changes_once_is_read_again_from_the_start() -> None:
    server = FakeServer(crowd(6), page=2, listing=Listing.CHANGES_ONCE)

    assert listed(server) == names(6)[1:]
    assert server.reads.count("/Users?startIndex=1&count=2") == 2


def test_a_listing_that_never_holds_still_is_refused() -> None:
    server = FakeServer(crowd(20), page=2, listing=Listing.CHANGES_ALWAYS, at_once=1)

    with pytest.raises(ReadError) as caught:
        listed(server)

    assert caught.value.message == (
        "could not list https://scim.test/scim/v2/Users: totalResults was 16 at first and 15 on page 3; "
        "it did not hold still in 3 readings"
    )


def test_an_expired_cursor_starts_the_listing_again() -> None:
    server = FakeServer(crowd(5), page=2, cursors=True, cursor_only=True)
    server.faults = [
        Fault("GET", 200, JSON, FIRST_PAGE, path="/Users"),
        Fault("GET", 400, JSON, error_body(400, "expiredCursor"), path="/Users"),
    ]

    assert listed(server) == names(5)


def test_an_invalid_cursor_is_an_error_in_words() -> None:
    server = FakeServer(crowd(5), page=2, cursors=True, cursor_only=True)
    server.faults = [
        Fault("GET", 200, JSON, FIRST_PAGE, path="/Users"),
        Fault("GET", 400, JSON, error_body(400, "invalidCursor", "no such cursor"), path="/Users"),
    ]

    with pytest.raises(AnswerError) as caught:
        listed(server)

    assert caught.value.message == (
        "could not read https://scim.test/scim/v2/Users: "
        "the server answered 400 Bad Request (invalidCursor): 'no such cursor'"
    )


def test_where_attributes_is_refused_the_listing_does_without() -> None:
    server = FakeServer(crowd(3), page=2, projects=False)

    assert listed(server) == names(3)


def test_a_server_that_announces_cursors_wrongly_is_listed_by_index() -> None:
    server = FakeServer(crowd(3), page=2, cursors=True)
    server.config = {"pagination": {"cursor": True, "index": True, "defaultPaginationMethod": "cursor"}}
    server.faults = [Fault("GET", 501, JSON, error_body(501, detail="no cursors"), path="/Users")]

    assert listed(server) == names(3)
    assert server.reads[2] == "/Users?startIndex=1&count=100"


def test_a_filter_that_finds_nothing_may_be_answered_404() -> None:
    server = FakeServer(crowd(3), faults=[Fault("GET", 404, path="/Users")])

    assert listed(server, Query("/Users", (), 'groups.value eq "g"')) == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"id": "x"}', "the server answered something that is no list: no Resources, no totalResults"),
        ('{"totalResults": 1, "Resources": {}}', "totalResults says 1, the pages end after 0 resources"),
        (
            '{"totalResults": 1, "Resources": "u"}',
            "the server answered a list whose Resources are the text 'u'",
        ),
        (
            '{"totalResults": 1, "Resources": [7]}',
            "the server answered a list with entries that are no JSON objects",
        ),
        ('{"totalResults": -1}', "the server answered a list whose totalResults is the number -1"),
        ('{"totalResults": true}', "the server answered a list whose totalResults is true"),
        ('{"totalResults": 1, "Resources": [{}]}', "the server answered a resource whose id is missing"),
        (
            '{"totalResults": 1, "Resources": [{"id": 7}]}',
            "the server answered a resource whose id is the number 7",
        ),
        (
            '{"totalResults": 1, "Resources": [{"id": "u"}]}',
            "the server answered user 'u' without a userName",
        ),
        (
            '{"nextCursor": 7, "totalResults": 1}',
            "the server answered a list whose nextCursor is the number 7",
        ),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(body: str, words: str) -> None:
    server = FakeServer(faults=[Fault("GET", 200, JSON, body, path="/Users")])

    with pytest.raises(ReadError) as caught:
        listed(server)

    assert caught.value.message.removeprefix("could not list https://scim.test/scim/v2/Users: ") == words


def test_two_people_whose_names_differ_in_case_only_are_an_error() -> None:
    server = FakeServer([user("ada"), user("ADA"), user("bob")])

    with pytest.raises(ReadError) as caught:
        _ = Readings(server.client()).take("a test").people

    assert (caught.value.message, caught.value.hint) == (
        "two users have the same userName: 'ada@acme.example' (id 'u-ada') and "
        "'ADA@acme.example' (id 'u-ADA'); letter case makes no difference",
        "one of the two must be renamed or removed on the server",
    )


def test_an_empty_listing_is_asked_for_twice() -> None:
    server = FakeServer(crowd(3), faults=[Fault("GET", 200, JSON, '{"totalResults": 0}', path="/Users")])

    assert listed(server) == names(3)


def test_a_listing_that_is_empty_twice_is_empty() -> None:
    server = FakeServer()

    assert listed(server) == []
    assert server.reads == ["/ServiceProviderConfig", *["/Users?startIndex=1&count=100"] * 2]


@pytest.mark.parametrize("status", [400, 404])
def test_a_server_that_refuses_to_look_beyond_the_end_has_an_end(status: int) -> None:
    server = FakeServer(crowd(4), page=2, faults=[Fault("GET", status, path="/Users", at=3)])

    assert listed(server) == names(4)


def test_a_failure_beyond_the_end_is_a_failure() -> None:
    server = FakeServer(crowd(4), page=2, faults=[Fault("GET", 403, path="/Users", at=3)])

    with pytest.raises(AnswerError):
        listed(server)
