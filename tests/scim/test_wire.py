"""JSON of servers, good and odd, to values; and values to the bodies that are sent."""

import pytest

from reconciler.errors import ReadError
from reconciler.model import Principal
from reconciler.scim import wire
from reconciler.scim.wire import Group, Person, Reference, RoleValue

ENTRA = '{"id":"8a1","value":"org-admin","displayName":"Admin"}'


def test_a_user_is_read_with_everything_that_matters() -> None:
    person = wire.person(
        {
            "id": "u-1",
            "externalId": "00u1",
            "userName": "Ada@Example.com",
            "displayName": "Ada",
            "active": True,
            "userType": "Employee",
            "roles": [{"value": "org-admin", "type": "circleci", "primary": True}],
            "groups": [{"value": "g-1", "type": "direct"}],
            "meta": {"version": 'W/"7"'},
            "emails": [{"value": "ada@example.com"}],
        }
    )

    assert person == Person(
        Principal("u-1", "Ada@Example.com", "00u1", True, "Ada", "ada@example.com"),
        (RoleValue("org-admin", "org-admin", {"value": "org-admin", "type": "circleci", "primary": True}),),
        ("g-1",),
        "Employee",
        'W/"7"',
    )


def test_names_of_attributes_compare_without_case() -> None:
    assert wire.person({"ID": "u", "UserName": "ada", "ACTIVE": False, "Roles": [{"Value": "r"}]}) == Person(
        Principal("u", "ada", active=False), (RoleValue("r", "r", {"Value": "r"}),)
    )


@pytest.mark.parametrize("nothing", [{}, {"roles": None}, {"roles": []}, {"roles": None, "Roles": []}])
def test_missing_and_null_and_empty_are_the_same(nothing: dict[str, object]) -> None:
    empty: dict[str, object] = {
        "externalId": "",
        "displayName": None,
        "groups": [],
        "active": None,
        "meta": {},
    }

    assert wire.person({"id": "u", "userName": "ada", **empty, **nothing}) == Person(Principal("u", "ada"))


@pytest.mark.parametrize(
    ("said", "active"),
    [(True, True), (False, False), ("True", True), ("False", False), ("false", False), (None, None)],
    ids=["true", "false", "text True", "text False", "text false", "missing"],
)
def test_active_may_be_text_and_may_be_missing(said: object, active: bool | None) -> None:
    assert wire.person({"id": "u", "userName": "a", "active": said}).principal.active is active


@pytest.mark.parametrize(
    ("entry", "value", "raw"),
    [
        ({"value": "org-admin"}, "org-admin", "org-admin"),
        ("org-admin", "org-admin", "org-admin"),
        ({"value": ENTRA}, "org-admin", ENTRA),
        ({"value": '{"broken'}, '{"broken', '{"broken'),
        ({"value": '{"id": 1}'}, '{"id": 1}', '{"id": 1}'),
        ({"display": "no value"}, "", ""),
        ({"value": 7}, "", ""),
        (7, "", ""),
    ],
)
def test_a_role_keeps_its_meaning_its_spelling_and_its_entry(entry: object, value: str, raw: str) -> None:
    assert wire.person({"id": "u", "userName": "a", "roles": [entry]}).roles == (
        RoleValue(value, raw, entry),
    )


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        ({"value": "org-admin"}, ["org-admin"]),
        ({"value": "org-viewer, project-admin:web"}, ["org-viewer", "project-admin:web"]),
        ("a;b|c", ["a", "b", "c"]),
        ({"value": " org-admin "}, ["org-admin"]),
        ({"value": '["a", "b,c"]'}, ["a", "b", "c"]),
        ({"value": ["a", {"value": "b"}]}, ["a", "b"]),
        ({"value": {"VALUE": "a"}}, ["a"]),
        ({"value": '{"broken'}, ['{"broken']),
        ({"display": "no value"}, []),
        ({"value": 7}, []),
    ],
)
def test_what_may_be_meant_as_a_role_is_found_wherever_it_is(entry: object, parts: list[str]) -> None:
    assert list(wire.parts(entry)) == parts


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ({"userName": "a"}, "a resource whose id is missing"),
        ({"id": "", "userName": "a"}, "a resource whose id is missing"),
        ({"id": 7, "userName": "a"}, "a resource whose id is the number 7"),
        ({"id": "\ud800", "userName": "a"}, "a resource whose id is the text '\\ud800'"),
        ({"id": "u"}, "user 'u' without a userName"),
        ({"id": "u", "userName": "\ud800"}, "user 'u' whose userName is the text '\\ud800'"),
        ({"id": "u", "userName": ["a"]}, "user 'u' whose userName is a list"),
        ({"id": "u", "userName": "a", "active": "perhaps"}, "user 'u' whose active is the text 'perhaps'"),
        ({"id": "u", "userName": "a", "active": 1}, "user 'u' whose active is the number 1"),
        ({"id": "u", "userName": "a", "roles": "r,s"}, "user 'u' whose roles are the text 'r,s', not a list"),
        ({"id": "u", "userName": "a", "groups": [{}]}, "a group of user 'u' whose value is missing"),
        ({"id": "u", "userName": "a", "groups": [7]}, "a group of user 'u' that is the number 7"),
    ],
)
def test_a_user_that_makes_no_sense_is_refused(resource: dict[str, object], words: str) -> None:
    with pytest.raises(ReadError) as caught:
        wire.person(resource)

    assert caught.value.message == f"the server answered {words}"


