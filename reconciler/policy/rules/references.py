"""What entries have wrong by the projects, roles and classes that `organization.yaml` speaks for. Pure."""

from collections.abc import Iterator

from reconciler.model import ORGANIZATION
from reconciler.naming import RoleNames
from reconciler.policy.document import (
    Binding,
    Organization,
    PersonEntry,
    Policy,
    RoleEntry,
    StoredAs,
    Whom,
)
from reconciler.policy.rules.entries import Problems, in_words, where
from reconciler.problem import Problem, did_you_mean


def of_scopes(policy: Policy) -> Problems:
    """What entries have wrong by the scopes that `organization.yaml` speaks for."""
    yield from unknown_project(policy)
    yield from unmanaged_organization_role(policy)
    yield from bound_to_role_group(policy)
    yield from class_of_role_group(policy.organization)
    yield from asserted_of_role_group(policy)


def of_classes(policy: Policy) -> Problems:
    """What entries have wrong by the classes that `organization.yaml` declares."""
    yield from unknown_class(policy)


def unknown_class(policy: Policy) -> Problems:
    """A class that the organization does not declare."""
    known = policy.organization.classes
    asserted = (whom for assertion in policy.assertions for whom in assertion.whoms)
    entries: tuple[Binding | PersonEntry | Whom, ...] = (*policy.bindings, *policy.people, *asserted)
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
    place = where(policy.organization.place("organization_roles"))
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
            message = f"the group '{binding.group.name}' stands for the role {role} in {in_words(scope)}"
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
                message = f"the group '{group.name}' stands for the role {role} in {in_words(scope)}"
                place = organization.place("classes", name, "match", "groups", index)
                yield Problem(place, message, "name a group of the identity provider")


def asserted_of_role_group(policy: Policy) -> Problems:
    """An assertion about a group that itself stands for a role: who is in it changes as the plan runs."""
    if policy.organization.roles.stored_as is not StoredAs.GROUPS:
        return
    names = RoleNames(policy.organization)
    for whom in (whom for assertion in policy.assertions for whom in assertion.whoms):
        for group, place in zip(whom.groups, whom.groups_at, strict=False):
            if meaning := names.meaning(group.name):
                scope, role = meaning
                message = f"the group '{group.name}' stands for the role {role} in {in_words(scope)}"
                yield Problem(place, message, "name a group of the identity provider")


def _given(policy: Policy) -> Iterator[RoleEntry]:
    for binding in policy.bindings:
        yield from binding.roles
    for grant in policy.grants:
        yield from grant.roles
    for account in policy.service_accounts:
        yield from account.roles
    for assertion in policy.assertions:
        yield from assertion.claim.access.roles
