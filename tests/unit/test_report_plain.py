"""Text that is safe to show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.report.plain import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("eng-web Überflieger 🚀 \\", "eng-web Überflieger 🚀 \\"),
        ("a\x1b[31mred\x07", r"a\x1b[31mred\x07"),
        ("two\nlines\r\t", r"two\nlines\r\t"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\u200b\u2028\xa0\x9b", r"a\u200b\u2028\xa0\x9b"),
        ("\udcff", r"\udcff"),
    ],
    ids=[
        "plain text",
        "terminal escapes",
        "line breaks",
        "writing direction",
        "odd blanks",
        "lone surrogates",
    ],
)
def test_what_nobody_could_see_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_the_result_is_printable_in_utf8(text: str) -> None:
    assert printable(text).isprintable()
    printable(text).encode()
