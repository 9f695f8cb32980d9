"""Policy files as a revision of git has them, read from its objects into memory: nothing is checked out.

No filter, hook or program that the checkout's settings name is run, and nothing is fetched: what this clone
lacks is said to be lacking.
"""

import errno
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from reconciler.errors import ReadError, SettingsError
from reconciler.git.client import Unanswered, ask
from reconciler.policy import content
from reconciler.policy.files import SUFFIXES, shown
from reconciler.policy.marked import MarkedDocument, unread
from reconciler.policy.tree import Entry
from reconciler.problem import Location, Problem

AT_ONCE = 64
"""So many files are read in one go. Each is of bearable size, and so all of them are."""

LONGEST_LINK = 4096
"""Bytes. Linux knows no longer path."""

MOST_STEPS = 1000
"""With more, a path with links goes round in circles."""

SECONDS = 60.0
"""How long git may take to list or to print files."""

_FILE, _LINK, _FOLDER, _SUBMODULE = "100", "120", "040", "160"
"""How the mode of each begins."""

_TOP = "."


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository that a policy's path lies in."""

    folder: Path
    """A folder of it that is there: git is asked from here."""
    path: Path
    """The policy's path, as the user gave it."""
    inside: str
    """The same from the top of the repository; `.` for the top itself."""

    @classmethod
    def around(cls, path: Path) -> "Repository":
        """The repository around a path, which need not be there now. Raises SettingsError."""
        absolute = os.path.abspath(path)
        folder = os.path.dirname(absolute) if os.path.islink(absolute) else absolute
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        prefix = ask(Path(folder), "rev-parse", "--show-prefix")
        if isinstance(prefix, Unanswered):
            none = "not a git repository" in prefix.words
            raise SettingsError(
                f"no revisions of {shown(path)} can be compared: "
                + ("it is not in a git repository" if none else prefix.words),
                "run it in a checkout of the policy's repository",
            )
        start = os.fsdecode(prefix).removesuffix("\n")
        return cls(
            Path(folder), path, os.path.normpath(os.path.join(start, os.path.relpath(absolute, folder)))
        )

    def commit(self, revision: str) -> str:
        """The hash of the commit that a revision names. Raises SettingsError."""
        found: bytes | Unanswered = b""
        if not revision.startswith("-"):  # else an option
            found = ask(self.folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        if isinstance(found, Unanswered) or not found:
            raise SettingsError(f"git knows no revision '{revision}' here", self._fetching(revision))
        return found.decode().strip()

    def merge_base(self, base: str, head: str, said: str) -> str:
        """The commit where two commits part. Raises SettingsError where this clone knows none.

        `said` is how the user calls the base.
        """
        found = ask(self.folder, "merge-base", base, head)
        if not isinstance(found, Unanswered):
            return found.decode().split()[0]
        if ask(self.folder, "rev-parse", "--is-shallow-repository") == b"true\n":
            raise SettingsError(
                f"this clone does not go back to the commit where '{said}' and the other revision part",
                "git fetch --unshallow; or have the CI clone the whole history",
            )
        raise SettingsError(
            f"'{said}' and the other revision have no commit in common, so no edit lies between them",
            "name the branch that the edit is to be merged into",
        )

    def tree(self, commit: str) -> "Revision":
        """The policy's files in a commit. Raises ReadError where this clone lacks a part of it."""
        below = () if self.inside == _TOP else (self.inside,)
        listed = ask(self.folder, "ls-tree", "-rtlz", "--full-tree", commit, "--", *below, seconds=SECONDS)
        if isinstance(listed, Unanswered):
            raise ReadError(
                f"the files of commit {commit[:12]} can't be listed: {listed.words}",
                _REFETCH,
            )
        nodes = _nodes(listed)
        return Revision(self, nodes, _folders(nodes))

    def _fetching(self, revision: str) -> str:
        """How to get a revision that a clone of a single branch lacks."""
        told = ask(self.folder, "remote")
        remotes = [] if isinstance(told, Unanswered) else os.fsdecode(told).split()
        remote, _, branch = revision.partition("/")
        if branch and remote in remotes:
            return f"git fetch {remote} {branch}:refs/remotes/{revision}"
        return "name a branch, a tag or a commit; what this clone lacks, `git fetch` brings"


class Node(NamedTuple):
    """What a commit has at a path: its mode in octal digits, its object and the size of that in bytes."""

    mode: str
    id: str
    size: int

    def is_a(self, kind: str) -> bool:
        return self.mode.startswith(kind)


@dataclass(frozen=True, slots=True)
class Revision:
    """A `policy.tree.Tree`: what a commit has at the policy's path and below it."""

    repository: Repository
    nodes: Mapping[str, Node]
    """By paths from the top of the repository."""
    folders: Mapping[str, Sequence[Entry]]
    """What lies in each folder, by the same paths."""
    contents: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)
    """What was read so far, by object."""

    def entries(self, folder: Path) -> Sequence[Entry]:
        """Raises OSError for a submodule."""
        path = self._path(folder)
        if path in self.nodes and self.nodes[path].is_a(_SUBMODULE):
            raise OSError(errno.ENOTSUP, "it is a submodule, whose files are in another repository")
        return self.folders.get(path, ())

    def is_folder(self, path: Path) -> bool:
        return self._real(path) in self.folders

    def real(self, path: Path) -> Path | None:
        real = self._real(path)
        return None if real is None else Path("/", real)

    def read(self, path: Path, shown: str) -> MarkedDocument:
        """Raises ReadError where this clone lacks what is in the file."""
        node = self.nodes.get(self._real(path) or "")
        if node is None or not node.is_a(_FILE):
            message = "the file is a link to something that is no file of this revision"
            return unread(Problem(Location(shown), message, "correct the link or delete it"))
        if node.size > content.LARGEST_FILE:
            return unread(content.too_large(node.size, shown))
        return content.document(self._content(node), shown)

    def _path(self, path: Path) -> str:
        """A path of the user's from the top of the repository."""
        below = os.path.relpath(path, self.repository.path)
        return os.path.normpath(os.path.join(self.repository.inside, below))

    def _real(self, path: Path) -> str | None:
        """The same with every link followed; None where that leads out of the repository or nowhere."""
        done: list[str] = []
        steps = self._path(path).split("/")[::-1]
        for _ in range(MOST_STEPS):
            if not steps:
                return "/".join(done) or _TOP
            step = steps.pop()
            here = "/".join([*done, step])
            if step == ".." and not done:
                return None
            if step == "..":
                done.pop()
            elif here in self.nodes and self.nodes[here].is_a(_LINK):
                leads_to = self._target(self.nodes[here])
                if leads_to.startswith("/"):
                    return None
                steps += leads_to.split("/")[::-1]
            elif step not in ("", "."):
                done.append(step)
        return None

    def _target(self, link: Node) -> str:
        return os.fsdecode(self._content(link)) if link.size <= LONGEST_LINK else "/"

    def _content(self, node: Node) -> bytes:
        if node.id not in self.contents:
            self._read(sorted({node.id, *self._wanted()}))
        return self.contents[node.id]

    def _wanted(self) -> Iterable[str]:
        """The objects of all policy files: one that is read is not the last."""
        for path, node in self.nodes.items():
            is_policy = node.is_a(_FILE) and path.lower().endswith(SUFFIXES)
            if is_policy and node.size <= content.LARGEST_FILE and node.id not in self.contents:
                yield node.id

    def _read(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), AT_ONCE):
            asked = ids[start : start + AT_ONCE]
            lines = "".join(f"{id_}\n" for id_ in asked).encode()
            told = ask(self.repository.folder, "cat-file", "--batch", given=lines, seconds=SECONDS)
            if isinstance(told, Unanswered):
                raise ReadError(f"files of an earlier revision can't be read: {told.words}", _REFETCH)
            self.contents.update(_contents(told, asked))


