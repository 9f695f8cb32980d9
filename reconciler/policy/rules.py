"""What a schema cannot say: the entries of a policy against each other and against the organization. Pure."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from reconciler.model import ORGANIZATION, Role, Scope, fold
from reconciler.naming import RoleNames
from reconciler.policy.document import (
    Binding,
    Organization,
    Policy,
    RoleEntry,
    StoredAs,
    TemporaryGrant,
)
from reconciler.problem import Location, Problem, did_you_mean

T = TypeVar("T")
Problems = Iterator[Problem]

_ALWAYS = datetime.min.replace(tzinfo=UTC)


def check(policy: Policy) -> list[Problem]:
    """Every problem of a policy whose files are valid by their schemas, sorted."""
    return sorted([*of_organization(policy.organization), *of_entries(policy), *of_scopes(policy)])


def of_organization(organization: Organization) -> Problems:
    """What `organization.yaml` has wrong in itself."""
    yield from project_names_collide(organization)
    yield from project_ids_collide(organization)
    yield from role_names_collide(organization)
    yield from required_twice(organization)


def of_entries(policy: Policy) -> Problems:
    """What bindings, temporary grants and protected people have wrong between them."""
    yield from bound_twice(policy.bindings)
    yield from bound_below_organization_role(policy.bindings)
    yield from group_spelled_in_two_ways(policy.bindings)
    yield from earlier_name_in_use(policy.bindings)
    yield from granted_below_organization_role(policy.grants)
    yield from grant_never_in_force(policy.grants)
    yield from granted_twice(policy.grants)
    yield from protected_twice(policy)
    yield from protected_and_granted(policy)


def of_scopes(policy: Policy) -> Problems:
    """What entries have wrong by the scopes that `organization.yaml` speaks for."""
    yield from unknown_project(policy)
    yield from unmanaged_organization_role(policy)
    yield from bound_to_role_group(policy)


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


def required_twice(organization: Organization) -> Problems:
    """A required admin who is named again in other letter case. (Named alike, the schema objects.)"""
    required = organization.guardrails.required_admins
    for first, second in _alike(required, fold):
        place = organization.place("guardrails", "required_admins", required.index(second))
        message = f"the required admin '{second}' is the same person as '{first}'"
        yield Problem(place, message, "delete one of them")


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
    protected = {fold(user): at for user, at in policy.protected_at.items()}
    for grant in policy.grants:
        if at := protected.get(fold(grant.user)):
            message = f"'{grant.user}' is protected in {_where(at)}, so no plan could carry this grant out"
            yield Problem(grant.at, message, "delete the grant, or the person from `guardrails.protected`")


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
