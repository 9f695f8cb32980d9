"""What of a policy is pointed out, and when: each finding at its edges, whole."""

from datetime import UTC, datetime, timedelta

import pytest
from build import (
    END,
    NOW,
    Entry,
    at,
    binding,
    grant,
    group,
    holds,
    live,
    membership,
    organization,
    person,
    person_class,
    policy,
    principal,
    service_account,
)

from reconciler import desired
from reconciler.finding import Finding, Kind
from reconciler.model import LiveState, Member, Membership
from reconciler.policy.document import Guardrails, Notice, PersonClass

DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
PEOPLE = live({"ann": holds("viewer"), "bot": holds()}, principal("cid"))
NO_GROUPS = membership()
TEAM, PEOPLE_FILE, BOTS = at(), at(1, "people.yaml"), at(1, "bots.yaml")
LATER = NOW + 300 * DAY


def found(
    *written: Entry | PersonClass,
    groups: Membership = NO_GROUPS,
    live: LiveState = PEOPLE,
    now: datetime = NOW,
    notice: Notice = Notice(ending=7, ended=90),  # noqa: B008
    protected: tuple[str, ...] = (),
) -> tuple[Finding, ...]:
    of = organization(notice=notice, guardrails=Guardrails(protected=protected))
    return desired.expand(policy(*written, of=of), groups, live, now).findings


# Temporary grants

ENDING = Finding(
    Kind.GRANT,
    "ann@acme.example",
    "has a temporary grant until 2026-11-27 23:59 UTC, INC-1",
    "write another `expires:` if it is needed for longer",
    TEAM,
)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (END - 7 * DAY - MOMENT, ()),
        (END - 7 * DAY, (ENDING,)),
        (END, (ENDING,)),
        (END + MOMENT, ()),
        (END + 90 * DAY, ()),
    ],
    ids=["before the week", "from a week before", "to its last moment", "not once it is over", "nor then"],
)
def test_a_temporary_grant_is_pointed_out_before_it_ends(
    now: datetime, expected: tuple[Finding, ...]
) -> None:
    assert found(grant("ann", "admin"), now=now) == expected


def test_a_temporary_grant_that_has_not_begun_is_not_pointed_out() -> None:
    assert found(grant("ann", "admin", starts=NOW + MOMENT)) == ()
    assert found(grant("ann", "admin", starts=NOW)) == (ENDING,)


def test_a_temporary_grant_that_ended_long_ago_is_pointed_out_for_deletion() -> None:
    assert found(grant("gone", "admin"), now=END + 90 * DAY + MOMENT) == (
        Finding(
            Kind.GRANT,
            "gone@acme.example",
            "had a temporary grant until 2026-11-27 23:59 UTC",
            "delete it from the policy",
            TEAM,
        ),
    )


def test_when_something_is_pointed_out_is_the_policys_to_say() -> None:
    assert found(grant("ann", "admin"), now=END - DAY, notice=Notice(0, 0)) == ()
    (one,) = found(grant("ann", "admin"), now=END + DAY, notice=Notice(0, 0))
    assert one.message == "had a temporary grant until 2026-11-27 23:59 UTC"
    assert len(found(grant("ann", "admin"), notice=Notice(10**30, 10**30))) == 1, "however long"


# Ends of people's time


@pytest.mark.parametrize(
    ("classes", "words"),
    [((), "has access"), (("contractor",), "is contractor")],
    ids=["nobody's", "a class's"],
)
def test_an_end_that_comes_soon_is_pointed_out(classes: tuple[str, ...], words: str) -> None:
    assert found(person_class(), person("ann", *classes, ends=END)) == (
        Finding(
            Kind.CLASS,
            "ann@acme.example",
            f"{words} until 2026-11-27 23:59 UTC, and loses every role then",
            "write another `ends:` if it is for longer",
            PEOPLE_FILE,
        ),
    )


def test_an_end_that_the_directory_tells_is_pointed_out_with_the_class() -> None:
    member = Member("u-cid", attributes=(("contractEnd", "2026-11-27"),))
    groups = membership(group("contractors", member), group("eng", "cid"))
    one = person_class(groups=["contractors"], end="contractEnd")
    assert found(one, binding("eng", web="viewer"), groups=groups) == (
        Finding(
            Kind.CLASS,
            "cid@acme.example",
            "is contractor until 2026-11-27 23:59 UTC, and loses every role then",
            "have the directory say so if it is for longer",
            at(50, "organization.yaml"),
        ),
    )
    assert found(one, groups=groups) == (), "who has nothing and is given nothing loses nothing"


def test_nobody_who_is_protected_or_not_active_is_pointed_out() -> None:
    inactive = live({"ann": holds("viewer")}, principal("ann", active=False))
    assert found(person("ann", ends=END), live=inactive) == ()
    assert found(person("ann", ends=END), protected=("ann@acme.example",)) == ()


def test_an_entry_that_ended_long_ago_is_pointed_out_for_deletion() -> None:
    assert found(person("gone", ends=NOW - 90 * DAY)) == ()
    assert found(person("gone", ends=NOW - 91 * DAY)) == (
        Finding(
            Kind.CLASS,
            "gone@acme.example",
            "has an entry that ended 2026-08-24 12:00 UTC",
            "delete it from the policy",
            PEOPLE_FILE,
        ),
    )
    for name in "ann", "cid":
        (one,) = found(person(name, ends=NOW - 91 * DAY))
        assert (one.subject, one.remedy) == (f"{name}@acme.example", "delete it from the policy")


