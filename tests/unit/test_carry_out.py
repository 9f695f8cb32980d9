"""Carrying a plan out: what is written when, what is not, and what is said of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import build
import pytest
from build import holds, live, organization, principal
from fakes import FakeProvider, Fault, Notes

from reconciler import apply, drift, plan
from reconciler.change import (
    AccountChange,
    Change,
    CreateGroup,
    CreateUser,
    DeleteUser,
    Outcome,
    Result,
    SetActive,
    SetAttributes,
    SetRoles,
)
from reconciler.model import ORGANIZATION, DesiredState, Holdings, LiveState, Principal, Role
from reconciler.plan import Plan
from reconciler.policy.document import StoredAs

People = Mapping[str, Holdings]
Told = list[tuple[str, str, Result, str]]

APPLIED, FAILED, SKIPPED = Result
EARLIER = "an earlier change of the same person did not come about"
NOT_READ = "what came before it could not be read back"
NOT_TRIED = "not tried after 5 failures in a row"


@dataclass
class Run:
    """A plan from how people are to how they should be, and the server that it is for."""

    live: LiveState
    plan: Plan
    provider: FakeProvider
    progress: list[str] = field(default_factory=list)
    account: Notes = field(default_factory=Notes)

    def apply(self, minimum_admins: int = 0) -> Told:
        """What is told of each change: who, at which stage, what became of it, and why."""
        outcomes = apply.carry_out(
            self.plan, self.provider, self.live, minimum_admins, self.account, self._step
        )
        assert tuple(outcome.change for outcome in outcomes) == self.plan.changes
        return [told(outcome) for outcome in outcomes]

    @property
    def asked(self) -> list[str]:
        """The calls that the server saw, in short."""
        return [
            "read back " + " ".join(sorted(id_.removeprefix("u-") for id_ in call))
            if isinstance(call, frozenset)
            else f"{call.stage.name.lower()} {who(call)}"
            for call in self.provider.calls
        ]

    @property
    def admins(self) -> set[str]:
        held = self.provider.holdings().items()
        return {id_.removeprefix("u-") for id_, roles in held if Role.ADMIN in roles.get(ORGANIZATION, ())}

    def _step(self, change: Change) -> None:
        self.progress.append(who(change))


def run(
    before: People,
    wanted: People,
    *,
    stored_as: StoredAs = StoredAs.USER_ROLES,
    faults: Mapping[int, Fault] | None = None,
    read_faults: Mapping[int, Fault] | None = None,
    inactive: str = "",
) -> Run:
    everybody = {name: before.get(name, {}) for name in {**before, **wanted}}
    in_groups = stored_as is StoredAs.GROUPS
    held = {(scope, role) for holdings in before.values() for scope in holdings for role in holdings[scope]}
    state = live(everybody, role_groups=frozenset(held) if in_groups else None)
    if inactive:
        gone = principal(inactive, active=False)
        state = replace(state, people={**state.people, gone.id: gone})
    of = organization(stored_as=stored_as)
    planned = plan.build(drift.detect(build.desired(wanted), state), of, build.SERVER, state.role_groups)
    provider = FakeProvider.holding(of, state)
    provider.faults, provider.read_faults = faults or {}, read_faults or {}
    return Run(state, planned, provider)


def who(change: Change) -> str:
    match change:
        case CreateGroup():
            return change.name
        case SetRoles() | CreateUser() | SetAttributes() | SetActive() | DeleteUser():
            return change.principal.id.removeprefix("u-")


def told(outcome: Outcome) -> tuple[str, str, Result, str]:
    return (who(outcome.change), outcome.change.stage.name.lower(), outcome.result, outcome.detail)


SUCCESSION = (
    {"ann": holds("admin"), "bob": holds("admin"), "eve": holds("admin")},
    {"ann": holds("viewer"), "bob": holds("viewer"), "cat": holds("admin"), "eve": holds("admin")},
)
"""Ann and Bob give the admin role up, Cat gets it, Eve keeps it: with a floor of two, one can go before."""

MANY = [f"p{number:02}" for number in range(12)]


def promotions(count: int, faults: Mapping[int, Fault]) -> Run:
    return run({}, {name: holds("viewer") for name in MANY[:count]}, faults=faults)


def test_nothing_to_do_asks_nothing() -> None:
    same = {"ann": holds("admin")}
    nothing = run(same, same)

    assert nothing.apply() == []
    assert nothing.asked == []


@pytest.mark.parametrize("stored_as", StoredAs)
def test_everybody_ends_with_what_they_should_have(stored_as: StoredAs) -> None:
    before = {"ann": holds("admin viewer", web="viewer"), "bob": holds(web="admin"), "cat": holds("viewer")}
    wanted = {"ann": holds("contributor"), "bob": holds("admin"), "cat": holds("viewer", app="contributor")}
    work = run(before, wanted, stored_as=stored_as)

    assert {result for _, _, result, _ in work.apply()} == {APPLIED}
    assert work.provider.holdings() == build.by_id(wanted)


def test_each_stage_is_read_back_before_the_next() -> None:
    work = run(
        {
            "ann": holds("admin"),
            "bob": holds(web="admin"),
            "cat": holds("viewer", app="viewer"),
            "dan": holds("viewer"),
        },
        {"bob": holds("admin"), "cat": holds(web="viewer", app="viewer"), "eve": holds("viewer")},
    )

    assert work.apply() == [
        ("eve", "promote", APPLIED, ""),
        ("bob", "move", APPLIED, ""),
        ("cat", "move", APPLIED, ""),
        ("dan", "revoke", APPLIED, ""),
        ("ann", "unseat", APPLIED, ""),
    ]
    assert work.asked == [
        "promote eve",
        "read back eve",
        "move bob",
        "move cat",
        "read back bob cat",
        "revoke dan",
        "read back dan",
        "read back ann bob",
        "unseat ann",
        "read back ann bob",
    ]


def test_a_group_is_created_and_joined_before_another_is_left() -> None:
    work = run({"ann": holds("admin")}, {"ann": holds("viewer")}, stored_as=StoredAs.GROUPS)

    assert work.apply() == [
        ("circleci-org-viewer", "create", APPLIED, ""),
        ("ann", "promote", APPLIED, ""),
        ("ann", "unseat", APPLIED, ""),
    ]
    assert work.asked == [
        "create circleci-org-viewer",
        "promote ann",
        "read back ann",
        "read back ann",
        "unseat ann",
        "read back ann",
    ]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.REFUSED, "the server said no"),
        (Fault.DROPPED, "the server accepted it and did not keep it: organization"),
        (Fault.UNANSWERED, "the connection was reset"),
    ],
    ids=["refused", "dropped", "unanswered"],
)
def test_a_successor_who_failed_keeps_as_many_admins_as_must_stay(fault: Fault, words: str) -> None:
    work = run(*SUCCESSION, faults={1: fault})

    assert work.apply(minimum_admins=2) == [
        ("cat", "promote", FAILED, words),
        ("ann", "unseat", APPLIED, ""),
        ("bob", "unseat", SKIPPED, "organization admins left: 1; at least 2 must stay"),
    ]
    assert {"bob", "eve"} <= work.admins


def test_an_unseating_that_may_have_happened_counts_as_one() -> None:
    work = run(*SUCCESSION, faults={1: Fault.REFUSED, 2: Fault.UNANSWERED})

    assert [(name, result) for name, _, result, _ in work.apply(minimum_admins=2)] == [
        ("cat", FAILED),
        ("ann", FAILED),
        ("bob", SKIPPED),
    ]
    assert work.admins == {"bob", "eve"}


def test_an_unseating_that_failed_does_not_keep_another_from_being_tried() -> None:
    work = run(*SUCCESSION, faults={2: Fault.REFUSED})

    assert [(name, result) for name, _, result, _ in work.apply(minimum_admins=2)] == [
        ("cat", APPLIED),
        ("ann", FAILED),
        ("bob", APPLIED),
    ]


def test_with_fewer_admins_than_the_floor_from_the_start_none_is_lost_without_a_successor() -> None:
    work = run({"ann": holds("admin")}, {"bob": holds("admin")}, faults={1: Fault.REFUSED})

    assert [(name, result) for name, _, result, _ in work.apply(minimum_admins=2)] == [
        ("bob", FAILED),
        ("ann", SKIPPED),
    ]
    assert work.admins == {"ann"}


def test_with_fewer_admins_than_the_floor_from_the_start_one_can_follow_the_other() -> None:
    work = run({"ann": holds("admin")}, {"bob": holds("admin")})

    assert [(name, result) for name, _, result, _ in work.apply(minimum_admins=2)] == [
        ("bob", APPLIED),
        ("ann", APPLIED),
    ]


def test_an_admin_who_is_not_active_counts_for_nothing_and_can_always_go() -> None:
    before = {"ann": holds("admin"), "cat": holds("admin"), "zoë": holds("admin")}
    wanted = {"cat": holds("admin"), "dan": holds("admin")}
    work = run(before, wanted, inactive="zoë", faults={1: Fault.REFUSED})

    assert [(name, result) for name, _, result, _ in work.apply(minimum_admins=2)] == [
        ("dan", FAILED),
        ("ann", SKIPPED),
        ("zoë", APPLIED),
    ]


def test_who_could_not_join_a_group_does_not_leave_the_other() -> None:
    work = run(
        {"ann": holds("viewer"), "bob": holds("viewer"), "cat": holds("admin")},
        {"ann": holds("admin"), "bob": holds("admin"), "cat": holds("admin")},
        stored_as=StoredAs.GROUPS,
        faults={1: Fault.REFUSED},
    )

    assert work.apply() == [
        ("ann", "promote", FAILED, "the server said no"),
        ("bob", "promote", APPLIED, ""),
        ("ann", "revoke", SKIPPED, EARLIER),
        ("bob", "revoke", APPLIED, ""),
    ]
    assert work.provider.holdings()["u-ann"] == holds("viewer")


def test_whose_joining_was_not_kept_does_not_leave_the_other() -> None:
    work = run(
        {"ann": holds("viewer"), "cat": holds("admin")},
        {"ann": holds("admin"), "cat": holds("admin")},
        stored_as=StoredAs.GROUPS,
        faults={1: Fault.DROPPED},
    )

    assert work.apply() == [
        ("ann", "promote", FAILED, "the server accepted it and did not keep it: organization"),
        ("ann", "revoke", SKIPPED, EARLIER),
    ]
    assert work.provider.holdings()["u-ann"] == holds("viewer")


def test_a_group_that_could_not_be_created_skips_who_needs_it_and_nobody_else() -> None:
    work = run(
        {"ann": holds(web="viewer"), "dan": holds("viewer")},
        {"ann": holds(web="admin"), "bob": holds("viewer"), "cat": holds(web="viewer")},
        stored_as=StoredAs.GROUPS,
        faults={1: Fault.REFUSED},
    )

    assert work.apply() == [
        ("circleci-web-admin", "create", FAILED, "the server said no"),
        ("ann", "promote", SKIPPED, "the group that it needs could not be created"),
        ("bob", "promote", APPLIED, ""),
        ("cat", "promote", APPLIED, ""),
        ("ann", "revoke", SKIPPED, EARLIER),
        ("dan", "revoke", APPLIED, ""),
    ]


def test_five_failures_in_a_row_stop_the_rest_of_every_stage() -> None:
    before = {"zoë": holds("viewer")}
    wanted = {name: holds("viewer") for name in MANY[:7]}
    work = run(before, wanted, faults=dict.fromkeys(range(2, 100), Fault.REFUSED))

    assert [(name, result, why) for name, _, result, why in work.apply()] == [
        ("p00", APPLIED, ""),
        *((name, FAILED, "the server said no") for name in MANY[1:6]),
        ("p06", SKIPPED, NOT_TRIED),
        ("zoë", SKIPPED, NOT_TRIED),
    ]
    assert len(work.provider.writes) == 6


def test_a_success_between_failures_begins_the_count_anew() -> None:
    work = promotions(9, dict.fromkeys((1, 2, 3, 4, 6, 7, 8, 9), Fault.REFUSED))

    assert SKIPPED not in {result for _, _, result, _ in work.apply()}


@pytest.mark.parametrize("fault", [Fault.INTERRUPTED, Fault.INTERRUPTED_AFTER], ids=["before", "after"])
def test_an_interrupt_ends_the_writing_and_accounts_for_everything(fault: Fault) -> None:
    before = {"zoë": holds("viewer")}
    work = run(before, {name: holds("viewer") for name in MANY[:3]}, faults={2: fault})

    assert work.apply() == [
        ("p00", "promote", APPLIED, ""),
        ("p01", "promote", FAILED, "interrupted; it may have been written"),
        ("p02", "promote", SKIPPED, "the run was interrupted before it"),
        ("zoë", "revoke", SKIPPED, "the run was interrupted before it"),
    ]
    assert work.asked == ["promote p00", "promote p01", "read back p00"]


def test_an_interrupt_between_two_writes_accounts_for_everything() -> None:
    work = promotions(3, {2: Fault.REFUSED})

    def interrupted(change: Change) -> None:
        work.progress.append(who(change))
        if len(work.progress) == 2:
            raise KeyboardInterrupt

    outcomes = apply.carry_out(work.plan, work.provider, work.live, 0, work.account, interrupted)

    assert [told(outcome) for outcome in outcomes] == [
        ("p00", "promote", APPLIED, ""),
        ("p01", "promote", FAILED, "the server said no"),
        ("p02", "promote", SKIPPED, "the run was interrupted before it"),
    ]


@pytest.mark.parametrize(
    ("fault", "words"),
    [(Fault.REFUSED, "the listing of people is short"), (Fault.INTERRUPTED, "interrupted")],
    ids=["unreadable", "interrupted"],
)
def test_what_cannot_be_read_back_is_failed_and_ends_the_writing(fault: Fault, words: str) -> None:
    before = {"ann": holds("admin"), "zoë": holds("viewer")}
    work = run(before, {"bob": holds("admin"), "cat": holds("viewer")}, read_faults={1: fault})

    assert work.apply() == [
        ("bob", "promote", FAILED, f"written, but could not be read back: {words}"),
        ("cat", "promote", FAILED, f"written, but could not be read back: {words}"),
        ("zoë", "revoke", SKIPPED, NOT_READ),
        ("ann", "unseat", SKIPPED, NOT_READ),
    ]
    assert work.asked == ["promote bob", "promote cat", "read back bob cat"]


def test_who_is_gone_meanwhile_is_said() -> None:
    work = run({}, {"ann": holds("viewer"), "bob": holds("viewer")})
    del work.provider.people["u-bob"]

    assert work.apply() == [
        ("ann", "promote", APPLIED, ""),
        ("bob", "promote", FAILED, "the server does not know them any more"),
    ]


def test_who_is_gone_after_the_write_is_said() -> None:
    work = run({}, {"ann": holds("viewer"), "bob": holds("viewer")}, faults={2: Fault.DROPPED})
    del work.provider.people["u-bob"]

    assert work.apply() == [
        ("ann", "promote", APPLIED, ""),
        ("bob", "promote", FAILED, "the person is not on the server any more"),
    ]


def test_what_was_accepted_and_not_kept_is_named_by_scope() -> None:
    wanted = {"ann": holds("viewer", app="viewer", web="viewer"), "bob": holds("viewer")}
    work = run({}, wanted, faults={1: Fault.DROPPED})
    work.provider.roles["u-ann"] = ["project-viewer:5d1f"]

    assert work.apply() == [
        ("ann", "promote", FAILED, "the server accepted it and did not keep it: organization, web"),
        ("bob", "promote", APPLIED, ""),
    ]


def test_a_role_that_the_server_kept_for_nobody_is_not_paid_for_with_another() -> None:
    work = run(
        {"bob": holds(app="admin")},
        {"ann": holds(web="admin"), "bob": holds(web="admin")},
        faults={1: Fault.DROPPED},
    )

    assert work.apply() == [
        ("ann", "promote", FAILED, "the server accepted it and did not keep it: web"),
        ("bob", "move", SKIPPED, "the server kept admin in web for nobody"),
    ]
    assert work.provider.holdings()["u-bob"] == holds(app="admin")


def test_a_role_that_the_server_kept_for_somebody_is_still_given() -> None:
    work = run(
        {"bob": holds(app="admin")},
        {"ann": holds(web="admin"), "cat": holds(web="admin"), "bob": holds(web="admin")},
        faults={1: Fault.DROPPED},
    )

    assert [line[2] for line in work.apply()] == [FAILED, APPLIED, APPLIED]
    assert work.provider.holdings()["u-bob"] == holds(web="admin")


def test_a_role_that_was_to_go_and_stayed_was_not_kept_either() -> None:
    work = run({"ann": holds("admin", web="admin")}, {"ann": holds("admin")}, faults={1: Fault.DROPPED})

    assert work.apply() == [
        ("ann", "revoke", FAILED, "the server accepted it and did not keep it: web"),
    ]


def test_a_change_by_somebody_else_meanwhile_fails_in_their_words() -> None:
    work = run({"ann": holds("viewer")}, {"ann": holds("admin")})
    work.provider.roles["u-ann"] = ["org-contributor"]

    assert work.apply() == [("ann", "promote", FAILED, "somebody else changed them meanwhile")]
    assert work.provider.holdings()["u-ann"] == holds("contributor")


def test_progress_is_told_once_for_each_change_that_was_tried() -> None:
    work = promotions(8, dict.fromkeys(range(2, 100), Fault.REFUSED))

    work.apply()

    assert work.progress == MANY[:6]


# Several in one request


def together(count: int, *, at_most: int, faults: Mapping[int, Fault]) -> Run:
    work = promotions(count, faults)
    work.provider.together = at_most
    return work


def test_what_is_written_together_is_recorded_before_and_told_one_by_one() -> None:
    work = together(5, at_most=2, faults={})

    assert work.apply() == [(name, "promote", APPLIED, "") for name in MANY[:5]]
    assert [who(change) for change in work.account.written] == work.progress == MANY[:5]


def test_who_could_not_be_written_with_others_is_written_alone_and_recorded_once() -> None:
    work = together(4, at_most=4, faults={2: Fault.REFUSED, 3: Fault.UNANSWERED})

    assert work.apply() == [(name, "promote", APPLIED, "") for name in MANY[:4]]
    assert [who(change) for change in work.provider.writes] == [*MANY[:4], "p01", "p02"]
    assert [who(change) for change in work.account.written] == MANY[:4]
    assert work.progress == ["p00", "p03", "p01", "p02"]


def test_one_bad_person_does_not_spoil_the_others() -> None:
    work = together(4, at_most=4, faults={2: Fault.REFUSED, 5: Fault.REFUSED})

    assert [(name, result, why) for name, _, result, why in work.apply()] == [
        ("p00", APPLIED, ""),
        ("p01", FAILED, "the server said no"),
        ("p02", APPLIED, ""),
        ("p03", APPLIED, ""),
    ]


def test_who_was_tried_with_others_and_not_alone_any_more_may_have_been_written() -> None:
    work = together(8, at_most=8, faults=dict.fromkeys(range(1, 99), Fault.UNANSWERED))

    told = [(name, result, why) for name, _, result, why in work.apply()]
    assert told[:5] == [(name, FAILED, "the connection was reset") for name in MANY[:5]]
    maybe = f"tried with others, and may have been written; {NOT_TRIED}"
    assert told[5:] == [(name, FAILED, maybe) for name in MANY[5:8]]


# What is recorded


FULL = "the ledger can't be written: no space left on device"


def test_every_change_is_recorded_before_it_is_written_and_so_is_what_became_of_it() -> None:
    work = run(*SUCCESSION, faults={2: Fault.REFUSED})
    recorded: list[bool] = []
    work.provider.meanwhile = lambda change: recorded.append(work.account.written[-1] is change)

    work.apply(minimum_admins=2)

    assert recorded == [True, True, True]
    assert work.account.written == work.provider.writes
    assert [told(outcome)[:3] for outcome in work.account.outcomes] == [
        ("cat", "promote", APPLIED),
        ("ann", "unseat", FAILED),
        ("bob", "unseat", APPLIED),
    ]


def test_what_is_skipped_is_recorded_as_skipped_and_not_as_written() -> None:
    work = promotions(7, dict.fromkeys(range(1, 100), Fault.REFUSED))
    work.apply()

    assert [who(change) for change in work.account.written] == MANY[:5]
    assert [(who(one.change), one.result) for one in work.account.outcomes] == [
        *((name, FAILED) for name in MANY[:5]),
        *((name, SKIPPED) for name in MANY[5:7]),
    ]


@pytest.mark.parametrize(("room", "written"), [(0, 0), (1, 1), (2, 2)])
def test_what_cannot_be_recorded_is_not_written_nor_is_anything_after_it(room: int, written: int) -> None:
    work = promotions(4, {})
    work.account.room = room

    assert [(name, result, why) for name, _, result, why in work.apply()] == [
        *((name, APPLIED, "") for name in MANY[:written]),
        *((name, SKIPPED, FULL) for name in MANY[written:4]),
    ]
    assert [who(change) for change in work.provider.writes] == MANY[:written]


def test_an_outcome_that_cannot_be_recorded_ends_the_writing() -> None:
    work = run({"zoë": holds("viewer")}, {"ann": holds("viewer")})
    work.account.room = 1

    assert work.apply() == [("ann", "promote", APPLIED, ""), ("zoë", "revoke", SKIPPED, FULL)]


# Somebody else at the same time


def test_admins_are_counted_anew_before_each_unseating() -> None:
    work = run(*SUCCESSION)

    def unseat_eve(change: Change) -> None:
        if who(change) == "ann":
            work.provider.roles["u-eve"] = []

    work.provider.meanwhile = unseat_eve

    assert work.apply(minimum_admins=2) == [
        ("cat", "promote", APPLIED, ""),
        ("ann", "unseat", APPLIED, ""),
        ("bob", "unseat", SKIPPED, "organization admins left: 1; at least 2 must stay"),
    ]
    assert work.admins == {"bob", "cat"}


def test_an_admin_who_was_taken_between_the_count_and_the_write_is_told() -> None:
    """SCIM has no request for "if two are left", so this can't be kept from happening."""
    work = run(*SUCCESSION)

    def unseat_eve(change: Change) -> None:
        if who(change) == "bob":
            work.provider.roles["u-eve"] = []

    work.provider.meanwhile = unseat_eve

    told = "done, but somebody else took admins meanwhile: 1 of at least 2 are left"
    assert work.apply(minimum_admins=2) == [
        ("cat", "promote", APPLIED, ""),
        ("ann", "unseat", FAILED, told),
        ("bob", "unseat", FAILED, told),
    ]


