"""Builders of the nouns of access, with defaults, for tests that care about one thing at a time.

People are named in short: `ann` is the principal `u-ann` with the userName `ann@acme.example`. Roles are
given as words, those in the organization first: `holds("viewer", web="admin")`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

from reconciler.change import (
    Attribute,
    AttributeChange,
    Change,
    CreateUser,
    DeleteUser,
    ScopeChange,
    SetActive,
    SetAttributes,
    SetRoles,
)
from reconciler.finding import Finding
from reconciler.model import (
    ORGANIZATION,
    DesiredState,
    DirectoryGroup,
    EmptyGroup,
    Holdings,
    LiveState,
    Member,
    Membership,
    Principal,
    Provenance,
    Reasons,
    Role,
    Roles,
    Scope,
    Term,
    provisional,
)
from reconciler.plan import Plan
from reconciler.policy.document import (
    Access,
    Assertion,
    Binding,
    Claim,
    GroupRef,
    Guardrails,
    Limit,
    Mode,
    Notice,
    Organization,
    PersonClass,
    PersonEntry,
    Policy,
    RoleEntry,
    RoleStorage,
    ServiceAccount,
    StoredAs,
    TemporaryGrant,
    Whom,
)
from reconciler.ports import ProvisioningFailure
from reconciler.problem import Location, Problem

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
END = datetime(2026, 11, 27, 23, 59, 59, 999999, tzinfo=UTC)
SERVER = "https://scim.example/v2"
WEB, APP = Scope("web"), Scope("app")
GENEROUS = Limit(count=1000, percent=100)
UNLIMITED = Guardrails(
    minimum_admins=0,
    removals=GENEROUS,
    demotions=GENEROUS,
    last_roles=GENEROUS,
    deactivations=GENEROUS,
    expiries=GENEROUS,
    emptied_groups=1000,
    admins_gained=1000,
    longest_grant=36500,
    creations=1000,
    corrections=1000,
)
"""As good as none: only an empty policy and the token's own user are in the way."""


def at(line: int = 1, file: str = "team.yaml") -> Location:
    return Location(file, line, 1)


def some(words: str = "") -> Roles:
    """Roles from words: `admin viewer`."""
    return frozenset(Role[word.upper()] for word in words.split())


def holds(organization: str = "", /, **projects: str) -> Holdings:
    scopes = {ORGANIZATION: organization} | {Scope(project): words for project, words in projects.items()}
    return {scope: some(words) for scope, words in scopes.items() if words}


def principal(
    name: str = "ann",
    *,
    id: str | None = None,
    user_name: str | None = None,
    external_id: str | None = None,
    active: bool | None = True,
) -> Principal:
    return Principal(
        f"u-{name}" if id is None else id,
        user_name or f"{name}@acme.example",
        external_id,
        active,
    )


def by_id(people: Mapping[str, Holdings]) -> dict[str, Holdings]:
    return {f"u-{name}": holdings for name, holdings in people.items()}


def live(
    people: Mapping[str, Holdings] = MappingProxyType({}),
    *others: Principal,
    role_groups: frozenset[tuple[Scope, Role]] | None = None,
) -> LiveState:
    """Everybody by short name with what they hold; `others` hold nothing, or are somebody in particular."""
    principals = [principal(name) for name in people] + list(others)
    roles = {id_: holdings for id_, holdings in by_id(people).items() if holdings}
    return LiveState({person.id: person for person in principals}, roles, role_groups)


def desired(
    people: Mapping[str, Holdings] = MappingProxyType({}),
    *,
    why: Mapping[str, Reasons] = MappingProxyType({}),
    given: int = 1,
    empty_groups: tuple[EmptyGroup, ...] = (),
    terms: tuple[Term, ...] = (),
) -> DesiredState:
    reasons = {f"u-{name}": scopes for name, scopes in why.items()}
    return DesiredState(by_id(people), reasons, given=given, empty_groups=empty_groups, terms=terms)


def empty_group(name: str = "eng", organization: str = "", /, **projects: str) -> EmptyGroup:
    gives = holds(organization, **projects)
    return EmptyGroup(name, frozenset((scope, role) for scope, roles in gives.items() for role in roles))


def term(
    name: str = "ann", expires: datetime = END, *, starts: datetime | None = None, line: int = 1
) -> Term:
    return Term(f"{name}@acme.example", at(line), expires, starts)


