"""Which plans are refused, and which are not: each limit at its edges."""

from collections.abc import Iterator
from itertools import product

import pytest
from build import APP, WEB, desired, holds, live, organization, plan, principal, scope_change, set_roles

from reconciler import drift, guardrails
from reconciler.change import CreateGroup, ScopeChange, SetRoles
from reconciler.guardrails import Violation, admins
from reconciler.model import ORGANIZATION, DesiredState, LiveState, Principal, Role
from reconciler.plan import Plan, after, build
from reconciler.policy.document import Guardrails, Limit, Mode, StoredAs

LOOSE = Limit(count=1000, percent=100)
NAMES = [f"p{number:02}" for number in range(20)]


def limits(minimum_admins: int = 0, protected: tuple[str, ...] = (), removals: Limit = LOOSE) -> Guardrails:
    return Guardrails(minimum_admins, protected, removals)


def seat(name: str) -> SetRoles:
    return set_roles(name, scope_change(ORGANIZATION, "viewer", "admin"))


def unseat(name: str) -> SetRoles:
    return set_roles(name, scope_change(ORGANIZATION, "admin", "viewer"))


def lose(who: str | Principal) -> SetRoles:
    return set_roles(who, scope_change(WEB, "admin", ""))


def gain(who: str | Principal) -> SetRoles:
    return set_roles(who, scope_change(WEB, "", "admin"))


def check(
    *changes: SetRoles, state: LiveState, limits: Guardrails, should: DesiredState | None = None
) -> tuple[Violation, ...]:
    return guardrails.check(plan(*changes), should or desired(), state, limits)


def broken(*changes: SetRoles, state: LiveState, limits: Guardrails) -> list[str]:
    return [violation.guardrail for violation in check(*changes, state=state, limits=limits)]


def holding(number: int) -> LiveState:
    return live(dict.fromkeys(NAMES[:number], holds("viewer", web="admin")))


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
    changes = [*map(unseat, NAMES[:unseated]), *map(seat, NAMES[3 : 3 + seated])]
    found = broken(*changes, state=admins_and_others(population), limits=limits(minimum))
    assert found == (["minimum_admins"] if refused else [])


def test_who_would_be_unseated_is_named() -> None:
    state = live({"zoe": holds("admin"), "abe": holds("admin"), "ann": holds("viewer")})
    found = check(unseat("zoe"), unseat("abe"), seat("ann"), state=state, limits=limits(3))
    assert found == (
        Violation(
            "minimum_admins",
            "the number of organization admins would fall from 2 to 1; at least 2 must stay",
            "give the admin role to somebody else first, in the same policy or in an earlier one",
            ("abe@acme.example", "zoe@acme.example"),
        ),
    )


@pytest.mark.parametrize(
    ("active", "counts"),
    [(True, True), (None, True), (False, False)],
    ids=["active", "not said", "not active"],
)
def test_an_admin_who_is_not_active_does_not_count(active: bool | None, counts: bool) -> None:
    state = live({"ann": holds("admin"), "bob": holds("admin")}, principal("ann", active=active))
    assert admins(state, state.roles) == ({"u-ann", "u-bob"} if counts else {"u-bob"})
    assert broken(unseat("ann"), state=state, limits=limits(2)) == (["minimum_admins"] if counts else [])
    assert broken(unseat("bob"), state=state, limits=limits(1)) == ([] if counts else ["minimum_admins"])


def test_an_inactive_successor_does_not_count() -> None:
    state = live({"ann": holds("admin"), "bob": holds("viewer")}, principal("bob", active=False))
    assert broken(unseat("ann"), seat("bob"), state=state, limits=limits(1)) == ["minimum_admins"]


def test_an_admin_of_a_project_is_no_admin_of_the_organization() -> None:
    state = live({"ann": holds("viewer", web="admin"), "bob": holds(organization="admin")})
    assert admins(state, state.roles) == frozenset()


def test_an_admin_who_is_rid_of_a_lower_role_stays_one() -> None:
    state = live({"ann": holds("admin viewer")})
    change = set_roles("ann", scope_change(ORGANIZATION, "admin viewer", "admin"))
    assert broken(change, state=state, limits=limits(2)) == []


# Protected people.


def test_a_plan_that_touches_protected_people_is_refused_even_if_it_gives() -> None:
    state = live({}, principal("ann", user_name="Ann@acme.example"), principal("bob"))
    found = check(
        gain(state.people["u-ann"]), gain("bob"), state=state, limits=limits(protected=("ann@ACME.example",))
    )
    assert found == (
        Violation(
            "protected",
            "the plan would change the roles of people who are protected",
            "take them off `guardrails.protected` in a change of its own, if that is what is meant",
            ("Ann@acme.example",),
        ),
    )


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ([lose("ann")], True),
        ([set_roles("ann", scope_change(WEB, "admin", "viewer"))], True),
        ([gain("ann")], False),
        ([set_roles("ann", scope_change(WEB, "admin viewer", "admin"))], False),
        ([], False),
    ],
    ids=["somebody loses", "somebody is lowered", "somebody gains", "a surplus goes", "nothing"],
)
def test_a_protected_name_that_fits_nobody_refuses_whatever_takes(
    changes: list[SetRoles], refused: bool
) -> None:
    state = live({"ann": holds(web="admin"), "bob": holds("admin")})
    protected = ("bob@acme.example", "brake-glass@acme.example")
    found = check(*changes, state=state, limits=limits(protected=protected))
    violation = Violation(
        "protected",
        "people who are protected are not on the server, so the plan could take their roles unseen",
        "correct their names in `guardrails.protected`: they may have been renamed",
        ("brake-glass@acme.example",),
    )
    assert found == ((violation,) if refused else ())


