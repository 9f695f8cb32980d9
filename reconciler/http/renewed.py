"""A token that ends: asked for again in time, and by one thread however many are waiting for it.

Who gives it, and what it is worth, its `grant` knows.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.errors import ReadError
from reconciler.settings.token import Token

FORMER = 4
"""So many tokens that are of use no more are kept: what was sent with them may yet be answered."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A token, and until which moment (of a monotonic clock) it may be used."""

    token: Token
    until: float


class Renewed:
    """The token that is good now. Safe to use from several threads."""

    def __init__(self, grant: Callable[[], Granted], clock: Callable[[], float]) -> None:
        """`grant` raises ReadError where there is none to be had."""
        self._grant = grant
        self._clock = clock
        self._lock = threading.Lock()
        self._granted: Granted | None = None
        self._asked = 0
        """How often one was asked for, with or without success."""
        self._failure: ReadError | None = None
        """Why the last time brought none."""
        self._known: tuple[Token, ...] = ()

    def token(self) -> Token:
        """Raises ReadError, also where another thread has asked in vain meanwhile, lest all of them ask."""
        asked = self._asked
        with self._lock:
            if self._failure is not None and self._asked != asked:
                raise self._failure
            if self._granted is None or self._clock() >= self._granted.until:
                self._granted = self._new()
            return self._granted.token

    def drop(self, token: Token) -> None:
        """One that was refused; another that has taken its place by now stays."""
        with self._lock:
            if self._granted is not None and self._granted.token == token:
                self._granted = None

    def known(self) -> tuple[Token, ...]:
        """All that may still be in an answer."""
        return self._known

    def _new(self) -> Granted:
        try:
            granted = self._grant()
        except ReadError as error:
            self._failure = error
            raise
        finally:
            self._asked += 1
        self._failure = None
        self._known = (*self._known[-FORMER:], granted.token)
        return granted
