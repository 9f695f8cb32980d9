"""What must hold of every run against any server, checked on the account that the hostile layer keeps."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from hostile import world
from hostile.server import Effect, Held

from reconciler.change import Result
from reconciler.history import PastRun, Write
from reconciler.model import Role, Roles, Scope
from reconciler.policy.document import StoredAs


def check_each_write(
    effects: Collection[Effect],
    live: Held,
    desired: Held,
    stored_as: StoredAs,
    inactive: Collection[str] = (),
) -> None:
    """No write of a run does what its plan does not say, leaves too few admins, or opens a gap.

    `live` is what everybody held when the run read it, `desired` what its policy asks for.
    """
    floor = min(world.MINIMUM_ADMINS, len(world.admins(live, stored_as, inactive)))
    touched: set[str] = set()
    for effect in effects:
        if effect.rival:
            touched |= effect.people.keys()
            continue
        check_planned(effect, live, desired)
        check_admins(effect, floor, stored_as, inactive)
        check_no_gap(effect, live, desired, stored_as, touched)


def check_planned(effect: Effect, live: Held, desired: Held) -> None:
    """Whatever somebody was given or lost, the difference between live and desired says so."""
    for person, (before, after) in effect.people.items():
        had, should = Counter(live.get(person, ())), Counter(desired.get(person, ()))
        assert not (Counter(after) - Counter(before)) - (should - had), (person, before, after)
        assert not (Counter(before) - Counter(after)) - (had - should), (person, before, after)


def check_admins(effect: Effect, floor: int, stored_as: StoredAs, inactive: Collection[str] = ()) -> None:
    """No write leaves fewer organization admins than must stay; where there are fewer, it takes none."""
    before = world.admins(effect.before, stored_as, inactive)
    after = world.admins(effect.after, stored_as, inactive)
    assert len(after) >= min(floor, len(before)), (before, after)


def check_no_gap(
    effect: Effect, live: Held, desired: Held, stored_as: StoredAs, touched: Collection[str] = ()
) -> None:
    """Who has a role in a scope, before and after, has the lower of the two, or more, at each moment."""
    had, should = world.roles(live, stored_as), world.roles(desired, stored_as)
    now = world.roles(effect.after, stored_as)
    for person in effect.people.keys() - set(touched):
        for scope in had[person].keys() & should[person].keys():
            lowest = min(max(had[person][scope]), max(should[person][scope]))
            assert max(now[person].get(scope, {0})) >= lowest, (person, scope, now[person])


def check_ledger(
    runs: Collection[PastRun],
    effects: Collection[Effect],
    stored_as: StoredAs,
    touched: Collection[str] = (),
) -> None:
    """What the server saw is in the ledger, and what the ledger calls applied is what the server saw."""
    seen: set[Move] = {move for effect in effects if not effect.rival for move in _moves(effect, stored_as)}
    writes = [write for run in runs for write in run.writes]
    assert seen <= {move for write in writes for move in _recorded(write)}
    applied = {move for write in writes if write.result is Result.APPLIED for move in _recorded(write)}
    assert {move for move in applied if move[0] not in touched} <= seen


Move = tuple[str, Scope, Role, bool]
"""Somebody, a role in a scope, and whether they gain it or lose it."""


def _moves(effect: Effect, stored_as: StoredAs) -> Iterator[Move]:
    was, now = world.roles(effect.before, stored_as), world.roles(effect.after, stored_as)
    for person in effect.people:
        for scope in was[person].keys() | now[person].keys():
            before, after = (side[person].get(scope, frozenset()) for side in (was, now))
            yield from _between(person, scope, before, after)


def _recorded(write: Write) -> Iterator[Move]:
    for scope in write.scopes:
        yield from _between(write.subject, scope.scope, scope.before, scope.after)


def _between(person: str, scope: Scope, before: Roles, after: Roles) -> Iterator[Move]:
    yield from ((person, scope, role, True) for role in after - before)
    yield from ((person, scope, role, False) for role in before - after)


def check_between(held: Held, live: Held, desired: Held, touched: Collection[str] = ()) -> None:
    """Everybody holds what live and desired have in common, and nothing that neither has."""
    others = held.keys() - set(touched)
    assert others == live.keys() - set(touched)
    for person in others:
        has, had, should = Counter(held[person]), Counter(live[person]), Counter(desired[person])
        assert not (had & should) - has, (person, held[person])
        assert not has - (had | should), (person, held[person])


def without(held: Held, people: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    """What everybody else holds."""
    return {person: names for person, names in held.items() if person not in people}
