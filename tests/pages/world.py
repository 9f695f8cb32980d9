"""Organizations of any size as overviews, for pages: planned as a run would plan them, without a server."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from build import SERVER, Groups, Server, at

from reconciler import overview, planning
from reconciler.change import Kind, Result
from reconciler.finding import Finding
from reconciler.history import Begun, Ended, PastRun, ScopeWrite, Skip, Write
from reconciler.model import (
    ORGANIZATION,
    DirectoryGroup,
    Holdings,
    LiveState,
    Member,
    Membership,
    Principal,
    Role,
    Scope,
)
from reconciler.overview import Overview
from reconciler.policy.document import (
    Binding,
    GroupRef,
    Guardrails,
    Limit,
    Mode,
    Organization,
    Policy,
    RoleEntry,
    TemporaryGrant,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FIRST = (
    "Amara",
    "Bengt",
    "Chiara",
    "Deepak",
    "Elif",
    "Farid",
    "Greta",
    "Hiro",
    "Ines",
    "Jana",
    "Kofi",
    "Lena",
)
LAST = (
    "Okafor",
    "Lindqvist",
    "Conti",
    "Rao",
    "Demir",
    "Haddad",
    "Vogel",
    "Tanabe",
    "Moreau",
    "Novak",
    "Mensah",
)
ROLES = (Role.VIEWER, Role.CONTRIBUTOR, Role.ADMIN)


def user_name(number: int) -> str:
    """No two alike, and none the beginning of another."""
    first, last = FIRST[number % len(FIRST)], LAST[number // len(FIRST) % len(LAST)]
    return f"{first}.{last}.{number:05}@acme.example".lower()


def person(number: int, name: str = "") -> Principal:
    first, last = FIRST[number % len(FIRST)], LAST[number // len(FIRST) % len(LAST)]
    return Principal(f"u-{number}", name or user_name(number), f"x-{number}", True, f"{first} {last}")


def world(
    people: int = 10,
    *,
    groups: int = 4,
    projects: int = 5,
    names: Sequence[str] = (),
    drifted_every: int = 7,
    runs: Sequence[PastRun] = (),
    name: str = "acme",
    mode: Mode = Mode.ENFORCE,
    findings: Collection[Finding] = (),
    guardrails: Guardrails = Guardrails(removals=Limit(100_000, 100)),  # noqa: B008 (frozen)
) -> Overview:
    """So many people in groups that give roles in projects; one in `drifted_every` drifted (2: nobody).

    `names` are the userNames of the first ones. The first two are organization admins.
    """
    called = [*names, *("" for _ in range(people - len(names)))]
    everybody = [person(number, called[number]) for number in range(people)]
    scopes = [Scope(f"project-{n}") for n in range(projects)]
    organization = Organization(
        name,
        mode,
        at(2, "organization.yaml"),
        {str(scope): str(scope) for scope in scopes},
        guardrails=guardrails,
    )
    policy = Policy(
        organization, tuple(_bindings(groups, scopes)), tuple(_grants(everybody, scopes)), tree="7" * 32
    )
    membership = Membership(tuple(_groups(groups, everybody)))
    target = LiveState({one.id: one for one in everybody}, {})
    should = planning.read(policy, Server(target), Groups(membership), NOW).asked.roles
    roles = {
        one.id: _drifted(should.get(one.id, {}), number)
        if number % drifted_every == 3
        else should.get(one.id, {})
        for number, one in enumerate(everybody)
    }
    state = LiveState(target.people, {id_: held for id_, held in roles.items() if held})
    survey = planning.survey(policy, Server(state), Groups(membership), NOW)
    plan = replace(survey.prepared.plan, findings=(*survey.prepared.plan.findings, *findings))
    survey = replace(survey, prepared=replace(survey.prepared, plan=plan))
    return overview.of(policy, SERVER, survey, NOW, runs)


def _bindings(groups: int, scopes: Sequence[Scope]) -> Iterator[Binding]:
    yield Binding(GroupRef("admins"), (_gives(ORGANIZATION, Role.ADMIN, 3),), at(3, "teams/admins.yaml"))
    for number in range(groups):
        line = 10 * number + 4
        roles = [_gives(ORGANIZATION, Role.VIEWER if number % 3 else Role.CONTRIBUTOR, line + 1)]
        roles += [
            _gives(scopes[(number + step) % len(scopes)], ROLES[(number + step) % 3], line + 2)
            for step in range(min(3, len(scopes)))
        ]
        yield Binding(GroupRef(f"eng-{number:03}"), tuple(roles), at(line, f"teams/team-{number % 9}.yaml"))


def _gives(scope: Scope, role: Role, line: int) -> RoleEntry:
    return RoleEntry(scope, role, at(line, "teams/teams.yaml"))


def _grants(everybody: Sequence[Principal], scopes: Sequence[Scope]) -> Iterator[TemporaryGrant]:
    days = ((-9, 4), (-3, 25), (2, 9), (-40, -3))
    for number, (start, end) in enumerate(days):
        user = everybody[(5 + number) % len(everybody)].user_name
        scope = ORGANIZATION if number == 0 else scopes[number % len(scopes)]
        place = at(6 + 5 * number, "access/temporary.yaml")
        yield TemporaryGrant(
            user,
            (RoleEntry(scope, Role.ADMIN, place),),
            f"INC-{4211 + number} checkout outage",
            NOW + timedelta(days=end),
            place,
            NOW + timedelta(days=start),
        )


def _groups(groups: int, everybody: Sequence[Principal]) -> Iterator[DirectoryGroup]:
    yield DirectoryGroup("g-admins", "admins", frozenset(Member(one.id) for one in everybody[:2]))
    for number in range(groups):
        members = frozenset(Member(one.id) for one in everybody[2 + number :: groups])
        yield DirectoryGroup(f"g-{number}", f"eng-{number:03}", members)


def _drifted(should: Holdings, number: int) -> Holdings:
    """Something else than that, of one kind or another."""
    held = dict(should)
    match number // 7 % 3:
        case 0:
            held[ORGANIZATION] = frozenset({Role.ADMIN})
        case 1:
            held.popitem()
        case _:
            held = {}
    return held


def past(
    number: int, *, applied: int = 2, failed: int = 0, skipped: int = 0, refused: str | None = None
) -> PastRun:
    """The run of a day, `number` days before NOW."""
    moment = (NOW - timedelta(days=number)).isoformat()
    begun = Begun(
        moment, "acme", SERVER, "enforce", "7" * 32, "f" * 32, applied + failed + skipped,
        "ci", "c0ffee" * 6, None, None, (),
    )  # fmt: skip
    results = [Result.APPLIED] * applied + [Result.FAILED] * failed
    change = ScopeWrite(Scope("project-0"), frozenset(), frozenset({Role.VIEWER}))
    writes = tuple(
        Write(line, user_name(line), f"u-{line}", True, (change,), result, kind=Kind.SET_ROLES)
        for line, result in enumerate(results, start=3)
    )
    skips = (Skip("somebody", "the run was over"),) * skipped
    return PastRun(f"{number:012x}", begun, writes, skips, Ended(moment, refused))
