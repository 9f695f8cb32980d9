"""The text of a comment: with the marker by which it is found again, and no longer than it may be. Pure.

The marker is a link reference definition that nothing refers to. All three hosts keep it and show nothing of
it; an HTML comment would be shown by Bitbucket Cloud, which escapes HTML. It is the first line, where nothing
in the file can come before it and swallow it, such as a fence of code that is never closed.
"""

import re
from dataclasses import dataclass

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
"""What a comment may be called."""

ROOM = len("[reconciler-comment]: # ()\n\n") + 40
"""The characters that the marker takes at most."""

_NOTICE_ROOM = 250
# What GitLab, and bots elsewhere, take for a command of whoever comments.
_COMMAND = re.compile(r"^/(?=[a-z])", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Body:
    """What is written into a comment."""

    text: str
    cut: str = ""
    """How much of the file it holds, in words, where that is not all."""


def made(name: str, text: str, limit: int) -> Body:
    """The comment of this name with this text, of `limit` characters at most."""
    start = f"{_marker(name)}\n\n"
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    inert = _COMMAND.sub(r"\\/", lines)
    if len(start) + len(inert) <= limit:
        return Body(start + inert)
    beginning, how_much = _beginning(inert, limit - len(start) - _NOTICE_ROOM)
    notice = (
        f"> **Cut short:** {how_much}, for a comment here can't be longer than {limit:,} characters. "
        "The whole is in the file that it was made of."
    )
    return Body(f"{start}{notice}\n\n{beginning}", how_much)


def is_marked(text: str, name: str) -> bool:
    """Whether a comment is the one of this name, by its first line."""
    return text.lstrip().partition("\n")[0].rstrip() == _marker(name)


def same(one: str, other: str) -> bool:
    """Whether two texts differ in nothing but line ends and blank lines around, which hosts change."""
    return _plain(one) == _plain(other)


def _marker(name: str) -> str:
    return f"[reconciler-comment]: # ({name})"


def _beginning(text: str, room: int) -> tuple[str, str]:
    """As many whole lines as there is room for, or a part of the first; and how much that is, in words."""
    cut = text.rfind("\n", 0, room + 1)
    if cut <= 0:
        return text[:room], f"these are the first {room:,} of {len(text):,} characters"
    kept, lines = text[:cut].count("\n") + 1, text.count("\n") + 1
    return text[:cut], f"these are the first {kept:,} of {lines:,} lines"


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
