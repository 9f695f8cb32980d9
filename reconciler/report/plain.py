"""Text that came from elsewhere, made safe to show on a terminal. Formats nothing."""


def printable(text: str) -> str:
    r"""The text in one line, with whatever nobody could see or a terminal would obey written as an escape.

    That is control characters (line breaks, too), terminal escapes, changes of writing direction,
    odd blanks and lone surrogates: `\n`, `\x1b`, `\u202e`.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
