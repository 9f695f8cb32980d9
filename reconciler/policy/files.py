"""Which files are whose policy: finds organization folders and the YAML files in them; opens none."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.policy.tree import DISK, Tree
from reconciler.problem import Location, Problem

_ORGANIZATION_FILES = ("organization.yaml", "organization.yml")
SUFFIXES = (".yaml", ".yml")
"""How the name of every policy file ends, in whatever case."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of one organization's folder. `head` is None where there is no organization.yaml."""

    folder: Path
    head: Path | None
    others: tuple[Path, ...]
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class _Level:
    """What lies directly in a folder, hidden things left out."""

    folders: list[Path] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def shown(path: Path) -> str:
    """A path as a user would type it here: relative if it is in the current folder, else as it came."""
    absolute = os.path.abspath(path)
    inside = absolute.startswith(os.path.join(os.getcwd(), ""))
    return os.path.relpath(absolute) if inside else str(path)


def organization_folders(path: Path, tree: Tree = DISK) -> tuple[list[Path], list[Problem]]:
    """The organization folders at a folder or below it, and what is wrong around them."""
    folders: list[Path] = []
    strays: list[Path] = []
    problems: list[Problem] = []
    for folder, level in _walk(path, tree):
        problems += level.problems
        if any(_is_head(file) for file in level.files):
            folders.append(folder)
            level.folders.clear()
        else:
            strays += level.files
    if not folders:
        return [], problems or [_no_organization(path)]
    return sorted(folders), [*problems, *map(stray, strays)]


def organization_folder_of(path: Path) -> Path | None:
    """The organization folder that a file or folder lies in; None where it lies in none."""
    for folder in Path(os.path.abspath(path)).parents:
        if any(os.path.lexists(folder / name) for name in _ORGANIZATION_FILES):
            return folder
    return None


def listing(folder: Path, tree: Tree = DISK) -> Listing:
    """The policy files of an organization's folder, sorted, and what is wrong with their arrangement."""
    heads: list[Path] = []
    others: list[Path] = []
    problems: list[Problem] = []
    for _, level in _walk(folder, tree):
        problems += level.problems
        heads += filter(_is_head, level.files)
        others += (file for file in level.files if not _is_head(file))
    at_the_top = [head for head in heads if head.parent == folder]
    if not at_the_top:
        problems.append(_no_organization(folder))
    problems += (_second(head, at_the_top) for head in heads if head not in at_the_top[:1])
    return Listing(folder, next(iter(at_the_top), None), tuple(sorted(others)), tuple(problems))


def stray(path: Path) -> Problem:
    """The problem of a policy file that is in no organization."""
    remedy = "move it into the folder of an organization, or write an organization.yaml beside it"
    return Problem(Location(shown(path)), "this file belongs to no organization", remedy)


def no_folder(path: Path) -> Problem:
    """The problem of a path that is no folder, though a folder is wanted."""
    remedy = "give the folder of an organization, or one that holds such folders"
    try:
        os.stat(path)
    except FileNotFoundError:
        return Problem(Location(shown(path)), "there is no such file or folder", remedy)
    except OSError as error:
        return _unreadable(path, error)
    return Problem(Location(shown(path)), "a file stands where a folder belongs", remedy)


def _walk(top: Path, tree: Tree) -> Iterator[tuple[Path, _Level]]:
    """Every folder from `top` down, with what is in it. Goes into the folders that the caller leaves."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        level = _look(folder, top, tree)
        yield folder, level
        waiting += reversed(level.folders)


def _look(folder: Path, top: Path, tree: Tree) -> _Level:
    level = _Level()
    try:
        found = sorted(tree.entries(folder), key=lambda entry: entry.name)
    except OSError as error:
        level.problems.append(_unreadable(folder, error))
        return level
    for entry in (entry for entry in found if not entry.name.startswith(".")):
        path = folder / entry.name
        refused = _refused_link(path, top, tree) if entry.is_link else None
        if refused:
            level.problems.append(refused)
        elif entry.is_folder:
            level.folders.append(path)
        elif path.suffix.lower() in SUFFIXES:
            level.files.append(path)
    return level


def _refused_link(path: Path, top: Path, tree: Tree) -> Problem | None:
    """The problem of a link that would bring in policy which a reviewer of this folder does not see."""
    if tree.is_folder(path):
        message = "a link to a folder is not followed"
        return Problem(Location(shown(path)), message, "replace it by the folder itself")
    if path.suffix.lower() in SUFFIXES and not _inside(path, top, tree):
        message = "this link leads out of the folder"
        return Problem(Location(shown(path)), message, "replace it by the file that it leads to")
    return None


def _unreadable(path: Path, error: OSError) -> Problem:
    reason = (error.strerror or "unknown reason").lower()
    remedy = "make it readable" if isinstance(error, PermissionError) else "check the path and the disk"
    return Problem(Location(shown(path)), f"the path cannot be read: {reason}", remedy)


def _inside(path: Path, top: Path, tree: Tree) -> bool:
    real, around = tree.real(path), tree.real(top)
    return real is not None and around is not None and real.is_relative_to(around)


def _is_head(path: Path) -> bool:
    return path.name.lower() in _ORGANIZATION_FILES


def _no_organization(folder: Path) -> Problem:
    remedy = "write one with `version`, `organization` and `mode`"
    if around := organization_folder_of(folder):
        remedy = f"it is a part of '{shown(around)}': name that instead"
    return Problem(Location(shown(folder)), "the folder has no organization.yaml", remedy)


def _second(head: Path, first: list[Path]) -> Problem:
    at = Location(shown(head))
    if first and head.parent == first[0].parent:
        return Problem(at, f"this is a second organization file beside {first[0].name}", "delete one of them")
    message = "this organization file lies inside another organization"
    return Problem(at, message, "move its folder out of there, or delete the file")