def entries(organization: str, projects: Mapping[str, str], line: int) -> tuple[RoleEntry, ...]:
    scopes = {ORGANIZATION: organization} | {Scope(project): word for project, word in projects.items()}
    return tuple(RoleEntry(scope, Role[word.upper()], at(line)) for scope, word in scopes.items() if word)


def binding(
    group: str = "eng",
    organization: str = "",
    /,
    *,
    group_id: str | None = None,
    previously: tuple[str, ...] = (),
    classes: tuple[str, ...] = (),
    line: int = 1,
    **projects: str,
) -> Binding:
    reference = GroupRef(group, group_id, previously)
    return Binding(reference, entries(organization, projects, line), at(line), classes=classes)


def grant(
    name: str = "ann",
    organization: str = "",
    /,
    *,
    reason: str = "INC-1",
    starts: datetime | None = None,
    expires: datetime = END,
    line: int = 1,
    **projects: str,
) -> TemporaryGrant:
    roles = entries(organization, projects, line)
    return TemporaryGrant(f"{name}@acme.example", roles, reason, expires, at(line), starts)


def organization(
    mode: Mode = Mode.ENFORCE,
    *,
    name: str = "acme",
    stored_as: StoredAs = StoredAs.USER_ROLES,
    guardrails: Guardrails = UNLIMITED,
    projects: Mapping[str, str] = MappingProxyType({"web": "web", "app": "5d1f"}),
    managed: bool = True,
    classes: Collection[PersonClass] = (),
    notice: Notice = Notice(),  # noqa: B008
) -> Organization:
    storage = RoleStorage()
    if stored_as is StoredAs.GROUPS:
        storage = RoleStorage(stored_as, "circleci-org-{role}", "circleci-{project}-{role}")
    return Organization(
        name,
        mode,
        at(),
        projects,
        managed,
        guardrails=guardrails,
        roles=storage,
        classes={one.name: one for one in classes},
        notice=notice,
    )


def whom(*users: str, groups: Collection[str] = (), classes: Collection[str] = ()) -> Whom:
    """People by short name, and whoever is in these groups and classes."""
    names = tuple(f"{name}@acme.example" for name in users)
    return Whom(names, tuple(GroupRef(group) for group in groups), tuple(classes))


def access(organization: str = "", /, *, anywhere: str = "", **projects: str) -> Access:
    return Access(entries(organization, projects, 90), Role[anywhere.upper()] if anywhere else None)


def assertion(claim: Claim, *, excepted: Whom = Whom(), says: str = "So it is", line: int = 90) -> Assertion:  # noqa: B008
    return Assertion(says, claim, at(line, "assertions.yaml"), excepted)


Entry = Binding | TemporaryGrant | PersonEntry | ServiceAccount | Assertion


def policy(*written: Entry | PersonClass, of: Organization | None = None) -> Policy:
    """Of these entries; classes of people go to the organization."""
    of = of or organization()
    classes = {one.name: one for one in written if isinstance(one, PersonClass)}
    return Policy(
        replace(of, classes={**of.classes, **classes}),
        tuple(entry for entry in written if isinstance(entry, Binding)),
        tuple(entry for entry in written if isinstance(entry, TemporaryGrant)),
        tuple(entry for entry in written if isinstance(entry, PersonEntry)),
        tuple(entry for entry in written if isinstance(entry, ServiceAccount)),
        assertions=tuple(entry for entry in written if isinstance(entry, Assertion)),
    )


def person_class(
    name: str = "contractor",
    /,
    *,
    groups: Collection[str] = (),
    attributes: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    end: str = "",
    end_required: bool = False,
    highest: str = "",
    named: bool = False,
    line: int = 50,
) -> PersonClass:
    return PersonClass(
        name,
        at(line, "organization.yaml"),
        tuple(GroupRef(group) for group in groups),
        attributes,
        end_required,
        end,
        Role[highest.upper()] if highest else None,
        named,
    )


def person(
    name: str = "ann",
    *classes: str,
    ends: datetime | None = None,
    previously: tuple[str, ...] = (),
    line: int = 1,
) -> PersonEntry:
    return PersonEntry(f"{name}@acme.example", at(line, "people.yaml"), classes, ends, previously)


def service_account(
    name: str = "bot",
    organization: str = "",
    /,
    *,
    owner: str = "ann",
    reason: str = "releases",
    review: datetime = END,
    line: int = 1,
    **projects: str,
) -> ServiceAccount:
    roles = entries(organization, projects, line)
    return ServiceAccount(
        f"{name}@acme.example", roles, f"{owner}@acme.example", reason, review, at(line, "bots.yaml")
    )


