"""What a state looks like without what a run wrote, as far as it still stands as that run left it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.change import (
    AccountChange,
    Attribute,
    AttributeChange,
    Kind,
    Result,
    SetActive,
    SetAttributes,
    words,
)
from reconciler.history import ActiveWrite, PastRun, ScopeWrite, Write
from reconciler.model import (
    PROVISIONAL,
    UNDO,
    DesiredState,
    LiveState,
    Principal,
    Provenance,
    Roles,
    Scope,
    highest,
    provisional,
)
from reconciler.problem import Location

NONE: Roles = frozenset()


@dataclass(frozen=True, slots=True)
class WayBack:
    """The state to go back to, and in words what is left alone since it is not as the run left it."""

    desired: DesiredState
    moved: tuple[str, ...]
    """Of roles."""
    accounts: tuple[AccountChange, ...] = ()
    """What is to be done to accounts besides."""
    lost: tuple[str, ...] = ()
    """The same of accounts, deleted ones included."""
    stays: tuple[str, ...] = ()
    """Accounts that the run created: there is no way back from that, and none is needed."""


def way_back(run: PastRun, live: LiveState, scopes: Collection[Scope], ledger: str) -> WayBack:
    """The live state with what a run changed put back, in those `scopes` that the policy speaks for.

    `ledger` is the file that tells of the run. Groups and accounts that the run created stay, without
    members and without roles.
    """
    ids = _Ids(live)
    accounts = _Accounts(run, ledger, ids)
    returning = {change.principal.id for change in accounts.changes if isinstance(change, SetActive)}
    taken_back: dict[str, dict[Scope, Roles]] = {}
    why: dict[str, dict[Scope, tuple[Provenance, ...]]] = {}
    entries: dict[str, dict[Scope, tuple[str, ...]]] = {}
    moved: list[str] = []
    for (id_, scope), trail in _trails(run.writes, ids).items():
        now = live.holdings(id_).get(scope, NONE)
        if scope in scopes and now == trail.before:
            continue
        person, returns = live.people.get(id_), id_ in returning
        if reason := _obstacle(person, now, trail, known=scope in scopes, returns=returns):
            moved.append(f"{trail.subject}, {scope}: {reason}")
            continue
        taken_back.setdefault(id_, dict(live.holdings(id_)))[scope] = trail.before
        entries.setdefault(id_, {})[scope] = trail.entries
        at = Location(ledger, trail.line)
        why.setdefault(id_, {})[scope] = (Provenance(UNDO, run.id, at, max(now | trail.before)),)
    left = {id_: {scope: held for scope, held in of.items() if held} for id_, of in taken_back.items()}
    roles = {**live.roles, **left}
    given = sum(map(len, roles.values()))
    return WayBack(
        DesiredState(roles, why, given=given, entries=entries),
        tuple(moved),
        tuple(accounts.changes),
        tuple(accounts.lost),
        tuple(_created(run.writes, ids)),
    )


class _Ids:
    """Who on the server a principal id of a ledger means: of somebody who was created, by userName."""

    def __init__(self, live: LiveState) -> None:
        self._live = live
        self._by_name = {provisional(person.user_name): id_ for id_, person in live.people.items()}

    def of(self, principal_id: str) -> str:
        """The id now; the one given where there is no such person."""
        if principal_id.startswith(PROVISIONAL):
            return self._by_name.get(principal_id, principal_id)
        return principal_id

    def person(self, principal_id: str) -> Principal | None:
        return self._live.people.get(self.of(principal_id))


def _created(writes: Iterable[Write], ids: _Ids) -> Iterator[str]:
    """A line for each account that the run created and that is there."""
    for write in writes:
        if write.kind is not Kind.CREATE_USER or write.principal_id is None:
            continue
        if ids.person(write.principal_id) is not None:
            was = "was" if write.result is Result.APPLIED else "may have been"
            yield f"the account of {write.subject} {was} created and stays"


class _Accounts:
    """The way back of what a run did to accounts, as far as it still stands."""

    def __init__(self, run: PastRun, ledger: str, ids: _Ids) -> None:
        self._ids = ids
        self.changes: list[AccountChange] = []
        self.lost: list[str] = []
        for write in run.writes:
            why = f"undoes run {run.id} ({ledger}:{write.line})"
            if write.activity is not None:
                self._put_back_active(write, write.activity, why)
            if write.attributes:
                self._put_back_attributes(write, why)
            if write.kind is Kind.DELETE_USER and self._person(write) is None:
                self.lost.append(f"{write.subject}: the account was deleted, and can't come back")

    def _person(self, write: Write) -> Principal | None:
        return self._ids.person(write.principal_id) if write.principal_id is not None else None

    def _put_back_active(self, write: Write, activity: ActiveWrite, why: str) -> None:
        person, before = self._person(write), activity.before is not False
        if person is None:
            self.lost.append(f"{write.subject}, active: the person is not on the server any more")
        elif person.entitled is not before:
            self.changes.append(SetActive(person, before, why))

    def _put_back_attributes(self, write: Write, why: str) -> None:
        person = self._person(write)
        put_back: list[AttributeChange] = []
        for one in write.attributes:
            now = one.attribute.of(person) if person else None
            if person is None:
                self._left(write, one.attribute, "the person is not on the server any more")
            elif one.attribute.same(now, one.before):
                continue
            elif not one.attribute.same(now, one.after):
                told = "none" if now is None else f"'{now}'"
                self._left(write, one.attribute, f"the run left '{one.after}', now it is {told}")
            elif one.before is None:
                self._left(write, one.attribute, "there was none before, and none can be put back")
            else:
                put_back.append(AttributeChange(one.attribute, now, one.before))
        if person is not None and put_back:
            self.changes.append(SetAttributes(person, tuple(put_back), why))

    def _left(self, write: Write, attribute: Attribute, reason: str) -> None:
        self.lost.append(f"{write.subject}, {attribute}: {reason}")


@dataclass(slots=True)
class _Trail:
    """What a run did to one person in one scope."""

    subject: str
    line: int
    active: bool
    before: Roles
    entries: tuple[str, ...]
    writes: list[tuple[ScopeWrite, Result | None]] = field(default_factory=list)
    """The last that is known to have come about, and those after it."""

    def follow(self, scope: ScopeWrite, result: Result | None) -> None:
        if result is Result.APPLIED:
            self.writes.clear()
        self.writes.append((scope, result))

    def left(self, now: Roles) -> bool:
        """Whether the run can have left this: what it wrote, or where nobody knows, anything on the way."""
        return any(
            now == scope.after if result is Result.APPLIED else _between(scope, now)
            for scope, result in self.writes
        )


def _between(scope: ScopeWrite, now: Roles) -> bool:
    return scope.before & scope.after <= now <= scope.before | scope.after


def _trails(writes: Iterable[Write], ids: _Ids) -> Mapping[tuple[str, Scope], _Trail]:
    trails: dict[tuple[str, Scope], _Trail] = {}
    for write in writes:
        if write.principal_id is None:
            continue
        for scope in write.scopes:
            first = _Trail(write.subject, write.line, write.active, scope.before, scope.entries)
            trails.setdefault((ids.of(write.principal_id), scope.scope), first).follow(scope, write.result)
    return trails


def _obstacle(person: Principal | None, now: Roles, trail: _Trail, *, known: bool, returns: bool) -> str:
    """Why something can't be put back, or nothing.

    `known`: the policy speaks for the scope. `returns`: the person is to be reactivated, too.
    """
    if not known:
        return "the policy does not speak for it any more"
    if person is None:
        return "the person is not on the server any more"
    if not trail.left(now):
        left = " or ".join(dict.fromkeys(_told(scope.after) for scope, _ in trail.writes))
        return f"the run left {left}, now it is {_told(now)}"
    entitled = person.entitled or returns
    if trail.active and not entitled and highest(trail.before) > highest(now):
        return "the person is not active any more"
    return ""


def _told(roles: Roles) -> str:
    return " + ".join(words(roles)) or "none"
