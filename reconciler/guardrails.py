"""Checks of a plan that can refuse it. Computed on the changes that would run, before the first write.

There is no off switch: a limit is part of the policy, so loosening one is a reviewed change, and what may
be approved is approved for one plan. docs/guardrails.md tells all of this to the people who meet it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from reconciler.assertions import SHOWN, Breach
from reconciler.change import (
    CreateGroup,
    CreateUser,
    ScopeChange,
    SetActive,
    SetAttributes,
    SetRoles,
    shuts_out,
)
from reconciler.model import (
    ORGANIZATION,
    DesiredState,
    Holdings,
    LiveState,
    Principal,
    Role,
    Scope,
    Term,
    fold,
    highest,
)
from reconciler.phrases import counted_people, shortened
from reconciler.plan import Plan, after
from reconciler.policy.document import AtMost, Guardrails, Limit

ASSERTIONS = "assertions"
"""The guardrail that refuses what breaks an assertion of the policy: the one whose message names people."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A guardrail that a plan breaks: its name in the policy, what was measured, who, and what to do."""

    guardrail: str
    measured: int
    limit: int
    """The most that `measured` may be; of `minimum_admins` the least."""
    message: str
    """What was measured and the limit in words, and how the limit came about."""
    remedy: str
    people: tuple[str, ...] = ()
    """UserNames, sorted: as the provider spells them, or as the policy does where it names them."""
    approvable: bool = False
    """Whether this one plan may be approved in spite of it."""


def check(
    plan: Plan,
    desired: DesiredState,
    live: LiveState,
    limits: Guardrails,
    *,
    token_user: str | None,
    now: datetime,
    approvable: bool = True,
    breaches: Iterable[Breach] = (),
) -> tuple[Violation, ...]:
    """Every guardrail that the plan breaks; none: it may run.

    `desired` and `live` are the states that the plan was made from. `token_user` is the principal id of
    the user whose token writes, if it is one's (`ProviderReader.token_user`); it need not be asked for
    where the plan takes nothing (`takes`). `now` is aware. `approvable` says whether anybody could approve
    the plan: one that nobody is to carry out can't be. `breaches` are the assertions that it would break.
    A remedy offers an approval only where it would cover all that is broken.
    """
    case = _Case(plan, desired, live, limits, token_user, approvable)
    found = (
        _minimum_admins(case),
        _required_admins(case),
        _protected(case),
        *_people_who_lose(case),
        _creations(case),
        _corrections(case),
        _emptied_groups(case),
        _empty_policy(case),
        _own_user(case),
        _admins_gained(case),
        _longest_grant(case, now),
        *map(_asserted, breaches),
    )
    violations = tuple(violation for violation in found if violation is not None)
    if not all(violation.approvable for violation in violations):
        return violations
    or_else = f"; or approve this one plan with `apply --approve {plan.fingerprint}`"
    return tuple(replace(violation, remedy=violation.remedy + or_else) for violation in violations)


def takes(plan: Plan) -> bool:
    """Whether anybody loses anything by a plan, be it a role or the account."""
    return any(map(_loses, plan.people)) or any(map(shuts_out, plan.accounts))


def admins(live: LiveState) -> frozenset[str]:
    """The ids of those who hold the organization's admin role and can act: everybody but the inactive."""
    seated = (id_ for holdings, ids in live.alike if _is_admin(holdings) for id_ in ids)
    return frozenset(id_ for id_ in seated if live.people[id_].entitled)


def admins_after(plan: Plan, live: LiveState) -> frozenset[str]:
    """The same once the plan is carried out."""
    return _seated(admins(live), _seats(plan, after(plan, live.roles)))


