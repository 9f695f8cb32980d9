"""What a server tells of its limits in the headers of an answer: when to come again, and what is left. Pure.

`Retry-After` (RFC 9110 section 10.2.3), `RateLimit` and `RateLimit-*` as the drafts of the IETF had them by
and by (draft-ietf-httpapi-ratelimit-headers), and what vendors made of it: `X-RateLimit-*`, `X-Rate-Limit-*`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

LEEWAY = 1.0
"""Seconds, for where a moment is told, both clocks show whole seconds only."""

_MOMENT = 100_000_000
"""From here on a reset is no number of seconds from now, but since 1970: so Okta and GitHub have it."""

_FAMILIES = ("ratelimit-", "x-ratelimit-", "x-rate-limit-")
_REMAINING = re.compile(r"(?:^|[;\s])(?:r|remaining)\s*=\s*(\d{1,18})(?:[;\s]|$)", re.ASCII)
_RESET = re.compile(r"(?:^|[;\s])(?:t|reset)\s*=\s*(\d{1,18})(?:[;\s]|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Quota:
    """How many more requests a server will take, before it takes more again in so many seconds."""

    remaining: int
    seconds: float


def asked_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that a refusal asks to wait; None where it says nothing usable.

    Where there is no `Retry-After`, a quota of which nothing is left is waited for.
    """
    if (said := retry_after(headers, now)) is not None:
        return said
    left = quota(headers, now)
    return left.seconds if left and left.remaining == 0 else None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that `Retry-After` asks to wait; None where it says nothing usable.

    A date is measured against the server's own `Date`, so that a clock that is off does no harm.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = date(text)
    return None if until is None else max(0.0, (until - server_time(headers, now)).total_seconds())


def quota(headers: Mapping[str, str], now: datetime) -> Quota | None:
    """What is left, by the strictest of what the headers say; None where they say nothing usable."""
    return min(_quotas(headers, now), key=lambda one: (one.remaining, -one.seconds), default=None)


def date(text: str) -> datetime | None:
    """The moment that a header tells (RFC 9110 section 5.6.7), aware; None where it tells none."""
    from email.utils import parsedate_to_datetime  # with half of a mail reader

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def server_time(headers: Mapping[str, str], now: datetime) -> datetime:
    """The moment of an answer by the server's clock, or by ours where it does not tell, aware."""
    return date(headers.get("date", "")) or now


def _quotas(headers: Mapping[str, str], now: datetime) -> Iterator[Quota]:
    for family in _FAMILIES:
        remaining = headers.get(f"{family}remaining")
        if remaining is None:
            continue
        left, reset = _number(remaining), _number(headers.get(f"{family}reset", ""))
        # A limit of 0 is Okta's way to say that there were too many at once: its reset says nothing.
        if left is not None and reset is not None and _number(headers.get(f"{family}limit", "")) != 0:
            yield Quota(left, _seconds(reset, headers, now))
    if combined := headers.get("ratelimit"):
        # Either a list of policies ("hour";r=9;t=30, …), or one policy as a list (remaining=9, reset=30).
        members = combined.split(",") if ";" in combined else [combined.replace(",", " ")]
        for member in members:
            remains, resets = _REMAINING.search(member), _RESET.search(member)
            if remains and resets:
                yield Quota(int(remains[1]), _seconds(int(resets[1]), headers, now))


def _seconds(reset: int, headers: Mapping[str, str], now: datetime) -> float:
    if reset < _MOMENT:
        return float(reset)
    return max(0.0, reset - server_time(headers, now).timestamp()) + LEEWAY


def _number(text: str) -> int | None:
    """A header of whole numbers; the greatest where a proxy has put several together."""
    words = text.replace(",", " ").split()
    return max((int(word[:18]) for word in words if word.isascii() and word.isdigit()), default=None)
