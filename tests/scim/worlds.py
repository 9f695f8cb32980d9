"""Builders for what the tests of the provider and the directory begin with."""

from collections.abc import Iterable

from reconciler.change import ScopeChange, SetRoles
from reconciler.model import Principal, Role, Roles, Scope
from reconciler.naming import RoleNames
from reconciler.policy.document import (
    DirectorySettings,
    GroupRef,
    MembersFrom,
    Mode,
    Organization,
    RoleStorage,
    StoredAs,
)
from reconciler.problem import Location

STOREFRONT = Scope("storefront")
NONE: Roles = frozenset()


def organization(
    stored_as: StoredAs = StoredAs.USER_ROLES, members_from: MembersFrom = MembersFrom.AUTO
) -> Organization:
    storage = RoleStorage()
    if stored_as is StoredAs.GROUPS:
        storage = RoleStorage(stored_as, "circleci-org-{role}", "circleci-{project}-{role}")
    return Organization(
        name="acme",
        mode=Mode.ENFORCE,
        at=Location("policies/acme/organization.yaml"),
        projects={"storefront": "storefront", "checkout": "5d1f"},
        directory=DirectorySettings(members_from=members_from),
        roles=storage,
    )


def role_names(stored_as: StoredAs = StoredAs.USER_ROLES) -> RoleNames:
    return RoleNames(organization(stored_as))


def some(*roles: Role) -> Roles:
    return frozenset(roles)


def person(name: str, id: str = "") -> Principal:
    return Principal(id or f"u-{name}", f"{name}@acme.example", active=True)


def set_roles(who: Principal, *scopes: tuple[Scope, Roles, Roles]) -> SetRoles:
    return SetRoles(who, tuple(ScopeChange(scope, before, after) for scope, before, after in scopes))


def refs(*names: str) -> Iterable[GroupRef]:
    return [GroupRef(name) for name in names]