def test_a_successor_who_became_inactive_is_no_admin() -> None:
    work = run(*SUCCESSION)

    def deactivate_cat(change: Change) -> None:
        if who(change) == "ann":
            work.provider.people["u-cat"] = principal("cat", active=False)

    work.provider.meanwhile = deactivate_cat

    assert [(name, result) for name, _, result, _ in work.apply(minimum_admins=2)] == [
        ("cat", APPLIED),
        ("ann", APPLIED),
        ("bob", SKIPPED),
    ]
    assert work.admins == {"bob", "cat", "eve"}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.REFUSED, "nobody knows which organization admins are left: the listing of people is short"),
        (Fault.INTERRUPTED, f"nobody knows which organization admins are left: {apply.INTERRUPTED}"),
    ],
    ids=["unreadable", "interrupted"],
)
def test_nobody_is_unseated_where_the_admins_cannot_be_counted(fault: Fault, words: str) -> None:
    work = run(*SUCCESSION, read_faults={2: fault})

    first, second, third = work.apply(minimum_admins=2)
    assert (first, second) == (("cat", "promote", APPLIED, ""), ("ann", "unseat", SKIPPED, words))
    assert third[2] is SKIPPED
    assert work.admins == {"ann", "bob", "cat", "eve"}


# Accounts


