"""Several requests under way at once, their results in the order in which they were asked for."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from reconciler.http import waiting

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2
"""How many results, in times of what may be under way, may be waiting for an earlier one."""


def abreast(work: Callable[[T], R], items: Iterable[T], at_once: int) -> Iterator[R]:
    """The results of some work for each item, in their order; at most `at_once` of it is under way.

    What the work for an item raises is raised in its place. Nothing more is begun then, nor once nobody wants
    further results; what is under way is waited for, but waits no longer itself, nor sends anything again.
    """
    if at_once == 1:
        yield from map(work, items)
        return
    under_way: deque[Future[R]] = deque()
    unwanted = Event()
    pool = ThreadPoolExecutor(at_once, initializer=waiting.unless(unwanted))
    try:
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) >= AHEAD * at_once:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        unwanted.set()
        pool.shutdown(cancel_futures=True)
