"""What a code host's Markdown can do and how much of it a comment may hold."""

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.problem import Location


def _nowhere(_: Location) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How Markdown is to be written so that one host shows it as it is meant."""

    limit: int = 65_536
    """The most characters (of UTF-16 or UTF-8, whichever the host counts: the smaller fits) of a comment."""
    folds: bool = True
    """Whether `<details>` folds."""
    link: Callable[[Location], str] = _nowhere
    """The URL of a line of policy as of the commit that is looked at; empty where there is none."""
