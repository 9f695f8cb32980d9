"""Work done several at a time: its order, its bounds, and how it ends."""

from collections.abc import Callable
from threading import Barrier, Lock

import pytest

from reconciler.http.abreast import AHEAD, abreast

TOGETHER = 4
SECONDS = 10.0
"""Nobody waits so long for others unless they never come."""


def test_results_come_in_the_order_of_the_items_whichever_is_ready_first() -> None:
    pairs = [Barrier(2, timeout=SECONDS) for _ in range(20)]

    def work(item: int) -> int:
        pairs[item // 2].wait()  # so that nobody is always the first
        return item * item

    assert list(abreast(work, range(40), TOGETHER)) == [item * item for item in range(40)]


def test_so_many_are_under_way_at_once_and_no_more() -> None:
    under_way, most = 0, 0
    lock, together = Lock(), Barrier(TOGETHER, timeout=SECONDS)

    def work(_: int) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        together.wait()
        with lock:
            under_way -= 1

    assert len(list(abreast(work, range(5 * TOGETHER), TOGETHER))) == 5 * TOGETHER
    assert most == TOGETHER


@pytest.mark.parametrize("at_once", [1, TOGETHER])
def test_what_goes_wrong_is_raised_in_its_place_and_ends_the_rest(at_once: int) -> None:
    begun, taken = set[int](), list[int]()
    with pytest.raises(ZeroDivisionError):
        taken.extend(abreast(noting(begun, lambda item: 10 // (3 - item)), range(100), at_once))
    assert taken == [3, 5, 10]
    assert max(begun) <= 3 + AHEAD * at_once


def test_nothing_is_begun_far_ahead_of_who_takes_the_results() -> None:
    begun = set[int]()
    results = abreast(noting(begun, lambda item: item), range(100), TOGETHER)
    assert next(results) == 0
    results.close()
    assert max(begun) < AHEAD * TOGETHER


def noting(begun: set[int], work: Callable[[int], int]) -> Callable[[int], int]:
    """The same work, which notes what it is begun for."""

    def noted(item: int) -> int:
        begun.add(item)
        return work(item)

    return noted
