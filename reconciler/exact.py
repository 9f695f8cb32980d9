"""JSON that all readers read alike: no key twice, no number that is none. Knows nothing of what it says."""

import json
from typing import Any, NoReturn


def parse(content: bytes) -> Any:
    """What the bytes hold. Raises ValueError, in words, where readers could differ about it."""
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
