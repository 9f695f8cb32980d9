"""How long to wait before trying a request again, and when to stop. Decides; sends nothing."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Patience:
    """The time that one request may take with all its repetitions, in seconds, and the clocks it goes by.

    `tries` bounds repetitions after failures; waiting because a server asked for it is bounded by
    `budget` alone. `clock` is monotonic, `now` the time of day, `random` gives a number in [0, 1).
    """

    budget: float = 120.0
    tries: int = 5
    first: float = 0.5
    longest: float = 20.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def backoff(self, tried: int) -> float:
        """Exponential with full jitter: anything up to a bound that doubles with every try."""
        bound: float = min(self.longest, self.first * 2 ** min(tried, 16))
        return bound * self.random()


def asked_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that `Retry-After` asks for (RFC 9110 section 10.2.3); None where it says nothing usable.

    A date is measured against the server's own `Date`, so that a clock that is off does no harm.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = date(text)
    if until is None:
        return None
    return max(0.0, (until - (date(headers.get("date", "")) or now)).total_seconds())


def date(text: str) -> datetime | None:
    """The moment that a header tells (RFC 9110 section 5.6.7), aware; None where it tells none."""
    from email.utils import parsedate_to_datetime  # with half of a mail reader

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
