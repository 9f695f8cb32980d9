"""Several requests under way at once, their results in the order in which they were asked for."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

from reconciler.http import waiting

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2
"""How many results, in times of what may be under way, may be waiting for an earlier one."""


def abreast(work: Callable[[T], R], items: Iterable[T], at_once: int) -> Generator[R]:
    """The results of some work for each item, in their order; at most `at_once` of it is under way.

    What the work for an item raises is raised in its place. Nothing more is begun then, nor once nobody wants
    further results (close it); what is under way sends nothing again then, and is waited for, unless the
    program is interrupted. So this is for reading: what is under way may be left alone.
    """
    if at_once == 1:
        yield from map(work, items)
        return
    from concurrent.futures import Future  # only here is it needed

    tasks: SimpleQueue[tuple[Future[R], T] | None] = SimpleQueue()
    under_way: deque[Future[R]] = deque()
    crew: list[Thread] = []
    unwanted = Event()
    waits = True
    try:
        for item in items:
            under_way.append(Future())
            tasks.put((under_way[-1], item))
            if len(crew) < at_once:
                # A thread of the background, for the program can end while one is waiting for a server.
                crew.append(Thread(target=_do, args=(work, tasks, unwanted), daemon=True))
                crew[-1].start()
            if len(under_way) >= AHEAD * at_once:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    except KeyboardInterrupt:
        waits = False
        raise
    except GeneratorExit as end:  # in the middle of what the taker of the results has come to
        waits = not isinstance(end.__context__, KeyboardInterrupt)
        raise
    finally:
        unwanted.set()
        for future in under_way:
            future.cancel()
        for _ in crew:
            tasks.put(None)
        for thread in crew if waits else ():
            thread.join()


def _do(work: Callable[[T], R], tasks: "SimpleQueue[tuple[Future[R], T] | None]", unwanted: Event) -> None:
    """Do one task after another, until there is none; what is `unwanted` waits no longer."""
    waiting.unless(unwanted)()
    while (task := tasks.get()) is not None:
        future, item = task
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(work(item))
            except BaseException as error:  # for who takes the results
                future.set_exception(error)
