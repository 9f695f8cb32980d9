"""Thinking alone: `python -m benchmarks.thinking [--people N] [--changed N] [--kind scim|file] [--times N]`.

Prints as JSON the seconds of CPU of desired state, drift, plan and guardrails of people in memory: nothing
is read. `cold` is the first time in a process, with all that is loaded only then. `large` are several more,
in turns with ten other organizations of a tenth of the people each: `small` is what one of these takes. So
both meet the machine as fast, or as slow; and nobody is thought about again while the processor's caches
still hold them, which never happens in a run either.
"""

import argparse
import gc
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import process_time

from reconciler import planning
from reconciler.aligned import Aligned
from reconciler.cli import COLLECTION
from reconciler.model import (
    NOTHING,
    ORGANIZATION,
    DirectoryGroup,
    Holdings,
    LiveState,
    Member,
    Membership,
    Principal,
    ProviderMembers,
    Role,
    Roles,
    Scope,
)
from reconciler.naming import RoleNames
from reconciler.people.population import Past
from reconciler.planning import Prepared
from reconciler.policy.document import (
    Access,
    Assertion,
    AtMost,
    Binding,
    DirectoryKind,
    DirectorySettings,
    GroupRef,
    Guardrails,
    Lifecycle,
    Limit,
    Mode,
    Organization,
    PersonClass,
    PersonEntry,
    Policy,
    RoleEntry,
    ServiceAccount,
    TemporaryGrant,
)
from reconciler.ports import ProvisioningFailure
from reconciler.problem import Location

IN_A_GROUP = 50
PROJECTS = 200
TIMES = 5
NOW = datetime(2026, 11, 26, tzinfo=UTC)
ROLES = (Role.VIEWER, Role.CONTRIBUTOR, Role.ADMIN)
NO_LIMIT = Limit(count=10_000_000, percent=100)
KINDS = (DirectoryKind.SCIM, DirectoryKind.FILE)


