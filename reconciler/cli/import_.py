"""`reconciler import`: a policy folder from what is live, to start from. Has no way to write to a server."""

import errno
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from reconciler import importing, naming, planning
from reconciler.cli.context import moment
from reconciler.cli.plan import Moment
from reconciler.cli.run import prepare
from reconciler.directories.scim import ScimDirectory
from reconciler.errors import ReadError, SettingsError
from reconciler.model import Membership, fold
from reconciler.naming import RoleNames
from reconciler.policy import source, times
from reconciler.policy.document import (
    DirectorySettings,
    GroupRef,
    Mode,
    Organization,
    Policy,
    RoleStorage,
    StoredAs,
)
from reconciler.policy.files import shown
from reconciler.ports import ProviderReader
from reconciler.problem import Location, did_you_mean
from reconciler.report import imported as report
from reconciler.report.imported import Files, Imported
from reconciler.report.plain import printable
from reconciler.scim.client import Client
from reconciler.scim.provider import ScimReader
from reconciler.scim.reading import Reading, Readings

DAYS = 30
"""For so long what no group explains lasts, unless somebody says otherwise."""

_NAME = re.compile(r"(?=.{1,63}\Z)[a-z]([a-z0-9-]*[a-z0-9])?")
_GROUPS_BY_DEFAULT = ("circleci-org-{role}", "circleci-{project}-{role}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be imported, and how the server spells it."""

    organization: str
    storage: RoleStorage
    projects: Mapping[str, str]
    """By name: what the provider calls them; empty: all that are found, and the organization's roles."""
    groups: tuple[str, ...]
    """The groups that may be reasons; empty: all."""
    expires: datetime | None


@click.command("import")
@click.argument("organization", metavar="ORGANIZATION")
@click.option(
    "--out",
    metavar="FOLDER",
    type=click.Path(path_type=Path, readable=False),
    help="Where to write; policies/ORGANIZATION if it is not said. No file there is replaced.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there, and leave others in place.")
@click.option(
    "--project",
    "projects",
    metavar="NAME[=ID]",
    multiple=True,
    help="Only roles in this project, by what the server calls it or by a name of your own for that ID; "
    "then the policy leaves the organization's roles alone. May be given several times.",
)
@click.option(
    "--group",
    "groups",
    metavar="NAME",
    multiple=True,
    help="Only this group can be a reason for roles. May be given several times.",
)
@click.option(
    "--expires",
    metavar="TIME",
    type=Moment(),
    help=f"When roles end that no group explains; in {DAYS} days if it is not said.",
)
@click.option(
    "--stored-as",
    type=click.Choice([str(one) for one in StoredAs]),
    default=str(StoredAs.USER_ROLES),
    show_default=True,
    help="How the server stores roles.",
)
@click.option("--organization-role", metavar="TEMPLATE", help="How it spells one, such as org-{role}.")
@click.option("--project-role", metavar="TEMPLATE", help="The same, such as project-{role}:{project}.")
def command(
    organization: str,
    out: Path | None,
    overwrite: bool,
    projects: tuple[str, ...],
    groups: tuple[str, ...],
    expires: datetime | None,
    stored_as: str,
    organization_role: str | None,
    project_role: str | None,
) -> None:
    """Write a policy under which everybody keeps what they have on the server now.

    A group becomes a binding where everybody in it has a role, and the largest groups explain most. What no
    group of two or more explains becomes a temporary grant of each person, to be decided about before it
    ends. The policy is in mode `report`: nothing is written by it until somebody changes that.

    Reads the server that the environment tells, as `plan` does; asks it for nothing else than reading.

    \b
    Examples:
      reconciler import acme
      reconciler import acme --out policies/acme --project storefront

    \b
    Exit codes:
      0    the policy was written, and what it can't say was told
      2    the command line or the environment is wrong, or a file is there
           already
      7    the server could not be read whole
      130  interrupted
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    if not _NAME.fullmatch(organization):
        raise SettingsError(
            f"'{organization}' is no name of an organization",
            "it begins with a letter, and has lower-case letters, digits and dashes, 63 at most",
        )
    folder = out or Path("policies") / organization
    if expires is not None and expires <= moment():
        raise SettingsError(
            f"--expires {expires:%Y-%m-%dT%H:%M:%SZ} is over, and so would be what people have by no group",
            "name a time that is yet to come",
        )
    wanted = Wanted(
        organization, _storage(stored_as, organization_role, project_role), _named(projects), groups, expires
    )
    if not overwrite:
        _refuse_policy(folder)
    empty = Policy(Organization(organization, Mode.REPORT, Location("")))
    imported = prepare(empty, partial(_import, wanted))
    write(folder, imported.files, overwrite=overwrite)
    for line in report.summary(shown(folder), imported):
        click.echo(printable(line))


def _storage(stored_as: str, organization_role: str | None, project_role: str | None) -> RoleStorage:
    """How roles are stored. Raises SettingsError where a template can't tell roles apart."""
    usual = RoleStorage()
    if stored_as == StoredAs.GROUPS:
        usual = RoleStorage(StoredAs.GROUPS, *_GROUPS_BY_DEFAULT)
    storage = RoleStorage(
        StoredAs(stored_as), organization_role or usual.organization, project_role or usual.project
    )
    for option, template, needed in (
        ("--organization-role", storage.organization, ("{role}",)),
        ("--project-role", storage.project, ("{role}", "{project}")),
    ):
        bare = template
        for placeholder in needed:
            bare = bare.replace(placeholder, "")
        if any(placeholder not in template for placeholder in needed) or "{" in bare or "}" in bare:
            raise SettingsError(
                f"{option}: '{template}' must have {' and '.join(needed)}, and no other brace"
            )
    return storage


def _named(projects: Iterable[str]) -> Mapping[str, str]:
    """The projects by their names, each with what the provider calls it. Raises SettingsError."""
    found: dict[str, str] = {}
    for name, _, called in (one.partition("=") for one in projects):
        called = called or name
        if fold(name) in map(fold, found) or fold(called) in map(fold, found.values()):
            raise SettingsError(
                f"--project {name}={called}: another --project has that name or that ID", "say each once"
            )
        found[name] = called
    return found


def _import(wanted: Wanted, _: Policy, client: Client, __: ProviderReader, readings: Readings) -> Imported:
    """Read everything, propose a policy, and see what a plan by its files would be."""
    reading = readings.take(command)
    organization = _organization(wanted, reading)
    names = RoleNames(organization)
    live = ScimReader(client, names, organization, readings).read()
    membership = _membership(wanted, names, reading, ScimDirectory(client, DirectorySettings(), readings))
    proposal = importing.propose(live, membership)
    now = moment()
    expires = wanted.expires or times.end(f"{now.astimezone(UTC) + timedelta(days=DAYS):%Y-%m-%d}")
    files = report.files(organization, proposal, expires, now, client.server)
    policy = _read_back(wanted.organization, files)
    provider = ScimReader(client, RoleNames(policy.organization), policy.organization, readings)
    directory = ScimDirectory(client, policy.organization.directory, readings)
    return Imported(organization, proposal, files, planning.prepare(policy, provider, directory, now).plan)


def _organization(wanted: Wanted, reading: Reading) -> Organization:
    """The organization with its projects: those that were asked for, or all that roles tell of."""
    projects = wanted.projects
    spellings = (role.value for person in reading.people.values() for role in person.roles)
    if wanted.storage.stored_as is StoredAs.GROUPS:
        spellings = (group.name for group in reading.groups.values())
    found = naming.projects(spellings, wanted.storage)
    for called in projects.values():
        if fold(called) not in map(fold, found):
            raise SettingsError(
                f"nobody has a role in a project '{called}'{did_you_mean(called, found)}",
                f"there are roles in {', '.join(found) or 'no project'}",
            )
    strange = [name for name in (*projects, *found) if not importing.is_name(name)]
    if strange:
        raise ReadError(
            f"the project {strange[0]!r} has a name that no policy can be sure of", "use --project"
        )
    return Organization(
        wanted.organization,
        Mode.REPORT,
        Location("organization.yaml"),
        projects or {name: name for name in found},
        organization_roles_managed=not projects,
        roles=wanted.storage,
    )


def _membership(wanted: Wanted, names: RoleNames, reading: Reading, directory: ScimDirectory) -> Membership:
    """The groups that may be reasons. Raises SettingsError where one that was named is not there."""
    groups = [group for group in reading.groups.values() if group.name and names.meaning(group.name) is None]
    known = [group.name for group in groups]
    for name in wanted.groups:
        if fold(name) not in map(fold, known):
            raise SettingsError(f"the server has no group '{name}'{did_you_mean(name, known)}")
    asked = {fold(name) for name in wanted.groups}
    return directory.read(
        {GroupRef(group.name, group.id) for group in groups if not asked or fold(group.name) in asked}
    )


def _read_back(organization: str, files: Files) -> Policy:
    """The policy that these files are. Raises PolicyError, which would be a mistake of ours."""
    with TemporaryDirectory(prefix="reconciler-") as place:
        folder = Path(place) / organization
        write(folder, files)
        return source.load(folder)


def _refuse_policy(folder: Path) -> None:
    """Raise SettingsError where there is a policy: what is imported would be put together with it."""
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise SettingsError(f"{shown(folder)} is no folder")
    there = sorted(folder.rglob("*.y*ml")) if os.path.isdir(folder) else []
    if there:
        raise SettingsError(
            f"{shown(there[0])} is there already",
            "import into another folder with --out, or replace files with --overwrite",
        )


def write(folder: Path, files: Files, *, overwrite: bool = False) -> None:
    """Write all files, or where that fails none: each in full beside its place, then all into their places.

    Raises SettingsError. What is in the place of one is replaced itself, be it a link, only with `overwrite`.
    """
    ready: list[tuple[Path, Path]] = []
    placed: list[Path] = []
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(path) and (os.path.isdir(path) or not overwrite):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            beside = path.with_name(f".{path.name}.new")
            ready.append((beside, path))
            beside.write_text(text, encoding="utf-8")
        for beside, path in ready:
            os.replace(beside, path)
            placed.append(path)
    except (OSError, ValueError) as error:
        for made in (*(beside for beside, _ in ready), *(() if overwrite else placed)):
            with suppress(OSError):
                made.unlink()
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"could not write {shown(path)}: {reason}") from None