# How many may lose at once.


@pytest.mark.parametrize(
    ("population", "limit", "allowed"),
    [
        (1, Limit(10, 20), 1),
        (2, Limit(10, 20), 1),
        (9, Limit(10, 20), 1),
        (10, Limit(10, 20), 2),
        (11, Limit(10, 20), 2),
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
    state = live({"ann": holds()})
    assert broken(gain("ann"), state=state, limits=limits(removals=Limit(count, percent))) == []


NOBODY = Limit(count=0, percent=0)


@pytest.mark.parametrize(
    ("scopes", "counts"),
    [
        ([scope_change(WEB, "admin", "")], True),
        ([scope_change(WEB, "admin", "contributor")], True),
        ([scope_change(WEB, "admin viewer", "viewer")], True),
        ([scope_change(WEB, "admin", ""), scope_change(APP, "viewer", "admin")], True),
        ([scope_change(WEB, "viewer", "admin")], False),
        ([scope_change(WEB, "admin viewer", "admin")], False),
    ],
    ids=["loses", "is lowered", "lower beside higher", "moves", "gains", "is rid of a surplus"],
)
def test_who_loses_or_is_lowered_counts_and_who_gains_or_is_rid_of_a_surplus_does_not(
    scopes: list[ScopeChange], counts: bool
) -> None:
    found = broken(set_roles("p00", *scopes), state=holding(5), limits=limits(removals=NOBODY))
    assert found == (["removals"] if counts else [])


def test_somebody_who_loses_in_several_scopes_and_changes_counts_once() -> None:
    first = set_roles("p00", scope_change(WEB, "admin", "viewer"), scope_change(APP, "admin", ""))
    second = set_roles("p00", scope_change(WEB, "viewer", ""))
    assert broken(first, second, state=holding(5), limits=limits(removals=Limit(1, 100))) == []


def test_somebody_who_joins_before_they_leave_to_gain_does_not_count() -> None:
    join = set_roles("p00", scope_change(WEB, "viewer", "admin viewer"))
    leave = set_roles("p00", scope_change(WEB, "admin viewer", "admin"))
    assert broken(join, leave, state=holding(5), limits=limits(removals=NOBODY)) == []


def test_people_without_roles_do_not_swell_the_number_of_which_a_percentage_is_taken() -> None:
    state = live({"ann": holds(web="admin"), "bob": holds(web="admin")} | dict.fromkeys(NAMES, holds()))
    found = check(lose("ann"), lose("bob"), state=state, limits=limits(removals=Limit(10, 50)))
    assert found == (
        Violation(
            "removals",
            "2 of 2 people with roles would lose one or be lowered; "
            "1 may at once (at most 50 % and at most 10)",
            "check that each of them should; if so, raise `guardrails.removals` in the policy, "
            "or do it in steps",
            ("ann@acme.example", "bob@acme.example"),
        ),
    )


# A policy that gives nothing.


@pytest.mark.parametrize(
    ("given", "changes", "refused"),
    [
        (0, [lose("ann")], True),
        (1, [lose("ann")], False),
        (0, [], False),
        (0, [set_roles("ann", scope_change(WEB, "admin viewer", "admin"))], False),
    ],
    ids=["takes", "gives something", "takes nothing", "only a surplus"],
)
def test_a_policy_that_grants_nothing_may_take_nothing(
    given: int, changes: list[SetRoles], refused: bool
) -> None:
    state = live({"ann": holds(web="admin"), "bob": holds("viewer"), "cid": holds()})
    found = check(*changes, state=state, limits=limits(), should=desired(given=given))
    violation = Violation(
        "empty_policy",
        "the policy grants nothing to anybody; 1 of 2 people with roles would lose one",
        "check that all policy files are there, and that the groups they name have members",
        ("ann@acme.example",),
    )
    assert found == ((violation,) if refused else ())


# What is not written is not refused.


EVERY_GUARDRAIL = ["minimum_admins", "protected", "removals", "empty_policy"]


@pytest.mark.parametrize(
    ("mode", "refused"), [(Mode.REPORT, []), (Mode.ADDITIVE, []), (Mode.ENFORCE, EVERY_GUARDRAIL)]
)
def test_only_a_plan_that_takes_can_be_refused_and_every_reason_is_told(
    mode: Mode, refused: list[str]
) -> None:
    state = live({"ann": holds("admin"), "bob": holds(web="admin"), "cid": holds()})
    should = desired({"cid": holds("viewer")}, given=0)
    planned = build(drift.detect(should, state), organization(mode), "https://scim.example")
    tight = limits(2, ("who@acme.example",), Limit(count=0, percent=0))
    found = guardrails.check(planned, should, state, tight)
    assert [violation.guardrail for violation in found] == refused


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
    yield len(admins(state, roles))
    for change in planned.changes:
        if not isinstance(change, CreateGroup):
            roles = after(plan(change), roles)
        yield len(admins(state, roles))