def lives(
    before: People,
    wanted: People,
    *accounts: AccountChange,
    stored_as: StoredAs = StoredAs.USER_ROLES,
    faults: Mapping[int, Fault] | None = None,
    read_faults: Mapping[int, Fault] | None = None,
) -> Run:
    """The same with changes of accounts; `wanted` may name who is to be created, by their short names."""
    inactive = [c.principal for c in accounts if isinstance(c, SetActive | DeleteUser)]
    joiners = [c.principal for c in accounts if isinstance(c, CreateUser)]
    state = live(before, *inactive, *joiners, *(principal(name) for name in wanted if name not in before))
    ids = {joiner.user_name.partition("@")[0]: joiner.id for joiner in joiners}
    people = {id_: who for id_, who in state.people.items() if id_.removeprefix("u-") not in ids}
    held = {(scope, role) for holdings in before.values() for scope in holdings for role in holdings[scope]}
    in_groups = stored_as is StoredAs.GROUPS
    state = replace(state, people=people, role_groups=frozenset(held) if in_groups else None)
    asked = {ids.get(name, f"u-{name}"): holdings for name, holdings in wanted.items()}
    of = organization(stored_as=stored_as)
    found = drift.detect(DesiredState(asked, {}), state)
    planned = plan.build(found, of, build.SERVER, state.role_groups, accounts=accounts)
    provider = FakeProvider.holding(of, state)
    provider.faults, provider.read_faults = faults or {}, read_faults or {}
    return Run(state, planned, provider)


