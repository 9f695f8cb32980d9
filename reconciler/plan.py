"""The changes that remove drift, in order, with a fingerprint; data that renderers and apply share."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import assert_never

from reconciler.change import (
    AccountChange,
    Change,
    CreateGroup,
    CreateUser,
    DeleteUser,
    ScopeChange,
    SetActive,
    SetAttributes,
    SetRoles,
    Stage,
    data,
    shuts_out,
)
from reconciler.drift import Drift, PersonDrift
from reconciler.exact import canonical
from reconciler.finding import Finding
from reconciler.model import NOTHING, Holdings, Principal, Role, Scope, fold
from reconciler.naming import RoleNames
from reconciler.policy.document import Mode, Organization
from reconciler.problem import Problem

FORMAT = "reconciler.plan/1"

AT_A_TIME = 100
"""So many changes are written to be hashed at once: all of them would take much memory."""


@dataclass(frozen=True)
class Plan:
    """What a run would write to one server, and what it would leave as it is.

    `changes` are in the order in which they are carried out; `withheld` is what the mode leaves undone;
    `problems` are what kept the desired state from being whole.
    """

    organization: str
    server: str
    mode: Mode
    changes: tuple[Change, ...] = ()
    withheld: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()
    tree: str = ""
    """The hash of the policy files that it was made from (`Policy.tree`)."""
    findings: tuple[Finding, ...] = ()
    """What a person should look at; no part of the fingerprint, for nothing is written because of it."""
    shows: str = ""
    """The fingerprint of the plan that this one shows without names; empty: this is a plan itself."""

    @property
    def drifted(self) -> bool:
        """Whether the server differs from the policy, be it that the mode lets a run mend it or not."""
        return bool(self.changes or self.withheld)

    @cached_property
    def people(self) -> tuple[SetRoles, ...]:
        """One entry for each person whose roles change, from how they are before the plan to after it."""
        return whole(change for change in self.changes if isinstance(change, SetRoles))

    @cached_property
    def accounts(self) -> tuple[AccountChange, ...]:
        """What happens to accounts, in the order of the plan."""
        return tuple(change for change in self.changes if isinstance(change, AccountChange))

    @cached_property
    def withheld_people(self) -> tuple[SetRoles, ...]:
        """The roles that the mode leaves as they are."""
        return tuple(change for change in self.withheld if isinstance(change, SetRoles))

    @cached_property
    def withheld_accounts(self) -> tuple[AccountChange, ...]:
        """What the mode does not do to accounts."""
        return tuple(change for change in self.withheld if isinstance(change, AccountChange))

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits, equal for equal plans (`fingerprint`)."""
        if self.shows:
            return self.shows
        return fingerprint(self.organization, self.server, self.tree, self.mode, map(data, self.changes))


def fingerprint(
    organization: str, server: str, tree: str, mode: str, changes: Iterable[Mapping[str, object]]
) -> str:
    """The hash of all that a plan is, its format included; `changes` are as `change.data` gives them.

    It is that of one document of JSON, without blanks and with sorted keys, of which `changes` is the first.
    """
    about = {"format": FORMAT, "organization": organization, "server": server, "tree": tree, "mode": mode}
    digest = hashlib.sha256(b'{"changes":[')
    waiting, between = iter(changes), ""
    while some := list(islice(waiting, AT_A_TIME)):
        digest.update(f"{between}{canonical(some)[1:-1]}".encode())
        between = ","
    digest.update(f"],{canonical(about)[1:]}".encode())
    return digest.hexdigest()[:32]


