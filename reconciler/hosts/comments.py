"""One comment of a pull request that is written once and edited from then on. Knows no host's API."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from reconciler.errors import HostError
from reconciler.hosts import body
from reconciler.hosts.body import Body
from reconciler.hosts.client import RefusedError, UncertainError
from reconciler.http.closing import Closing

GONE = (404, 410)
NOT_YOURS = 403


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of a pull request; a later one has a higher `id`. `author` is what `me` is compared with."""

    id: int
    author: str
    text: str


class PullRequests(Closing):
    """The pull requests of one repository, and their comments, as a token may see and write them.

    All of it raises HostError: RefusedError where the host said no, UncertainError where nobody knows
    whether a comment was written.
    """

    @abstractmethod
    def me(self) -> str | None:
        """Who the token is; None where the host does not tell: then it lets nobody edit others' comments."""

    @abstractmethod
    def open_from(self, branch: str) -> Sequence[int]:
        """The open pull requests from a branch of this repository itself."""

    @abstractmethod
    def comments(self, pull_request: int) -> Sequence[Comment]:
        """All comments of a pull request that are still there."""

    @abstractmethod
    def post(self, pull_request: int, body: str) -> Comment: ...

    @abstractmethod
    def edit(self, pull_request: int, comment: Comment, body: str) -> Comment: ...

    @abstractmethod
    def delete(self, pull_request: int, comment: Comment) -> None: ...


class Did(StrEnum):
    """What became of the comment."""

    POSTED = "posted"
    EDITED = "edited"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Kept:
    """The comment that is there now, what was done about it, and what is to be said beside that."""

    comment: Comment
    did: Did
    remarks: tuple[str, ...] = ()


def keep(pull_requests: PullRequests, pull_request: int, name: str, wanted: Body) -> Kept:
    """Make the pull request have one comment of this name with this text, editing what is there.

    A comment is edited where it has the marker and is the token's own. Of several the newest stays. Raises
    HostError.
    """
    at = _Thread(pull_requests, pull_request, name)
    me = pull_requests.me()
    found = at.marked(me)
    for comment in found:
        kept = at.edited(comment, wanted, me)
        if kept is not None:
            proved = me is not None or kept.did is Did.EDITED
            return at.alone(kept, [one for one in found if proved and one.author == kept.comment.author])
    posted = at.posted(wanted, me)
    # Another run may have posted at the same moment. Both look again, and both let the newest stay.
    rivals = at.marked(posted.author)
    newest = max([posted, *rivals], key=lambda one: one.id)
    return at.alone(Kept(newest, Did.POSTED), rivals)


@dataclass(frozen=True, slots=True)
class _Thread:
    """The comments of one name in one pull request."""

    pull_requests: PullRequests
    pull_request: int
    name: str

    def marked(self, author: str | None) -> Sequence[Comment]:
        """Those of an author, of anybody where that is not known, the newest first."""
        found = [
            comment
            for comment in self.pull_requests.comments(self.pull_request)
            if body.is_marked(comment.text, self.name) and author in (None, comment.author)
        ]
        return sorted(found, key=lambda comment: comment.id, reverse=True)

    def edited(self, comment: Comment, wanted: Body, me: str | None) -> Kept | None:
        """A comment with this text; None where it is gone, or turns out to be somebody else's."""
        if body.same(comment.text, wanted.text):
            return Kept(comment, Did.UNCHANGED)
        try:
            return Kept(self.pull_requests.edit(self.pull_request, comment, wanted.text), Did.EDITED)
        except RefusedError as error:
            if error.status in GONE or (error.status == NOT_YOURS and me is None):
                return None
            raise

    def posted(self, wanted: Body, me: str | None) -> Comment:
        """A new comment. Where the answer was lost, it is looked for before it is sent once more."""
        try:
            return self.pull_requests.post(self.pull_request, wanted.text)
        except UncertainError:
            there = [one for one in self.marked(me) if body.same(one.text, wanted.text)]
            return there[0] if there else self.pull_requests.post(self.pull_request, wanted.text)

    def alone(self, kept: Kept, same_name: Sequence[Comment]) -> Kept:
        """The same, without the token's other comments of this name."""
        remarks = []
        for other in same_name:
            if other.id == kept.comment.id:
                continue
            try:
                self.pull_requests.delete(self.pull_request, other)
                remarks.append(f"comment {other.id}, a second one of this name, was deleted")
            except HostError as error:
                if not (isinstance(error, RefusedError) and error.status in GONE):
                    remarks.append(f"comment {other.id}, a second one of this name, stays: {error.message}")
        return Kept(kept.comment, kept.did, tuple(remarks))
