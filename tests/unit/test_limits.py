"""What headers tell of limits: when to come again, and what is left."""

from datetime import UTC, datetime

import pytest

from reconciler.http import limits
from reconciler.http.limits import Quota

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


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"ratelimit-limit": "50", "ratelimit-remaining": "7", "ratelimit-reset": "30"}, Quota(7, 30.0)),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "30"}, Quota(7, 30.0)),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": str(EPOCH + 30), "date": DATE}, Quota(7, 31.0)),
        (headers(600, 7, EPOCH + 30, date=DATE), Quota(7, 31.0)),
        ({"ratelimit": '"default";r=7;t=30'}, Quota(7, 30.0)),
        ({"ratelimit": '"day";r=900;t=80000, "minute"; r=7; t=30'}, Quota(7, 30.0)),
        ({"ratelimit": "limit=50, remaining=7, reset=30"}, Quota(7, 30.0)),
        (
            {
                "ratelimit-remaining": "9",
                "ratelimit-reset": "5",
                "x-ratelimit-remaining": "7",
                "x-ratelimit-reset": "30",
            },
            Quota(7, 30.0),
        ),
        ({"ratelimit-remaining": "7"}, None),
        ({"ratelimit-remaining": "-1", "ratelimit-reset": "30"}, None),
        ({"ratelimit-remaining": "0.5", "ratelimit-reset": "30"}, None),
        ({"ratelimit": '"default";q=7'}, None),
        ({"ratelimit": "=;" * 5000}, None),
        (headers(0, 0, EPOCH + 30, date=DATE), None),
        ({}, None),
    ],
    ids=[
        "draft 7 of the IETF",
        "seconds from now",
        "a moment",
        "Okta",
        "draft 10 of the IETF",
        "several policies",
        "draft 8 of the IETF",
        "the strictest of two",
        "no end",
        "less than nothing",
        "no whole number",
        "another parameter",
        "nonsense",
        "too many at once",
        "nothing said",
    ],
)
def test_what_is_left_is_read_as_each_server_tells_it(given: dict[str, str], left: Quota | None) -> None:
    assert limits.quota(given, NOW) == left