@dataclass(frozen=True)
class _Case:
    """A plan with all that it is judged by."""

    plan: Plan
    desired: DesiredState
    live: LiveState
    limits: Guardrails
    token_user: str | None
    approvable: bool

    @cached_property
    def left(self) -> Mapping[str, Holdings]:
        """What everybody would hold after the plan."""
        return after(self.plan, self.live.roles)

    @cached_property
    def admins(self) -> frozenset[str]:
        """The organization admins before the plan."""
        return admins(self.live)

    @cached_property
    def seats(self) -> tuple[tuple[str, bool], ...]:
        """Who becomes organization admin (true) or stops being one, in the order of the plan."""
        return tuple(_seats(self.plan, self.left))

    @cached_property
    def losing(self) -> tuple[SetRoles, ...]:
        return tuple(filter(_loses, self.plan.people))

    @cached_property
    def shut_out(self) -> tuple[Principal, ...]:
        """Whose account is deactivated or deleted."""
        return tuple(change.principal for change in self.plan.accounts if shuts_out(change))

    @cached_property
    def expired(self) -> tuple[SetRoles, ...]:
        """Who loses only what they had until a temporary grant or their time ended: that was announced."""
        return tuple(filter(_expired, self.losing))

    @cached_property
    def unannounced(self) -> tuple[SetRoles, ...]:
        """Everybody else who loses something."""
        return tuple(change for change in self.losing if not _expired(change))

    @cached_property
    def holders(self) -> int:
        """How many people hold roles, of whom percentages are taken."""
        return sum(len(ids) for holdings, ids in self.live.alike if holdings)

    def refused(
        self, guardrail: str, measured: int, limit: int, message: str, look: str, people: Iterable[str]
    ) -> Violation:
        """A violation that may be approved for this plan, once somebody has had a `look`."""
        return Violation(guardrail, measured, limit, message, look, tuple(people), self.approvable)


def _minimum_admins(case: _Case) -> Violation | None:
    """Measured on every prefix of the plan, for an interrupt can make any of them its end."""
    before = case.admins
    left = _fewest_admins(case)
    floor = min(case.limits.minimum_admins, len(before))
    if len(left) >= floor:
        return None
    return Violation(
        "minimum_admins",
        len(left),
        floor,
        f"the number of organization admins would fall from {len(before)} to {len(left)}; "
        f"at least {floor} must stay",
        "give the admin role to somebody else first, in the same policy or in an earlier one",
        tuple(sorted(case.live.people[id_].user_name for id_ in before - left)),
    )


def _fewest_admins(case: _Case) -> frozenset[str]:
    """Who is organization admin where the fewest are: at first, or after one of the changes."""
    left, fewest, steps = set(case.admins), len(case.admins), 0
    for number, (id_, seated) in enumerate(case.seats, start=1):
        (left.add if seated else left.discard)(id_)
        if len(left) < fewest:
            fewest, steps = len(left), number
    return _seated(case.admins, case.seats[:steps])


def _seated(before: frozenset[str], seats: Iterable[tuple[str, bool]]) -> frozenset[str]:
    """Who is organization admin after such changes."""
    left = set(before)
    for id_, seated in seats:
        (left.add if seated else left.discard)(id_)
    return frozenset(left)


def _seats(plan: Plan, held: Mapping[str, Holdings]) -> Iterator[tuple[str, bool]]:
    """Each change that makes or unmakes an organization admin: of whom, and whether they are one after it.

    `held` is what everybody holds after the plan: accounts come after all roles (`Stage`).
    """
    for change in plan.changes:
        if isinstance(change, SetRoles) and _unseats(change):
            yield change.principal.id, False
        elif isinstance(change, SetRoles) and change.seats and change.principal.entitled:
            yield change.principal.id, True
        elif shuts_out(change) and not isinstance(change, CreateGroup):
            yield change.principal.id, False
        elif isinstance(change, SetActive) and _is_admin(held.get(change.principal.id, {})):
            yield change.principal.id, True


def _is_admin(holdings: Holdings) -> bool:
    return Role.ADMIN in holdings.get(ORGANIZATION, ())


