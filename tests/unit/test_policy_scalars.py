"""Plain scalars: what has one value everywhere, and what must be put in quotes."""

import pytest

from reconciler.policy.scalars import Unclear, read_plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("7", 7),
        ("-20", -20),
        ("123456789012345", 123456789012345),
    ],
)
def test_a_scalar_that_all_yaml_readers_agree_about_has_its_value(text: str, value: object) -> None:
    read = read_plain(text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    "text",
    [
        "eng-web",
        "nobody",
        "yes-men",
        "2026-11-27",
        "2026-11-20T09:00:00Z",
        "5d1f0a4e-7c1b",
        "1.2.3",
        "10.0.0.1",
        "v1",
        "dana@acme.example",
        "-",
        "e3",
        "tRUE",
        "nULL",
        "==",
        ".",
        "_1",
        "Überflieger 🚀",
    ],
)
def test_other_plain_text_is_text(text: str) -> None:
    assert read_plain(text) == text


@pytest.mark.parametrize(
    ("taken_for", "texts"),
    [
        ("a truth value", "y Y yes Yes YES n N no No NO on On ON off Off OFF True TRUE False FALSE"),
        ("nothing", "Null NULL"),
        ("a number", "012 00 08 -0 +5 1_000 0x1f 0o17 0b101 1:30 190:20:30 1:30.5 1.0 1. .5 1e3 1.5e-3"),
        ("a number", ".inf -.Inf +.INF .nan .NaN 1234567890123456"),
        ("an instruction to merge", "<<"),
        ("a default value", "="),
    ],
)
def test_what_some_yaml_reader_takes_for_something_else_is_unclear(taken_for: str, texts: str) -> None:
    for text in texts.split():
        assert read_plain(text) == Unclear(text, taken_for)
