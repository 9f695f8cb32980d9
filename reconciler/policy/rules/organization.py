"""What `organization.yaml` has wrong in itself, and asks of a directory that cannot do it. Pure."""

from collections.abc import Mapping

from reconciler.model import Scope, fold
from reconciler.naming import RoleNames
from reconciler.policy.document import DirectoryKind, Organization
from reconciler.policy.rules.entries import Problems, alike, in_words
from reconciler.problem import Problem, did_you_mean

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


def of_organization(organization: Organization) -> Problems:
    """What `organization.yaml` has wrong in itself."""
    yield from project_names_collide(organization)
    yield from project_ids_collide(organization)
    yield from role_names_collide(organization)
    yield from admin_named_twice(organization)
    yield from deleted_without_leaving(organization)
    yield from grace_without_leaving(organization)
    yield from deactivated_without_admins(organization)


def of_directory(organization: Organization) -> Problems:
    """What `organization.yaml` asks of its directory, and this kind of directory cannot do."""
    yield from setting_of_another_kind(organization)
    yield from lifecycle_without_people(organization)
    yield from attributes_unknown_to_scim(organization)


def project_names_collide(organization: Organization) -> Problems:
    """Two projects whose names differ in case or normalization only."""
    for first, second in alike(organization.projects, fold):
        message = f"the project names '{first}' and '{second}' are the same but for letter case or accents"
        yield Problem(organization.place("projects", second), message, "rename or delete one of them")


def project_ids_collide(organization: Organization) -> Problems:
    """Two projects that the provider calls the same."""
    called = organization.projects
    for first, second in alike(called, lambda project: fold(called[project])):
        if fold(first) != fold(second):
            message = f"the projects '{first}' and '{second}' are both '{called[second]}' to the provider"
            remedy = "correct the `id:` of one, or delete one"
            yield Problem(organization.place("projects", second), message, remedy)


def role_names_collide(organization: Organization) -> Problems:
    """Templates that spell two roles the same; told once for each two scopes."""
    spelled = dict(RoleNames(organization).items())
    told = set()
    for (scope, role), (other, other_role) in alike(spelled, lambda meaning: fold(spelled[meaning])):
        if (scope, other) in told or _same_project(organization, scope, other):
            continue
        told.add((scope, other))
        meanings = f"{role} in {in_words(scope)} and {other_role} in {in_words(other)}"
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
        for first, second in alike(names, fold):
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


def grace_without_leaving(organization: Organization) -> Problems:
    """A grace for accounts that nobody touches anyway."""
    lifecycle = organization.lifecycle
    if lifecycle.grace and not lifecycle.deactivates:
        message = "there is nothing to wait for, for leavers are only reported"
        remedy = "add `leavers: deactivate`, or delete this key"
        yield Problem(organization.place("lifecycle", "grace"), message, remedy)


def deactivated_without_admins(organization: Organization) -> Problems:
    """Accounts that are to be deactivated where nobody can tell whether the last admin's is among them."""
    if organization.lifecycle.deactivates and not organization.organization_roles_managed:
        message = (
            "leavers can't be deactivated under `organization_roles: unmanaged`: nobody could count the "
            "admins that are left"
        )
        remedy = "write `leavers: report`, or let the policy speak for the organization's roles"
        yield Problem(organization.place("lifecycle", "leavers"), message, remedy)


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


def _same_project(organization: Organization, first: Scope, second: Scope) -> bool:
    """Whether two scopes collide by their projects' names or ids already."""
    if first.project is None or second.project is None:
        return first == second
    called = organization.projects
    same_id = fold(called[first.project]) == fold(called[second.project])
    return same_id or fold(first.project) == fold(second.project)
