"""Writing several people's roles in one bulk request: whose change is not certainly done is written alone."""

import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from fakes import Notes
from scim.fake_server import JSON, SECRET, FakeServer, Fault, refusal, reset, user
from scim.worlds import NONE, organization, person, role_names, set_roles, some

from reconciler import apply
from reconciler.change import Change, Result, SetActive, SetRoles
from reconciler.errors import ConflictError, ReadError
from reconciler.hands import written
from reconciler.model import ORGANIZATION, Role
from reconciler.plan import Plan
from reconciler.policy.document import Mode, StoredAs
from reconciler.scim import bulk
from reconciler.scim.discovery import Abilities, BulkLimits, abilities
from reconciler.scim.provider import ScimProvider

FOREIGN = {"value": "gadget", "type": "other"}
NAMES = ("ada", "bob", "cleo")
LARGE = 1_000_000

Told = dict[str, Any]


def world(*names: str, limits: tuple[int, int] | None = (1000, LARGE), **knobs: Any) -> FakeServer:
    people = [user(name, "Org-Viewer", FOREIGN) for name in names or NAMES]
    return FakeServer(people, **({"bulk": limits, "asked_for_bulk": True} | knobs))


def promotion(name: str) -> SetRoles:
    return set_roles(person(name), (ORGANIZATION, some(Role.VIEWER), some(Role.ADMIN)))


def promotions(*names: str) -> list[Change]:
    return [promotion(name) for name in names or NAMES]


def provider(server: FakeServer) -> ScimProvider:
    it = ScimProvider(server.writing_client(), role_names(), organization())
    it.read()
    server.requests.clear()
    return it


def carry_out(it: ScimProvider, changes: Sequence[Change]) -> dict[str, Exception]:
    """Write changes as a run does; why somebody's was not written."""
    failures: dict[str, Exception] = {}
    for portion in it.portions(changes):
        left = list(written(it, portion).left) if len(portion) > 1 else portion
        for change in left:
            if (failure := written(it, [change]).failure) is not None:
                assert isinstance(change, SetRoles)
                failures[change.principal.user_name.partition("@")[0]] = failure
    return failures


def is_promoted(server: FakeServer, *names: str) -> bool:
    return all(sorted(server.roles(name)) == ["gadget", "org-admin"] for name in names or NAMES)


PATCHES = [f"PATCH /Users/u-{name}" for name in NAMES]
LOOKS = [f"/Users/u-{name}?" for name in NAMES]


def looks(server: FakeServer) -> list[str]:
    return [read.partition("attributes")[0] for read in server.reads]


# -- what is sent ----------------------------------------------------------------------------------


def test_one_request_writes_several_people_each_by_the_version_that_was_read() -> None:
    server = world("ada", "bob")
    server.touch("u-bob")

    assert carry_out(provider(server), promotions("ada", "bob")) == {}

    [request] = server.requests
    assert (request.method, request.url.path) == ("POST", "/scim/v2/Bulk")
    assert request.headers["content-type"] == "application/scim+json"
    patch = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [
            {"op": "add", "path": "roles", "value": [{"value": "org-admin"}]},
            {"op": "remove", "path": 'roles[value eq "Org-Viewer"]'},
        ],
    }
    assert json.loads(request.content) == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            {
                "method": "PATCH",
                "path": f"/Users/u-{name}",
                "bulkId": f"u-{name}",
                "version": version,
                "data": patch,
            }
            for name, version in (("ada", 'W/"1"'), ("bob", 'W/"2"'))
        ],
    }
    assert is_promoted(server, "ada", "bob")


def test_no_version_is_sent_where_the_server_says_it_has_none() -> None:
    server = world(etags="unannounced")

    carry_out(provider(server), promotions())

    assert b"version" not in server.requests[-1].content
    assert server.writes == ["POST /Bulk"]


@pytest.mark.parametrize(
    ("number", "operations", "sizes"),
    [(3, 3, [3]), (3, 2, [2, 1]), (3, 1, [1, 1, 1]), (201, 1000, [100, 100, 1])],
    ids=["as many as it takes", "one more", "one at a time", "more than we send"],
)
def test_a_portion_holds_as_many_people_as_the_server_takes(
    number: int, operations: int, sizes: list[int]
) -> None:
    names = [f"p{index}" for index in range(number)]
    changes = promotions(*names)

    portions = list(provider(world(*names, limits=(operations, LARGE))).portions(changes))

    assert [len(portion) for portion in portions] == sizes
    assert [change for portion in portions for change in portion] == changes


