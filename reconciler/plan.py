"""The changes that remove drift, in order, with a fingerprint; data that renderers and apply share."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from reconciler.change import Change, CreateGroup, ScopeChange, SetRoles, Stage, data
from reconciler.drift import Drift, PersonDrift
from reconciler.model import Holdings, Role, Roles, Scope, fold
from reconciler.naming import RoleNames
from reconciler.policy.document import Mode, Organization
from reconciler.problem import Problem

FORMAT = "reconciler.plan/1"


@dataclass(frozen=True)
class Plan:
    """What a run would write to one server, and what it would leave as it is.

    `changes` are in the order in which they are carried out; `withheld` is drift that the mode leaves;
    `problems` are what kept the desired state from being whole.
    """

    organization: str
    server: str
    mode: Mode
    changes: tuple[Change, ...] = ()
    withheld: tuple[SetRoles, ...] = ()
    problems: tuple[Problem, ...] = ()
    tree: str = ""
    """The hash of the policy files that it was made from (`Policy.tree`)."""

    @property
    def drifted(self) -> bool:
        """Whether the server differs from the policy, be it that the mode lets a run mend it or not."""
        return bool(self.changes or self.withheld)

    @cached_property
    def people(self) -> tuple[SetRoles, ...]:
        """One entry for each changed person, from how they are before the plan to how they are after."""
        return whole(change for change in self.changes if isinstance(change, SetRoles))

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits, equal for equal plans (`fingerprint`)."""
        changes = [data(change) for change in self.changes]
        return fingerprint(self.organization, self.server, self.tree, self.mode, changes)


def fingerprint(
    organization: str, server: str, tree: str, mode: str, changes: Sequence[Mapping[str, object]]
) -> str:
    """The hash of all that a plan is, its format included; `changes` are as `change.data` gives them."""
    document = {
        "format": FORMAT,
        "organization": organization,
        "server": server,
        "tree": tree,
        "mode": mode,
        "changes": list(changes),
    }
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def build(
    drift: Drift,
    organization: Organization,
    server: str,
    role_groups: frozenset[tuple[Scope, Role]] | None = None,
    problems: tuple[Problem, ...] = (),
    tree: str = "",
) -> Plan:
    """The plan for a drift, as far as the organization's mode allows it.

    `tree` is the policy's. `role_groups` are those that exist, where roles are groups: there each person
    joins first, and leaves once that is confirmed. None where roles are stored on the user: one request
    does both.
    """
    wanted = [_set_roles(person) for person in drift.people]
    changes: list[SetRoles]
    match organization.mode:
        case Mode.REPORT:
            changes, withheld = [], wanted
        case Mode.ADDITIVE:
            changes, withheld = _split(wanted, only_gains=True)
        case Mode.ENFORCE if role_groups is None:
            changes, withheld = wanted, []
        case Mode.ENFORCE:
            adding, rest = _split(wanted)
            changes, withheld = [*adding, *rest], []
    created = () if role_groups is None else _groups(changes, role_groups, RoleNames(organization))
    return Plan(
        organization.name,
        server,
        organization.mode,
        tuple(sorted((*created, *changes), key=_order)),
        tuple(withheld),
        problems,
        tree,
    )


def whole(changes: Iterable[SetRoles]) -> tuple[SetRoles, ...]:
    """Changes of the same person put together, sorted by userName."""
    people: dict[str, SetRoles] = {}
    for change in changes:
        earlier = people.get(change.principal.id)
        people[change.principal.id] = change if earlier is None else _joined(earlier, change)
    return tuple(sorted((c for c in people.values() if c.scopes), key=_name))


def _set_roles(person: PersonDrift) -> SetRoles:
    return SetRoles(
        person.principal,
        tuple(
            ScopeChange(drift.scope, drift.live, drift.desired, drift.why, drift.entries)
            for drift in person.scopes
        ),
    )


def _split(changes: Iterable[SetRoles], *, only_gains: bool = False) -> tuple[list[SetRoles], list[SetRoles]]:
    """Changes in two: what is added, and then the rest. Only gains: nothing is added below what one has."""
    adding: list[SetRoles] = []
    rest: list[SetRoles] = []
    for change in changes:
        between = {
            scope.scope: scope.before | scope.after if scope.gains or not only_gains else scope.before
            for scope in change.scopes
        }
        adding += _with(change, (replace(scope, after=between[scope.scope]) for scope in change.scopes))
        rest += _with(change, (replace(scope, before=between[scope.scope]) for scope in change.scopes))
    return adding, rest


def _with(change: SetRoles, scopes: Iterable[ScopeChange]) -> list[SetRoles]:
    """The change with other scopes, or none where nothing differs in any."""
    differing = tuple(scope for scope in scopes if scope.before != scope.after)
    return [replace(change, scopes=differing)] if differing else []


def _joined(first: SetRoles, second: SetRoles) -> SetRoles:
    scopes = {scope.scope: scope for scope in first.scopes}
    for scope in second.scopes:
        earlier = scopes.get(scope.scope)
        scopes[scope.scope] = scope if earlier is None else replace(scope, before=earlier.before)
    changed = (scope for scope in scopes.values() if scope.before != scope.after)
    return replace(first, scopes=tuple(sorted(changed, key=lambda scope: scope.scope.rank)))


def _groups(
    changes: Iterable[SetRoles], existing: frozenset[tuple[Scope, Role]], names: RoleNames
) -> tuple[CreateGroup, ...]:
    """The groups that the changes need and that do not exist yet."""
    needed = {
        (scope.scope, role)
        for change in changes
        for scope in change.scopes
        for role in scope.after - scope.before
    }
    return tuple(CreateGroup(scope, role, names.name(scope, role)) for scope, role in needed - existing)


def _order(change: Change) -> tuple[Stage, str, str]:
    match change:
        case CreateGroup():
            return (change.stage, fold(change.name), "")
        case SetRoles():
            return (change.stage, *_name(change))


def _name(change: SetRoles) -> tuple[str, str]:
    return (fold(change.principal.user_name), change.principal.id)


def after(plan: Plan, roles: Mapping[str, Holdings]) -> Mapping[str, Holdings]:
    """What everybody holds once a plan is carried out on these roles, by principal id."""
    result: dict[str, dict[Scope, Roles]] = {id_: dict(holdings) for id_, holdings in roles.items()}
    for change in plan.people:
        holdings = result.setdefault(change.principal.id, {})
        for scope in change.scopes:
            holdings.pop(scope.scope, None)
            if scope.after:
                holdings[scope.scope] = scope.after
    return {id_: holdings for id_, holdings in result.items() if holdings}
