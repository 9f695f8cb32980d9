"""Whether a value is as a JSON Schema says: yes or no, quickly, for the keywords that our schemas use. Pure.

What is wrong with a value that is not, `schema` asks jsonschema, which takes many times as long to load and
to judge. The two are held to agree by tests.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from reconciler.policy import times

Test = Callable[[Any], bool]
"""Whether a value conforms. A keyword that says nothing of a value's type lets it pass."""

Node = Mapping[str, Any]
"""A schema, or a schema within one."""


def test(schema: Node) -> Test:
    """The test of a whole schema. Raises KeyError for a keyword that none of ours has.

    Of numbers, texts and lists it judges as JSON Schema does; only `uniqueItems` is stricter, for which `1`
    and `true` are alike.
    """
    return _Compiler(schema.get("$defs", {})).test(schema)


def pattern(expression: str) -> re.Pattern[str]:
    """JSON Schema means ECMAScript's `$`, the very end; Python's also matches before a last line break."""
    return re.compile(expression.replace("$", r"\Z"))


@dataclass(frozen=True, slots=True)
class _Compiler:
    """Makes tests of schemas that refer to `definitions`; each of these is made once."""

    definitions: Mapping[str, Node]
    _made: dict[str, Test] = field(default_factory=dict)

    def test(self, node: Node) -> Test:
        tests = [self._reference(node["$ref"])] if "$ref" in node else []
        for keyword, limit in node.items():
            if keyword not in _SILENT:
                tests.append(KEYWORDS[keyword](limit, node, self))
        return _all(tests)

    def tests(self, nodes: Mapping[str, Node]) -> dict[str, Test]:
        return {key: self.test(node) for key, node in nodes.items()}

    def _reference(self, reference: str) -> Test:
        name = reference.removeprefix("#/$defs/")
        if name not in self._made:
            self._made[name] = self.test(self.definitions[name])
        return self._made[name]


def _all(tests: Iterable[Test]) -> Test:
    every = tuple(tests)
    if len(every) == 1:
        return every[0]

    def passes(value: Any) -> bool:
        for one in every:  # noqa: SIM110 (a generator would take longer than most tests)
            if not one(value):
                return False
        return True

    return passes


_TYPES: Mapping[str, Test] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: type(value) is int or (isinstance(value, float) and value.is_integer()),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _type(limit: str | list[str], _node: Node, _compiler: _Compiler) -> Test:
    return _TYPES[limit] if isinstance(limit, str) else _any([_TYPES[name] for name in limit])


def _any(tests: Iterable[Test]) -> Test:
    choices = tuple(tests)
    return lambda value: any(one(value) for one in choices)


def _any_of(limit: list[Node], _node: Node, compiler: _Compiler) -> Test:
    return _any(map(compiler.test, limit))


def _all_of(limit: list[Node], _node: Node, compiler: _Compiler) -> Test:
    return _all(map(compiler.test, limit))


def _one_of(limit: list[Node], _node: Node, compiler: _Compiler) -> Test:
    choices = tuple(map(compiler.test, limit))
    return lambda value: sum(one(value) for one in choices) == 1


def _const(limit: Any, _node: Node, _compiler: _Compiler) -> Test:
    return lambda value: value == limit and isinstance(value, bool) == isinstance(limit, bool)


def _enum(limit: list[str], _node: Node, _compiler: _Compiler) -> Test:
    """Ours list texts alone."""
    texts = frozenset(limit)
    return lambda value: isinstance(value, str) and value in texts


def _properties(limit: Mapping[str, Node], node: Node, compiler: _Compiler) -> Test:
    """With what the schema says of all other keys, for that depends on these."""
    tests, others = compiler.tests(limit), _others(node.get("additionalProperties", True), compiler)

    def passes(value: Any) -> bool:
        if isinstance(value, dict):
            for key, inner in value.items():
                if not tests.get(key, others)(inner):
                    return False
        return True

    return passes


def _additional(limit: Node | bool, node: Node, compiler: _Compiler) -> Test:
    if "properties" in node:
        return _anything  # told there
    others = _others(limit, compiler)
    return lambda value: not isinstance(value, dict) or all(map(others, value.values()))


def _others(limit: Node | bool, compiler: _Compiler) -> Test:
    if isinstance(limit, bool):
        return _anything if limit else _nothing
    return compiler.test(limit)


def _anything(_value: Any) -> bool:
    return True


def _nothing(_value: Any) -> bool:
    return False


def _property_names(limit: Node, _node: Node, compiler: _Compiler) -> Test:
    name = compiler.test(limit)
    return lambda value: not isinstance(value, dict) or all(map(name, value))


def _required(limit: list[str], _node: Node, _compiler: _Compiler) -> Test:
    keys = frozenset(limit)
    return lambda value: not isinstance(value, dict) or keys <= value.keys()


def _items(limit: Node, _node: Node, compiler: _Compiler) -> Test:
    item = compiler.test(limit)
    return lambda value: not isinstance(value, list) or all(map(item, value))


def _unique(limit: bool, _node: Node, _compiler: _Compiler) -> Test:
    return lambda value: not (limit and isinstance(value, list)) or _distinct(value)


def _distinct(values: list[Any]) -> bool:
    texts = [value for value in values if isinstance(value, str)]
    others = [value for value in values if not isinstance(value, str)]
    return len(set(texts)) == len(texts) and all(one != other for one, other in combinations(others, 2))


def _pattern(limit: str, _node: Node, _compiler: _Compiler) -> Test:
    search = pattern(limit).search
    return lambda value: not isinstance(value, str) or search(value) is not None


def _format(limit: str, _node: Node, _compiler: _Compiler) -> Test:
    exists = {"date": times.exists, "date-time": times.exists}[limit]
    return lambda value: not isinstance(value, str) or exists(value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_SILENT = {"$schema", "$id", "$defs", "$ref", "title", "description", "examples", "default"}

KEYWORDS: Mapping[str, Callable[[Any, Node, _Compiler], Test]] = {
    "type": _type,
    "const": _const,
    "enum": _enum,
    "anyOf": _any_of,
    "allOf": _all_of,
    "oneOf": _one_of,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _property_names,
    "required": _required,
    "minProperties": lambda limit, *_: lambda value: not isinstance(value, dict) or len(value) >= limit,
    "items": _items,
    "minItems": lambda limit, *_: lambda value: not isinstance(value, list) or len(value) >= limit,
    "uniqueItems": _unique,
    "pattern": _pattern,
    "format": _format,
    "minLength": lambda limit, *_: lambda value: not isinstance(value, str) or len(value) >= limit,
    "maxLength": lambda limit, *_: lambda value: not isinstance(value, str) or len(value) <= limit,
    "minimum": lambda limit, *_: lambda value: not _number(value) or value >= limit,
    "maximum": lambda limit, *_: lambda value: not _number(value) or value <= limit,
}
