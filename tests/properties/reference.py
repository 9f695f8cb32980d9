"""What a policy means, said a second time in the slowest and plainest words, to compare with."""

from collections.abc import Iterable, Iterator, Mapping, Set

from build import NOW
from properties.strategies import World

from reconciler.change import Outcome, Result, SetRoles
from reconciler.model import ORGANIZATION, DirectoryGroup, Holdings, Member, Principal, Role, Roles, Scope
from reconciler.policy.document import Binding, GroupRef, Limit, RoleEntry, TemporaryGrant


def given(world: World, person: Principal) -> dict[Scope, Role]:
    """The highest role of each scope that the policy gives to a person, as far as it can be told."""
    return {} if person.active is False else _highest(_given(world, person))


def could_be_given(world: World, person: Principal) -> dict[Scope, Role]:
    """The same of what cannot be resolved and might mean this person."""
    return {} if person.active is False else _highest(_could_be_given(world, person))


def resolved(world: World) -> bool:
    """Whether it is known whom every entry means."""
    return not list(_unresolved(world)) and all(
        _meant(world, member) for binding in world.policy.bindings for member in _members(world, binding)
    )


def is_protected(world: World, person: Principal) -> bool:
    names = world.organization.guardrails.protected
    return any(name.casefold() == person.user_name.casefold() for name in names)


def admins(world: World, held: Mapping[str, Holdings]) -> int:
    """How many can act as admin of the organization."""
    return len(_admins(world, held))


Held = Mapping[str, Holdings]


def gauges(world: World, before: Held, now: Held) -> dict[str, set[str]]:
    """By guardrail, the ids of the people (the names of the groups) that it counts, from what was and is."""
    losing = {person: _lost(before, now, person) for person in world.people}
    losing = {person: scopes for person, scopes in losing.items() if scopes}
    expired = {
        person
        for person, scopes in losing.items()
        if person.active is not False and all(_over(world, person, scope, before) for scope in scopes)
    }
    others = {person: scopes for person, scopes in losing.items() if person not in expired}
    return {
        "removals": {p.id for p, lost in others.items() if any(not highest(_of(now, p), s) for s in lost)},
        "demotions": {p.id for p, lost in others.items() if any(highest(_of(now, p), s) for s in lost)},
        "last_roles": {p.id for p in others if not any(_of(now, p).values())},
        "deactivations": {p.id for p in others if p.active is False},
        "expiries": {p.id for p in expired},
        "emptied_groups": {
            group.name
            for person in others
            if person.active is not False
            for group, entry in _of_nobody(world)
            if highest(_of(now, person), entry.scope) < entry.role
            and entry.role in _of(before, person).get(entry.scope, ())
        },
        "admins_gained": _admins(world, now) - _admins(world, before),
        "required_admins": {
            p.id
            for p in world.people
            if any(_named(world, name) == p for name in world.organization.guardrails.required_admins)
            and Role.ADMIN in _of(before, p).get(ORGANIZATION, ())
            and Role.ADMIN not in _of(now, p).get(ORGANIZATION, ())
        },
        "own_user": {p.id for p, lost in losing.items() if p.id == world.me and ORGANIZATION in lost},
    }