def test_a_request_is_never_larger_than_the_server_takes() -> None:
    server = world("ada", "bob")
    carry_out(provider(server), promotions("ada", "bob"))
    size = len(server.requests[-1].content)

    def sizes(limit: int) -> list[int]:
        it = provider(world("ada", "bob", limits=(9, limit)))
        return [len(portion) for portion in it.portions(promotions("ada", "bob"))]

    assert [sizes(limit) for limit in (size, size - 1, 99)] == [[2], [1, 1], [1, 1]]


def test_two_changes_of_one_person_are_never_in_one_portion() -> None:
    it = provider(world("ada", "bob"))
    first, second = promotion("ada"), promotion("ada")

    portions = list(it.portions([first, promotion("bob"), second]))

    assert [len(portion) for portion in portions] == [2, 1]


@pytest.mark.parametrize(
    "knobs",
    [
        {"asked_for_bulk": False},
        {"limits": None},
        {"patches": False},
        {"config": {"bulk": {"supported": True}}},
        {"config": {"bulk": {"supported": False, "maxOperations": 9, "maxPayloadSize": LARGE}}},
    ],
    ids=["not asked for", "not announced", "no patch", "no limits announced", "announced as lacking"],
)
def test_each_person_is_written_alone_where_it_cannot_be_otherwise(knobs: dict[str, Any]) -> None:
    server = world(**knobs)

    assert carry_out(provider(server), promotions()) == {}

    assert "POST /Bulk" not in server.writes
    assert is_promoted(server)


def test_who_takes_a_look_first_is_written_alone_and_what_is_no_role_too() -> None:
    server = world("ada", "bob", "cleo", "dan")
    it = provider(server)
    stale = set_roles(person("cleo"), (ORGANIZATION, some(Role.CONTRIBUTOR), some(Role.ADMIN)))
    others: list[Change] = [SetActive(person("dan"), False), stale, promotion("new")]

    portions = it.portions([promotion("ada"), *others, promotion("bob")])

    assert sorted(map(len, portions)) == [1, 1, 1, 2]


def test_a_way_that_proved_wrong_ends_all_that_is_sent_together() -> None:
    server = world("ada", "bob", "cleo", "dan", limits=(2, LARGE), patch_paths=False)

    assert carry_out(provider(server), promotions("ada", "bob", "cleo", "dan")) == {}

    assert server.writes.count("POST /Bulk") == 1
    assert is_promoted(server, "ada", "bob", "cleo", "dan")


# -- what comes back -------------------------------------------------------------------------------


def result(name: str, status: object = "204", **others: object) -> Told:
    at = f"https://scim.test/scim/v2/Users/u-{name}"
    told = {"bulkId": f"u-{name}", "location": at, "method": "PATCH", "status": status} | others
    return {name: value for name, value in told.items() if value is not None}


ADA, BOB = result("ada"), result("bob")
ERROR = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "400"}


