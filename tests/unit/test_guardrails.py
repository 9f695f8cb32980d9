"""Which plans are refused, and which are not: each limit at its edges."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from build import (
    APP,
    NOW,
    UNLIMITED,
    WEB,
    correct,
    create_user,
    deactivate,
    delete_user,
    desired,
    empty_group,
    holds,
    joiner,
    live,
    organization,
    plan,
    principal,
    provenance,
    reactivate,
    scope_change,
    set_roles,
    term,
)

from reconciler import drift, guardrails
from reconciler.change import Change, CreateGroup, ScopeChange, SetRoles
from reconciler.guardrails import Violation, admins
from reconciler.model import ORGANIZATION, DesiredState, LiveState, Principal, Role, Scope
from reconciler.plan import Plan, after, build
from reconciler.policy.document import Guardrails, Limit, Mode, StoredAs

NAMES = [f"p{number:02}" for number in range(20)]
NOBODY = Limit(count=0, percent=0)
ENDED = provenance("ann@acme.example", "admin", until=NOW - timedelta(hours=1), ended=True)
IN_FORCE = provenance("ann@acme.example", "admin", until=NOW + timedelta(hours=1))


def limits(**settings: Any) -> Guardrails:
    """No limits but these."""
    return replace(UNLIMITED, **settings)


def seat(who: str | Principal) -> SetRoles:
    return set_roles(who, scope_change(ORGANIZATION, "viewer", "admin"))


def unseat(who: str | Principal) -> SetRoles:
    return set_roles(who, scope_change(ORGANIZATION, "admin", "viewer"))


def lose(who: str | Principal) -> SetRoles:
    return set_roles(who, scope_change(WEB, "admin", ""))


def lower(who: str | Principal) -> SetRoles:
    return set_roles(who, scope_change(WEB, "admin", "viewer"))


def gain(who: str | Principal) -> SetRoles:
    return set_roles(who, scope_change(WEB, "", "admin"))


def expire(who: str | Principal) -> SetRoles:
    return set_roles(who, scope_change(WEB, "admin", "", ENDED))


def check(
    *changes: Change,
    state: LiveState,
    limits: Guardrails,
    should: DesiredState | None = None,
    token_user: str | None = None,
    now: datetime = NOW,
) -> tuple[Violation, ...]:
    return guardrails.check(
        plan(*changes), should or desired(), state, limits, token_user=token_user, now=now
    )


def broken(*changes: Change, state: LiveState, limits: Guardrails, **others: Any) -> list[str]:
    return [violation.guardrail for violation in check(*changes, state=state, limits=limits, **others)]


def holding(number: int, words: str = "viewer") -> LiveState:
    return live(dict.fromkeys(NAMES[:number], holds(words, web="admin")))


def approve(*changes: Change) -> str:
    return f"; or approve this one plan with `apply --approve {plan(*changes).fingerprint}`"


# Populations of 0, 1, 2, 9, 10 and 11 against every gauge, with the limits that hold unless a policy says so.

Case = tuple[list[SetRoles], LiveState, dict[str, Any]]


def several(change: Callable[[str | Principal], SetRoles], words: str = "viewer") -> Callable[..., Case]:
    """So many people of a population change like that."""
    return lambda population, number: (
        [change(name) for name in NAMES[:number]],
        holding(population, words),
        {},
    )


def all_that_they_have(population: int, number: int) -> Case:
    people = dict.fromkeys(NAMES[:population], holds(web="admin"))
    return [lose(name) for name in NAMES[:number]], live(people), {}


def deactivated(population: int, number: int) -> Case:
    gone = [principal(name, active=False) for name in NAMES[:number]]
    people = dict.fromkeys(NAMES[:population], holds("viewer", web="admin"))
    return [lose(person) for person in gone], live(people, *gone), {}


def of_admins(change: Callable[[str | Principal], SetRoles], **settings: Any) -> Callable[..., Case]:
    return lambda population, number: (
        [change(name) for name in NAMES[:number]],
        live(dict.fromkeys(NAMES[:population], holds("admin"))),
        {"limits": Guardrails(**settings)},
    )


def emptied(population: int, number: int) -> Case:
    """Each of the people had one role by a group of their own, and so many of these have nobody in them."""
    people = dict.fromkeys(NAMES[:population], holds(**dict.fromkeys(NAMES[:population], "viewer")))
    changes = [set_roles(name, scope_change(Scope(name), "viewer", "")) for name in NAMES[:number]]
    groups = tuple(empty_group(f"of-{name}", **{name: "viewer"}) for name in NAMES[:population])
    return changes, live(people), {"should": desired(empty_groups=groups)}


def of_an_empty_policy(population: int, number: int) -> Case:
    return [lose(name) for name in NAMES[:number]], holding(population), {"should": desired(given=0)}


def own(population: int, number: int) -> Case:
    changes = [unseat(name) for name in NAMES[:number]]
    return changes, holding(population, "admin"), {"token_user": f"u-{NAMES[0]}"}


EVERYBODY = tuple(f"{name}@acme.example" for name in NAMES)
ALLOWED: Mapping[str, tuple[Callable[..., Case], Mapping[int, int]]] = {
    "minimum_admins": (of_admins(unseat), {0: 0, 1: 0, 2: 0, 9: 7, 10: 8, 11: 9}),
    "required_admins": (
        of_admins(unseat, required_admins=EVERYBODY),
        dict.fromkeys((0, 1, 2, 9, 10, 11), 0),
    ),
    "protected": (of_admins(gain, protected=EVERYBODY), dict.fromkeys((0, 1, 2, 9, 10, 11), 0)),
    "removals": (several(lose), {0: 0, 1: 1, 2: 1, 9: 1, 10: 2, 11: 2}),
    "demotions": (several(lower), {0: 0, 1: 1, 2: 1, 9: 1, 10: 2, 11: 2}),
    "last_roles": (all_that_they_have, {0: 0, 1: 1, 2: 1, 9: 1, 10: 2, 11: 2}),
    "deactivations": (deactivated, {0: 0, 1: 1, 2: 1, 9: 1, 10: 2, 11: 2}),
    "expiries": (several(expire), {0: 0, 1: 1, 2: 2, 9: 9, 10: 10, 11: 11}),
    "emptied_groups": (emptied, dict.fromkeys((0, 1, 2, 9, 10, 11), 0)),
    "empty_policy": (of_an_empty_policy, dict.fromkeys((0, 1, 2, 9, 10, 11), 0)),
    "own_user": (own, dict.fromkeys((0, 1, 2, 9, 10, 11), 0)),
    "admins_gained": (several(seat), {0: 0, 1: 1, 2: 2, 9: 5, 10: 5, 11: 5}),
}
"""By guardrail, how many of a population it lets through, and the changes to try it with."""


@pytest.mark.parametrize(
    ("guardrail", "population", "allowed"),
    [(name, people, allowed) for name, (_, table) in ALLOWED.items() for people, allowed in table.items()],
)
def test_of_a_population_so_many_are_allowed_and_not_one_more(
    guardrail: str, population: int, allowed: int
) -> None:
    case, _ = ALLOWED[guardrail]
    refused = []
    for number in range(population + 1):
        changes, state, given = case(population, number)
        if guardrail in broken(*changes, state=state, **{"limits": Guardrails(), **given}):
            refused.append(number)
    assert refused == list(range(allowed + 1, population + 1))


def test_nine_of_nine_are_too_many() -> None:
    """A brake that only works from ten records on lets the smallest organizations be emptied."""
    changes, state, _ = all_that_they_have(9, 9)
    assert broken(*changes, state=state, limits=Guardrails()) == ["removals", "last_roles"]


# The admin floor.


def admins_and_others(number: int) -> LiveState:
    return live({name: holds("admin" if at < number else "viewer") for at, name in enumerate(NAMES[:6])})


@pytest.mark.parametrize(
    ("population", "minimum", "unseated", "seated", "refused"),
    [
        (0, 2, 0, 0, False),
        (0, 2, 0, 1, False),
        (1, 2, 0, 0, False),
        (1, 2, 1, 0, True),
        (1, 2, 1, 1, False),
        (1, 1, 1, 0, True),
        (2, 2, 1, 0, True),
        (2, 2, 1, 1, False),
        (2, 2, 2, 2, False),
        (2, 2, 2, 1, True),
        (2, 1, 1, 0, False),
        (2, 1, 2, 0, True),
        (3, 2, 1, 0, False),
        (3, 2, 2, 0, True),
        (3, 2, 3, 2, False),
        (3, 3, 1, 0, True),
        (3, 5, 0, 0, False),
        (3, 5, 1, 0, True),
        (3, 5, 1, 1, False),
    ],
)
def test_the_number_of_admins_is_never_lowered_below_the_minimum(
    population: int, minimum: int, unseated: int, seated: int, refused: bool
) -> None:
    changes = [*map(seat, NAMES[3 : 3 + seated]), *map(unseat, NAMES[:unseated])]
    state = admins_and_others(population)
    found = broken(*changes, state=state, limits=limits(minimum_admins=minimum))
    assert found == (["minimum_admins"] if refused else [])


def test_who_would_be_unseated_is_named() -> None:
    state = live({"zoe": holds("admin"), "abe": holds("admin"), "ann": holds("viewer")})
    found = check(seat("ann"), unseat("abe"), unseat("zoe"), state=state, limits=limits(minimum_admins=3))
    assert found == (
        Violation(
            "minimum_admins",
            1,
            2,
            "the number of organization admins would fall from 2 to 1; at least 2 must stay",
            "give the admin role to somebody else first, in the same policy or in an earlier one",
            ("abe@acme.example", "zoe@acme.example"),
        ),
    )


def test_too_few_admins_at_any_moment_of_a_plan_are_too_few_although_there_are_enough_at_its_end() -> None:
    state = live({"abe": holds("admin"), "bob": holds("admin"), "ann": holds("viewer")})
    found = check(unseat("abe"), seat("ann"), state=state, limits=limits(minimum_admins=2))
    assert [(one.guardrail, one.measured, one.limit, one.people) for one in found] == [
        ("minimum_admins", 1, 2, ("abe@acme.example",))
    ]


@pytest.mark.parametrize(
    ("active", "counts"),
    [(True, True), (None, True), (False, False)],
    ids=["active", "not said", "not active"],
)
def test_an_admin_who_is_not_active_does_not_count(active: bool | None, counts: bool) -> None:
    ann = principal("ann", active=active)
    state = live({"ann": holds("admin"), "bob": holds("admin")}, ann)
    assert admins(state) == ({"u-ann", "u-bob"} if counts else {"u-bob"})
    two, one = limits(minimum_admins=2), limits(minimum_admins=1)
    assert broken(unseat(ann), state=state, limits=two) == (["minimum_admins"] if counts else [])
    assert broken(unseat("bob"), state=state, limits=one) == ([] if counts else ["minimum_admins"])


def test_an_inactive_successor_does_not_count() -> None:
    bob = principal("bob", active=False)
    state = live({"ann": holds("admin"), "bob": holds("viewer")}, bob)
    assert broken(seat(bob), unseat("ann"), state=state, limits=limits(minimum_admins=1)) == [
        "minimum_admins"
    ]


def test_an_admin_of_a_project_is_no_admin_of_the_organization() -> None:
    state = live({"ann": holds("viewer", web="admin"), "bob": holds(organization="admin")})
    assert admins(state) == frozenset()


def test_an_admin_who_is_rid_of_a_lower_role_stays_one() -> None:
    state = live({"ann": holds("admin viewer")})
    change = set_roles("ann", scope_change(ORGANIZATION, "admin viewer", "admin"))
    required = limits(minimum_admins=2, required_admins=("ann@acme.example",))
    assert broken(change, state=state, limits=required) == []


# Required admins.


@pytest.mark.parametrize("active", [True, False], ids=["active", "not active"])
def test_a_required_admin_is_not_unseated_whoever_else_is_admin(active: bool) -> None:
    ann = principal("ann", user_name="Ann@acme.example", active=active)
    state = live({"ann": holds("admin"), "bob": holds("admin"), "cid": holds("admin")}, ann)
    required = limits(required_admins=("ann@ACME.example", "cid@acme.example"))
    assert check(unseat(ann), unseat("bob"), state=state, limits=required) == (
        Violation(
            "required_admins",
            1,
            0,
            "1 person whom the policy requires to be organization admin would stop being one; none may",
            "keep them in a group that gives the role, or take them off `guardrails.required_admins` in a "
            "change of its own",
            ("Ann@acme.example",),
        ),
    )


@pytest.mark.parametrize(
    "change",
    [
        seat("ann"),
        set_roles("ann", scope_change(WEB, "admin", "")),
        set_roles("ann", scope_change(ORGANIZATION, "contributor", "viewer")),
    ],
    ids=["is made one", "loses elsewhere", "was none"],
)
def test_a_required_admin_who_is_not_unseated_is_no_concern(change: SetRoles) -> None:
    state = live({"ann": holds("viewer")})
    assert broken(change, state=state, limits=limits(required_admins=("ann@acme.example",))) == []


# Protected people.


def test_a_plan_that_touches_protected_people_is_refused_even_if_it_gives() -> None:
    state = live({}, principal("ann", user_name="Ann@acme.example"), principal("bob"))
    found = check(
        gain(state.people["u-ann"]), gain("bob"), state=state, limits=limits(protected=("ann@ACME.example",))
    )
    assert found == (
        Violation(
            "protected",
            1,
            0,
            "the plan would change the roles of 1 person whom the policy protects; none may be touched",
            "take them off `guardrails.protected` in a change of its own, if that is what is meant",
            ("Ann@acme.example",),
        ),
    )


@pytest.mark.parametrize(
    ("guardrail", "danger"),
    [("protected", "could take their roles unseen"), ("required_admins", "could unseat them unseen")],
)
@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ([lose("ann")], True),
        ([lower("ann")], True),
        ([gain("ann")], False),
        ([set_roles("ann", scope_change(WEB, "admin viewer", "admin"))], False),
        ([], False),
    ],
    ids=["somebody loses", "somebody is lowered", "somebody gains", "a surplus goes", "nothing"],
)
def test_a_name_that_fits_nobody_refuses_whatever_takes(
    guardrail: str, danger: str, changes: list[SetRoles], refused: bool
) -> None:
    state = live({"ann": holds(web="admin"), "bob": holds("admin")})
    names = ("why@acme.example", "bob@acme.example", "brake-glass@acme.example")
    violation = Violation(
        guardrail,
        2,
        0,
        f"2 people of `guardrails.{guardrail}` could not be found, so the plan {danger}",
        "correct the names there: their people are not on the server, or were renamed",
        ("brake-glass@acme.example", "why@acme.example"),
    )
    found = check(*changes, state=state, limits=limits(**{guardrail: names}))
    assert found == ((violation,) if refused else ())


# How many may lose at once.


@pytest.mark.parametrize(
    ("population", "limit", "allowed"),
    [
        (1, Limit(10, 20), 1),
        (14, Limit(10, 20), 2),
        (15, Limit(10, 20), 3),
        (11, Limit(1, 20), 1),
        (11, Limit(0, 20), 0),
        (1, Limit(0, 100), 0),
        (1, Limit(1, 0), 0),
        (11, Limit(10, 0), 0),
        (1, Limit(10, 100), 1),
        (9, Limit(10, 100), 9),
        (11, Limit(10, 100), 10),
        (11, Limit(1, 100), 1),
        (1, Limit(10, 1), 1),
    ],
    ids=str,
)
def test_as_many_may_lose_at_once_as_both_the_count_and_the_percentage_allow(
    population: int, limit: Limit, allowed: int
) -> None:
    state, names = holding(population), NAMES[:population]
    few = broken(*map(lose, names[:allowed]), state=state, limits=limits(removals=limit))
    assert few == []
    if allowed < population:
        many = broken(*map(lose, names[: allowed + 1]), state=state, limits=limits(removals=limit))
        assert many == ["removals"]


@pytest.mark.parametrize("percent", [0, 20, 100])
@pytest.mark.parametrize("count", [0, 1, 10])
def test_where_nobody_holds_anything_nobody_is_refused(count: int, percent: int) -> None:
    limit = Limit(count, percent)
    every = limits(removals=limit, demotions=limit, last_roles=limit, deactivations=limit, expiries=limit)
    assert broken(gain("ann"), state=live({"ann": holds()}), limits=every) == []


STRICT = limits(removals=NOBODY, demotions=NOBODY, last_roles=NOBODY, deactivations=NOBODY, expiries=NOBODY)


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        ([scope_change(WEB, "admin", "")], ["removals"]),
        ([scope_change(WEB, "admin", "contributor")], ["demotions"]),
        ([scope_change(WEB, "admin viewer", "viewer")], ["demotions"]),
        ([scope_change(WEB, "admin", ""), scope_change(APP, "viewer", "admin")], ["removals"]),
        (
            [scope_change(ORGANIZATION, "viewer", ""), scope_change(WEB, "admin", "viewer")],
            ["removals", "demotions"],
        ),
        (
            [scope_change(ORGANIZATION, "viewer", ""), scope_change(WEB, "admin", "")],
            ["removals", "last_roles"],
        ),
        (
            [
                scope_change(ORGANIZATION, "viewer", ""),
                scope_change(WEB, "admin", ""),
                scope_change(APP, "", "viewer"),
            ],
            ["removals"],
        ),
        ([scope_change(WEB, "viewer", "admin")], []),
        ([scope_change(WEB, "admin viewer", "admin")], []),
        ([scope_change(WEB, "admin", "", ENDED)], ["expiries"]),
        ([scope_change(WEB, "admin", "viewer", ENDED)], ["expiries"]),
        (
            [scope_change(ORGANIZATION, "viewer", "", ENDED), scope_change(WEB, "admin", "", ENDED)],
            ["expiries"],
        ),
        ([scope_change(WEB, "admin", "", IN_FORCE)], ["removals"]),
        ([scope_change(WEB, "admin", "", provenance("eng", "admin"))], ["removals"]),
        ([scope_change(WEB, "admin", "", replace(ENDED, role=Role.CONTRIBUTOR))], ["removals"]),
        (
            [scope_change(WEB, "contributor viewer", "", replace(ENDED, role=Role.CONTRIBUTOR))],
            ["expiries"],
        ),
        ([scope_change(WEB, "admin viewer", "", replace(ENDED, role=Role.VIEWER))], ["removals"]),
        ([scope_change(WEB, "admin", "", provenance("eng", "viewer"), ENDED)], ["expiries"]),
        (
            [scope_change(ORGANIZATION, "viewer", ""), scope_change(WEB, "admin", "", ENDED)],
            ["removals", "last_roles"],
        ),
        ([scope_change(APP, "", "viewer"), scope_change(WEB, "admin", "", ENDED)], ["expiries"]),
        ([scope_change(WEB, "viewer", "contributor", ENDED)], []),
    ],
    ids=[
        "loses",
        "is lowered",
        "lower beside higher",
        "moves",
        "loses here and is lowered there",
        "loses everything",
        "loses everything and is given something",
        "gains",
        "is rid of a surplus",
        "a grant ended",
        "a grant ended and a group gives less",
        "a grant of everything ended",
        "a grant in force is no reason",
        "nor is a group",
        "a grant that ended gave less",
        "a grant that ended gave the highest",
        "a grant that ended gave the lower of two",
        "a grant that ended is not the first reason",
        "a grant ended, and that is not all",
        "a grant ended and somebody gains elsewhere",
        "a grant ended and somebody gains",
    ],
)
def test_who_loses_counts_by_how_and_why(scopes: list[ScopeChange], expected: list[str]) -> None:
    assert broken(set_roles("p00", *scopes), state=holding(5), limits=STRICT) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lose, ["removals", "deactivations"]),
        (expire, ["removals", "deactivations"]),
        (lower, ["demotions", "deactivations"]),
        (gain, []),
    ],
    ids=["loses", "although a grant ended", "is lowered", "gains"],
)
def test_who_loses_for_not_being_active_counts_apart_and_among_the_others(
    change: Callable[[Principal], SetRoles], expected: list[str]
) -> None:
    ann = principal("ann", active=False)
    state = live({"ann": holds("viewer", web="admin")}, ann)
    assert broken(change(ann), state=state, limits=STRICT) == expected
    assert "deactivations" not in broken(change(principal("ann", active=None)), state=state, limits=STRICT)


def test_somebody_who_loses_in_several_scopes_and_changes_counts_once() -> None:
    first = set_roles("p00", scope_change(WEB, "admin", "viewer"), scope_change(APP, "admin", ""))
    second = set_roles("p00", scope_change(WEB, "viewer", ""))
    assert broken(first, second, state=holding(5), limits=limits(removals=Limit(1, 100))) == []


def test_somebody_who_joins_before_they_leave_to_gain_does_not_count() -> None:
    join = set_roles("p00", scope_change(WEB, "viewer", "admin viewer"))
    leave = set_roles("p00", scope_change(WEB, "admin viewer", "admin"))
    assert broken(join, leave, state=holding(5), limits=STRICT) == []


@pytest.mark.parametrize(
    ("guardrail", "change", "what"),
    [
        ("removals", lose, "lose every role that they have in a scope"),
        ("demotions", lower, "be lowered in a scope"),
        ("last_roles", lose, "be left without any role"),
        ("deactivations", lose, "lose roles for not being active"),
        ("expiries", expire, "lose what they had until a temporary grant or their time ended"),
    ],
)
def test_a_violation_tells_the_number_the_limit_and_how_it_came_about(
    guardrail: str, change: Callable[[Principal], SetRoles], what: str
) -> None:
    """People without roles do not swell the number of which a percentage is taken."""
    active = guardrail != "deactivations"
    people = [principal("ann", active=active), principal("bob", active=active)]
    state = live(dict.fromkeys(["ann", "bob"], holds(web="admin")) | dict.fromkeys(NAMES, holds()), *people)
    changes = [change(person) for person in people]
    assert check(*changes, state=state, limits=limits(**{guardrail: Limit(10, 50)})) == (
        Violation(
            guardrail,
            2,
            1,
            f"2 people would {what}; 1 may at once (50 % of 2 people with roles, and never more than 10)",
            f"check that each of them should; if so, raise `guardrails.{guardrail}` in the policy or do it "
            f"in steps{approve(*changes)}",
            ("ann@acme.example", "bob@acme.example"),
            approvable=True,
        ),
    )


@pytest.mark.parametrize(
    ("population", "number", "limit", "words"),
    [
        (1, 1, NOBODY, "0 may at once (0 % of 1 person with roles, and never more than 0)"),
        (
            4,
            2,
            Limit(10, 20),
            "1 may at once (20 % of 4 people with roles counts as 1, and never more than 10)",
        ),
        (5, 2, Limit(10, 20), "1 may at once (20 % of 5 people with roles, and never more than 10)"),
        (9, 3, Limit(2, 100), "2 may at once (100 % of 9 people with roles, and never more than 2)"),
        (9, 2, Limit(10, 20), "1 may at once (20 % of 9 people with roles, and never more than 10)"),
        (1, 1, Limit(0, 1), "0 may at once (1 % of 1 person with roles counts as 1, and never more than 0)"),
    ],
    ids=["nobody", "rounded up", "not rounded up", "the count", "rounded down", "the least of the smallest"],
)
def test_a_limit_is_told_with_where_it_comes_from(
    population: int, number: int, limit: Limit, words: str
) -> None:
    (found,) = check(*map(lose, NAMES[:number]), state=holding(population), limits=limits(removals=limit))
    people = "1 person" if number == 1 else f"{number} people"
    assert found.message == f"{people} would lose every role that they have in a scope; {words}"


# Groups that nobody is in.

EMPTY = empty_group("eng", web="admin", app="viewer")


@pytest.mark.parametrize(
    ("scope", "counts"),
    [
        (scope_change(WEB, "admin", ""), True),
        (scope_change(WEB, "admin", "contributor"), True),
        (scope_change(WEB, "admin viewer", "viewer"), True),
        (scope_change(APP, "viewer", ""), True),
        (scope_change(APP, "admin viewer", ""), True),
        (scope_change(WEB, "contributor", ""), False),
        (scope_change(APP, "contributor", "viewer"), False),
        (scope_change(APP, "admin viewer", "viewer"), False),
        (scope_change(APP, "admin", ""), False),
        (scope_change(ORGANIZATION, "admin", ""), False),
        (scope_change(WEB, "admin viewer", "admin"), False),
        (scope_change(WEB, "", "admin"), False),
        (scope_change(WEB, "admin", "", ENDED), False),
    ],
    ids=[
        "what it gives",
        "some of it",
        "what it gives beside less",
        "what it gives elsewhere",
        "what it gives beside more",
        "less than it gives",
        "more than it gives, and keeps that",
        "more than it gives beside that, and keeps that",
        "more than it gives",
        "in another scope",
        "a surplus",
        "gains",
        "what a grant gave that ended",
    ],
)
def test_a_group_is_emptied_where_people_lose_just_what_it_gives(scope: ScopeChange, counts: bool) -> None:
    should, none = desired(empty_groups=(EMPTY,)), limits(emptied_groups=0)
    found = broken(set_roles("p00", scope), state=holding(5), limits=none, should=should)
    assert found == (["emptied_groups"] if counts else [])
    assert broken(set_roles("p00", scope), state=holding(5), limits=none) == []


def test_who_is_not_active_is_no_sign_of_an_emptied_group() -> None:
    state = live({"ann": holds(web="admin")}, ann := principal("ann", active=False))
    should = desired(empty_groups=(EMPTY,))
    assert broken(lose(ann), state=state, limits=limits(emptied_groups=0), should=should) == []


def test_emptied_groups_are_named_with_the_people_who_would_lose_what_they_give() -> None:
    state = live({name: holds("viewer", web="admin", app="viewer") for name in ("ann", "bob", "cid", "dan")})
    changes = [
        set_roles("ann", scope_change(ORGANIZATION, "viewer", "")),
        lose("bob"),
        set_roles("cid", scope_change(WEB, "admin", ""), scope_change(APP, "viewer", "")),
        set_roles("dan", scope_change(APP, "viewer", "admin")),
    ]
    groups = (EMPTY, empty_group("eng-app", app="viewer"), empty_group("none", "admin"))
    should = desired(empty_groups=groups)
    assert check(*changes, state=state, limits=limits(emptied_groups=1), should=should) == (
        Violation(
            "emptied_groups",
            2,
            1,
            "people would lose just what 2 groups without members should give (eng, eng-app); 1 may",
            "check that the identity provider means them to be empty; if so, delete their bindings or raise "
            f"`guardrails.emptied_groups` in the policy{approve(*changes)}",
            ("bob@acme.example", "cid@acme.example"),
            approvable=True,
        ),
    )
    assert check(*changes, state=state, limits=limits(emptied_groups=2), should=should) == ()


def test_one_emptied_group_is_told_as_one() -> None:
    should = desired(empty_groups=(EMPTY,))
    (found,) = check(lose("p00"), state=holding(5), limits=limits(emptied_groups=0), should=should)
    assert found.message == ("people would lose just what 1 group without members should give (eng); 0 may")


# A policy that gives nothing.


@pytest.mark.parametrize(
    ("given", "changes", "refused"),
    [
        (0, [lose("ann"), expire("bob")], True),
        (1, [lose("ann")], False),
        (0, [], False),
        (0, [set_roles("ann", scope_change(WEB, "admin viewer", "admin"))], False),
        (0, [expire("ann"), expire("bob")], False),
    ],
    ids=["takes", "gives something", "takes nothing", "only a surplus", "only ends grants"],
)
def test_a_policy_that_grants_nothing_may_take_nothing(
    given: int, changes: list[SetRoles], refused: bool
) -> None:
    state = live({"ann": holds(web="admin"), "bob": holds(web="admin"), "cid": holds()})
    found = check(*changes, state=state, limits=limits(), should=desired(given=given))
    violation = Violation(
        "empty_policy",
        1,
        0,
        "the policy grants nothing to anybody, so 1 of 2 people with roles would lose some; none may",
        "check that all policy files are there, and that the groups they name have members"
        f"{approve(*changes)}",
        ("ann@acme.example",),
        approvable=True,
    )
    assert found == ((violation,) if refused else ())


# The token's own user.


@pytest.mark.parametrize(
    ("scope", "counts"),
    [
        (scope_change(ORGANIZATION, "admin", ""), True),
        (scope_change(ORGANIZATION, "admin", "viewer"), True),
        (scope_change(ORGANIZATION, "contributor", "viewer"), True),
        (scope_change(ORGANIZATION, "admin", "", ENDED), True),
        (scope_change(ORGANIZATION, "viewer", "admin"), False),
        (scope_change(ORGANIZATION, "admin viewer", "admin"), False),
        (scope_change(WEB, "admin", ""), False),
    ],
    ids=["the role", "is lowered", "any role", "a grant ended", "gains", "a surplus", "a project role"],
)
def test_the_user_of_the_token_keeps_the_organization_role(scope: ScopeChange, counts: bool) -> None:
    change = set_roles("ann", scope)
    state = live({"ann": holds("admin", web="admin"), "bob": holds("admin")})
    violation = Violation(
        "own_user",
        1,
        0,
        "the user whose token this is would lose an organization role, and with it the token its rights",
        "use the token of a user who keeps the role, or keep this one in a group that gives it"
        f"{approve(change)}",
        ("ann@acme.example",),
        approvable=True,
    )
    own = check(change, state=state, limits=limits(), token_user="u-ann")
    assert own == ((violation,) if counts else ())
    assert check(change, state=state, limits=limits(), token_user="u-bob") == ()
    assert check(change, state=state, limits=limits(), token_user=None) == ()


# New admins.


def test_who_would_become_admin_is_named() -> None:
    state = live({"ann": holds("viewer"), "bob": holds("viewer"), "cid": holds("admin")})
    changes = [seat("ann"), seat("bob"), gain("cid")]
    assert check(*changes, state=state, limits=limits(admins_gained=1)) == (
        Violation(
            "admins_gained",
            2,
            1,
            "2 people would become organization admin; 1 may at once",
            "check who is in the groups that give the role; if each of them should be, raise "
            f"`guardrails.admins_gained` in the policy or do it in steps{approve(*changes)}",
            ("ann@acme.example", "bob@acme.example"),
            approvable=True,
        ),
    )


def test_only_who_becomes_admin_of_the_organization_and_was_none_counts() -> None:
    state = live({"ann": holds("viewer"), "bob": holds("admin"), "cid": holds("viewer", web="viewer")})
    changes = [
        set_roles("ann", scope_change(WEB, "", "admin")),
        set_roles("bob", scope_change(ORGANIZATION, "admin", "admin viewer")),
        set_roles("cid", scope_change(ORGANIZATION, "viewer", "contributor")),
    ]
    assert broken(*changes, state=state, limits=limits(admins_gained=0)) == []


# How long temporary grants last.

DAYS = timedelta(days=1)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("starts", "expires", "days"),
    [
        (None, NOW + 90 * DAYS, None),
        (None, NOW + 90 * DAYS + MOMENT, 91),
        (None, NOW + 91 * DAYS, 91),
        (NOW - 30 * DAYS, NOW + 60 * DAYS, None),
        (NOW - 30 * DAYS, NOW + 61 * DAYS, 91),
        (NOW + 300 * DAYS, NOW + 390 * DAYS, None),
        (NOW + 300 * DAYS, NOW + 401 * DAYS, 101),
    ],
    ids=[
        "just as long from now",
        "a moment longer",
        "a day longer",
        "just as long from its start",
        "longer from its start",
        "to come",
        "to come, and longer",
    ],
)
def test_a_temporary_grant_lasts_no_longer_than_allowed(
    starts: datetime | None, expires: datetime, days: int | None
) -> None:
    should = desired(terms=(term("ann", expires, starts=starts),))
    found = check(state=live(), limits=limits(longest_grant=90), should=should)
    assert [one.measured for one in found] == ([] if days is None else [days])


def test_the_longest_of_several_grants_is_told_with_everybody_whose_grant_is_too_long() -> None:
    terms = (
        term("zoe", NOW + 100 * DAYS, line=3),
        term("ann", NOW + 200 * DAYS, line=7),
        term("ann", NOW + 120 * DAYS, line=9),
        term("cat", NOW + 200 * DAYS, line=11),
        term("bob", NOW + 90 * DAYS, line=5),
    )
    found = check(state=live(), limits=limits(longest_grant=90), should=desired(terms=terms))
    assert found == (
        Violation(
            "longest_grant",
            200,
            90,
            "a temporary grant lasts 200 days (team.yaml:7); 90 are allowed",
            "let it end sooner and renew it if need be, bind a group instead, or raise "
            f"`guardrails.longest_grant` in the policy{approve()}",
            ("ann@acme.example", "cat@acme.example", "zoe@acme.example"),
            approvable=True,
        ),
    )


# What takes nothing is not refused, but for what it gives; and of what takes, every reason is told.

ALWAYS = ["admins_gained", "longest_grant"]
EVERY_GUARDRAIL = [
    *("minimum_admins", "required_admins", "protected", "removals", "demotions", "last_roles"),
    *("deactivations", "expiries", "emptied_groups", "empty_policy", "own_user"),
    *ALWAYS,
]


@pytest.mark.parametrize(
    ("mode", "refused"),
    [(Mode.REPORT, ["longest_grant"]), (Mode.ADDITIVE, ALWAYS), (Mode.ENFORCE, EVERY_GUARDRAIL)],
)
def test_what_would_not_be_written_is_not_refused_and_of_the_rest_every_reason_is_told(
    mode: Mode, refused: list[str]
) -> None:
    state = live(
        {
            "ann": holds("admin"),
            "bob": holds(web="admin"),
            "cid": holds(),
            "dan": holds(web="admin"),
            "eve": holds(web="admin"),
        },
        principal("dan", active=False),
    )
    should = desired(
        {"cid": holds("admin"), "ann": holds("viewer")},
        why={"eve": {WEB: (ENDED,)}},
        given=0,
        empty_groups=(EMPTY,),
        terms=(term(expires=NOW + 2 * DAYS),),
    )
    tight = replace(
        STRICT,
        minimum_admins=9,
        protected=("who@acme.example",),
        required_admins=("ann@acme.example",),
        emptied_groups=0,
        admins_gained=0,
        longest_grant=1,
    )
    planned = build(drift.detect(should, state), organization(mode), "https://scim.example")
    if mode is Mode.ENFORCE:  # else cid would sit down before ann gets up
        planned = replace(planned, changes=planned.changes[::-1])
    found = guardrails.check(planned, should, state, tight, token_user="u-ann", now=NOW)
    assert [violation.guardrail for violation in found] == refused
    assert [one.guardrail for one in found if not one.approvable] == [
        name for name in refused if name in ("minimum_admins", "required_admins", "protected")
    ]


@pytest.mark.parametrize(
    ("change", "takes"),
    [(lose, True), (lower, True), (gain, False), (expire, True)],
    ids=["loses", "is lowered", "gains", "expires"],
)
def test_a_plan_takes_where_somebody_loses(change: Callable[[str], SetRoles], takes: bool) -> None:
    assert guardrails.takes(plan(gain("bob"), change("ann"))) is takes


# No moment between two changes is worse than the start or the end.

HELD = ["", "viewer", "admin", "admin viewer"]
WANTED = ["", "viewer", "admin"]


def transitions() -> Iterator[tuple[LiveState, DesiredState]]:
    """Three people who hold, and should hold, anything in the organization, and move between projects."""
    for before in product(HELD, repeat=3):
        for wanted in product(WANTED, repeat=3):
            names = ("ann", "bob", "cid")
            does = {name: holds(words, web="admin") for name, words in zip(names, before, strict=True)}
            should = {name: holds(words, app="admin") for name, words in zip(names, wanted, strict=True)}
            yield live(does), desired(should)


@pytest.mark.parametrize("stored_as", StoredAs)
def test_no_prefix_of_a_plan_has_fewer_admins_than_the_start_or_the_end(stored_as: StoredAs) -> None:
    groups = None if stored_as is StoredAs.USER_ROLES else frozenset({(ORGANIZATION, Role.ADMIN)})
    for state, should in transitions():
        planned = build(drift.detect(should, state), organization(stored_as=stored_as), "x", groups)
        numbers = list(_admins_after_each_change(planned, state))
        assert min(numbers) >= min(numbers[0], numbers[-1])


def _admins_after_each_change(planned: Plan, state: LiveState) -> Iterator[int]:
    roles = state.roles
    yield len(admins(replace(state, roles=roles)))
    for change in planned.changes:
        if not isinstance(change, CreateGroup):
            roles = after(plan(change), roles)
        yield len(admins(replace(state, roles=roles)))


# Accounts.


def with_joiners(state: LiveState, *names: str) -> LiveState:
    joiners = {joiner(name).id: joiner(name) for name in names}
    return replace(state, people={**state.people, **joiners})


def creations(state: LiveState, number: int, **settings: Any) -> tuple[Violation, ...]:
    names = [f"new{index}" for index in range(number)]
    created = [create_user(name) for name in names]
    return check(*created, state=with_joiners(state, *names), limits=limits(**settings))


@pytest.mark.parametrize("allowed", [0, 1, 50])
def test_so_many_accounts_may_be_created_at_once(allowed: int) -> None:
    assert Guardrails().creations == 50
    assert creations(holding(9), allowed, creations=allowed) == ()
    [violation] = creations(holding(9), allowed + 1, creations=allowed)
    assert (violation.guardrail, violation.measured, violation.limit) == ("creations", allowed + 1, allowed)
    assert violation.approvable


def test_what_is_wrong_with_too_many_creations_is_said() -> None:
    [violation] = creations(live({"ann": holds("admin"), "bob": holds()}), 2, creations=1)
    made = [create_user("new0"), create_user("new1")]
    assert violation == Violation(
        "creations",
        2,
        1,
        "2 people would get an account; 1 may at once",
        "check who is in the groups, and whether they have accounts under other names; if each of them "
        "should get one, raise `guardrails.creations` in the policy or do it in steps" + approve(*made),
        ("new0@acme.example", "new1@acme.example"),
        True,
    )


def test_so_many_accounts_may_be_corrected_at_once() -> None:
    def corrected(number: int) -> tuple[Violation, ...]:
        changes = [correct(f"p{index}", display_name="X") for index in range(number)]
        return check(*changes, state=holding(9), limits=limits(corrections=1))

    assert Guardrails().corrections == 50
    assert corrected(1) == ()
    [violation] = corrected(2)
    assert (violation.guardrail, violation.measured, violation.limit) == ("corrections", 2, 1)
    assert violation.message == "2 people would get another name or e-mail; 1 may at once"
    assert violation.remedy.startswith("check whether `directory.attributes` names what the server should")
    assert violation.approvable


def test_who_is_created_and_made_admin_is_an_admin_gained() -> None:
    state = with_joiners(live({"ann": holds("admin")}), "joe")
    made = seat(joiner("joe"))
    [violation] = check(create_user("joe"), made, state=state, limits=limits(admins_gained=0))
    assert (violation.guardrail, violation.people) == ("admins_gained", ("joe@acme.example",))


def test_who_is_created_sits_in_the_seat_that_another_leaves() -> None:
    state = with_joiners(live({"ann": holds("admin")}), "joe")
    one = limits(minimum_admins=1)
    assert broken(create_user("joe"), seat(joiner("joe")), unseat("ann"), state=state, limits=one) == []
    assert broken(create_user("joe"), unseat("ann"), state=state, limits=one) == ["minimum_admins"]


CLOSING = [deactivate, delete_user]


@pytest.mark.parametrize("close", CLOSING, ids=["deactivates", "deletes"])
def test_shutting_an_admin_out_unseats_them(close: Callable[[Principal], Change]) -> None:
    state = live({"ann": holds("admin"), "bob": holds("admin"), "cid": holds("viewer")})
    floor = limits(minimum_admins=2)
    [violation] = check(close(principal("bob")), state=state, limits=floor)
    assert violation == Violation(
        "minimum_admins",
        1,
        2,
        "the number of organization admins would fall from 2 to 1; at least 2 must stay",
        "give the admin role to somebody else first, in the same policy or in an earlier one",
        ("bob@acme.example",),
    )
    assert broken(close(principal("cid")), state=state, limits=floor) == []
    assert broken(close(principal("bob")), state=state, limits=limits(minimum_admins=1)) == []
    required = limits(required_admins=("BOB@acme.example", "cid@acme.example"))
    [violation] = check(close(principal("bob")), close(principal("cid")), state=state, limits=required)
    assert (violation.guardrail, violation.people) == ("required_admins", ("bob@acme.example",))


def test_an_admin_who_loses_the_role_and_the_account_is_unseated_once() -> None:
    state = live({"ann": holds("admin"), "bob": holds("admin")})
    [violation] = check(
        unseat("bob"), deactivate("bob"), state=state, limits=limits(required_admins=("bob@acme.example",))
    )
    assert (violation.measured, violation.people) == (1, ("bob@acme.example",))
    assert broken(unseat("bob"), deactivate("bob"), state=state, limits=limits(minimum_admins=1)) == []


def test_who_comes_back_as_admin_is_an_admin_gained_and_no_successor_before() -> None:
    rex = principal("rex", active=False)
    state = live({"ann": holds("admin"), "rex": holds("admin")}, rex)
    back = reactivate(rex)
    assert guardrails.admins_after(plan(back), state) == {"u-ann", "u-rex"}
    [violation] = check(back, state=state, limits=limits(admins_gained=0))
    assert (violation.guardrail, violation.measured, violation.people) == (
        "admins_gained",
        1,
        ("rex@acme.example",),
    )
    one = limits(minimum_admins=1)
    assert broken(unseat("ann"), back, state=state, limits=one) == ["minimum_admins"]
    assert broken(back, deactivate("ann"), state=state, limits=one) == []
    assert broken(unseat(rex), back, state=state, limits=limits(admins_gained=0)) == []


def test_who_comes_back_and_is_made_admin_meanwhile_is_one_only_once_they_are_back() -> None:
    rex = principal("rex", active=False)
    state = live({"ann": holds("admin")}, rex)
    changes = seat(rex), reactivate(rex)
    assert guardrails.admins_after(plan(*changes), state) == {"u-ann", "u-rex"}
    assert guardrails.admins_after(plan(seat(rex)), state) == {"u-ann"}
    assert guardrails.admins_after(plan(reactivate(rex)), state) == {"u-ann"}


def test_everybody_who_is_shut_out_counts_once_among_those_who_are_deactivated() -> None:
    state = holding(10)
    gone = principal("p03", active=False)
    state = replace(state, people={**state.people, gone.id: gone})
    changes: list[Change] = [lose("p01"), deactivate("p01"), deactivate("p02"), lose(gone), delete_user(gone)]
    [violation] = check(*changes, state=state, limits=limits(deactivations=Limit(2, 100)))
    assert violation == Violation(
        "deactivations",
        3,
        2,
        "3 people would be deactivated, or lose roles for it; 2 may at once (100 % of 10 people with roles, "
        "and never more than 2)",
        "check that each of them should; if so, raise `guardrails.deactivations` in the policy or do it in "
        "steps" + approve(*changes),
        ("p01@acme.example", "p02@acme.example", "p03@acme.example"),
        True,
    )
    assert broken(*changes, state=state, limits=limits(deactivations=Limit(3, 100))) == []


def test_who_comes_back_or_is_corrected_is_not_deactivated() -> None:
    assert (
        broken(reactivate(), correct("p01", display_name="P"), state=holding(10), limits=Guardrails()) == []
    )


TOUCHING: dict[str, Change] = {
    "creates": create_user("ann"),
    "corrects": correct("ann", display_name="Ann"),
    "reactivates": reactivate("ann"),
    "deactivates": deactivate("ann"),
    "deletes": delete_user("ann"),
}


@pytest.mark.parametrize("kind", TOUCHING)
def test_a_protected_person_is_protected_from_every_kind_of_change(kind: str) -> None:
    state = live({"ann": holds("viewer"), "bob": holds()})
    change = TOUCHING[kind]
    [violation] = check(change, state=state, limits=limits(protected=("Ann@ACME.example",)))
    assert violation == Violation(
        "protected",
        1,
        0,
        "the plan would change the roles or accounts of 1 person whom the policy protects; none may be "
        "touched",
        "take them off `guardrails.protected` in a change of its own, if that is what is meant",
        ("ann@acme.example",),
    )
    assert broken(change, state=state, limits=limits(protected=("bob@acme.example",))) == []


def test_a_protected_person_whose_roles_and_account_change_is_one_person() -> None:
    state = live({"ann": holds("viewer", web="admin")})
    protected = limits(protected=("ann@acme.example",))
    [violation] = check(lose("ann"), deactivate("ann"), state=state, limits=protected)
    assert (violation.measured, violation.people) == (1, ("ann@acme.example",))


@pytest.mark.parametrize("close", CLOSING, ids=["deactivates", "deletes"])
def test_a_protected_person_who_can_not_be_found_could_be_shut_out_unseen(
    close: Callable[[str], Change],
) -> None:
    unknown = limits(protected=("zed@acme.example",))
    assert broken(close("ann"), state=holding(2), limits=unknown) == ["protected"]
    assert broken(reactivate("ann"), state=holding(2), limits=unknown) == []


@pytest.mark.parametrize("close", CLOSING, ids=["deactivates", "deletes"])
def test_the_user_of_the_token_is_not_shut_out(close: Callable[[str], Change]) -> None:
    [violation] = check(close("ann"), state=live({"ann": holds()}), limits=UNLIMITED, token_user="u-ann")
    assert violation == Violation(
        "own_user",
        1,
        0,
        "the user whose token this is would lose their account, and with it the token its rights",
        "use the token of a user who keeps the role, or keep this one in a group that gives it"
        + approve(close("ann")),
        ("ann@acme.example",),
        True,
    )
    assert broken(close("bob"), state=holding(2), limits=UNLIMITED, token_user="u-ann") == []


def test_the_user_of_the_token_may_come_back_and_be_corrected() -> None:
    changes = reactivate("ann"), correct("ann", display_name="Ann")
    assert broken(*changes, state=live({"ann": holds()}), limits=UNLIMITED, token_user="u-ann") == []


@pytest.mark.parametrize(
    ("change", "takes"),
    [
        (create_user(), False),
        (correct("ann", display_name="Ann"), False),
        (reactivate(), False),
        (deactivate(), True),
        (delete_user(), True),
    ],
    ids=["creates", "corrects", "reactivates", "deactivates", "deletes"],
)
def test_a_plan_takes_where_somebody_is_shut_out(change: Change, takes: bool) -> None:
    assert guardrails.takes(plan(gain("bob"), change)) is takes


def test_who_is_shut_out_says_nothing_of_an_empty_group() -> None:
    state, none = live({"ann": holds(web="admin"), "bob": holds(web="admin")}), limits(emptied_groups=0)
    should = desired(empty_groups=(empty_group(web="admin"),))
    assert broken(lose("ann"), state=state, limits=none, should=should) == ["emptied_groups"]
    assert broken(lose("ann"), deactivate("ann"), state=state, limits=none, should=should) == []
    [violation] = check(lose("ann"), lose("bob"), deactivate("ann"), state=state, limits=none, should=should)
    assert violation.people == ("bob@acme.example",)


def test_no_approval_is_offered_where_it_would_not_cover_all_that_is_broken() -> None:
    people = [principal(name) for name in ("ann", "ben", "cho")]
    before = live({name: holds("admin") for name in ("ann", "ben", "cho")}, *people)
    planned = plan(*map(unseat, people))
    found = guardrails.check(
        planned, desired(), before, limits(minimum_admins=2, demotions=NOBODY), token_user=None, now=NOW
    )
    assert {violation.guardrail for violation in found} == {"minimum_admins", "demotions"}
    assert not [violation for violation in found if "--approve" in violation.remedy]
