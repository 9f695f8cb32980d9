"""Sending a request until its result stands: what is tried again, after how long, and when to stop.

Who a server is and what its answers mean, its client knows.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime

from reconciler.http.patience import Patience, asked_wait
from reconciler.http.transport import Broken, Reply, Request, Transport
from reconciler.http.words import status_words

AskedWait = Callable[[Mapping[str, str], datetime], float | None]
"""The seconds that the headers of an answer ask to wait, by the time of day; None: they don't say."""

_log = logging.getLogger(__name__)


class Sender:
    """Requests to one server, each sent until its result stands. Safe to use from several threads.

    `hide` takes secrets out of text that is told; `asked` reads how long a server asks to wait, which is
    heeded under the statuses `limited`: with these, the server says that it did nothing.
    """

    def __init__(
        self,
        transport: Transport,
        patience: Patience,
        hide: Callable[[str], str],
        asked: AskedWait = asked_wait,
        limited: Collection[int] = (429, 503),
    ) -> None:
        self.transport = transport
        self.patience = patience
        self._hide = hide
        self._asked = asked
        self._limited = limited

    def insist(
        self, request: Request, url: str = "", again: Callable[[], bool] = lambda: True
    ) -> Reply | Broken:
        """Send a request until its result stands, time is up, or `again` objects to sending it once more.

        `url` is where it goes if not to its path; it must be of the server's origin (`Transport.led`).
        """
        url = url or self.transport.url(request.path, request.params)
        patience = self.patience
        deadline = patience.clock() + patience.budget
        tried = 0
        while True:
            tried += 1
            started = patience.clock()
            result = self.transport.send(request, url, deadline)
            self._tell(request, result, tried, patience.clock() - started)
            wait = self._wait(request, result, tried)
            if wait is None:
                return result
            if patience.clock() + wait > deadline:
                return self._out_of_time(result, wait)
            _log.debug("waiting %.1f s before try %d", wait, tried + 1)
            patience.sleep(wait)
            if not again():
                return result

    def cause(self, broken: Broken) -> Exception | None:
        """What broke a connection, unless it quotes a secret."""
        return broken.cause if self._hide(str(broken.cause)) == str(broken.cause) else None

    def _wait(self, request: Request, result: Reply | Broken, tried: int) -> float | None:
        """The seconds before the same request may be sent again; None where this result stands.

        A write is repeated only where the server said that it did not do it, or never received it.
        """
        safe = request.method == "GET" or request.repeatable
        again = tried < self.patience.tries
        backoff = self.patience.backoff(tried - 1)
        if isinstance(result, Broken):
            return backoff if again and not result.lasting and (safe or not result.sent) else None
        asked = self._asked(result.headers, self.patience.now())
        if result.status in self._limited and asked is not None:
            return max(asked, backoff)
        if again and (result.status == 429 or (safe and result.status in (408, 500, 502, 503, 504))):
            return backoff
        return None

    def _out_of_time(self, result: Reply | Broken, wait: float) -> Reply | Broken:
        words = (
            f"waiting another {wait:.0f} s would exceed the {self.patience.budget:.0f} s a request may take"
        )
        if isinstance(result, Broken):
            return replace(result, words=f"{result.words}; {words}")
        return replace(result, note=words)

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

    def close(self) -> None:
        self.transport.close()
