"""What CircleCI adds to SCIM: which role values exist, and who is an organization admin. Pure."""

import re
from collections.abc import Iterable

from reconciler.model import Role, fold

ADMIN_ROLE = "org-admin"
ADMIN_GROUP = "circleci-org-admin"
LAST_ADMIN = "You must have at least one org administrator"
"""How CircleCI's documentation words its refusal to remove the last one."""

_ROLES = frozenset(map(str, Role))
_ORGANIZATION_ROLE = re.compile(r"org-(?P<role>[^:]+)")
_PROJECT_ROLE = re.compile(r"project-(?P<role>[^:]+):(?P<project>.+)")


class Vocabulary:
    """The role values that this organization knows: CircleCI's six, and the named ones of others."""

    def __init__(self, projects: Iterable[str] | None, others: Iterable[str]) -> None:
        self._projects = None if projects is None else frozenset(map(fold, projects))
        self._others = frozenset(map(fold, others))

    def fault(self, value: str) -> str:
        """Why a value of `User.roles` is refused, or nothing where it is a role."""
        folded = fold(value)
        if folded in self._others:
            return ""
        if found := _PROJECT_ROLE.fullmatch(folded):
            if found["role"] in _ROLES and not self._has_project(found["project"]):
                return f"unknown project in role {value!r}"
        else:
            found = _ORGANIZATION_ROLE.fullmatch(folded)
        return "" if found and found["role"] in _ROLES else f"unknown role {value!r}"

    def _has_project(self, project: str) -> bool:
        return self._projects is None or project in self._projects


def is_admin(active: bool | None, roles: Iterable[str], groups: Iterable[str]) -> bool:
    """Whether somebody with these role values, in groups of these names, runs the organization."""
    return active is not False and (ADMIN_ROLE in map(fold, roles) or ADMIN_GROUP in map(fold, groups))
