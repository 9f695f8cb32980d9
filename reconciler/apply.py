"""Carries a plan out, stage by stage, and says what became of each change. Decides nothing of its own.

Every stage is read back before the next begins: somebody is unseated only once their successor is seen to
hold the role, and leaves one role group only once they are seen in the other. Nobody is given roles whose
account is not seen to be there, comes back, or is deleted, while roles could not be taken from them; but
they are deactivated, for that closes the door.

Within a stage several writes are under way at once, never two for one person. Whoever may be an admin is
unseated or shut out while nothing else is under way, the others counted just before. All of this is decided
and recorded in one thread: the others write (`hands`).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol, assert_never

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
    Stage,
    shuts_out,
)
from reconciler.errors import LedgerError, ReadError
from reconciler.guardrails import admins
from reconciler.hands import Ended, Hands
from reconciler.model import LiveState, Principal, Role, Scope, fold
from reconciler.plan import Plan
from reconciler.ports import Portion, Provider

PATIENCE = 5
"""After so many failures in a row the rest is not begun: what fails is not one person's entry.

Of accounts that are to be created or corrected, only the rest of these: a server that takes none of them
still has to be rid of who leaves.
"""

INTERRUPTED = "the run was interrupted before it"
GONE = "the person is not on the server any more"
UNKNOWN = "nobody knows which organization admins are left"

Progress = Callable[[Change], None]


class Account(Protocol):
    """What a run is recorded in, as it goes. Both methods raise LedgerError where they can't record."""

    def writing(self, changes: Sequence[Change]) -> None:
        """Changes are about to be written: once this returns, it is known for good that they may be."""
        ...

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        """What became of changes is known."""
        ...


def carry_out(
    plan: Plan,
    provider: Provider,
    live: LiveState,
    minimum_admins: int,
    account: Account,
    progress: Progress,
    asked_to_stop: Callable[[], bool] = lambda: False,
    hands: Callable[[Provider], Hands] = Hands,
) -> tuple[Outcome, ...]:
    """Write the plan's changes stage by stage; one outcome for each, in the plan's order.

    `live` is the state that the plan was made from. Nothing is sent that `account` has not recorded.
    `progress` is called once for each change that was tried. Once somebody `asked_to_stop`, nothing more is
    begun, and what is under way comes to its end. An interrupt does not even wait for that; but it ends the
    writing, not the account of it.
    """
    run = _Run(provider, live, minimum_admins, account, progress, asked_to_stop, hands(provider))
    try:
        for stage, changes in groupby(plan.changes, lambda change: change.stage):
            run.stage(stage, list(changes))
    finally:
        run.hands.close()
    return tuple(run.outcomes[id(change)] for change in plan.changes)


