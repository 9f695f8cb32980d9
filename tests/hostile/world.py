"""A small organization in both ways of storing roles: its server, its policy, what it should come to."""

from collections.abc import Collection, Mapping
from pathlib import Path

from cli.small_world import write_policy
from click.testing import CliRunner
from hostile.faults import Knob
from hostile.rivals import FOREIGN
from hostile.server import AtFirst, Held, HostileServer
from scim.fake_server import BASE, SECRET

from reconciler.cli import cli
from reconciler.model import ORGANIZATION as ORGANIZATION_SCOPE
from reconciler.model import Role, Scope
from reconciler.policy.document import StoredAs
from reconciler.sandbox import seed

MINIMUM_ADMINS = 2

ORGANIZATION = """\
version: 1
organization: acme
mode: enforce
projects: {storefront: {}}
guardrails:
  removals: {percent: 100, count: 100}
  demotions: {percent: 100, count: 100}
  last_roles: {percent: 100, count: 100}
  deactivations: {percent: 100, count: 100}
"""
IN_GROUPS = """\
roles:
  stored_as: groups
  organization: "circleci-org-{role}"
  project: "circleci-{project}-{role}"
"""
BINDINGS = """\
version: 1
bindings:
  - group: platform
    organization: admin
  - group: eng-web
    organization: viewer
    projects: {storefront: admin}
"""

ADMIN = "org-admin"
WEB = ("org-viewer", "project-admin:storefront")
LIVE: Mapping[str, tuple[str, ...]] = {
    "ada": (ADMIN,),
    "bob": (ADMIN,),
    "cleo": (),
    "dan": (FOREIGN, "org-viewer"),
    "eve": (FOREIGN, "org-viewer"),
    "finn": ("org-contributor", "project-viewer:storefront"),
    "ida": WEB,
    "jon": WEB,
}
DESIRED: Mapping[str, tuple[str, ...]] = {
    **LIVE,
    "bob": WEB,
    "cleo": WEB,
    "dan": (FOREIGN,),
    "eve": (FOREIGN, ADMIN),
    "finn": WEB,
    "ida": (),
}
"""Bob hands over to Eve, Cleo joins, Finn moves, Dan leaves, and Ida is not active any more."""

Groups = Mapping[str, tuple[str, ...]]
DIRECTORY: Groups = {"platform": ("ada", "eve"), "eng-web": ("bob", "cleo", "finn", "ida", "jon")}
"""The groups of the directory; every other one is a role, or foreign."""
INACTIVE = ("ida",)
MISSING = "project-admin:storefront"
"""The role whose group is to be created: where roles are groups, nobody holds it at first."""


_AT_FIRST: Mapping[StoredAs, AtFirst] = {stored_as: {} for stored_as in StoredAs}


def name(person: str) -> str:
    return f"{person}@acme.example"


def spelled(role: str, stored_as: StoredAs) -> str:
    """What a role is called on the server: its value, or the name of its group."""
    if stored_as is StoredAs.USER_ROLES or role == FOREIGN:
        return role
    if role.startswith("org-"):
        return f"circleci-{role}"
    kind, _, project = role.partition(":")
    return f"circleci-{project}-{kind.removeprefix('project-')}"


def live(stored_as: StoredAs) -> Mapping[str, tuple[str, ...]]:
    """Everybody's roles at first; where roles are groups, without those of a group that is not there yet."""
    if stored_as is StoredAs.USER_ROLES:
        return LIVE
    return {person: tuple(role for role in roles if role != MISSING) for person, roles in LIVE.items()}


def held(
    roles: Mapping[str, tuple[str, ...]], stored_as: StoredAs, directory: Groups = DIRECTORY
) -> Mapping[str, tuple[str, ...]]:
    """What the server says everybody holds, with their groups, when they have these roles."""
    return {
        name(person): tuple(
            sorted(
                [spelled(role, stored_as) for role in held]
                + [group for group, members in directory.items() if person in members]
            )
        )
        for person, held in roles.items()
    }


def server(stored_as: StoredAs, *knobs: Knob) -> HostileServer:
    """The organization as it is at first, behind these knobs."""
    content = content_of(live(stored_as), DIRECTORY, stored_as)
    return HostileServer(content, *knobs, at_first=_AT_FIRST[stored_as])


def content_of(roles: Mapping[str, tuple[str, ...]], directory: Groups, stored_as: StoredAs) -> seed.Seed:
    """A server's content: people with these roles, in these groups."""
    in_groups = stored_as is StoredAs.GROUPS
    people = {
        name(person): seed.Person(
            roles=() if in_groups else held, external_id=f"00u-{person}", active=person not in INACTIVE
        )
        for person, held in roles.items()
    }
    groups = dict(directory)
    for role in dict.fromkeys(role for held in roles.values() for role in held) if in_groups else ():
        groups[spelled(role, stored_as)] = tuple(person for person, held in roles.items() if role in held)
    members = {group: seed.Group(tuple(map(name, people))) for group, people in groups.items()}
    return seed.Seed(people, members, other_roles=frozenset({FOREIGN}))


def policy(
    folder: Path, stored_as: StoredAs, organization: str = ORGANIZATION, bindings: str = BINDINGS
) -> Path:
    """The policy of the organization, in a new folder."""
    storage = IN_GROUPS if stored_as is StoredAs.GROUPS else ""
    return write_policy(folder, organization + storage, bindings)


def run(
    server: HostileServer, *arguments: str, url: str = "", at_once: int | None = None
) -> tuple[int, str, str]:
    """Exit code and streams of one run, over a socket if at a `url`; checked for what none may ever print."""
    variables = {
        "CIRCLECI_SCIM_URL": url or BASE,
        "CIRCLECI_SCIM_TOKEN": SECRET,
        "CIRCLECI_SCIM_AT_ONCE": None if at_once is None else str(at_once),
        # What takes longer than all the rest: asking git, and reading the certificates of a whole world.
        "CIRCLE_SHA1": "0123abcd",
        "SSL_CERT_FILE": None,
        "SSL_CERT_DIR": None,
    }
    result = CliRunner().invoke(cli, arguments, env=variables, obj=None if url else server.reach())
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert SECRET not in result.output
    assert "Traceback" not in result.output
    return int(result.exit_code), result.stdout, result.stderr


Roles = Mapping[str, Mapping[Scope, frozenset[Role]]]
"""By userName: the policy's roles in each scope; a scope without any is absent."""


def roles(held: Held, stored_as: StoredAs) -> Roles:
    """What of what everybody holds is the policy's."""
    return {person: _in_scopes(names, _meanings(stored_as)) for person, names in held.items()}


def admins(held: Held, stored_as: StoredAs, inactive: Collection[str] = ()) -> frozenset[str]:
    """Everybody who holds the organization's admin role and is active."""
    admin = spelled(ADMIN, stored_as)
    return frozenset(person for person, names in held.items() if admin in names and person not in inactive)


def _meanings(stored_as: StoredAs) -> Mapping[str, tuple[Scope, Role]]:
    found = {}
    for role in Role:
        found[spelled(f"org-{role}", stored_as)] = (ORGANIZATION_SCOPE, role)
        found[spelled(f"project-{role}:storefront", stored_as)] = (Scope("storefront"), role)
    return found


def _in_scopes(
    names: Collection[str], meanings: Mapping[str, tuple[Scope, Role]]
) -> Mapping[Scope, frozenset[Role]]:
    scopes: dict[Scope, frozenset[Role]] = {}
    for name in names:
        if name in meanings:
            scope, role = meanings[name]
            scopes[scope] = scopes.get(scope, frozenset()) | {role}
    return scopes
