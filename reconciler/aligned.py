"""What each of very many people has, side by side with them: nobody is looked up to compare two of these.

Looking up a hundred thousand people, which no cache of a processor holds, takes longer than what is done
with them then.
"""

from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Aligned(Mapping[str, T]):
    """One value of each person by their id, as a list in the order of the people.

    Who has nothing, which is a value that is false, counts as absent.
    """

    def __init__(
        self,
        people: Mapping[str, object],
        each: list[T],
        positions: Mapping[str, int] | None = None,
    ) -> None:
        """`each` is of `people`, in their order; neither is copied. `positions` need not be known yet."""
        self.people = people
        self.each = each
        self._positions = positions

    @classmethod
    def of(cls, people: Mapping[str, object], values: Mapping[str, T], nothing: T) -> "Aligned[T]":
        """What these people have, or `nothing`; `values` itself, where it is of just them already."""
        if not isinstance(values, Aligned):
            return cls(people, [values.get(id_, nothing) for id_ in people])
        if values.people is people:
            return values
        everything = [*values.each, nothing]
        return cls(people, [everything[at] for at in map(values.positions.get, people, repeat(-1))])

    def beside(self, each: list[U]) -> "Aligned[U]":
        """Something else of the same people."""
        return Aligned(self.people, each, self.positions)

    @property
    def positions(self) -> Mapping[str, int]:
        """By id: where somebody stands in the order of the people."""
        if self._positions is None:
            self._positions = dict(zip(self.people, range(len(self.people)), strict=True))
        return self._positions

    def put(self, id_: str, value: T) -> None:
        """Let one of the people have something else. Raises KeyError where it is nobody of them."""
        self.each[self.positions[id_]] = value

    def __getitem__(self, id_: str) -> T:
        if value := self.each[self.positions[id_]]:
            return value
        raise KeyError(id_)

    def __iter__(self) -> Iterator[str]:
        return (id_ for id_, value in zip(self.people, self.each, strict=True) if value)

    def __len__(self) -> int:
        return sum(map(bool, self.each))
