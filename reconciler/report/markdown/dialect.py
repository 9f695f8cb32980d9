"""How Markdown is to be written so that one host shows it as it is meant. Writes none."""

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.problem import Location

Link = Callable[[Location], str]
"""The URL of a line of policy; empty where there is none."""


def _nowhere(_: Location) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How Markdown is to be written so that one host shows it as it is meant."""

    limit: int = 65_536
    """The most characters of a comment; kept in bytes of UTF-8, so that it holds however a host counts."""
    folds: bool = True
    """Whether `<details>` folds."""
    link: Link = _nowhere
    """The URL of a line of policy as of the commit that is looked at; empty where there is none."""
