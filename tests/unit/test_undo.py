"""The way back from a run: what is put back, and what is left alone since it has moved."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest
from build import APP, WEB, holds, live, principal, some
from recording import Json, numbered, outcome, set_roles, story, write

from reconciler import history
from reconciler.change import Attribute, AttributeChange, SetActive, SetAttributes
from reconciler.history import PastRun
from reconciler.model import ORGANIZATION, Holdings, LiveState, Principal, Provenance, Role, Scope
from reconciler.problem import Location
from reconciler.undo import WayBack, way_back

SCOPES = (ORGANIZATION, WEB, APP)
FILE = ".reconciler/ledger.jsonl"


def run(*events: Mapping[str, object]) -> PastRun:
    [told] = history.runs(numbered(story(*events)))
    return told


def back(of: PastRun, state: LiveState, scopes: Collection[Scope] = SCOPES) -> WayBack:
    return way_back(of, state, scopes, FILE)


def put_back(of: PastRun, now: Mapping[str, Holdings]) -> Mapping[str, Holdings]:
    """What everybody is to hold, nothing having moved."""
    found = back(of, live(now))
    assert found.moved == ()
    return {f"{id_.removeprefix('u-')}": held for id_, held in found.desired.roles.items() if held}


def left(of: PastRun, state: LiveState, scopes: Collection[Scope] = SCOPES) -> tuple[str, ...]:
    """What is left alone; then nothing is to change."""
    found = back(of, state, scopes)
    for id_ in {*state.people, *found.desired.roles}:
        assert found.desired.holdings(id_) == state.holdings(id_)
    assert not found.desired.why
    return found.moved


REVOKED = run(write(1, set_roles("bob", "viewer", "")), outcome())
GAVE = run(write(1, set_roles("bob", "", "admin", "web")), outcome())
MOVED = run(write(1, set_roles("bob", "viewer contributor", "admin")), outcome())


@pytest.mark.parametrize(
    ("of", "now", "then"),
    [
        (REVOKED, holds(), holds("viewer")),
        (REVOKED, holds(app="admin"), holds("viewer", app="admin")),
        (GAVE, holds(web="admin"), holds()),
        (GAVE, holds("viewer", web="admin"), holds("viewer")),
        (MOVED, holds("admin"), holds("viewer contributor")),
    ],
    ids=["revoked", "revoked, and has something else", "gave", "gave, and has something else", "moved"],
)
def test_what_the_run_changed_is_put_back_and_nothing_else(
    of: PastRun, now: Holdings, then: Holdings
) -> None:
    others = {"ann": holds("admin"), "cat": holds(web="viewer")}
    assert put_back(of, {**others, "bob": now}) == others | ({"bob": then} if then else {})


def test_why_is_the_run_and_the_line_of_its_record() -> None:
    why = Provenance("undo", REVOKED.id, Location(FILE, 2), Role.VIEWER)
    assert back(REVOKED, live({"bob": {}})).desired.why == {"u-bob": {ORGANIZATION: (why,)}}


def test_it_is_known_how_many_roles_there_are_to_be() -> None:
    assert back(REVOKED, live({"ann": holds("admin", web="viewer"), "bob": {}})).desired.given == 3
    assert back(GAVE, live({"bob": holds(web="admin")})).desired.given == 0


def test_roles_are_put_back_as_they_were_stored() -> None:
    stored = ['{"display": "V", "value": "ORG-Viewer"}']
    change = set_roles("bob", "viewer", "")
    change["scopes"][0]["stored"] = stored
    found = back(run(write(1, change), outcome()), live({"bob": {}}))
    assert found.desired.entries == {"u-bob": {ORGANIZATION: tuple(stored)}}


def test_a_group_that_was_created_stays() -> None:
    created = {
        "kind": "create-group",
        "group": "circleci-web-admin",
        "scope": {"project": "web"},
        "role": "admin",
    }
    assert left(run(write(1, created), outcome()), live({"bob": holds("admin")})) == ()


def test_what_is_as_it_was_before_needs_no_way_back() -> None:
    assert left(REVOKED, live({"bob": holds("viewer")})) == ()
    assert left(GAVE, live({"bob": {}})) == ()


# What has moved


@pytest.mark.parametrize(
    ("of", "now", "told"),
    [
        (REVOKED, holds("admin"), "bob@acme.example, organization: the run left none, now it is admin"),
        (GAVE, holds(web="viewer"), "bob@acme.example, web: the run left admin, now it is viewer"),
        (MOVED, holds(), "bob@acme.example, organization: the run left admin, now it is none"),
        (
            MOVED,
            holds("admin viewer"),
            "bob@acme.example, organization: the run left admin, now it is admin + viewer",
        ),
    ],
    ids=["gained since", "demoted since", "lost since", "got one more since"],
)
def test_what_has_moved_since_is_told_and_left_alone(of: PastRun, now: Holdings, told: str) -> None:
    assert left(of, live({"ann": holds("admin"), "bob": now})) == (told,)


def test_of_one_person_what_has_not_moved_is_put_back() -> None:
    change = {**set_roles("bob", "viewer", ""), "scopes": []}
    for project in (None, "web"):
        change["scopes"] += set_roles("bob", "viewer", "", project)["scopes"]
    found = back(run(write(1, change), outcome()), live({"bob": holds(web="admin")}))
    assert found.desired.roles == {"u-bob": holds("viewer", web="admin")}
    assert found.moved == ("bob@acme.example, web: the run left none, now it is admin",)


def test_somebody_who_is_gone_is_told() -> None:
    assert left(REVOKED, live({"ann": holds("admin")})) == (
        "bob@acme.example, organization: the person is not on the server any more",
    )


@pytest.mark.parametrize(
    "now", [holds(), holds(web="admin"), holds(web="viewer")], ids=["gone", "left", "moved"]
)
def test_a_project_that_the_policy_does_not_speak_for_any_more_is_told(now: Holdings) -> None:
    """What stands there can't be read any more, so it may well be what the run left."""
    told = ("bob@acme.example, web: the policy does not speak for it any more",)
    state = live({"bob": {scope: roles for scope, roles in now.items() if scope != WEB}})
    assert left(GAVE, state, [ORGANIZATION]) == told


