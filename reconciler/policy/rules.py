"""What a schema cannot say: the entries of a policy against each other and against the organization. Pure."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from reconciler.model import ORGANIZATION, Role, Scope, fold
from reconciler.naming import RoleNames
from reconciler.policy.document import (
    Binding,
    DirectoryKind,
    Organization,
    PersonEntry,
    Policy,
    RoleEntry,
    ServiceAccount,
    StoredAs,
    TemporaryGrant,
)
from reconciler.problem import Location, Problem, did_you_mean

T = TypeVar("T")
E = TypeVar("E", PersonEntry, ServiceAccount)
Problems = Iterator[Problem]

_SCIM_ATTRIBUTE = "userType"
_SETTINGS: Mapping[str, tuple[DirectoryKind, ...]] = {
    "members_from": (DirectoryKind.SCIM,),
    "nested": (DirectoryKind.ENTRA,),
    "oldest": (DirectoryKind.FILE,),
    "entitled": (DirectoryKind.OKTA,),
    "log": (DirectoryKind.OKTA, DirectoryKind.ENTRA),
    "attributes": (DirectoryKind.OKTA, DirectoryKind.ENTRA, DirectoryKind.FILE),
}
"""By key of `directory:`, the kinds that have it."""

_ALWAYS = datetime.min.replace(tzinfo=UTC)


def check(policy: Policy) -> list[Problem]:
    """Every problem of a policy whose files are valid by their schemas, sorted."""
    organization = policy.organization
    return sorted(
        [
            *of_organization(organization),
            *of_directory(organization),
            *of_entries(policy),
            *of_scopes(policy),
            *of_classes(policy),
        ]
    )


def of_organization(organization: Organization) -> Problems:
    """What `organization.yaml` has wrong in itself."""
    yield from project_names_collide(organization)
    yield from project_ids_collide(organization)
    yield from role_names_collide(organization)
    yield from admin_named_twice(organization)
    yield from deleted_without_leaving(organization)


def of_directory(organization: Organization) -> Problems:
    """What `organization.yaml` asks of its directory, and this kind of directory cannot do."""
    yield from setting_of_another_kind(organization)
    yield from lifecycle_without_people(organization)
    yield from attributes_unknown_to_scim(organization)


def of_entries(policy: Policy) -> Problems:
    """What bindings, temporary grants, people and service accounts have wrong between them."""
    yield from bound_twice(policy.bindings)
    yield from bound_below_organization_role(policy.bindings)
    yield from group_spelled_in_two_ways(policy.bindings)
    yield from earlier_name_in_use(policy.bindings)
    yield from granted_below_organization_role(policy.grants)
    yield from grant_never_in_force(policy.grants)
    yield from granted_twice(policy.grants)
    yield from protected_twice(policy)
    yield from protected_and_granted(policy)
    yield from person_twice(policy.people)
    yield from earlier_user_name_in_use(policy.people)
    yield from protected_and_ended(policy)
    yield from service_account_twice(policy.service_accounts)
    yield from service_account_below_organization_role(policy.service_accounts)
    yield from service_account_elsewhere(policy)
    yield from owned_by_service_account(policy.service_accounts)
    yield from service_account_admin(policy)


def of_scopes(policy: Policy) -> Problems:
    """What entries have wrong by the scopes that `organization.yaml` speaks for."""
    yield from unknown_project(policy)
    yield from unmanaged_organization_role(policy)
    yield from bound_to_role_group(policy)
    yield from class_of_role_group(policy.organization)


def of_classes(policy: Policy) -> Problems:
    """What entries have wrong by the classes that `organization.yaml` declares."""
    yield from unknown_class(policy)


def project_names_collide(organization: Organization) -> Problems:
    """Two projects whose names differ in case or normalization only."""
    for first, second in _alike(organization.projects, fold):
        message = f"the project names '{first}' and '{second}' are the same but for letter case or accents"
        yield Problem(organization.place("projects", second), message, "rename or delete one of them")


def project_ids_collide(organization: Organization) -> Problems:
    """Two projects that the provider calls the same."""
    called = organization.projects
    for first, second in _alike(called, lambda project: fold(called[project])):
        if fold(first) != fold(second):
            message = f"the projects '{first}' and '{second}' are both '{called[second]}' to the provider"
            remedy = "correct the `id:` of one, or delete one"
            yield Problem(organization.place("projects", second), message, remedy)


def role_names_collide(organization: Organization) -> Problems:
    """Templates that spell two roles the same; told once for each two scopes."""
    spelled = dict(RoleNames(organization).items())
    told = set()
    for (scope, role), (other, other_role) in _alike(spelled, lambda meaning: fold(spelled[meaning])):
        if (scope, other) in told or _same_project(organization, scope, other):
            continue
        told.add((scope, other))
        meanings = f"{role} in {_in(scope)} and {other_role} in {_in(other)}"
        message = f"{meanings} are both stored as '{spelled[other, other_role]}'"
        place = organization.place("roles", "project" if other.project else "organization")
        yield Problem(place, message, "change a template under `roles:`: each spelling must mean one role")


def admin_named_twice(organization: Organization) -> Problems:
    """A required or service admin named again in other letter case. (Named alike, the schema objects.)"""
    limits = organization.guardrails
    for key, noun, names in (
        ("required_admins", "required admin", limits.required_admins),
        ("service_admins", "service admin", limits.service_admins),
    ):
        for first, second in _alike(names, fold):
            place = organization.place("guardrails", key, names.index(second))
            same = "person" if key == "required_admins" else "account"
            yield Problem(
                place, f"the {noun} '{second}' is the same {same} as '{first}'", "delete one of them"
            )


def deleted_without_leaving(organization: Organization) -> Problems:
    """Accounts that are to be deleted after they were deactivated, and never are."""
    lifecycle = organization.lifecycle
    if lifecycle.delete_after is not None and not lifecycle.deactivates:
        message = "nobody is deleted, for only who was deactivated is, and leavers are only reported"
        remedy = "add `leavers: deactivate`, or delete this key"
        yield Problem(organization.place("lifecycle", "delete_after"), message, remedy)


def setting_of_another_kind(organization: Organization) -> Problems:
    """A setting under `directory:` that another kind of directory has."""
    kind = organization.directory.kind
    for key, kinds in _SETTINGS.items():
        if ("directory", key) in organization.places and kind not in kinds:
            message = f"a directory of kind {kind} has no `{key}:`"
            remedy = f"delete the key; it is for {', '.join(kinds)}"
            yield Problem(organization.place("directory", key), message, remedy)


def lifecycle_without_people(organization: Organization) -> Problems:
    """A lifecycle where the directory knows nobody but those whom the server knows."""
    if organization.directory.kind is DirectoryKind.SCIM and ("lifecycle",) in organization.places:
        message = "a directory of kind scim cannot tell who joins and who leaves"
        remedy = "delete `lifecycle:`, or read a directory of kind okta, entra or file"
        yield Problem(organization.place("lifecycle"), message, remedy)


def attributes_unknown_to_scim(organization: Organization) -> Problems:
    """A class by an attribute that is none of a SCIM user's own (RFC 7643 section 4.1.1)."""
    if organization.directory.kind is not DirectoryKind.SCIM:
        return
    for name, one in organization.classes.items():
        for attribute in one.attributes:
            if attribute != _SCIM_ATTRIBUTE:
                meant = did_you_mean(attribute, [_SCIM_ATTRIBUTE])
                message = f"a directory of kind scim cannot tell the attribute '{attribute}'{meant}"
                remedy = f"it tells {_SCIM_ATTRIBUTE} alone; okta, entra and file tell others"
                place = organization.place("classes", name, "match", "attributes", attribute)
                yield Problem(place, message, remedy)
        if one.end_attribute:
            message = "a directory of kind scim tells no end of anybody's time"
            remedy = "write ends under `people:` of a policy file; okta, entra and file can tell them"
            yield Problem(organization.place("classes", name, "ends", "attribute"), message, remedy)


