"""What bindings and temporary grants have wrong between them. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from reconciler.model import Role, fold
from reconciler.policy.document import Binding, Policy, RoleEntry, TemporaryGrant
from reconciler.policy.rules.entries import Problems, again, pointless, scope_key, where
from reconciler.problem import Problem

_ALWAYS = datetime.min.replace(tzinfo=UTC)

Groups = Collection[Sequence[Binding]]
"""Bindings by the group that they mean."""


def of_roles(policy: Policy) -> Problems:
    """All of it."""
    groups = by_group(policy.bindings)
    yield from bound_twice(groups)
    yield from bound_below_organization_role(groups)
    yield from group_spelled_in_two_ways(groups)
    yield from earlier_name_in_use(policy.bindings)
    yield from granted_below_organization_role(policy.grants)
    yield from grant_never_in_force(policy.grants)
    yield from granted_twice(policy.grants)


def bound_twice(groups: Groups) -> Problems:
    """A group that is given a role in one scope by two bindings, or everything again by a second one."""
    for group in groups:
        given: dict[str | None, RoleEntry] = {}
        whole: dict[frozenset[tuple[str | None, Role]], Binding] = {}
        for binding in group:
            gifts = frozenset((scope_key(entry.scope), entry.role) for entry in binding.roles)
            if gifts in whole:
                yield _repeated(whole[gifts], binding)
            else:
                yield from _clashes(f"group '{binding.group.name}'", given, binding.roles)
            whole.setdefault(gifts, binding)
            for entry in binding.roles:
                given.setdefault(scope_key(entry.scope), entry)


def bound_below_organization_role(groups: Groups) -> Problems:
    """A project role lower than what the same group has in the whole organization, from any binding."""
    for group in groups:
        roles = [entry for binding in group for entry in binding.roles]
        yield from pointless(f"group '{group[0].group.name}'", roles)


def group_spelled_in_two_ways(groups: Groups) -> Problems:
    """One group whose name two bindings write differently."""
    for first, *others in groups:
        for other in others:
            if other.group.name != first.group.name:
                message = f"the group '{other.group.name}' is '{first.group.name}' in {where(first.at)}"
                remedy = "write one name in both; if they are two groups, give each its own `id:`"
                yield Problem(other.at, message, remedy)


def earlier_name_in_use(bindings: Iterable[Binding]) -> Problems:
    """An earlier name of a group that a group has now, by this policy."""
    bindings = tuple(bindings)
    current = {fold(binding.group.name): binding for binding in reversed(bindings)}
    for binding in bindings:
        for name, at in zip(binding.group.previously, binding.previously_at, strict=False):
            if fold(name) == fold(binding.group.name):
                yield Problem(at, f"'{name}' is the group's present name", "delete it from `previously:`")
            elif other := current.get(fold(name)):
                message = f"'{name}' is no earlier name: it is a group of its own in {where(other.at)}"
                yield Problem(at, message, "delete it here, or delete that binding")


def granted_below_organization_role(grants: Iterable[TemporaryGrant]) -> Problems:
    """A project role lower than the organization role of the same temporary grant."""
    for grant in grants:
        yield from pointless(f"'{grant.user}'", grant.roles)


def grant_never_in_force(grants: Iterable[TemporaryGrant]) -> Problems:
    """A temporary grant that ends before it starts. One that is over already is history, not a mistake."""
    for grant in grants:
        if grant.starts is not None and grant.expires <= grant.starts:
            remedy = f"write a time for `expires:` that is after {grant.starts:%Y-%m-%dT%H:%M:%SZ}"
            yield Problem(grant.at, f"the grant of '{grant.user}' ends before it starts", remedy)


def granted_twice(grants: Iterable[TemporaryGrant]) -> Problems:
    """A person who is given a role in one scope by two temporary grants at one time."""
    given: dict[tuple[str, str | None], list[tuple[TemporaryGrant, RoleEntry]]] = defaultdict(list)
    for grant in grants:
        if _starts(grant) < grant.expires:
            for entry in grant.roles:
                given[fold(grant.user), scope_key(entry.scope)].append((grant, entry))
    for entries in given.values():
        entries.sort(key=lambda pair: (_starts(pair[0]), pair[1].at))
        yield from _overlaps(entries)


def by_group(bindings: Iterable[Binding]) -> Groups:
    """Bindings by the group that they mean, in the order of the files.

    An id says which; without one, the name does, and it means the one group of that name with an id
    if there is just one.
    """
    bindings = sorted(bindings, key=lambda binding: binding.at)
    ids: dict[str, set[str]] = defaultdict(set)
    for binding in bindings:
        if binding.group.id is not None:
            ids[fold(binding.group.name)].add(binding.group.id)
    groups: dict[tuple[str, str], list[Binding]] = defaultdict(list)
    for binding in bindings:
        name = fold(binding.group.name)
        of_name = {binding.group.id} if binding.group.id is not None else ids[name]
        key = ("id", next(iter(of_name))) if len(of_name) == 1 else ("name", name)
        groups[key].append(binding)
    return groups.values()


def _repeated(first: Binding, second: Binding) -> Problem:
    message = f"this binding of group '{second.group.name}' repeats the one in {where(first.at)}"
    return Problem(second.at, message, "delete one of them")


def _clashes(whom: str, given: Mapping[str | None, RoleEntry], roles: Iterable[RoleEntry]) -> Problems:
    for entry in roles:
        if earlier := given.get(scope_key(entry.scope)):
            yield again(whom, earlier, entry)


def _starts(grant: TemporaryGrant) -> datetime:
    return grant.starts or _ALWAYS


def _overlaps(entries: Iterable[tuple[TemporaryGrant, RoleEntry]]) -> Problems:
    """Of one person and scope, by their beginning: each that begins before one before it has ended."""
    (longest, earlier), *others = entries
    for grant, entry in others:
        if _starts(grant) <= longest.expires:
            yield again(f"'{grant.user}'", earlier, entry)
        if grant.expires > longest.expires:
            longest, earlier = grant, entry