JOE, ZED = build.create_user("joe"), build.create_user("zed")
NEW_JOE, MADE_JOE = JOE.principal.id, "made-joe@acme.example"
OUT = build.deactivate("lea")


@pytest.mark.parametrize("stored_as", StoredAs)
def test_who_joins_is_seen_to_be_there_before_they_are_given_roles(stored_as: StoredAs) -> None:
    before = {"ann": holds("admin"), "bob": holds("viewer")}
    work = lives(before, {**before, "joe": holds("viewer")}, JOE, stored_as=stored_as)

    assert work.apply() == [(NEW_JOE, "create", APPLIED, ""), (NEW_JOE, "promote", APPLIED, "")]
    assert work.asked == [
        f"create {NEW_JOE}",
        f"read back {NEW_JOE}",
        f"promote {NEW_JOE}",
        f"read back {NEW_JOE}",
    ]
    assert work.provider.people[MADE_JOE] == JOE.principal._replace(id=MADE_JOE)
    assert work.provider.holdings()[MADE_JOE] == holds("viewer")


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        (Fault.REFUSED, "the server said no"),
        (Fault.UNANSWERED, "the connection was reset"),
        (Fault.DROPPED, "the server accepted it, and there is no such account"),
    ],
)
def test_nobody_is_given_roles_whose_account_could_not_be_created(fault: Fault, detail: str) -> None:
    work = lives({}, {"joe": holds("viewer"), "zed": holds("viewer")}, JOE, ZED, faults={1: fault})

    assert work.apply() == [
        (NEW_JOE, "create", FAILED, detail),
        (ZED.principal.id, "create", APPLIED, ""),
        (NEW_JOE, "promote", SKIPPED, "the account could not be created"),
        (ZED.principal.id, "promote", APPLIED, ""),
    ]