def bound_twice(bindings: Iterable[Binding]) -> Problems:
    """A group that is given a role in one scope by two bindings, or everything again by a second one."""
    for group in _groups(bindings):
        given: dict[str | None, RoleEntry] = {}
        whole: dict[frozenset[tuple[str | None, Role]], Binding] = {}
        for binding in group:
            gifts = frozenset((_key(entry.scope), entry.role) for entry in binding.roles)
            if gifts in whole:
                yield _repeated(whole[gifts], binding)
            else:
                yield from _clashes(f"group '{binding.group.name}'", given, binding.roles)
            whole.setdefault(gifts, binding)
            for entry in binding.roles:
                given.setdefault(_key(entry.scope), entry)


def bound_below_organization_role(bindings: Iterable[Binding]) -> Problems:
    """A project role lower than what the same group has in the whole organization, from any binding."""
    for group in _groups(bindings):
        roles = [entry for binding in group for entry in binding.roles]
        yield from _pointless(f"group '{group[0].group.name}'", roles)


def group_spelled_in_two_ways(bindings: Iterable[Binding]) -> Problems:
    """One group whose name two bindings write differently."""
    for first, *others in _groups(bindings):
        for other in others:
            if other.group.name != first.group.name:
                message = f"the group '{other.group.name}' is '{first.group.name}' in {_where(first.at)}"
                remedy = "write one name in both; if they are two groups, give each its own `id:`"
                yield Problem(other.at, message, remedy)


