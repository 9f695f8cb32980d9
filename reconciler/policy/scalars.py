"""Which value a plain (unquoted) YAML scalar has: none where YAML 1.1 and 1.2 read it differently. Pure."""

import re
from dataclasses import dataclass
from functools import lru_cache

_VALUES: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}")

_SURPRISES = {
    "a truth value": re.compile(r"[yY]|[yY]es|YES|[nN]|[nN]o|NO|[oO]n|ON|[oO]ff|OFF|True|TRUE|False|FALSE"),
    "nothing": re.compile(r"Null|NULL"),
    "a number": re.compile(
        r"""[-+]?(?: 0[xX][0-9a-fA-F_]+ | 0[oO][0-7_]+ | 0[bB][01_]+
            | [0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?
            | (?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?
            | \.(?:inf|Inf|INF) ) | \.(?:nan|NaN|NAN)""",
        re.VERBOSE,
    ),
    "an instruction to merge": re.compile(r"<<"),
    "a default value": re.compile(r"="),
}
"""By what it can turn into: text that some YAML readers take for something other than text."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """A scalar that YAML readers disagree about, and what some of them take it for."""

    text: str
    taken_for: str


@lru_cache(maxsize=1024)  # a policy says the same words again and again
def read_plain(text: str) -> str | int | bool | Unclear | None:
    """The one value that a plain scalar has, or why it has none. Dates and times stay text."""
    if text in _VALUES:
        return _VALUES[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    for kind, pattern in _SURPRISES.items():
        if pattern.fullmatch(text):
            return Unclear(text, kind)
    return text
