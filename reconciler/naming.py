"""How roles are spelled on the provider: (scope, role) to a string and back. Pure."""

import re
from collections.abc import Iterable, Mapping

from reconciler.model import ORGANIZATION, Role, Scope, fold
from reconciler.policy.document import Organization, RoleStorage


class RoleNames:
    """The spellings of every role in every scope that a policy speaks for; any other value is foreign."""

    def __init__(self, organization: Organization) -> None:
        names: dict[tuple[Scope, Role], str] = {}
        for role in Role:
            if organization.organization_roles_managed:
                names[ORGANIZATION, role] = organization.roles.organization.replace("{role}", str(role))
            for project, called in organization.projects.items():
                template = organization.roles.project.replace("{role}", str(role))
                names[Scope(project), role] = template.replace("{project}", called)
        self._names: Mapping[tuple[Scope, Role], str] = names
        self._meanings = {fold(name): meaning for meaning, name in names.items()}

    def name(self, scope: Scope, role: Role) -> str:
        """The provider's spelling. Raises KeyError for a scope that the policy does not speak for."""
        return self._names[scope, role]

    def meaning(self, name: str) -> tuple[Scope, Role] | None:
        """What a spelling of the provider means, or None where it is not the policy's."""
        return self._meanings.get(fold(name))

    def items(self) -> Iterable[tuple[tuple[Scope, Role], str]]:
        """Every (scope, role) with its spelling."""
        return self._names.items()


def projects(names: Iterable[str], storage: RoleStorage) -> tuple[str, ...]:
    """What the provider calls the projects whose roles are among these spellings, sorted.

    A spelling that means a role in the organization means no project's.
    """
    template, of_organization = _pattern(storage.project), _pattern(storage.organization)
    found: dict[str, str] = {}
    for name in sorted(names):
        match = template.fullmatch(name)
        if match and not of_organization.fullmatch(name):
            found.setdefault(fold(match["project"]), match["project"])
    return tuple(sorted(found.values()))


def _pattern(template: str) -> re.Pattern[str]:
    """What a spelling by a template looks like. A placeholder that is there twice says the same twice."""
    text = re.escape(template)
    for name, what in (("role", "|".join(map(str, Role))), ("project", ".+")):
        placeholder = re.escape(f"{{{name}}}")
        text = text.replace(placeholder, f"(?P<{name}>{what})", 1).replace(placeholder, f"(?P={name})")
    return re.compile(text, re.IGNORECASE | re.DOTALL)
