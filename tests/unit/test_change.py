"""What kind a change is, in which stage it belongs, and what it is as plain data."""

from dataclasses import replace

import pytest
from build import (
    APP,
    WEB,
    correct,
    create_user,
    deactivate,
    delete_user,
    principal,
    provenance,
    reactivate,
    scope_change,
    set_roles,
)

from reconciler.change import (
    Attribute,
    Change,
    CreateGroup,
    CreateUser,
    DeleteUser,
    ScopeChange,
    SetActive,
    Stage,
    data,
    shuts_out,
)
from reconciler.model import ORGANIZATION, Principal, Role, Scope


@pytest.mark.parametrize(
    ("change", "gains", "loses", "unseats"),
    [
        (scope_change(WEB, "", "viewer"), True, False, False),
        (scope_change(WEB, "viewer", "admin"), True, False, False),
        (scope_change(WEB, "admin", "viewer"), False, True, False),
        (scope_change(WEB, "viewer", ""), False, True, False),
        (scope_change(WEB, "admin viewer", "admin"), False, False, False),
        (scope_change(WEB, "admin", "admin viewer"), False, False, False),
        (scope_change(ORGANIZATION, "admin", "contributor"), False, True, True),
        (scope_change(ORGANIZATION, "admin viewer", "viewer"), False, True, True),
        (scope_change(ORGANIZATION, "admin viewer", "admin"), False, False, False),
        (scope_change(ORGANIZATION, "contributor", ""), False, True, False),
        (scope_change(Scope("organization"), "admin", ""), False, True, False),
    ],
    ids=[
        "a first role",
        "a higher role",
        "a lower role",
        "no role any more",
        "rid of a surplus",
        "a lower one beside it",
        "no organization admin any more",
        "the lower role stays",
        "the admin role stays",
        "another role of the organization",
        "a project that is called organization",
    ],
)
def test_a_change_of_a_scope_gains_or_loses_by_its_highest_role(
    change: ScopeChange, gains: bool, loses: bool, unseats: bool
) -> None:
    assert (change.gains, change.loses, change.unseats) == (gains, loses, unseats)


@pytest.mark.parametrize(
    ("scopes", "stage"),
    [
        ([scope_change(WEB, "", "admin")], Stage.PROMOTE),
        ([scope_change(WEB, "", "admin"), scope_change(APP, "viewer", "admin")], Stage.PROMOTE),
        ([scope_change(WEB, "admin", "admin viewer")], Stage.PROMOTE),
        ([scope_change(WEB, "", "admin"), scope_change(APP, "viewer", "")], Stage.MOVE),
        ([scope_change(ORGANIZATION, "", "admin"), scope_change(APP, "viewer", "")], Stage.MOVE),
        ([scope_change(WEB, "", "admin"), scope_change(APP, "admin viewer", "admin")], Stage.PROMOTE),
        ([scope_change(WEB, "admin", "viewer")], Stage.REVOKE),
        ([scope_change(WEB, "admin viewer", "admin")], Stage.REVOKE),
        ([scope_change(ORGANIZATION, "admin viewer", "admin")], Stage.REVOKE),
        ([scope_change(ORGANIZATION, "admin", "viewer")], Stage.UNSEAT),
        ([scope_change(ORGANIZATION, "admin", ""), scope_change(WEB, "", "admin")], Stage.UNSEAT),
    ],
    ids=[
        "gains",
        "gains twice",
        "adds a lower role",
        "gains here and loses there",
        "becomes admin and loses elsewhere",
        "gains and is rid of a surplus",
        "is lowered",
        "is rid of a surplus",
        "stays an admin",
        "stops being an admin",
        "stops being an admin and gains elsewhere",
    ],
)
def test_everybody_is_changed_in_the_stage_that_their_gravest_change_needs(
    scopes: list[ScopeChange], stage: Stage
) -> None:
    assert set_roles("ann", *scopes).stage is stage


def test_the_stages_make_every_admin_before_they_unseat_one() -> None:
    assert sorted(Stage) == [
        Stage.CREATE,
        Stage.PROMOTE,
        Stage.MOVE,
        Stage.REVOKE,
        Stage.UNSEAT,
        Stage.REPAIR,
        Stage.REACTIVATE,
        Stage.DEACTIVATE,
        Stage.DELETE,
    ]
    assert CreateGroup(WEB, Role.ADMIN, "web-admin").stage is Stage.CREATE


@pytest.mark.parametrize(
    ("change", "stage", "shut_out"),
    [
        (create_user(), Stage.CREATE, False),
        (correct(display_name="Ann"), Stage.REPAIR, False),
        (reactivate(), Stage.REACTIVATE, False),
        (deactivate(), Stage.DEACTIVATE, True),
        (delete_user(), Stage.DELETE, True),
        (set_roles("ann", scope_change(WEB, "admin", "")), Stage.REVOKE, False),
        (CreateGroup(WEB, Role.ADMIN, "web-admin"), Stage.CREATE, False),
    ],
    ids=["creates", "corrects", "reactivates", "deactivates", "deletes", "takes a role", "a group"],
)
def test_accounts_are_made_first_and_closed_last(change: Change, stage: Stage, shut_out: bool) -> None:
    assert (change.stage, shuts_out(change)) == (stage, shut_out)


