"""JSON text as plain data with places, strictly: no key twice, no number that is none. Knows no schema."""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from reconciler.directories.file.csv_text import CUT
from reconciler.policy.marked import MarkedDocument, Places, Steps, path_text, quote, unread
from reconciler.problem import Location, Problem

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')


class _TwinError(Exception):
    """A key stands in an object twice."""


def parse(text: str, name: str) -> MarkedDocument:
    """What the text of the file `name` holds. Whatever is wrong is in the result's problems."""
    try:
        value = json.loads(text, object_pairs_hook=_without_twins, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except _TwinError:
        return unread(_twin(text, name))
    except json.JSONDecodeError as error:
        place = Location(name, error.lineno, error.colno)
        return unread(Problem(place, f"this is not JSON: {error.msg.lower()}", CUT))
    except UnicodeEncodeError:
        return unread(Problem(Location(name), "an escape in it is half a character", "export it as UTF-8"))
    except RecursionError:
        return unread(Problem(Location(name), "it is nested too deeply", "`reconciler schema directory`"))
    except ValueError as error:
        return unread(Problem(Location(name), f"this is not JSON: {error}", "`reconciler schema directory`"))
    places = Places(lambda: dict(_walk(text, name)))
    return MarkedDocument(name, value, keys=places, values=places)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _TwinError
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _twin(text: str, name: str) -> Problem:
    """Where a key stands for the second time."""
    seen: dict[Steps, Location] = {}
    for steps, place in _walk(text, name):
        if steps in seen:
            message = f"the key {quote(str(steps[-1]))} was used before, in line {seen[steps].line}"
            return Problem(place, message, "delete one of the two")
        seen[steps] = place
    raise AssertionError("the parser found a key twice")


def _walk(text: str, name: str) -> Iterator[tuple[Steps, Location]]:
    """Each key and each entry of a list in turn; of text that is JSON, at least up to a key used twice."""
    way: list[str | int] = []
    wants_key = False
    line, counted = 1, 0
    for token in _TOKEN.finditer(text):
        line, counted = line + text.count("\n", counted, token.start()), token.start()
        word = token[0]
        in_list = bool(way) and isinstance(way[-1], int)
        if word in ("}", "]"):
            way.pop()
            wants_key = False
        elif word == "," and in_list:
            way[-1] = int(way[-1]) + 1
        elif word == ",":
            wants_key = True
        elif word != ":":
            if wants_key:
                way[-1] = json.loads(word)
            if wants_key or in_list or not way:
                column = token.start() - text.rfind("\n", 0, token.start())
                yield tuple(way), Location(name, line, column, path_text(tuple(way)))
            wants_key = word == "{"
            if word in ("{", "["):
                way.append("" if word == "{" else 0)
