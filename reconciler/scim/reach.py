"""How servers are reached: over sockets and by the clocks of the system, unless a test says otherwise."""

from dataclasses import dataclass

import httpx

from reconciler.scim.patience import Patience


@dataclass(frozen=True, slots=True)
class Reach:
    """What a client sends with and waits by; None for what is usual. The seam of the command line's tests."""

    transport: httpx.BaseTransport | None = None
    patience: Patience | None = None
