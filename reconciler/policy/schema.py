"""The published JSON Schemas, and what a document has wrong by them, in our words; owns jsonschema.

Whether anything is wrong at all, `conformity` tells; jsonschema is loaded where something is.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.policy import conformity, times, wording
from reconciler.policy.marked import MOST_PROBLEMS, MarkedDocument, Steps, path_text, shorten
from reconciler.policy.wording import Fault
from reconciler.problem import Location, Problem

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

SCHEMAS = {
    "organization": "organization.yaml: what holds for a whole organization",
    "policy": "every other file: bindings, temporary grants, people, service accounts and assertions",
}
"""Each schema of the policy language: its name and what it describes."""

DOCUMENTS = {
    "plan": "what `plan --out` writes and `apply` takes",
    "directory": "an export of the identity provider, for `directory: {kind: file}`",
}
"""The schemas of files that are no policy."""


def text(name: str) -> str:
    """A schema of SCHEMAS or DOCUMENTS: from the installed package, or from the checkout around it."""
    package = Path(__file__).parents[1]
    installed = package / "schemas"
    folder = installed if installed.is_dir() else package.parent / "schemas"
    return (folder / f"{name}.schema.json").read_text(encoding="utf-8")


def check(document: MarkedDocument, name: str) -> list[Problem]:
    """Everything that a document which was read whole has wrong by a schema that has words, sorted.

    Those are the schemas of SCHEMAS and `directory`: each value in them has a title and examples.

    A place tells one thing at a time: the first that the schema says of it, where the type comes
    first. What was found while reading is not told again, nor more than MOST_PROBLEMS.
    """
    if document.value is None and () not in document.unknown:
        return [wording.nothing(document, name)]
    if _test(name)(document.value):
        return []
    validator = _validator(name)
    errors = islice(validator.iter_errors(document.value), MOST_PROBLEMS)
    faults = [_fault(error, document, validator.schema) for error in errors]
    found: dict[Location, Problem] = {}
    for fault in faults:
        for problem in islice(wording.problems(fault), MOST_PROBLEMS):
            found.setdefault(problem.at, problem)
    return [*sorted(found.values())[:MOST_PROBLEMS], *_more(document, len(faults), len(found))]


def first_fault(name: str, value: Any) -> str:
    """Where a value is not as a schema says, and how, in a few words; empty where it is."""
    if _test(name)(value):
        return ""
    from jsonschema.exceptions import best_match  # takes longer to load than all of ours: see the module

    error = best_match(_validator(name).iter_errors(value))
    if error is None:
        return ""
    place = path_text(tuple(error.absolute_path))
    return f"{place or 'the document'}: {shorten(error.message)}"


def _more(document: MarkedDocument, *numbers: int) -> list[Problem]:
    """The problem that there are more."""
    if max(numbers) < MOST_PROBLEMS:
        return []
    message = f"the file has more problems than the {MOST_PROBLEMS} that are told"
    return [Problem(Location(document.file), message, "correct these first; is this a policy file?")]


def _fault(error: "ValidationError", document: MarkedDocument, root: Any) -> Fault:
    steps: Steps = tuple(error.absolute_path)
    is_key = "propertyNames" in error.absolute_schema_path
    about = _described(root, steps)
    if is_key:
        steps = (*steps, str(error.instance))
        about = _resolved(about["propertyNames"], root)
    return Fault(document, steps, str(error.validator), error.instance, error.validator_value, about, is_key)


def _described(root: Any, steps: Steps) -> Mapping[str, Any]:
    """The part of a schema that describes the value at these steps."""
    node = root
    for step in steps:
        inside = node["items"] if isinstance(step, int) else node.get("properties", {}).get(step)
        node = _resolved(inside or node["additionalProperties"], root)
    inner = {key: _resolved(value, root) for key, value in node.get("properties", {}).items()}
    return {**node, "properties": inner}


def _resolved(node: Any, root: Any) -> Any:
    """A schema node with what it refers to; what it says itself comes first."""
    reference = node.get("$ref")
    if reference is None:
        return node
    return {**_resolved(root["$defs"][reference.removeprefix("#/$defs/")], root), **node}


@cache
def _schema(name: str) -> Any:
    return json.loads(text(name))


@cache
def _test(name: str) -> conformity.Test:
    return conformity.test(_schema(name))


@cache
def _validator(name: str) -> "Validator":
    from jsonschema import Draft202012Validator, FormatChecker  # takes long to load: see the module
    from jsonschema.validators import extend

    formats = FormatChecker(formats=())
    formats.checks("date")(_exists)
    formats.checks("date-time")(_exists)
    strict: type[Validator] = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
    return strict(_schema(name), format_checker=formats)


def _exists(value: object) -> bool:
    return not isinstance(value, str) or times.exists(value)


def _pattern(
    _validator: "Validator", pattern: str, value: object, _schema: Any
) -> "Iterator[ValidationError]":
    from jsonschema import ValidationError

    if isinstance(value, str) and not conformity.pattern(pattern).search(value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")
