"""How long Okta's headers ask to wait."""

from datetime import UTC, datetime

import pytest

from reconciler.http import limits

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
DATE = "Fri, 20 Nov 2026 12:00:00 GMT"


def headers(limit: object, remaining: object, reset: object, **others: str) -> dict[str, str]:
    names = {"limit": limit, "remaining": remaining, "reset": reset}
    return {**{f"x-rate-limit-{name}": str(value) for name, value in names.items()}, **others}


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        (headers(600, 0, EPOCH + 30, date=DATE), 31.0),
        (headers(600, 0, EPOCH + 30), 31.0),
        (headers(600, 0, EPOCH + 30, date="nonsense"), 31.0),
        (headers(600, 0, EPOCH + 30, date="Fri, 20 Nov 2026 11:00:00 GMT"), 3631.0),
        (headers(600, 0, EPOCH - 5, date=DATE), 1.0),
        (headers(600, 1, EPOCH + 30, date=DATE), None),
        (headers(0, 0, EPOCH + 30, date=DATE), None),
        (headers("600, 600", "0, 0", f"{EPOCH + 10}, {EPOCH + 30}", date=DATE), 31.0),
        (headers(600, 0, "soon", date=DATE), None),
        (headers(600, 0, -1, date=DATE), None),
        (headers(600, 0, EPOCH + 30, **{"retry-after": "7"}), 7.0),
        ({}, None),
    ],
    ids=[
        "until the reset",
        "by our clock where the server tells none",
        "or tells nonsense",
        "by the server's clock where they differ",
        "a reset that is past",
        "something is left",
        "too many at once",
        "put together by a proxy",
        "a reset that is no time",
        "before time began",
        "a proxy's own word",
        "nothing said",
    ],
)
def test_a_window_is_waited_for_and_nothing_else(given: dict[str, str], wait: float | None) -> None:
    assert limits.asked_wait(given, NOW) == wait
