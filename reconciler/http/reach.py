"""How servers are reached: over sockets and by the clocks of the system, unless a test says otherwise."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.http.patience import Patience

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Reach:
    """What a client sends with and waits by, None for what is usual; and the time of day that a run goes by.

    The seam of the command line's tests.
    """

    transport: "httpx.BaseTransport | None" = None
    patience: Patience | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def waiting(self) -> Patience:
        """How long a request is insisted on, by the same time of day unless a test says otherwise."""
        return self.patience or Patience(now=self.now)