_REFETCH = "if this clone was made without them (`--filter`), `git fetch --refetch --no-filter` brings them"


def _nodes(listed: bytes) -> Mapping[str, Node]:
    """What `git ls-tree -rtlz` printed: `mode type id size<tab>path`, each ended by a NUL."""
    nodes: dict[str, Node] = {}
    for row in listed.split(b"\0")[:-1]:
        facts, _, path = row.partition(b"\t")
        mode, _, id_, size = facts.decode().split()
        nodes[os.fsdecode(path)] = Node(mode, id_, int(size) if size.isdigit() else 0)
    return nodes


def _folders(nodes: Mapping[str, Node]) -> Mapping[str, Sequence[Entry]]:
    folders: dict[str, list[Entry]] = defaultdict(list)
    for path, node in nodes.items():
        folder, _, name = path.rpartition("/")
        is_folder = node.is_a(_FOLDER) or node.is_a(_SUBMODULE)
        folders[folder or _TOP].append(Entry(name, node.is_a(_LINK), is_folder))
        if node.is_a(_FOLDER):
            folders[path] = folders[path]
    return dict(folders)


def _contents(told: bytes, asked: Sequence[str]) -> Mapping[str, bytes]:
    """What `git cat-file --batch` printed: `id type size`, the bytes and a line break, for each object."""
    contents: dict[str, bytes] = {}
    at = 0
    for id_ in asked:
        end = told.index(b"\n", at)
        facts = told[at:end].split()
        if len(facts) != 3:
            raise ReadError(f"this clone lacks the object {id_[:12]} of a policy file", _REFETCH)
        start, size = end + 1, int(facts[2])
        contents[id_] = told[start : start + size]
        at = start + size + 1
    return contents
