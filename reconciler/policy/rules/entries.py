"""Entries of a policy as rules look at them: which are alike, and words for what and where they are. Pure."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

from reconciler.model import ORGANIZATION, Scope, fold
from reconciler.policy.document import Access, PersonEntry, Policy, RoleEntry, ServiceAccount
from reconciler.problem import Location, Problem

T = TypeVar("T")
E = TypeVar("E", PersonEntry, ServiceAccount)
Problems = Iterator[Problem]


def alike(items: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[tuple[T, T]]:
    """Each item whose key was there before, after the first that had it."""
    first: dict[Hashable, T] = {}
    for item in items:
        if key(item) in first:
            yield first[key(item)], item
        else:
            first[key(item)] = item


def in_order(entries: Iterable[E]) -> list[E]:
    """Entries in the order of the files."""
    return sorted(entries, key=lambda entry: entry.at)


def protected_places(policy: Policy) -> Mapping[str, Location]:
    """Where each protected person is named, by their folded name."""
    return {fold(user): at for user, at in policy.protected_at.items()}


def scope_key(scope: Scope) -> str | None:
    """What scopes compare by: a project's name, folded; None for the organization."""
    return None if scope.project is None else fold(scope.project)


def again(whom: str, earlier: RoleEntry, entry: RoleEntry) -> Problem:
    """Somebody is given a second role in one scope."""
    place = where(earlier.at)
    if earlier.role == entry.role:
        message = f"{whom} is made {entry.role} of {in_words(entry.scope)} here and again in {place}"
        return Problem(entry.at, message, "delete one of them")
    message = f"{whom} is made {entry.role} of {in_words(entry.scope)} here, but {earlier.role} in {place}"
    return Problem(entry.at, message, "keep the one that is meant, delete the other")


def pointless(whom: str, roles: Iterable[RoleEntry]) -> Problems:
    """Project roles lower than the organization role beside them, which applies in every project."""
    roles = tuple(roles)
    everywhere = [entry for entry in roles if entry.scope == ORGANIZATION]
    if not everywhere:
        return
    highest = max(everywhere, key=lambda entry: entry.role)
    for entry in roles:
        if entry.scope != ORGANIZATION and entry.role < highest.role:
            why = f"{whom} is {highest.role} of the whole organization ({where(highest.at)})"
            message = f"the role {entry.role} in {in_words(entry.scope)} adds nothing: {why}"
            yield Problem(entry.at, message, "delete it, or give a higher role")


def in_words(scope: Scope) -> str:
    """A scope for a message."""
    return "the organization" if scope.project is None else f"project '{scope.project}'"


def access_in_words(access: Access, joined: str = " or ") -> str:
    """What an assertion is about, for a message: `admin of the organization or viewer of project 'web'`."""
    roles = [f"{entry.role} of {in_words(entry.scope)}" for entry in access.roles]
    return joined.join([*roles, *([f"{access.anywhere} of anything"] if access.anywhere else [])])


def where(place: Location) -> str:
    """A place for a message."""
    return f"{place.file}:{place.line}:{place.column}"
