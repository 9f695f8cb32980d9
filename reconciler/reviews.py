"""Which entries of a policy somebody has to look at again, by their marks and how long one holds. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import assert_never

from reconciler.policy.document import (
    Binding,
    Organization,
    Review,
    Reviewable,
    ServiceAccount,
    TemporaryGrant,
)

_AHEAD = timedelta(days=2)
"""The present day ends no later than this anywhere on earth."""

_LAST = datetime.max.replace(tzinfo=UTC)


class Standing(StrEnum):
    """How it stands with the review of an entry."""

    UNASKED = "not asked for"
    """The organization asks for none, or the entry has a date of its own that comes first."""
    GOOD = "reviewed"
    DUE_SOON = "due soon"
    OVERDUE = "overdue"
    MISSING = "never reviewed"
    AHEAD = "dated ahead"
    """Its mark is of a day that is yet to come, so that it says nothing."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """How it stands with the review of one entry, and by when it is due, aware; None where it is not."""

    standing: Standing
    mark: Review | None
    due: datetime | None


def of(entry: Reviewable, organization: Organization, now: datetime) -> Reviewed:
    """How it stands with an entry at the moment `now` (aware).

    A temporary grant ends by itself, and a service account says when it is looked at again: where that is
    within the days that a review holds, nothing else is asked for.
    """
    mark, longest = entry.reviewed, organization.longest_review
    if mark is not None and mark.date - now > _AHEAD:
        return Reviewed(Standing.AHEAD, mark, _own(entry))
    if longest is None:
        return Reviewed(Standing.GOOD if mark else Standing.UNASKED, mark, _own(entry))
    own = _own(entry)
    if own is not None and own <= _later(now, longest):
        return Reviewed(Standing.GOOD if mark else Standing.UNASKED, mark, own)
    if mark is None:
        return Reviewed(Standing.MISSING, None, None)
    due = _later(mark.date, longest)
    return Reviewed(_by(due, organization, now), mark, due if own is None else min(own, due))


def _by(due: datetime, organization: Organization, now: datetime) -> Standing:
    if now > due:
        return Standing.OVERDUE
    return Standing.DUE_SOON if due <= _later(now, organization.notice.ending) else Standing.GOOD


def _own(entry: Reviewable) -> datetime | None:
    """The date that an entry has of its own."""
    match entry:
        case Binding():
            return None
        case TemporaryGrant():
            return entry.expires
        case ServiceAccount():
            return entry.review
        case _ as never:
            assert_never(never)


def _later(moment: datetime, days: int) -> datetime:
    try:
        return moment + timedelta(days=days)
    except OverflowError:
        return _LAST
