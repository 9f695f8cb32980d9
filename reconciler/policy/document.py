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
    organization admins, `service_admins` of the only service accounts that may be one. `longest_grant` is in
    days.
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
    creations: int = 50
    corrections: int = 50
    service_admins: tuple[str, ...] = ()


class MembersFrom(StrEnum):
    """Which attribute tells who is in a group; AUTO takes the first that shows any membership."""

    AUTO = "auto"
    GROUPS = "group-members"
    USERS = "user-groups"
    FILTER = "filter"


@dataclass(frozen=True, slots=True)
class GroupRef:
    """A group as a policy names it: by name, surer by id, with the names it had before."""

    name: str
    id: str | None = None
    previously: tuple[str, ...] = ()


class DirectoryKind(StrEnum):
    """What tells who is in which group."""

    SCIM = "scim"
    OKTA = "okta"
    ENTRA = "entra"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class AttributeNames:
    """What the directory calls the attributes that the server should have; empty: the kind's usual ones."""

    user_name: str = ""
    display_name: str = ""
    email: str = ""
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """Where group membership is read from. Each field but `kind` is of one or several kinds only.

    `nested` (entra): whether members of groups within a group count. `oldest` (file): how old an export
    may be, in hours. `entitled` (okta): the statuses that may have access, None for the usual ones. `log`
    (okta, entra): whether its log is asked for what it could not provision. `application` (okta, entra): the
    id or the name of the application whose provisioning that is; empty: any with `circleci` in its name.
    """

    kind: DirectoryKind = DirectoryKind.SCIM
    members_from: MembersFrom = MembersFrom.AUTO
    nested: bool = False
    oldest: int = 24
    entitled: tuple[str, ...] | None = None
    log: bool = False
    application: str = ""
    attributes: AttributeNames = AttributeNames()


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What a run may do to accounts, not only to roles; nothing but tell of them unless the policy says so.

    `grace` is for how many days somebody whom the directory does not list any more is left alone.
    `delete_after` is how many days after this program deactivated them an account is deleted, None: never.
    """

    creates: bool = False
    deactivates: bool = False
    reactivates: bool = False
    repairs: bool = False
    grace: int = 0
    delete_after: int | None = None


@dataclass(frozen=True, slots=True)
class PersonClass:
    """A class of people, such as contractors, and what holds for all of them.

    Somebody is in it by a group, by an attribute of the directory (its name to the values that count),
    or because an entry under `people:` says so.
    """

    name: str
    at: Location
    groups: tuple[GroupRef, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    end_required: bool = False
    """Whether nobody of them may hold a role for whom no end is known."""
    end_attribute: str = ""
    """The directory's attribute that tells the end; empty: only the policy does."""
    highest_role: Role | None = None
    only_where_named: bool = False
    """Whether only bindings that name the class under `classes:` give them anything."""


@dataclass(frozen=True, slots=True)
class Notice:
    """When a person should look at a temporary grant, a contract, or a review: both in days.

    `ending`: so many days before the end. `ended`: so many days after it, when the entry is only clutter.
    """

    ending: int = 7
    ended: int = 90


