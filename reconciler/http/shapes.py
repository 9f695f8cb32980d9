"""Values in JSON answers, checked: what makes no sense is a ReadError, never a guess. Pure.

`said` is how a message about a value begins, such as `the server answered user 'ada' whose mail`.
"""

from collections.abc import Iterator
from datetime import datetime

from reconciler.errors import ReadError
from reconciler.http.words import quoted


def is_text(value: str) -> bool:
    """Whether it can be written at all: JSON may escape halves of characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def needed(value: object, said: str, hint: str = "") -> str:
    """A text that must not be empty. Raises ReadError."""
    if not isinstance(value, str) or not value or not is_text(value):
        raise ReadError(f"{said} is {shown(value)}", hint)
    return value


def text(value: object, said: str) -> str | None:
    """The one text of an attribute; None where it is null or empty. Raises ReadError."""
    found = list(texts(value, said))
    if len(found) > 1:
        raise ReadError(f"{said} is a list of {len(found)}")
    return found[0] if found else None


def texts(value: object, said: str) -> Iterator[str]:
    """An attribute as text, each entry of it where it is a list; nothing where it is null or empty.

    Raises ReadError.
    """
    for entry in value if isinstance(value, list) else [value]:
        match entry:
            case None | "":
                continue
            case bool():
                yield str(entry).lower()
            case int() | float():
                yield str(entry)
            case str() if is_text(entry):
                yield entry
            case _:
                raise ReadError(f"{said} is {shown(entry)}")


def optional_moment(value: object, said: str) -> datetime | None:
    """A time, aware; None where it is null. Raises ReadError for anything else."""
    found = moment(value)
    if value is not None and found is None:
        raise ReadError(f"{said} is {shown(value)}")
    return found


def moment(value: object) -> datetime | None:
    """A time in the format of RFC 3339, aware; None where it is none."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else None


def shown(value: object) -> str:
    """What a value is, for a message that begins with `whose ... is`."""
    match value:
        case None:
            return "missing"
        case str():
            return f"the text {quoted(value, 60)}"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
        case _:
            return "a JSON object"
