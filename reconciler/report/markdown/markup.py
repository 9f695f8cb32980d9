"""Words from elsewhere made harmless in the Markdown of code hosts. Lays nothing out.

Hosts do more than CommonMark: what looks like `@name`, `#1`, `$x$`, `:tada:`, an address or an e-mail is
found in the finished text, however it was escaped, and people are notified. They all leave code alone. So
whatever is not plainly a word is shown as code, and code never holds what could end it, or its cell.
"""

import re
from collections.abc import Iterable
from typing import assert_never

from reconciler.problem import Location
from reconciler.report.markdown.dialect import Link
from reconciler.report.people import Name, Place, Words
from reconciler.report.plain import printable

LONGEST_NAME = 100
LONGEST_TEXT = 600
"""So many characters of a name or of a sentence are shown."""

MOST_PIECES = 16
"""So many pieces of a reason are shown: several grants may have ended for somebody."""

_ENDS_CODE = re.compile(r"[`|]|\\$|^ | $|(?<= ) ")
"""What no code in a table may hold as it is on every host, and blanks that nobody would see."""

_PLAIN = re.compile(
    r"""[("']*(?!\b[0-9a-f]{7,40}\b)"""  # a commit to some hosts
    r"""([^\W\d_]+(?:['-][^\W\d_]+)*|\d{1,4}|\d{4}-\d\d-\d\d|\d\d:\d\d|%)?[)"',.;:?…]*"""
)
"""A word, a number, a date or a time, in punctuation that no host takes for anything."""

_IN_URL = re.compile(r"[A-Za-z0-9\-._~:/?#@!$&+,;=%]")


def span(text: str, longest: int = LONGEST_NAME) -> str:
    r"""Text as code. A backtick in it is written `\x60`, and so on, as for all that nobody could see."""
    if not text:
        return "(empty)"
    return f"`{_ENDS_CODE.sub(_escaped, _shortened(printable(text), longest))}`"


def prose(text: str) -> str:
    """A sentence: its words as they are, as code what is no word and what is in backticks already."""
    pieces = _shortened(printable(text), LONGEST_TEXT).split("`")
    if len(pieces) % 2 == 0:  # the last backtick has no partner
        pieces[-2:] = ["`".join(pieces[-2:])]
    return joined(
        _code(piece) if index % 2 else _sentence(piece) for index, piece in enumerate(pieces) if piece
    )


def reason(words: Words, link: Link) -> str:
    """A reason: names as code, places as links; of very many pieces the first."""
    more = (" …",) if len(words) > MOST_PIECES else ()
    return joined([*(_piece(piece, link) for piece in words[:MOST_PIECES]), *more])


def place(at: Location, link: Link) -> str:
    """A line of policy: a link with the file's name, or where there is none the whole path."""
    url, line = link(at), f":{at.line}" if at.line else ""
    if not url.startswith(("https://", "http://")):
        return span(f"{at.file}{line}")
    return f"[{span(at.file.rpartition('/')[2] + line)}]({_quoted(url)})"


def row(cells: Iterable[str]) -> str:
    """One row of a table."""
    return f"| {' | '.join(cells)} |"


def joined(pieces: Iterable[str]) -> str:
    """Pieces one after the other; two of code are kept apart, for their backticks would become one sign."""
    result = ""
    for piece in pieces:
        result += f" {piece}" if result.endswith("`") and piece.startswith("`") else piece
    return result


def _piece(piece: str | Name | Place, link: Link) -> str:
    match piece:
        case str():
            return prose(piece)
        case Name():
            return span(piece.text)
        case Place():
            return place(piece.at, link)
        case _ as never:
            assert_never(never)


def _sentence(text: str) -> str:
    return joined(word if word.isspace() or _PLAIN.fullmatch(word) else _code(word) for word in _split(text))


def _code(text: str) -> str:
    """A piece of a sentence as code, whole: it is the sentence that was shortened."""
    return span(text, len(text))


def _split(text: str) -> list[str]:
    """Words and the blanks between them; what surrounds a word that will be code stays outside."""
    pieces = []
    for part in re.split(r"( +)", text):
        word = part.lstrip("(")
        end = word if "(" in word else word.rstrip("),;:.")
        pieces += [part[: len(part) - len(word)], end, word[len(end) :]]
    return [piece for piece in pieces if piece]


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def _escaped(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}"


def _quoted(url: str) -> str:
    return "".join(
        char
        if _IN_URL.fullmatch(char)
        else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))
        for char in url
    )
