"""Which groups explain what people have: never more than they have, and the largest first."""

from collections.abc import Mapping

import pytest
from build import holds
from hypothesis import given
from hypothesis import strategies as some

from reconciler import importing, naming
from reconciler.importing import Nearly, PersonHas, Proposal
from reconciler.model import (
    ORGANIZATION,
    DirectoryGroup,
    Holdings,
    LiveState,
    Member,
    Membership,
    Principal,
    Role,
    Scope,
)
from reconciler.policy.document import RoleStorage, StoredAs

WEB = Scope("web")


def live(roles: Mapping[str, Holdings], inactive: tuple[str, ...] = ()) -> LiveState:
    people = {
        f"u-{name}": Principal(f"u-{name}", f"{name}@acme.example", active=name not in inactive)
        for name in roles
    }
    return LiveState(people, {f"u-{name}": held for name, held in roles.items() if held})


def group(name: str, *members: str) -> DirectoryGroup:
    return DirectoryGroup(f"g-{name}", name, frozenset(Member(f"u-{member}") for member in members))


def groups(*several: DirectoryGroup) -> Membership:
    return Membership(several)


def gives(proposal: Proposal) -> dict[str, dict[str, str]]:
    return {
        one.group.name: {str(scope): str(role) for scope, role in one.gives.items()}
        for one in proposal.groups
    }


def left(proposal: Proposal) -> dict[str, dict[str, str]]:
    return {
        one.user: {str(scope): str(role) for scope, role in (*one.gives.items(), *one.below.items())}
        for one in proposal.people
    }


def test_a_group_gives_what_everybody_in_it_has_and_no_more() -> None:
    state = live({"ann": holds("admin", web="admin"), "bob": holds("viewer", web="admin")})
    found = importing.propose(state, groups(group("eng", "ann", "bob")))
    assert gives(found) == {"eng": {"organization": "viewer", "web": "admin"}}
    assert left(found) == {"ann@acme.example": {"organization": "admin"}}


def test_a_group_with_one_member_who_has_nothing_gives_nothing() -> None:
    state = live({"ann": holds("admin"), "bob": holds()})
    found = importing.propose(state, groups(group("eng", "ann", "bob")))
    assert (gives(found), left(found)) == ({}, {"ann@acme.example": {"organization": "admin"}})


def test_one_person_is_no_group() -> None:
    state = live({"ann": holds("admin")})
    found = importing.propose(state, groups(group("book-club", "ann")))
    assert (gives(found), left(found)) == ({}, {"ann@acme.example": {"organization": "admin"}})


def test_who_is_not_active_is_no_reason_against_a_group_and_is_told() -> None:
    state = live({"ann": holds("admin"), "bob": holds("admin"), "cy": holds("viewer")}, inactive=("cy",))
    found = importing.propose(state, groups(group("ops", "ann", "bob", "cy")))
    assert (gives(found), found.inactive) == ({"ops": {"organization": "admin"}}, ("cy@acme.example",))


def test_the_largest_group_explains_and_a_part_of_it_is_not_needed() -> None:
    state = live({name: holds("viewer") for name in ("ann", "bob", "cy")})
    found = importing.propose(state, groups(group("pair", "ann", "bob"), group("all", "ann", "bob", "cy")))
    assert gives(found) == {"all": {"organization": "viewer"}}


def test_a_smaller_group_explains_what_is_higher_and_the_large_one_the_rest() -> None:
    state = live({**{n: holds("contributor") for n in ("ann", "bob")}, **{n: holds("admin") for n in "cd"}})
    found = importing.propose(
        state, groups(group("all", "ann", "bob", "c", "d"), group("a", "ann", "bob"), group("b", "c", "d"))
    )
    assert gives(found) == {"all": {"organization": "contributor"}, "b": {"organization": "admin"}}


def test_a_project_role_below_the_groups_organization_role_is_left_to_people() -> None:
    state = live({name: holds("admin", web="viewer") for name in ("ann", "bob")})
    found = importing.propose(state, groups(group("ops", "ann", "bob")))
    assert gives(found) == {"ops": {"organization": "admin"}}
    assert left(found) == {name: {"web": "viewer"} for name in ("ann@acme.example", "bob@acme.example")}