def earlier_name_in_use(bindings: Iterable[Binding]) -> Problems:
    """An earlier name of a group that a group has now, by this policy."""
    bindings = tuple(bindings)
    current = {fold(binding.group.name): binding for binding in reversed(bindings)}
    for binding in bindings:
        for name, at in zip(binding.group.previously, binding.previously_at, strict=False):
            if fold(name) == fold(binding.group.name):
                yield Problem(at, f"'{name}' is the group's present name", "delete it from `previously:`")
            elif other := current.get(fold(name)):
                message = f"'{name}' is no earlier name: it is a group of its own in {_where(other.at)}"
                yield Problem(at, message, "delete it here, or delete that binding")


def granted_below_organization_role(grants: Iterable[TemporaryGrant]) -> Problems:
    """A project role lower than the organization role of the same temporary grant."""
    for grant in grants:
        yield from _pointless(f"'{grant.user}'", grant.roles)


def grant_never_in_force(grants: Iterable[TemporaryGrant]) -> Problems:
    """A temporary grant that ends before it starts. One that is over already is history, not a mistake."""
    for grant in grants:
        if grant.starts is not None and grant.expires <= grant.starts:
            remedy = f"write a time for `expires:` that is after {grant.starts:%Y-%m-%dT%H:%M:%SZ}"
            yield Problem(grant.at, f"the grant of '{grant.user}' ends before it starts", remedy)


def granted_twice(grants: Iterable[TemporaryGrant]) -> Problems:
    """A person who is given a role in one scope by two temporary grants at one time."""
    given: dict[tuple[str, str | None], list[tuple[TemporaryGrant, RoleEntry]]] = defaultdict(list)
    for grant in grants:
        if _starts(grant) < grant.expires:
            for entry in grant.roles:
                given[fold(grant.user), _key(entry.scope)].append((grant, entry))
    for entries in given.values():
        entries.sort(key=lambda pair: (_starts(pair[0]), pair[1].at))
        yield from _overlaps(entries)


def protected_twice(policy: Policy) -> Problems:
    """A protected person who is named again in other letter case. (Named alike, the schema objects.)"""
    for first, second in _alike(policy.protected_at, fold):
        message = f"the protected '{second}' is the same person as '{first}'"
        yield Problem(policy.protected_at[second], message, "delete one of them")


def protected_and_granted(policy: Policy) -> Problems:
    """A temporary grant of somebody whom no plan may touch."""
    protected = _protected(policy)
    for grant in policy.grants:
        if at := protected.get(fold(grant.user)):
            message = f"'{grant.user}' is protected in {_where(at)}, so no plan could carry this grant out"
            yield Problem(grant.at, message, "delete the grant, or the person from `guardrails.protected`")


def person_twice(people: Iterable[PersonEntry]) -> Problems:
    """A person of whom two entries speak."""
    for first, second in _alike(_sorted(people), lambda entry: fold(entry.user)):
        message = f"'{second.user}' has an entry already, in {_where(first.at)}"
        yield Problem(second.at, message, "put both into one")


def earlier_user_name_in_use(people: Iterable[PersonEntry]) -> Problems:
    """An earlier name of a person that somebody has now, or that somebody else had, by this policy."""
    people = _sorted(people)
    current = {fold(entry.user): entry for entry in reversed(people)}
    earlier: dict[str, PersonEntry] = {}
    for entry in people:
        for name, at in zip(entry.previously, entry.previously_at, strict=False):
            first = earlier.setdefault(fold(name), entry)
            if fold(name) == fold(entry.user):
                yield Problem(at, f"'{name}' is the person's present name", "delete it from `previously:`")
            elif other := current.get(fold(name)):
                message = f"'{name}' is no earlier name: somebody is called so now, in {_where(other.at)}"
                yield Problem(at, message, "delete it here, or delete that entry")
            elif fold(first.user) != fold(entry.user):
                message = f"'{name}' is an earlier name of '{first.user}' already, in {_where(first.at)}"
                yield Problem(at, message, "delete it from one of them")


def protected_and_ended(policy: Policy) -> Problems:
    """An end of somebody whom no plan may touch."""
    for entry in policy.people:
        at = _protected(policy).get(fold(entry.user))
        if at and entry.ends is not None:
            message = f"'{entry.user}' is protected in {_where(at)}, so no plan could carry this end out"
            yield Problem(entry.at, message, "delete `ends:`, or the person from `guardrails.protected`")