@dataclass(slots=True)
class _Run:
    """What is known while a plan is carried out."""

    provider: Provider
    live: LiveState
    minimum_admins: int
    account: Account
    progress: Progress
    asked_to_stop: Callable[[], bool]
    hands: Hands
    recorded: set[int] = field(default_factory=set)
    """Which changes are known for good to be written perhaps, by their identity."""
    left: set[int] = field(default_factory=set)
    """Which of them were tried with others, and are to be tried alone."""
    written: set[int] = field(default_factory=set)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    """By the identity of the change: equal changes do not occur, and hashing them would cost."""
    admins: set[str] = field(default_factory=set)
    """Who is an organization admin for certain."""
    unseated: set[str] = field(default_factory=set)
    """Admins whom this run has unseated, deactivated or deleted, or tried to."""
    broken: dict[str | tuple[Scope, Role], str] = field(default_factory=dict)
    """People, and roles in scopes, that no later change may build on, and why."""
    failures: int = 0
    given_up: dict[type[Change], str] = field(default_factory=dict)
    """Kinds of changes that are not tried any more, and why."""
    stopped: str = ""
    floor: int = 0
    unseating: bool = False
    """Whether the changes of the stage take the admin's role from whom they are for."""

    def __post_init__(self) -> None:
        self.admins = set(admins(self.live))
        self.floor = min(self.minimum_admins, len(self.admins))

    def stage(self, stage: Stage, changes: list[Change]) -> None:
        """Write all changes of one stage, then read back what was written."""
        self.unseating = stage is Stage.UNSEAT
        self._heed()
        if any(map(shuts_out, changes)):
            self._find_admins(changes)
        for wave in self._waves(changes):
            self._write(wave)
        written = [change for change in changes if id(change) in self.written]
        self._settle_all(
            Outcome(change, Result.FAILED if detail else Result.APPLIED, detail)
            for change, detail in self._confirm(written)
        )

    def _find_admins(self, changes: list[Change]) -> None:
        """Ask the server who of those that are to be shut out is an organization admin by now."""
        if self.stopped:
            return
        concerned = {change.principal.id for change in changes if not isinstance(change, CreateGroup)}
        try:
            now = self.provider.read_back(sorted(self.admins | concerned))
        except (ReadError, KeyboardInterrupt) as error:
            self._stop(error)
            self.stopped = f"{UNKNOWN}: {self.stopped}"
            return
        self.admins = (self.admins | concerned) & admins(now)

    def _stop(self, error: ReadError | KeyboardInterrupt) -> None:
        self.stopped = INTERRUPTED if isinstance(error, KeyboardInterrupt) else error.message

    def _heed(self) -> None:
        if not self.stopped and self.asked_to_stop():
            self.stopped = INTERRUPTED

    def _waves(self, changes: Iterable[Change]) -> Iterator[list[Change]]:
        """The changes in order, in parts of which all may be under way at once."""
        wave: list[Change] = []
        concerned: set[object] = set()
        for change in changes:
            subject = change.name if isinstance(change, CreateGroup) else change.principal.id
            alone = self._counts(change)
            if wave and (alone or subject in concerned):
                yield wave
                wave, concerned = [], set()
            wave.append(change)
            concerned.add(subject)
            if alone:
                yield wave
                wave, concerned = [], set()
        if wave:
            yield wave

    def _counts(self, change: Change) -> bool:
        """Whether there may be one admin less for it, so that the others must be counted before."""
        if isinstance(change, CreateGroup):
            return False
        return self.unseating or (change.principal.id in self.admins and shuts_out(change))

    def _write(self, wave: Sequence[Change]) -> None:
        """Write changes of different people, as many at once as may be, until each has come to its end."""
        waiting = deque(self.provider.portions(wave))
        while waiting or self.hands.busy:
            self._heed()
            self._begin(waiting)
            if self.stopped:
                self._recall()
            if self.hands.busy:
                self._await(waiting)

    def _recall(self) -> None:
        """Take back what was recorded and lies ready still, for nothing more may be sent."""
        for change in self.hands.recall():
            self._pass_over(change, self.stopped)

    def _begin(self, waiting: deque[Portion]) -> None:
        """Begin as much as there are free hands for, recorded before; settle what must not be begun."""
        due: list[Portion] = []
        while waiting and len(due) < self.hands.free:
            if begun := [change for change in waiting.popleft() if self._may_begin(change)]:
                due.append(begun)
        changes = [change for portion in due for change in portion]
        if not changes:
            return
        if detail := self._unrecorded(changes):
            for change in changes:
                self._pass_over(change, detail)
            return
        for portion in due:
            for change in portion:
                self._unseat(change)
            self.hands.begin(portion)

    def _may_begin(self, change: Change) -> bool:
        """Whether a change may be tried; otherwise its outcome is settled."""
        self._heed()
        detail = self.stopped or self.given_up.get(type(change), "") or self._hindrance(change)
        if detail:
            self._pass_over(change, detail)
        return not detail

    def _pass_over(self, change: Change, detail: str) -> None:
        if id(change) in self.left:
            self._settle(change, Result.FAILED, f"tried with others, and may have been written; {detail}")
        else:
            self._settle(change, Result.SKIPPED, detail)

    def _await(self, waiting: deque[Portion]) -> None:
        """Take note of what has come to its end; what could not be done with others waits for its turn."""
        try:
            ended = self.hands.ended()
        except KeyboardInterrupt:
            self.stopped = INTERRUPTED
            self._recall()
            for change in self.hands.abandon():
                self._settle(change, Result.FAILED, "interrupted; it may have been written")
            return
        for one in ended:
            waiting.extendleft(self._taken(one))

    def _taken(self, ended: Ended) -> list[Portion]:
        """Note what came of a portion; what is left of it, the last first."""
        if ended.failure is not None:
            self._failed(ended.portion[0], ended.failure.message)
            return []
        left = {id(change) for change in ended.left}
        for change in ended.portion:
            if id(change) not in left:
                self.failures = 0
                self.written.add(id(change))
                self._done_with(change)
        self.left |= left
        return [(change,) for change in reversed(ended.portion) if id(change) in left]

    def _hindrance(self, change: Change) -> str:
        """Why a change must not be tried after what came before it, or nothing."""
        match change:
            case CreateGroup() | CreateUser() | SetAttributes():
                return ""
            case SetRoles():
                needed = (change.principal.id, *_gained(change))
                if reasons := [self.broken[need] for need in needed if need in self.broken]:
                    return reasons[0]
                return self._too_few_left(change.principal) if self.unseating else ""
            case SetActive(after=True):
                return self.broken.get(change.principal.id, "")
            case SetActive() | DeleteUser():
                if isinstance(change, DeleteUser) and change.principal.id in self.broken:
                    return self.broken[change.principal.id]
                is_admin = change.principal.id in self.admins
                return self._too_few_left(change.principal) if is_admin else ""
            case _ as never:
                assert_never(never)

    def _too_few_left(self, person: Principal) -> str:
        """Why somebody must not be unseated now, or nothing. Asks the server: others may be at it, too."""
        try:
            now = self.provider.read_back(sorted(self.admins))
        except (ReadError, KeyboardInterrupt) as error:
            self._stop(error)
            return f"{UNKNOWN}: {self.stopped}"
        self.admins &= admins(now)
        left = len(self.admins - {person.id})
        if left >= self.floor:
            return ""
        return f"organization admins left: {left}; at least {self.floor} must stay"

    def _unrecorded(self, changes: Iterable[Change]) -> str:
        """Why changes can't be recorded, and so must not be written, or nothing."""
        self._heed()
        new = [change for change in changes if id(change) not in self.recorded]
        if self.stopped or not new:
            return self.stopped
        try:
            self.account.writing(new)
            self.recorded.update(map(id, new))
        except LedgerError as error:
            self.stopped = error.message
        except KeyboardInterrupt:
            self.stopped = INTERRUPTED
        return self.stopped

    def _confirm(self, written: list[Change]) -> Iterator[tuple[Change, str]]:
        """Each written change with what is wrong with it now that it is read back, or nothing."""
        people = [change for change in written if not isinstance(change, CreateGroup)]
        ids = {change.principal.id for change in people}
        unseats = bool(ids & self.unseated)
        concerned = ids | (self.admins if unseats else set())
        try:
            now = self.provider.read_back(sorted(concerned)) if people else self.live
        except (ReadError, KeyboardInterrupt) as error:
            self.stopped = "what came before it could not be read back"
            reason = error.message if isinstance(error, ReadError) else "interrupted"
            yield from ((change, f"written, but could not be read back: {reason}") for change in written)
            return
        self._compare([change for change in people if isinstance(change, SetRoles)], now)
        back = {c.principal.id for c in people if isinstance(c, SetActive) and c.after}
        self.admins |= back & admins(now)
        short = self._short(now) if unseats else ""
        for change in written:
            match change:
                case CreateGroup():
                    yield change, ""
                case SetRoles():
                    yield change, _roles_amiss(change, now) or (short if self._counted(change) else "")
                case CreateUser() | SetAttributes() | SetActive() | DeleteUser():
                    yield change, _amiss(change, now) or (short if self._counted(change) else "")
                case _ as never:
                    assert_never(never)

    def _counted(self, change: SetRoles | AccountChange) -> bool:
        return change.principal.id in self.unseated

    def _short(self, now: LiveState) -> str:
        """What to say where admins are fewer than they must be although each was counted before they went.

        SCIM has no request that says "if two are left", so another run can come in between.
        """
        left = len(self.admins & admins(now))
        if left >= self.floor:
            return ""
        return f"done, but somebody else took admins meanwhile: {left} of at least {self.floor} are left"

    def _compare(self, written: list[SetRoles], now: LiveState) -> None:
        """Note each role that the server kept for nobody: whoever would pay for it with another must not."""
        gained = {(change.principal.id, need) for change in written for need in _gained(change)}
        kept = {need for id_, need in gained if need[1] in now.holdings(id_).get(need[0], ())}
        for _, need in gained:
            if need not in kept:
                self.broken[need] = f"the server kept {need[1]} in {need[0]} for nobody"

    def _settle(self, change: Change, result: Result, detail: str) -> None:
        self._settle_all([Outcome(change, result, detail)])

    def _settle_all(self, outcomes: Iterable[Outcome]) -> None:
        found = {id(outcome.change): outcome for outcome in outcomes}
        if not found:
            return
        self.outcomes |= found
        self._record([*found.values()])
        for outcome in found.values():
            if outcome.result is Result.APPLIED:
                self._seat(outcome.change)
            else:
                self._break(outcome.change)

    def _break(self, change: Change) -> None:
        """Note what no later change may build on."""
        match change:
            case CreateGroup():
                self.broken[change.scope, change.role] = "the group that it needs could not be created"
            case CreateUser():
                self.broken[change.principal.id] = "the account could not be created"
            case SetRoles() | SetActive():
                self.broken.setdefault(
                    change.principal.id, "an earlier change of the same person did not come about"
                )
            case SetAttributes() | DeleteUser():
                pass
            case _ as never:
                assert_never(never)

    def _record(self, outcomes: Sequence[Outcome]) -> None:
        try:
            self.account.settled(outcomes)
        except LedgerError as error:
            self.stopped = self.stopped or error.message
        except KeyboardInterrupt:
            self.stopped = INTERRUPTED

    def _failed(self, change: Change, detail: str) -> None:
        self._settle(change, Result.FAILED, detail)
        if type(change) not in self.given_up:
            self.failures += 1
        if self.failures >= PATIENCE:
            self._lose_patience(change)
        self._done_with(change)

    def _lose_patience(self, change: Change) -> None:
        reason = f"not tried after {PATIENCE} failures in a row"
        match change:
            case CreateUser() | SetAttributes():
                self.given_up[type(change)] = reason
                self.failures = 0
            case CreateGroup() | SetRoles() | SetActive() | DeleteUser():
                self.stopped = self.stopped or reason
            case _ as never:
                assert_never(never)

    def _done_with(self, change: Change) -> None:
        try:
            self.progress(change)
        except KeyboardInterrupt:
            self.stopped = INTERRUPTED

    def _seat(self, change: Change) -> None:
        if isinstance(change, SetRoles) and change.seats and change.principal.entitled:
            self.admins.add(change.principal.id)

    def _unseat(self, change: Change) -> None:
        """Count an admin out before the request is sent: it may take effect whatever comes back."""
        if self._counts(change) and not isinstance(change, CreateGroup):
            self.admins.discard(change.principal.id)
            self.unseated.add(change.principal.id)