def allowed(world: World, held: Held) -> dict[str, int]:
    """By guardrail, how many it lets through."""
    limits = world.organization.guardrails
    holders = sum(any(holdings.values()) for holdings in held.values())

    def of(limit: Limit) -> int:
        return min(limit.count, max(1, holders * limit.percent // 100) if limit.percent else 0)

    return {
        "removals": of(limits.removals),
        "demotions": of(limits.demotions),
        "last_roles": of(limits.last_roles),
        "deactivations": of(limits.deactivations),
        "expiries": of(limits.expiries),
        "emptied_groups": limits.emptied_groups,
        "admins_gained": limits.admins_gained,
        "required_admins": 0,
        "own_user": 0,
    }


def _of(held: Held, person: Principal) -> Holdings:
    return held.get(person.id, {})


def _lost(before: Held, now: Held, person: Principal) -> set[Scope]:
    had, has = _of(before, person), _of(now, person)
    return {scope for scope in had if highest(has, scope) < highest(had, scope)}


def _over(world: World, person: Principal, scope: Scope, before: Held) -> bool:
    """Whether a temporary grant that ended gave somebody all that they had in a scope."""
    return any(
        entry.scope == scope and entry.role >= highest(_of(before, person), scope)
        for grant in world.policy.grants
        if grant.expires < NOW and _named(world, grant.user) == person
        for entry in grant.roles
    )


def _of_nobody(world: World) -> Iterator[tuple[DirectoryGroup, RoleEntry]]:
    for binding in world.policy.bindings:
        group = _group(world, binding.group)
        if group is not None and group.members == frozenset():
            yield from ((group, entry) for entry in binding.roles)


def _admins(world: World, held: Held) -> set[str]:
    active = (person for person in world.people if person.active is not False)
    return {person.id for person in active if Role.ADMIN in _of(held, person).get(ORGANIZATION, ())}


def highest(holdings: Holdings, scope: Scope) -> int:
    return max(holdings.get(scope, ()), default=0)


def _given(world: World, person: Principal) -> Iterator[RoleEntry]:
    for binding in world.policy.bindings:
        if any(_meant(world, member) == person for member in _members(world, binding)):
            yield from binding.roles
    for grant in world.policy.grants:
        if _named(world, grant.user) == person and _holds(grant):
            yield from grant.roles


def _could_be_given(world: World, person: Principal) -> Iterator[RoleEntry]:
    for entry in _unresolved(world):
        yield from entry.roles
    for binding in world.policy.bindings:
        strangers = [member for member in _members(world, binding) if not _meant(world, member)]
        if strangers and not _in_a_group(world, person):
            yield from binding.roles


def _unresolved(world: World) -> Iterator[Binding | TemporaryGrant]:
    for binding in world.policy.bindings:
        group = _group(world, binding.group)
        if group is None or group.members is None:
            yield binding
    for grant in world.policy.grants:
        if _named(world, grant.user) is None and _holds(grant):
            yield grant


def _holds(grant: TemporaryGrant) -> bool:
    return (grant.starts is None or grant.starts <= NOW) and grant.expires >= NOW


def _in_a_group(world: World, person: Principal) -> bool:
    """Whether the directory is known to mean this person, so that none of its strangers is them."""
    everybody = (member for binding in world.policy.bindings for member in _members(world, binding))
    return any(_meant(world, member) == person for member in everybody)


def _members(world: World, binding: Binding) -> Set[Member]:
    group = _group(world, binding.group)
    return frozenset() if group is None or group.members is None else group.members


def _group(world: World, ref: GroupRef) -> DirectoryGroup | None:
    groups = world.membership.groups
    wanted = [[g for g in groups if g.name.casefold() == name.casefold()] for name in _names(ref)]
    found = next(filter(None, wanted), []) if ref.id is None else [g for g in groups if g.id == ref.id]
    return found[0] if len(found) == 1 else None


def _names(ref: GroupRef) -> tuple[str, ...]:
    return (ref.name, *ref.previously)


def _meant(world: World, member: Member) -> Principal | None:
    if member.principal_id is not None:
        return next((person for person in world.people if person.id == member.principal_id), None)
    sharing = [p for p in world.people if p.external_id and p.external_id == member.external_id]
    if sharing:
        return sharing[0] if len(sharing) == 1 else None
    return _named(world, member.user_name or "")


def _named(world: World, user_name: str) -> Principal | None:
    return next((p for p in world.people if p.user_name.casefold() == user_name.casefold()), None)


def _highest(entries: Iterable[RoleEntry]) -> dict[Scope, Role]:
    result: dict[Scope, Role] = {}
    for entry in entries:
        result[entry.scope] = max(entry.role, result.get(entry.scope, entry.role))
    return result


def said(outcomes: Iterable[Outcome]) -> Mapping[tuple[str, Scope], Roles]:
    """The roles that each person must hold if the outcomes are true."""
    result: dict[tuple[str, Scope], Roles] = {}
    for outcome in outcomes:
        change = outcome.change
        if not isinstance(change, SetRoles):
            continue
        for scope in change.scopes:
            if outcome.result is Result.APPLIED:
                result[change.principal.id, scope.scope] = scope.after
            elif outcome.result is Result.FAILED:
                result.pop((change.principal.id, scope.scope), None)
    return result