def _required_admins(case: _Case) -> Violation | None:
    required = case.limits.required_admins
    before = case.admins
    demoted = [change.principal for change in case.plan.people if _unseats(change)]
    unseated = _named(required, [*demoted, *(who for who in case.shut_out if who.id in before)])
    if unseated:
        return Violation(
            "required_admins",
            len(unseated),
            0,
            f"{counted_people(len(unseated))} whom the policy requires to be organization admin would stop "
            "being one; none may",
            "keep them in a group that gives the role, or take them off `guardrails.required_admins` in a "
            "change of its own",
            unseated,
        )
    return _unknown(case, "required_admins", required, "could unseat them unseen")


def _protected(case: _Case) -> Violation | None:
    protected = case.limits.protected
    by_roles = [change.principal for change in case.plan.people]
    by_account = [change.principal for change in case.plan.accounts]
    touched = _named(protected, [*by_roles, *by_account])
    if touched:
        what = "roles or accounts" if _named(protected, by_account) else "roles"
        return Violation(
            "protected",
            len(touched),
            0,
            f"the plan would change the {what} of {counted_people(len(touched))} whom the policy "
            "protects; none may be touched",
            "take them off `guardrails.protected` in a change of its own, if that is what is meant",
            touched,
        )
    return _unknown(case, "protected", protected, "could take their roles unseen")


def _unknown(case: _Case, guardrail: str, names: Collection[str], danger: str) -> Violation | None:
    """A name that fits nobody guards nobody, so whatever takes something is refused until it does."""
    if not names or not takes(case.plan):
        return None
    missing = tuple(sorted(name for name in names if fold(name) not in case.live.by_user_name))
    if not missing:
        return None
    return Violation(
        guardrail,
        len(missing),
        0,
        f"{counted_people(len(missing))} of `guardrails.{guardrail}` could not be found, so the plan "
        f"{danger}",
        "correct the names there: their people are not on the server, or were renamed",
        missing,
    )


def _people_who_lose(case: _Case) -> Iterator[Violation | None]:
    """Gauges that do not exclude each other: one person can count in several, but for `expiries`."""
    losing, limits = case.unannounced, case.limits
    removed = _people(change for change in losing if any(s.loses and not s.after for s in change.scopes))
    demoted = _people(change for change in losing if any(s.loses and s.after for s in change.scopes))
    emptied = _people(change for change in losing if change.principal.id not in case.left)
    inactive = _people(change for change in losing if not change.principal.entitled)
    expired = _people(case.expired)
    lose = "lose roles for not being active" if not case.shut_out else "be deactivated, or lose roles for it"
    yield _gauge(case, "removals", limits.removals, removed, "lose every role that they have in a scope")
    yield _gauge(case, "demotions", limits.demotions, demoted, "be lowered in a scope")
    yield _gauge(case, "last_roles", limits.last_roles, emptied, "be left without any role")
    yield _gauge(case, "deactivations", limits.deactivations, [*inactive, *case.shut_out], lose)
    yield _gauge(
        case,
        "expiries",
        limits.expiries,
        expired,
        "lose what they had until a temporary grant or their time ended",
    )


def _creations(case: _Case) -> Violation | None:
    return _accounts(
        case,
        "creations",
        case.limits.creations,
        (change.principal for change in case.plan.accounts if isinstance(change, CreateUser)),
        "get an account",
        "check who is in the groups, and whether they have accounts under other names; if each of them "
        "should get one",
    )


def _corrections(case: _Case) -> Violation | None:
    """Who is called otherwise may not be able to sign in any more, and nothing else here measures that."""
    return _accounts(
        case,
        "corrections",
        case.limits.corrections,
        (change.principal for change in case.plan.accounts if isinstance(change, SetAttributes)),
        "get another name or e-mail",
        "check whether `directory.attributes` names what the server should have; if so",
    )


def _accounts(
    case: _Case, guardrail: str, allowed: int, concerned: Iterable[Principal], what: str, look: str
) -> Violation | None:
    """A limit of so many accounts at once, whatever their people hold."""
    people = _once(concerned)
    if len(people) <= allowed:
        return None
    return case.refused(
        guardrail,
        len(people),
        allowed,
        f"{counted_people(len(people))} would {what}; {allowed} may at once",
        f"{look}, raise `guardrails.{guardrail}` in the policy or do it in steps",
        _names(people),
    )


