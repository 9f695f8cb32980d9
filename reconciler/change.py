"""The closed set of changes that a plan is made of, and what became of each. Data only, no doing."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import assert_never
from unicodedata import normalize

from reconciler.model import ORGANIZATION, Principal, Provenance, Role, Roles, Scope, fold, highest


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


class Kind(StrEnum):
    """The kinds of changes, as plans and ledgers call them."""

    CREATE_GROUP = "create-group"
    SET_ROLES = "set-roles"
    CREATE_USER = "create-user"
    SET_ATTRIBUTES = "set-attributes"
    SET_ACTIVE = "set-active"
    DELETE_USER = "delete-user"


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
        return highest(self.after) > highest(self.before)

    @property
    def loses(self) -> bool:
        return highest(self.after) < highest(self.before)

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

    def of(self, principal: Principal) -> str | None:
        """What somebody has in it; None where it is absent."""
        match self:
            case Attribute.USER_NAME:
                return principal.user_name
            case Attribute.DISPLAY_NAME:
                return principal.display_name
            case Attribute.EMAIL:
                return principal.email
            case _ as never:
                assert_never(never)

    def same(self, one: str | None, other: str | None) -> bool:
        """Whether two values mean the same; of userNames and e-mails letter case is no difference.

        Nor is space around a name or in it, for many servers trim what they are given.
        """
        if one is None or other is None:
            return one == other
        if self is Attribute.DISPLAY_NAME:
            return _spaced(one) == _spaced(other)
        return fold(one) == fold(other)


def _spaced(name: str) -> str:
    return " ".join(normalize("NFC", name).split())


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


AccountChange = CreateUser | SetAttributes | SetActive | DeleteUser
"""What is done to somebody's account, and not to their roles."""

Change = CreateGroup | SetRoles | AccountChange


def shuts_out(change: Change) -> bool:
    """Whether nobody can act with the account any more once this is done."""
    match change:
        case SetActive():
            return not change.after
        case DeleteUser():
            return True
        case CreateGroup() | SetRoles() | CreateUser() | SetAttributes():
            return False
        case _ as never:
            assert_never(never)


def data(change: Change) -> dict[str, object]:
    """A change as plain data: what it does to whom, without the reasons. The base of every fingerprint."""
    match change:
        case CreateGroup():
            return {
                "kind": Kind.CREATE_GROUP.value,
                "group": change.name,
                "scope": scope_data(change.scope),
                "role": str(change.role),
            }
        case SetRoles():
            scopes = [scope_change_data(scope) for scope in change.scopes]
            return {**_of(Kind.SET_ROLES, change.principal), "scopes": scopes}
        case CreateUser():
            return {**_of(Kind.CREATE_USER, change.principal), **_account_data(change.principal)}
        case SetAttributes():
            attributes = [attribute_data(attribute) for attribute in change.attributes]
            return {**_of(Kind.SET_ATTRIBUTES, change.principal), "attributes": attributes}
        case SetActive():
            active = {"before": change.principal.active, "after": change.after}
            return {**_of(Kind.SET_ACTIVE, change.principal), **active}
        case DeleteUser():
            return {**_of(Kind.DELETE_USER, change.principal), **_account_data(change.principal)}
        case _ as never:
            assert_never(never)


def _of(kind: Kind, principal: Principal) -> dict[str, object]:
    """What every change of a person begins with."""
    return {"kind": kind.value, "id": principal.id, "user": principal.user_name}


def _account_data(principal: Principal) -> dict[str, object]:
    """What an account is made with, or was known by."""
    return {
        "external_id": principal.external_id,
        "display_name": principal.display_name,
        "email": principal.email,
    }


def attribute_data(change: AttributeChange) -> dict[str, object]:
    """One attribute before and after as plain data; null: it is absent."""
    return {"attribute": change.attribute.value, "before": change.before, "after": change.after}


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
