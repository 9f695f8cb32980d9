"""The text of a comment: its marker, which nobody sees, and its length."""

import pytest
from markdown_it import MarkdownIt

from reconciler.hosts import body

MARKER = "[reconciler-comment]: # (plan)"


def test_a_comment_begins_with_a_marker_that_is_rendered_as_nothing() -> None:
    made = body.made("plan", "## 2 people change\n\nSee [the run](https://ci.example/1).\n", 1000)
    assert made.text == f"{MARKER}\n\n## 2 people change\n\nSee [the run](https://ci.example/1)."
    assert MarkdownIt().render(made.text) == (
        '<h2>2 people change</h2>\n<p>See <a href="https://ci.example/1">the run</a>.</p>\n'
    )


@pytest.mark.parametrize(
    "text", ["```\nnever closed", "<details>\n\nnever closed", "    indented", "- list", "| a |\n|-|"]
)
def test_no_text_makes_the_marker_visible(text: str) -> None:
    assert "reconciler-comment" not in MarkdownIt("gfm-like", {"linkify": False}).render(
        body.made("a.b-c_1", text, 1000).text
    )


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        (f"{MARKER}\n\ntext", True),
        (f"{MARKER}\r\n\r\ntext", True),
        (f"\n{MARKER} \n\ntext", True),
        (MARKER, True),
        (f"> {MARKER}\n\nno, I quote it", False),
        (f"look at this: {MARKER}", False),
        (f"text\n\n{MARKER}", False),
        ("[reconciler-comment]: # (plan2)\n\ntext", False),
        ("", False),
    ],
)
def test_a_comment_is_known_by_its_first_line_alone(text: str, marked: bool) -> None:
    assert body.is_marked(text, "plan") is marked


def test_the_room_for_markers_is_enough_for_the_longest_name() -> None:
    name = "n" * 40
    assert body.NAME.fullmatch(name)
    assert not body.NAME.fullmatch(name + "n")
    assert body.made(name, "x" * (1000 - body.ROOM), 1000).cut == ""


def test_what_is_too_long_is_cut_between_lines_and_says_so_first() -> None:
    lines = [f"person{number:04}@acme.example gains" for number in range(1000)]
    made = body.made("plan", "\n".join(lines), 10_000)
    marker, _, notice, _, *kept = made.text.split("\n")
    assert marker == MARKER
    assert notice == (
        f"> **Cut short:** these are the first {len(kept)} of 1,000 lines, for a comment here "
        "can't be longer than 10,000 characters. The whole is in the file that it was made of."
    )
    assert kept == lines[: len(kept)]
    assert 10_000 - 250 < len(made.text) <= 10_000
    assert made.cut == f"these are the first {len(kept)} of 1,000 lines"


def test_a_line_that_is_too_long_alone_is_cut_within() -> None:
    made = body.made("plan", "\U0001f600" * 2000, 1000)
    assert len(made.text) <= 1000
    assert made.cut == "these are the first 718 of 2,000 characters"


def test_no_line_is_a_command_to_the_host_or_to_a_bot() -> None:
    made = body.made("plan", "/approve\r\n\r/ no\nno /close\n  /x\n/Merge", 1000)
    assert made.text == f"{MARKER}\n\n\\/approve\n\n/ no\nno /close\n  /x\n\\/Merge"
    assert "<p>/approve</p>\n" in MarkdownIt().render(made.text)


def test_line_ends_and_blank_lines_around_make_no_difference() -> None:
    assert body.same("a\r\n\r\nb\r\n", "a\n\nb")
    assert not body.same("a\nb", "a\n b")
