"""Where requests of several threads wait for their turn, by the pace of one server. Sends nothing.

Whoever comes first waits for the moment; the others wait for them, and none of them burns time.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.http import waiting
from reconciler.http.limits import Quota
from reconciler.http.pace import Going, Pace
from reconciler.http.patience import Patience


@dataclass(frozen=True, slots=True)
class Leave:
    """A request may go, and be under way until a moment."""

    going: Going
    deadline: float


@dataclass(frozen=True, slots=True)
class Barred:
    """A request can't go in its time, and why."""

    words: str


class Gate:
    """The way to one server. Each `Leave` that it gives must be given back, by one of the other methods."""

    def __init__(self, patience: Patience, tell: Callable[[str], None]) -> None:
        """`tell` is given words whenever the pace changes."""
        self._patience = patience
        self._pace = Pace(tell)
        self._turn = threading.Lock()
        self._back = threading.Condition()
        """Of the pace, and that a request came back."""

    def pass_through(self, deadline: float) -> Leave | Barred:
        """Wait until a request may go.

        Time is not taken from it as long as others were let through, for then it was we who held it back.
        Where nobody was, its time goes on: so whoever waits for a server that takes nothing gives up.
        """
        came = self._patience.clock()
        with self._turn:
            while True:
                if waiting.in_vain():
                    return Barred("nobody waits for it any more")
                passed = self._try(came, deadline)
                if not isinstance(passed, float):
                    return passed
                self._patience.sleep(passed)

    def _try(self, came: float, deadline: float) -> Leave | Barred | float:
        """Leave to go, or the seconds until there may be."""
        with self._back:
            while True:
                now = self._patience.clock()
                wait = self._pace.wait(now)
                if wait is not None:
                    break
                if not self._back.wait(self._patience.budget):  # one was interrupted, and lost count of
                    return Barred("what was sent before does not come back")
            then = now + wait
            deadline += max(0.0, min(then, self._pace.well_until) - came)
            if wait and then > deadline:
                return Barred(self._patience.exceeded(wait))
            return wait or Leave(self._pace.go(now), deadline)

    def moved_since(self, moment: float) -> bool:
        """Whether the server has let anything through since then."""
        return self._pace.well_until > moment

    def came_through(self, leave: Leave, quota: Quota | None) -> None:
        """The server took the request, and perhaps said how many more it will take."""
        if quota is not None and quota.seconds > self._patience.budget:
            quota = None  # too long to wait for it: rather ask, and be refused
        with self._back:
            self._pace.came_through(leave.going, self._patience.clock(), quota)
            self._back.notify()

    def refused(self, leave: Leave, asked: float | None) -> None:
        """The server had too many, and perhaps asked to wait some seconds."""
        with self._back:
            self._pace.refused(leave.going, self._patience.clock(), asked)
            self._back.notify()

    def came_to_nothing(self, leave: Leave) -> None:
        """What became of the request tells nothing of limits."""
        with self._back:
            self._pace.came_to_nothing()
            self._back.notify()