def gone(now: Holdings) -> LiveState:
    state = live({"bob": now})
    return replace(state, people={"u-bob": principal("bob", active=False)})


def test_who_became_inactive_since_is_given_nothing() -> None:
    assert left(REVOKED, gone({})) == ("bob@acme.example, organization: the person is not active any more",)


def test_who_became_inactive_since_is_still_taken_what_the_run_gave() -> None:
    assert back(GAVE, gone(holds(web="admin"))).desired.holdings("u-bob") == {}


def test_who_was_inactive_already_is_given_back_what_the_run_took() -> None:
    of = run(write(1, {**set_roles("bob", "viewer", ""), "active": False}), outcome())
    assert back(of, gone({})).desired.holdings("u-bob") == holds("viewer")


# Runs that did not go well


@pytest.mark.parametrize("end", [[], [outcome(1, "failed", "reset")]], ids=["unknown", "failed"])
@pytest.mark.parametrize(
    ("before", "after", "now"),
    [
        ("viewer", "admin", "admin"),
        ("viewer", "admin", "admin viewer"),
        ("viewer", "admin", ""),
        ("", "admin", "admin"),
        ("admin viewer", "", ""),
        ("admin viewer", "", "viewer"),
        ("admin viewer", "contributor", "admin contributor"),
    ],
)
def test_however_far_a_write_came_there_is_a_way_back(
    end: list[dict[str, object]], before: str, after: str, now: str
) -> None:
    of = run(write(1, set_roles("bob", before, after)), *end)
    assert put_back(of, {"bob": holds(now)}) == ({"bob": holds(before)} if before else {})


@pytest.mark.parametrize("end", [[], [outcome(1, "failed", "reset")]], ids=["unknown", "failed"])
def test_a_write_that_did_not_come_about_needs_no_way_back(end: list[dict[str, object]]) -> None:
    assert (
        left(run(write(1, set_roles("bob", "viewer", "admin")), *end), live({"bob": holds("viewer")})) == ()
    )