@pytest.mark.parametrize(
    ("entry", "reference"),
    [
        ({"value": "u"}, Reference("u")),
        ("u", Reference("u")),
        ({"value": "u", "type": "User"}, Reference("u", False)),
        ({"value": "g", "type": "group"}, Reference("g", True)),
        ({"value": "g", "$ref": "https://x/scim/v2/Groups/g"}, Reference("g", True)),
        ({"value": "u", "$ref": "../Users/u"}, Reference("u", False)),
        ({"value": "u", "$ref": None}, Reference("u")),
        ({"$ref": "https://x/scim/v2/Users/u%2F1"}, Reference("u/1", False)),
    ],
)
def test_a_member_may_be_written_in_many_ways(entry: object, reference: Reference) -> None:
    is_user = reference.is_group is False
    assert wire.group({"id": "g-1", "displayName": "web", "members": [entry, entry]}) == Group(
        "g-1", "web", frozenset({reference.id} if is_user else ()), () if is_user else (reference,)
    )


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("plain", '"plain"'),
        ('a" or userName pr or value eq "b', '"a\\" or userName pr or value eq \\"b"'),
        ("back\\slash", '"back\\\\slash"'),
        ("zoë", '"zoë"'),
        ("line\nbreak", '"line\\nbreak"'),
    ],
)
def test_no_value_can_end_its_filter_early(value: str, quoted: str) -> None:
    assert wire.remove_role(value) == {"op": "remove", "path": f"roles[value eq {quoted}]"}
    assert wire.remove_member(value) == {"op": "remove", "path": f"members[value eq {quoted}]"}


def test_a_whole_user_with_other_roles_keeps_everything_else() -> None:
    resource = {"id": "u", "Roles": [1], "urn:x": {"deep": [None]}, "meta": {"version": "1"}}

    assert wire.with_roles(resource, [{"value": "r"}]) == {
        "id": "u",
        "urn:x": {"deep": [None]},
        "meta": {"version": "1"},
        "roles": [{"value": "r"}],
    }


@pytest.mark.parametrize(
    ("emails", "email"),
    [
        (None, None),
        ([], None),
        ([{"value": "a@acme.example"}], "a@acme.example"),
        ([{"value": "a"}, {"value": "b", "primary": True}], "b"),
        ([{"value": "a", "primary": "false"}, {"value": "b", "PRIMARY": "True"}], "b"),
        ([{"value": "a"}, {"value": "b"}], None),
        (["a@acme.example"], "a@acme.example"),
        ([{"type": "work", "primary": True}], None),
        ([{"value": 7, "primary": True}], None),
        ([{"value": "\ud800"}], None),
        ([7], None),
        ("a@acme.example", None),
        ({"value": "a"}, None),
    ],
    ids=str,
)
def test_the_main_address_is_the_primary_or_the_only_one_and_nonsense_is_none(
    emails: object, email: str | None
) -> None:
    assert wire.person({"id": "u", "userName": "ada", "emails": emails}).principal.email == email
