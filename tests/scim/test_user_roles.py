"""Writing roles that are stored on the user: one request, nothing else touched, looked at where in doubt."""

import json
from typing import Any

import httpx
import pytest
from scim.fake_server import FakeServer, Fault, refusal, reset, user
from scim.worlds import NONE, STOREFRONT, organization, person, role_names, set_roles, some

from reconciler.change import CreateGroup, SetRoles
from reconciler.errors import ConflictError, ExitCode, ReadError, WriteError
from reconciler.model import ORGANIZATION, Role, Scope
from reconciler.scim.provider import ScimProvider

FOREIGN = {"value": "gadget", "type": "other", "primary": True, "x": [1]}
ENTRA = '{"id":"8a1","value":"project-admin:storefront"}'

ADA = person("ada")
PROMOTE = set_roles(
    ADA,
    (ORGANIZATION, some(Role.VIEWER), some(Role.ADMIN)),
    (STOREFRONT, some(Role.ADMIN), NONE),
)
AFTER = ["gadget", "org-admin"]


def ada(*roles: object) -> dict[str, Any]:
    return user("ada", *(roles or ("Org-Viewer", FOREIGN, ENTRA))) | {"urn:x:ext": {"badge": 7}}


def provider(server: FakeServer, *, reads: bool = True) -> ScimProvider:
    it = ScimProvider(server.writing_client(), role_names(), organization())
    if reads:
        it.read()
        server.requests.clear()
    return it


def fails(server: FakeServer, change: SetRoles = PROMOTE) -> WriteError:
    it = provider(server)
    with pytest.raises(WriteError) as caught:
        it.write(change)
    assert caught.value.exit_code is ExitCode.PARTLY_APPLIED
    return caught.value


def body(server: FakeServer, index: int = -1) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads([r for r in server.requests if r.method != "GET"][index].content)
    return sent


def test_one_request_adds_and_removes_by_the_spelling_that_was_read() -> None:
    server = FakeServer([ada()])

    provider(server).write(PROMOTE)

    [request] = server.requests
    assert (request.method, request.url.path) == ("PATCH", "/scim/v2/Users/u-ada")
    assert request.headers["if-match"] == 'W/"1"'
    assert body(server) == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [
            {"op": "add", "path": "roles", "value": [{"value": "org-admin"}]},
            {"op": "remove", "path": 'roles[value eq "Org-Viewer"]'},
            {"op": "remove", "path": f"roles[value eq {json.dumps(ENTRA)}]"},
        ],
    }
    assert server.data["Users"]["u-ada"] == ada(FOREIGN, "org-admin")


WAYS = pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"patch_paths": False},
        {"patches": False},
        {"projects": False},
        {"etags": "off"},
        {"etags": "never-match"},
    ],
    ids=["usual", "no filters in paths", "no patch", "no attributes", "no etags", "etags never match"],
)


@WAYS
@pytest.mark.parametrize("reads", [True, False], ids=["after a reading", "without a reading"])
def test_what_is_foreign_survives_every_way_of_writing(knobs: dict[str, Any], reads: bool) -> None:
    server = FakeServer([ada()], **knobs)

    provider(server, reads=reads).write(PROMOTE)

    assert server.data["Users"]["u-ada"]["urn:x:ext"] == {"badge": 7}
    assert FOREIGN in server.data["Users"]["u-ada"]["roles"]
    assert sorted(server.roles("ada")) == AFTER


@WAYS
def test_writing_what_is_already_so_writes_nothing(knobs: dict[str, Any]) -> None:
    server = FakeServer([ada(FOREIGN, "org-admin")], **knobs)

    provider(server).write(PROMOTE)

    assert server.writes == []


def test_a_server_without_filters_in_paths_is_asked_the_plain_way_from_then_on() -> None:
    server = FakeServer([user("ada"), user("bob")], patch_paths=False)
    server.data["Users"]["u-ada"]["roles"] = server.data["Users"]["u-bob"]["roles"] = [{"value": "org-admin"}]
    it = provider(server)
    change = (ORGANIZATION, some(Role.ADMIN), NONE)

    it.write(set_roles(ADA, change))
    it.write(set_roles(person("bob"), change))

    assert server.writes == ["PATCH /Users/u-ada", "PATCH /Users/u-ada", "PATCH /Users/u-bob"]
    assert body(server) == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "roles", "value": []}],
    }


def test_a_put_sends_the_whole_user_back_with_the_version_just_read() -> None:
    server = FakeServer([ada()], patches=False)

    provider(server).write(PROMOTE)

    put = server.requests[-1]
    assert (put.method, put.headers["if-match"]) == ("PUT", 'W/"1"')
    assert {"id", "userName", "active", "urn:x:ext", "groups", "meta"} <= body(server).keys()


def test_no_version_is_sent_where_the_server_says_it_has_none() -> None:
    server = FakeServer([ada()], etags="unannounced")

    provider(server).write(PROMOTE)

    assert "if-match" not in server.requests[-1].headers


