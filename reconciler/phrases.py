"""How numbers, moments and many names are said, everywhere alike. Knows nothing of what they are of."""

from collections.abc import Sequence
from datetime import UTC, datetime


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 file`, `2 files`; with a plural of its own `2 people`."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def counted_people(number: int) -> str:
    """`1 person`, `2 people`."""
    return counted(number, "person", "people")


def shortened(names: Sequence[str], most: int) -> str:
    """The first of several names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def day(moment: datetime) -> str:
    """The day of an aware moment, UTC: `2026-11-27`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def minute(moment: datetime) -> str:
    """An aware moment to the minute: `2026-11-27 14:05 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def second(moment: datetime) -> str:
    """An aware moment to the second, as RFC 3339 writes it: `2026-11-27T14:05:09Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
