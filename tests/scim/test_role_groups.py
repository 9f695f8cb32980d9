"""Roles stored as groups: reading them, joining, leaving, creating without twins."""

import json
import re
from itertools import groupby
from threading import Thread, get_ident

import httpx
import pytest
from scim.fake_server import FakeServer, Fault, Resource, error_body, group, refusal, reset, user
from scim.worlds import NONE, STOREFRONT, organization, person, role_names, set_roles, some

from reconciler.change import CreateGroup, SetRoles
from reconciler.errors import ReadError, WriteError
from reconciler.model import ORGANIZATION, LiveState, Role
from reconciler.policy.document import MembersFrom, StoredAs
from reconciler.scim.provider import ScimProvider

ADMINS, VIEWERS, WEB = "circleci-org-admin", "circleci-org-viewer", "eng-web"
ADA = person("ada")
PROMOTE = set_roles(ADA, (ORGANIZATION, some(Role.VIEWER), some(Role.ADMIN)))
CREATE = CreateGroup(STOREFRONT, Role.ADMIN, "circleci-storefront-admin")


def world(*groups: Resource, **knobs: object) -> FakeServer:
    given = groups or (group(ADMINS, "bob"), group(VIEWERS, "ada"), group(WEB, "ada", "bob"))
    return FakeServer([user("ada"), user("bob")], given, **knobs)  # type: ignore[arg-type]


def provider(server: FakeServer, members_from: MembersFrom = MembersFrom.AUTO) -> ScimProvider:
    it = ScimProvider(
        server.writing_client(), role_names(StoredAs.GROUPS), organization(StoredAs.GROUPS, members_from)
    )
    it.read()
    server.requests.clear()
    return it


@pytest.mark.parametrize("shows", ["members", "groups", "filter"])
def test_who_is_in_a_role_group_has_the_role(shows: str) -> None:
    server = world(shows=frozenset({shows}))

    assert provider(server).read() == LiveState(
        {"u-ada": person("ada"), "u-bob": person("bob")},
        {"u-ada": {ORGANIZATION: some(Role.VIEWER)}, "u-bob": {ORGANIZATION: some(Role.ADMIN)}},
        frozenset({(ORGANIZATION, Role.ADMIN), (ORGANIZATION, Role.VIEWER)}),
    )


def test_role_groups_that_are_all_empty_are_believed_where_another_group_shows_somebody() -> None:
    state = provider(world(group(ADMINS), group(WEB, "ada"))).read()

    assert (state.roles, state.role_groups) == ({}, frozenset({(ORGANIZATION, Role.ADMIN)}))


def test_where_no_group_shows_anybody_role_groups_are_not_believed_to_be_empty() -> None:
    with pytest.raises(ReadError) as caught:
        provider(world(group(ADMINS), group(WEB)))

    assert "no way shows a single member" in caught.value.message


def test_a_server_without_any_role_group_has_no_roles_and_nothing_to_doubt() -> None:
    state = provider(world(group(WEB))).read()

    assert (state.roles, state.role_groups) == ({}, frozenset())


def test_a_member_who_is_no_user_of_the_server_is_left_alone() -> None:
    assert provider(world(group(ADMINS, "ada", "ghost"))).read().roles == {
        "u-ada": {ORGANIZATION: some(Role.ADMIN)}
    }


def test_two_groups_for_one_role_are_an_error() -> None:
    with pytest.raises(ReadError) as caught:
        provider(world(group(ADMINS, "ada", id="g-1"), group(ADMINS.upper(), "bob", id="g-2")))

    assert (caught.value.message, caught.value.hint) == (
        "two groups stand for the role admin in organization: 'circleci-org-admin' (id 'g-1') and "
        "'CIRCLECI-ORG-ADMIN' (id 'g-2')",
        "one of the two must be renamed or removed on the server",
    )


def test_a_role_group_that_cannot_be_seen_through_is_an_error() -> None:
    with pytest.raises(ReadError) as caught:
        provider(world(group(ADMINS, {"value": "g-x", "type": "Group"}, "ada")))

    assert caught.value.message == (
        "could not tell who is in the role group 'circleci-org-admin': "
        "it contains the group 'g-x', which the server does not list"
    )


def test_joining_comes_before_leaving_and_names_one_member_each() -> None:
    server = world()

    provider(server).write(PROMOTE)

    assert [(r.method, r.url.path, json.loads(r.content)["Operations"]) for r in server.requests] == [
        (
            "PATCH",
            f"/scim/v2/Groups/g-{ADMINS}",
            [{"op": "add", "path": "members", "value": [{"value": "u-ada"}]}],
        ),
        ("PATCH", f"/scim/v2/Groups/g-{VIEWERS}", [{"op": "remove", "path": 'members[value eq "u-ada"]'}]),
    ]
    assert (server.members(ADMINS), server.members(VIEWERS)) == (["u-ada", "u-bob"], [])
    assert server.members(WEB) == ["u-ada", "u-bob"]


