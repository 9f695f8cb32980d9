"""Being asked to stop while a server is written to: noted, so that the account of it can still be given."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C, and what a pipeline sends to a job that is cancelled."""


@contextmanager
def noted(*, spared: int = 0) -> Iterator[Callable[[], bool]]:
    """Each signal that asks to stop raises KeyboardInterrupt; what is yielded tells whether any arrived.

    The first ones, so many as are `spared`, raise nothing: whoever asks whether any arrived stops by itself.
    A signal that is ignored, as in the background of a shell, stays so. Only the main thread hears of any.
    """
    arrived: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        arrived.append(number)
        if len(arrived) > spared:
            raise KeyboardInterrupt

    stopping = _STOPPING if current_thread() is main_thread() else ()
    heeded = [number for number in stopping if signal.getsignal(number) is not signal.SIG_IGN]
    former = {number: signal.signal(number, note) for number in heeded}
    try:
        yield lambda: bool(arrived)
    finally:
        for number, disposition in former.items():
            signal.signal(number, disposition)
