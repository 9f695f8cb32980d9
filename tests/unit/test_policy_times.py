"""Dates and times of policies."""

from datetime import UTC, datetime

import pytest

from reconciler.policy import times


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        (
            "2026-11-27",
            datetime(2026, 11, 27, tzinfo=UTC),
            datetime(2026, 11, 27, 23, 59, 59, 999999, tzinfo=UTC),
        ),
        (
            "2026-11-20T09:00:00Z",
            datetime(2026, 11, 20, 9, tzinfo=UTC),
            datetime(2026, 11, 20, 9, tzinfo=UTC),
        ),
        (
            "2026-11-20T01:30:00.25+02:00",
            datetime(2026, 11, 19, 23, 30, 0, 250000, tzinfo=UTC),
            datetime(2026, 11, 19, 23, 30, 0, 250000, tzinfo=UTC),
        ),
    ],
    ids=["a date lasts all day", "a time is one moment", "an offset is turned into UTC"],
)
def test_a_date_or_time_has_a_first_and_a_last_moment(text: str, begin: datetime, end: datetime) -> None:
    assert (times.begin(text), times.end(text)) == (begin, end)


@pytest.mark.parametrize(
    "text",
    ["2026-02-29", "2026-13-01", "0000-01-01", "2026-11-20T24:00:01Z", "0001-01-01T00:00:00+23:59", "soon"],
)
def test_what_no_calendar_has_does_not_exist(text: str) -> None:
    assert not times.exists(text)


def test_a_leap_day_exists() -> None:
    assert times.exists("2028-02-29")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("2026-11-20T09:00:00", "has no zone"),
        ("2026-11-20T09:00", "has no zone"),
        ("2026-11-20T09:00Z", "has no seconds"),
        ("2026-11-20 09:00:00Z", "has no T in the middle"),
        ("2026-11-20T09:00:00CET", "has a zone that is neither Z nor an offset"),
        ("2026-11-20T09:00:60Z", "is a time that no clock shows"),
        ("2026-11-20T09:00:00+24:00", "is a time that no clock shows"),
        ("2026-11-31", "is on a day that no calendar has"),
        ("2026-11-20T09:00:00.1234567Z", "is more exact than a microsecond"),
        ("20-11-2026", "is not a date or a time"),
        ("", "is not a date or a time"),
    ],
)
def test_what_is_wrong_with_a_time_is_told(text: str, fault: str) -> None:
    assert times.fault(text)[0] == fault


def test_the_remedy_keeps_what_is_right() -> None:
    assert times.fault("2026-11-20T09:00")[1] == (
        "write 2026-11-20T09:00:00Z for UTC, or with an offset such as 2026-11-20T09:00:00+02:00"
    )