@pytest.mark.parametrize(
    ("attribute", "one", "other", "same"),
    [
        (Attribute.USER_NAME, "Ann@acme.example", "ann@ACME.example", True),
        (Attribute.USER_NAME, "ann@acme.example", "anne@acme.example", False),
        (Attribute.EMAIL, "Ann@acme.example", "ann@acme.example", True),
        (Attribute.DISPLAY_NAME, "ann", "Ann", False),
        (Attribute.DISPLAY_NAME, "Ann", "Ann", True),
        (Attribute.DISPLAY_NAME, " Ann  Lee ", "Ann Lee", True),
        (Attribute.DISPLAY_NAME, "Ann Lee", "AnnLee", False),
        (Attribute.EMAIL, None, "ann@acme.example", False),
        (Attribute.EMAIL, "none", None, False),
        (Attribute.EMAIL, None, None, True),
    ],
)
def test_letter_case_of_names_to_log_in_by_and_of_addresses_is_no_difference(
    attribute: Attribute, one: str | None, other: str | None, same: bool
) -> None:
    assert attribute.same(one, other) is same


def test_an_attribute_is_read_where_it_stands() -> None:
    ann = Principal("u-1", "ann", display_name="Ann", email="a@acme.example")
    assert {one: one.of(ann) for one in Attribute} == {
        Attribute.USER_NAME: "ann",
        Attribute.DISPLAY_NAME: "Ann",
        Attribute.EMAIL: "a@acme.example",
    }


def test_changes_of_accounts_as_data_say_what_was_and_what_will_be_and_not_why() -> None:
    ann = Principal("u-1", "ann", "00u1", None, "Ann", email="a@acme.example")
    known = {"external_id": "00u1", "display_name": "Ann", "email": "a@acme.example"}
    assert [data(change) for change in (CreateUser(ann, "why"), DeleteUser(ann, "why"))] == [
        {"kind": "create-user", "id": "u-1", "user": "ann", **known},
        {"kind": "delete-user", "id": "u-1", "user": "ann", **known},
    ]
    assert data(SetActive(ann, False, "why")) == {
        "kind": "set-active",
        "id": "u-1",
        "user": "ann",
        "before": None,
        "after": False,
    }
    assert data(correct(ann._replace(display_name=None), display_name="A", email="b@acme.example")) == {
        "kind": "set-attributes",
        "id": "u-1",
        "user": "ann",
        "attributes": [
            {"attribute": "displayName", "before": None, "after": "A"},
            {"attribute": "emails", "before": "a@acme.example", "after": "b@acme.example"},
        ],
    }


@pytest.mark.parametrize(
    ("scope", "seats"),
    [
        (scope_change(ORGANIZATION, "viewer", "admin"), True),
        (scope_change(ORGANIZATION, "viewer", "admin viewer"), True),
        (scope_change(ORGANIZATION, "admin viewer", "admin"), False),
        (scope_change(ORGANIZATION, "", "contributor"), False),
        (scope_change(WEB, "", "admin"), False),
    ],
    ids=["becomes admin", "beside a lower role", "is admin already", "becomes another", "of a project"],
)
def test_who_becomes_an_organization_admin_is_told(scope: ScopeChange, seats: bool) -> None:
    assert set_roles("ann", scope).seats is seats


def test_a_change_of_a_person_as_data_says_what_becomes_of_whom_and_not_why() -> None:
    change = set_roles(
        principal("ann"),
        scope_change(ORGANIZATION, "viewer admin contributor", "", provenance()),
        scope_change(Scope("organization"), "", "admin", provenance()),
    )
    assert data(change) == {
        "kind": "set-roles",
        "id": "u-ann",
        "user": "ann@acme.example",
        "scopes": [
            {"scope": {"project": None}, "before": ["admin", "contributor", "viewer"], "after": []},
            {"scope": {"project": "organization"}, "before": [], "after": ["admin"]},
        ],
    }


def test_a_change_as_data_says_how_roles_are_stored_where_that_is_more_than_their_names() -> None:
    stored = replace(scope_change(WEB, "", "admin"), entries=('{"value": "x"}', '{"value": "y"}'))
    scopes = data(set_roles("ann", stored, scope_change(APP, "", "viewer")))["scopes"]
    assert scopes == [
        {
            "scope": {"project": "web"},
            "before": [],
            "after": ["admin"],
            "entries": ['{"value": "x"}', '{"value": "y"}'],
        },
        {"scope": {"project": "app"}, "before": [], "after": ["viewer"]},
    ]


def test_a_new_group_as_data() -> None:
    assert data(CreateGroup(WEB, Role.ADMIN, "circleci-web-admin")) == {
        "kind": "create-group",
        "group": "circleci-web-admin",
        "scope": {"project": "web"},
        "role": "admin",
    }