def build(
    drift: Drift,
    organization: Organization,
    server: str,
    role_groups: frozenset[tuple[Scope, Role]] | None = None,
    problems: tuple[Problem, ...] = (),
    tree: str = "",
    accounts: Iterable[AccountChange] = (),
    findings: tuple[Finding, ...] = (),
) -> Plan:
    """The plan for a drift, as far as the organization's mode allows it.

    `tree` is the policy's. `role_groups` are those that exist, where roles are groups: there each person
    joins first, and leaves once that is confirmed. None where roles are stored on the user: one request
    does both. `accounts` are the changes of accounts that people's lives ask for; roles of somebody who
    is to be created are drift of their provisional id, and are withheld together with the creation.
    """
    wanted = [_set_roles(person) for person in drift.people]
    due = sorted(accounts, key=order)
    changes: list[SetRoles]
    carried: list[AccountChange]
    match organization.mode:
        case Mode.REPORT:
            changes, withheld = [], wanted
            carried, left = [], due
        case Mode.ADDITIVE:
            changes, withheld = _split(wanted, only_gains=True)
            carried, left = _only_giving(due, withheld)
        case Mode.ENFORCE if role_groups is None:
            changes, withheld = wanted, []
            carried, left = due, []
        case Mode.ENFORCE:
            adding, rest = _split(wanted)
            changes, withheld = [*adding, *rest], []
            carried, left = due, []
    created = () if role_groups is None else _groups(changes, role_groups, RoleNames(organization))
    return Plan(
        organization.name,
        server,
        organization.mode,
        tuple(sorted((*created, *changes, *carried), key=order)),
        (*_before_roles(left), *withheld, *_after_roles(left)),
        problems,
        tree,
        findings,
    )


def _only_giving(
    accounts: Iterable[AccountChange], kept: Iterable[SetRoles]
) -> tuple[list[AccountChange], list[AccountChange]]:
    """Changes of accounts in two: those that take nothing from anybody, and the rest.

    Nobody comes back to roles that they are to lose and, as only gains are carried out, are `kept`.
    """
    losing = {change.principal.id for change in kept if any(scope.loses for scope in change.scopes)}
    giving: list[AccountChange] = []
    rest: list[AccountChange] = []
    for change in accounts:
        returns_to_more = isinstance(change, SetActive) and change.principal.id in losing
        (rest if shuts_out(change) or returns_to_more else giving).append(change)
    return giving, rest


def _before_roles(accounts: Iterable[AccountChange]) -> Iterable[AccountChange]:
    return (change for change in accounts if change.stage < Stage.PROMOTE)


def _after_roles(accounts: Iterable[AccountChange]) -> Iterable[AccountChange]:
    return (change for change in accounts if change.stage > Stage.PROMOTE)


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


def order(change: Change) -> tuple[Stage, str, str]:
    """Sort key: the order of a plan."""
    match change:
        case CreateGroup():
            return (change.stage, fold(change.name), "")
        case SetRoles() | CreateUser() | SetAttributes() | SetActive() | DeleteUser():
            return (change.stage, *_rank(change.principal))
        case _ as never:
            assert_never(never)


def _name(change: SetRoles) -> tuple[str, str]:
    return _rank(change.principal)


def _rank(principal: Principal) -> tuple[str, str]:
    return (fold(principal.user_name), principal.id)


@dataclass(frozen=True, slots=True, eq=False)
class _After(Mapping[str, Holdings]):
    """What everybody holds, with those who hold something else by then. Most people are not copied."""

    before: Mapping[str, Holdings]
    changed: Mapping[str, Holdings]
    """Also who is left with nothing."""

    def __getitem__(self, id_: str) -> Holdings:
        holdings = self.changed.get(id_)
        if holdings is None:
            return self.before[id_]
        if not holdings:
            raise KeyError(id_)
        return holdings

    def __iter__(self) -> Iterator[str]:
        everybody = self.before.keys() | self.changed.keys()
        return (id_ for id_ in everybody if self.changed.get(id_, True))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def after(plan: Plan, roles: Mapping[str, Holdings]) -> Mapping[str, Holdings]:
    """What everybody holds once a plan is carried out on these roles, by principal id.

    Of those whom the plan changes, who is left with nothing is absent.
    """
    changed: dict[str, Holdings] = {}
    for change in plan.people:
        holdings = dict(roles.get(change.principal.id, NOTHING))
        for scope in change.scopes:
            holdings.pop(scope.scope, None)
            if scope.after:
                holdings[scope.scope] = scope.after
        changed[change.principal.id] = holdings
    return _After(roles, changed)