@WAYS
@pytest.mark.parametrize(
    "fault",
    [
        reset("PATCH"),
        reset("PATCH", after_effect=True),
        reset("PUT"),
        reset("PUT", after_effect=True),
        Fault("PATCH", 500),
        Fault("PATCH", 500, after_effect=True),
        Fault("PATCH", 503),
        Fault("PATCH", 429, {"retry-after": "3"}),
        Fault("PATCH", 503, {"retry-after": "3"}),
        Fault("PATCH", 200, body="<html>Please log in"),
        Fault("PATCH", breaks=lambda request: httpx.ReadTimeout("slow", request=request), after_effect=True),
        refusal("PATCH", 412),
        refusal("PATCH", 409),
    ],
    ids=[
        "reset before a patch",
        "reset after a patch",
        "reset before a put",
        "reset after a put",
        "500 before",
        "500 after",
        "503",
        "429 with a wait",
        "503 with a wait",
        "a web page",
        "timeout after",
        "412",
        "409",
    ],
)
def test_a_write_whose_answer_is_lost_is_looked_at_and_done_once(knobs: dict[str, Any], fault: Fault) -> None:
    server = FakeServer([ada()], faults=[fault], **knobs)

    provider(server).write(PROMOTE)

    assert sorted(server.roles("ada")) == AFTER
    assert FOREIGN in server.data["Users"]["u-ada"]["roles"]


def test_a_lost_answer_to_a_write_that_happened_is_not_sent_again() -> None:
    server = FakeServer([ada()], faults=[reset("PATCH", after_effect=True)])

    provider(server).write(PROMOTE)

    assert [request.method for request in server.requests] == ["PATCH", "GET"]


def test_a_change_elsewhere_in_the_same_person_is_no_conflict() -> None:
    def somebody_else(server: FakeServer) -> None:
        server.data["Users"]["u-ada"]["roles"].append({"value": "project-viewer:5d1f"})
        server.touch("u-ada")

    server = FakeServer([ada()], before_write=[somebody_else])

    provider(server).write(PROMOTE)

    assert sorted(server.roles("ada")) == [*AFTER, "project-viewer:5d1f"]


def test_a_change_of_the_same_scope_is_a_conflict_and_stays() -> None:
    def somebody_else(server: FakeServer) -> None:
        server.data["Users"]["u-ada"]["roles"] = [{"value": "org-contributor"}]
        server.touch("u-ada")

    server = FakeServer([ada()], before_write=[somebody_else])

    error = fails(server)

    assert isinstance(error, ConflictError)
    assert (error.message, error.hint) == (
        "could not set the roles of 'ada@acme.example': somebody else changed them meanwhile",
        "run the plan again",
    )
    assert server.roles("ada") == ["org-contributor"]


def test_somebody_who_did_the_same_is_no_conflict() -> None:
    def somebody_else(server: FakeServer) -> None:
        server.data["Users"]["u-ada"]["roles"] = [{"value": "org-admin"}]
        server.touch("u-ada")

    server = FakeServer([ada()], before_write=[somebody_else])

    provider(server).write(PROMOTE)

    assert server.roles("ada") == ["org-admin"]


def test_a_plan_that_is_older_than_the_server_is_a_conflict() -> None:
    server = FakeServer([ada("org-contributor")])

    assert isinstance(fails(server), ConflictError)
    assert server.writes == []


def test_somebody_who_writes_all_the_time_is_a_conflict_in_the_end() -> None:
    server = FakeServer([ada()], before_write=[lambda server: server.touch("u-ada")] * 99)

    error = fails(server)

    assert isinstance(error, ConflictError)
    assert error.message == (
        "could not set the roles of 'ada@acme.example' in 5 tries: "
        "the server answered 412 Precondition Failed: 'somebody else was faster'"
    )
    assert server.writes == ["PATCH /Users/u-ada"] * 5


@pytest.mark.parametrize(
    ("faults", "message", "hint"),
    [
        (
            [refusal("PATCH", 400, "invalidValue", "unknown role 'org-admin'")],
            "could not set the roles of 'ada@acme.example': "
            "the server answered 400 Bad Request (invalidValue): 'unknown role 'org-admin''",
            "",
        ),
        (
            [refusal("PATCH", 403, detail="no")],
            "could not set the roles of 'ada@acme.example': the server answered 403 Forbidden: 'no'",
            "the token lacks the right for this; SCIM wants a token of an administrator",
        ),
        (
            [reset("PATCH")] * 9,
            "could not set the roles of 'ada@acme.example' in 5 tries: the connection broke before the "
            "answer was whole: connection reset by peer; they are as they were",
            "run the plan again",
        ),
        (
            [reset("PATCH"), Fault("GET", 404)],
            "could not set the roles of 'ada@acme.example': the server does not know them any more",
            "",
        ),
        (
            [reset("PATCH"), refusal("GET", 401)],
            "could not tell what roles 'ada@acme.example' has now: could not read "
            "https://scim.test/scim/v2/Users/u-ada: the server answered 401 Unauthorized",
            "the token is wrong or has expired; check CIRCLECI_SCIM_TOKEN",
        ),
    ],
    ids=["refused", "forbidden", "always broken", "gone", "cannot look"],
)
def test_a_write_that_fails_says_why(faults: list[Fault], message: str, hint: str) -> None:
    server = FakeServer([ada()])
    it = provider(server)
    server.faults = faults

    with pytest.raises(WriteError) as caught:
        it.write(PROMOTE)

    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert server.data["Users"]["u-ada"] == ada()


