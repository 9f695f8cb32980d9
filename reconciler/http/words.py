"""What a server said, made fit for a message: one line, printable, short. Pure."""

from http import HTTPStatus
from urllib.parse import urlsplit

LIMIT = 200


def printable(text: str, limit: int = LIMIT) -> str:
    """One line of at most `limit` characters; whatever could move a cursor or break a line is escaped."""
    line = " ".join(text[: limit * 4].split())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def quoted(text: str, limit: int = LIMIT) -> str:
    """The same between quotation marks."""
    return f"'{printable(text, limit)}'"


def host(url: object) -> str:
    """The host of a URL, raw and without the rest of it; words where it names none."""
    try:
        found = urlsplit(url).hostname if isinstance(url, str) else None
    except ValueError:
        found = None
    return found or "a place that it does not name"


def status_words(status: int) -> str:
    """`404 Not Found`, or the number alone where nobody has named it."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