def service_account_twice(accounts: Iterable[ServiceAccount]) -> Problems:
    """A service account with two entries."""
    for first, second in _alike(_sorted(accounts), lambda account: fold(account.user)):
        message = f"the service account '{second.user}' has an entry already, in {_where(first.at)}"
        yield Problem(second.at, message, "put both into one")


def service_account_below_organization_role(accounts: Iterable[ServiceAccount]) -> Problems:
    """A project role lower than the organization role of the same service account."""
    for account in accounts:
        yield from _pointless(f"'{account.user}'", account.roles)


def service_account_elsewhere(policy: Policy) -> Problems:
    """A service account that is also protected, or that another list takes for a person."""
    accounts = {fold(account.user): account for account in policy.service_accounts}
    protected = _protected(policy)
    for account in policy.service_accounts:
        if at := protected.get(fold(account.user)):
            message = f"'{account.user}' is protected in {_where(at)}, so no plan could give it these roles"
            yield Problem(account.at, message, "delete it here, or from `guardrails.protected`")
    entries: tuple[TemporaryGrant | PersonEntry, ...] = (*policy.grants, *policy.people)
    for entry in entries:
        if found := accounts.get(fold(entry.user)):
            message = f"'{entry.user}' is no person but a service account, in {_where(found.at)}"
            yield Problem(entry.at, message, "delete one of the two")


def owned_by_service_account(accounts: Iterable[ServiceAccount]) -> Problems:
    """A service account for which no person answers."""
    accounts = tuple(accounts)
    machines = {fold(account.user): account for account in accounts}
    for account in accounts:
        if found := machines.get(fold(account.owner)):
            message = f"the owner '{account.owner}' is a service account, in {_where(found.at)}"
            yield Problem(account.at, message, "name a person as `owner:`")


def service_account_admin(policy: Policy) -> Problems:
    """A service account that is made organization admin, which the guardrails do not allow it."""
    allowed = {fold(user) for user in policy.organization.guardrails.service_admins}
    for account in policy.service_accounts:
        for entry in account.roles:
            if entry.scope == ORGANIZATION and entry.role is Role.ADMIN and fold(account.user) not in allowed:
                message = f"the service account '{account.user}' may not be organization admin"
                remedy = "give it a lower role, or add it to `guardrails.service_admins` of organization.yaml"
                yield Problem(entry.at, message, remedy)


def unknown_class(policy: Policy) -> Problems:
    """A class that the organization does not declare."""
    known = policy.organization.classes
    entries: tuple[Binding | PersonEntry, ...] = (*policy.bindings, *policy.people)
    for entry in entries:
        for name, at in zip(entry.classes, entry.classes_at, strict=False):
            if name not in known:
                message = f"unknown class '{name}'{did_you_mean(name, known)}"
                yield Problem(at, message, "name a class of organization.yaml, or declare it there")


def unknown_project(policy: Policy) -> Problems:
    """A project that the organization does not list."""
    known = policy.organization.projects
    for entry in _given(policy):
        project = entry.scope.project
        if project is not None and project not in known:
            message = f"unknown project '{project}'{did_you_mean(project, known)}"
            yield Problem(entry.at, message, "name a project of organization.yaml, or add it there")


def unmanaged_organization_role(policy: Policy) -> Problems:
    """An organization role in a policy that leaves organization roles alone."""
    if policy.organization.organization_roles_managed:
        return
    place = _where(policy.organization.place("organization_roles"))
    for entry in _given(policy):
        if entry.scope == ORGANIZATION:
            message = f"an organization role, but {place} says `organization_roles: unmanaged`"
            yield Problem(entry.at, message, "delete the role here, or that line there")


def bound_to_role_group(policy: Policy) -> Problems:
    """A binding of a group that itself stands for a role: its members would follow from themselves."""
    if policy.organization.roles.stored_as is not StoredAs.GROUPS:
        return
    names = RoleNames(policy.organization)
    for binding in policy.bindings:
        if meaning := names.meaning(binding.group.name):
            scope, role = meaning
            message = f"the group '{binding.group.name}' stands for the role {role} in {_in(scope)}"
            yield Problem(binding.at, message, "bind a group of the identity provider")


def class_of_role_group(organization: Organization) -> Problems:
    """A class by a group that itself stands for a role: who is in it would follow from itself."""
    if organization.roles.stored_as is not StoredAs.GROUPS:
        return
    names = RoleNames(organization)
    for name, one in organization.classes.items():
        for index, group in enumerate(one.groups):
            if meaning := names.meaning(group.name):
                scope, role = meaning
                message = f"the group '{group.name}' stands for the role {role} in {_in(scope)}"
                place = organization.place("classes", name, "match", "groups", index)
                yield Problem(place, message, "name a group of the identity provider")


