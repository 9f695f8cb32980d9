"""What a state looks like without what a run wrote, as far as it still stands as that run left it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.change import Result, words
from reconciler.history import PastRun, ScopeWrite, Write
from reconciler.model import DesiredState, LiveState, Principal, Provenance, Roles, Scope
from reconciler.problem import Location

ENTRY = "undo"
"""What `Provenance.entry` is where a run that is undone is the reason."""

NONE: Roles = frozenset()


@dataclass(frozen=True, slots=True)
class WayBack:
    """The state to go back to, and in words what is left alone since it is not as the run left it."""

    desired: DesiredState
    moved: tuple[str, ...]


def way_back(run: PastRun, live: LiveState, scopes: Collection[Scope], ledger: str) -> WayBack:
    """The live state with what a run changed put back, in those `scopes` that the policy speaks for.

    `ledger` is the file that tells of the run. Groups that the run created stay, without members.
    """
    roles = {id_: dict(holdings) for id_, holdings in live.roles.items()}
    why: dict[str, dict[Scope, tuple[Provenance, ...]]] = {}
    entries: dict[str, dict[Scope, tuple[str, ...]]] = {}
    moved: list[str] = []
    for (id_, scope), trail in _trails(run.writes).items():
        now = live.holdings(id_).get(scope, NONE)
        if scope in scopes and now == trail.before:
            continue
        if reason := _obstacle(live.people.get(id_), now, trail, known=scope in scopes):
            moved.append(f"{trail.subject}, {scope}: {reason}")
            continue
        roles.setdefault(id_, {})[scope] = trail.before
        entries.setdefault(id_, {})[scope] = trail.entries
        at = Location(ledger, trail.line)
        why.setdefault(id_, {})[scope] = (Provenance(ENTRY, run.id, at, max(now | trail.before)),)
    kept = {id_: {scope: held for scope, held in of.items() if held} for id_, of in roles.items()}
    given = sum(map(len, kept.values()))
    return WayBack(DesiredState(kept, why, given=given, entries=entries), tuple(moved))


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


def _trails(writes: Iterable[Write]) -> Mapping[tuple[str, Scope], _Trail]:
    trails: dict[tuple[str, Scope], _Trail] = {}
    for write in writes:
        if write.principal_id is None:
            continue
        for scope in write.scopes:
            first = _Trail(write.subject, write.line, write.active, scope.before, scope.entries)
            trails.setdefault((write.principal_id, scope.scope), first).follow(scope, write.result)
    return trails


def _obstacle(person: Principal | None, now: Roles, trail: _Trail, *, known: bool) -> str:
    """Why something can't be put back, or nothing. `known`: the policy speaks for the scope."""
    if not known:
        return "the policy does not speak for it any more"
    if person is None:
        return "the person is not on the server any more"
    if not trail.left(now):
        left = " or ".join(dict.fromkeys(_told(scope.after) for scope, _ in trail.writes))
        return f"the run left {left}, now it is {_told(now)}"
    if trail.active and not person.entitled and max(trail.before, default=0) > max(now, default=0):
        return "the person is not active any more"
    return ""


def _told(roles: Roles) -> str:
    return " + ".join(words(roles)) or "none"
