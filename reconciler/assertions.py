"""Which assertions of a policy a plan would break, and which are broken and stay so. Refuses nothing itself.

Judged is what everybody holds once the whole plan is carried out, against what they hold before it. Between
two writes it may look worse for a moment: docs/assertions.md tells when.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import assert_never

from reconciler.change import DeleteUser, SetActive
from reconciler.finding import Finding, Kind
from reconciler.model import (
    NOTHING,
    ORGANIZATION,
    DesiredState,
    Holdings,
    LiveState,
    Member,
    Membership,
    Principal,
    Provenance,
    Role,
    Roles,
    Scope,
    fold,
    highest,
    shared,
)
from reconciler.people import classes, groups
from reconciler.people.classes import Classes
from reconciler.people.identity import People
from reconciler.phrases import counted_people, shortened
from reconciler.plan import Plan, after
from reconciler.policy.claims import Held, effective, met
from reconciler.policy.document import Assertion, AtMost, GroupRef, Never, NeverTogether, Only, Policy, Whom
from reconciler.policy.rules.entries import access_in_words, in_words
from reconciler.problem import Location, Problem

SHOWN = 3
"""How many people a message tells of before it only counts."""

REMEDY = "take the role away, or change the assertion"


@dataclass(frozen=True, slots=True)
class Had:
    """A role that somebody has, where they have it, and the policy entry that gives it."""

    role: Role
    scope: Scope
    """The organization, where the role applies to a project from there."""
    why: Provenance | None = None
    """None where no entry of the policy gives it."""

    def __str__(self) -> str:
        given = f" by {_source(self.why)}" if self.why else ""
        return f"{self.role} of {in_words(self.scope)}{given}"


@dataclass(frozen=True, slots=True)
class Breaker:
    """One person who has what an assertion rules out."""

    principal: Principal
    had: tuple[Had, ...]
    """The highest of it; of roles that are never together, each."""

    def __str__(self) -> str:
        return " and ".join(map(str, self.had))


@dataclass(frozen=True, slots=True)
class Breach:
    """An assertion that does not hold, and by whom."""

    assertion: Assertion
    people: tuple[Breaker, ...]
    """Sorted by userName. Of a breach that a plan causes: those by whom it does."""
    measured: int
    """How many people have what they should not, or of `at_most` how many have it at all."""
    limit: int = 0
    """The most that `measured` may be."""
    unknown: tuple[str, ...] = ()
    """Groups and classes of which nobody knows who is in them, so that it only may be a breach. Sorted."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What comes of all assertions of a policy for one plan, in the order of the files."""

    caused: tuple[Breach, ...] = ()
    """What the plan would break, or make worse."""
    findings: tuple[Finding, ...] = ()
    """What is broken before the plan and as broken after it, and names that nobody has."""
    problems: tuple[Problem, ...] = ()
    """Why it can't be known who is meant."""


def needs_membership(policy: Policy) -> bool:
    """Whether some assertion names a group or a class."""
    return any(whom.groups or whom.classes for one in policy.assertions for whom in one.whoms)


def judge(
    policy: Policy, plan: Plan, live: LiveState, desired: DesiredState, membership: Membership | None
) -> Judgement:
    """Judge a plan by all assertions. `live` and `desired` are the states that it was made from.

    `membership` is None where the directory was not asked or did not answer: then it is not known of anybody
    whether they are in a group or a class.
    """
    if not policy.assertions:
        return Judgement()
    bench = _Bench(policy, plan, live, desired, membership)
    for assertion in sorted(policy.assertions, key=lambda one: one.at):
        bench.judge(assertion)
    return Judgement(tuple(bench.caused), tuple(bench.findings), tuple(bench.problems))


@dataclass(frozen=True, slots=True)
class _Circle:
    """Who is meant by some names: those who surely are, and the names by which anybody else may be."""

    inside: frozenset[str]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Concern:
    """Of whom an assertion says something: by principal id, for certain or as far as it can't be excluded."""

    surely: Callable[[str], bool]
    perhaps: Callable[[str], bool]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Holders:
    """Everybody, by principal id, who holds the same."""

    held: Held
    ids: list[str]


