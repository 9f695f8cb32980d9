"""One YAML file as plain data, with the place of every key and value; neither its reading nor its meaning."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from reconciler.problem import Location, Problem

Value = str | int | bool | None | list["Value"] | dict[str, "Value"]
"""Plain data, as strict YAML holds it: there are no floats, no dates and no keys but text."""

Steps = tuple[str | int, ...]
"""The way from the root of a document to a place in it: keys and indexes."""

MOST_PROBLEMS = 100
"""Of one file, so many problems are told: with more, it is another kind of file."""

LONGEST_QUOTE = 60
"""Messages quote no more characters of a file than this."""

LINE_BREAK = re.compile("\r\n|\r|\n")

_BARE = re.compile(r"[^\W\d][\w-]*")


def quote(text: str) -> str:
    """Text of a file in quotes, shortened where it is long."""
    return f"'{shorten(text)}'"


def shorten(text: str) -> str:
    """The beginning of a text, as much of it as a message has room for."""
    return text if len(text) <= LONGEST_QUOTE else f"{text[: LONGEST_QUOTE - 3]}..."


def path_text(steps: Steps) -> str:
    """Steps as people read them: `bindings[3].projects.storefront`."""
    return "".join(map(_step_text, steps)).removeprefix(".")


@lru_cache(maxsize=1024)  # the same few keys again and again
def _step_text(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return (
        f".{step}" if _BARE.fullmatch(shorten(step)) else f"[{json.dumps(shorten(step), ensure_ascii=False)}]"
    )


def after(before: str, file: str) -> Location:
    """The line and column of what follows the text `before`."""
    lines = LINE_BREAK.split(before)
    return Location(file, len(lines), len(lines[-1]) + 1)


@dataclass(frozen=True, slots=True)
class MarkedDocument:
    """What one file holds. `problems` are those of reading it; they are about its form alone.

    `whole` is False where reading stopped: then `value` says nothing. `unknown` are the places whose
    value, or key, was already found at fault and stands for nothing.
    """

    file: str
    value: Value = None
    keys: Mapping[Steps, Location] = field(default_factory=dict)
    values: Mapping[Steps, Location] = field(default_factory=dict)
    unknown: frozenset[Steps] = frozenset()
    problems: tuple[Problem, ...] = ()
    whole: bool = True
    digest: str = ""
    """The SHA-256 of the file's bytes in hexadecimal; empty where they were not read."""

    def at(self, steps: Steps) -> Location:
        """Where the value at these steps stands; the file where there is none."""
        return self.values.get(steps) or Location(self.file, path=path_text(steps))

    def key_at(self, steps: Steps) -> Location:
        """Where the key at these steps stands; the value, or the file, where there is none."""
        return self.keys.get(steps) or self.at(steps)


def unread(problem: Problem) -> MarkedDocument:
    """A document that could not be read, and why."""
    return MarkedDocument(problem.at.file, problems=(problem,), whole=False)


Mark = tuple[int, int]
"""A line and a column, each from 0, as parsers count."""


@dataclass(frozen=True, slots=True)
class Marks(Mapping[Steps, Location]):
    """Places by the marks of a parser: most are never asked for, so each becomes a location when it is."""

    file: str
    marks: Mapping[Steps, Mark]

    def __getitem__(self, steps: Steps) -> Location:
        line, column = self.marks[steps]
        return Location(self.file, line + 1, column + 1, path_text(steps))

    def __contains__(self, steps: object) -> bool:
        return steps in self.marks

    def __iter__(self) -> Iterator[Steps]:
        return iter(self.marks)

    def __len__(self) -> int:
        return len(self.marks)


class Places(Mapping[Steps, Location]):
    """Places that are looked for when somebody wants to know one: only a fault needs them."""

    def __init__(self, find: Callable[[], Mapping[Steps, Location]]) -> None:
        self._find = find

    @cached_property
    def _found(self) -> Mapping[Steps, Location]:
        return self._find()

    def __getitem__(self, steps: Steps) -> Location:
        return self._found[steps]

    def __iter__(self) -> Iterator[Steps]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)
