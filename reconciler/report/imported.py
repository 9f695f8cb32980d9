"""An imported policy as the files that say it, and in a few lines what became of it. Returns text."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from reconciler.importing import GroupGives, Proposal
from reconciler.model import fold
from reconciler.phrases import counted, counted_people, day, shortened
from reconciler.plan import Plan
from reconciler.policy import writing
from reconciler.policy.document import GroupRef, Organization, RoleStorage

IN_ONE_FILE = 40
"""So many bindings stand in one file; more are told apart by how their groups' names begin."""

LONGEST = 100
"""A beginning of more letters is no name for a file."""

RESERVED = "organization"
"""The name of a file that would make its folder an organization."""

SHOWN = 10
"""How many names are told before they are only counted."""

Files = Mapping[str, str]
"""The text of each file by its path in the organization's folder."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was made of a server: the files, what they can't say, and what a plan by them would change."""

    organization: Organization
    proposal: Proposal
    files: Files
    plan: Plan


def files(
    organization: Organization, proposal: Proposal, expires: datetime, now: datetime, server: str
) -> Files:
    """The files of the policy."""
    today = day(now)
    texts = {"organization.yaml": _lines(_head(organization, f"# Imported from {server} on {today}."))}
    for name, several in _by_file(proposal.groups):
        texts[name] = _lines(["version: 1", "bindings:", *_bindings(several, proposal.groups)])
    if proposal.people:
        texts["people.yaml"] = _lines(_grants(proposal, f"had it on {today}", expires))
    return texts


def _head(organization: Organization, comment: str) -> Iterator[str]:
    yield comment
    yield "version: 1"
    yield f"organization: {organization.name}"
    yield ""
    yield "# Nothing is ever written in this mode. `additive` only adds, `enforce` adds and takes."
    yield "mode: report"
    if organization.projects:
        yield ""
        yield "# The projects that this policy speaks for; roles in any other are left alone."
        yield "projects:"
        yield from writing.projects(organization.projects)
    if not organization.organization_roles_managed:
        yield ""
        yield "organization_roles: unmanaged"
    yield ""
    yield "directory: {kind: scim}"
    if organization.roles != RoleStorage():
        yield ""
        yield "roles:"
        yield f"  stored_as: {organization.roles.stored_as}"
        yield f"  organization: {writing.quoted(organization.roles.organization)}"
        yield f"  project: {writing.quoted(organization.roles.project)}"


def _by_file(groups: Sequence[GroupGives]) -> Iterator[tuple[str, list[GroupGives]]]:
    """All in one file, or where they are many, one file for each beginning of a name that several share."""
    if len(groups) <= IN_ONE_FILE:
        if groups:
            yield "groups.yaml", list(groups)
        return
    beginnings = {one.group.id: re.split(r"[^a-z0-9]", fold(one.group.name), maxsplit=1)[0] for one in groups}
    several = sorted(groups, key=lambda one: beginnings[one.group.id])
    rest: list[GroupGives] = []
    for beginning, theirs in groupby(several, key=lambda one: beginnings[one.group.id]):
        found = list(theirs)
        if 0 < len(beginning) <= LONGEST and len(found) > 1 and beginning != RESERVED:
            yield f"groups/{beginning}.yaml", found
        else:
            rest += found
    if rest:
        yield "groups.yaml", sorted(rest, key=lambda one: fold(one.group.name))


def _bindings(groups: Iterable[GroupGives], everything: Iterable[GroupGives]) -> Iterator[str]:
    names = [fold(one.group.name) for one in everything]
    for one in groups:
        same = names.count(fold(one.group.name)) > 1
        yield ""
        yield f"  # {one.people} people"
        yield from writing.binding(GroupRef(one.group.name, one.group.id if same else None), one.gives)


def _grants(proposal: Proposal, reason: str, expires: datetime) -> Iterator[str]:
    yield "# No group of two or more explains these roles. Decide about each before it ends: put the person"
    yield "# into a group that has a binding, write a service account, or let it end."
    if proposal.nearly:
        yield "#"
        yield "# What most of a group have, so that a binding would give it to the rest of them, too:"
    for one in proposal.nearly:
        having = f"{one.having} of {one.people}"
        yield f"#   group {one.group.name}, {one.scope}: {one.role} ({having})"
    yield "version: 1"
    yield "grants:"
    for person in proposal.people:
        for gives in (person.gives, person.below):
            if gives:
                yield ""
                yield from writing.grant(person.user, gives, reason, expires)


def _lines(lines: Iterable[str]) -> str:
    text = "\n".join(lines)
    return re.sub(r":\n\n", ":\n", text) + "\n"


def summary(folder: str, imported: Imported) -> Iterator[str]:
    """What was written, what it leaves out, and what to do next."""
    proposal = imported.proposal
    projects = counted(len(imported.organization.projects), "project")
    yield f"{folder}: {counted(len(imported.files), 'file')}, {projects}, mode report"
    yield (
        f"{counted(len(proposal.groups), 'group')} explain{'s' if len(proposal.groups) == 1 else ''} roles; "
        f"{counted_people(len(proposal.people))} with roles that no group explains"
    )
    for names, words in _remarks(proposal):
        if names:
            yield f"{words}: {shortened(names, SHOWN)}"
    if not proposal.groups and not proposal.people:
        yield "nobody has a role, as far as roles are spelled so: see --stored-as, --organization-role"
    changed = len(imported.plan.withheld_people)
    yield (
        f"a plan of it shows {counted_people(changed)} changing" if changed else "a plan of it shows no drift"
    )


def _remarks(proposal: Proposal) -> Sequence[tuple[Sequence[str], str]]:
    return (
        (proposal.inactive, "not active, so a policy gives them nothing"),
        (proposal.doubled, "several roles in one scope, of which a policy keeps the highest"),
        (proposal.unnamed, "roles by no group, and a userName that no policy can be sure of"),
        (proposal.passed_over, "groups that were passed over, as their members or names can't be told"),
    )
