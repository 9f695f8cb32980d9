"""An organization of any size, as a SCIM server tells it and as a policy asks for it: the same every time.

Everybody is in one group, each group gives a role in the organization and, but for that of the admins, one in
a project. So who holds what their group gives them does not differ from the policy, and the server can be
told how many people do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

ORGANIZATION = "acme"
FIRST = (
    "Amara",
    "Bengt",
    "Chiara",
    "Deepak",
    "Elif",
    "Farid",
    "Gréta",
    "Hiro",
    "Inês",
    "Jana",
    "Kofi",
    "Łucja",
)
LAST = ("Okafor", "Lindqvist", "Conti", "Rao", "Demir", "Haddad", "Vogel", "Tanabe", "Sá", "Novák", "Mensah")
DEPARTMENTS = ("Payments Engineering", "Storefront", "Data Platform", "Site Reliability", "Internal Tools")
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"

ORGANIZATION_YAML = """\
version: 1
organization: NAME
mode: enforce
projects: {PROJECTS}
directory: {kind: scim}
guardrails:
  removals: {percent: 50, count: 1000000}
  demotions: {percent: 50, count: 1000000}
  last_roles: {percent: 50, count: 1000000}
"""

Entries = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class World:
    """So many people in so many groups, with roles in so many projects. The first group is the admins'."""

    people: int
    groups: int
    projects: int = 40

    @property
    def project_names(self) -> Sequence[str]:
        return [self._project(n) for n in range(self.projects)]

    def group_of(self, person: int) -> int:
        return person % self.groups

    def is_active(self, person: int) -> bool:
        """One in a hundred has left, holds nothing any more, and is still in the group."""
        return person % 100 != 99

    def roles(self, person: int) -> Entries:
        """What the group of somebody gives them, as `User.roles`."""
        if not self.is_active(person):
            return []
        group = self.group_of(person)
        entries = [{"value": f"org-{_organization_role(group)}"}]
        return [*entries, {"value": self._project_role(group)}] if group else entries

    def differing(self, number: int) -> dict[int, Entries]:
        """So many people who hold something else: they lack a role, have one too many, or both.

        Admins are none of them, for a guardrail counts those one by one.
        """
        candidates = [n for n in range(self.people) if self.group_of(n) and self.is_active(n)]
        chosen = [candidates[n * len(candidates) // number] for n in range(number)]
        return {person: self._other_roles(person, turn) for turn, person in enumerate(chosen)}

    def _other_roles(self, person: int, turn: int) -> Entries:
        organization, project = self.roles(person)
        another = {"value": self._project_role(self.group_of(person) + 1)}
        return ([organization], [organization, project, another], [organization, another])[turn % 3]

    def _project_role(self, group: int) -> str:
        role = "admin" if group % 5 == 0 else "contributor"
        return f"project-{role}:{self._project(group)}"

    def _project(self, group: int) -> str:
        return f"service-{group % self.projects:02d}"

    def user(self, person: int, roles: Entries) -> bytes:
        """A User resource of about 900 bytes."""
        first, last = FIRST[person % len(FIRST)], LAST[person // 7 % len(LAST)]
        name, group = f"{first} {last}", self.group_of(person)
        mail = f"{first[0]}.{last}.{person:06d}@acme.example".lower()
        document = {
            "schemas": [USER, ENTERPRISE],
            "id": user_id(person),
            "externalId": f"00u{person * 7919 % 10**9:09d}Xq5d7",
            "userName": mail,
            "name": {"formatted": name, "givenName": first, "familyName": last},
            "displayName": name,
            "userType": "Employee",
            "active": self.is_active(person),
            "emails": [{"value": mail, "type": "work", "primary": True}],
            "roles": roles,
            "groups": [{"value": group_id(group), "display": group_name(group)}],
            ENTERPRISE: {
                "employeeNumber": f"{person:06d}",
                "department": DEPARTMENTS[group % len(DEPARTMENTS)],
            },
            "meta": {
                "resourceType": "User",
                "lastModified": "2026-11-02T16:40:07Z",
                "location": f"https://scim.example/v2/Users/{user_id(person)}",
                "version": f'W/"{person:08x}"',
            },
        }
        return msgspec.json.encode(document)

    def group(self, group: int) -> bytes:
        """A Group resource with all its members."""
        members = range(group, self.people, self.groups)
        document = {
            "schemas": [GROUP],
            "id": group_id(group),
            "displayName": group_name(group),
            "members": [{"value": user_id(n), "type": "User"} for n in members],
            "meta": {"resourceType": "Group", "lastModified": "2026-11-02T16:40:07Z"},
        }
        return msgspec.json.encode(document)

    def policy(self, files: int, name: str = ORGANIZATION) -> Iterator[tuple[str, str]]:
        """The path and the text of each file of a policy that binds all groups in so many files at most."""
        files = min(files, self.groups)  # a file that binds nobody says nothing
        names = ", ".join(f"{name}: {{}}" for name in self.project_names)
        yield "organization.yaml", ORGANIZATION_YAML.replace("NAME", name).replace("PROJECTS", names)
        for number in range(files):
            groups = range(number * self.groups // files, (number + 1) * self.groups // files)
            yield f"teams/team-{number:04d}.yaml", self._file(number, groups)

    def _file(self, number: int, groups: Sequence[int]) -> str:
        return f"version: 1\nowner: team-{number:04d}\nbindings:\n" + "".join(map(self._binding, groups))

    def _binding(self, group: int) -> str:
        given = f"  - group: {group_name(group)}\n    organization: {_organization_role(group)}\n"
        if not group:
            return given
        role = "admin" if group % 5 == 0 else "contributor"
        return f"{given}    projects: {{{self._project(group)}: {role}}}\n"


def user_id(person: int) -> str:
    """An id that looks like any server's, and tells whose it is."""
    return f"{person * 2654435761 % 2**32:08x}-7c1d-4b0e-9a55-{person:012x}"


def group_id(group: int) -> str:
    """The same for a group."""
    return f"{group * 2246822519 % 2**32:08x}-51e0-4d2c-8f17-{group:012x}"


def number_of(id_: str) -> int | None:
    """Whose id that could be; None where it is none of ours."""
    try:
        return int(id_[-12:], 16)
    except ValueError:
        return None


def group_name(group: int) -> str:
    """What the policy calls a group, too."""
    return f"eng-{group:04d}"


def _organization_role(group: int) -> str:
    return "viewer" if group else "admin"
