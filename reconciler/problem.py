"""One thing that is wrong with a policy, and where it stands. Not an exception: problems are collected."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a policy file.

    `file` is the path as the user gave or would write it; `line` and `column` count from 1 (0: the
    whole file); `path` is the place in the document, such as `bindings[3].projects.storefront`.
    """

    file: str
    line: int = 0
    column: int = 0
    path: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place} {self.path}" if self.path else place


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong at a location, and what to write instead (`remedy`)."""

    at: Location
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.at}: {self.message}"
        if not self.remedy:
            return text
        return f"{text} {self.remedy}" if text.endswith("?") else f"{text}; {self.remedy}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: `, did you mean 'admin'?`, or nothing."""
    import difflib  # who makes no mistake needs none

    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold()[:100], by_folded, n=1)
    return f", did you mean '{by_folded[close[0]]}'?" if close else ""