@pytest.mark.parametrize("shows", ["members", "groups", "filter"])
@pytest.mark.parametrize(
    "fault",
    [
        reset("PATCH"),
        reset("PATCH", after_effect=True),
        Fault("PATCH", 500),
        Fault("PATCH", 500, after_effect=True),
        Fault("PATCH", 409, body=error_body(409, "uniqueness", "already a member"), after_effect=True),
        Fault("PATCH", 404, body=error_body(404, detail="not a member"), after_effect=True),
        Fault("PATCH", 429, {"retry-after": "2"}),
    ],
    ids=["reset before", "reset after", "500 before", "500 after", "already", "not a member", "busy"],
)
def test_an_answer_that_proves_nothing_is_looked_at(shows: str, fault: Fault) -> None:
    server = world(shows=frozenset({shows}), faults=[fault])

    provider(server).write(PROMOTE)

    assert (server.members(ADMINS), server.members(VIEWERS)) == (["u-ada", "u-bob"], [])


def test_a_write_without_a_reading_finds_its_groups() -> None:
    server = world()
    it = ScimProvider(server.writing_client(), role_names(StoredAs.GROUPS), organization(StoredAs.GROUPS))

    it.write(PROMOTE)

    assert server.members(ADMINS) == ["u-ada", "u-bob"]


@pytest.mark.parametrize(
    ("faults", "change", "message"),
    [
        (
            [refusal("PATCH", 400, "invalidValue", "no")],
            PROMOTE,
            "could not add 'ada@acme.example' to the group 'circleci-org-admin': "
            "the server answered 400 Bad Request (invalidValue): 'no'",
        ),
        (
            [Fault("PATCH", 400, body=error_body(400, "invalidPath", "no filters"), path=VIEWERS)],
            PROMOTE,
            "could not remove 'ada@acme.example' from the group 'circleci-org-viewer': "
            "the server answered 400 Bad Request (invalidPath): 'no filters'",
        ),
        (
            [reset("PATCH")] * 9,
            PROMOTE,
            "could not add 'ada@acme.example' to the group 'circleci-org-admin': "
            "the connection broke before the answer was whole: connection reset by peer",
        ),
        (
            [],
            set_roles(ADA, (STOREFRONT, NONE, some(Role.VIEWER))),
            "could not set the roles of 'ada@acme.example': there is no group 'circleci-storefront-viewer'",
        ),
        (
            [reset("PATCH"), refusal("GET", 403, detail="no")],
            PROMOTE,
            "could not tell which roles 'ada@acme.example' has now: could not read "
            "https://scim.test/scim/v2/Groups: the server answered 403 Forbidden: 'no'",
        ),
    ],
    ids=["refused", "no filters in paths", "always broken", "no such group", "cannot look"],
)
def test_a_write_that_fails_says_why(faults: list[Fault], change: SetRoles, message: str) -> None:
    server = world()
    it = provider(server)
    server.faults = faults

    with pytest.raises(WriteError) as caught:
        it.write(change)

    assert caught.value.message == message
    assert "u-ada" in server.members(VIEWERS)


@pytest.mark.parametrize(
    "faults",
    [
        [],
        [reset("POST", after_effect=True)],
        [Fault("POST", 409, after_effect=True)],
        [Fault("POST", 504, after_effect=True)],
        [Fault("POST", 429, after_effect=True)],
        [Fault("POST", 503, {"retry-after": "1"}, after_effect=True)],
    ],
    ids=["usual", "reset after", "409 after", "504 after", "429 after", "503 after"],
)
def test_a_group_is_created_once_and_can_be_joined_at_once(faults: list[Fault]) -> None:
    server = world(faults=faults)
    it = provider(server)

    it.write(CREATE)
    it.write(CREATE)
    it.write(set_roles(ADA, (STOREFRONT, NONE, some(Role.ADMIN))))

    assert [write for write in server.writes if write.startswith("POST")] == ["POST /Groups"]
    assert server.members("circleci-storefront-admin") == ["u-ada"]


def test_a_creation_that_a_busy_server_did_not_do_is_sent_again() -> None:
    server = world(faults=[Fault("POST", 429, {"retry-after": "1"})])

    provider(server).write(CREATE)

    assert server.writes == ["POST /Groups"] * 2
    assert server.members("circleci-storefront-admin") == []


def test_a_creation_that_may_still_happen_is_not_sent_again() -> None:
    server = world(faults=[reset("POST")])

    with pytest.raises(WriteError) as caught:
        provider(server).write(CREATE)

    assert caught.value.message == (
        "could not create the group 'circleci-storefront-admin': "
        "the connection broke before the answer was whole: connection reset by peer"
    )
    assert server.writes == ["POST /Groups"]