def _gauge(
    case: _Case, guardrail: str, limit: Limit, concerned: Iterable[Principal], what: str
) -> Violation | None:
    """Counts each person once; the percentage is of those with roles."""
    people = _once(concerned)
    allowed = min(limit.count, _share(limit.percent, case.holders))
    if len(people) <= allowed:
        return None
    return case.refused(
        guardrail,
        len(people),
        allowed,
        f"{counted_people(len(people))} would {what}; {allowed} may at once ({_source(limit, case.holders)})",
        f"check that each of them should; if so, raise `guardrails.{guardrail}` in the policy "
        "or do it in steps",
        _names(people),
    )


def _share(percent: int, population: int) -> int:
    """How many people a percentage allows: at least one, or the smallest organizations could lose nobody."""
    return 0 if percent == 0 else max(1, population * percent // 100)


def _source(limit: Limit, population: int) -> str:
    """How a limit came about, in words."""
    rounded = " counts as 1" if 0 < population * limit.percent < 100 else ""
    whole = counted_people(population)
    return f"{limit.percent} % of {whole} with roles{rounded}, and never more than {limit.count}"


def _emptied_groups(case: _Case) -> Violation | None:
    """Groups without members while people lose just what they give: nobody in them, or nobody told.

    Who is not active or stops being it, or whose grant ended, loses it whoever is in the group, and so says
    nothing of it.
    """
    shut_out = {person.id for person in case.shut_out}
    losing = [
        (change, _lost(change))
        for change in case.unannounced
        if change.principal.entitled and change.principal.id not in shut_out
    ]
    lost = _union(roles for _, roles in losing)
    groups = [group for group in case.desired.empty_groups if group.gives & lost]
    allowed = case.limits.emptied_groups
    if len(groups) <= allowed:
        return None
    given = _union(group.gives for group in groups)
    number = "1 group" if len(groups) == 1 else f"{len(groups)} groups"
    names = ", ".join(group.name for group in groups)
    return case.refused(
        "emptied_groups",
        len(groups),
        allowed,
        f"people would lose just what {number} without members should give ({names}); {allowed} may",
        "check that the identity provider means them to be empty; if so, delete their bindings or raise "
        "`guardrails.emptied_groups` in the policy",
        _names(change.principal for change, roles in losing if roles & given),
    )


def _lost(change: SetRoles) -> frozenset[tuple[Scope, Role]]:
    """What somebody has before a change and has no more after it, nor anything higher."""
    return frozenset(
        (scope.scope, role) for scope in change.scopes for role in scope.before if role > highest(scope.after)
    )


def _union(several: Iterable[frozenset[tuple[Scope, Role]]]) -> frozenset[tuple[Scope, Role]]:
    return frozenset[tuple[Scope, Role]]().union(*several)


def _empty_policy(case: _Case) -> Violation | None:
    losing = case.unannounced
    if case.desired.given or not losing:
        return None
    return case.refused(
        "empty_policy",
        len(losing),
        0,
        f"the policy grants nothing to anybody, so {len(losing)} of {case.holders} people with roles would "
        "lose some; none may",
        "check that all policy files are there, and that the groups they name have members",
        _names(_people(losing)),
    )


def _own_user(case: _Case) -> Violation | None:
    """Without its role the token could write no more, and nobody undo what the plan did."""
    unseated = [
        change.principal
        for change in case.losing
        if change.principal.id == case.token_user
        and any(scope.loses and scope.scope == ORGANIZATION for scope in change.scopes)
    ]
    shut_out = [person for person in case.shut_out if person.id == case.token_user]
    if not unseated and not shut_out:
        return None
    what = "lose their account" if shut_out else "lose an organization role"
    return case.refused(
        "own_user",
        1,
        0,
        f"the user whose token this is would {what}, and with it the token its rights",
        "use the token of a user who keeps the role, or keep this one in a group that gives it",
        _names([*unseated, *shut_out]),
    )


def _admins_gained(case: _Case) -> Violation | None:
    gained = _seated(case.admins, case.seats) - case.admins
    allowed = case.limits.admins_gained
    if len(gained) <= allowed:
        return None
    return case.refused(
        "admins_gained",
        len(gained),
        allowed,
        f"{counted_people(len(gained))} would become organization admin; {allowed} may at once",
        "check who is in the groups that give the role; if each of them should be, raise "
        "`guardrails.admins_gained` in the policy or do it in steps",
        _names(case.live.people[id_] for id_ in gained),
    )


def _longest_grant(case: _Case, now: datetime) -> Violation | None:
    """Asked of the policy whatever the plan changes, so that a grant to come is seen before it begins."""
    allowed = case.limits.longest_grant
    long = [(days, term) for term in case.desired.terms if (days := _days(term, now)) > allowed]
    if not long:
        return None
    days, term = max(long, key=lambda found: found[0])
    return case.refused(
        "longest_grant",
        days,
        allowed,
        f"a temporary grant lasts {days} days ({term.at.file}:{term.at.line}); {allowed} are allowed",
        "let it end sooner and renew it if need be, bind a group instead, or raise "
        "`guardrails.longest_grant` in the policy",
        sorted({term.user for _, term in long}),
    )


def _asserted(breach: Breach) -> Violation:
    """Each of them is refused by itself. No approval: what the policy asserts, it can stop asserting."""
    assertion = breach.assertion
    people = [f"{one.principal.user_name} as {one}" for one in breach.people]
    cited = f"'{assertion.says}' ({assertion.at.file}:{assertion.at.line})"
    if isinstance(assertion.claim, AtMost):
        message = (
            f"{cited} allows {breach.limit}, and there {_would(breach)} be {counted_people(breach.measured)}"
        )
    else:
        message = f"{cited} {_would(breach)} be broken by {counted_people(len(people))}"
    doubt = f"; it is not known who is in {', '.join(breach.unknown)}" if breach.unknown else ""
    return Violation(
        ASSERTIONS,
        breach.measured,
        breach.limit,
        f"{message}: {shortened(people, SHOWN)}{doubt}",
        "give them less, or change the assertion, which is a change of the policy that somebody reviews",
        _names(one.principal for one in breach.people),
    )


def _would(breach: Breach) -> str:
    return "could" if breach.unknown else "would"


def _days(term: Term, now: datetime) -> int:
    """How many days a temporary grant lasts; one that is not whole counts."""
    return -(((term.starts or now) - term.expires) // timedelta(days=1))


def _loses(change: SetRoles) -> bool:
    return any(scope.loses for scope in change.scopes)


def _unseats(change: SetRoles) -> bool:
    return any(scope.unseats for scope in change.scopes)


def _expired(change: SetRoles) -> bool:
    """Whether what ended explains all that somebody loses. Not being active explains more, and earlier."""
    return change.principal.entitled and all(_announced(scope) for scope in change.scopes if scope.loses)


def _announced(scope: ScopeChange) -> bool:
    return any(reason.ended and reason.role >= max(scope.before) for reason in scope.why)


def _named(names: Iterable[str], people: Iterable[Principal]) -> tuple[str, ...]:
    """The userNames of those people who are among the names, each once and sorted."""
    folded = set(map(fold, names))
    return tuple(name for name in _names(people) if fold(name) in folded)


def _people(changes: Iterable[SetRoles]) -> list[Principal]:
    return [change.principal for change in changes]


def _once(people: Iterable[Principal]) -> Collection[Principal]:
    """People, each of them once."""
    return {person.id: person for person in people}.values()


def _names(people: Iterable[Principal]) -> tuple[str, ...]:
    """The userNames of people, each person once, sorted."""
    return tuple(sorted((one.user_name for one in _once(people)), key=lambda name: (fold(name), name)))