def test_a_server_that_keeps_no_roles_is_found_out_by_reading_back() -> None:
    server = FakeServer([ada()], keeps_roles=False)
    it = provider(server)

    it.write(PROMOTE)

    assert it.read_back(["u-ada"]).roles == {
        "u-ada": {ORGANIZATION: some(Role.VIEWER), STOREFRONT: some(Role.ADMIN)}
    }


def test_an_id_is_no_path() -> None:
    server = FakeServer([user("ada", id="a/../b?c#d e")])

    provider(server).write(
        set_roles(person("ada", id="a/../b?c#d e"), (Scope("checkout"), NONE, some(Role.VIEWER)))
    )

    assert server.requests[-1].url.raw_path == b"/scim/v2/Users/a%2F..%2Fb%3Fc%23d%20e"
    assert server.data["Users"]["a/../b?c#d e"]["roles"] == [{"value": "project-viewer:5d1f"}]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("org-viewer,project-admin:storefront", '{"value": "org-viewer,project-admin:storefront"}'),
        ("gadget, ORG-ADMIN", '{"value": "gadget, ORG-ADMIN"}'),
        (["org-viewer"], '{"value": ["org-viewer"]}'),
        (" org-viewer", '{"value": " org-viewer"}'),
    ],
)
def test_roles_that_are_not_one_in_a_value_are_refused_and_never_read_as_none(
    value: object, shown: str
) -> None:
    with pytest.raises(ReadError) as caught:
        provider(FakeServer([ada({"value": value})]), reads=False).read()

    assert (caught.value.message, caught.value.hint) == (
        "could not tell which roles 'ada@acme.example' has: the server answered "
        f"'{shown}', which is not one role",
        "each value of `roles` must be one role; correct how they are provisioned to this server",
    )


def test_several_values_in_one_that_are_all_foreign_are_left_alone() -> None:
    foreign = [{"value": "gadget,widget"}, {"value": ["gadget"]}]
    server = FakeServer([ada("org-viewer", "project-admin:storefront", *foreign)])

    provider(server).write(PROMOTE)

    assert server.roles("ada") == ["gadget,widget", ["gadget"], "org-admin"]


def test_an_answer_about_somebody_else_is_refused() -> None:
    server = FakeServer([ada()])
    it = provider(server)
    server.faults = [reset("PATCH"), Fault("GET", 200, body='{"id": "u-bob", "userName": "bob"}')]

    with pytest.raises(WriteError) as caught:
        it.write(PROMOTE)

    assert caught.value.message.endswith("/Users/u-ada: the answer is user 'u-bob' instead")


def test_no_group_is_created_where_roles_are_on_the_user() -> None:
    server = FakeServer([ada()])

    with pytest.raises(WriteError) as caught:
        provider(server).write(CreateGroup(ORGANIZATION, Role.ADMIN, "org-admin"))

    assert caught.value.message == "could not create the group 'org-admin': roles are stored on the user here"
    assert server.writes == []


@pytest.mark.parametrize(("number", "requests"), [(3, 3), (40, 1 + 1)], ids=["each", "a listing"])
def test_few_are_read_back_one_by_one_and_many_by_a_listing(number: int, requests: int) -> None:
    server = FakeServer([user(f"p{index}", "org-viewer") for index in range(50)])
    it = provider(server)

    found = it.read_back([f"u-p{index}" for index in range(number)])

    assert found.roles == {f"u-p{index}": {ORGANIZATION: some(Role.VIEWER)} for index in range(number)}
    assert len(server.requests) == requests


def test_a_plan_that_is_newer_than_the_reading_is_carried_out() -> None:
    server = FakeServer([ada("org-contributor")])
    it = provider(server)
    server.data["Users"]["u-ada"]["roles"] = [{"value": "org-viewer"}]

    it.write(set_roles(ADA, (ORGANIZATION, some(Role.VIEWER), some(Role.ADMIN))))

    assert server.roles("ada") == ["org-admin"]


def test_what_was_read_before_a_write_is_not_believed_after_it() -> None:
    server = FakeServer([ada("org-viewer")], etags="off")
    it = provider(server)
    it.write(set_roles(ADA, (ORGANIZATION, some(Role.VIEWER), some(Role.ADMIN))))

    with pytest.raises(ConflictError):
        it.write(set_roles(ADA, (ORGANIZATION, some(Role.VIEWER), some(Role.CONTRIBUTOR))))

    assert server.roles("ada") == ["org-admin"]


def test_values_that_are_not_the_policy_s_are_kept_apart_to_be_told() -> None:
    server = FakeServer([ada("gadget", FOREIGN, "Org-Viewer", "badge"), user("bob", "org-admin")])
    state = ScimProvider(server.writing_client(), role_names(), organization()).read()
    assert state.foreign == {"u-ada": ("badge", "gadget")}