@pytest.mark.parametrize(
    ("before", "after", "now"), [("viewer", "admin", "contributor"), ("viewer admin", "admin", "viewer")]
)
def test_what_an_unknown_write_can_t_have_left_has_moved(before: str, after: str, now: str) -> None:
    of = run(write(1, set_roles("bob", before, after)))
    left_ = " + ".join(sorted(after.split()))
    assert left(of, live({"bob": holds(now)})) == (
        f"bob@acme.example, organization: the run left {left_}, now it is {now}",
    )


JOINED = write(1, set_roles("bob", "viewer", "admin viewer"))
LEFT = write(2, set_roles("bob", "admin viewer", "admin"))


@pytest.mark.parametrize(
    ("events", "now"),
    [
        ([JOINED, outcome(1), LEFT, outcome(2)], "admin"),
        ([JOINED, outcome(1), LEFT], "admin"),
        ([JOINED, outcome(1), LEFT], "admin viewer"),
        ([JOINED, outcome(1)], "admin viewer"),
        ([JOINED], "admin viewer"),
        ([JOINED, outcome(1), LEFT, outcome(2, "failed", "no")], "admin viewer"),
    ],
    ids=["both", "second done", "second not done", "killed in between", "first unknown", "second failed"],
)
def test_two_writes_of_one_person_are_taken_back_together(events: list[dict[str, object]], now: str) -> None:
    assert put_back(run(*events), {"bob": holds(now)}) == {"bob": holds("viewer")}


def test_two_writes_of_which_the_second_was_applied_leave_what_that_made() -> None:
    of = run(JOINED, outcome(1), LEFT, outcome(2))
    assert left(of, live({"bob": holds("admin viewer")})) == (
        "bob@acme.example, organization: the run left admin, now it is admin + viewer",
    )


def test_what_was_skipped_needs_no_way_back() -> None:
    of = run(
        outcome(1, "skipped", "not tried", change=set_roles()), write(2), outcome(2, "skipped", "interrupted")
    )
    assert left(of, live({"bob": {}})) == ()


def test_the_way_back_from_the_way_back_is_the_way_there() -> None:
    undone = run(write(1, set_roles("bob", "", "viewer")), outcome())
    assert put_back(undone, put_back(REVOKED, {"bob": {}})) == {}
    assert some("viewer") == put_back(REVOKED, {"bob": {}})["bob"][ORGANIZATION]


# Accounts


def set_active(before: bool | None, after: bool) -> Json:
    person = {"id": "u-bob", "user": "bob@acme.example"}
    return {"kind": "set-active", **person, "before": before, "after": after}


def set_attributes(*changes: tuple[str, str | None, str]) -> Json:
    attributes = [{"attribute": name, "before": before, "after": after} for name, before, after in changes]
    return {
        "kind": "set-attributes",
        "id": "u-bob",
        "user": "bob@acme.example",
        "attributes": attributes,
    }


KNOWN = {"external_id": None, "display_name": None, "email": None}
CREATED = {"kind": "create-user", "id": "new:bob@acme.example", "user": "bob@acme.example", **KNOWN}
DELETED = {"kind": "delete-user", "id": "u-bob", "user": "bob@acme.example", **KNOWN}
BOB = principal("bob")
OUT = principal("bob", active=False)


def account(change: Json, *people: Principal, result: str | None = "applied") -> WayBack:
    """The way back from a run that made one change of an account, where these people are there now."""
    events = [write(1, change), *([outcome(1, result)] if result else [])]
    return back(run(*events), live({"ann": holds("admin")}, *people))


def why(change: Json, result: str = "applied") -> str:
    return f"undoes run {run(write(1, change), outcome(1, result)).id} ({FILE}:2)"


@pytest.mark.parametrize("before", [True, None])
def test_who_was_deactivated_comes_back(before: bool | None) -> None:
    change = set_active(before, False)
    found = account(change, OUT)
    assert (found.accounts, found.lost, found.stays) == ((SetActive(OUT, True, why(change)),), (), ())


def test_who_came_back_is_deactivated() -> None:
    change = set_active(False, True)
    assert account(change, BOB).accounts == (SetActive(BOB, False, why(change)),)


@pytest.mark.parametrize("result", ["failed", None])
def test_what_may_have_been_done_to_an_account_is_looked_at(result: str | None) -> None:
    assert [type(change) for change in account(set_active(True, False), OUT, result=result).accounts] == [
        SetActive
    ]
    assert account(set_active(True, False), BOB, result=result).accounts == ()


