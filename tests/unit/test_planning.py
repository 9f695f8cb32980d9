"""The reading half of a run: both sides are read once, and what comes of it is a checked plan."""

from collections.abc import Collection
from dataclasses import dataclass, replace
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
    deactivate,
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
    principal,
    provenance,
    scope_change,
    set_roles,
    some,
)
from recording import numbered, outcome, story, write

from reconciler import history, planning
from reconciler.change import Change, CreateGroup, CreateUser, SetActive
from reconciler.errors import ReadError
from reconciler.finding import Kind
from reconciler.model import ORGANIZATION, LiveState, Member, Membership, Role
from reconciler.people.population import Past
from reconciler.plan import Plan
from reconciler.planning import Prepared
from reconciler.policy.document import (
    DirectoryKind,
    DirectorySettings,
    GroupRef,
    Guardrails,
    Lifecycle,
    Limit,
    Mode,
    Policy,
    StoredAs,
)
from reconciler.ports import ProvisioningFailure
from reconciler.problem import Problem

LATER = NOW + timedelta(days=30)
"""An end that nobody need be told of yet."""
STATE = live({"ann": holds("admin"), "bob": holds(web="viewer")})


def test_a_plan_is_made_of_what_both_sides_say_and_remembers_the_live_state() -> None:
    server, groups = Server(STATE), Groups(membership(group("eng", "bob")))
    asks = policy(
        binding("eng", web="admin", line=4),
        grant("ann", "admin", expires=LATER),
        binding("lost", web="viewer"),
    )
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
    asks = policy(binding("ops", "admin"), grant("bob", web="viewer", expires=LATER), of=strict)
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


# People's lives, where the directory knows of them.

EVERYBODY = (
    Member(user_name="bob@acme.example", external_id="x-bob", active=True, display_name="Bob"),
    Member(user_name="cid@acme.example", external_id="x-cid", active=True),
    Member(user_name="dan@acme.example", external_id="x-dan", active=True),
    Member(user_name="eve@acme.example", external_id="x-eve", active=True),
)
"""Ann has left, Bob is called otherwise, Cid comes back, Dan joins, and Eve has an account and no group."""
LIFE = Lifecycle(creates=True, deactivates=True, reactivates=True, repairs=True)
LIVES = LiveState(
    {
        one.id: one
        for one in (
            principal("ann", external_id="x-ann")._replace(display_name="Ann"),
            principal("bob", user_name="old@acme.example", external_id="x-bob"),
            principal("cid", external_id="x-cid", active=False),
            principal("eve", external_id="x-eve"),
        )
    },
    {"u-ann": holds("admin"), "u-eve": holds("viewer")},
)


@dataclass
class Idp(Groups):
    """A directory that keeps whether everybody was asked for, and how often its log was."""

    asked_everybody: bool | None = None
    asked_log: int = 0

    def read(self, groups: Collection[GroupRef], *, everybody: bool = False) -> Membership:
        self.asked_everybody = everybody
        return super().read(groups, everybody=everybody)

    def failures(self) -> tuple[ProvisioningFailure, ...]:
        self.asked_log += 1
        return super().failures()


def idp(*eng: Member) -> Idp:
    return Idp(Membership((group("eng", *eng),), frozenset(), frozenset(EVERYBODY)))


def living(rules: Lifecycle = LIFE, *, log: bool = False, kind: DirectoryKind = DirectoryKind.OKTA) -> Policy:
    settings = DirectorySettings(kind, log=log)
    of = replace(organization(), directory=settings, lifecycle=rules)
    return policy(binding("eng", "viewer"), of=of)


def test_lives_and_roles_become_one_plan_in_the_order_of_its_stages() -> None:
    prepared = planning.prepare(living(), Server(LIVES), idp(*EVERYBODY[:3]), NOW)
    told = [(type(change).__name__, user(change)) for change in prepared.plan.changes]
    assert told == [
        ("CreateUser", "dan@acme.example"),
        ("SetRoles", "cid@acme.example"),
        ("SetRoles", "dan@acme.example"),
        ("SetRoles", "old@acme.example"),
        ("SetRoles", "eve@acme.example"),
        ("SetRoles", "ann@acme.example"),
        ("SetAttributes", "old@acme.example"),
        ("SetActive", "cid@acme.example"),
        ("SetActive", "ann@acme.example"),
    ]
    assert prepared.plan.problems == ()
    assert prepared.live.people.keys() == {*LIVES.people, "new:dan@acme.example"}
    assert prepared.live.roles == LIVES.roles
    assert prepared.leavers is None


def user(change: Change) -> str:
    assert not isinstance(change, CreateGroup)
    return change.principal.user_name


