"""How many values are asked for together."""

import pytest

from reconciler.http import filters


@pytest.mark.parametrize(
    ("values", "most", "longest", "together"),
    [
        ([], 3, 10, []),
        (["a"], 3, 10, [["a"]]),
        (["a", "b", "c", "d"], 3, 10, [["a", "b", "c"], ["d"]]),
        (["a", "b", "c", "d"], 9, 4, [["a", "b"], ["c", "d"]]),
        (["a", "a long one", "b"], 9, 4, [["a"], ["a long one"], ["b"]]),
        (["%", "b"], 9, 4, [["%"], ["b"]]),
        (["a", "b"], 1, 10, [["a"], ["b"]]),
    ],
    ids=["nothing", "one", "so many", "so long", "too long by itself", "as a URL writes it", "one at a time"],
)
def test_values_are_gathered_as_they_fit(
    values: list[str], most: int, longest: int, together: list[list[str]]
) -> None:
    assert list(filters.gathered(values, lambda value: f"-{value}", most, longest)) == together
