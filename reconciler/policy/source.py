"""Policy files in, a Policy out, or every problem of every file at once."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from reconciler.errors import PolicyError
from reconciler.policy import files, rules, schema
from reconciler.policy.build import Builder
from reconciler.policy.document import Organization, Policy
from reconciler.policy.files import Listing, shown
from reconciler.policy.marked import MarkedDocument
from reconciler.policy.tree import DISK, Tree
from reconciler.problem import Location, Problem


@dataclass(frozen=True, slots=True)
class Folder:
    """What was found in one organization's folder.

    `files` are those that were asked for, `whole` tells whether that is all of them; `problems` are
    theirs. `policy` says what it means only where there is no problem at all.
    """

    path: Path
    files: tuple[str, ...]
    whole: bool
    policy: Policy
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything that was found at some paths; `problems` holds the folders' own and all others, sorted."""

    folders: tuple[Folder, ...]
    problems: tuple[Problem, ...]

    @property
    def policies(self) -> tuple[Policy, ...]:
        """One policy for each organization. Raises PolicyError."""
        if self.problems:
            raise PolicyError(self.problems)
        return tuple(folder.policy for folder in self.folders)


def find(path: Path) -> list[Path]:
    """The organization folders at this folder or below it, sorted. Raises PolicyError."""
    if not os.path.isdir(path):
        raise PolicyError([files.no_folder(path)])
    folders, problems = files.organization_folders(path)
    if problems:
        raise PolicyError(sorted(problems))
    return folders


def load(folder: Path) -> Policy:
    """The policy of one organization's folder. Raises PolicyError with every problem of every file."""
    if not os.path.isdir(folder):
        raise PolicyError([files.no_folder(folder)])
    found = _read(_Request(folder), DISK)
    if found.problems:
        raise PolicyError(found.problems)
    return found.policy


def load_all(paths: Iterable[Path], tree: Tree = DISK, *, now: datetime | None = None) -> Loaded:
    """Everything at these paths: organization folders, folders of such folders, or single files.

    A single file is read with its organization, and only its own problems are told. Of a `tree` that is not
    this disk, each path is a folder. Temporary grants that have not ended by `now` (aware) are held against
    the assertions; without it, none is.
    """
    requests: dict[str, _Request] = {}
    problems: set[Problem] = set()
    for path in paths:
        wanted, more = _requests(path, tree)
        problems.update(more)
        for request in wanted:
            folder = str(tree.real(request.folder))
            requests[folder] = request.and_also(requests[folder]) if folder in requests else request
    folders = tuple(_read(request, tree, now) for request in requests.values())
    problems.update(_named_alike(folders), *(folder.problems for folder in folders))
    return Loaded(folders, tuple(sorted(problems)))


@dataclass(frozen=True, slots=True)
class _Request:
    """A folder to read. `only` are the single files of it that were asked for, None: all of it.

    `below` tells that it was found below a path, not named itself.
    """

    folder: Path
    only: frozenset[Path] | None = None
    below: bool = False

    def and_also(self, other: "_Request") -> "_Request":
        """Both requests of one folder in one."""
        only = None if self.only is None or other.only is None else self.only | other.only
        return _Request(other.folder, only, self.below or other.below)

    def wants(self, file: str) -> bool:
        """Whether a file, or what is wrong with it, was asked for."""
        return self.only is None or Path(os.path.abspath(file)) in self.only


def _requests(path: Path, tree: Tree) -> tuple[list[_Request], list[Problem]]:
    if tree.is_folder(path):
        folders, problems = files.organization_folders(path, tree)
        return [_Request(folder, below=folder != path) for folder in folders], problems
    if not os.path.lexists(path):
        return [], [files.no_folder(path)]
    folder = files.organization_folder_of(path)
    if folder is None:
        return [], [files.stray(path)]
    return [_Request(folder, frozenset([Path(os.path.abspath(path))]))], []