@dataclass(frozen=True)
class _Bench:
    """A plan with all that it is judged by, and what came of it so far."""

    policy: Policy
    plan: Plan
    live: LiveState
    desired: DesiredState
    membership: Membership | None
    caused: list[Breach] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    problems: dict[Problem, None] = field(default_factory=dict)

    def judge(self, assertion: Assertion) -> None:
        concern = self._concern(assertion)
        if isinstance(assertion.claim, AtMost):
            self._count(assertion, assertion.claim, concern)
        else:
            self._look(assertion, concern)

    def _look(self, assertion: Assertion, concern: _Concern) -> None:
        """Person by person: who breaks it anew, or by a higher role or in a further scope; who still does."""
        worse, kept = {}, {}
        everybody = (*self._left_alone, *self.after)
        for id_, has in _having(assertion, everybody, concern.perhaps).items():
            before = _highest(self.held_before.get(id_, NOTHING))
            raised = {scope: role for scope, role in has.items() if role > effective(before, scope)}
            if raised:
                worse[id_] = has if isinstance(assertion.claim, NeverTogether) else raised
            elif concern.surely(id_):
                kept[id_] = has
        if worse:
            unknown = () if all(map(concern.surely, worse)) else concern.unknown
            self.caused.append(Breach(assertion, self._breakers(assertion, worse), len(worse), 0, unknown))
        for breaker in self._breakers(assertion, kept):
            message = f"is {breaker}, against '{assertion.says}'"
            self._find(breaker.principal.user_name, message, REMEDY, assertion.at)

    def _count(self, assertion: Assertion, claim: AtMost, concern: _Concern) -> None:
        """All together: whether there are too many, and more than before."""
        in_any_case = _having(assertion, self._left_alone, concern.perhaps)
        before = in_any_case | _having(assertion, self.before, concern.perhaps)
        after = in_any_case | _having(assertion, self.after, concern.perhaps)
        surely = {id_: has for id_, has in after.items() if concern.surely(id_)}
        if len(after) > max(len(before), claim.count):
            new = {id_: has for id_, has in after.items() if id_ not in before}
            unknown = () if len(surely) > claim.count else concern.unknown
            people = self._breakers(assertion, new)
            self.caused.append(Breach(assertion, people, len(after), claim.count, unknown))
        elif len(surely) > claim.count:
            names = shortened([one.principal.user_name for one in self._breakers(assertion, surely)], SHOWN)
            what = f"{counted_people(len(surely))} as {access_in_words(claim.access)}"
            message = f"has {what}, and '{assertion.says}' allows {claim.count}: {names}"
            self._find(self.policy.organization.name, message, REMEDY, assertion.at)

    @cached_property
    def before(self) -> Collection[_Holders]:
        """Whom the plan changes, by what they hold before it."""
        return self._alike_of_changed(self.held_before)

    @cached_property
    def after(self) -> Collection[_Holders]:
        """The same after it."""
        return self._alike_of_changed(self.held_after)

    def _alike_of_changed(self, roles: Mapping[str, Holdings]) -> Collection[_Holders]:
        held = {id_: roles[id_] for id_ in self._changed if id_ in roles}
        return _alike(shared(held, held.values()))

    @cached_property
    def _left_alone(self) -> Collection[_Holders]:
        """Whom the plan does not change, which is nearly everybody: they hold what they do in any case."""
        return [
            _Holders(several.held, [id_ for id_ in several.ids if id_ not in self._changed])
            for several in _alike(self.live.alike)
        ]

    @cached_property
    def _changed(self) -> frozenset[str]:
        return frozenset(one.principal.id for one in (*self.plan.people, *self.plan.accounts))

    @cached_property
    def held_before(self) -> Mapping[str, Holdings]:
        """Who is brought back by the plan holds nothing until then, for it is the plan that gives it back."""
        back = {one.principal.id for one in self.plan.accounts if isinstance(one, SetActive) and one.after}
        return _without(self.live.roles, back)

    @cached_property
    def held_after(self) -> Mapping[str, Holdings]:
        """A deleted account holds nothing; a deactivated one what it is left with, for it may come back."""
        gone = {change.principal.id for change in self.plan.accounts if isinstance(change, DeleteUser)}
        return _without(after(self.plan, self.live.roles), gone)

    # Who is meant.

    def _concern(self, assertion: Assertion) -> _Concern:
        excepted = self._circle(assertion.excepted, assertion.at)
        match assertion.claim:
            case Never():
                named = self._circle(assertion.claim.whom, assertion.at)
                unknown = (*named.unknown, *excepted.unknown)
                return _Concern(
                    lambda id_: id_ in named.inside and id_ not in excepted.inside and not excepted.unknown,
                    lambda id_: (id_ in named.inside or bool(named.unknown)) and id_ not in excepted.inside,
                    _sorted(unknown),
                )
            case Only():
                named = self._circle(assertion.claim.whom, assertion.at)
                unknown = (*named.unknown, *excepted.unknown)
                spared = named.inside | excepted.inside
                return _Concern(
                    lambda id_: id_ not in spared and not unknown,
                    lambda id_: id_ not in spared,
                    _sorted(unknown),
                )
            case AtMost() | NeverTogether():
                return _Concern(
                    lambda id_: id_ not in excepted.inside and not excepted.unknown,
                    lambda id_: id_ not in excepted.inside,
                    _sorted(excepted.unknown),
                )
            case _ as never:
                assert_never(never)

    def _circle(self, whom: Whom, at: Location) -> _Circle:
        inside: set[str] = set()
        unknown: list[str] = []
        for user in whom.users:
            inside |= self._named(user, at)
        for group, place in zip(whom.groups, whom.groups_at or (at,) * len(whom.groups), strict=True):
            members = self._members(group, place)
            inside |= members or frozenset()
            unknown += [group.name] if members is None else []
        for name in whom.classes:
            inside |= {id_ for id_, one in self._classes.standings.items() if name in one.classes}
            unknown += [name] if self.membership is None or self._classes.problems else []
        return _Circle(frozenset(inside), tuple(unknown))

    def _named(self, user: str, at: Location) -> frozenset[str]:
        """Who has a userName here, or in the directory alone: an account may have its old name still."""
        person = self._people.named(user)
        found = (
            {person.id}
            if person
            else {match.id for one in self._called.get(fold(user), ()) if (match := self._people.match(one))}
        )
        if not found and fold(user) not in self._called:
            told = self.membership is not None and self.membership.people is not None
            message = f"is nobody on the server{' and nobody in the directory' if told else ''}"
            self._find(user, message, "correct the userName, or delete it from the assertion", at)
        return frozenset(found)

    def _members(self, group: GroupRef, at: Location) -> frozenset[str] | None:
        """Who on the server is in a group; None where that can't be known."""
        if self.membership is None:
            return None
        found = groups.find(group, at, self.membership)
        if isinstance(found, Problem):
            self.problems[found] = None
            return None
        return frozenset(who.id for one in found.members or () if (who := self._people.match(one)))

    @cached_property
    def _people(self) -> People:
        return People.on(self.live, self.policy.people)

    @cached_property
    def _classes(self) -> Classes:
        """Without a directory, what the policy itself says."""
        return classes.tell_apart(self.policy, self.membership or Membership(()), self._people)

    @cached_property
    def _called(self) -> Mapping[str, Collection[Member]]:
        """Whom the directory told of, by their folded userNames."""
        found: dict[str, list[Member]] = {}
        for member in self.membership.everybody if self.membership else ():
            found.setdefault(fold(member.user_name or ""), []).append(member)
        return found

    # What is told.

    def _find(self, subject: str, message: str, remedy: str, at: Location) -> None:
        self.findings.append(Finding(Kind.ASSERTION, subject, message, remedy, at))

    def _breakers(self, assertion: Assertion, found: Mapping[str, Held]) -> tuple[Breaker, ...]:
        everything = isinstance(assertion.claim, NeverTogether)
        people = [
            Breaker(self.live.people[id_], self._had(id_, has, everything)) for id_, has in found.items()
        ]
        return tuple(sorted(people, key=lambda one: (fold(one.principal.user_name), one.principal.id)))

    def _had(self, id_: str, has: Held, everything: bool) -> tuple[Had, ...]:
        ranked = sorted(has.items(), key=lambda one: (-one[1], one[0].rank))
        had = (self._source(id_, scope, role) for scope, role in (ranked if everything else ranked[:1]))
        return tuple(dict.fromkeys(had))

    def _source(self, id_: str, scope: Scope, role: Role) -> Had:
        everywhere = highest(self.held_after[id_].get(ORGANIZATION, frozenset()))
        where = ORGANIZATION if everywhere >= role else scope
        reasons = self.desired.why.get(id_, {}).get(where, ())
        giving = (one for one in reasons if one.role >= role and not one.ended and not one.withheld)
        return Had(role, where, next(giving, None))


