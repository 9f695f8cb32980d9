"""Who is in which class of people, and what holds for them: the strictest of each."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from build import END, NOW, at, group, membership, organization, person, person_class, policy, principal
from build import service_account as machine

from reconciler.model import DirectoryGroup, Member, Membership, Principal, Role
from reconciler.people import classes
from reconciler.people.classes import Bounds, Classes, Doubt, End, Standing
from reconciler.people.identity import People
from reconciler.policy.document import PersonClass, PersonEntry, ServiceAccount
from reconciler.problem import Problem

NO_GROUPS = membership()
ANN, BOB = principal("ann"), principal("bob")
SOON, LATE = NOW + timedelta(days=1), NOW + timedelta(days=100)
TOLD = "contractEnd"


def told(
    *written: PersonClass | PersonEntry | ServiceAccount,
    groups: Membership = NO_GROUPS,
    people: tuple[Principal, ...] = (ANN, BOB),
) -> Classes:
    return classes.tell_apart(policy(*written), groups, People.of(people))


def ann(*attributes: tuple[str, str]) -> Membership:
    """A directory in which Ann has these attributes."""
    return membership(group("eng", Member(user_name="ANN@acme.example", attributes=attributes)))


# Who is in a class.


@pytest.mark.parametrize(
    ("match", "groups"),
    [
        (person_class(groups=["Contractors"]), membership(group("contractors", "ann"), group("eng", "bob"))),
        (
            person_class(groups=["none", "agency"]),
            membership(group("none"), group("agency", Member(user_name="Ann@ACME.example"), "gone")),
        ),
        (person_class(attributes={"userType": ("Temp", "Contractor")}), ann(("userType", "CONTRACTOR"))),
        (
            person_class(attributes={"kind": ("x",), "userType": ("caf\u00e9",)}),
            ann(("kind", "y"), ("kind", "z"), ("userType", "CAFE\u0301")),
        ),
        (
            person_class(attributes={"userType": ("Temp",)}),
            Membership(
                (), people=frozenset([Member(user_name=ANN.user_name, attributes=(("userType", "Temp"),))])
            ),
        ),
    ],
    ids=[
        "by a group",
        "by one of two groups, with a stranger",
        "by an attribute in any case",
        "by one of two attributes in any normal form",
        "by what the directory knows of everybody",
    ],
)
def test_who_is_in_a_class_is_told_by_groups_and_attributes(match: PersonClass, groups: Membership) -> None:
    assert told(match, groups=groups) == Classes({"u-ann": Standing(("contractor",))})


@pytest.mark.parametrize(
    "attributes",
    [(), (("userType", ""),), (("usertype", "Contractor"),), (("userType", "Contractors"),)],
    ids=["none", "an empty one", "one of another name", "another value"],
)
def test_another_attribute_puts_nobody_in_a_class(attributes: tuple[tuple[str, str], ...]) -> None:
    match = person_class(attributes={"userType": ("Contractor",)})
    assert told(match, groups=ann(*attributes)) == Classes({})


def test_the_policy_puts_people_in_classes_by_any_name_that_they_had() -> None:
    found = told(
        person_class("b"),
        person_class("a"),
        person("ANN", "b", "a"),
        person("bert", "a", previously=("bob@acme.example",)),
        person("gone", "a"),
        people=(ANN, BOB),
    )
    assert found.standings == {"u-ann": Standing(("a", "b"))}, "an earlier name is the matter of `People`"
    people = People.of((ANN, BOB), (entry := person("bert", "a", previously=("BOB@acme.example",)),))
    written = policy(entry, of=organization(classes=[person_class("a")]))
    assert classes.tell_apart(written, NO_GROUPS, people) == Classes({"u-bob": Standing(("a",))})


def test_the_policy_means_whom_the_directory_alone_calls_so_and_nobody_else() -> None:
    renamed = ANN._replace(external_id="x-ann")
    listed = (
        Member(external_id="x-ann", user_name="Ann.New@acme.example"),
        Member(user_name=BOB.user_name),
        Member(),
    )
    found = told(
        person_class("a"),
        person_class("b"),
        person("ann", "b"),
        person("ann.new", "a", ends=SOON),
        person("gone", "a"),
        groups=Membership((), people=frozenset(listed)),
        people=(renamed, BOB),
    )
    assert found.standings == {"u-ann": Standing(("a", "b"), end=End(SOON, at(1, "people.yaml"), "a"))}


def test_who_is_in_no_class_is_held_to_nothing() -> None:
    found = told(person_class(highest="viewer", named=True, end_required=True))
    assert found.of("u-ann") == Standing() == classes.EVERYBODY
    assert not found.of("u-ann").over(NOW)
    assert not found.of("u-ann").frozen(NOW)


def test_a_service_account_is_no_person_and_in_no_class() -> None:
    found = told(
        person_class(groups=["contractors"], highest="viewer"),
        machine("ANN"),
        groups=membership(group("contractors", "ann", "bob")),
    )
    assert found == Classes({"u-bob": Standing(("contractor",), Bounds(Role.VIEWER, "contractor"))})


@pytest.mark.parametrize(
    ("groups", "problem"),
    [
        (
            membership(names=["contractor"]),
            Problem(
                at(50, "organization.yaml"),
                "the directory has no group 'contractors', did you mean 'contractor'?",
            ),
        ),
        (
            membership(DirectoryGroup("g1", "Contractors", None, "its members are hidden")),
            Problem(
                at(50, "organization.yaml"),
                "cannot tell who is in the group 'Contractors'",
                "its members are hidden",
            ),
        ),
    ],
    ids=["missing", "unreadable"],
)
def test_a_group_of_a_class_that_is_not_known_is_a_problem(groups: Membership, problem: Problem) -> None:
    assert told(person_class(groups=["contractors"]), groups=groups).problems == (problem,)


# What holds for them.


def test_of_several_classes_the_strictest_of_each_rule_holds() -> None:
    found = told(
        person_class("a", highest="contributor", named=True),
        person_class("b", highest="viewer"),
        person_class("c", highest="admin", named=True),
        person_class("d"),
        person("ann", "a", "b", "c", "d"),
        person("bob", "c", "a"),
    )
    assert found.standings == {
        "u-ann": Standing(("a", "b", "c", "d"), Bounds(Role.VIEWER, "b", frozenset("ac"))),
        "u-bob": Standing(("a", "c"), Bounds(Role.CONTRIBUTOR, "a", frozenset("ac"))),
    }


def test_the_end_is_the_earlier_of_what_policy_and_directory_say() -> None:
    one = person_class(groups=["eng"], end=TOLD)
    late, soon = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (LATE, SOON))
    by_policy = End(SOON, at(4, "people.yaml"), "contractor")
    by_directory = End(SOON, at(50, "organization.yaml"), "contractor")
    entry = person("ann", ends=SOON, line=4)
    assert told(one, entry, groups=ann((TOLD, late))).of("u-ann").end == by_policy
    assert told(one, person("ann", ends=LATE), groups=ann((TOLD, soon))).of("u-ann").end == by_directory
    assert told(one, groups=ann((TOLD, late), (TOLD, soon))).of("u-ann").end == by_directory
    assert told(entry).of("u-ann").end == End(SOON, at(4, "people.yaml")), "also without a class"


@pytest.mark.parametrize(
    "knowing", [{"end": TOLD}, {"end_required": True}], ids=["one that is told ends", "one that needs them"]
)
def test_the_end_by_the_policy_is_that_of_the_class_that_goes_by_ends(knowing: Mapping[str, Any]) -> None:
    found = told(person_class("a"), person_class("b", **knowing), person("ann", "a", "b", ends=SOON))
    assert found.of("u-ann").end == End(SOON, at(1, "people.yaml"), "b")


def test_an_end_on_a_day_is_the_end_of_that_day_and_time_is_over_after_it() -> None:
    found = told(person_class(groups=["eng"], end=TOLD), groups=ann((TOLD, " 2026-11-27 "))).of("u-ann")
    assert found.end == End(END, at(50, "organization.yaml"), "contractor")
    assert [found.over(END), found.over(END + timedelta(microseconds=1))] == [False, True]


def test_only_the_class_whose_attribute_it_is_ends_anybodys_time() -> None:
    one, other = person_class("a", groups=["eng"]), person_class("b", groups=["none"], end=TOLD)
    groups = Membership((*ann((TOLD, "2020-01-01")).groups, group("none")))
    assert told(one, other, groups=groups).of("u-ann") == Standing(("a",))


@pytest.mark.parametrize(
    "value",
    [
        "soon",
        "31.12.2026",
        "2026-12-31T10:00",
        "2026-02-30",
        "0001-01-01T00:00:00Z",
        "1601-01-01",
        "1970-01-01T00:00:00Z",
        "\x1b[2J",
    ],
)
def test_an_end_that_nobody_understands_leaves_in_doubt_whether_time_is_over(value: str) -> None:
    one = person_class(groups=["eng"], end=TOLD)
    found = told(one, groups=ann((TOLD, value))).of("u-ann")
    assert found == Standing(("contractor",), doubt=Doubt(one, value))
    assert (found.over(LATE), found.frozen(LATE)) == (False, True)


def test_a_doubt_is_none_once_time_is_over_for_certain() -> None:
    one = person_class(groups=["eng"], end=TOLD)
    found = told(one, person("ann", ends=SOON), groups=ann((TOLD, "soon"))).of("u-ann")
    assert (found.over(NOW), found.frozen(NOW)) == (False, True)
    assert (found.over(LATE), found.frozen(LATE)) == (True, False)


@pytest.mark.parametrize("value", [(), ((TOLD, " "),)], ids=["absent", "empty"])
def test_a_class_may_require_an_end_and_any_end_will_do(value: tuple[tuple[str, str], ...]) -> None:
    one = person_class(groups=["eng"], end=TOLD, end_required=True)
    assert told(one, groups=ann(*value)).of("u-ann").doubt == Doubt(one)
    assert told(one, person("ann", ends=LATE), groups=ann(*value)).of("u-ann").doubt is None
    assert told(one, groups=ann((TOLD, "2030-01-01"))).of("u-ann").doubt is None


def test_doubts_are_told_once_for_each_class_with_the_first_names() -> None:
    one = person_class("contractor", end=TOLD)
    other = person_class("temp", line=60)
    doubts = [
        *((name, Doubt(one)) for name in ("zoe", "Bob", "cid", "ann")),
        ("eve", Doubt(one, "soon")),
        *((name, Doubt(other)) for name in ("dan", "Dan", "eve")),
    ]
    remedy = "write their `ends:` under `people:` of a policy file"
    assert sorted(classes.problems(doubts)) == [
        Problem(
            at(50, "organization.yaml"),
            "cannot understand 'contractEnd' of people of the class 'contractor': eve ('soon')",
            "correct it there to a date such as 2026-12-31",
        ),
        Problem(
            at(50, "organization.yaml"),
            "no end is known of people of the class 'contractor': ann, Bob, cid and 1 more",
            remedy,
        ),
        Problem(
            at(60, "organization.yaml"),
            "no end is known of people of the class 'temp': Dan, dan, eve",
            remedy,
        ),
    ]


def test_who_is_called_so_by_the_directory_alone_is_meant_by_the_policy_too() -> None:
    ann = Member(external_id="x-1", user_name="ann.lee@acme.example")
    account = principal("ann", external_id="x-1")
    entry = PersonEntry("Ann.Lee@acme.example", at(), ("contractor",))
    found = told(
        person_class(highest="viewer"), entry, groups=membership(group("eng", ann)), people=(account,)
    )
    assert found.of("u-ann").bounds.cap is Role.VIEWER


def test_neither_the_order_of_classes_nor_of_people_matters() -> None:
    several = [
        person_class("a", groups=["eng"], highest="viewer"),
        person_class("b", groups=["ops"], highest="viewer", end=TOLD),
        person_class("c", attributes={"userType": ("x",)}, named=True, end=TOLD, end_required=True),
    ]
    member = Member(user_name=ANN.user_name, attributes=((TOLD, "soon"), (TOLD, "later"), ("userType", "X")))
    groups = [group("eng", member, "bob"), group("ops", "ann", "bob")]
    forwards = told(*several, groups=membership(*groups))
    backwards = told(*several[::-1], groups=membership(*groups[::-1]), people=(BOB, ANN))
    assert forwards == backwards


def test_a_time_with_a_zone_is_compared_as_the_moment_that_it_is() -> None:
    one = person_class(groups=["eng"], end=TOLD)
    found = told(one, groups=ann((TOLD, "2026-11-27T01:00:00+02:00"))).of("u-ann")
    assert found.end is not None
    assert found.end.moment == datetime(2026, 11, 26, 23, tzinfo=UTC)
