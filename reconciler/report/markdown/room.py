"""What of a document fits into so many bytes: what must be said whole, the rest row by row. Knows no plan."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import overload


class Written(Sequence[str]):
    """Rows that are written when they are asked for: of ten thousand, those that fit."""

    def __init__(self, number: int, write: Callable[[int], str]) -> None:
        self._number = number
        self._write = cache(write)

    def __len__(self) -> int:
        return self._number

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self._write(one) for one in range(*index.indices(self._number))]
        return self._write(range(self._number)[index])


@dataclass(frozen=True, slots=True)
class Part:
    """Rows under a title, of which the first are open, the others folded or left out, and counted."""

    title: str
    rows: Sequence[str]
    """Each is shown whole or not at all; the most important come first. Best they are `Written`."""
    told: Callable[[int], str]
    """What the rows from the one of this index on are, in words of ours alone: `12 more people: 12 gain`."""
    head: str = ""
    """What stands above the rows, such as the head of a table."""
    open: int = 25
    """How many rows are there to be seen at once; where nothing folds, no more than these are shown."""
    rank: int = 0
    """Parts of a lower one are given first what room is left once every part has a little."""

    def text(self, shown: int, *, folds: bool) -> str:
        """The part with so many of its rows."""
        opened = min(shown, self.open) if folds else shown
        pieces = [self.title, self._table(0, opened)]
        if shown > opened:
            summary = f"<summary>{self.told(opened)}</summary>"
            pieces += [f"<details>{summary}", self._table(opened, shown), "</details>"]
        if shown < len(self.rows):
            pieces.append(f"Left out here: {self.told(shown)}.")
        return "\n\n".join(piece for piece in pieces if piece)

    def fitting(self, limit: int, *, folds: bool) -> int:
        """How many rows fit into so many bytes, of which none takes the fewest."""
        low, high = 0, self._bound(limit, len(self.rows) if folds else min(self.open, len(self.rows)))
        if size(self.text(high, folds=folds)) <= limit:
            return high
        while high - low > 1:
            middle = (low + high) // 2
            if size(self.text(middle, folds=folds)) <= limit:
                low = middle
            else:
                high = middle
        return low

    def _bound(self, limit: int, most: int) -> int:
        """A number of rows that is enough, without a look at those that can't fit."""
        for index in range(most):
            limit -= size(self.rows[index])
            if limit < 0:
                return index
        return most

    def _table(self, begin: int, end: int) -> str:
        rows = self.rows[begin:end]
        return "\n".join([*([self.head] if self.head else []), *rows]) if rows else ""


LEAST_SHARE = 10
"""At least one in so many parts of the room is for every part, before the first rank takes what it needs."""

Block = str | Part
"""A string is said whole."""


def size(text: str) -> int:
    """In bytes of UTF-8: no text has fewer of them than characters or UTF-16 code units.

    So what fits by this measure fits whichever a host goes by.
    """
    return len(text.encode("utf-8"))


def fitted(blocks: Sequence[Block], limit: int, *, folds: bool) -> str | None:
    """The document within `limit` bytes; None where not even what must be said whole fits."""
    texts = [block if isinstance(block, str) else block.text(0, folds=folds) for block in blocks]
    left = limit - size("\n\n".join(texts))
    if left < 0:
        return None
    parts = [(index, block) for index, block in enumerate(blocks) if isinstance(block, Part)]
    parts.sort(key=lambda part: part[1].rank)
    least = left // max(LEAST_SHARE, 2 * len(parts))
    for index, part in parts:
        texts[index], left = _widened(part, texts[index], least, left, folds=folds)
    for position, (index, part) in enumerate(parts):
        rivals = sum(1 for _, other in parts[position:] if other.rank == part.rank)
        texts[index], left = _widened(part, texts[index], left // rivals, left, folds=folds)
    return "\n\n".join(texts)


def _widened(part: Part, text: str, room: int, left: int, *, folds: bool) -> tuple[str, int]:
    """A part with so much more room than it has, and what is left of all there is."""
    shown = part.fitting(size(text) + room, folds=folds)
    wider = part.text(shown, folds=folds)
    return wider, left - (size(wider) - size(text))


def cut(text: str, limit: int) -> str:
    """As much of a text as fits, in whole characters."""
    return text.encode("utf-8")[: max(limit, 0)].decode("utf-8", "ignore")
