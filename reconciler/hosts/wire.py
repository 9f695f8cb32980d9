"""Values in the JSON of code hosts, checked: what is not there is a HostError, never a guess. Pure."""

from typing import Any

from reconciler.errors import HostError

JsonObject = dict[str, Any]


def number(entry: JsonObject, name: str) -> int:
    """A whole number of an entry. Raises HostError where it has none."""
    value = entry.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise HostError(
            f"the host answered something without a number `{name}`, which everything like it has"
        )
    return value


def text(entry: JsonObject, *steps: str) -> str:
    """The text at these steps, empty where there is none: accounts are deleted, bodies are empty."""
    value: object = entry
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