def test_no_group_is_created_while_another_one_is_looked_for() -> None:
    """A list that grows between two of its pages would be refused, and the group not created."""
    server = world(page=1, at_once=1)
    it = provider(server)
    other = Thread(
        target=it.write, args=(CreateGroup(STOREFRONT, Role.VIEWER, "circleci-storefront-viewer"),)
    )
    readers: list[int] = []

    def meanwhile(_: httpx.Request) -> None:
        readers.append(get_ident())
        if len(readers) == 2:
            other.start()
            other.join(0.1)  # which is in vain, unless it is wrong

    server.before_read = meanwhile
    it.write(CREATE)
    other.join()

    assert [reader for reader, _ in groupby(readers)] == [get_ident(), readers[-1]]
    assert server.writes == ["POST /Groups"] * 2


def test_reading_back_sees_what_was_written_and_who_is_gone() -> None:
    server = world()
    it = provider(server)
    it.write(PROMOTE)
    it.write(set_roles(person("bob"), (ORGANIZATION, some(Role.ADMIN), NONE)))

    assert it.read_back(["u-ada", "u-bob", "u-gone"]).roles == {
        "u-ada": {ORGANIZATION: some(Role.ADMIN)},
        "u-bob": {},
    }


# Many members in one request


CROWD = [f"p{index:03}" for index in range(230)]
JOIN = [set_roles(person(name), (ORGANIZATION, NONE, some(Role.VIEWER))) for name in CROWD]
LEAVE = [set_roles(person(name), (ORGANIZATION, some(Role.VIEWER), NONE)) for name in CROWD]


def crowded(*inside: str, **knobs: object) -> FakeServer:
    groups = [group(ADMINS, "bob"), group(VIEWERS, "ada", *inside), group(WEB, "ada", "bob")]
    people = [user("ada"), user("bob"), *map(user, CROWD)]
    return FakeServer(people, groups, **{"page": 1000, **knobs})  # type: ignore[arg-type]


def sent(server: FakeServer) -> list[list[str]]:
    """The names that each request that writes was for."""
    writes = [request for request in server.requests if request.method != "GET"]
    return [re.findall(r"u-(\w+)", request.content.decode()) for request in writes]


def test_a_hundred_join_a_group_in_one_request() -> None:
    server = crowded()
    it = provider(server)

    portions = list(it.portions(JOIN))
    left = [change for portion in portions for change in it.write_together(portion)]

    assert ([len(portion) for portion in portions], left) == ([100, 100, 30], [])
    assert sent(server) == [CROWD[:100], CROWD[100:200], CROWD[200:]]
    assert server.members(VIEWERS) == sorted(f"u-{name}" for name in ["ada", *CROWD])


def test_a_hundred_leave_a_group_in_one_request_each_by_name_and_nobody_else() -> None:
    server = crowded(*CROWD)
    it = provider(server)

    assert list(it.write_together(LEAVE[:100])) == []

    [request] = server.requests
    assert json.loads(request.content)["Operations"] == [
        {"op": "remove", "path": f'members[value eq "u-{name}"]'} for name in CROWD[:100]
    ]
    assert server.members(VIEWERS) == sorted(f"u-{name}" for name in ["ada", *CROWD[100:]])


def test_who_joins_and_leaves_is_written_with_those_who_join_and_leave_the_same() -> None:
    here, there = (ORGANIZATION, NONE, some(Role.VIEWER)), (ORGANIZATION, NONE, some(Role.ADMIN))
    turns = [set_roles(person(name), here if at % 2 else there) for at, name in enumerate(CROWD[:20])]
    it = provider(crowded())

    portions = [list(portion) for portion in it.portions([CREATE, *turns])]

    assert portions == [[CREATE], turns[1::2], turns[::2]]


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        (refusal("PATCH", 400, "invalidValue", "no such member"), 3),
        (reset("PATCH"), 3),
        (reset("PATCH", after_effect=True), 0),
        (Fault("PATCH", 500, after_effect=True), 0),
        (Fault("PATCH", 429, {"retry-after": "2"}), 0),
    ],
    ids=["refused", "reset before", "reset after", "500 after", "busy"],
)
def test_who_was_not_written_with_others_is_left_after_a_look_where_nobody_knows(
    fault: Fault, left: int
) -> None:
    server = crowded(faults=[fault])
    it = provider(server)

    assert len(it.write_together(JOIN[:3])) == left
    assert ("u-p000" in server.members(VIEWERS)) is (left == 0)


def test_where_nobody_can_look_either_each_is_looked_at_before_it_is_sent_again() -> None:
    server = crowded()
    it = provider(server)
    server.faults = [reset("PATCH", after_effect=True), refusal("GET", 403, detail="no")]

    assert list(it.write_together(JOIN[:2])) == JOIN[:2]
    it.write(JOIN[0])

    assert [request.method for request in server.requests].count("PATCH") == 1


def test_who_could_not_join_with_others_does_not_leave_with_others() -> None:
    server = crowded(*CROWD)
    it = provider(server)
    server.faults = [refusal("PATCH", 400, detail="no")]
    swap = [set_roles(person(n), (ORGANIZATION, some(Role.VIEWER), some(Role.ADMIN))) for n in CROWD[:2]]

    assert list(it.write_together(swap)) == swap
    assert {"u-p000", "u-p001"} <= set(server.members(VIEWERS))
    assert len(sent(server)) == 1