def thinking(
    people: int, kind: DirectoryKind = DirectoryKind.SCIM, *, differing: int = 1_000
) -> Callable[[], Prepared]:
    """The planning of an organization of so many people, every so manieth of whom differs (0: nobody).

    There is a group with a binding for every fifty people. With a directory of its own, it has classes of
    people and a say in accounts.
    """
    policy = _policy(people // IN_A_GROUP, kind)
    everybody = [_principal(number) for number in range(people)]
    membership = _membership(everybody, kind)
    known = {one.id: one for one in everybody}
    without = _Server(known, [NOTHING] * people)
    asked = planning.read(policy, without, _Directory(membership), NOW).asked.roles
    scopes = {scope: scope for (scope, _), _ in RoleNames(policy.organization).items()}
    held = (
        _held(asked.get(one.id, {}), scopes, differs=bool(differing) and number % differing == differing - 1)
        for number, one in enumerate(everybody)
    )
    server, directory = _Server(known, _shared(held)), _Directory(membership)
    return lambda: planning.survey(policy, server, directory, NOW, Past()).prepared


@dataclass(frozen=True, slots=True)
class _Server:
    """A `ports.ProviderReader` that was read already."""

    people: Mapping[str, Principal]
    held: list[Holdings]
    server: str = "https://scim.example/v2"

    def read(self) -> LiveState:
        """Without what the last one remembers."""
        return LiveState(self.people, Aligned(self.people, self.held))

    def read_back(self, principal_ids: Collection[str]) -> LiveState:
        return self.read()

    def token_user(self) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class _Directory:
    """A `ports.Directory` that was read already."""

    membership: Membership

    def read(self, groups: Collection[GroupRef], *, everybody: bool = False) -> Membership:
        return replace(self.membership)  # without what the last one remembers

    def failures(self) -> tuple[ProvisioningFailure, ...]:
        return ()


def _principal(number: int) -> Principal:
    name = f"person.{number:06}"
    return Principal(
        f"{number:08x}-8a3f-4d52-9c11-{number:012x}",
        f"{name}@acme.example",
        f"00u{number:017}",
        True,
        f"Person Number {number}",
        f"{name}@acme.example",
    )


def _membership(everybody: list[Principal], kind: DirectoryKind) -> Membership:
    number = len(everybody) // IN_A_GROUP
    own = {one.id: _member(one, kind) for one in everybody}

    def members(people: Iterable[Principal]) -> Set[Member]:
        if kind is DirectoryKind.SCIM:
            return ProviderMembers(dict.fromkeys(one.id for one in people).keys(), own.__getitem__)
        return frozenset(own[one.id] for one in people)

    groups = tuple(DirectoryGroup(f"g-{n}", _group(n), members(_inside(n, everybody))) for n in range(number))
    names = frozenset(group.name for group in groups)
    if kind is DirectoryKind.SCIM:
        return Membership(groups, names)
    listed = (one for number, one in enumerate(everybody) if number % 1_000 != 999)  # the others left
    strangers = (_principal(len(everybody) + number) for number in range(number // 10))
    groups = (
        *groups,
        DirectoryGroup("g-new", _group(0) + " new", frozenset(_member(one, kind) for one in strangers)),
    )
    return Membership(groups, names, dict.fromkeys(own[one.id] for one in listed).keys())


def _inside(group: int, everybody: list[Principal]) -> Iterator[Principal]:
    """Most of its own fifty, and some who are in another group, too."""
    own = everybody[group * IN_A_GROUP + 5 : (group + 1) * IN_A_GROUP]
    yield from (one for one in own if int(one.id[:8], 16) % 1_000 != 999)
    for step in range(5):
        yield everybody[(group * 5 + step) * 7919 % len(everybody)]


def _member(one: Principal, kind: DirectoryKind) -> Member:
    if kind is DirectoryKind.SCIM:
        return Member(one.id, one.external_id, one.user_name, attributes=(("userType", "Employee"),))
    number = int(one.id[:8], 16)
    employment = "Contractor" if number % 10 == 0 else "Employee"
    attributes = (("contractEnd", "2027-06-30" if number % 10 == 0 else ""), ("employment", employment))
    return Member(
        None, one.external_id, one.user_name, True, "ACTIVE", None, one.display_name, one.email, attributes
    )


def _policy(groups: int, kind: DirectoryKind) -> Policy:
    people = groups * IN_A_GROUP
    projects = {f"project-{n}": f"project-{n}" for n in range(PROJECTS)}
    here = Location("organization.yaml", 2, 1, "organization")
    organization = Organization(
        "acme",
        Mode.ENFORCE,
        here,
        projects,
        directory=DirectorySettings(kind),
        guardrails=Guardrails(
            0,
            (_user(7),),
            NO_LIMIT,
            NO_LIMIT,
            NO_LIMIT,
            NO_LIMIT,
            admins_gained=10_000_000,
            creations=10_000_000,
        ),
    )
    assertion = Assertion(
        "Few are admins", AtMost(1_000_000, Access((RoleEntry(ORGANIZATION, Role.ADMIN, here),))), here
    )
    policy = Policy(
        organization,
        tuple(_binding(n) for n in range(groups)),
        tuple(_grant(n) for n in range(min(100, people // 10))),
        service_accounts=tuple(_service_account(n) for n in range(min(10, people // 20))),
        assertions=(assertion,),
        tree="7" * 32,
    )
    if kind is DirectoryKind.SCIM:
        return policy
    classes = {
        "contractor": PersonClass(
            "contractor", here, attributes={"employment": ("Contractor",)}, end_attribute="contractEnd"
        )
    }
    lifecycle = Lifecycle(creates=True, deactivates=True, reactivates=True, repairs=True, grace=7)
    return replace(
        policy,
        organization=replace(organization, classes=classes, lifecycle=lifecycle),
        bindings=(*policy.bindings, replace(_binding(0), group=GroupRef(_group(0) + " new"))),
        people=tuple(
            PersonEntry(_user(1000 + n), _at(n), ends=NOW + timedelta(days=90))
            for n in range(min(100, max(0, people - 1000)))
        ),
    )


def _user(number: int) -> str:
    return _principal(number).user_name


def _group(number: int) -> str:
    return f"Engineering {number:04}"


def _at(number: int) -> Location:
    return Location(
        f"policies/acme/teams/team-{number // 2}.yaml", 3 + number % 2 * 5, 5, f"bindings[{number % 2}]"
    )


def _binding(number: int) -> Binding:
    return Binding(GroupRef(_group(number)), tuple(_gives(number)), _at(number))


def _gives(number: int) -> Iterator[RoleEntry]:
    """The organization and two projects."""
    yield RoleEntry(ORGANIZATION, ROLES[number % 50 == 0], _at(number))
    for step in range(2):
        yield RoleEntry(
            Scope(f"project-{(number + step) % PROJECTS}"), ROLES[(number + step) % 3], _at(number)
        )


def _grant(number: int) -> TemporaryGrant:
    roles = (RoleEntry(Scope("project-3"), Role.ADMIN, _at(number)),)
    return TemporaryGrant(_user(10 * number), roles, "INC-1", NOW + timedelta(days=20), _at(number))


def _service_account(number: int) -> ServiceAccount:
    roles = (RoleEntry(Scope("project-4"), Role.ADMIN, _at(number)),)
    review = NOW + timedelta(days=40)
    return ServiceAccount(_user(11 * number + 3), roles, _user(1), "releases", review, _at(number))


def _held(asked: Holdings, scopes: Mapping[Scope, Scope], *, differs: bool) -> Holdings:
    """What somebody holds, of the provider's scopes and not of the policy's."""
    admin = {ORGANIZATION: frozenset({Role.ADMIN}), Scope("project-9"): frozenset({Role.VIEWER})}
    held = {**asked, **(admin if differs else {})}
    return {scopes[scope]: roles for scope, roles in held.items()}


def _shared(held: Iterable[Holdings]) -> list[Holdings]:
    """The same with one value for all who hold the same, as the reading of a provider has it."""
    known: dict[frozenset[tuple[Scope, Roles]], Holdings] = {}
    return [known.setdefault(frozenset(one.items()), one) for one in held]


def seconds(work: Callable[[], Prepared]) -> float:
    """The CPU time that it takes. Raises ValueError where nothing differs."""
    begun = process_time()
    prepared = work()
    taken = process_time() - begun
    if not prepared.plan.changes or prepared.plan.problems:
        raise ValueError(f"{len(prepared.plan.changes)} changes, {len(prepared.plan.problems)} problems")
    return taken


def main(arguments: Sequence[str] | None = None) -> None:
    """Think several times."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.thinking", description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--changed", type=int, default=5_000)
    parser.add_argument("--kind", type=DirectoryKind, choices=KINDS, default=DirectoryKind.SCIM)
    parser.add_argument("--times", type=int, default=TIMES)
    given = parser.parse_args(arguments)
    differing = max(1, given.people // given.changed)
    large = thinking(given.people, given.kind, differing=differing)
    small = [
        thinking(max(IN_A_GROUP, given.people // 10), given.kind, differing=differing)
        for _ in range(10 if given.times else 0)
    ]
    gc.collect()
    gc.set_threshold(*COLLECTION)  # as the command line does
    cold = seconds(large)
    pairs = [(sum(map(seconds, small)), seconds(large)) for _ in range(given.times)]
    found = {"small": [ten / 10 for ten, _ in pairs], "large": [one for _, one in pairs]}
    print(json.dumps({"cold": cold, **found}))


if __name__ == "__main__":
    main()