@dataclass(frozen=True, slots=True)
class Review:
    """That somebody looked at an entry, or at all entries of a file, and found them right.

    `date` is the last moment, aware, of the day that is named; `by` the reviewer's userName.
    """

    date: datetime
    by: str
    at: Location


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
    lifecycle: Lifecycle = Lifecycle()
    classes: Mapping[str, PersonClass] = field(default_factory=dict)
    notice: Notice = Notice()
    longest_review: int | None = None
    """For how many days a review holds; None: nobody is asked for one."""
    places: Mapping[tuple[str | int, ...], Location] = field(default_factory=dict, compare=False, repr=False)

    def place(self, *steps: str | int) -> Location:
        """Where the key or list entry at these steps from the root stands; `at` where there is none."""
        return self.places.get(steps, self.at)

    @property
    def class_attributes(self) -> frozenset[str]:
        """The attributes of people that classes and their ends go by."""
        classes = self.classes.values()
        names = {name for one in classes for name in (*one.attributes, one.end_attribute)}
        return frozenset(name for name in names if name)


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
    classes: tuple[str, ...] = ()
    """The classes of people that it names, for those that get nothing otherwise."""
    classes_at: tuple[Location, ...] = field(default=(), compare=False, repr=False)
    """Where each of them stands."""
    reviewed: Review | None = None
    """Its own mark, or else that of its file."""


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
    reviewed: Review | None = None
    """Its own mark, or else that of its file."""


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """What the policy knows of one person and the directory does not: class, end, earlier userNames.

    `ends` is the last moment, aware; a plain date was turned into that day's last microsecond, UTC.
    """

    user: str
    at: Location
    classes: tuple[str, ...] = ()
    ends: datetime | None = None
    previously: tuple[str, ...] = ()
    classes_at: tuple[Location, ...] = field(default=(), compare=False, repr=False)
    previously_at: tuple[Location, ...] = field(default=(), compare=False, repr=False)
    """Where each of them stands."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A principal that is no person: roles for a machine, for whom a person answers.

    `owner` is that person's userName. `review` is the last moment, aware, by which somebody must have
    looked at it again.
    """

    user: str
    roles: tuple[RoleEntry, ...]
    owner: str
    reason: str
    review: datetime
    at: Location
    reviewed: Review | None = None
    """Its own mark, or else that of its file."""


Reviewable = Binding | TemporaryGrant | ServiceAccount
"""An entry that gives roles, and that somebody looks at again from time to time."""


@dataclass(frozen=True, slots=True)
class Whom:
    """People whom an assertion names: whoever is in any of these. Places serve messages alone."""

    users: tuple[str, ...] = ()
    groups: tuple[GroupRef, ...] = ()
    classes: tuple[str, ...] = ()
    groups_at: tuple[Location, ...] = field(default=(), compare=False, repr=False)
    classes_at: tuple[Location, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """Roles that an assertion is about. Each means that role or a higher one."""

    roles: tuple[RoleEntry, ...] = ()
    anywhere: Role | None = None
    """A role in whatever scope."""


@dataclass(frozen=True, slots=True)
class Never:
    """These people have none of this."""

    whom: Whom
    access: Access


@dataclass(frozen=True, slots=True)
class Only:
    """Nobody but these people has any of this."""

    whom: Whom
    access: Access


@dataclass(frozen=True, slots=True)
class AtMost:
    """No more than so many people have any of this."""

    count: int
    access: Access


@dataclass(frozen=True, slots=True)
class NeverTogether:
    """Nobody has all of this."""

    access: Access


Claim = Never | Only | AtMost | NeverTogether


@dataclass(frozen=True, slots=True)
class Assertion:
    """What must hold of what people have, whatever the rest of the policy gives them.

    `says` is the sentence why; of those who are `excepted` the claim says nothing.
    """

    says: str
    claim: Claim
    at: Location
    excepted: Whom = Whom()

    @property
    def whoms(self) -> tuple[Whom, ...]:
        """All people whom it names."""
        named = (self.claim.whom,) if isinstance(self.claim, Never | Only) else ()
        return (*named, self.excepted)


@dataclass(frozen=True, slots=True)
class Policy:
    """All policy files of one organization, put together."""

    organization: Organization
    bindings: tuple[Binding, ...] = ()
    grants: tuple[TemporaryGrant, ...] = ()
    people: tuple[PersonEntry, ...] = ()
    service_accounts: tuple[ServiceAccount, ...] = ()
    protected_at: Mapping[str, Location] = field(default_factory=dict)
    """Where each protected person is named, for messages."""
    tree: str = ""
    """A hash of all its files, their names and every byte; 32 hexadecimal digits."""
    assertions: tuple[Assertion, ...] = ()

    @property
    def reviewables(self) -> tuple[Reviewable, ...]:
        """Every entry that gives roles."""
        return (*self.bindings, *self.grants, *self.service_accounts)

    @property
    def groups(self) -> frozenset[GroupRef]:
        """Every group that it names: those of bindings, of classes and of assertions."""
        classes = self.organization.classes.values()
        bound = (binding.group for binding in self.bindings)
        asserted = (whom.groups for one in self.assertions for whom in one.whoms)
        return frozenset(bound).union(*(one.groups for one in classes), *asserted)