@pytest.mark.parametrize(
    ("results", "done"),
    [
        ([ADA, BOB], "ada bob"),
        ([BOB, ADA], "ada bob"),
        ([ADA, result("bob", "412")], "ada"),
        ([ADA, result("bob", 200)], "ada bob"),
        ([ADA, result("bob", {"code": "200"})], "ada bob"),
        ([ADA, result("bob", {"code": 204})], "ada bob"),
        ([ADA, result("bob", {"code": "404", "description": "gone"})], "ada"),
        ([ADA, result("bob", True)], "ada"),
        ([ADA, result("bob", "2000")], "ada"),
        ([ADA, result("bob", "done")], "ada"),
        ([ADA, result("bob", None)], "ada"),
        ([ADA, result("bob", response=ERROR)], "ada"),
        ([ADA, result("bob", response={"id": "u-bob"})], "ada bob"),
        ([ADA, result("bob", method="POST")], "ada"),
        ([ADA, result("bob", method="patch")], "ada bob"),
        ([ADA, result("bob", method=None)], "ada bob"),
        ([ADA], "ada"),
        ([ADA, BOB, BOB], "ada"),
        ([ADA, BOB, result("bob", "500")], "ada"),
        ([ADA, result("eve")], "ada"),
        ([ADA, result("bob", bulkId=None)], "ada bob"),
        ([ADA, result("bob", location=None)], "ada bob"),
        ([ADA, result("bob", location=None, bulkId=None)], "ada"),
        ([ADA, result("bob", location="http://inside:8080/v2/users/u-bob/")], "ada bob"),
        ([ADA, result("bob", location="/Users/u-bob")], "ada bob"),
        ([ADA, result("bob", location="https://scim.test/scim/v2/Groups/u-bob")], "ada"),
        ([ADA, result("bob", location="https://scim.test/scim/v2/Users/u-eve")], "ada"),
        ([ADA, result("bob", location="https://scim.test/scim/v2/Users/u-ada")], ""),
        ([result("ada", bulkId="u-bob"), result("bob", bulkId="u-ada")], ""),
        ([ADA, result("bob", bulkId="u-eve")], "ada"),
        ([ADA, None, "u-bob", []], "ada"),
        ([ADA, result("bob", bulkId=["u-bob"], location={})], "ada"),
        ([], ""),
        ({"u-ada": ADA}, ""),
        (None, ""),
    ],
)
def test_only_who_is_told_of_once_and_as_done_is_written(results: object, done: str) -> None:
    answer = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"], "Operations": results}

    assert set(bulk.written(answer, {"u-ada", "u-bob"})) == {f"u-{name}" for name in done.split()}


