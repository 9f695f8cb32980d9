"""Accounts on servers that fail, lie and lack things: no twin, nothing blind, nothing else touched."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from scim.fake_server import JSON, FakeServer, Fault, Resource, error_body, parameters, refusal, reset, user
from scim.worlds import organization, role_names

from reconciler.change import (
    Attribute,
    AttributeChange,
    Change,
    CreateUser,
    DeleteUser,
    SetActive,
    SetAttributes,
)
from reconciler.errors import ConflictError, WriteError
from reconciler.model import Principal, provisional
from reconciler.scim.provider import ScimProvider

JOE = Principal(
    provisional("joe@acme.example"), "joe@acme.example", "00u-joe", True, "Joe", email="joe@acme.example"
)
BODY: Resource = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName": "joe@acme.example",
    "externalId": "00u-joe",
    "displayName": "Joe",
    "emails": [{"value": "joe@acme.example", "type": "work", "primary": True}],
    "active": True,
}
CREATE = CreateUser(JOE, "in the group eng")
ADA = Principal("u-ada", "ada@acme.example", None, True)


def provider(server: FakeServer, **patience: Any) -> ScimProvider:
    it = ScimProvider(server.writing_client(**patience), role_names(), organization())
    it.read()
    server.requests.clear()
    return it


def fails(server: FakeServer, change: Change) -> WriteError:
    with pytest.raises(WriteError) as caught:
        provider(server).write(change)
    return caught.value


def bodies(server: FakeServer) -> list[Any]:
    return [json.loads(request.content) for request in server.requests if request.content]


def others() -> list[Resource]:
    """Everybody else, enough for pages."""
    return [user(f"p{index}", "org-viewer") for index in range(5)]


def joes(server: FakeServer) -> int:
    return sum(person["userName"] == JOE.user_name for person in server.data["Users"].values())


# Creating


def test_it_is_searched_for_by_both_keys_and_then_created_whole() -> None:
    server = FakeServer(others())
    it = provider(server)

    it.write(CREATE)

    searches = [parameters(request)["filter"] for request in server.requests if request.method == "GET"]
    assert searches == ['userName eq "joe@acme.example"', 'externalId eq "00u-joe"']
    assert server.writes == ["POST /Users"]
    assert bodies(server) == [BODY]
    assert [*it.read_back([JOE.id]).people] == [JOE.id]


@pytest.mark.parametrize("filters", ["ignored", "refused"])
def test_accounts_that_are_created_meanwhile_do_not_hinder_the_search(filters: str) -> None:
    """Where filters do not work everybody is listed, and the list grows while it is read."""
    server = FakeServer(others(), page=2, filters=filters, at_once=1)
    it = provider(server)
    meanwhile = [CreateUser(Principal(provisional(name), name, None, True)) for name in ("a", "b", "c")]

    def another(request: httpx.Request) -> None:
        if parameters(request).get("startIndex") == "3" and meanwhile:
            server.before_read = lambda _: None
            it.write(meanwhile.pop())
            server.before_read = another

    server.before_read = another
    it.write(CREATE)

    assert joes(server) == 1
    assert server.writes == ["POST /Users"] * 4


def test_what_is_not_known_of_somebody_is_not_written() -> None:
    server = FakeServer(others())
    provider(server).write(CreateUser(Principal(JOE.id, JOE.user_name, active=True)))
    assert bodies(server) == [{name: BODY[name] for name in ("schemas", "userName", "active")}]


LOST = {
    "500 after it was done": Fault("POST", 500, JSON, error_body(500), after_effect=True),
    "502 of a gateway, after it was done": Fault("POST", 502, body="<html>", after_effect=True),
    "connection reset after it was done": reset("POST", after_effect=True),
    "200 with a page of a proxy": Fault("POST", 200, {}, "<html>welcome</html>", after_effect=True),
    "200 with nothing in it": Fault("POST", 200, after_effect=True),
    "201 with nothing in it": Fault("POST", 201, after_effect=True),
    "202 with nothing in it": Fault("POST", 202, after_effect=True),
    "201 with somebody else in it": Fault("POST", 201, JSON, json.dumps(user("p1")), after_effect=True),
    "201 with an error in it": Fault("POST", 201, JSON, error_body(500), after_effect=True),
    "201 with no user in it": Fault("POST", 201, JSON, '{"ok": true}', after_effect=True),
    "409 after it was done": Fault("POST", 409, JSON, error_body(409, "uniqueness"), after_effect=True),
    "429 after it was done": Fault("POST", 429, {"retry-after": "1"}, after_effect=True),
    "503 after it was done": Fault("POST", 503, {"retry-after": "1"}, after_effect=True),
}


@pytest.mark.parametrize("filters", ["work", "ignored", "refused", "empty"])
@pytest.mark.parametrize("unique", [True, False], ids=["unique", "twins allowed"])
@pytest.mark.parametrize("how", LOST)
def test_a_lost_answer_makes_no_twin(how: str, unique: bool, filters: str) -> None:
    server = FakeServer(others(), page=2, unique=unique, filters=filters, faults=[LOST[how]])
    it = provider(server)

    it.write(CREATE)

    assert server.writes == ["POST /Users"]
    assert joes(server) == 1
    assert it.read_back([JOE.id]).people[JOE.id].user_name == JOE.user_name


NOT_DONE = {
    "500 before it was done": refusal("POST", 500),
    "connection reset before it was done": reset("POST"),
    "200 with nothing in it": Fault("POST", 200),
    "202 with nothing in it": Fault("POST", 202),
    "201 with somebody else in it": Fault("POST", 201, JSON, json.dumps(user("p1"))),
    "400": refusal("POST", 400, "invalidValue", "no such department"),
    "403": refusal("POST", 403),
    "409 of another attribute": refusal("POST", 409, "uniqueness", "the address is taken"),
}


@pytest.mark.parametrize("how", NOT_DONE)
def test_what_was_not_done_is_not_tried_again_and_said(how: str) -> None:
    server = FakeServer(others(), page=2, faults=[NOT_DONE[how]])
    it = provider(server)

    with pytest.raises(WriteError) as caught:
        it.write(CREATE)

    assert caught.value.message.startswith("could not create the account of 'joe@acme.example': ")
    assert server.writes == ["POST /Users"]
    assert joes(server) == 0
    assert it.read_back([JOE.id]).people == {}


def test_a_name_that_is_taken_by_an_account_that_the_server_hides_is_told() -> None:
    error = fails(FakeServer(others(), faults=[NOT_DONE["409 of another attribute"]]), CREATE)
    assert (error.message, error.hint) == (
        "could not create the account of 'joe@acme.example': the server answered 409 Conflict (uniqueness): "
        "'the address is taken'; it lists no such account, so there may be an inactive one that it hides",
        "look for it on the server: activate it there, or delete it",
    )


def test_a_server_that_takes_it_and_makes_nothing_is_told() -> None:
    error = fails(FakeServer(others(), faults=[Fault("POST", 202)]), CREATE)
    assert (error.message, error.hint) == (
        "could not create the account of 'joe@acme.example': the server accepted it, and there is no such "
        "account",
        "it may come about later; run the plan again to see",
    )


@pytest.mark.parametrize("status", [429, 503])
def test_what_the_server_asks_to_wait_for_is_sent_again_once_it_was_looked(status: int) -> None:
    server = FakeServer(others(), faults=[Fault("POST", status, {"retry-after": "3"})])

    provider(server).write(CREATE)

    assert server.writes == ["POST /Users", "POST /Users"]
    assert server.time.slept == [3.0]
    methods = [request.method for request in server.requests]
    assert "GET" in methods[methods.index("POST") + 1 : len(methods) - methods[::-1].index("POST") - 1]
    assert joes(server) == 1


@pytest.mark.parametrize("filters", ["work", "ignored", "refused"])
@pytest.mark.parametrize(
    ("there", "words"),
    [
        (user("joe"), "'joe@acme.example' with no externalId, for externalId '00u-joe'"),
        (
            user("joe", externalId="00u-other"),
            "'joe@acme.example' with externalId '00u-other', for externalId '00u-joe'",
        ),
        (
            user("jo", externalId="00u-joe"),
            "'jo@acme.example' with externalId '00u-joe', for externalId '00u-joe'",
        ),
    ],
    ids=["without externalId", "another externalId", "another userName"],
)
def test_an_account_of_somebody_else_is_never_taken(there: Resource, words: str, filters: str) -> None:
    server = FakeServer([*others(), there], page=2, filters=filters)

    error = fails(server, CREATE)

    assert isinstance(error, ConflictError)
    assert error.message == (
        "could not create the account of 'joe@acme.example': somebody else made an account meanwhile, "
        f"{words}"
    )
    assert server.writes == []


def test_somebody_elses_account_that_appears_while_it_is_created_is_a_conflict() -> None:
    def provision(server: FakeServer) -> None:
        server.data["Users"]["u-joe"] = user("joe", externalId="00u-other")

    server = FakeServer(others(), before_write=[provision])

    assert isinstance(fails(server, CREATE), ConflictError)
    assert server.data["Users"]["u-joe"]["externalId"] == "00u-other"
    assert joes(server) == 1


def test_the_same_account_that_somebody_else_creates_meanwhile_is_taken() -> None:
    def provision(server: FakeServer) -> None:
        server.data["Users"]["u-1"] = user("joe", id="u-1", externalId="00u-joe")

    server = FakeServer(others(), before_write=[provision])
    it = provider(server)

    it.write(CREATE)

    assert joes(server) == 1
    assert it.read_back([JOE.id]).people[JOE.id].id == "u-1"


def test_two_accounts_that_are_his_are_a_conflict() -> None:
    twins = [user("joe", id=id_, externalId="00u-joe") for id_ in ("u-1", "u-2")]

    def provision(server: FakeServer) -> None:
        server.data["Users"] |= {twin["id"]: twin for twin in twins}

    server = FakeServer(others(), before_write=[provision])

    error = fails(server, CREATE)
    assert isinstance(error, ConflictError)
    assert error.message.endswith("there are 2 by now")


def test_nothing_is_created_where_nobody_knows_who_is_there() -> None:
    faults = [Fault("GET", 500, at=number) for number in range(2, 30)]
    server = FakeServer(others(), faults=faults)
    it = ScimProvider(server.writing_client(tries=2), role_names(), organization())

    with pytest.raises(WriteError) as caught:
        it.write(CREATE)

    assert caught.value.message.startswith(
        "could not tell whether there is the account of 'joe@acme.example' already: could not read "
    )
    assert server.writes == []


# Deactivating, reactivating, correcting

WAYS = pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"patch_paths": False},
        {"paths": False},
        {"patches": False},
        {"projects": False},
        {"etags": "off"},
        {"etags": "never-match"},
        {"etags": "unannounced"},
        {"config": {}, "patches": False},
    ],
    ids=lambda knobs: ",".join(f"{name}={value}" for name, value in knobs.items()) or "honest",
)

HOME = {"value": "ada@home.example", "type": "home", "display": "private"}
WORK = {"value": "old@acme.example", "type": "work", "primary": True, "x": 1}
FOREIGN: Resource = {"urn:x:ext": {"badge": 7}, "nickName": "Lovelace"}


def ada(*emails: object, **changes: object) -> Resource:
    return user("ada", "org-viewer", emails=list(emails) or [HOME, WORK]) | FOREIGN | changes


def ours(server: FakeServer) -> Resource:
    return {
        name: value for name, value in server.data["Users"]["u-ada"].items() if name not in ("groups", "meta")
    }


@WAYS
@pytest.mark.parametrize("after", [False, True])
def test_only_whether_somebody_is_active_changes(knobs: dict[str, Any], after: bool) -> None:
    server = FakeServer([ada(active=not after), *others()], **knobs)

    provider(server).write(SetActive(ADA._replace(active=not after), after))

    assert ours(server) == ada(active=after)


CORRECT = SetAttributes(
    ADA._replace(email="old@acme.example"),
    (
        AttributeChange(Attribute.DISPLAY_NAME, None, "Ada"),
        AttributeChange(Attribute.EMAIL, "old@acme.example", "new@acme.example"),
        AttributeChange(Attribute.USER_NAME, "ada@acme.example", "countess@acme.example"),
    ),
)
CORRECTED = {"displayName": "Ada", "userName": "countess@acme.example"}


@WAYS
def test_only_the_names_and_the_main_address_change(knobs: dict[str, Any]) -> None:
    server = FakeServer([ada(), *others()], **knobs)

    provider(server).write(CORRECT)

    assert ours(server) == ada(HOME, {**WORK, "value": "new@acme.example"}, **CORRECTED)


def test_a_server_that_takes_paths_is_told_by_path_if_it_is_as_it_was() -> None:
    server = FakeServer([ada(), *others()])

    provider(server).write(CORRECT)

    [request] = [request for request in server.requests if request.method == "PATCH"]
    assert request.headers["if-match"] == 'W/"1"'
    assert bodies(server) == [
        {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [
                {"op": "replace", "path": "displayName", "value": "Ada"},
                {"op": "replace", "path": "emails[primary eq true].value", "value": "new@acme.example"},
                {"op": "replace", "path": "userName", "value": "countess@acme.example"},
            ],
        }
    ]


def test_what_a_server_can_not_do_is_tried_once_in_a_run() -> None:
    server = FakeServer([ada(), user("bob")], paths=False)
    it = provider(server)

    it.write(SetActive(ADA, False))
    it.write(SetActive(Principal("u-bob", "bob@acme.example", active=True), False))

    assert server.writes == ["PATCH /Users/u-ada", "PATCH /Users/u-ada", "PATCH /Users/u-bob"]


NEW = AttributeChange(Attribute.EMAIL, None, "new@acme.example")


@pytest.mark.parametrize(
    ("emails", "before", "after"),
    [
        ([], None, [{"value": "new@acme.example", "type": "work", "primary": True}]),
        ([HOME], "ada@home.example", [{**HOME, "value": "new@acme.example"}]),
        (
            [HOME, {"value": "b@acme.example"}],
            None,
            [
                HOME,
                {"value": "b@acme.example"},
                {"value": "new@acme.example", "type": "work", "primary": True},
            ],
        ),
        (["plain@acme.example"], "plain@acme.example", ["new@acme.example"]),
        (
            [HOME, {"Value": "old@acme.example", "Primary": "True"}],
            "old@acme.example",
            [HOME, {"Primary": "True", "value": "new@acme.example"}],
        ),
    ],
    ids=["none", "one", "several, none of them the main one", "plain text", "in other letter case"],
)
@pytest.mark.parametrize("knobs", [{"paths": True}, {"paths": False}, {"patches": False}])
def test_whatever_addresses_look_like_the_others_stay(
    emails: list[object], before: str | None, after: list[object], knobs: dict[str, Any]
) -> None:
    server = FakeServer([user("ada", emails=emails), *others()], **knobs)
    if knobs == {"paths": True} and "Primary" in json.dumps(emails):
        server.patch_paths = False  # the fake is not clever enough for that

    provider(server).write(SetAttributes(ADA, (replace(NEW, before=before),)))

    assert server.data["Users"]["u-ada"]["emails"] == after


SURE = [
    SetActive(ADA, False),
    SetAttributes(ADA, (AttributeChange(Attribute.DISPLAY_NAME, None, "Ada"),)),
]


@pytest.mark.parametrize("change", SURE, ids=["active", "attributes"])
def test_a_lost_answer_is_looked_at_and_not_repeated(change: Change) -> None:
    server = FakeServer([user("ada"), *others()], faults=[reset("PATCH", after_effect=True)])
    provider(server).write(change)
    assert server.writes == ["PATCH /Users/u-ada"]


@pytest.mark.parametrize("change", SURE, ids=["active", "attributes"])
def test_what_did_not_happen_is_tried_again_once_it_was_looked(change: Change) -> None:
    server = FakeServer([user("ada"), *others()], faults=[reset("PATCH"), refusal("PATCH", 500)])
    provider(server).write(change)
    assert server.writes == ["PATCH /Users/u-ada"] * 3
    methods = [request.method for request in server.requests]
    assert methods[-5:] == ["PATCH", "GET", "PATCH", "GET", "PATCH"]


@pytest.mark.parametrize("change", SURE, ids=["active", "attributes"])
def test_a_failure_that_lasts_is_given_up(change: Change) -> None:
    server = FakeServer([user("ada"), *others()], faults=[refusal("PATCH", 500) for _ in range(9)])
    error = fails(server, change)
    assert " in 5 tries: the server answered 500 Internal Server Error" in error.message
    assert server.writes == ["PATCH /Users/u-ada"] * 5


@pytest.mark.parametrize("change", SURE, ids=["active", "attributes"])
def test_a_refusal_is_told(change: Change) -> None:
    server = FakeServer([user("ada"), *others()], faults=[refusal("PATCH", 403, detail="not yours")])
    error = fails(server, change)
    assert error.message.startswith("could not ")
    assert "403 Forbidden" in error.message
    assert server.writes == ["PATCH /Users/u-ada"]


def test_what_somebody_else_changed_elsewhere_meanwhile_is_no_conflict() -> None:
    def touch(server: FakeServer) -> None:
        server.data["Users"]["u-ada"]["nickName"] = "Ada"
        server.touch("u-ada")

    server = FakeServer([user("ada"), *others()], before_write=[touch])
    provider(server).write(SetActive(ADA, False))
    assert server.data["Users"]["u-ada"]["active"] is False
    assert server.data["Users"]["u-ada"]["nickName"] == "Ada"


def test_a_change_that_somebody_else_made_meanwhile_is_a_conflict() -> None:
    server = FakeServer([user("ada", active=False), *others()])
    error = fails(server, SetActive(ADA._replace(active=True), True))
    assert isinstance(error, ConflictError)


# Deleting

OLD = Principal("u-ada", "ada@acme.example", active=False)


@pytest.mark.parametrize("etags", ["work", "off", "never-match", "unannounced"])
def test_an_inactive_account_is_deleted_if_it_is_as_it_was_seen(etags: str) -> None:
    server = FakeServer([user("ada", active=False), *others()], etags=etags)
    provider(server).write(DeleteUser(OLD))
    assert "u-ada" not in server.data["Users"]
    sent = [request for request in server.requests if request.method == "DELETE"]
    assert [request.content for request in sent] == [b""] * len(sent)
    assert sent[0].headers.get("if-match") == ('W/"1"' if etags in ("work", "never-match") else None)


def test_who_became_active_before_it_is_not_deleted() -> None:
    def back(server: FakeServer) -> None:
        server.data["Users"]["u-ada"]["active"] = True
        server.touch("u-ada")

    server = FakeServer([user("ada", active=False), *others()], before_write=[back])
    assert isinstance(fails(server, DeleteUser(OLD)), ConflictError)
    assert server.data["Users"]["u-ada"]["active"] is True
    assert server.writes == ["DELETE /Users/u-ada"]


@pytest.mark.parametrize("active", [True, None])
def test_only_who_is_said_to_be_inactive_is_deleted(active: bool | None) -> None:
    server = FakeServer([user("ada", active=active), *others()])
    error = fails(server, DeleteUser(OLD))
    assert error.message == (
        "could not delete the account of 'ada@acme.example': somebody else changed the account meanwhile"
    )
    assert server.writes == []


@pytest.mark.parametrize(
    "fault",
    [
        reset("DELETE", after_effect=True),
        Fault("DELETE", 500, after_effect=True),
        Fault("DELETE", 404, JSON, error_body(404), after_effect=True),
        Fault("DELETE", 200, {}, "<html>", after_effect=True),
    ],
    ids=["reset", "500", "404", "a page"],
)
def test_who_is_gone_is_deleted_whatever_was_said(fault: Fault) -> None:
    server = FakeServer([user("ada", active=False), *others()], faults=[fault])
    provider(server).write(DeleteUser(OLD))
    assert server.writes == ["DELETE /Users/u-ada"]


def test_who_is_gone_before_it_needs_no_request() -> None:
    server = FakeServer(others())
    provider(server).write(DeleteUser(OLD))
    assert server.writes == []


def test_a_server_that_can_not_delete_says_so() -> None:
    server = FakeServer([user("ada", active=False), *others()], deletes="refused")
    error = fails(server, DeleteUser(OLD))
    assert error.message.startswith(
        "could not delete the account of 'ada@acme.example': the server answered 501 Not Implemented"
    )
    assert server.writes == ["DELETE /Users/u-ada"]


def test_a_deletion_that_did_not_happen_is_tried_again_once_it_was_looked() -> None:
    server = FakeServer([user("ada", active=False), *others()], faults=[refusal("DELETE", 500)])
    provider(server).write(DeleteUser(OLD))
    assert [request.method for request in server.requests][-4:] == ["GET", "DELETE", "GET", "DELETE"]


@pytest.mark.parametrize("status", [404, 500])
def test_that_somebody_is_gone_is_not_believed_of_a_server_that_is_gone_itself(status: int) -> None:
    server = FakeServer([user("ada", active=False), *others()])
    it = provider(server, tries=1)
    server.faults = [Fault("GET", status, JSON, error_body(status)) for _ in range(9)]

    with pytest.raises(WriteError) as caught:
        it.write(DeleteUser(OLD))

    assert caught.value.message.startswith("could not delete the account of 'ada@acme.example': ")
    assert server.writes == []


def test_that_somebody_is_gone_is_not_believed_while_they_are_listed() -> None:
    faults = [Fault("GET", 404, JSON, error_body(404), path="/Users/u-ada")]
    server = FakeServer([user("ada", active=False), *others()], faults=faults)
    error = fails(server, DeleteUser(OLD))
    assert error.message == (
        "could not delete the account of 'ada@acme.example': the server says that it is gone, and lists it"
    )


def test_a_conflict_that_lasts_is_told_as_one() -> None:
    def touch(server: FakeServer) -> None:
        server.touch("u-ada")

    server = FakeServer([user("ada"), *others()], before_write=[touch] * 9)
    error = fails(server, SetActive(ADA, False))
    assert isinstance(error, ConflictError)
    what, _, why = error.message.partition(" in 5 tries: ")
    assert (what, why[:23]) == ("could not deactivate 'ada@acme.example'", "the server answered 412")
    assert server.data["Users"]["u-ada"]["active"] is True


@pytest.mark.parametrize(("scim_type", "by_path"), [("noTarget", True), ("invalidPath", False)])
def test_a_refusal_of_paths_holds_for_the_run_where_it_is_of_all_paths(scim_type: str, by_path: bool) -> None:
    server = FakeServer([user("ada"), user("bob")], faults=[refusal("PATCH", 400, scim_type)])
    it = provider(server)
    it.write(SetActive(ADA, False))
    it.write(SetActive(Principal("u-bob", "bob@acme.example", active=True), False))
    assert server.writes == ["PATCH /Users/u-ada", "PATCH /Users/u-ada", "PATCH /Users/u-bob"]
    assert ["path" in body["Operations"][0] for body in bodies(server)] == [True, False, by_path]


def test_the_plainest_way_that_is_refused_ends_it() -> None:
    faults = [refusal("PUT", 400, "invalidPath", "no")]
    server = FakeServer([user("ada"), *others()], patches=False, faults=faults)
    error = fails(server, SetActive(ADA, False))
    assert "400 Bad Request (invalidPath): 'no'" in error.message
    assert server.writes == ["PUT /Users/u-ada"]
