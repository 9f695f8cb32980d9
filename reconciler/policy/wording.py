"""What a document has wrong by its schema, in words for people. Finds nothing itself; pure."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.policy import times
from reconciler.policy.marked import MOST_PROBLEMS, MarkedDocument, Steps, path_text, quote
from reconciler.problem import Location, Problem, did_you_mean


@dataclass(frozen=True, slots=True)
class Fault:
    """One keyword of the schema that a value breaks.

    `limit` is what the schema says after the keyword; `about` is the part of the schema that
    describes the value: its title names it, its examples show it. With `is_key` the value is the
    key at `steps`.
    """

    document: MarkedDocument
    steps: Steps
    keyword: str
    value: Any
    limit: Any
    about: Mapping[str, Any]
    is_key: bool = False

    @property
    def at(self) -> Location:
        return self.document.key_at(self.steps) if self.is_key else self.document.at(self.steps)

    @property
    def noun(self) -> str:
        """What the value should be, such as `role` or `list of bindings`."""
        return str(self.about["title"])

    @property
    def example(self) -> str:
        return f"write for example `{in_yaml(self.about['examples'][0])}`"


def problems(fault: Fault) -> Iterator[Problem]:
    """Say what is wrong; nothing where it was said before, or follows from something else."""
    if fault.steps not in fault.document.unknown:
        yield from KEYWORDS[fault.keyword](fault)


def nothing(document: MarkedDocument, name: str) -> Problem:
    """The problem of a file that holds no document; `name` is its schema's."""
    remedies = {
        "organization": "write `version: 1`, `organization: NAME` and `mode: report`, each in a line",
        "policy": "write `version: 1` and `bindings:` or `grants:`, or delete the file",
        "directory": "export it anew",
    }
    return Problem(document.at(()), "the file is empty", remedies[name])


def in_yaml(value: Any) -> str:
    """A value in one line of YAML."""
    match value:
        case dict():
            return "{" + ", ".join(f"{in_yaml(key)}: {in_yaml(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(in_yaml(inner) for inner in value) + "]"
        case str() if re.fullmatch(r"[^\W\d][\w@. /-]*|[0-9]{4}-[0-9]{2}-[0-9]{2}\S*", value):
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)


def _type(fault: Fault) -> Iterator[Problem]:
    message = f"{_kind(fault.value)} stands where {_a(fault.noun)} belongs"
    yield Problem(fault.at, message, _retyped(fault))