@pytest.mark.parametrize(
    "schemas",
    [
        None,
        "urn:ietf:params:scim:api:messages:2.0:BulkResponse",
        [],
        ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        [["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]],
    ],
)
def test_what_is_no_bulk_response_tells_of_nobody(schemas: object) -> None:
    assert not bulk.written({"schemas": schemas, "Operations": [ADA, BOB]}, {"u-ada", "u-bob"})


def test_a_percent_sign_in_a_location_is_read_as_it_was_sent() -> None:
    odd = user("ada", "Org-Viewer", id="a/../b?c#d e%20f")
    server = FakeServer([odd, user("bob", "Org-Viewer")], bulk=(9, LARGE), asked_for_bulk=True)
    changes = [set_roles(person("ada", id=odd["id"]), *_scopes(promotion("ada"))), promotion("bob")]

    assert carry_out(provider(server), changes) == {}

    assert (server.writes, server.reads) == (["POST /Bulk"], [])
    assert server.data["Users"][odd["id"]]["roles"] == [{"value": "org-admin"}]


def _scopes(change: SetRoles) -> list[Any]:
    return [(scope.scope, scope.before, scope.after) for scope in change.scopes]


# -- what is left ----------------------------------------------------------------------------------


def test_who_was_refused_among_others_is_looked_at_and_written_alone() -> None:
    server = world(faults=[Fault("PATCH", 500, path="u-bob")])

    assert carry_out(provider(server), promotions()) == {}

    assert server.writes == ["POST /Bulk", "PATCH /Users/u-bob"]
    assert looks(server) == ["/Users/u-bob?"]
    assert is_promoted(server)


def test_who_is_refused_for_good_is_told_with_the_reason() -> None:
    no = Fault("PATCH", 400, JSON, refusal("", 400, "invalidValue", "no admins today").body, path="u-bob")
    server = world(faults=[no, no])

    failures = carry_out(provider(server), promotions())

    assert {name: str(failure) for name, failure in failures.items()} == {
        "bob": "could not set the roles of 'bob@acme.example': "
        "the server answered 400 Bad Request (invalidValue): 'no admins today'"
    }
    assert is_promoted(server, "ada", "cleo")
    assert server.roles("bob") == ["Org-Viewer", "gadget"]


def test_who_was_changed_meanwhile_is_a_conflict_and_stays() -> None:
    def somebody_else(server: FakeServer) -> None:
        server.data["Users"]["u-bob"]["roles"] = [{"value": "org-contributor"}]
        server.touch("u-bob")

    server = world(before_write=[somebody_else])

    failures = carry_out(provider(server), promotions())

    assert {name: type(failure) for name, failure in failures.items()} == {"bob": ConflictError}
    assert server.roles("bob") == ["org-contributor"]
    assert is_promoted(server, "ada", "cleo")


@pytest.mark.parametrize(
    "fault",
    [
        reset("POST", after_effect=True),
        Fault("POST", 500, after_effect=True),
        Fault("POST", 503, after_effect=True),
        Fault("POST", 200, body="<html>Please log in", after_effect=True),
        Fault("POST", 200, JSON, json.dumps({"token": SECRET}), after_effect=True),
        Fault("POST", 202, after_effect=True),
        Fault("POST", 413, after_effect=True),
        Fault("POST", breaks=lambda request: httpx.ReadTimeout("slow", request=request), after_effect=True),
    ],
    ids=["reset", "500", "503", "a web page", "the token", "nothing", "a lie of refusal", "timeout"],
)
def test_where_the_answer_is_lost_everybody_is_looked_at_and_nothing_sent_again(fault: Fault) -> None:
    server = world(faults=[fault])

    assert carry_out(provider(server), promotions()) == {}

    assert server.writes == ["POST /Bulk"]
    assert looks(server) == LOOKS
    assert is_promoted(server)


@pytest.mark.parametrize(
    "fault",
    [reset("POST"), Fault("POST", 500), Fault("POST", 413), Fault("POST", 409), Fault("POST", 307)],
    ids=["reset", "500", "413", "409", "a redirect"],
)
def test_a_request_that_came_to_nothing_costs_only_its_own_people_one_by_one(fault: Fault) -> None:
    server = world("ada", "bob", "cleo", "dan", limits=(2, LARGE), faults=[fault])

    assert carry_out(provider(server), promotions("ada", "bob", "cleo", "dan")) == {}

    assert server.writes == ["POST /Bulk", *PATCHES[:2], "POST /Bulk"]
    assert is_promoted(server, "ada", "bob", "cleo", "dan")


@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
def test_a_server_that_cannot_do_it_is_not_asked_again(status: int) -> None:
    server = world("ada", "bob", "cleo", "dan", limits=(2, LARGE), faults=[refusal("POST", status)])
    it = provider(server)

    assert carry_out(it, promotions("ada", "bob", "cleo", "dan")) == {}

    assert server.writes == ["POST /Bulk", *PATCHES, "PATCH /Users/u-dan"]
    assert looks(server) == LOOKS[:2]
    assert is_promoted(server, "ada", "bob", "cleo", "dan")
    assert [len(portion) for portion in it.portions(promotions("eve", "fay"))] == [1, 1]


@pytest.mark.parametrize(
    "knobs",
    [
        {"tells": lambda _: []},
        {"tells": lambda results: [{"status": one["status"]} for one in results]},
        {"etags": "never-match"},
    ],
    ids=["says nothing", "says of nobody", "etags never match"],
)
def test_a_server_whose_answer_is_of_no_use_is_not_asked_again(knobs: dict[str, Any]) -> None:
    server = world("ada", "bob", "cleo", "dan", limits=(2, LARGE), **knobs)

    assert carry_out(provider(server), promotions("ada", "bob", "cleo", "dan")) == {}

    assert server.writes.count("POST /Bulk") == 1
    assert is_promoted(server, "ada", "bob", "cleo", "dan")


@pytest.mark.parametrize("status", [429, 503])
def test_who_is_asked_to_wait_sends_the_same_request_again(status: int) -> None:
    server = world(faults=[Fault("POST", status, {"retry-after": "3"})])

    assert carry_out(provider(server), promotions()) == {}

    assert server.writes == ["POST /Bulk"] * 2
    assert server.time.slept == [3]
    assert is_promoted(server)


def test_one_who_is_asked_to_wait_among_others_is_written_alone() -> None:
    server = world(faults=[Fault("PATCH", 429, path="u-cleo")])

    assert carry_out(provider(server), promotions()) == {}

    assert server.writes == ["POST /Bulk", "PATCH /Users/u-cleo"]


def test_an_answer_about_another_person_writes_neither_twice() -> None:
    def swapped(results: list[Told]) -> list[Told]:
        one, two, *rest = results
        return [one | {"location": two["location"]}, two | {"location": one["location"]}, *rest]

    server = world(tells=swapped)

    assert carry_out(provider(server), promotions()) == {}

    assert server.writes == ["POST /Bulk"]
    assert looks(server) == LOOKS[:2]


# -- afterwards ------------------------------------------------------------------------------------


@pytest.mark.parametrize("answered", [True, False], ids=["told as done", "answer lost"])
def test_a_write_that_took_more_than_it_was_asked_to_is_found_out(answered: bool) -> None:
    def greedy(server: FakeServer) -> None:
        server.data["Users"]["u-bob"]["roles"].remove(FOREIGN)

    server = world(etags="off", before_write=[greedy])
    server.faults = [] if answered else [reset("POST", after_effect=True)]
    it = provider(server)
    assert carry_out(it, promotions()) == {}

    with pytest.raises(ReadError) as caught:
        it.read_back(["u-ada", "u-bob", "u-cleo"])

    assert caught.value.message == (
        "'bob@acme.example' does not have 'gadget' any more, which this run did not ask for"
    )


def test_a_second_change_of_who_was_written_together_takes_a_look() -> None:
    server = world()
    it = provider(server)
    carry_out(it, promotions())
    server.requests.clear()
    demotion = set_roles(person("ada"), (ORGANIZATION, some(Role.ADMIN), NONE))

    assert carry_out(it, [demotion, promotion("bob")]) == {}

    assert looks(server) == LOOKS[:2]
    assert server.writes == ["PATCH /Users/u-ada"]


def test_a_run_unseats_admins_alone_and_reads_back_who_was_written_together() -> None:
    server = world()
    server.data["Users"] |= {f"u-{name}": user(name, "org-admin") for name in ("old", "older")}
    no = Fault("PATCH", 400, JSON, refusal("", 400, "invalidValue", "no").body, path="u-bob")
    server.faults = [no, no]
    it = ScimProvider(server.writing_client(), role_names(), organization())
    live = it.read()
    server.requests.clear()
    leaves = [set_roles(person(name), (ORGANIZATION, some(Role.ADMIN), NONE)) for name in ("old", "older")]
    plan = Plan("acme", "https://scim.test", Mode.ENFORCE, (*promotions(), *leaves))

    outcomes = apply.carry_out(plan, it, live, 1, Notes(), lambda _: None)

    results = [outcome.result for outcome in outcomes]
    assert results == [Result.APPLIED, Result.FAILED, Result.APPLIED, Result.APPLIED, Result.APPLIED]
    assert server.writes == [
        "POST /Bulk",
        "PATCH /Users/u-bob",
        "PATCH /Users/u-old",
        "PATCH /Users/u-older",
    ]


def test_a_run_finds_out_who_was_told_of_as_done_and_is_not() -> None:
    server = world(keeps_roles=False)
    it = ScimProvider(server.writing_client(), role_names(), organization())
    plan = Plan("acme", "https://scim.test", Mode.ENFORCE, tuple(promotions()))

    outcomes = apply.carry_out(plan, it, it.read(), 0, Notes(), lambda _: None)

    assert {(outcome.result, outcome.detail) for outcome in outcomes} == {
        (Result.FAILED, "the server accepted it and did not keep it: organization")
    }
    assert server.writes == ["POST /Bulk"]


def test_roles_in_groups_are_written_as_ever() -> None:
    server = world()
    it = ScimProvider(server.writing_client(), role_names(StoredAs.GROUPS), organization(StoredAs.GROUPS))
    it.read()

    assert [len(portion) for portion in it.portions(promotions())] == [3]

    carry_out(it, promotions())
    assert "POST /Bulk" not in server.writes


@pytest.mark.parametrize(
    ("section", "limits"),
    [
        ({"supported": True, "maxOperations": 9, "maxPayloadSize": 99}, BulkLimits(9, 99)),
        ({"Supported": "true", "MaxOperations": 9, "maxpayloadsize": 99}, BulkLimits(9, 99)),
        ({"supported": False, "maxOperations": 9, "maxPayloadSize": 99}, None),
        ({"maxOperations": 9, "maxPayloadSize": 99}, None),
        ({"supported": True, "maxOperations": 0, "maxPayloadSize": 99}, None),
        ({"supported": True, "maxOperations": True, "maxPayloadSize": 99}, None),
        ({"supported": True, "maxOperations": 9}, None),
        ({"supported": True, "maxOperations": 9, "maxPayloadSize": "99"}, None),
        ("yes", None),
    ],
)
def test_what_is_announced_of_bulk_requests_is_read_tolerantly(
    section: object, limits: BulkLimits | None
) -> None:
    assert abilities(FakeServer(config={"bulk": section}).client()) == Abilities(bulk=limits)
