"""Dates and times as policies write them: RFC 3339 with a zone, or a plain date. Pure; knows no clock."""

import re
from datetime import UTC, date, datetime, time

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SHAPE = re.compile(
    r"""(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})
    ( (?P<between>[Tt ]+) (?P<clock>[0-9]{2}:[0-9]{2}) (?P<seconds>:[0-9]{2}([.][0-9]+)?)?
      [ ]*(?P<zone>\S*) )?""",
    re.VERBOSE,
)
_ZONE = re.compile(r"Z|[+-][0-9]{2}:[0-9]{2}")

_REMEDY = "write a date such as 2026-11-27, or a time with its zone such as 2026-11-20T09:00:00Z"


def begin(text: str) -> datetime:
    """The first moment that a date or time means, in UTC. Raises ValueError."""
    if _DATE.fullmatch(text):
        return datetime.combine(date.fromisoformat(text), time.min, UTC)
    return _instant(text)


def end(text: str) -> datetime:
    """The last moment that a date or time means, in UTC: a date lasts all day. Raises ValueError."""
    if _DATE.fullmatch(text):
        return datetime.combine(date.fromisoformat(text), time.max, UTC)
    return _instant(text)


def exists(text: str) -> bool:
    """Whether the calendar and the clock have such a date or time."""
    try:
        begin(text)
    except ValueError:
        return False
    return True


def fault(text: str) -> tuple[str, str]:
    """What is wrong with text that is no time of a policy, in words to follow the text; and a remedy."""
    found = _SHAPE.fullmatch(text)
    if not found:
        return "is not a date or a time", _REMEDY
    if not exists(found["day"]):
        return "is on a day that no calendar has", _REMEDY
    clock = f"{found['day']}T{found['clock']}{found['seconds'] or ':00'}"
    if not found["zone"]:
        return "has no zone", f"write {clock}Z for UTC, or with an offset such as {clock}+02:00"
    if not _ZONE.fullmatch(found["zone"]):
        return "has a zone that is neither Z nor an offset", f"write {clock}Z or such as {clock}+02:00"
    if found["between"] != "T" or not found["seconds"] or not exists(f"{clock}{found['zone']}"):
        return _unlike_rfc3339(found["between"], clock + found["zone"])
    return "is more exact than a microsecond", "write at most six digits of a second"


def _unlike_rfc3339(between: str, written: str) -> tuple[str, str]:
    if not exists(written):
        return "is a time that no clock shows", _REMEDY
    return ("has no T in the middle" if between != "T" else "has no seconds"), f"write {written}"


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the time has no zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the time is out of range") from error
