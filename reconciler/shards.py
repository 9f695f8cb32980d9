"""Which of several machines that run at the same time looks after which organization. Asks none of them."""

import hashlib
from dataclasses import dataclass

MOST = 1000
"""Among more machines nobody splits organizations."""

FORM = "INDEX/TOTAL, such as 0/4 for the first of four"


@dataclass(frozen=True, slots=True)
class Shard:
    """One part of `total`, the first of which is 0. The only one of one has everything.

    Raises ValueError where there can be no such part.
    """

    index: int = 0
    total: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.total <= MOST:
            raise ValueError(f"there can be 1 to {MOST} shards, not {self.total}")
        if not 0 <= self.index < self.total:
            raise ValueError(f"of {self.total}, the first is 0 and the last {self.total - 1}")

    @property
    def is_all(self) -> bool:
        """Whether there is nothing to split."""
        return self.total == 1

    def has(self, organization: str) -> bool:
        """Whether an organization is looked after here: it is so in exactly one of all shards.

        Each shard draws a number for the name, and the highest wins. So it depends on no other organization,
        and where a shard is added, organizations move to that one only; a count of a sorted list would move
        nearly all of them, away from where their past is recorded.
        """
        return max(range(self.total), key=lambda index: _draw(index, organization)) == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.total}"


ALL = Shard()
"""Everything on one machine."""


def read(text: str) -> Shard:
    """A shard as somebody writes it. Raises ValueError."""
    index, slash, total = text.partition("/")
    if not slash:
        raise ValueError(f"it is to be {FORM}")
    return Shard(number(index), number(total))


def number(text: str) -> int:
    """A whole number of a few digits. Raises ValueError."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST))):
        raise ValueError(f"'{text}' is no number from 0 to {MOST}")
    return int(text)


def _draw(index: int, organization: str) -> bytes:
    return hashlib.sha256(f"{index} {organization}".encode()).digest()
