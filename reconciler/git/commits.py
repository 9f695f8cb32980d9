"""What git tells of commits, as values: who wrote a line, and who let that in. All of it is claims."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

Place = tuple[str, int]
"""A file and a line of it, from 1."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The commit that wrote a line."""

    id: str
    """All of its hash, in hexadecimal."""
    author: str
    at: datetime | None
    """When it was authored, aware; None where that is no time."""
    subject: str
    or_earlier: bool = False
    """Whether the clone goes no further back, so that an earlier one may have written the line."""


@dataclass(frozen=True, slots=True)
class Untold:
    """That git does not know, and in words why."""

    words: str


Writer = Commit | Untold
"""Who wrote a line."""

Writers = Mapping[Place, Writer]

NOT_COMMITTED = Untold("not committed yet")


@dataclass(frozen=True, slots=True)
class Approval:
    """Who let a commit in.

    `reviewers` are those whom it names itself, or the merge does. `merge` brought it to the main line; None
    where it stands there itself, as it was pushed, squashed or rebased.
    """

    reviewers: tuple[str, ...] = ()
    merge: Commit | None = None
    committer: str = ""
    """Who put the commit itself where it is: of one that a host squashed, the host."""


Approvals = Mapping[str, Approval | Untold]
"""By the hash of the commit that wrote a line."""
