"""How the live state differs from the desired one, as a fact; what to do about it is the plan's."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from reconciler.aligned import Aligned
from reconciler.model import (
    NOTHING,
    DesiredState,
    LiveState,
    Principal,
    Provenance,
    Roles,
    Scope,
    fold,
)

_Held = frozenset[tuple[Scope, Roles]]


@dataclass(frozen=True, slots=True)
class ScopeDrift:
    """One scope in which somebody holds something else than they should."""

    scope: Scope
    live: Roles
    desired: Roles
    why: tuple[Provenance, ...] = ()
    entries: tuple[str, ...] = ()
    """How the desired roles are to be stored, where that is asked for (`DesiredState.entries`)."""


@dataclass(frozen=True, slots=True)
class PersonDrift:
    """Somebody who holds something else than they should; `scopes` is sorted and never empty."""

    principal: Principal
    scopes: tuple[ScopeDrift, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """Everybody who differs, sorted by userName."""

    people: tuple[PersonDrift, ...] = ()


def detect(desired: DesiredState, live: LiveState) -> Drift:
    """Compare everybody by id; who holds what they should is not in the answer."""
    should = Aligned.of(live.people, desired.roles, NOTHING).each
    everybody = zip(live.people.values(), should, live.held.each, strict=True)
    differing = [person for person, one, other in everybody if one is not other and one != other]
    differing.sort(key=lambda person: (fold(person.user_name), person.id))
    scopes = cache(_differing)
    return Drift(tuple(_person(principal, desired, live, scopes) for principal in differing))


def _person(
    principal: Principal,
    desired: DesiredState,
    live: LiveState,
    differing: Callable[[_Held, _Held], tuple[Scope, ...]],
) -> PersonDrift:
    should, does = desired.holdings(principal.id), live.holdings(principal.id)
    why = desired.why.get(principal.id, {})
    entries = desired.entries.get(principal.id, {})
    none: Roles = frozenset()
    # What is alike is left out before anything is compared: so thousands of people differ alike.
    extra, lacking = frozenset(does.items() - should.items()), frozenset(should.items() - does.items())
    return PersonDrift(
        principal,
        tuple(
            ScopeDrift(
                scope,
                does.get(scope, none),
                should.get(scope, none),
                why.get(scope, ()),
                entries.get(scope, ()),
            )
            for scope in differing(extra, lacking)
        ),
    )


def _differing(does: _Held, should: _Held) -> tuple[Scope, ...]:
    """The scopes in which two holdings differ, sorted."""
    from deepdiff import DeepDiff  # takes longer to load than all of ours; who reads a ledger needs none

    scopes = {_key(scope): scope for scope, _ in (*does, *should)}
    difference = DeepDiff(
        {_key(scope): _words(roles) for scope, roles in does},
        {_key(scope): _words(roles) for scope, roles in should},
        threshold_to_diff_deeper=0,  # else two dicts with little in common differ as a whole, without keys
        ignore_private_variables=False,  # else a project called `__name` is passed over
    )
    differing = (scopes[key] for key in difference.affected_root_keys)
    return tuple(sorted(differing, key=lambda scope: scope.rank))


def _words(roles: Roles) -> str:
    """Roles as a string, for DeepDiff compares sets slowly."""
    return " ".join(map(str, sorted(roles)))


def _key(scope: Scope) -> str:
    return scope.project if scope.project is not None else ""
