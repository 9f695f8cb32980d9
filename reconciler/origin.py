"""Who runs the program, of which commit, in which pipeline: for the record, decides nothing."""

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.git.client import Unanswered, ask

LONGEST = 200
"""What the environment says is kept to so many characters."""


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
    """What git says is checked out; it ends in `-dirty` where the files in the folder differ from that."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    changes = _git(folder, "status", "--porcelain", "--", ".")
    return commit if changes == "" else f"{commit}-dirty"


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, None where it does not answer."""
    told = ask(folder, *arguments)
    return None if isinstance(told, Unanswered) else told.decode("utf-8", errors="replace").strip()
