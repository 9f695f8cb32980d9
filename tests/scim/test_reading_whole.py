"""A reading is the truth or a ReadError, whatever the server does; and never sends a request that writes."""

from dataclasses import replace
from itertools import product

import pytest
from scim.fake_server import FakeServer, Fault, Listing, crowd, error_body, group, reset
from scim.worlds import organization, refs, role_names

from reconciler.directories.scim import ScimDirectory
from reconciler.errors import ReadError
from reconciler.model import LiveState, Membership
from reconciler.policy.document import StoredAs
from reconciler.scim.provider import ScimReader
from reconciler.scim.reading import Readings

NAMES = [f"p{index:03}" for index in range(7)]
LIES = set(Listing) - {Listing.ENDLESS, Listing.CHANGES_ONCE, Listing.CHANGES_ALWAYS}
"""Those with tests of their own, for what has no end and what is true for a moment only, left out."""

KNOBS: dict[str, dict[str, object]] = {
    **{f"listing {lie.name.lower()}": {"listing": lie} for lie in Listing if lie in LIES},
    **{f"cursor {lie.name.lower()}": {"listing": lie, "cursor_only": True} for lie in Listing if lie in LIES},
    "shows nothing": {"shows": frozenset()},
    "shows filter": {"shows": frozenset({"filter"})},
    "filters ignored": {"shows": frozenset({"filter"}), "filters": "ignored"},
    "filters refused": {"shows": frozenset(), "filters": "refused"},
    "no attributes": {"projects": False},
    "no etags": {"etags": "off"},
}
FAULTS = {
    "reset": reset(),
    "500": Fault(status=500),
    "429": Fault(status=429, headers={"retry-after": "5"}),
    "403": Fault(status=403),
    "404": Fault(status=404),
    "html": Fault(status=200, body="<html>"),
    "half json": Fault(status=200, body='{"Resources": ['),
    "error under 200": Fault(status=200, body=error_body(500)),
    "empty list": Fault(status=200, body='{"totalResults": 0}'),
    "empty object": Fault(status=200, body="{}"),
    "elsewhere": Fault(status=307, headers={"location": "https://evil.test/"}),
}


def server(**knobs: object) -> FakeServer:
    groups = [group("eng-web", *NAMES), group("ops", *NAMES[:2]), group("circleci-org-admin", *NAMES[2:])]
    values = {"page": 2, "cursors": "cursor_only" in knobs, **knobs}
    return FakeServer(crowd(7), groups, **values)  # type: ignore[arg-type]


def read(it: FakeServer, stored_as: StoredAs) -> tuple[LiveState, Membership]:
    client, settings = it.client(), organization(stored_as)
    readings = Readings(client)
    state = ScimReader(client, role_names(stored_as), settings, readings).read()
    return state, ScimDirectory(client, settings.directory, readings).read(list(refs("eng-web", "ops")))


def is_true(it: FakeServer, stored_as: StoredAs, answer: tuple[LiveState, Membership]) -> bool:
    """Whether an answer is what an honest server with the same data, now, gives."""
    honest = FakeServer(list(it.data["Users"].values()), list(it.data["Groups"].values()))
    return answer == read(honest, stored_as)


@pytest.mark.parametrize("stored_as", list(StoredAs))
@pytest.mark.parametrize("knobs", KNOBS.values(), ids=KNOBS)
def test_a_lying_server_is_seen_through_or_refused(knobs: dict[str, object], stored_as: StoredAs) -> None:
    it = server(**knobs)

    try:
        answer = read(it, stored_as)
    except ReadError:
        pass
    else:
        assert is_true(it, stored_as, answer)
    assert it.writes == []


@pytest.mark.parametrize("stored_as", list(StoredAs))
@pytest.mark.parametrize(("fault", "at"), list(product(FAULTS, range(9))))
def test_a_fault_at_any_request_is_survived_or_refused(fault: str, at: int, stored_as: StoredAs) -> None:
    it = server(faults=[replace(FAULTS[fault], at=at)])

    try:
        found = read(it, stored_as)
    except ReadError:
        pass
    else:
        assert is_true(it, stored_as, found)
    assert it.writes == []


def test_a_listing_that_failed_is_not_sent_again_in_the_same_reading() -> None:
    server = FakeServer([crowd(3)[0]], listing=Listing.TOTAL_TOO_HIGH)
    with server.client() as client:
        readings = Readings(client)
        with pytest.raises(ReadError) as first:
            _ = readings.take("one").people
        sent = len(server.requests)
        with pytest.raises(ReadError) as second:
            _ = readings.take("other").people
        assert (len(server.requests), second.value) == (sent, first.value)
        with pytest.raises(ReadError):
            _ = readings.take("one").people
        assert len(server.requests) > sent, "who asks a second time wants to know how it is now"