def test_what_stands_below_the_organization_role_of_one_person_stands_apart() -> None:
    found = importing.propose(live({"ann": holds("admin", web="viewer")}), groups())
    assert found.people == (PersonHas("ann@acme.example", {ORGANIZATION: Role.ADMIN}, {WEB: Role.VIEWER}),)


def test_several_roles_in_one_scope_are_told_and_the_highest_counts() -> None:
    held = {ORGANIZATION: frozenset({Role.VIEWER, Role.ADMIN})}
    found = importing.propose(live({"ann": held}), groups())
    assert (left(found), found.doubled) == (
        {"ann@acme.example": {"organization": "admin"}},
        ("ann@acme.example",),
    )


@pytest.mark.parametrize(
    "unusable",
    [
        DirectoryGroup("g", "eng", None, "not shown"),
        DirectoryGroup("g", "eng", frozenset({Member("u-ann"), Member("u-bob"), Member("u-stranger")})),
        DirectoryGroup("g", " eng", frozenset({Member("u-ann"), Member("u-bob")})),
        DirectoryGroup("g", "en\u202eg", frozenset({Member("u-ann"), Member("u-bob")})),
        DirectoryGroup("g", "g" * 256, frozenset({Member("u-ann"), Member("u-bob")})),
    ],
    ids=["unreadable", "with a stranger", "a blank in front", "turns the writing", "too long"],
)
def test_a_group_that_a_policy_could_not_name_or_know_is_passed_over(unusable: DirectoryGroup) -> None:
    state = live({"ann": holds("viewer"), "bob": holds("viewer")})
    found = importing.propose(state, groups(unusable))
    assert (gives(found), found.passed_over) == ({}, (unusable.name,))


def test_what_most_of_a_group_have_is_told() -> None:
    state = live({"ann": holds("viewer"), "bob": holds("viewer"), "cy": holds()})
    eng = group("eng", "ann", "bob", "cy")
    found = importing.propose(state, groups(eng, group("few", "ann", "cy")))
    assert found.nearly == (Nearly(eng, ORGANIZATION, Role.VIEWER, 2, 3),)


roles = some.dictionaries(
    some.sampled_from([ORGANIZATION, WEB, Scope("api")]),
    some.sampled_from(Role).map(lambda r: frozenset([r])),
)
names = ("ann", "bob", "cy", "dan", "eve")


@given(some.fixed_dictionaries(dict.fromkeys(names, roles)), some.lists(some.sets(some.sampled_from(names))))
def test_groups_and_people_together_give_everybody_exactly_what_they_have(
    held: dict[str, Holdings], members: list[set[str]]
) -> None:
    membership = groups(*(group(f"g{number}", *sorted(each)) for number, each in enumerate(members)))
    found = importing.propose(live(held), membership)
    given_: dict[str, dict[Scope, Role]] = {name: {} for name in names}
    for one in found.groups:
        for member in one.group.members or ():
            mine = given_[str(member.principal_id).removeprefix("u-")]
            for scope, role in one.gives.items():
                mine[scope] = max(role, mine.get(scope, role))
    for person in found.people:
        mine = given_[person.user.removesuffix("@acme.example")]
        for scope, role in (*person.gives.items(), *person.below.items()):
            assert mine.get(scope, 0) < role
            mine[scope] = role
    assert given_ == {name: {s: max(r) for s, r in held[name].items()} for name in names}


@pytest.mark.parametrize(
    ("storage", "spellings", "found"),
    [
        pytest.param(
            RoleStorage(),
            ["org-admin", "project-viewer:web", "Project-Admin:WEB", "project-viewer:a:b", "gadget"],
            ("WEB", "a:b"),
            id="values",
        ),
        pytest.param(
            RoleStorage(StoredAs.GROUPS, "circleci-org-{role}", "circleci-{project}-{role}"),
            [
                "circleci-org-admin",
                "circleci-web-viewer",
                "circleci-my-app-admin",
                "eng-web",
                "circleci--admin",
            ],
            ("my-app", "web"),
            id="groups",
        ),
        pytest.param(
            RoleStorage(project="{role}.{project}.{role}"),
            ["admin.x.admin", "admin.y.viewer"],
            ("x",),
            id="twice",
        ),
    ],
)
def test_projects_are_told_by_how_roles_are_spelled(
    storage: RoleStorage, spellings: list[str], found: tuple[str, ...]
) -> None:
    assert naming.projects(spellings, storage) == found
