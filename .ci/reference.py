"""The pages of docs/reference/ that come from the help of the commands and from the schemas.

`make docs` writes them, and a test finds one that is stale.
"""

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from reconciler.cli import COMMANDS, SECTIONS, cli

ROOT = Path(__file__).parents[1]
MADE = "<!-- Made by `make docs` from {}; edits are lost. -->"

Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """Each page by its path from the root."""
    return {
        "docs/reference/commands.md": _page(_commands()),
        "docs/reference/organization.md": _page(_schema("organization", "organization.yaml")),
        "docs/reference/policy.md": _page(_schema("policy", "Every other policy file")),
    }


def _page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


# Commands


def _commands() -> Iterator[str]:
    yield MADE.format("the help of the commands")
    yield "# Commands"
    yield ""
    yield "What `reconciler COMMAND --help` says. All of them have the same [exit codes](exit-codes.md), and"
    yield "learn from the [environment](environment.md) where the server is."
    yield ""
    for title, names in SECTIONS.items():
        there = [name for name in names if name in COMMANDS]
        yield f"- {title}: {', '.join(f'[`{name}`](#{name})' for name in there)}"
    yield ""
    yield "Before any command:"
    context = click.Context(cli, info_name="reconciler", **cli.context_settings)
    yield from _options(context)
    for names in SECTIONS.values():
        for name in names:
            if name in COMMANDS:
                yield from _command(context, name)


def _command(parent: click.Context, name: str) -> Iterator[str]:
    command = cli.get_command(parent, name)
    assert command is not None
    context = click.Context(command, info_name=name, parent=parent)
    yield ""
    yield f"## {name}"
    yield ""
    yield "```sh"
    yield command.get_usage(context).removeprefix("Usage: ")
    yield "```"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield ""
        yield from _paragraph(paragraph)
    yield from _options(context)


def _paragraph(text: str) -> Iterator[str]:
    """One of help; where click is to leave its lines as they are, the first tells what the rest is."""
    if not text.startswith("\b"):
        yield text
        return
    first, *rest = text.removeprefix("\b\n").splitlines()
    yield first
    while rest and not rest[0].startswith(" "):
        yield rest.pop(0)
    ends = next((number for number, line in enumerate(rest) if not line.startswith(" ")), len(rest))
    yield ""
    yield "```sh" if first == "Examples:" else "```"
    yield from inspect.cleandoc("\n".join(["", *rest[:ends]])).splitlines()
    yield "```"
    if rest[ends:]:
        yield ""
        yield from rest[ends:]


def _options(context: click.Context) -> Iterator[str]:
    options = [one for one in context.command.get_params(context) if isinstance(one, click.Option)]
    records = [
        one.get_help_record(context) for one in options if "--help" not in one.opts or not context.parent
    ]
    if records:
        yield ""
        yield "| option | meaning |"
        yield "|---|---|"
    for option, meaning in filter(None, records):
        yield f"| `{_cell(option)}` | {_cell(' '.join(meaning.split()))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# The policy language


class _Dumper(yaml.SafeDumper):
    """Writes a date as a policy has it: to its reader, it is text."""


_Dumper.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeDumper.yaml_implicit_resolvers.items()
}


def _schema(name: str, title: str) -> Iterator[str]:
    file = f"schemas/{name}.schema.json"
    schema: Schema = json.loads((ROOT / file).read_text(encoding="utf-8"))
    yield MADE.format(file)
    yield f"# {title}"
    yield ""
    yield schema["description"]
    yield ""
    yield f"[The schema](../../{file}) says the same to an editor; `reconciler schema {name}` prints it."
    yield from _example(schema["examples"][0])
    yield from _keys(schema, schema, "")
    for heading, path, part in _objects(schema, schema, "", set()):
        yield ""
        yield f"## {heading}"
        yield ""
        yield part["description"]
        yield from _example(next(one for one in reversed(part["examples"]) if isinstance(one, dict)))
        yield from _keys(schema, part, path)


def _example(value: object) -> Iterator[str]:
    yield ""
    yield "```yaml"
    yield yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True).rstrip()
    yield "```"


def _keys(schema: Schema, part: Schema, path: str) -> Iterator[str]:
    """The table of an object's keys; `path` is where it stands."""
    yield ""
    yield "| key | takes | meaning |"
    yield "|---|---|---|"
    for key, raw in part["properties"].items():
        value = _resolved(schema, raw)
        needed = " (required)" if key in part.get("required", ()) else ""
        default = f" Default: `{_written(value['default'])}`." if "default" in value else ""
        takes = _cell(_takes(schema, raw, _below(path, key)))
        yield f"| `{key}`{needed} | {takes} | {_cell(value['description'] + default)} |"
    one_of = [choice["required"][0] for choice in part.get("anyOf", ())]
    if one_of:
        yield ""
        yield f"At least one of {', '.join(f'`{key}`' for key in one_of)} must be there."


def _written(value: object) -> str:
    """A value in one line of YAML."""
    text: str = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("...").strip()


def _takes(schema: Schema, raw: Schema, path: str) -> str:
    """What values a key has, in words."""
    value = _resolved(schema, raw)
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{one}`" for one in value["enum"])
    if "properties" in value:
        heading = _heading(schema, raw, path)
        link = f"[{heading}](#{heading.lower().replace(' ', '-').replace('.', '')})"
        return link if value["type"] == "object" else f"name, or {link}"
    match value["type"]:
        case "array":
            return f"list: {_takes(schema, value['items'], path)}"
        case "boolean":
            return "`true`, `false`"
        case "integer":
            return f"{value['minimum']}" + (f" to {value['maximum']}" if "maximum" in value else " or more")
        case "object":
            names = value["propertyNames"]["title"]
            return (
                f"mapping, by {names}: {_takes(schema, value['additionalProperties'], _below(path, 'NAME'))}"
            )
        case _:
            return str(value["title"])


def _objects(schema: Schema, part: Schema, path: str, seen: set[str]) -> Iterator[tuple[str, str, Schema]]:
    """Everything below that has keys of its own, each once: its heading, its place and itself."""
    for key, raw in part["properties"].items():
        place = _below(path, key)
        value = _resolved(schema, raw)
        while "properties" not in value and value["type"] in ("array", "object"):
            place = place if value["type"] == "array" else _below(place, "NAME")
            raw = value["items"] if value["type"] == "array" else value["additionalProperties"]
            value = _resolved(schema, raw)
        heading = _heading(schema, raw, place)
        if "properties" in value and heading not in seen:
            seen.add(heading)
            if "$ref" in raw:  # may stand in several places: what is said in this one is left out
                place, value = "", _resolved(schema, {"$ref": raw["$ref"]})
            yield heading, place, value
            yield from _objects(schema, value, place, seen)


def _heading(schema: Schema, raw: Schema, path: str) -> str:
    """What is used in several places is called by its title, anything else by its place."""
    return str(_resolved(schema, {"$ref": raw["$ref"]})["title"]) if "$ref" in raw else path


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _resolved(schema: Schema, value: Schema) -> Schema:
    """A part of a schema with what it refers to; what it says itself counts more."""
    if "$ref" not in value:
        return value
    found: Schema = schema["$defs"][value["$ref"].rpartition("/")[2]]
    return {**_resolved(schema, found), **{key: said for key, said in value.items() if key != "$ref"}}


if __name__ == "__main__":
    for path, text in pages().items():
        (ROOT / path).write_text(text, encoding="utf-8")