def test_an_account_that_is_somebody_elses_is_no_success() -> None:
    other = principal("other")
    work = lives({}, {}, JOE, faults={1: Fault.DROPPED})
    work.provider.people[other.id] = other
    work.provider.created[NEW_JOE] = other.id

    detail = "the server made it the account of other@acme.example"
    assert work.apply() == [(NEW_JOE, "create", FAILED, detail)]


def test_who_leaves_loses_roles_first_and_then_the_account() -> None:
    work = lives({"lea": holds("viewer"), "ann": holds("admin")}, {"ann": holds("admin")}, OUT)

    assert work.apply() == [("lea", "revoke", APPLIED, ""), ("lea", "deactivate", APPLIED, "")]
    assert work.provider.people["u-lea"].active is False
    assert work.provider.holdings() == {"u-ann": holds("admin")}


def test_the_door_is_closed_even_where_roles_could_not_be_taken() -> None:
    work = lives({"lea": holds("viewer")}, {}, OUT, faults={1: Fault.REFUSED})

    assert work.apply() == [
        ("lea", "revoke", FAILED, "the server said no"),
        ("lea", "deactivate", APPLIED, ""),
    ]


def test_nobody_comes_back_or_is_deleted_while_roles_could_not_be_taken_from_them() -> None:
    before = {"old": holds("viewer"), "rex": holds("contributor")}
    accounts = build.reactivate("rex"), build.delete_user("old")
    work = lives(before, {"rex": holds("viewer")}, *accounts, faults={1: Fault.REFUSED, 2: Fault.DROPPED})

    assert work.apply() == [
        ("old", "revoke", FAILED, "the server said no"),
        ("rex", "revoke", FAILED, "the server accepted it and did not keep it: organization"),
        ("rex", "reactivate", SKIPPED, EARLIER),
        ("old", "delete", SKIPPED, EARLIER),
    ]
    assert work.provider.people["u-rex"].active is False


