"""Who let a commit in, as far as git tells: the merge that brought it to the main line, and trailers.

The main line is what `HEAD` leads to by first parents. Decides nothing, and verifies no signature: git would
run the program for that which the checkout names.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reconciler.git.blame import untold
from reconciler.git.client import Unanswered, ask
from reconciler.git.commits import Approval, Approvals, Commit, Untold

MOST = 200_000
"""So many commits of the history are gone through at most."""

MOST_REVIEWERS = 20
"""So many names are taken from the trailers of one commit."""

LONGEST = 200
"""So many characters are kept of each."""

_AT_ONCE = 1000
"""So many commits are named on one command line."""

_TRAILERS = "%(trailers:key=Reviewed-by,key=Approved-by,valueonly,unfold)"
_FIELDS = ("%H", "%aN", "%at", "%cN", "%s", _TRAILERS)
_SHOW = ("log", "--no-walk=unsorted", "--no-show-signature", "--no-notes", "--encoding=UTF-8", "-z")

_NOT_THERE = Untold("it is not in the history of HEAD")
_TOO_OLD = Untold(f"it is not among the last {MOST:,} commits")
_SHALLOW = Untold("the history here goes no further back, and the merge that brought it in may not be in it")


def of(folder: Path, commits: Iterable[Commit]) -> Approvals:
    """Who let each of these commits in. Git is asked three times, or once more for every thousand of them."""
    wanted = {commit.id: commit for commit in commits}
    if not wanted:
        return {}
    listed = ask(folder, "rev-list", "--parents", f"--max-count={MOST}", "HEAD", "--")
    if isinstance(listed, Unanswered):
        return dict.fromkeys(wanted, untold(listed))
    history = _History.of(listed.decode("ascii", errors="replace"))
    merges = history.merges(wanted)
    details = _details(folder, sorted({*wanted, *merges.values()} & history.parents.keys()))
    if isinstance(details, Untold):
        return dict.fromkeys(wanted, details)
    is_full = len(history.parents) == MOST
    is_whole = not is_full and ask(folder, "rev-parse", "--is-shallow-repository") == b"false\n"
    found: dict[str, Approval | Untold] = {}
    for id_, commit in wanted.items():
        if id_ not in details:
            found[id_] = _TOO_OLD if is_full else _NOT_THERE
        elif commit.or_earlier or (id_ in merges and not is_whole):
            found[id_] = _SHALLOW
        else:
            found[id_] = _approval(details[id_], details.get(merges.get(id_, "")))
    return found


@dataclass(frozen=True, slots=True)
class _History:
    """The commits that `HEAD` leads to, each with its parents; `main`: those of the main line, last first."""

    parents: Mapping[str, Sequence[str]]
    main: Sequence[str]

    @classmethod
    def of(cls, printed: str) -> "_History":
        """A line for each commit: its hash, then those of its parents."""
        rows = [line.split(" ") for line in printed.splitlines()]
        parents = {id_: above for id_, *above in rows}
        main = []
        at = rows[0][0] if rows else ""
        while at in parents:
            main.append(at)
            at = next(iter(parents[at]), "")
        return cls(parents, main)

    def merges(self, wanted: Collection[str]) -> Mapping[str, str]:
        """The merge of the main line that each of them came with; those of the line itself are absent."""
        seen = set(self.main)
        found = {}
        for merge in reversed(self.main):
            waiting = list(self.parents[merge][1:])
            while waiting:
                at = waiting.pop()
                if at in seen or at not in self.parents:
                    continue
                seen.add(at)
                waiting += self.parents[at]
                if at in wanted:
                    found[at] = merge
        return found


@dataclass(frozen=True, slots=True)
class _Details:
    """What git tells of one commit."""

    commit: Commit
    committer: str
    reviewers: tuple[str, ...]


def _details(folder: Path, ids: Sequence[str]) -> Mapping[str, _Details] | Untold:
    """What git tells of each of these commits, which must be there."""
    found: dict[str, _Details] = {}
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        told = ask(folder, *_SHOW, f"--format=tformat:{'%x00'.join(_FIELDS)}", *some, "--")
        if isinstance(told, Unanswered):
            return untold(told)
        words = told.decode("utf-8", errors="replace").split("\0")
        for at in range(0, len(words) - len(_FIELDS) + 1, len(_FIELDS)):
            id_, author, seconds, committer, subject, trailers = words[at : at + len(_FIELDS)]
            commit = Commit(id_, author, _moment(seconds), subject)
            found[id_] = _Details(commit, committer, _reviewers(trailers))
    return found


def _reviewers(trailers: str) -> tuple[str, ...]:
    """Those whom trailers name, each once, in their order."""
    names = dict.fromkeys(line.strip()[:LONGEST] for line in trailers.split("\n"))
    return tuple(name for name in names if name)[:MOST_REVIEWERS]


def _approval(told: _Details, merge: _Details | None) -> Approval:
    if merge is None:
        return Approval(told.reviewers, None, told.committer)
    reviewers = tuple(dict.fromkeys((*told.reviewers, *merge.reviewers)))
    return Approval(reviewers, merge.commit, told.committer)


def _moment(seconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None
