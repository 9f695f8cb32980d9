"""JSON that all readers read alike, and that is written in one way. Knows nothing of what it says."""

import json
from typing import Any, NoReturn

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def canonical(value: object) -> str:
    """The one way to write a value, so that no byte of it can differ unseen: ASCII, sorted, no blanks."""
    return _CANONICAL.encode(value)


def parse(content: bytes) -> Any:
    """What the bytes hold. Raises ValueError, in words, where readers could differ about it.

    That is: a key that stands there twice, a number that is none.
    """
    try:
        return json.loads(content, object_pairs_hook=_without_twins, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        raise ValueError("it is no JSON") from error


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs. Raises ValueError where a key stands there twice: readers would differ."""
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a key stands there twice")
    return document


def _no_constant(word: str) -> NoReturn:
    """Raises ValueError for NaN and Infinity, which are no JSON."""
    raise ValueError(f"{word} is no number")