def test_who_comes_back_and_who_is_deleted_is_seen_to_be() -> None:
    work = lives({"rex": holds("admin")}, {"rex": holds("viewer")}, build.reactivate(), build.delete_user())

    assert work.apply() == [
        ("rex", "unseat", APPLIED, ""),
        ("rex", "reactivate", APPLIED, ""),
        ("old", "delete", APPLIED, ""),
    ]
    assert {id_: who.active for id_, who in work.provider.people.items()} == {"u-rex": True}


@pytest.mark.parametrize(
    ("account", "detail"),
    [
        (OUT, "the server accepted it and did not keep it: active"),
        (build.reactivate("rex"), "the server accepted it and did not keep it: active"),
        (
            build.correct("ann", display_name="Ann", email="ann@acme.example"),
            "the server accepted it and did not keep it: displayName, emails",
        ),
        (
            build.delete_user("old"),
            "the server accepted it, and the account is still there, deactivated as it was",
        ),
    ],
    ids=["deactivates", "reactivates", "corrects", "deletes"],
)
def test_a_server_that_does_not_do_what_it_says_is_found_out(account: AccountChange, detail: str) -> None:
    work = lives({"ann": holds()}, {}, account, faults={1: Fault.DROPPED})
    [(_, _, result, said)] = work.apply()
    assert (result, said) == (FAILED, detail)


