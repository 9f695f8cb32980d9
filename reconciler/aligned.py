"""What each of very many people has, side by side with them: nobody is looked up to compare two of these.

Looking up a hundred thousand people, which no cache of a processor holds, takes longer than what is done
with them then.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import repeat
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Aligned(Mapping[str, T]):
    """One value of each person by their id, as a list in the order of the people.

    Who has `nothing`, which is false, counts as absent.
    """

    def __init__(self, people: Mapping[str, object], each: list[T], nothing: T) -> None:
        """`each` is of `people`, in their order. Neither is copied."""
        self.people = people
        self.each = each
        self._nothing = nothing

    @classmethod
    def of(cls, people: Mapping[str, object], values: Mapping[str, T], nothing: T) -> "Aligned[T]":
        """What these people have: `values` itself, where it is of just them already."""
        if not isinstance(values, Aligned):
            return cls(people, [values.get(id_, nothing) for id_ in people], nothing)
        if values.people is people:
            return values
        everything = [*values.each, nothing]
        return cls(people, [everything[at] for at in map(values.positions.get, people, repeat(-1))], nothing)

    def beside(self, each: list[U], nothing: U) -> "Aligned[U]":
        """Something else of the same people."""
        other = Aligned(self.people, each, nothing)
        other.positions = self.positions
        return other

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """By id: where somebody stands in the order of the people."""
        return dict(zip(self.people, range(len(self.people)), strict=True))

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