def _read(request: _Request, tree: Tree, now: datetime | None = None) -> Folder:
    """Read a folder as a whole, and keep what was asked for."""
    listing = files.listing(request.folder, tree)
    head = _head(listing, tree)
    others = [_checked(path, "policy", tree) for path in listing.others]
    policy = replace(_policy(head, others), tree=_tree(request.folder, (head, *others)))
    problems = {*listing.problems, *_by_rules(policy, head, now), *_not_listed(request, listing)}
    problems.update(*(part.problems for part in (head, *others)))
    if request.below:
        problems.update(_misplaced(policy.organization, request.folder))
    return Folder(
        path=request.folder,
        files=tuple(part.file for part in (head, *others) if request.wants(part.file)),
        whole=request.only is None,
        policy=policy,
        problems=tuple(sorted(problem for problem in problems if request.wants(problem.at.file))),
    )


@dataclass(frozen=True, slots=True)
class _Checked:
    """One file after its own checks: what can be built of it, and its problems."""

    file: str
    build: Builder
    problems: tuple[Problem, ...]
    digest: str = ""


def _head(listing: Listing, tree: Tree) -> _Checked:
    if listing.head is not None:
        return _checked(listing.head, "organization", tree)
    file = shown(listing.folder / "organization.yaml")
    return _Checked(file, Builder(MarkedDocument(file), listing.problems), ())


def _checked(path: Path, name: str, tree: Tree) -> _Checked:
    document = tree.read(path, shown(path))
    problems = document.problems
    if document.whole:
        problems += tuple(schema.check(document, name))
    return _Checked(document.file, Builder(document, problems), problems, document.digest)


def _policy(head: _Checked, others: Iterable[_Checked]) -> Policy:
    return Policy(
        organization=head.build.organization(),
        bindings=tuple(binding for part in others for binding in part.build.bindings()),
        grants=tuple(grant for part in others for grant in part.build.grants()),
        people=tuple(person for part in others for person in part.build.people()),
        service_accounts=tuple(one for part in others for one in part.build.service_accounts()),
        protected_at=head.build.protected_at(),
        assertions=tuple(one for part in others for one in part.build.assertions()),
    )


def _tree(folder: Path, parts: Iterable[_Checked]) -> str:
    """One hash of all files by their names in the folder; the same wherever the folder lies."""
    digests = {os.path.relpath(part.file, shown(folder)): part.digest for part in parts}
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()[:32]


def _by_rules(policy: Policy, head: _Checked, now: datetime | None) -> Iterator[Problem]:
    """What the rules say; about projects, classes and the directory only if it is known which are meant."""
    yield from rules.of_organization(policy.organization)
    yield from rules.of_entries(policy)
    yield from rules.of_assertions(policy, now)
    if head.build.names_known("projects"):
        yield from rules.of_scopes(policy)
    if head.build.names_known("classes"):
        yield from rules.of_classes(policy)
    if head.build.directory_known:
        yield from rules.of_directory(policy.organization)


def _not_listed(request: _Request, listing: Listing) -> Iterator[Problem]:
    """Single files that were asked for, and that a run would not read."""
    listed = {os.path.abspath(path) for path in (listing.head, *listing.others) if path}
    for path in request.only or ():
        if str(path) not in listed:
            message = f"this file is not read as policy of {shown(listing.folder)}"
            remedy = "give it a name that ends in .yaml and has no leading dot, nor any folder of it"
            yield Problem(Location(shown(path)), message, remedy)


def _misplaced(organization: Organization, folder: Path) -> Iterator[Problem]:
    lies_in = Path(os.path.abspath(folder)).name
    if organization.name and organization.name != lies_in:
        message = f"this names the organization '{organization.name}' but lies in the folder '{lies_in}'"
        yield Problem(organization.at, message, "rename the one or the other")


def _named_alike(folders: Iterable[Folder]) -> Iterator[Problem]:
    """Two folders that speak for one organization."""
    first: dict[str, Location] = {}
    for organization in (folder.policy.organization for folder in folders):
        if not organization.name:
            continue
        earlier = first.setdefault(organization.name, organization.at)
        if earlier != organization.at:
            message = f"the organization '{organization.name}' has a folder already: {earlier.file}"
            yield Problem(organization.at, message, "put both into one folder, or correct the name")
