"""What CircleCI adds to SCIM: known role values, and who counts as an organization admin."""

import pytest

from reconciler.sandbox.circleci import Vocabulary, is_admin

KNOWN = Vocabulary(projects={"storefront", "5D1F"}, others={"Billing-Reader"})


@pytest.mark.parametrize(
    "value",
    ["org-viewer", "ORG-Admin", "project-contributor:storefront", "project-admin:5d1f", "billing-reader"],
)
def test_a_known_role_is_accepted_in_any_case(value: str) -> None:
    assert KNOWN.fault(value) == ""


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("org-owner", "unknown role 'org-owner'"),
        ("project-boss:storefront", "unknown role 'project-boss:storefront'"),
        ("project-admin", "unknown role 'project-admin'"),
        ("org-admin:storefront", "unknown role 'org-admin:storefront'"),
        ("payroll", "unknown role 'payroll'"),
        ("", "unknown role ''"),
        ("project-admin:store", "unknown project in role 'project-admin:store'"),
    ],
)
def test_an_unknown_role_is_refused_with_words(value: str, fault: str) -> None:
    assert KNOWN.fault(value) == fault


def test_without_a_list_of_projects_every_project_is_known() -> None:
    assert Vocabulary(projects=None, others=()).fault("project-admin:anything") == ""


@pytest.mark.parametrize(
    ("active", "roles", "groups", "expected"),
    [
        (True, ["org-admin"], [], True),
        (None, ["Org-Admin"], [], True),
        (True, [], ["circleci-org-admin"], True),
        (False, ["org-admin"], ["circleci-org-admin"], False),
        (True, ["org-contributor", "project-admin:org-admin"], ["platform"], False),
    ],
    ids=["by role", "activity unknown", "by group", "inactive", "neither"],
)
def test_an_admin_is_active_and_holds_the_role_either_way(
    active: bool | None, roles: list[str], groups: list[str], expected: bool
) -> None:
    assert is_admin(active, roles, groups) is expected