def _kind(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "a truth value"
        case int():
            return f"the number {value}"
        case str():
            return f"the text {quote(value)}"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeio" else f"a {noun}"


def _retyped(fault: Fault) -> str:
    """What to write instead of a value of the wrong type."""
    about = fault.about
    if not fault.steps:
        return "write keys with values, each in a line, such as `version: 1`"
    if "enum" in about:
        return _one_of(about["enum"])
    match fault.limit, fault.value:
        case "array", None if "minItems" not in about:
            return "write `[]` for nobody, or delete the key"
        case "object", None if not about.keys() & {"minProperties", "required"}:
            return "write `{}`, or delete the key"
        case "array", str() | int() | None:
            return f"{fault.example}, also for a single entry"
        case "array", dict():
            return "begin each entry of the list with `- `"
        case (("string" | ["string", "object"]), bool() | int()) if "anyOf" not in about:
            return f'put it in quotes: "{in_yaml(fault.value)}"'
        case "integer", str(digits) if re.fullmatch(r"[0-9]{1,9}", digits):
            return f"write {digits} without quotes"
        case "boolean", _:
            return "write `true` or `false`"
        case _:
            return fault.example


def _one_of(values: list[str]) -> str:
    return f"write {values[0]}" if len(values) == 1 else f"write one of {', '.join(values)}"


def _const(fault: Fault) -> Iterator[Problem]:
    message = f"{fault.value} is not a {fault.noun} that this program reads"
    yield Problem(fault.at, message, f"write {in_yaml(fault.limit)}")


def _enum(fault: Fault) -> Iterator[Problem]:
    value = str(fault.value)
    message = f"unknown {fault.noun} {quote(value)}{did_you_mean(value, fault.limit)}"
    yield Problem(fault.at, message, _one_of(fault.limit))


def _min_length(fault: Fault) -> Iterator[Problem]:
    yield Problem(fault.at, f"the {fault.noun} is empty", fault.example)


def _max_length(fault: Fault) -> Iterator[Problem]:
    message = f"the {fault.noun} has {len(fault.value):,} characters, more than {fault.limit}"
    yield Problem(fault.at, message, "shorten it")


def _pattern(fault: Fault) -> Iterator[Problem]:
    said = _invisible(fault) or _placeholders(fault) or _shapeless(fault)
    yield Problem(fault.at, *said)


_BLANKS = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_INVISIBLE = re.compile("[\u0000-\u001f\u007f-\u009f\u200b\u2028-\u202e\u2066-\u2069\ufeff]")

_FORMS = {"organization's name": "use lower-case letters, digits and dashes, as in `acme`"}
"""What to write where one example does not tell."""


def _invisible(fault: Fault) -> tuple[str, str] | None:
    """What nobody can see in a text: blanks around it, control characters, changes of direction."""
    text: str = fault.value
    found = _INVISIBLE.search(text)
    if found and found.group() in "\r\n":
        return f"the {fault.noun} holds a line break", "write it in one line (after `>` or `|` a dash: `>-`)"
    if found:
        name = f"U+{ord(found.group()):04X}"
        return f"the {fault.noun} holds the invisible character {name}", "delete the character"
    if text != text.strip(_BLANKS):
        return f"the {fault.noun} begins or ends with a blank", f"write `{in_yaml(text.strip(_BLANKS))}`"
    return None


def _placeholders(fault: Fault) -> tuple[str, str] | None:
    """What a template of role names has wrong."""
    if not fault.noun.startswith("template"):
        return None
    wanted = re.findall(r"\{\w+\}", fault.about["examples"][0])
    for found in re.findall(r"\{[^{}]*\}", fault.value):
        if found not in wanted:
            return f"unknown placeholder {quote(found)}{did_you_mean(found, wanted)}", fault.example
    missing = [placeholder for placeholder in wanted if placeholder not in fault.value]
    if missing:
        return f"the {fault.noun} lacks {' and '.join(missing)}", fault.example
    return f"the {fault.noun} holds a brace that belongs to no placeholder", fault.example


def _shapeless(fault: Fault) -> tuple[str, str]:
    return f"{quote(fault.value)} cannot be {_a(fault.noun)}", _FORMS.get(fault.noun, fault.example)


def _minimum(fault: Fault) -> Iterator[Problem]:
    yield Problem(fault.at, f"the {fault.noun} cannot be {fault.value}", f"write {fault.limit} or more")


def _maximum(fault: Fault) -> Iterator[Problem]:
    yield Problem(fault.at, f"the {fault.noun} cannot be {fault.value}", f"write {fault.limit} or less")


def _required(fault: Fault) -> Iterator[Problem]:
    for key in fault.limit:
        if key in fault.value or _meant(key, fault):
            continue
        at = Location(fault.at.file, fault.at.line, fault.at.column, path_text((*fault.steps, key)))
        yield Problem(at, f"required key '{key}' is missing", _addition(key, fault))


def _meant(key: str, fault: Fault) -> bool:
    """Whether an unknown key of the mapping seems to be this one misspelled, or would have brought it."""
    unknown = [other for other in fault.value if other not in fault.about["properties"]][:MOST_PROBLEMS]
    return "<<" in unknown or any(did_you_mean(other, [key]) for other in unknown)


def _addition(key: str, fault: Fault) -> str:
    inner = fault.about["properties"][key]
    if len(inner.get("enum", ())) > 1:
        return f"add `{key}:` with one of {', '.join(inner['enum'])}"
    return f"add for example `{key}: {in_yaml(inner['examples'][0])}`"


def _unknown_keys(fault: Fault) -> Iterator[Problem]:
    known = fault.about["properties"]
    for key in fault.value:
        if key in known or (*fault.steps, key) in fault.document.unknown:
            continue
        suggestion = did_you_mean(key, known.keys() - fault.value.keys())
        at = fault.document.key_at((*fault.steps, key))
        remedy = f"the {'keys here are' if len(known) > 1 else 'only key here is'} {', '.join(known)}"
        yield Problem(at, f"unknown key {quote(key)}{suggestion}", remedy)


def _empty(fault: Fault) -> Iterator[Problem]:
    yield Problem(fault.at, f"the {fault.noun} is empty", f"{fault.example}, or delete the key")


def _unique(fault: Fault) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, value in enumerate(fault.value):
        item = json.dumps(value, sort_keys=True)
        if item in seen:
            at = fault.document.at((*fault.steps, index))
            shown = value if isinstance(value, str) else in_yaml(value)
            yield Problem(at, f"{quote(shown)} is in this list twice", "delete one")
        seen.add(item)


def _any_of(fault: Fault) -> Iterator[Problem]:
    """The choices that the schema offers: a time has two forms, an entry says one thing or more."""
    if isinstance(fault.value, str):
        wrong, remedy = times.fault(fault.value)
        yield Problem(fault.at, f"the {fault.noun} {quote(fault.value)} {wrong}", remedy)
    elif isinstance(fault.value, dict):
        keys = [key for choice in fault.limit for key in choice["required"]]
        if not any(_meant(key, fault) for key in keys):
            yield Problem(fault.at, *_unsaid(fault.noun, keys))


def _unsaid(noun: str, keys: list[str]) -> tuple[str, str]:
    """What an entry lacks that says nothing, and what to add."""
    if "projects" in keys:
        return f"this {noun} names no role", "add `organization: ROLE` or `projects: {PROJECT: ROLE}`"
    if "users" in keys:
        return f"this {noun} names nobody", "add `users:`, `groups:` or `classes:`, each a list"
    *most, last = [f"`{key}:`" for key in keys]
    return f"this entry says nothing of the {noun}", f"add {', '.join(most)} or {last}, or delete the entry"


def _one_of_several(fault: Fault) -> Iterator[Problem]:
    """The choices of which an entry makes just one. What is no mapping is told as that."""
    if not isinstance(fault.value, dict):
        return
    keys = [key for choice in fault.limit for key in choice["required"]]
    *most, last = [f"`{key}:`" for key in keys]
    made = [f"`{key}:`" for key in keys if key in fault.value]
    if len(made) > 1:
        message = f"this {fault.noun} says several things: {' and '.join(made)}"
        yield Problem(fault.at, message, "write an entry for each")
    elif not any(_meant(key, fault) for key in keys):
        yield Problem(fault.at, f"this {fault.noun} says nothing", f"add {', '.join(most)} or {last}")


KEYWORDS: Mapping[str, Callable[[Fault], Iterator[Problem]]] = {
    "type": _type,
    "const": _const,
    "enum": _enum,
    "minLength": _min_length,
    "maxLength": _max_length,
    "pattern": _pattern,
    "minimum": _minimum,
    "maximum": _maximum,
    "required": _required,
    "additionalProperties": _unknown_keys,
    "minProperties": _empty,
    "minItems": _empty,
    "uniqueItems": _unique,
    "anyOf": _any_of,
    "oneOf": _one_of_several,
}
"""By keyword of JSON Schema, how to say that it is broken."""