def group(name: str = "eng", /, *members: str | Member, id: str | None = None) -> DirectoryGroup:
    """A group whose members are people by short name, known by their id, or as they are given."""
    people = (Member(f"u-{member}") if isinstance(member, str) else member for member in members)
    return DirectoryGroup(id or f"g-{name}", name, frozenset(people))


def membership(*groups: DirectoryGroup, names: Collection[str] = ()) -> Membership:
    return Membership(groups, frozenset(names) | {group.name for group in groups})


def provenance(
    name: str = "eng",
    role: str = "viewer",
    *,
    line: int = 1,
    reason: str = "",
    until: datetime | None = None,
    ended: bool = False,
) -> Provenance:
    """Of a binding, or of a temporary grant where it has an end."""
    entry = "temporary grant" if until else "binding"
    return Provenance(entry, name, at(line), Role[role.upper()], reason, until, ended)


def scope_change(scope: Scope, before: str = "", after: str = "", *why: Provenance) -> ScopeChange:
    return ScopeChange(scope, some(before), some(after), why)


def set_roles(who: str | Principal, *scopes: ScopeChange) -> SetRoles:
    return SetRoles(principal(who) if isinstance(who, str) else who, scopes)


def joiner(name: str = "joe", *, external_id: str | None = None, email: str | None = None) -> Principal:
    """Somebody who is to be created."""
    user_name = f"{name}@acme.example"
    return Principal(
        provisional(user_name), user_name, external_id or f"00u-{name}", True, name.title(), email=email
    )


def create_user(name: str = "joe", why: str = "in the group eng") -> CreateUser:
    return CreateUser(joiner(name), why)


def deactivate(who: str | Principal = "lea", why: str = "not in the directory") -> SetActive:
    return SetActive(principal(who) if isinstance(who, str) else who, False, why)


def reactivate(who: str | Principal = "rex", why: str = "back in the directory") -> SetActive:
    return SetActive(principal(who, active=False) if isinstance(who, str) else who, True, why)


def delete_user(who: str | Principal = "old", why: str = "deactivated for 90 days") -> DeleteUser:
    return DeleteUser(principal(who, active=False) if isinstance(who, str) else who, why)


def correct(
    who: str | Principal = "ann",
    *,
    user_name: str | None = None,
    display_name: str | None = None,
    email: str | None = None,
    why: str = "the directory says so",
) -> SetAttributes:
    """Somebody gets those values that are given."""
    person = principal(who) if isinstance(who, str) else who
    values = {Attribute.DISPLAY_NAME: display_name, Attribute.EMAIL: email, Attribute.USER_NAME: user_name}
    changes = (AttributeChange(one, one.of(person), value) for one, value in values.items() if value)
    return SetAttributes(person, tuple(changes), why)


def plan(
    *changes: Change,
    mode: Mode = Mode.ENFORCE,
    withheld: tuple[Change, ...] = (),
    problems: tuple[Problem, ...] = (),
    findings: tuple[Finding, ...] = (),
) -> Plan:
    return Plan("acme", SERVER, mode, changes, withheld, problems, findings=findings)


@dataclass
class Server:
    """A `ports.ProviderReader` over a live state; counts how often it was read."""

    state: LiveState
    server: str = SERVER
    me: str | None = None
    """Whose token it is read with, by principal id."""
    reads: int = 0
    asked_who: int = 0

    def read(self) -> LiveState:
        self.reads += 1
        return self.state

    def read_back(self, principal_ids: Collection[str]) -> LiveState:
        there = [id_ for id_ in principal_ids if id_ in self.state.people]
        people = {id_: self.state.people[id_] for id_ in there}
        return LiveState(people, {id_: self.state.holdings(id_) for id_ in there})

    def token_user(self) -> str | None:
        self.asked_who += 1
        return self.me


@dataclass
class Groups:
    """A `ports.Directory` over a membership; keeps what it was asked for."""

    membership: Membership
    asked: frozenset[GroupRef] = frozenset()
    log: tuple[ProvisioningFailure, ...] = ()

    def read(self, groups: Collection[GroupRef], *, everybody: bool = False) -> Membership:
        self.asked = frozenset(groups)
        return self.membership if everybody else replace(self.membership, people=None)

    def failures(self) -> tuple[ProvisioningFailure, ...]:
        return self.log