def test_who_is_as_they_were_needs_no_way_back() -> None:
    assert account(set_active(True, False), BOB).accounts == ()
    assert account(set_active(False, True), OUT).accounts == ()
    assert account(set_attributes(("displayName", "Bob", "Rob")), BOB._replace(display_name="Bob")) == (
        account(set_active(True, False), BOB)
    )


def test_roles_go_back_to_who_comes_back() -> None:
    told = run(
        write(1, set_roles("bob", "viewer", "")),
        outcome(1),
        write(2, set_active(True, False)),
        outcome(2),
    )
    found = back(told, live({"ann": holds("admin")}, OUT))
    assert found.moved == ()
    assert found.desired.roles["u-bob"] == holds("viewer")
    assert [type(change) for change in found.accounts] == [SetActive]


def test_names_and_addresses_go_back_as_far_as_they_stand_as_the_run_left_them() -> None:
    change = set_attributes(
        ("displayName", "Bob", "Rob"),
        ("emails", "b@acme.example", "r@acme.example"),
        ("userName", "bob@acme.example", "rob@acme.example"),
    )
    rob = Principal("u-bob", "Rob@acme.example", None, True, "Robert", email="r@acme.example")
    found = account(change, rob)
    attributes = (
        AttributeChange(Attribute.EMAIL, "r@acme.example", "b@acme.example"),
        AttributeChange(Attribute.USER_NAME, "Rob@acme.example", "bob@acme.example"),
    )
    assert found.accounts == (SetAttributes(rob, attributes, why(change)),)
    assert found.lost == ("bob@acme.example, displayName: the run left 'Rob', now it is 'Robert'",)


def test_an_attribute_that_was_not_there_before_stays() -> None:
    found = account(set_attributes(("displayName", None, "Rob")), BOB._replace(display_name="Rob"))
    assert found.accounts == ()
    assert found.lost == ("bob@acme.example, displayName: there was none before, and none can be put back",)


def test_an_attribute_that_is_gone_is_left_alone() -> None:
    assert account(set_attributes(("displayName", "Bob", "Rob")), BOB).lost == (
        "bob@acme.example, displayName: the run left 'Rob', now it is none",
    )


@pytest.mark.parametrize(
    ("change", "part"),
    [(set_active(True, False), "active"), (set_attributes(("emails", "a", "b")), "emails")],
    ids=["active", "attributes"],
)
def test_of_who_is_gone_nothing_goes_back(change: Json, part: str) -> None:
    found = account(change)
    assert found.accounts == ()
    assert found.lost == (f"bob@acme.example, {part}: the person is not on the server any more",)


@pytest.mark.parametrize(
    ("result", "was"), [("applied", "was"), ("failed", "may have been"), (None, "may have been")]
)
def test_a_created_account_stays_and_is_told(result: str | None, was: str) -> None:
    found = account(CREATED, principal("bob", id="made"), result=result)
    assert found.stays == (f"the account of bob@acme.example {was} created and stays",)
    assert (found.accounts, found.lost) == ((), ())


def test_of_an_account_that_was_not_created_nothing_is_told() -> None:
    assert account(CREATED, result="failed").stays == ()


def test_roles_of_a_created_account_go_by_its_name() -> None:
    roles = {**set_roles("bob", "", "viewer"), "id": "new:bob@acme.example"}
    told = run(write(1, CREATED), outcome(1), write(2, roles), outcome(2))
    made = principal("bob", id="made", user_name="Bob@ACME.example")
    state = live({"ann": holds("admin")}, made)
    state = replace(state, roles={**state.roles, "made": holds("viewer", web="admin")})
    found = back(told, state)
    assert found.moved == ()
    assert found.desired.roles["made"] == holds(web="admin")


def test_a_deleted_account_can_not_come_back() -> None:
    found = account(DELETED)
    assert found.lost == ("bob@acme.example: the account was deleted, and can't come back",)
    assert found.accounts == ()


def test_an_account_that_was_not_deleted_after_all_is_no_loss() -> None:
    assert account(DELETED, OUT, result="failed").lost == ()
