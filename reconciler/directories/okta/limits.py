"""How long Okta asks to wait, by the headers that it tells its limits in. Pure.

https://developer.okta.com/docs/reference/rl-best-practices/: a window ends at `X-Rate-Limit-Reset`, in
seconds since 1970 by the server's clock. Okta sends no Retry-After; a proxy in front of it may.
"""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from reconciler.http.patience import asked_wait

LEEWAY = 1.0
"""Seconds, for both clocks show whole seconds only."""


def asked(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds until there may be a next request; None where the headers set no time.

    Where the limit itself is 0 there were too many requests at once, and the reset says nothing of when there
    will be fewer.
    """
    if (said := asked_wait(headers, now)) is not None:
        return said
    limit, remaining, reset = (_number(headers, name) for name in ("limit", "remaining", "reset"))
    if not limit or remaining != 0 or reset is None:
        return None
    return max(0.0, reset - server_time(headers, now).timestamp()) + LEEWAY


def server_time(headers: Mapping[str, str], now: datetime) -> datetime:
    """The moment of an answer by the server's clock, or by ours where it does not tell, aware."""
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, IndexError, OverflowError):
        return now
    return date if date.tzinfo else now


def _number(headers: Mapping[str, str], name: str) -> int | None:
    """A header of whole numbers; the greatest where a proxy has put several together."""
    words = headers.get(f"x-rate-limit-{name}", "").replace(",", " ").split()
    return max((int(word[:18]) for word in words if word.isascii() and word.isdigit()), default=None)
