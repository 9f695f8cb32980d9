"""Generated organizations: a policy, who is in its groups, and a server that has drifted from it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations
from random import Random
from typing import Any, TypeVar

from build import NOW, UNLIMITED, Groups, at
from fakes import FakeProvider, Fault, Notes
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from reconciler import apply, planning
from reconciler.change import Change, Outcome
from reconciler.model import (
    ORGANIZATION,
    DirectoryGroup,
    Holdings,
    Member,
    Membership,
    Principal,
    Role,
    Scope,
)
from reconciler.naming import RoleNames
from reconciler.planning import Prepared, refuse
from reconciler.policy.document import (
    Binding,
    GroupRef,
    Guardrails,
    Limit,
    Mode,
    Organization,
    Policy,
    RoleEntry,
    RoleStorage,
    StoredAs,
    TemporaryGrant,
)

NAMES = ("Ann", "bob", "Zoë", "STRASSE", "dan.o'neil", "eve", "Fay")
PROJECTS = ("web", "organization", "__init__", 'it\'s ["odd"]', "Ärger")
GROUPS = ("eng-web", "Ops", "sre", "data")
FOREIGN = ("gadget", "project-admin:elsewhere", "circleci-elsewhere-admin")
NOBODY = "nobody@acme.example"
SEVERAL = [*(frozenset(pair) for pair in combinations(Role, 2)), frozenset(Role)]
MOMENT = timedelta(seconds=1)
TIMES = [
    (NOW + MOMENT, None),
    (NOW, NOW - MOMENT),
    (NOW + MOMENT, NOW),
    (NOW + MOMENT, NOW + MOMENT),
    (NOW - MOMENT, None),
    (NOW - MOMENT, NOW - 2 * MOMENT),
]
"""When temporary grants end and start: three that hold now, one that will, two that are over."""
TIGHT: list[Mapping[str, Any]] = [
    *(
        {name: limit}
        for name in ("removals", "demotions", "last_roles", "deactivations", "expiries")
        for limit in (Limit(0, 100), Limit(3, 0), Limit(1, 100), Limit(3, 50))
    ),
    *({"emptied_groups": number} for number in (0, 1)),
    *({"admins_gained": number} for number in (0, 1)),
]
"""Guardrails, one of which may bite where all others are generous."""

NONE = Limit(count=0, percent=0)
NOTHING_ALLOWED = Guardrails(
    minimum_admins=1000,
    removals=NONE,
    demotions=NONE,
    last_roles=NONE,
    deactivations=NONE,
    expiries=NONE,
    emptied_groups=0,
    admins_gained=0,
    longest_grant=0,
)

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """One organization, its directory, and what its server holds at first."""

    policy: Policy
    membership: Membership
    people: tuple[Principal, ...]
    held: Mapping[str, Holdings]
    role_groups: frozenset[tuple[Scope, Role]]
    """Those that exist besides the ones that somebody is in."""
    foreign: Mapping[str, tuple[str, ...]]
    me: str | None = None
    """Whose token it is, by principal id."""

    @property
    def organization(self) -> Organization:
        return self.policy.organization

    @property
    def floor(self) -> int:
        return self.organization.guardrails.minimum_admins

    def provider(self) -> FakeProvider:
        """A server of its own, with every other role in another case than the policy has it."""
        names = RoleNames(self.organization)
        people = {person.id: person for person in self.people}
        provider = FakeProvider(self.organization, people, me=self.me)
        if self.organization.roles.stored_as is StoredAs.GROUPS:
            provider.groups = {names.name(*meaning).upper(): set() for meaning in self._needed()}
            for id_, scope, role in self._each():
                provider.groups[names.name(scope, role).upper()].add(id_)
            for id_, values in self.foreign.items():
                for value in values:
                    provider.groups.setdefault(value, set()).add(id_)
        else:
            provider.roles = {id_: list(values) for id_, values in self.foreign.items()}
            for number, (id_, scope, role) in enumerate(self._each()):
                name = names.name(scope, role)
                provider.roles.setdefault(id_, []).append(name.upper() if number % 2 else name)
        return provider

    def prepare(self, provider: FakeProvider) -> Prepared:
        return planning.prepare(self.policy, provider, Groups(self.membership), NOW)

    def run(self, provider: FakeProvider, **how: Any) -> tuple[Prepared, tuple[Outcome, ...]]:
        """What `reconciler apply` does. Raises GuardrailError."""
        prepared = self.prepare(provider)
        refuse(prepared)
        plan, live = prepared.plan, prepared.live
        how = {"account": Notes(), "progress": _ignore, **how}
        return prepared, apply.carry_out(plan, provider, live, self.floor, **how)

    def _each(self) -> list[tuple[str, Scope, Role]]:
        return [
            (id_, scope, role)
            for id_, holdings in self.held.items()
            for scope, roles in holdings.items()
            for role in sorted(roles)
        ]

    def _needed(self) -> list[tuple[Scope, Role]]:
        return sorted(
            self.role_groups | {(scope, role) for _, scope, role in self._each()},
            key=lambda meaning: (meaning[0].rank, meaning[1]),
        )


def _ignore(_: Change) -> None:
    pass


def digits(base: int, count: int) -> SearchStrategy[tuple[int, ...]]:
    """So many digits, drawn at once: many small draws are what makes generating slow."""
    return st.integers(0, base**count - 1).map(
        lambda number: tuple(number // base**place % base for place in range(count))
    )


any_mode: SearchStrategy[Mode] = st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.ADDITIVE, Mode.REPORT])
writing_mode: SearchStrategy[Mode] = st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.ADDITIVE])
faults: SearchStrategy[Mapping[int, Fault]] = digits(3 * len(Fault), 5).map(
    lambda drawn: {
        call: list(Fault)[digit // 3] for call, digit in enumerate(drawn, start=1) if digit % 3 == 1
    }
)
read_faults: SearchStrategy[Mapping[int, Fault]] = st.sampled_from(
    [*[{}] * 12, *({call: fault} for call in (1, 2, 3) for fault in (Fault.REFUSED, Fault.INTERRUPTED))]
)


@st.composite
def principals(draw: DrawFn, *, broken: bool) -> tuple[Principal, ...]:
    count = draw(st.integers(1, len(NAMES)))
    shared = "x-shared" if broken else None
    external_ids, actives = draw(digits(4, count)), draw(digits(5, count))
    return tuple(
        Principal(
            f"u{number}",
            f"{NAMES[number]}@acme.example",
            (None, f"x{number}", f"x{number}", shared)[external_ids[number]],
            (True, True, True, None, False)[actives[number]],
        )
        for number in range(count)
    )


@st.composite
def organizations(draw: DrawFn, modes: SearchStrategy[Mode], guardrails: Guardrails) -> Organization:
    chosen = draw(st.integers(0, 2 ** len(PROJECTS) - 1))
    projects = [project for place, project in enumerate(PROJECTS) if chosen >> place & 1][:3]
    storage = draw(
        st.sampled_from(
            [RoleStorage(), RoleStorage(StoredAs.GROUPS, "circleci-org-{role}", "circleci-{project}-{role}")]
        )
    )
    return Organization(
        "acme",
        draw(modes),
        at(),
        {project: f"id-{number}" if number else project for number, project in enumerate(projects)},
        not projects or draw(st.sampled_from([True, True, True, False])),
        guardrails=guardrails,
        roles=storage,
    )


def scopes(organization: Organization) -> list[Scope]:
    managed = [ORGANIZATION] if organization.organization_roles_managed else []
    return managed + [Scope(project) for project in organization.projects]


@st.composite
def holdings(draw: DrawFn, organization: Organization) -> Holdings:
    """Mostly one role in a scope or none, sometimes several."""
    everywhere = scopes(organization)
    sets = [frozenset[Role](), *(frozenset([role]) for role in Role), *SEVERAL]
    drawn = zip(everywhere, draw(digits(len(sets), len(everywhere))), strict=True)
    return {scope: sets[digit] for scope, digit in drawn if sets[digit]}


@st.composite
def entries(draw: DrawFn, organization: Organization, line: int) -> tuple[RoleEntry, ...]:
    everywhere = scopes(organization)
    drawn = zip(everywhere, draw(digits(1 + len(Role), len(everywhere)).filter(any)), strict=True)
    return tuple(
        RoleEntry(scope, Role(digit), replace(at(line), column=column))
        for column, (scope, digit) in enumerate(drawn, start=1)
        if digit
    )


@st.composite
def members(draw: DrawFn, people: tuple[Principal, ...], *, strangers: bool) -> frozenset[Member]:
    """About half of the people, each by one of the keys that a directory may know them by, and strangers."""
    drawn = zip(people, draw(digits(4, len(people))), strict=True)
    known = [
        Member(person.id, None, person.user_name)
        if digit == 1
        else Member(None, person.external_id, person.user_name)
        for person, digit in drawn
        if digit in (1, 2)
    ]
    unknown = [Member("u-gone"), Member(None, "x-gone", NOBODY)]
    return frozenset(known + unknown[: max(0, draw(st.integers(0, 9)) - 7) if strangers else 0])


@st.composite
def directories(draw: DrawFn, people: tuple[Principal, ...], *, broken: bool) -> Membership:
    """Every group once; where it may be broken also none, two, one that is not readable."""
    groups = []
    for name in GROUPS:
        shape = draw(st.sampled_from(["", "", "", "", "old-", *(["none", "two", "unreadable"] * broken)]))
        inside = draw(members(people, strangers=broken))
        group = DirectoryGroup(f"g-{name}-0", f"old-{name}" if shape == "old-" else name, inside)
        match shape:
            case "none":
                continue
            case "two":
                groups += [group, replace(group, id=f"g-{name}-1")]
            case "unreadable":
                groups.append(replace(group, members=None, unreadable="it has no members"))
            case _:
                groups.append(group)
    return Membership(tuple(groups), frozenset(group.name for group in groups))


@st.composite
def bindings(draw: DrawFn, organization: Organization) -> tuple[Binding, ...]:
    """Each group not bound, bound by its name or, one in six, by its id."""
    return tuple(
        Binding(
            GroupRef(name, f"g-{name}-0" if digit == 5 else None, (f"old-{name}",)),
            draw(entries(organization, line)),
            at(line),
        )
        for line, (name, digit) in enumerate(zip(GROUPS, draw(digits(6, len(GROUPS))), strict=True), start=10)
        if digit > 1
    )


@st.composite
def grants(draw: DrawFn, organization: Organization, users: list[str]) -> tuple[TemporaryGrant, ...]:
    """At most two, at every distance from now."""
    result = []
    for line in range(100, 100 + draw(st.integers(0, 2)) if users else 100):
        ends, starts = draw(st.sampled_from(TIMES))
        user = draw(st.sampled_from(users)).swapcase()
        result.append(
            TemporaryGrant(user, draw(entries(organization, line)), "INC-1", ends, at(line), starts)
        )
    return tuple(result)


@st.composite
def worlds(
    draw: DrawFn, modes: SearchStrategy[Mode] = any_mode, *, broken: bool = True, strict: bool = False
) -> World:
    """Broken: the directory and the grants may have what cannot be resolved. Strict: guardrails may bite."""
    people = draw(principals(broken=broken))
    names = [person.user_name for person in people]
    shielded = draw(st.integers(0, 3 * len(names)))
    missing = [NOBODY] if strict and draw(st.integers(0, 4)) == 4 else []
    protected = names[shielded : shielded + 1]
    guardrails = replace(
        UNLIMITED,
        minimum_admins=draw(st.integers(0, 3)),
        protected=tuple(name.swapcase() for name in [*protected, *missing]),
        required_admins=tuple(names[:1] if strict and not draw(st.integers(0, 4)) else ()),
        **(draw(st.sampled_from(TIGHT)) if strict else {}),
    )
    organization = draw(organizations(modes, guardrails))
    users = [name for name in names if name not in protected] + [NOBODY] * (broken and not missing)
    exist = draw(digits(2, 3 * len(scopes(organization))))
    meanings = [(scope, role) for scope in scopes(organization) for role in Role]
    return World(
        Policy(organization, draw(bindings(organization)), draw(grants(organization, users))),
        draw(directories(people, broken=broken)),
        people,
        {person.id: draw(holdings(organization)) for person in people},
        frozenset(meaning for meaning, digit in zip(meanings, exist, strict=True) if digit),
        {person.id: FOREIGN[: number % 3] for number, person in enumerate(people)},
        draw(st.sampled_from([None, None, *(person.id for person in people)])) if strict else None,
    )


@st.composite
def handovers(draw: DrawFn) -> World:
    """One becomes an admin of the organization, one stops being one, others as it comes: just enough stay."""
    heir, leaver, *others = draw(principals(broken=False).filter(lambda people: len(people) > 2))
    people = (heir._replace(active=True), leaver._replace(active=True), *others)
    has = (0, 1, *draw(digits(2, len(others))))
    gets = (1, 0, *draw(digits(2, len(others))))
    admins = [person for person, digit in zip(people, gets, strict=True) if digit]
    enough = sum(person.entitled for person in admins) - draw(st.sampled_from([0, 0, 1]))
    organization = replace(
        draw(organizations(st.just(Mode.ENFORCE), replace(UNLIMITED, minimum_admins=max(0, enough)))),
        projects={},
        organization_roles_managed=True,
    )
    entry = RoleEntry(ORGANIZATION, Role.ADMIN, at())
    inside = frozenset(Member(person.id) for person in admins)
    return World(
        Policy(organization, (Binding(GroupRef("ops"), (entry,), at()),)),
        Membership((DirectoryGroup("g-ops", "ops", inside),)),
        people,
        {
            person.id: {ORGANIZATION: frozenset([Role.ADMIN if digit else Role.VIEWER])}
            for person, digit in zip(people, has, strict=True)
        },
        frozenset([(ORGANIZATION, Role.ADMIN)]),
        {},
    )


def restrained(world: World) -> World:
    """The same world where every guardrail that counts allows nothing, so that each tells what it counts."""
    organization = world.organization
    guardrails = replace(
        NOTHING_ALLOWED,
        protected=organization.guardrails.protected,
        required_admins=tuple(person.user_name for person in world.people),
    )
    changed = replace(organization, guardrails=guardrails)
    return replace(world, policy=replace(world.policy, organization=changed))


def with_history(world: World) -> World:
    """The same world where every other person had a temporary grant of everything, which is over."""
    everywhere = scopes(world.organization)
    ended = tuple(
        TemporaryGrant(
            person.user_name,
            tuple(RoleEntry(scope, Role.ADMIN, at(line)) for scope in everywhere),
            "INC-0",
            NOW - MOMENT,
            at(line),
        )
        for line, person in enumerate(world.people[::2], start=200)
    )
    return replace(world, policy=replace(world.policy, grants=(*world.policy.grants, *ended)))


def with_empty_groups(world: World) -> World:
    """The same world where every other group of the directory has lost its members."""
    groups = tuple(
        group if number % 2 else replace(group, members=frozenset())
        for number, group in enumerate(world.membership.groups)
    )
    return replace(world, membership=replace(world.membership, groups=groups))


def shuffled(world: World, random: Random) -> World:
    """The same world, answered and written down in another order."""

    def mixed(values: Iterable[T]) -> list[T]:
        result = list(values)
        random.shuffle(result)
        return result

    policy, membership = world.policy, world.membership
    return replace(
        world,
        policy=replace(policy, bindings=tuple(mixed(policy.bindings)), grants=tuple(mixed(policy.grants))),
        membership=replace(
            membership,
            groups=tuple(
                replace(group, members=None if group.members is None else frozenset(mixed(group.members)))
                for group in mixed(membership.groups)
            ),
        ),
        people=tuple(mixed(world.people)),
        held={id_: dict(mixed(holdings.items())) for id_, holdings in mixed(world.held.items())},
    )


def respelled(world: World, spelled: Callable[[str], str]) -> World:
    """The same world with every name that compares without case in another one, but those on the server."""
    policy, membership = world.policy, world.membership
    guardrails = policy.organization.guardrails

    def member(one: Member) -> Member:
        return one._replace(user_name=one.user_name and spelled(one.user_name))

    return replace(
        world,
        policy=replace(
            policy,
            organization=replace(
                policy.organization,
                guardrails=replace(
                    guardrails,
                    protected=tuple(map(spelled, guardrails.protected)),
                    required_admins=tuple(map(spelled, guardrails.required_admins)),
                ),
            ),
            bindings=tuple(
                replace(one, group=replace(one.group, name=spelled(one.group.name)))
                for one in policy.bindings
            ),
            grants=tuple(replace(one, user=spelled(one.user)) for one in policy.grants),
        ),
        membership=replace(
            membership,
            groups=tuple(
                replace(
                    group,
                    name=spelled(group.name),
                    members=None if group.members is None else frozenset(map(member, group.members)),
                )
                for group in membership.groups
            ),
        ),
    )
