"""docs/plan-format.md has every field of the plan's schema, with its type and meaning."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reconciler.policy import schema

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/plan-format.md").read_text(encoding="utf-8")
SCHEMA = json.loads(schema.text("plan"))
Json = Mapping[str, Any]


def fields() -> str:
    """Tables of all fields, made of the schema: what the page has below its heading."""
    parts = [_table("The document", "", SCHEMA)]
    for name, node in SCHEMA["$defs"].items():
        for variant in node.get("oneOf", ()):
            kind = variant["properties"]["kind"]["const"]
            parts.append(_table(f"`{name}`, kind `{kind}`", variant["description"], variant))
        if "properties" in node and "oneOf" not in node:
            parts.append(_table(f"`{name}`", node["description"], node))
    return "\n\n".join(parts)


def _table(title: str, words: str, node: Json) -> str:
    required = {"kind", *node.get("required", ())}
    rows = [
        f"| `{key}` | {_type(inner)}{'' if key in required else ', may be absent'} | {_meaning(inner)} |"
        for key, inner in node["properties"].items()
    ]
    head = [f"### {title}", "", *([words, ""] if words else [])]
    return "\n".join([*head, "| field | type | meaning |", "|---|---|---|", *rows])


def _type(node: Json) -> str:
    if "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        target = SCHEMA["$defs"][name]
        return f"`{name}`" if "properties" in target or "oneOf" in target else _type(target)
    if node.get("type") == "array":
        return f"list of {_type(node['items'])}"
    values = node.get("enum", [node["const"]] if "const" in node else [])
    if values:
        return " or ".join(f"`{json.dumps(value)}`" for value in values)
    types = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return " or ".join(types)


def _meaning(node: Json) -> str:
    if "description" in node:
        return str(node["description"])
    return _meaning(SCHEMA["$defs"][node["$ref"].removeprefix("#/$defs/")])


def _nodes(node: Any) -> Iterator[Json]:
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(inner)


def test_the_page_has_every_field_with_its_type_and_meaning() -> None:
    _, _, told = PAGE.partition("## Every field\n\n")
    assert told.strip() == fields()


def test_every_object_of_the_schema_is_closed() -> None:
    for node in _nodes(SCHEMA):
        if isinstance(node.get("properties"), dict):
            assert node["additionalProperties"] is False
