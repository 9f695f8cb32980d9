"""Marks of reviews: how it stands with each entry at the edges of its days, and what is pointed out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from build import NOW, at, binding, grant, live, membership, organization, policy, principal, service_account

from reconciler import desired, reviews
from reconciler.finding import Finding, Kind
from reconciler.model import Member, Membership
from reconciler.policy.document import Review, Reviewable
from reconciler.reviews import Reviewed, Standing

DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
ACME = replace(organization(), longest_review=90)
PEOPLE = live({}, principal("ann"), principal("ada"), principal("bot"))
FAR = NOW + 1000 * DAY
REMEDY = "look at it, then say so: `reviewed: {date: DAY, by: USERNAME}`"


def mark(date: datetime = NOW, by: str = "ada", line: int = 1) -> Review:
    return Review(date, f"{by}@acme.example", at(line))


def marked(entry: Reviewable, date: datetime = NOW, by: str = "ada", line: int = 1) -> Reviewable:
    return replace(entry, reviewed=mark(date, by, line))


def stands(entry: Reviewable, longest: int | None = 90, now: datetime = NOW) -> Standing:
    return reviews.of(entry, replace(ACME, longest_review=longest), now).standing


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (-2 * DAY - MOMENT, Standing.AHEAD),
        (-2 * DAY, Standing.GOOD),
        (timedelta(0), Standing.GOOD),
        (83 * DAY - MOMENT, Standing.GOOD),
        (83 * DAY, Standing.DUE_SOON),
        (90 * DAY, Standing.DUE_SOON),
        (90 * DAY + MOMENT, Standing.OVERDUE),
    ],
    ids=["yet to come", "today somewhere", "now", "fresh", "a week before", "the last moment", "too old"],
)
def test_a_review_of_a_binding_holds_for_the_days_that_the_organization_says(
    age: timedelta, expected: Standing
) -> None:
    entry = marked(binding(), NOW - age)
    due = None if expected is Standing.AHEAD else NOW - age + 90 * DAY
    assert reviews.of(entry, ACME, NOW) == Reviewed(expected, entry.reviewed, due)


def test_a_binding_without_a_mark_was_never_reviewed() -> None:
    assert reviews.of(binding(), ACME, NOW) == Reviewed(Standing.MISSING, None, None)


def test_where_the_organization_asks_for_no_reviews_no_age_is_too_old() -> None:
    assert stands(binding(), None) is Standing.UNASKED
    assert stands(marked(binding(), NOW - 9999 * DAY), None) is Standing.GOOD
    assert stands(marked(binding(), FAR), None) is Standing.AHEAD


@pytest.mark.parametrize("entry", [grant(expires=FAR), service_account(review=FAR)], ids=["grant", "account"])
def test_an_entry_with_an_own_date_that_comes_first_needs_no_other_review(entry: Reviewable) -> None:
    soon = FAR - 90 * DAY
    assert stands(entry, now=soon) is Standing.UNASKED
    assert stands(entry, now=soon - MOMENT) is Standing.MISSING
    assert stands(marked(entry, NOW), now=soon) is Standing.GOOD
    assert stands(marked(entry, NOW), now=soon - MOMENT) is Standing.OVERDUE


def test_what_is_due_is_the_earlier_of_both_dates() -> None:
    assert reviews.of(marked(service_account(review=FAR)), ACME, NOW).due == NOW + 90 * DAY
    assert reviews.of(marked(service_account(review=NOW + DAY)), ACME, NOW).due == NOW + DAY


def test_the_end_of_the_calendar_is_no_obstacle() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert reviews.of(marked(binding(), last), ACME, last) == Reviewed(Standing.DUE_SOON, mark(last), last)


# What is pointed out


def found(*entries: Reviewable, groups: Membership = membership(), longest: int | None = 90) -> list[Finding]:  # noqa: B008
    of = replace(ACME, longest_review=longest)
    told = desired.expand(policy(*entries, of=of), groups, PEOPLE, NOW).findings
    return [one for one in told if one.kind is Kind.REVIEW]


def test_each_file_is_pointed_out_once_for_each_way_that_its_entries_stand() -> None:
    old, older = NOW - 91 * DAY, NOW - 99 * DAY
    entries = [
        *(binding(f"new-{line}", web="viewer", line=line) for line in (1, 2, 3)),
        marked(binding("old", web="viewer", line=4), old),
        marked(binding("older", web="viewer", line=5), older),
        marked(binding("soon", web="viewer", line=6), NOW - 85 * DAY),
        marked(binding("ahead", web="viewer", line=7), FAR),
        marked(binding("fresh", web="viewer", line=8)),
        grant("ann", "admin", expires=NOW + 89 * DAY, line=9),
        service_account("bot", "viewer", owner="ann", review=FAR),
    ]
    overdue = "has 2 entries that should have been reviewed again by 2026-11-14 12:00 UTC"
    expected = [
        Finding(
            Kind.REVIEW,
            "bots.yaml",
            "has an entry that nobody is said to have reviewed",
            REMEDY,
            at(file="bots.yaml"),
        ),
        Finding(
            Kind.REVIEW, "team.yaml", "has 3 entries that nobody is said to have reviewed", REMEDY, at(1)
        ),
        Finding(Kind.REVIEW, "team.yaml", overdue, REMEDY, at(4), older + 90 * DAY),
        Finding(
            Kind.REVIEW,
            "team.yaml",
            "has an entry to be reviewed again by 2026-11-28 12:00 UTC",
            REMEDY,
            at(6),
        ),
        Finding(
            Kind.REVIEW, "team.yaml", "has an entry with a review of a day that is yet to come", REMEDY, at(7)
        ),
    ]
    groups = membership()
    assert found(*entries, groups=groups) == expected
    assert found(*entries[::-1], groups=groups) == expected, "whatever the order"


def test_nothing_is_pointed_out_where_the_organization_asks_for_no_reviews() -> None:
    assert found(binding("eng"), marked(binding("ops"), NOW - 9999 * DAY, "nobody"), longest=None) == []


def test_a_reviewer_whom_nobody_knows_is_pointed_out_once_while_the_review_counts() -> None:
    entries = [
        marked(binding("eng", line=line), NOW - days * DAY, "Gone", line)
        for line, days in ((1, 91), (3, 1), (2, 2))
    ]
    told = Finding(
        Kind.REVIEW,
        "Gone@acme.example",
        "is named as a reviewer, and is nobody on the server",
        "correct the userName, or let somebody else review what they did",
        at(2),
    )
    assert told in found(*entries)
    assert len(found(*entries)) == 2, "the other is of the one that is overdue"
    listed = Membership((), people=frozenset([Member(user_name="gone@ACME.example")]))
    assert len(found(*entries, groups=listed)) == 1
    others = Membership((), people=frozenset([Member(user_name="x")]))
    [_, one] = found(*entries, groups=others)
    assert one.message == "is named as a reviewer, and is nobody on the server and nobody in the directory"


def test_findings_about_reviews_leave_the_desired_state_as_it_is() -> None:
    with_marks, without = (policy(*entries, of=ACME) for entries in ([marked(binding())], [binding()]))
    one, other = (desired.expand(each, membership(), PEOPLE, NOW) for each in (with_marks, without))
    assert replace(one, findings=()) == replace(other, findings=())