def test_an_entry_is_not_deleted_while_its_person_is_in_a_group_that_would_give_roles_again() -> None:
    (one,) = found(
        person("ann", ends=NOW - 91 * DAY),
        binding("ops", web="viewer"),
        binding("eng", "viewer"),
        grant("ann", "admin", expires=LATER),
        groups=membership(group("ops", "ann"), group("eng", "ann")),
    )
    assert one.remedy == "take them out of eng, ops, which would give them roles again, then delete the entry"


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (NO_GROUPS, "is nobody on the server"),
        (
            Membership((), people=frozenset([Member(user_name="x")])),
            "is nobody on the server and nobody in the directory",
        ),
        (membership(group("eng", Member(user_name="Gone@acme.example"))), None),
        (Membership((), people=frozenset([Member(user_name="GONE@acme.example")])), None),
    ],
    ids=["of few", "of everybody", "in a group", "among everybody"],
)
def test_an_entry_of_nobody_is_pointed_out_for_they_may_join_later(
    groups: Membership, message: str | None
) -> None:
    expected = Finding(
        Kind.CLASS,
        "gone@acme.example",
        message or "",
        "correct the userName, or delete the entry",
        PEOPLE_FILE,
    )
    assert found(person("gone", "contractor"), groups=groups) == ((expected,) if message else ())
    assert found(person("gone", ends=NOW), groups=groups) == ((expected,) if message else ()), "not over yet"
    assert found(person("gone", ends=NOW - MOMENT), groups=groups) == (), "they left as they should"


# Service accounts


def of_bot(message: str, remedy: str, since: datetime | None = None) -> Finding:
    return Finding(Kind.SERVICE_ACCOUNT, "bot@acme.example", message, remedy, BOTS, since)


LOOK = "look at it again, then write as `review:` when to do so next"
OWNER = "write as `owner:` who answers for it now"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (END - 7 * DAY - MOMENT, ()),
        (END - 7 * DAY, (of_bot("is due for review by 2026-11-27 23:59 UTC", LOOK),)),
        (END, (of_bot("is due for review by 2026-11-27 23:59 UTC", LOOK),)),
        (END + MOMENT, (of_bot("was due for review by 2026-11-27 23:59 UTC", LOOK, END),)),
    ],
    ids=["long before", "a week before", "on the last moment", "after it"],
)
def test_the_review_of_a_service_account_is_pointed_out(now: datetime, expected: tuple[Finding, ...]) -> None:
    assert found(service_account("bot", "viewer"), now=now) == expected


def people(*members: Member) -> Membership:
    return Membership((), people=frozenset(members))


@pytest.mark.parametrize(
    ("groups", "gone"),
    [
        (NO_GROUPS, None),
        (people(Member(user_name="ANN@acme.example")), None),
        (people(Member("u-ann", active=False, status="SUSPENDED"), Member("u-ann", active=True)), None),
        (people(Member("u-cid")), "is not in the directory"),
        (people(Member("u-ann", active=False, status="SUSPENDED")), "is SUSPENDED in the directory"),
        (people(Member("u-ann", active=False)), "is not active in the directory"),
    ],
    ids=["nobody tells", "listed", "listed twice", "unlisted", "suspended", "inactive"],
)
def test_an_owner_who_is_gone_from_the_directory_is_pointed_out(groups: Membership, gone: str | None) -> None:
    expected = (of_bot(f"has the owner ann@acme.example, who {gone}", OWNER),) if gone else ()
    assert found(service_account("bot", "viewer", review=LATER), groups=groups) == expected


def test_an_owner_who_is_gone_from_the_server_is_pointed_out() -> None:
    bot = service_account("bot", "viewer", owner="dan", review=LATER)
    inactive = live({}, principal("bot"), principal("dan", active=False))
    for state, gone in (PEOPLE, "is not on the server"), (inactive, "is not active on the server"):
        assert found(bot, live=state) == (of_bot(f"has the owner dan@acme.example, who {gone}", OWNER),)


def test_a_service_account_that_is_not_active_is_pointed_out() -> None:
    state = live({}, principal("ann"), principal("bot", active=False))
    assert found(service_account("bot", "viewer", review=LATER), live=state) == (
        of_bot(
            "is not active on the server, so it is given nothing", "activate it, or delete it from the policy"
        ),
    )


# All together


def test_findings_are_sorted_by_place_whatever_the_order_of_the_entries() -> None:
    written = (
        service_account("bot", "viewer", owner="gone", review=NOW - DAY),
        person("nobody", "contractor"),
        grant("bot", "admin", expires=LATER, line=3),
        grant("ann", "admin", line=2),
        grant("cid", "admin", line=1),
    )
    several = found(*written)
    assert [(one.subject.partition("@")[0], str(one.at.file) if one.at else "") for one in several] == [
        ("bot", "bots.yaml"),
        ("bot", "bots.yaml"),
        ("nobody", "people.yaml"),
        ("cid", "team.yaml"),
        ("ann", "team.yaml"),
    ]
    assert found(*written[::-1]) == several


@pytest.mark.usefixtures("far_from_utc")
def test_moments_are_told_in_utc_wherever_the_program_runs() -> None:
    (one,) = found(grant("ann", "admin", expires=datetime(2026, 11, 24, 1, tzinfo=UTC).astimezone()))
    assert one.message == "has a temporary grant until 2026-11-24 01:00 UTC, INC-1"
