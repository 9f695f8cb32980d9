"""One repository on a code host, and the pull request that is looked at. A value: it asks nobody."""

import posixpath
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never
from urllib.parse import quote

from reconciler.hosts import body
from reconciler.problem import Location
from reconciler.report.markdown.dialect import Dialect


class Kind(StrEnum):
    """Which code host it is."""

    GITHUB = "GitHub"
    GITLAB = "GitLab"
    BITBUCKET = "Bitbucket Cloud"


LIMITS = {Kind.GITHUB: 65_536, Kind.GITLAB: 1_000_000, Kind.BITBUCKET: 32_767}
"""The most characters of a comment.

GitHub refuses with "maximum is 65536 characters", GitLab documents 1,000,000 (doc/api/notes.md). Atlassian
documents none; 32,768 is what its servers are known to refuse.
"""


@dataclass(frozen=True, slots=True)
class Host:
    """A repository, such as `acme/access`, at `web`, with its API at `api`; neither ends in a slash."""

    kind: Kind
    web: str
    api: str
    repository: str
    pull_request: int | None = None
    commit: str | None = None
    branch: str | None = None
    from_fork: bool = False
    """Whether the pull request is known to come from another repository, which gets no secrets."""
    folder: str | None = None
    """Where in the repository the current folder is, empty at its top; None where nobody knows."""

    @property
    def dialect(self) -> Dialect:
        """How Markdown is to be written for a comment here, the marker of `body` counted in."""
        return Dialect(
            limit=LIMITS[self.kind] - body.ROOM, folds=self.kind is not Kind.BITBUCKET, link=self.link
        )

    def link(self, place: Location) -> str:
        """The address of a line at the commit that is looked at; empty where it is not in the repository."""
        if self.folder is None or not self.commit or posixpath.isabs(place.file):
            return ""
        path = posixpath.normpath(posixpath.join(self.folder, place.file))
        if path.split("/")[0] == "..":
            return ""
        at = f"{self.commit}/{quote(path)}"
        match self.kind:
            case Kind.GITHUB:
                return f"{self._home}/blob/{at}" + (f"#L{place.line}" if place.line else "")
            case Kind.GITLAB:
                return f"{self._home}/-/blob/{at}" + (f"#L{place.line}" if place.line else "")
            case Kind.BITBUCKET:
                return f"{self._home}/src/{at}" + (f"#lines-{place.line}" if place.line else "")
            case _ as never:
                assert_never(never)

    def pull_request_link(self, number: int) -> str:
        """The address of a pull request."""
        match self.kind:
            case Kind.GITHUB:
                return f"{self._home}/pull/{number}"
            case Kind.GITLAB:
                return f"{self._home}/-/merge_requests/{number}"
            case Kind.BITBUCKET:
                return f"{self._home}/pull-requests/{number}"
            case _ as never:
                assert_never(never)

    def comment_link(self, number: int, comment: int) -> str:
        """The address of a comment of a pull request."""
        match self.kind:
            case Kind.GITHUB:
                anchor = f"issuecomment-{comment}"
            case Kind.GITLAB:
                anchor = f"note_{comment}"
            case Kind.BITBUCKET:
                anchor = f"comment-{comment}"
            case _ as never:
                assert_never(never)
        return f"{self.pull_request_link(number)}#{anchor}"

    @property
    def _home(self) -> str:
        return f"{self.web}/{self.repository}"
