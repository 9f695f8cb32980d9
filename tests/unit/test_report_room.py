"""What of a document is shown where there is not room for all of it."""

import pytest

from reconciler.report.markdown.room import Block, Part, Written, cut, fitted, size

ROWS = tuple(f"- row {index}" for index in range(6))


def part(rows: tuple[str, ...] = ROWS, *, title: str = "### Rows", open: int = 2, rank: int = 0) -> Part:
    return Part(title, rows, lambda index: f"{len(rows) - index} more", open=open, rank=rank)


FOLDED = """\
### Rows

- row 0
- row 1

<details><summary>4 more</summary>

- row 2
- row 3
- row 4
- row 5

</details>"""


def test_the_tail_is_folded_where_that_works() -> None:
    assert fitted([part()], 1000, folds=True) == FOLDED


def test_the_tail_is_counted_where_nothing_folds() -> None:
    assert fitted([part()], 1000, folds=False) == "### Rows\n\n- row 0\n- row 1\n\nLeft out here: 4 more."


def test_nothing_is_folded_or_counted_where_few_rows_are() -> None:
    assert fitted([part(ROWS[:2])], 1000, folds=True) == "### Rows\n\n- row 0\n- row 1"


@pytest.mark.parametrize("limit", range(32, len(FOLDED) + 1))
def test_as_many_rows_as_fit_are_shown_and_the_others_counted(limit: int) -> None:
    shown = fitted([part()], limit, folds=True)
    assert shown is not None
    assert len(shown) <= limit
    rows = shown.count("- row")
    assert (f"Left out here: {6 - rows} more." in shown) is (rows < 6)


def test_what_must_be_said_is_said_whole_or_nothing_is() -> None:
    blocks: list[Block] = ["x" * 60, part(), "y" * 20]
    least = "\n\n".join(["x" * 60, "### Rows\n\nLeft out here: 6 more.", "y" * 20])
    assert fitted(blocks, len(least), folds=True) == least
    assert fitted(blocks, len(least) - 1, folds=True) is None


def test_every_part_has_a_little_room_and_the_first_rank_takes_the_rest() -> None:
    rows = tuple(f"- {'x' * 20} {index}" for index in range(20))
    shown = fitted([part(rows, title="late", rank=1), part(rows, title="soon")], 400, folds=False)
    assert shown is not None
    late, _, soon = shown.partition("soon")
    assert (late.count("- x"), soon.count("- x")) == (2, 2)
    shown = fitted(
        [part(rows, title="late", rank=1, open=20), part(rows, title="soon", open=20)], 400, folds=False
    )
    assert shown is not None
    late, _, soon = shown.partition("soon")
    assert late == f"late\n\n{rows[0]}\n\nLeft out here: 19 more.\n\n"
    assert soon.count("- x") == 12


def test_parts_of_one_rank_share_the_room_and_what_one_does_not_need_goes_to_the_next() -> None:
    rows = tuple(f"- {'x' * 20} {index}" for index in range(20))
    shown = fitted([part(rows, title="a", open=20), part(rows, title="b", open=20)], 400, folds=False)
    assert shown is not None
    assert [text.count("- x") for text in shown.split("\n\nb\n\n")] == [6, 7]
    shown = fitted([part(ROWS[:1], title="a"), part(rows, title="b", open=20)], 400, folds=False)
    assert shown is not None
    assert [text.count("- ") for text in shown.split("\n\nb\n\n")] == [1, 14]


@pytest.mark.parametrize("text", ["", "abc", "Zoë", "𝔘", "日本"])
def test_no_text_is_smaller_than_a_host_would_count_it(text: str) -> None:
    assert size(text) >= max(len(text), len(text.encode("utf-16-le")) // 2)


def test_a_cut_leaves_whole_characters() -> None:
    assert [cut("aë𝔘", limit) for limit in (-1, 0, 1, 2, 3, 6, 7)] == ["", "", "a", "a", "aë", "aë", "aë𝔘"]


def test_rows_are_written_when_they_are_asked_for_and_once() -> None:
    asked: list[int] = []

    def write(index: int) -> str:
        asked.append(index)
        return str(index)

    rows = Written(5, write)
    assert (len(rows), rows[1], rows[-1], rows[1:3], rows[1]) == (5, "1", "4", ["1", "2"], "1")
    assert asked == [1, 4, 2]
    with pytest.raises(IndexError):
        rows[5]