def _having(
    assertion: Assertion, people: Iterable[_Holders], meant: Callable[[str], bool]
) -> dict[str, Held]:
    """Of those who are meant, whoever has what the claim is about, and in which scopes."""
    found: dict[str, Held] = {}
    for several in people:
        if has := met(assertion.claim, several.held):
            found.update(dict.fromkeys(filter(meant, several.ids), has))
    return found


def _alike(people: Iterable[tuple[Holdings, Sequence[str]]]) -> Collection[_Holders]:
    """People by what they hold (`model.shared`), so that each claim is held against that once."""
    found: dict[tuple[tuple[Scope, Roles], ...], _Holders] = {}
    for holdings, ids in people:
        key = tuple(holdings.items())  # in another order it is another key, which does no harm
        if (several := found.get(key)) is None:
            several = found[key] = _Holders(_highest(holdings), [])
        several.ids.extend(ids)
    return found.values()


def _without(roles: Mapping[str, Holdings], ids: Collection[str]) -> Mapping[str, Holdings]:
    return {id_: held for id_, held in roles.items() if id_ not in ids} if ids else roles


def _highest(holdings: Holdings) -> Held:
    return {scope: max(held) for scope, held in holdings.items() if held}


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _source(why: Provenance) -> str:
    place = f"({why.at.file}:{why.at.line})"
    match why.entry:
        case "binding":
            return f"group {why.name} {place}"
        case "temporary grant" | "service account":
            return f"{why.entry} {place}"
        case _:
            return f"{why.entry} of {why.name} {place}"
