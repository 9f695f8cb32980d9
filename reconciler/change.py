"""The closed set of changes that a plan is made of, and what became of each. Data only, no doing."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import assert_never

from reconciler.model import ORGANIZATION, Principal, Provenance, Role, Roles, Scope


class Stage(IntEnum):
    """The order of a plan. Everything of one stage is confirmed before the next begins.

    All admins that a plan makes are made before it unseats one, so no prefix of a plan has fewer
    organization admins than the start or the end.
    """

    CREATE = 0
    PROMOTE = 1
    """Somebody gains, nobody loses."""
    MOVE = 2
    """Somebody gains here and loses there, in one request."""
    REVOKE = 3
    """Somebody loses or is demoted, or is rid of a lower role beside a higher one."""
    UNSEAT = 4
    """Somebody stops being an organization admin."""
    REPAIR = 5
    """Names and e-mails become the directory's."""
    REACTIVATE = 6
    """After everything that takes roles, so that nobody comes back to what they should not have."""
    DEACTIVATE = 7
    DELETE = 8


@dataclass(frozen=True, slots=True)
class ScopeChange:
    """The roles of one person in one scope, before and after, and the policy entries that ask for it."""

    scope: Scope
    before: Roles
    after: Roles
    why: tuple[Provenance, ...] = ()
    entries: tuple[str, ...] = ()
    """How roles that are added are to be stored, as JSON, where they were stored by more than their name."""

    @property
    def gains(self) -> bool:
        return max(self.after, default=0) > max(self.before, default=0)

    @property
    def loses(self) -> bool:
        return max(self.after, default=0) < max(self.before, default=0)

    @property
    def unseats(self) -> bool:
        """Whether it takes the organization's admin role away."""
        return self.scope == ORGANIZATION and Role.ADMIN in self.before - self.after


@dataclass(frozen=True, slots=True)
class SetRoles:
    """Give one person exactly these roles in these scopes; every other scope stays as it is."""

    principal: Principal
    scopes: tuple[ScopeChange, ...]
    """Sorted by scope; never empty; `before` and `after` differ in each."""

    @property
    def seats(self) -> bool:
        """Whether it makes an organization admin."""
        return any(s.scope == ORGANIZATION and Role.ADMIN in s.after - s.before for s in self.scopes)

    @property
    def stage(self) -> Stage:
        if any(scope.unseats for scope in self.scopes):
            return Stage.UNSEAT
        gains = any(scope.gains for scope in self.scopes)
        if any(scope.loses for scope in self.scopes):
            return Stage.MOVE if gains else Stage.REVOKE
        adds_only = all(scope.after >= scope.before for scope in self.scopes)
        return Stage.PROMOTE if gains or adds_only else Stage.REVOKE


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """Create the group that stands for a role in a scope, where roles are stored as groups."""

    scope: Scope
    role: Role
    name: str

    @property
    def stage(self) -> Stage:
        return Stage.CREATE


@dataclass(frozen=True, slots=True)
class CreateUser:
    """Create the account of a joiner. Its roles come by `SetRoles` for the same principal.

    `principal.id` is `model.provisional(user_name)`: the server gives the real one.
    """

    principal: Principal
    why: str = ""

    @property
    def stage(self) -> Stage:
        return Stage.CREATE


class Attribute(StrEnum):
    """An attribute of a User that the directory decides, by its name in RFC 7643 section 4.1."""

    USER_NAME = "userName"
    DISPLAY_NAME = "displayName"
    EMAIL = "emails"
    """The value of the primary e-mail."""


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """One attribute before and after; None where it is absent before."""

    attribute: Attribute
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class SetAttributes:
    """Make names and e-mail of one person what the directory says. Sorted, never empty."""

    principal: Principal
    attributes: tuple[AttributeChange, ...]
    why: str = ""

    @property
    def stage(self) -> Stage:
        return Stage.REPAIR


@dataclass(frozen=True, slots=True)
class SetActive:
    """Deactivate a leaver, or reactivate a returner (RFC 7643 section 4.1.1, `active`)."""

    principal: Principal
    after: bool
    why: str = ""

    @property
    def stage(self) -> Stage:
        return Stage.REACTIVATE if self.after else Stage.DEACTIVATE


@dataclass(frozen=True, slots=True)
class DeleteUser:
    """Delete an account that this program deactivated long ago. There is no way back."""

    principal: Principal
    why: str = ""

    @property
    def stage(self) -> Stage:
        return Stage.DELETE


Change = CreateGroup | SetRoles


def data(change: Change) -> dict[str, object]:
    """A change as plain data: what it does to whom, without the reasons. The base of every fingerprint."""
    match change:
        case CreateGroup():
            return {
                "kind": "create-group",
                "group": change.name,
                "scope": scope_data(change.scope),
                "role": str(change.role),
            }
        case SetRoles():
            return {
                "kind": "set-roles",
                "id": change.principal.id,
                "user": change.principal.user_name,
                "scopes": [scope_change_data(scope) for scope in change.scopes],
            }
        case _ as never:
            assert_never(never)


def scope_change_data(change: ScopeChange) -> dict[str, object]:
    """The roles in one scope before and after as plain data; `entries` only where there are any."""
    entries = {"entries": list(change.entries)} if change.entries else {}
    return {
        "scope": scope_data(change.scope),
        "before": words(change.before),
        "after": words(change.after),
        **entries,
    }


def scope_data(scope: Scope) -> dict[str, str | None]:
    """A scope as plain data. A project may be called `organization`, so the words of `str` would not do."""
    return {"project": scope.project}


def words(roles: Roles) -> list[str]:
    """The names of roles, the highest first."""
    return [str(role) for role in sorted(roles, reverse=True)]


class Result(StrEnum):
    """What became of a change."""

    APPLIED = "applied"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A change, what became of it, and in words why where it is not `applied`."""

    change: Change
    result: Result
    detail: str = ""