def _alike(items: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[tuple[T, T]]:
    """Each item whose key was there before, after the first that had it."""
    first: dict[Hashable, T] = {}
    for item in items:
        if key(item) in first:
            yield first[key(item)], item
        else:
            first[key(item)] = item


def _groups(bindings: Iterable[Binding]) -> Iterable[list[Binding]]:
    """Bindings by the group that they mean, in the order of the files.

    An id says which; without one, the name does, and it means the one group of that name with an id
    if there is just one.
    """
    bindings = sorted(bindings, key=lambda binding: binding.at)
    ids: dict[str, set[str]] = defaultdict(set)
    for binding in bindings:
        if binding.group.id is not None:
            ids[fold(binding.group.name)].add(binding.group.id)
    groups: dict[tuple[str, str], list[Binding]] = defaultdict(list)
    for binding in bindings:
        name = fold(binding.group.name)
        of_name = {binding.group.id} if binding.group.id is not None else ids[name]
        key = ("id", next(iter(of_name))) if len(of_name) == 1 else ("name", name)
        groups[key].append(binding)
    return groups.values()


def _key(scope: Scope) -> str | None:
    return None if scope.project is None else fold(scope.project)


def _given(policy: Policy) -> Iterator[RoleEntry]:
    for binding in policy.bindings:
        yield from binding.roles
    for grant in policy.grants:
        yield from grant.roles
    for account in policy.service_accounts:
        yield from account.roles


def _protected(policy: Policy) -> Mapping[str, Location]:
    """Where each protected person is named, by their folded name."""
    return {fold(user): at for user, at in policy.protected_at.items()}


def _sorted(entries: Iterable[E]) -> list[E]:
    """Entries in the order of the files."""
    return sorted(entries, key=lambda entry: entry.at)


def _repeated(first: Binding, second: Binding) -> Problem:
    message = f"this binding of group '{second.group.name}' repeats the one in {_where(first.at)}"
    return Problem(second.at, message, "delete one of them")


def _clashes(whom: str, given: Mapping[str | None, RoleEntry], roles: Iterable[RoleEntry]) -> Problems:
    for entry in roles:
        if earlier := given.get(_key(entry.scope)):
            yield _again(whom, earlier, entry)


def _again(whom: str, earlier: RoleEntry, entry: RoleEntry) -> Problem:
    place = _where(earlier.at)
    if earlier.role == entry.role:
        message = f"{whom} is made {entry.role} of {_in(entry.scope)} here and again in {place}"
        return Problem(entry.at, message, "delete one of them")
    message = f"{whom} is made {entry.role} of {_in(entry.scope)} here, but {earlier.role} in {place}"
    return Problem(entry.at, message, "keep the one that is meant, delete the other")


def _starts(grant: TemporaryGrant) -> datetime:
    return grant.starts or _ALWAYS


def _overlaps(entries: Iterable[tuple[TemporaryGrant, RoleEntry]]) -> Problems:
    """Of one person and scope, by their beginning: each that begins before one before it has ended."""
    (longest, earlier), *others = entries
    for grant, entry in others:
        if _starts(grant) <= longest.expires:
            yield _again(f"'{grant.user}'", earlier, entry)
        if grant.expires > longest.expires:
            longest, earlier = grant, entry


def _pointless(whom: str, roles: Iterable[RoleEntry]) -> Problems:
    """Project roles lower than the organization role beside them, which applies in every project."""
    roles = tuple(roles)
    everywhere = [entry for entry in roles if entry.scope == ORGANIZATION]
    if not everywhere:
        return
    highest = max(everywhere, key=lambda entry: entry.role)
    for entry in roles:
        if entry.scope != ORGANIZATION and entry.role < highest.role:
            why = f"{whom} is {highest.role} of the whole organization ({_where(highest.at)})"
            message = f"the role {entry.role} in {_in(entry.scope)} adds nothing: {why}"
            yield Problem(entry.at, message, "delete it, or give a higher role")


def _same_project(organization: Organization, first: Scope, second: Scope) -> bool:
    """Whether two scopes collide by their projects' names or ids already."""
    if first.project is None or second.project is None:
        return first == second
    called = organization.projects
    same_id = fold(called[first.project]) == fold(called[second.project])
    return same_id or fold(first.project) == fold(second.project)


def _in(scope: Scope) -> str:
    return "the organization" if scope.project is None else f"project '{scope.project}'"


def _where(place: Location) -> str:
    return f"{place.file}:{place.line}:{place.column}"
