"""The reading half of a run: both sides are read once, and what comes of it is a checked plan."""

from collections.abc import Collection
from datetime import timedelta

import pytest
from build import (
    NOW,
    SERVER,
    WEB,
    Groups,
    Server,
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
    plan,
    policy,
    provenance,
    scope_change,
    set_roles,
    some,
)

from reconciler import planning
from reconciler.errors import ReadError
from reconciler.model import ORGANIZATION, LiveState, Membership, Role
from reconciler.plan import Plan
from reconciler.planning import Prepared
from reconciler.policy.document import GroupRef, Guardrails, Limit, Mode, StoredAs
from reconciler.problem import Problem

STATE = live({"ann": holds("admin"), "bob": holds(web="viewer")})


def test_a_plan_is_made_of_what_both_sides_say_and_remembers_the_live_state() -> None:
    server, groups = Server(STATE), Groups(membership(group("eng", "bob")))
    asks = policy(binding("eng", web="admin", line=4), grant("ann", "admin"), binding("lost", web="viewer"))
    prepared = planning.prepare(asks, server, groups, NOW)
    change = set_roles("bob", scope_change(WEB, "viewer", "admin", provenance("eng", "admin", line=4)))
    remedy = "correct the name, or say what it was called before with `previously:`"
    problem = Problem(at(1), "the directory has no group 'lost'", remedy)
    assert prepared == Prepared(Plan("acme", SERVER, Mode.ENFORCE, (change,), (), (problem,)), STATE, ())
    assert server.reads == 1
    assert groups.asked == {GroupRef("eng"), GroupRef("lost")}


def test_the_groups_of_classes_are_read_like_those_of_bindings() -> None:
    groups = Groups(membership(group("eng", "bob"), group("contractors", "bob")))
    of = organization(classes=[person_class(groups=["contractors"], highest="contributor")])
    prepared = planning.prepare(policy(binding("eng", web="admin"), of=of), Server(STATE), groups, NOW)
    assert groups.asked == {GroupRef("eng"), GroupRef("contractors")}
    (bob,) = (change for change in prepared.plan.people if change.principal.id == "u-bob")
    assert [(scope.scope, scope.after) for scope in bob.scopes] == [(WEB, some("contributor"))]


def test_what_people_lose_whose_time_is_over_counts_as_an_expiry_and_as_nothing_else() -> None:
    none = Limit(count=0, percent=0)
    strict = Guardrails(0, (), none, none, none, none, none)
    ended = person("bob", ends=NOW - timedelta(days=1))
    asks = policy(binding("ops", "admin"), ended, of=organization(guardrails=strict))
    prepared = planning.prepare(asks, Server(STATE), Groups(membership(group("ops", "ann"))), NOW)
    assert [(one.guardrail, one.people) for one in prepared.violations] == [
        ("expiries", ("bob@acme.example",))
    ]


def test_the_guardrails_of_the_policy_are_checked() -> None:
    strict = organization(
        guardrails=Guardrails(1, (), Limit(count=0, percent=100), emptied_groups=0, longest_grant=1)
    )
    asks = policy(binding("ops", "admin"), grant("bob", web="viewer"), of=strict)
    prepared = planning.prepare(asks, Server(STATE), Groups(membership(group("ops"))), NOW)
    assert prepared.plan == plan(set_roles("ann", scope_change(ORGANIZATION, "admin", "")))
    assert [(one.guardrail, one.people) for one in prepared.violations] == [
        ("minimum_admins", ("ann@acme.example",)),
        ("removals", ("ann@acme.example",)),
        ("emptied_groups", ("ann@acme.example",)),
        ("longest_grant", ("bob@acme.example",)),
    ]


@pytest.mark.parametrize(
    ("me", "refused"), [("u-ann", ["own_user"]), ("u-bob", []), (None, [])], ids=["own", "other", "nobody's"]
)
def test_the_user_of_the_token_is_asked_for_where_a_plan_takes(me: str | None, refused: list[str]) -> None:
    server = Server(STATE, me=me)
    prepared = planning.prepare(policy(grant("bob", web="viewer")), server, Groups(membership()), NOW)
    assert [one.guardrail for one in prepared.violations] == refused
    assert server.asked_who == 1


def test_the_user_of_the_token_is_not_asked_for_where_a_plan_takes_nothing() -> None:
    server = Server(STATE, me="u-ann")
    asks = policy(grant("ann", "admin"), grant("bob", "viewer", web="admin"))
    assert planning.prepare(asks, server, Groups(membership()), NOW).plan.people
    in_report = policy(of=organization(Mode.REPORT))
    assert planning.prepare(in_report, server, Groups(membership()), NOW).plan.withheld
    assert server.asked_who == 0


class ShyServer(Server):
    def token_user(self) -> str | None:
        raise ReadError("/Me is short")


def test_a_plan_that_takes_is_none_where_the_user_of_the_token_cannot_be_told() -> None:
    with pytest.raises(ReadError, match="is short"):
        planning.prepare(policy(grant("ann", "admin")), ShyServer(STATE), Groups(membership()), NOW)


def test_the_moment_is_given() -> None:
    asks = policy(grant("ann", "admin", expires=NOW), grant("bob", web="viewer"))
    in_time = planning.prepare(asks, Server(STATE), Groups(membership()), NOW)
    late = planning.prepare(asks, Server(STATE), Groups(membership()), NOW.replace(hour=13))
    assert not in_time.plan.drifted
    assert [change.principal.id for change in late.plan.people] == ["u-ann"]


def test_the_role_groups_that_exist_decide_which_are_created() -> None:
    asks = policy(
        grant("bob", web="admin"), grant("ann", "admin"), of=organization(stored_as=StoredAs.GROUPS)
    )
    state = live({"ann": holds("admin"), "bob": holds()}, role_groups=frozenset({(ORGANIZATION, Role.ADMIN)}))
    prepared = planning.prepare(asks, Server(state), Groups(membership()), NOW)
    assert [change.stage.name for change in prepared.plan.changes] == ["CREATE", "PROMOTE"]


class BrokenServer(Server):
    def read(self) -> LiveState:
        raise ReadError("the listing of users is short")


class BrokenGroups(Groups):
    def read(self, groups: Collection[GroupRef], *, everybody: bool = False) -> Membership:
        raise ReadError("the listing of groups is short")


@pytest.mark.parametrize(
    ("server", "groups"),
    [(BrokenServer(STATE), Groups(membership())), (Server(STATE), BrokenGroups(membership()))],
    ids=["people", "groups"],
)
def test_nothing_follows_from_a_side_that_could_not_be_read_whole(server: Server, groups: Groups) -> None:
    with pytest.raises(ReadError, match="is short"):
        planning.prepare(policy(), server, groups, NOW)
