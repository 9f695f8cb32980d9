"""The laws of plan, apply and undo over a life: whatever is edited, whoever comes and goes, whatever fails.

`pytest tests/properties/test_life.py -s` tells how often what happened.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from build import UNLIMITED, at
from fakes import FakeProvider, Fault
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from properties import lives, reference, strategies
from properties.lives import Held, Life, Ran, Trouble
from properties.reference import highest
from properties.strategies import FOREIGN, GROUPS, NAMES, NOBODY, TIGHT, digits

from reconciler import ledger
from reconciler.change import Change, CreateGroup, Result, SetRoles
from reconciler.model import NOTHING, ORGANIZATION, Member, Principal, Role, Roles, Scope
from reconciler.naming import RoleNames
from reconciler.plan import after
from reconciler.policy.document import (
    Binding,
    GroupRef,
    Mode,
    Organization,
    RoleEntry,
    RoleStorage,
    StoredAs,
    TemporaryGrant,
)

NONE: Roles = frozenset()
PEOPLE = {f"u{number}": f"{name}@acme.example" for number, name in enumerate(NAMES)}
SCOPES = (ORGANIZATION, Scope("web"), Scope("Ärger"))
GROUP_ROLES = RoleStorage(StoredAs.GROUPS, "circleci-org-{role}", "circleci-{project}-{role}")
DAY = timedelta(days=1)

HAPPENED: Counter[str] = Counter()
"""How often what happened, over all examples."""

ids = st.sampled_from(list(PEOPLE))
some_people = digits(2, len(PEOPLE)).map(
    lambda drawn: tuple(id_ for id_, digit in zip(PEOPLE, drawn, strict=True) if digit)
)
groups = st.sampled_from(GROUPS)
modes = st.sampled_from([*[Mode.ENFORCE] * 6, Mode.ADDITIVE, Mode.ADDITIVE, Mode.REPORT])
scopes = st.sampled_from(SCOPES)
roles = st.sampled_from(Role)
ranks = digits(4, len(SCOPES))
"""A role in each scope, 0 for none."""
limits: st.SearchStrategy[Mapping[str, Any]] = st.sampled_from(
    [*[{}] * 10, *TIGHT, {"longest_grant": 5}, *({"minimum_admins": number} for number in (1, 2, 2, 3))]
)
spellings = st.sampled_from([str.upper, str.lower, str.swapcase])
troubles = st.one_of(
    *[st.tuples(st.integers(1, 4), st.sampled_from(Fault)).map(lambda one: Trouble(dict([one])))] * 2,
    strategies.faults.map(Trouble),
    st.tuples(st.integers(1, 4), st.sampled_from([Fault.REFUSED, Fault.INTERRUPTED])).map(
        lambda one: Trouble(read_faults=dict([one]))
    ),
    st.integers(0, 9).map(lambda room: Trouble(room=room)),
)


def entries(drawn: Iterable[int], line: int) -> tuple[RoleEntry, ...]:
    pairs = zip(SCOPES, drawn, strict=True)
    return tuple(RoleEntry(scope, Role(rank), at(line)) for scope, rank in pairs if rank)


class Lives(RuleBasedStateMachine):
    """Everything that can happen to an organization; what has to hold is asserted as it happens."""

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.folder = Path(self.open.enter_context(TemporaryDirectory()))
        patch = self.open.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("os.fsync", lambda _: None)  # no machine fails here, and waiting takes long
        self.life: Life
        self.runs: list[tuple[Ran, set[tuple[str, Scope]]]] = []
        """With what others changed meanwhile."""
        self.foreign: set[tuple[str, str]] = set()
        """What was given by hand and is not the policy's, by id."""
        happened("lives")

    @initialize(
        storage=st.sampled_from([RoleStorage(), GROUP_ROLES]),
        mode=modes,
        minimum=st.integers(0, 2),
        held=st.lists(ranks, min_size=len(PEOPLE), max_size=len(PEOPLE)),
        inside=st.lists(some_people, min_size=len(GROUPS), max_size=len(GROUPS)),
        bound=st.lists(ranks, min_size=len(GROUPS), max_size=len(GROUPS)),
    )
    def begin(
        self,
        storage: RoleStorage,
        mode: Mode,
        minimum: int,
        held: list[tuple[int, ...]],
        inside: list[tuple[str, ...]],
        bound: list[tuple[int, ...]],
    ) -> None:
        organization = Organization(
            "acme",
            mode,
            at(),
            {"web": "web", "Ärger": "id-1"},
            guardrails=replace(UNLIMITED, minimum_admins=minimum),
            roles=storage,
        )
        people = {id_: Principal(id_, name, f"x-{id_}", True) for id_, name in PEOPLE.items()}
        self.life = Life(organization, FakeProvider(organization, people), self.folder / "ledger.jsonl")
        self.mix_up(held)
        for name, members, drawn in zip(GROUPS, inside, bound, strict=True):
            self.life.groups[f"g-{name}"] = lives.group(name, *members)
            self.bind(name, drawn, number=0)

    def teardown(self) -> None:
        self.open.close()

    @invariant()
    def step(self) -> None:
        happened("steps")

    # The policy is edited

    @rule(name=groups, drawn=ranks, number=st.integers(0, 5))
    def bind(self, name: str, drawn: tuple[int, ...], number: int) -> None:
        """A group gets other roles; now and then it is named by its id, or with what it was called before."""
        ref = GroupRef(name, f"g-{name}" if number == 5 else None, (f"new-{name}",) if number == 4 else ())
        line = 10 + GROUPS.index(name)
        self.life.bindings.pop(name, None)
        if any(drawn):
            self.life.bindings[name] = Binding(ref, entries(drawn, line), at(line))

    @rule(
        id_=ids,
        drawn=ranks.filter(any),
        starts=st.sampled_from([None, None, -3, 0, 2]),
        days=st.integers(1, 9),
        known=st.integers(0, 9),
    )
    def grant(self, id_: str, drawn: tuple[int, ...], starts: int | None, days: int, known: int) -> None:
        now, line = self.life.now, 100 + len(self.life.grants)
        begins = None if starts is None else now + starts * DAY
        user = PEOPLE[id_].swapcase() if known else NOBODY
        grant = TemporaryGrant(
            user, entries(drawn, line), "INC-1", (begins or now) + days * DAY, at(line), begins
        )
        self.life.grants.append(grant)

    @rule(number=st.integers(0, 9))
    def tidy(self, number: int) -> None:
        """A temporary grant is taken out of the policy, be it over or not."""
        if self.life.grants:
            del self.life.grants[number % len(self.life.grants)]

    @rule(mode=modes)
    def set_mode(self, mode: Mode) -> None:
        self.life.edit(replace(self.life.organization, mode=mode))

    @rule(changed=limits)
    def set_limits(self, changed: Mapping[str, Any]) -> None:
        guardrails = self.life.organization.guardrails
        kept = {"protected": guardrails.protected, "minimum_admins": guardrails.minimum_admins}
        self.life.edit(replace(self.life.organization, guardrails=replace(UNLIMITED, **{**kept, **changed})))

    @rule(protected=st.lists(st.sampled_from([*PEOPLE.values(), NOBODY]), max_size=2, unique=True))
    def protect(self, protected: list[str]) -> None:
        guardrails = replace(self.life.organization.guardrails, protected=tuple(map(str.upper, protected)))
        self.life.edit(replace(self.life.organization, guardrails=guardrails))

    # The identity provider changes

    @rule(name=groups, inside=some_people)
    def regroup(self, name: str, inside: tuple[str, ...]) -> None:
        self.life.groups[f"g-{name}"] = lives.group(name, *inside)

    @rule(name=groups, id_=ids, by_name=st.booleans())
    def join(self, name: str, id_: str, by_name: bool) -> None:
        member = Member(None, None, PEOPLE[id_].upper()) if by_name else Member(id_)
        self.set_members(name, lambda members: members | {member})

    @rule(name=groups, id_=ids)
    def leave(self, name: str, id_: str) -> None:
        mine = {Member(None, None, PEOPLE[id_].upper()), Member(id_)}
        self.set_members(name, lambda members: members - mine)

    @rule(name=groups)
    def a_stranger_joins(self, name: str) -> None:
        self.set_members(name, lambda members: members | {Member(None, "x-gone", NOBODY)})

    @rule(name=groups, what=st.sampled_from(["renamed", "vanished", "emptied", "unreadable"]))
    def spoil(self, name: str, what: str) -> None:
        group = self.life.groups.get(f"g-{name}")
        match what:
            case "renamed" if group:
                self.life.regroup(group.id, name=f"new-{name}")
            case "emptied" if group:
                self.life.regroup(group.id, members=frozenset())
            case "unreadable" if group:
                self.life.regroup(group.id, members=None, unreadable="it has no members")
            case _:
                self.life.groups.pop(f"g-{name}", None)

    @rule(id_=ids, active=st.sampled_from([True, False, False, None]))
    def activate(self, id_: str, active: bool | None) -> None:
        """Somebody is deactivated, or returns."""
        people = self.life.provider.people
        people[id_] = people.get(id_, Principal(id_, PEOPLE[id_], f"x-{id_}"))._replace(active=active)

    @rule(id_=ids)
    def delete(self, id_: str) -> None:
        provider = self.life.provider
        if len(provider.people) > 3:
            provider.people.pop(id_, None)
            provider.roles.pop(id_, None)
            for members in provider.groups.values():
                members.discard(id_)
            self.foreign = {one for one in self.foreign if one[0] != id_}

    # Somebody changes roles by hand

    @rule(id_=ids, scope=scopes, rank=st.integers(1, 3), spelled=spellings)
    def give(self, id_: str, scope: Scope, rank: int, spelled: Any) -> None:
        if rank and id_ in self.life.provider.people:
            self.give_value(id_, spelled(RoleNames(self.life.organization).name(scope, Role(rank))))

    @rule(id_=ids, scope=scopes)
    def take(self, id_: str, scope: Scope) -> None:
        names, provider = RoleNames(self.life.organization), self.life.provider
        values = provider.roles.get(id_, [])
        provider.roles[id_] = [one for one in values if (names.meaning(one) or ("", 0))[0] != scope]
        for name, members in provider.groups.items():
            if (names.meaning(name) or ("", 0))[0] == scope:
                members.discard(id_)

    @rule(held=st.lists(ranks, min_size=len(PEOPLE), max_size=len(PEOPLE)))
    def mix_up(self, held: list[tuple[int, ...]]) -> None:
        """Everybody has another role everywhere, or one more."""
        for number, (id_, drawn) in enumerate(zip(PEOPLE, held, strict=True)):
            for scope, rank in zip(SCOPES, drawn, strict=True):
                if number % 2:
                    self.take(id_, scope)
                self.give(id_, scope, rank, str)

    @rule(id_=ids, value=st.sampled_from(FOREIGN))
    def give_what_is_foreign(self, id_: str, value: str) -> None:
        if id_ in self.life.provider.people:
            self.give_value(id_, value)
            self.foreign.add((id_, value))

    # Time passes, and runs are made

    @rule(days=st.integers(1, 5))
    def time_passes(self, days: int) -> None:
        self.life.now += days * DAY

    @rule()
    def plan_twice(self) -> None:
        (first, _), (second, _) = self.life.prepare(), self.life.prepare()
        assert first == second
        assert first.plan.fingerprint == second.plan.fingerprint
        for change in (*first.plan.people, *first.plan.withheld_people):
            assert not reference.is_protected(self.life.world(), change.principal)

    @rule()
    def run(self) -> None:
        self.check_undisturbed(self.life.run())

    @rule()
    def run_what_was_approved(self) -> None:
        ran = self.life.run(approved=True)
        if ran.refused:
            assert not all(violation.approvable for violation in ran.prepared.violations)
        self.check_undisturbed(ran, approved=True)

    @rule(trouble=troubles, again=st.booleans())
    def run_in_trouble(self, trouble: Trouble, again: bool) -> None:
        ran = self.life.run(trouble)
        self.check(ran)
        if again:
            self.run_again(ran)

    def run_again(self, ran: Ran) -> None:
        """Right after a run that broke off, the next one does the rest."""
        following = self.life.run()
        self.check_undisturbed(following)
        if following.refused and not ran.refused:
            self.check_that_the_refusal_is_one_that_is_known(ran, following)

    @rule(call=st.integers(1, 4), id_=ids, scope=scopes, rank=st.integers(0, 3), trouble=st.none() | troubles)
    def run_beside_somebody_else(
        self, call: int, id_: str, scope: Scope, rank: int, trouble: Trouble | None
    ) -> None:
        calls = 0

        def meanwhile(_: Change) -> None:
            nonlocal calls
            calls += 1
            if calls == call and rank:
                self.give(id_, scope, rank, str)
            elif calls == call:
                self.take(id_, scope)

        ran = self.life.run(trouble, meanwhile=meanwhile)
        touched = {(id_, scope)} if calls >= call else set()
        self.check(ran, touched, race=call)
        if not touched:
            self.run_again(ran)

    @rule(
        drawn=digits(4, len(PEOPLE)),
        spare=st.integers(-1, 1),
        call=st.integers(1, 3),
        victim=ids,
        trouble=st.none() | troubles,
    )
    def hand_over(
        self, drawn: tuple[int, ...], spare: int, call: int, victim: str, trouble: Trouble | None
    ) -> None:
        """Others are to be admins, about enough of them; and somebody unseats one of them meanwhile."""
        self.life.bindings.clear()
        self.bind("Ops", (Role.ADMIN, 0, 0), number=0)
        self.regroup("Ops", tuple(id_ for id_, digit in zip(PEOPLE, drawn, strict=True) if digit & 1))
        for id_, digit in zip(PEOPLE, drawn, strict=True):
            self.take(id_, ORGANIZATION)
            self.give(id_, ORGANIZATION, Role.ADMIN if digit & 2 else Role.VIEWER, str)
        enough = min(sum(digit & one > 0 for digit in drawn) for one in (1, 2))
        self.set_limits({"minimum_admins": max(0, enough - spare)})
        self.run_beside_somebody_else(call, victim, ORGANIZATION, 0, trouble)

    @rule(trouble=st.none() | troubles)
    def run_and_undo(self, trouble: Trouble | None) -> None:
        """Right after a run the way back leads just there where it began."""
        ran = self.life.run(trouble)
        self.check(ran)
        back = self.life.run(undoing=ran.past, approved=True)
        self.check(back)
        assert back.left_alone == ()
        if back.refused:
            self.check_that_there_was_no_way_back(ran, back)
        elif self.life.organization.mode is Mode.ENFORCE:
            assert self.life.raw() == ran.raw
            happened("undone right after the run")

    @precondition(lambda self: bool(self.runs))
    @rule(number=st.integers(0, 30), approved=st.booleans(), trouble=st.none() | troubles)
    def undo(self, number: int, approved: bool, trouble: Trouble | None) -> None:
        """Of any earlier run: what still stands as it left it goes back, what has moved stays."""
        earlier, touched = self.runs[number % len(self.runs)]
        (past,) = [one for one in self.life.past() if one.id == earlier.past.id]
        assert past == earlier.past
        back = self.life.run(trouble, undoing=past, approved=approved)
        self.check(back)
        written = {(write.principal_id, scope.scope) for write in past.writes for scope in write.scopes}
        planned = after(earlier.prepared.plan, earlier.before)
        for id_, person in self.life.provider.people.items():
            for scope in SCOPES:
                had, left, meant, found, now = (
                    of(held, id_, scope)
                    for held in (earlier.before, earlier.now, planned, back.before, back.now)
                )
                if (id_, scope) not in written or not had & meant <= found <= had | meant:
                    assert now == found
                elif (id_, scope) in touched or not undisturbed(back):
                    continue
                elif found == left and person.entitled:
                    assert now == had or self.life.organization.mode is not Mode.ENFORCE
                elif undisturbed(earlier) and found != left:
                    assert now == found
        happened("undone later")

    # What has to hold

    def check(self, ran: Ran, touched: set[tuple[str, Scope]] | None = None, race: int | None = None) -> None:
        """What holds of any run, whatever went wrong.

        `touched` is what somebody else changed meanwhile, `race` the write that they were quicker than.
        """
        touched = touched or set()
        self.runs.append((ran, touched))
        count(ran)
        if ran.refused:
            assert (ran.writes, ran.outcomes) == ((), ())
            assert ran.now == ran.before
        self.check_what_was_written(ran)
        self.check_that_the_ledger_tells_it(ran)
        planned = after(ran.prepared.plan, ran.before)
        for held in (*ran.moments, ran.now):
            for id_ in self.life.provider.people:
                for scope in SCOPES:
                    if (id_, scope) not in touched:
                        check_between(*(of(state, id_, scope) for state in (ran.before, held, planned)))
        self.check_admins(ran, race)
        for person in ran.world.people:
            if reference.is_protected(ran.world, person) and person.id not in dict(touched):
                assert ran.now.get(person.id, NOTHING) == ran.before.get(person.id, NOTHING)
        raw = self.life.raw()
        assert all(value in raw[id_] for id_, value in self.foreign)

    def check_admins(self, ran: Ran, race: int | None) -> None:
        """There never are too few, or fewer for a write of ours; but for a race that nobody can win."""
        floor = min(ran.world.floor, reference.admins(ran.world, ran.before))
        starts = [start for start, _ in ran.arrivals]
        for call, (start, held) in enumerate(ran.arrivals, start=1):
            least = min(floor, reference.admins(ran.world, held)) if race else floor
            for moment in ran.moments[start : [*starts, len(ran.moments)][call]]:
                assert call == race or reference.admins(ran.world, moment) >= least

    def check_what_was_written(self, ran: Ran) -> None:
        """Nothing but the plan, in its order, each change once at most."""
        tried = [outcome.change for outcome in ran.outcomes if outcome.result is not Result.SKIPPED]
        assert tuple(tried) == ran.writes
        assert ran.late == 0
        if ran.outcomes:
            assert tuple(outcome.change for outcome in ran.outcomes) == ran.prepared.plan.changes
        if ran.prepared.plan.mode is Mode.REPORT:
            assert ran.writes == ()

    def check_that_the_ledger_tells_it(self, ran: Ran) -> None:
        """Each write that arrived, and no other, as it was; and how it ended, as far as there was room."""
        past = ran.past
        assert [self.told(change) for change in ran.writes] == [
            (one.subject, one.principal_id, {s.scope: (s.before, s.after) for s in one.scopes})
            for one in past.writes
        ]
        results = [outcome.result for outcome in ran.outcomes if outcome.result is not Result.SKIPPED]
        for result, write in zip(results, past.writes, strict=True):
            assert write.result == result or (write.result is None and not ran.whole)
        assert (past.ended is not None) is ran.whole
        assert list(ledger.verify(self.life.ledger)) == []

    def told(self, change: Change) -> tuple[str, str | None, Mapping[Scope, tuple[Roles, Roles]]]:
        if isinstance(change, CreateGroup):
            return change.name, None, {}
        scopes = change.scopes if isinstance(change, SetRoles) else ()
        roles = {one.scope: (one.before, one.after) for one in scopes}
        return change.principal.user_name, change.principal.id, roles

    def check_undisturbed(self, ran: Ran, *, approved: bool = False) -> None:
        """What holds of a run in which nothing went wrong: it comes to what the policy means, and stays."""
        self.check(ran)
        if ran.refused:
            assert ran.prepared.violations
            return
        assert {outcome.result for outcome in ran.outcomes} <= {Result.APPLIED}
        for person in ran.world.people:
            self.check_person(ran, person)
        if not approved:
            assert ran.prepared.violations == ()
            allowed = reference.allowed(ran.world, ran.before)
            for guardrail, concerned in reference.gauges(ran.world, ran.before, ran.now).items():
                assert len(concerned) <= allowed[guardrail], guardrail
        again, _ = self.life.prepare()
        assert again.plan.changes == ()
        assert again.violations == () or {one.guardrail for one in again.violations} == {"longest_grant"}
        if ran.prepared.plan.mode is Mode.ENFORCE:
            assert not again.plan.drifted
            happened("converged" if ran.writes else "nothing to do")

    def check_person(self, ran: Ran, person: Principal) -> None:
        """The highest role in each scope is the one that a second reading of the policy gives."""
        asked, could = reference.given(ran.world, person), reference.could_be_given(ran.world, person)
        if reference.is_protected(ran.world, person):
            return
        for scope in SCOPES:
            had = highest(ran.before.get(person.id, NOTHING), scope)
            wanted = {
                Mode.ENFORCE: max(asked.get(scope, 0), min(could.get(scope, 0), had)),
                Mode.ADDITIVE: max(asked.get(scope, 0), had),
                Mode.REPORT: had,
            }
            mode = ran.prepared.plan.mode
            assert highest(ran.now.get(person.id, NOTHING), scope) == wanted[mode]
            assert mode is not Mode.ENFORCE or len(of(ran.now, person.id, scope)) <= 1

    def check_that_the_refusal_is_one_that_is_known(self, ran: Ran, following: Ran) -> None:
        """A whole that was allowed is so in two parts, but for a handover, and shares of fewer people."""
        world, planned = ran.world, after(ran.prepared.plan, ran.before)
        for violation in following.prepared.violations:
            happened(f"rests refused by {violation.guardrail}")
            match violation.guardrail:
                case "minimum_admins":
                    made = reference.admins(world, following.before)
                    assert reference.admins(world, ran.before) < min(world.floor, made)
                case guardrail:
                    whole = reference.gauges(world, ran.before, planned)[guardrail]
                    allowed = [reference.allowed(world, held)[guardrail] for held in (ran.before, ran.now)]
                    assert violation.measured <= len(whole)
                    assert allowed[1] < allowed[0]

    def check_that_there_was_no_way_back(self, ran: Ran, back: Ran) -> None:
        """No approval lowers the admins, or takes anything while somebody protected can't be found."""
        names = {one.guardrail for one in back.prepared.violations if not one.approvable}
        limits, known = back.world.organization.guardrails, {p.user_name.upper() for p in back.world.people}
        then, made = (reference.admins(back.world, held) for held in (ran.before, ran.now))
        few = {"minimum_admins"} if then < min(limits.minimum_admins, made) else set()
        assert set() < names <= few | ({"protected"} if set(limits.protected) - known else set())

    # What the rules above share

    def give_value(self, id_: str, value: str) -> None:
        provider = self.life.provider
        if self.life.organization.roles.stored_as is StoredAs.USER_ROLES:
            if value.casefold() not in map(str.casefold, provider.roles.get(id_, ())):
                provider.roles.setdefault(id_, []).append(value)
        else:
            names = {name.casefold(): name for name in provider.groups}
            provider.groups.setdefault(names.get(value.casefold(), value), set()).add(id_)

    def set_members(self, name: str, changed: Any) -> None:
        group = self.life.groups.get(f"g-{name}")
        if group is not None and group.members is not None:
            self.life.regroup(group.id, members=changed(group.members))


