"""What a code host makes of Markdown: a parse by GitHub's rules for tables, and what its filters look for."""

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

LIVE = re.compile(
    r"""[@\#$&!~^*_<>\[\]`|\\{}]"""  # mentions, references, math, labels, markup
    r"""|[^\W\d][./:]\w|://|:\w+:|\b[0-9a-f]{7,40}\b|[^\W\d]-\d""",  # addresses, emoji, commits, GH-1
    re.VERBOSE,
)
"""What some host gives a meaning in the text of a finished page, however it was escaped."""


@dataclass(frozen=True, slots=True)
class Page:
    """A document as it is shown: texts outside of code, code, where links lead, what HTML there is."""

    texts: tuple[str, ...]
    codes: tuple[str, ...]
    links: tuple[str, ...]
    html: tuple[str, ...]
    others: frozenset[str]
    """Kinds of inline markup beside these."""


def page(markdown: str) -> Page:
    tokens = GITHUB.parse(markdown)
    inline = [child for token in tokens for child in token.children or ()]
    html = [token.content for token in (*tokens, *inline) if token.type in ("html_block", "html_inline")]
    known = {"text", "code_inline", "link_open", "link_close", "softbreak", "strong_open", "strong_close"}
    return Page(
        tuple(text for token in tokens for text in _merged(token.children or [])),
        tuple(child.content for child in inline if child.type == "code_inline"),
        tuple(str(child.attrGet("href")) for child in inline if child.type == "link_open"),
        tuple(html),
        frozenset(child.type for child in inline) - known,
    )


def cells(markdown: str) -> list[list[str]]:
    """The texts of each row of the tables in a document, code and text together."""
    rows: list[list[str]] = []
    inside = False
    for token in GITHUB.parse(markdown):
        if token.type == "tr_open":
            rows.append([])
        if token.type in ("td_open", "th_open", "td_close", "th_close"):
            inside = token.type.endswith("open")
        if inside and token.type == "inline":
            rows[-1].append("".join(child.content for child in token.children or ()))
    return rows


def _merged(tokens: list[Token]) -> list[str]:
    """Texts of a block that stand next to each other as one: hosts see them so."""
    texts = [""]
    for token in tokens:
        if token.type == "text":
            texts[-1] += token.content
        elif texts[-1]:
            texts.append("")
    return [text for text in texts if text]
