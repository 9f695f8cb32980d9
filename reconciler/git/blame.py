"""Which commit wrote a line of a policy file, as git tells it; where it can't, in words why. Decides nothing.

The committed file is asked about, and compared with the one in the folder here: `git blame` of the latter
would run whatever filter the checkout configures. Names of authors are what their commits claim, by way of a
`.mailmap` if there is one.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import SequenceMatcher
from itertools import takewhile
from pathlib import Path

from reconciler import private
from reconciler.git.client import Unanswered, ask
from reconciler.git.commits import NOT_COMMITTED, Commit, Untold, Writer, Writers
from reconciler.problem import Location

MOST_COMPARED = 1_000_000
"""So many pairs of lines are compared at most, where a file differs from what was committed."""

_BLAME = ("blame", "--porcelain", "--no-textconv", "--ignore-revs-file=", "--encoding=UTF-8")

_LINE_BREAK = re.compile("\r\n|\r|\n")
_NO_SUCH = ("no such path ", "bad revision 'HEAD'", "no such ref: HEAD")
_WORDS = {
    "not a git repository": "not in a git repository",
    "from promisor remote": "this clone was made without older versions of the file",
}
"""What git says, in ours."""


_TOO_MUCH = Untold("too much of the file differs from what was committed")


def writers(places: Iterable[Location]) -> Writers:
    """Who wrote each of these lines; every file is asked about once."""
    lines: dict[str, set[int]] = defaultdict(set)
    for place in places:
        lines[place.file].add(place.line)
    return {
        (file, number): writer
        for file, numbers in lines.items()
        for number, writer in _of_file(Path(file), sorted(numbers)).items()
    }


def _of_file(file: Path, numbers: Sequence[int]) -> Mapping[int, Writer]:
    path = Path(os.path.realpath(file))  # of a link, the committed text is where it leads
    told = ask(path.parent, *_BLAME, "HEAD", "--", path.name)
    if isinstance(told, Unanswered):
        return dict.fromkeys(numbers, untold(told))
    try:
        with private.opened(path) as stream:
            text = stream.read().decode("utf-8", errors="replace")
    except OSError as error:
        return dict.fromkeys(numbers, Untold(f"the file can't be read any more: {error.strerror}"))
    committed = _Blame.of(told)
    same, places = _counterparts(committed.lines, _lines(text)), _as_git_counts(text)
    found = {number: committed.writer(same.get(places[number - 1], NOT_COMMITTED)) for number in numbers}
    return _with_ends(path.parent, committed.ends, found)


def _with_ends(folder: Path, ends: Set[str], writers: Mapping[int, Writer]) -> Mapping[int, Writer]:
    """The same, with what is uncertain where the clone goes no further back. `ends`: where git stopped."""
    last = {writer.id for writer in writers.values() if isinstance(writer, Commit)} & ends
    cut = {id_ for id_ in last if _has_parents(folder, id_)}
    return {
        number: replace(writer, or_earlier=True)
        if isinstance(writer, Commit) and writer.id in cut
        else writer
        for number, writer in writers.items()
    }


@dataclass(slots=True)
class _Blame:
    """What `git blame --porcelain` printed."""

    lines: list[str]
    writers: list[str]
    """The hash of the commit of each line."""
    commits: dict[str, Commit]
    ends: set[str]
    """Commits that git looked no further back than."""

    @classmethod
    def of(cls, printed: bytes) -> "_Blame":
        """A header line with a hash, details of a commit when it is first met, then a tab and the line."""
        blame = cls([], [], {}, set())
        current = ""
        details: dict[str, str] = {}
        for row in printed.decode("utf-8", errors="replace").split("\n"):
            name, _, value = row.partition(" ")
            if row.startswith("\t"):
                blame.lines.append(row[1:])
                blame.writers.append(current)
                blame.commits.setdefault(current, _commit(current, details))
                current = ""
            elif not current:
                current, details = name, {}
            elif name == "boundary":
                blame.ends.add(current)
            else:
                details[name] = value
        return blame

    def writer(self, line: int | Untold) -> Writer:
        """Who wrote a line of the committed file, from 0."""
        return line if isinstance(line, Untold) else self.commits[self.writers[line]]


def _commit(id_: str, details: Mapping[str, str]) -> Commit:
    try:
        at = datetime.fromtimestamp(int(details.get("author-time", "")), UTC)
    except (ValueError, OverflowError, OSError):
        at = None
    return Commit(id_, details.get("author", ""), at, details.get("summary", ""))


def untold(answer: Unanswered) -> Untold:
    """Why git did not answer, in words of ours where there are any."""
    said = answer.words
    if any(words in said for words in _NO_SUCH):
        return NOT_COMMITTED
    return Untold(next((words for theirs, words in _WORDS.items() if theirs in said), said))


def _has_parents(folder: Path, id_: str) -> bool:
    """Whether a commit says that something came before it, be that in this clone or not."""
    commit = ask(folder, "cat-file", "commit", id_)
    return isinstance(commit, Unanswered) or b"\nparent " in commit.partition(b"\n\n")[0]


def _lines(text: str) -> Sequence[str]:
    """As git counts them."""
    return text.removesuffix("\n").split("\n")


def _counterparts(before: Sequence[str], after: Sequence[str]) -> Mapping[int, int | Untold]:
    """By line of `after`, from 0: the same line of `before`. A new line is not in the answer."""
    old, new = [line.rstrip("\r") for line in before], [line.rstrip("\r") for line in after]
    head = _shared(old, new)
    same: dict[int, int | Untold] = {line: line for line in range(head)}
    old, new = old[head:], new[head:]
    tail = _shared(reversed(old), reversed(new))
    same |= {len(after) - line: len(before) - line for line in range(1, tail + 1)}
    old, new = old[: len(old) - tail], new[: len(new) - tail]
    if len(old) * len(new) > MOST_COMPARED:
        return same | dict.fromkeys(range(head, head + len(new)), _TOO_MUCH)
    for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        same |= {head + block.b + line: head + block.a + line for line in range(block.size)}
    return same


def _shared(one: Iterable[str], other: Iterable[str]) -> int:
    """How many lines two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _as_git_counts(text: str) -> Sequence[int]:
    """For each line of YAML, the line of git that it begins in, from 0: a lone CR is no line break to git."""
    starts = [0, *(found.end() for found in _LINE_BREAK.finditer(text))]
    if "\r" not in text.replace("\r\n", ""):
        return range(len(starts))
    return [text.count("\n", 0, start) for start in starts]