def of(held: Held, id_: str, scope: Scope) -> Roles:
    return held.get(id_, NOTHING).get(scope, NONE)


def check_between(before: Roles, now: Roles, planned: Roles) -> None:
    """Never anything but of before or after; and who keeps a role in a scope is at no moment without."""
    assert before & planned <= now <= before | planned
    assert max(now, default=0) >= min(max(before, default=0), max(planned, default=0))


def happened(what: str) -> None:
    HAPPENED[what] += 1


def count(ran: Ran) -> None:
    happened("runs")
    happened("runs that were refused" if ran.refused else f"runs in mode {ran.prepared.plan.mode}")
    HAPPENED["requests that wrote"] += len(ran.moments)
    HAPPENED.update(f"changes {outcome.result}" for outcome in ran.outcomes)
    HAPPENED.update(f"faults {fault.name}" for fault in ran.faults)
    if ran.refused:
        HAPPENED.update(f"refusals by {violation.guardrail}" for violation in ran.prepared.violations)


def undisturbed(ran: Ran) -> bool:
    return not ran.refused and all(outcome.result is Result.APPLIED for outcome in ran.outcomes)


def test_the_laws_hold_all_life_long() -> None:
    number = settings().max_examples * 3 // 2
    run_state_machine_as_test(Lives, settings=settings(max_examples=number, stateful_step_count=40))
    print(*(f"{number} {what}" for what, number in HAPPENED.most_common()), sep="\n")
