"""How roles are spelled on the provider, and which of its values are somebody else's."""

import pytest
from build import APP, WEB, organization

from reconciler.model import ORGANIZATION, Role, Scope
from reconciler.naming import RoleNames
from reconciler.policy.document import StoredAs


@pytest.mark.parametrize(
    ("stored_as", "scope", "role", "name"),
    [
        (StoredAs.USER_ROLES, ORGANIZATION, Role.ADMIN, "org-admin"),
        (StoredAs.USER_ROLES, WEB, Role.VIEWER, "project-viewer:web"),
        (StoredAs.USER_ROLES, APP, Role.CONTRIBUTOR, "project-contributor:5d1f"),
        (StoredAs.GROUPS, ORGANIZATION, Role.CONTRIBUTOR, "circleci-org-contributor"),
        (StoredAs.GROUPS, APP, Role.ADMIN, "circleci-5d1f-admin"),
    ],
    ids=["organization", "project", "project by its id", "group", "group of a project"],
)
def test_a_role_is_spelled_by_its_template_and_understood_again(
    stored_as: StoredAs, scope: Scope, role: Role, name: str
) -> None:
    names = RoleNames(organization(stored_as=stored_as))
    assert names.name(scope, role) == name
    assert names.meaning(name) == (scope, role)


def test_a_value_is_understood_in_any_case_and_normal_form() -> None:
    names = RoleNames(organization(projects={"web": "Cafe\u0301"}))
    assert names.meaning("PROJECT-Admin:CAFÉ") == (WEB, Role.ADMIN)


@pytest.mark.parametrize(
    "value",
    ["", "admin", "org-owner", "org-admin:web", "project-admin:app", "project-admin:legacy", " org-admin"],
    ids=["empty", "bare", "no such role", "a mixture", "policy's name", "project of others", "blank"],
)
def test_any_other_value_is_foreign(value: str) -> None:
    assert RoleNames(organization()).meaning(value) is None


def test_a_project_name_that_looks_like_a_template_is_left_as_it_is() -> None:
    names = RoleNames(organization(projects={"web": "{role}"}))
    assert names.name(WEB, Role.ADMIN) == "project-admin:{role}"


def test_organization_roles_are_foreign_where_the_policy_leaves_them_alone() -> None:
    names = RoleNames(organization(managed=False, projects={"web": "web"}))
    assert names.meaning("org-admin") is None
    assert dict(names.items()) == {(WEB, role): f"project-{role}:web" for role in Role}
    with pytest.raises(KeyError):
        names.name(ORGANIZATION, Role.ADMIN)


def test_a_scope_that_the_policy_does_not_speak_for_has_no_spelling() -> None:
    with pytest.raises(KeyError):
        RoleNames(organization()).name(Scope("legacy"), Role.ADMIN)
