"""The typed policy of one organization: what the YAML says, after it was found to be valid."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.model import Role, Scope
from reconciler.problem import Location


class Mode(StrEnum):
    """How far a run may go: never write, only add, or add and revoke."""

    REPORT = "report"
    ADDITIVE = "additive"
    ENFORCE = "enforce"


class StoredAs(StrEnum):
    """Where the provider keeps roles: in `User.roles[].value`, or as membership of one Group each."""

    USER_ROLES = "user-roles"
    GROUPS = "groups"


@dataclass(frozen=True, slots=True)
class RoleStorage:
    """How a role in a scope is spelled on the provider; templates with `{role}` and `{project}`."""

    stored_as: StoredAs = StoredAs.USER_ROLES
    organization: str = "org-{role}"
    project: str = "project-{role}:{project}"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of a guardrail: at most `count` people and at most `percent` of those who hold roles."""

    count: int
    percent: int


@dataclass(frozen=True, slots=True)
class Guardrails:
    """The limits that a plan must keep; docs/guardrails.md says what each of them measures.

    `protected` are the userNames of people whom no plan touches, `required_admins` of those who stay
    organization admins. `longest_grant` is in days.
    """

    minimum_admins: int = 2
    protected: tuple[str, ...] = ()
    removals: Limit = Limit(count=10, percent=20)
    demotions: Limit = Limit(count=10, percent=20)
    last_roles: Limit = Limit(count=10, percent=20)
    deactivations: Limit = Limit(count=10, percent=20)
    expiries: Limit = Limit(count=100, percent=100)
    required_admins: tuple[str, ...] = ()
    emptied_groups: int = 0
    admins_gained: int = 5
    longest_grant: int = 90


class MembersFrom(StrEnum):
    """Which attribute tells who is in a group; AUTO takes the first that shows any membership."""

    AUTO = "auto"
    GROUPS = "group-members"
    USERS = "user-groups"
    FILTER = "filter"


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """Where group membership is read from."""

    kind: str = "scim"
    members_from: MembersFrom = MembersFrom.AUTO


@dataclass(frozen=True, slots=True)
class Organization:
    """What `organization.yaml` says for the whole organization.

    `projects` maps each project's name in the policy to what the provider calls it. `at` is where
    the organization is named; `places` tells where what a later check may find fault with stands.
    """

    name: str
    mode: Mode
    at: Location
    projects: Mapping[str, str] = field(default_factory=dict)
    organization_roles_managed: bool = True
    directory: DirectorySettings = DirectorySettings()
    guardrails: Guardrails = Guardrails()
    roles: RoleStorage = RoleStorage()
    places: Mapping[tuple[str | int, ...], Location] = field(default_factory=dict, compare=False, repr=False)

    def place(self, *steps: str | int) -> Location:
        """Where the key or list entry at these steps from the root stands; `at` where there is none."""
        return self.places.get(steps, self.at)


@dataclass(frozen=True, slots=True)
class GroupRef:
    """A group as a policy names it: by name, surer by id, with the names it had before."""

    name: str
    id: str | None = None
    previously: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleEntry:
    """One role in one scope, as a binding or a temporary grant gives it, and the line that says so."""

    scope: Scope
    role: Role
    at: Location


@dataclass(frozen=True, slots=True)
class Binding:
    """A group gets roles in scopes."""

    group: GroupRef
    roles: tuple[RoleEntry, ...]
    at: Location
    previously_at: tuple[Location, ...] = field(default=(), compare=False, repr=False)
    """Where each of the group's earlier names stands."""


@dataclass(frozen=True, slots=True)
class TemporaryGrant:
    """One person gets roles in scopes, for a reason, from `starts` to the last moment `expires`.

    Both are aware; `starts` None means from now on. A plain date was turned into that day's last
    microsecond, UTC.
    """

    user: str
    roles: tuple[RoleEntry, ...]
    reason: str
    expires: datetime
    at: Location
    starts: datetime | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """All policy files of one organization, put together."""

    organization: Organization
    bindings: tuple[Binding, ...] = ()
    grants: tuple[TemporaryGrant, ...] = ()
    protected_at: Mapping[str, Location] = field(default_factory=dict)
    """Where each protected person is named, for messages."""
    tree: str = ""
    """A hash of all its files, their names and every byte; 32 hexadecimal digits."""
