"""Sending a request until its result stands: what is tried again, after how long, and when to stop.

Who a server is and what its answers mean, its client knows.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from reconciler.http import waiting
from reconciler.http.gate import Barred, Gate, Leave
from reconciler.http.limits import asked_wait, quota
from reconciler.http.patience import Patience
from reconciler.http.transport import Broken, Reply, Request, Transport
from reconciler.http.words import status_words

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Too much was asked of the server; it may have asked to wait so many seconds."""

    asked: float | None


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
        deadline = patience.clock() + patience.budget
        result: Reply | Broken | None = None
        tried = failures = 0
        while True:
            leave = self._gate.pass_through(deadline)
            if isinstance(leave, Barred):
                return _ended(result, leave.words)
            deadline = leave.deadline
            started = patience.clock()
            tried += 1
            result = self._sent(request, url, leave)
            self._tell(request, result, tried, patience.clock() - started)
            refusal = self._refusal(result)
            failures += refusal is None
            wait = self._wait(request, result, refusal, tried, failures)
            if wait is None:
                return result
            if patience.clock() + wait > deadline:
                return _ended(result, patience.exceeded(wait))
            _log.debug("waiting %.1f s before try %d", wait, tried + 1)
            patience.sleep(wait)
            if waiting.in_vain() or not again():
                return result

    def cause(self, broken: Broken) -> Exception | None:
        """What broke a connection, unless it quotes a secret."""
        return broken.cause if self._hide(str(broken.cause)) == str(broken.cause) else None

    def _sent(self, request: Request, url: str, leave: Leave) -> Reply | Broken:
        """What came of one try, which the pace is told."""
        try:
            result = self.transport.send(request, url, leave.deadline)
        except BaseException:
            self._gate.came_to_nothing(leave)
            raise
        if refusal := self._refusal(result):
            self._gate.refused(leave, refusal.asked)
        elif isinstance(result, Reply) and result.status < 500:
            self._gate.came_through(leave, quota(result.headers, self.patience.now()))
        else:
            self._gate.came_to_nothing(leave)
        return result

    def _refusal(self, result: Reply | Broken) -> _Refusal | None:
        """Whether a request was not done because the server is asked too much."""
        if isinstance(result, Broken) or result.status not in {429, *self._limited}:
            return None
        asked = asked_wait(result.headers, self.patience.now()) if result.status in self._limited else None
        return _Refusal(asked) if asked is not None or result.status == 429 else None

    def _wait(
        self,
        request: Request,
        result: Reply | Broken,
        refusal: _Refusal | None,
        tried: int,
        failures: int,
    ) -> float | None:
        """The seconds before the same request may be sent again; None where this result stands.

        A write is repeated only where the server said that it did not do it, or never received it.
        """
        backoff = self.patience.backoff(tried - 1)
        if refusal:
            return max(refusal.asked or 0.0, backoff)
        safe = request.method == "GET" or request.repeatable
        if isinstance(result, Broken):
            again = not result.lasting and (safe or not result.sent)
        else:
            again = safe and result.status in (408, 500, 502, 503, 504)
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