def found(change: AccountChange, there: Principal | None) -> tuple[Result, str]:
    """What is told of a change after which the server has this person, or nobody."""
    work = lives({"lea": holds()}, {}, change, faults={1: Fault.DROPPED})

    def happen(_: Change) -> None:
        work.provider.people = {} if there is None else {change.principal.id: there}

    work.provider.meanwhile = happen
    [(_, _, result, detail)] = work.apply()
    return result, detail


@pytest.mark.parametrize(
    ("account", "told"),
    [
        (OUT, (FAILED, "the person is not on the server any more")),
        (build.correct("lea", display_name="Lea"), (FAILED, "the person is not on the server any more")),
        (build.reactivate("lea"), (FAILED, "the person is not on the server any more")),
        (build.delete_user("lea"), (APPLIED, "")),
    ],
    ids=["deactivates", "corrects", "reactivates", "deletes"],
)
def test_of_somebody_who_is_gone_only_the_deletion_came_about(
    account: AccountChange, told: tuple[Result, str]
) -> None:
    assert found(account, None) == told


def test_who_leaves_does_so_although_nobody_can_be_created() -> None:
    joiners = [build.create_user(name) for name in MANY[:7]]
    faults = dict.fromkeys(range(1, 6), Fault.REFUSED)
    work = lives({"lea": holds("viewer")}, {}, *joiners, OUT, faults=faults)

    assert [(stage, result, why) for _, stage, result, why in work.apply()] == [
        *[("create", FAILED, "the server said no")] * 5,
        *[("create", SKIPPED, NOT_TRIED)] * 2,
        ("revoke", APPLIED, ""),
        ("deactivate", APPLIED, ""),
    ]


def test_who_leaves_does_so_although_nobody_can_be_corrected() -> None:
    names = MANY[:7]
    corrected = [build.correct(name, display_name="X") for name in names]
    faults = dict.fromkeys(range(1, 6), Fault.REFUSED)
    work = lives({name: holds() for name in names}, {}, *corrected, OUT, faults=faults)

    assert [(stage, result, why) for _, stage, result, why in work.apply()] == [
        *[("repair", FAILED, "the server said no")] * 5,
        *[("repair", SKIPPED, NOT_TRIED)] * 2,
        ("deactivate", APPLIED, ""),
    ]


def test_an_account_that_is_still_there_and_active_is_said_to_be() -> None:
    still = "the server accepted it, and the account is still there"
    assert found(build.delete_user("old"), principal("old")) == (FAILED, still)


@pytest.mark.parametrize(("active", "result"), [(False, APPLIED), (True, FAILED), (None, FAILED)])
def test_only_who_is_said_to_be_inactive_is_deactivated(active: bool | None, result: Result) -> None:
    assert found(OUT, principal("lea", active=active))[0] is result


@pytest.mark.parametrize(("active", "result"), [(False, FAILED), (True, APPLIED), (None, APPLIED)])
def test_who_is_not_said_to_be_inactive_is_reactivated(active: bool | None, result: Result) -> None:
    assert found(build.reactivate("lea"), principal("lea", active=active))[0] is result


