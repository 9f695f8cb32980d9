"""Sending a request until its result stands: what is tried again, after how long, and when to stop.

Who a server is and what its answers mean, its client knows.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import replace

from reconciler.http import waiting
from reconciler.http.gate import Barred, Gate, Leave
from reconciler.http.limits import asked_wait, quota, retry_after
from reconciler.http.patience import Patience
from reconciler.http.transport import Broken, Reply, Request, Transport
from reconciler.http.words import status_words

_log = logging.getLogger(__name__)


class Sender:
    """Requests to one server, each sent until its result stands. Safe to use from several threads.

    They share one pace, which the server's refusals set. `hide` takes secrets out of text that is told. Under
    the statuses `limited` a server that asks to wait says that it did nothing.
    """

    def __init__(
        self,
        transport: Transport,
        patience: Patience,
        hide: Callable[[str], str],
        limited: Collection[int] = (429, 503),
    ) -> None:
        self.transport = transport
        self.patience = patience
        self._hide = hide
        self._limited = limited
        self._gate = Gate(patience, self._tell_pace)

    def insist(
        self, request: Request, url: str = "", again: Callable[[], bool] = lambda: True
    ) -> Reply | Broken:
        """Send a request until its result stands, time is up, or `again` objects to sending it once more.

        `url` is where it goes if not to its path; it must be of the server's origin (`Transport.led`).
        """
        url = url or self.transport.url(request.path, request.params)
        patience = self.patience
        seen = patience.clock()
        deadline = seen + patience.budget
        result: Reply | Broken | None = None
        tried = failures = 0
        while True:
            leave = self._gate.pass_through(deadline)
            if isinstance(leave, Barred):
                return _ended(result, leave.words)
            deadline = leave.deadline
            tried += 1
            result = self._sent(request, url, leave, tried)
            # Refused while others were not, it was unlucky: that is no failure.
            failures += not (self._refused(result) and self._gate.moved_since(seen))
            seen = patience.clock()
            wait = self._wait(request, result, tried, failures)
            if wait is None:
                return result
            if seen + wait > deadline:
                return _ended(result, patience.exceeded(wait))
            _log.debug("waiting %.1f s before try %d", wait, tried + 1)
            patience.sleep(wait)
            if waiting.in_vain() or not again():
                return result

    def cause(self, broken: Broken) -> Exception | None:
        """What broke a connection, unless it quotes a secret."""
        return broken.cause if self._hide(str(broken.cause)) == str(broken.cause) else None

    def _sent(self, request: Request, url: str, leave: Leave, tried: int) -> Reply | Broken:
        """What came of one try, which is told to the pace, and to the log."""
        started = self.patience.clock()
        try:
            result = self.transport.send(request, url, leave.deadline)
        except BaseException:
            self._gate.came_to_nothing(leave)
            raise
        self._tell(request, result, tried, self.patience.clock() - started)
        if isinstance(result, Broken) or (result.status >= 500 and not self._refused(result)):
            self._gate.came_to_nothing(leave)
        elif self._refused(result):
            self._gate.refused(leave, self._asked(result))
        else:
            self._gate.came_through(leave, quota(result.headers, self.patience.now()))
        return result

    def _refused(self, result: Reply | Broken) -> bool:
        """Whether the server did nothing, for too much is asked of it."""
        return isinstance(result, Reply) and (result.status == 429 or self._asked(result) is not None)

    def _asked(self, reply: Reply) -> float | None:
        """The seconds that the server asks to wait, if it does: what is left of a quota explains no 5xx."""
        if reply.status not in self._limited:
            return None
        asks = asked_wait if reply.status < 500 else retry_after
        return asks(reply.headers, self.patience.now())

    def _wait(self, request: Request, result: Reply | Broken, tried: int, failures: int) -> float | None:
        """The seconds before the same request may be sent again; None where this result stands.

        A write is repeated only where the server said that it did not do it, or never received it.
        """
        backoff = self.patience.backoff(tried - 1)
        safe = request.method == "GET" or request.repeatable
        if isinstance(result, Broken):
            again = not result.lasting and (safe or not result.sent)
        elif (asked := self._asked(result)) is not None:
            return max(asked, backoff)
        else:
            again = result.status == 429 or (safe and result.status in (408, 500, 502, 503, 504))
        return backoff if again and failures < self.patience.tries else None

    def _tell(self, request: Request, result: Reply | Broken, tried: int, seconds: float) -> None:
        """Note a try for `--debug`: of the query the names alone, for its values are people's."""
        if not _log.isEnabledFor(logging.DEBUG):
            return
        names = "&".join(name for name, _ in request.params)
        where = f"{request.path}?{names}" if names else request.path
        came = (
            self._hide(result.words)
            if isinstance(result, Broken)
            else f"{status_words(result.status)}, {len(result.body)} bytes"
        )
        again = f", try {tried}" if tried > 1 else ""
        _log.debug("%s %s: %s, %d ms%s", request.method, self._hide(where), came, seconds * 1000, again)

    def _tell_pace(self, words: str) -> None:
        _log.debug("%s limits requests: %s from now on", self.transport.server, words)

    def close(self) -> None:
        self.transport.close()


def _ended(result: Reply | Broken | None, words: str) -> Reply | Broken:
    """What a request comes to that is not sent once more, and why."""
    match result:
        case None:
            return Broken(f"it was not sent: {words}", sent=False, lasting=True)
        case Broken():
            return replace(result, words=f"{result.words}; {words}")
        case Reply():
            return replace(result, note=words)
