"""Who runs the program, of which commit, in which pipeline: for the record; decides and runs nothing."""

import getpass
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from reconciler import private
from reconciler.git.client import Unanswered, ask
from reconciler.policy.content import LARGEST_FILE
from reconciler.policy.files import SUFFIXES

LONGEST = 200
"""What the environment says is kept to so many characters."""

SHA1 = 40
"""So many digits an id has where git hashes by SHA-1; with more, it is SHA-256."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who runs this, of which commit, in which pipeline; None where nobody knows.

    `commit` ends in `-dirty` where the policy differs from what that commit holds.
    """

    who: str | None = None
    commit: str | None = None
    pipeline: str | None = None


def of(environ: Mapping[str, str], folder: Path) -> Origin:
    """The origin of a run over the policy in `folder`.

    On CircleCI its own variables tell (CIRCLE_USERNAME, CIRCLE_SHA1, CIRCLE_BUILD_URL, CIRCLE_WORKFLOW_ID);
    elsewhere the user of the system and git.
    """
    return Origin(
        _said(environ, "CIRCLE_USERNAME") or _user(),
        _said(environ, "CIRCLE_SHA1") or commit(folder),
        _said(environ, "CIRCLE_BUILD_URL") or _said(environ, "CIRCLE_WORKFLOW_ID"),
    )


def _said(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(name, "").strip()[:LONGEST] or None


def _user() -> str:
    try:
        return getpass.getuser()[:LONGEST]
    except (OSError, KeyError):  # a container may run as somebody without a name
        return f"uid {os.getuid()}"


def commit(folder: Path) -> str | None:
    """What git says is checked out; it ends in `-dirty` where policy files in the folder differ from that.

    They are read and hashed here: `git status` may run filters that the checkout's settings name. A file
    with other line ends is the same; one that a filter made something else of is not, for nobody can tell.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    listed = ask(folder, "ls-tree", "-rz", commit, "--", ".")
    if isinstance(listed, Unanswered) or _differ(folder, _committed(listed)):
        return f"{commit}-dirty"
    return commit


class _Node(NamedTuple):
    """What a commit has at a path: whether that is a link, and the hash of the file or of where it leads."""

    is_link: bool
    id: str


def _committed(listed: bytes) -> Mapping[str, _Node]:
    """What `git ls-tree -rz` printed, by paths from the folder: `mode type id<tab>path`, ended by NULs."""
    nodes: dict[str, _Node] = {}
    for row in listed.split(b"\0")[:-1]:
        facts, _, path = row.partition(b"\t")
        mode, _, id_ = facts.decode().split()
        nodes[os.fsdecode(path)] = _Node(mode == "120000", id_)
    return nodes


def _differ(folder: Path, committed: Mapping[str, _Node]) -> bool:
    here = set(_policy_files(folder))
    if here != set(filter(_is_policy, committed)):
        return True
    here |= {os.path.relpath(os.path.realpath(folder / path), os.path.realpath(folder)) for path in here}
    return not all(path in committed and _is_same(folder / path, committed[path]) for path in here)


def _policy_files(folder: Path) -> Iterator[str]:
    """The paths from the folder of all that may be policy files, links included."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from filter(_is_policy, (os.path.relpath(os.path.join(place, name), folder) for name in names))


def _is_policy(path: str) -> bool:
    is_hidden = any(step.startswith(".") for step in path.split("/"))
    return path.lower().endswith(SUFFIXES) and not is_hidden


def _is_same(path: Path, node: _Node) -> bool:
    try:
        if os.path.islink(path):
            return node.is_link and _hash(os.fsencode(os.readlink(path)), node.id) == node.id
        with private.opened(path) as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError:
        return False
    as_committed = (content, content.replace(b"\r\n", b"\n"))
    return not node.is_link and any(_hash(one, node.id) == node.id for one in as_committed)


def _hash(content: bytes, like: str) -> str:
    """The id that git gives to content, in the kind of repository in which another one is `like` this."""
    kind = hashlib.sha1 if len(like) == SHA1 else hashlib.sha256
    return kind(b"blob %d\0%s" % (len(content), content)).hexdigest()


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, None where it does not answer."""
    told = ask(folder, *arguments)
    return None if isinstance(told, Unanswered) else told.decode("utf-8", errors="replace").strip()
