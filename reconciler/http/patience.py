"""How long to wait before trying a request again, and when to stop. Decides; sends nothing."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.http import waiting


@dataclass(frozen=True, slots=True)
class Patience:
    """The time that one request may take with all its repetitions, in seconds, and the clocks it goes by.

    `tries` bounds repetitions after failures; waiting because a server asked for it, or took others first, is
    bounded by `budget` alone. `clock` is monotonic, `now` the time of day; `random` is below 1.
    """

    budget: float = 120.0
    tries: int = 5
    first: float = 0.5
    longest: float = 20.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = waiting.sleep
    random: Callable[[], float] = random.random
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def backoff(self, tried: int) -> float:
        """Exponential with full jitter: anything up to a bound that doubles with every try."""
        bound: float = min(self.longest, self.first * 2 ** min(tried, 16))
        return bound * self.random()

    def exceeded(self, wait: float) -> str:
        """Why not to wait so many seconds."""
        return f"waiting another {wait:.0f} s would exceed the {self.budget:.0f} s a request may take"