def _gained(change: SetRoles) -> list[tuple[Scope, Role]]:
    return [(scope.scope, role) for scope in change.scopes for role in scope.after - scope.before]


def _roles_amiss(change: SetRoles, now: LiveState) -> str:
    """What is wrong with somebody's roles after they were written, or nothing."""
    if change.principal.id not in now.people:
        return GONE
    holdings = now.holdings(change.principal.id)
    lost = [s for s in change.scopes if holdings.get(s.scope, frozenset()) != s.after]
    return _not_kept(str(scope.scope) for scope in lost)


def _amiss(change: AccountChange, now: LiveState) -> str:
    """What is wrong with an account after it was written to, or nothing."""
    person = now.people.get(change.principal.id)
    match change:
        case CreateUser():
            if person is None:
                return "the server accepted it, and there is no such account"
            same = fold(person.user_name) == fold(change.principal.user_name)
            return "" if same else f"the server made it the account of {person.user_name}"
        case DeleteUser():
            left = "" if person is None or person.entitled else ", deactivated as it was"
            return f"the server accepted it, and the account is still there{left}" if person else ""
        case SetActive():
            if person is None:
                return GONE
            return _not_kept(["active"] if person.entitled is not change.after else [])
        case SetAttributes():
            if person is None:
                return GONE
            lost = [a for a in change.attributes if not a.attribute.same(a.attribute.of(person), a.after)]
            return _not_kept(str(a.attribute) for a in lost)
        case _ as never:
            assert_never(never)


def _not_kept(parts: Iterable[str]) -> str:
    names = ", ".join(parts)
    return f"the server accepted it and did not keep it: {names}" if names else ""
