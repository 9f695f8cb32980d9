"""Sleeping that ends early where nobody wants what comes after it any more."""

import threading
import time
from collections.abc import Callable

_of_this_thread = threading.local()


def unless(unwanted: threading.Event) -> Callable[[], None]:
    """What a thread that works for others calls first: once the event is set, it sleeps no more."""

    def heed() -> None:
        _of_this_thread.unwanted = unwanted

    return heed


def sleep(seconds: float) -> None:
    """Sleep, but no longer than what this thread does is wanted."""
    unwanted: threading.Event | None = getattr(_of_this_thread, "unwanted", None)
    if unwanted is None:
        time.sleep(seconds)
    else:
        unwanted.wait(seconds)


def in_vain() -> bool:
    """Whether nobody wants what this thread does any more."""
    unwanted: threading.Event | None = getattr(_of_this_thread, "unwanted", None)
    return unwanted is not None and unwanted.is_set()