def test_who_is_given_nothing_is_not_part_of_the_live_state() -> None:
    dan = Member(user_name="dan@acme.example", active=True)
    asks = living()
    contractors = person_class("contractor", groups=["eng"], named=True)
    of = replace(asks.organization, classes={"contractor": contractors})
    prepared = planning.prepare(replace(asks, organization=of), Server(STATE), idp(dan), NOW)
    assert prepared.live.people.keys() == STATE.people.keys()
    assert not any(isinstance(change, CreateUser) for change in prepared.plan.changes)


def test_leavers_are_to_be_remembered_where_they_have_a_grace() -> None:
    prepared = planning.prepare(living(replace(LIFE, grace=3)), Server(LIVES), idp(), NOW)
    assert prepared.leavers == (LIVES.people["u-ann"],)
    assert "u-ann" not in {change.principal.id for change in prepared.plan.people}
    later = Past(told={"u-ann": NOW - timedelta(days=3)})
    prepared = planning.prepare(living(replace(LIFE, grace=3)), Server(LIVES), idp(), NOW, later)
    assert "u-ann" in {change.principal.id for change in prepared.plan.people}


def test_the_user_of_the_token_is_asked_for_once_and_left_alone() -> None:
    server = Server(LIVES, me="u-ann")
    prepared = planning.prepare(living(), server, idp(*EVERYBODY), NOW)
    assert server.asked_who == 1
    assert not any(isinstance(change, SetActive) and not change.after for change in prepared.plan.changes)
    assert [one.guardrail for one in prepared.violations] == ["own_user"]


@pytest.mark.parametrize(
    ("kind", "everybody"), [(DirectoryKind.SCIM, False), (DirectoryKind.FILE, True)], ids=["own", "another"]
)
def test_everybody_is_asked_for_unless_the_server_is_its_own_directory(
    kind: DirectoryKind, everybody: bool
) -> None:
    directory = idp()
    planning.prepare(living(Lifecycle(), kind=kind), Server(LIVES), directory, NOW)
    assert (directory.asked_everybody, directory.asked_log) == (everybody, 0)


def test_the_log_is_read_where_the_policy_says_so() -> None:
    eve, dan = EVERYBODY[3], EVERYBODY[2]
    since = NOW - timedelta(days=2)
    directory = idp(dan, eve)
    directory.log = (ProvisioningFailure(dan, since, "no licence left"),)
    prepared = planning.prepare(living(Lifecycle(), log=True), Server(LIVES), directory, NOW)
    (found,) = (one for one in prepared.plan.findings if one.kind is Kind.UNPROVISIONED)
    message = "is in the directory (eng), and not on the server; its log says: no licence left"
    assert (found.subject, found.message, found.since) == ("dan@acme.example", message, since)


def test_groups_on_the_server_are_compared_where_it_shows_any() -> None:
    eve, bob = EVERYBODY[3], EVERYBODY[0]
    pushed = Groups(membership(group("eng", "bob")))
    prepared = planning.prepare(living(Lifecycle()), Server(LIVES), idp(eve, bob), NOW, pushed=pushed)
    assert pushed.asked == {GroupRef("eng")}
    assert [one.subject for one in prepared.plan.findings if one.kind is Kind.UNPROVISIONED] == [
        "eve@acme.example"
    ]
    silent = planning.prepare(
        living(Lifecycle()), Server(LIVES), idp(eve, bob), NOW, pushed=BrokenGroups(membership())
    )
    assert not any(one.kind is Kind.UNPROVISIONED for one in silent.plan.findings)


def test_a_problem_of_somebody_who_can_not_be_told_is_one_of_the_plan() -> None:
    twin = EVERYBODY[0]._replace(external_id="x-twin", user_name="old@acme.example")
    prepared = planning.prepare(living(), Server(LIVES), idp(twin, *EVERYBODY), NOW)
    assert [problem.message for problem in prepared.plan.problems] == [
        "the directory has 2 people who are 'old@acme.example' on the server: "
        "'bob@acme.example' (x-bob), 'old@acme.example' (x-twin)"
    ]


def test_a_directory_that_lists_nobody_yields_no_plan() -> None:
    nobody = Groups(Membership((group("eng"),), frozenset(), frozenset()))
    with pytest.raises(ReadError, match="not a single person"):
        planning.prepare(living(), Server(LIVES), nobody, NOW)


def test_the_way_back_of_accounts_is_planned_and_checked_like_any_other() -> None:
    person = {"id": "u-bob", "user": "bob@acme.example"}
    change = {"kind": "set-active", **person, "before": False, "after": True}
    [run] = history.runs(numbered(story(write(1, change), outcome())))
    server = Server(STATE, me="u-bob")
    prepared, back = planning.prepare_undo(policy(), run, "ledger.jsonl", server, NOW)
    bob = STATE.people["u-bob"]
    assert prepared.plan == plan(deactivate(bob, f"undoes run {run.id} (ledger.jsonl:2)"))
    assert back.accounts == prepared.plan.changes
    assert [one.guardrail for one in prepared.violations] == ["own_user"]
    assert server.asked_who == 1