def test_attributes_stick_whatever_letter_case_the_server_gives_names_and_addresses() -> None:
    change = build.correct("lea", user_name="Lee@ACME.example", email="Lee@acme.example", display_name="Lea")
    kept = principal("lea", user_name="lee@acme.example")._replace(
        email="lee@acme.example", display_name="Lea"
    )
    assert found(change, kept) == (APPLIED, "")
    lost = "the server accepted it and did not keep it: displayName"
    assert found(change, kept._replace(display_name="lea")) == (FAILED, lost)


def test_a_correction_that_fails_keeps_nothing_else_from_its_person() -> None:
    fix = build.correct("lea", display_name="Lea")
    work = lives({"lea": holds()}, {}, fix, OUT, faults={1: Fault.REFUSED})

    assert work.apply() == [
        ("lea", "repair", FAILED, "the server said no"),
        ("lea", "deactivate", APPLIED, ""),
    ]


def admin_meanwhile(work: Run, name: str) -> None:
    """Somebody makes a person admin while the run begins."""
    work.provider.roles[f"u-{name}"] = ["org-admin"]


def test_who_became_admin_meanwhile_is_not_shut_out_below_the_floor() -> None:
    work = lives({"ann": holds("admin"), "lea": holds()}, {"ann": holds("admin")}, OUT)
    admin_meanwhile(work, "lea")
    work.provider.roles["u-ann"] = []

    assert work.apply(minimum_admins=1) == [
        ("lea", "deactivate", SKIPPED, "organization admins left: 0; at least 1 must stay")
    ]
    assert work.asked == ["read back ann lea", "read back lea"]
    assert work.provider.people["u-lea"].active is True


def test_who_became_admin_meanwhile_is_shut_out_where_enough_are_left() -> None:
    work = lives({"ann": holds("admin"), "lea": holds()}, {"ann": holds("admin")}, OUT)
    admin_meanwhile(work, "lea")

    assert work.apply(minimum_admins=1) == [("lea", "deactivate", APPLIED, "")]
    assert work.asked == ["read back ann lea", "read back ann lea", "deactivate lea", "read back ann lea"]


def test_that_somebody_took_the_last_admin_meanwhile_is_said_of_who_was_shut_out() -> None:
    work = lives({"ann": holds("admin"), "lea": holds("admin")}, {}, OUT)
    work.plan = replace(work.plan, changes=(OUT,))
    work.provider.meanwhile = lambda _: work.provider.roles.update({"u-ann": []})

    assert work.apply(minimum_admins=1) == [
        (
            "lea",
            "deactivate",
            FAILED,
            "done, but somebody else took admins meanwhile: 0 of at least 1 are left",
        )
    ]


def test_nobody_is_shut_out_where_nobody_knows_who_is_admin() -> None:
    work = lives({"lea": holds()}, {}, OUT, read_faults={1: Fault.REFUSED})

    assert work.apply() == [
        ("lea", "deactivate", SKIPPED, f"{apply.UNKNOWN}: the listing of people is short")
    ]
    assert work.provider.writes == []


def test_an_interrupt_while_admins_are_counted_ends_the_run() -> None:
    work = lives({"lea": holds()}, {}, OUT, read_faults={1: Fault.INTERRUPTED})

    detail = "nobody knows which organization admins are left: the run was interrupted before it"
    assert work.apply() == [("lea", "deactivate", SKIPPED, detail)]


def test_who_came_back_as_admin_counts_for_who_is_shut_out_after_them() -> None:
    rex = build.reactivate("rex")
    before = {"lea": holds("admin"), "rex": holds("admin")}
    work = lives(before, before, rex, OUT)

    assert work.apply(minimum_admins=1) == [
        ("rex", "reactivate", APPLIED, ""),
        ("lea", "deactivate", APPLIED, ""),
    ]


def test_an_admin_who_is_not_to_be_shut_out_of_too_few_is_not_deleted_either() -> None:
    old = build.delete_user(principal("old"))  # active by now, and admin
    work = lives({"old": holds("admin")}, {"old": holds("admin")}, old)

    assert work.apply(minimum_admins=1) == [
        ("old", "delete", SKIPPED, "organization admins left: 0; at least 1 must stay")
    ]


def test_five_accounts_in_a_row_that_fail_end_the_run() -> None:
    joiners = [build.create_user(name) for name in MANY[:7]]
    work = lives({}, {}, *joiners, faults=dict.fromkeys(range(1, 8), Fault.REFUSED))

    assert [result for _, _, result, _ in work.apply()] == [FAILED] * 5 + [SKIPPED] * 2


def test_an_interrupt_before_it_keeps_everybody_in() -> None:
    fix = build.correct("ann", display_name="Ann")
    work = lives({"ann": holds(), "lea": holds()}, {}, fix, OUT, faults={1: Fault.INTERRUPTED})

    assert work.apply() == [
        ("ann", "repair", FAILED, "interrupted; it may have been written"),
        ("lea", "deactivate", SKIPPED, "the run was interrupted before it"),
    ]
    assert work.asked == ["repair ann"]
