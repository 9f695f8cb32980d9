"""What somebody has and should have, and why: the reasons of the desired state, ranked. Changes nothing.

One `Case` holds all that was read; `person` and `holders` answer the two questions about it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from itertools import chain

from reconciler import desired
from reconciler.change import AccountChange, Result
from reconciler.errors import SettingsError
from reconciler.finding import Finding
from reconciler.history import PastRun
from reconciler.model import (
    DIRECTORY,
    ORGANIZATION,
    DesiredState,
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
)
from reconciler.people import classes, groups
from reconciler.people.classes import Classes, End
from reconciler.people.identity import People
from reconciler.policy.document import Mode, Policy
from reconciler.problem import Location, Problem, did_you_mean

NONE: Roles = frozenset()


class UnknownError(SettingsError):
    """The person or the project that was asked about is not there."""


class Verdict(StrEnum):
    """What becomes of somebody's roles in one scope."""

    RIGHT = "as it should be"
    ADD = "to be added"
    TAKE = "to be taken"
    HELD = "held as it is"
    PROTECTED = "protected"


class Standing(StrEnum):
    """What one reason comes to."""

    APPLIES = "applies"
    OUTRANKED = "outranked"
    IDLE = "no effect"
    """The person is protected, or held as they are, or in a class that a binding does not name."""
    DENIED = "denied"
    """It is no entry that gives anything, but the directory's word that takes it all."""
    TO_COME = "to come"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Reason:
    """One entry of the policy that is about somebody in a scope, and what it comes to there."""

    source: Provenance
    standing: Standing
    by: Provenance | None = None
    """What outranks it."""


@dataclass(frozen=True, slots=True)
class Written:
    """The last write to one scope of one person that the ledger knows to be applied."""

    run: PastRun
    after: Roles
    stands: bool
    """Whether it is still so; else somebody else changed it since."""


@dataclass(frozen=True, slots=True)
class ScopeExplanation:
    """What somebody has and should have in one scope, and why; the strongest reason first."""

    scope: Scope
    live: Roles
    desired: Roles
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    above: Role | None = None
    """The role in the organization that they have or should have, where it is higher than the project's."""
    problems: tuple[Problem, ...] = ()
    """What may be what holds it."""
    written: Written | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One person."""

    principal: Principal
    scopes: tuple[ScopeExplanation, ...]
    """The organization first. Those in which they have nothing, and nothing speaks of them, are absent."""
    member: Member | None = None
    """The same person as the directory knows them, where it says more than that there is one."""
    protected_at: Location | None = None
    """Where the policy says that nothing of theirs is touched."""
    classes: tuple[str, ...] = ()
    """The classes of people that they are in, sorted."""
    end: End | None = None
    """The last moment of their time, where one is known."""
    over: bool = False
    """Whether that moment has passed."""
    idle_groups: tuple[str, ...] = ()
    """Groups that they are in, of those that were asked for, by which nothing is given to them."""
    foreign: tuple[str, ...] = ()
    """Role values on the server that are not the policy's."""
    account: tuple[AccountChange, ...] = ()
    """What is to become of their account."""
    findings: tuple[Finding, ...] = ()
    """What of theirs somebody should look at."""


@dataclass(frozen=True, slots=True)
class Question:
    """Who has a role, a role in this scope, or this role anywhere."""

    role: Role | None = None
    scope: Scope | None = None

    def meets(self, scope: ScopeExplanation) -> bool:
        """Whether somebody has or should have what is asked for in that scope."""
        roles = scope.live | scope.desired
        return bool(roles) if self.role is None else self.role in roles


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked of one organization, sorted by userName; and what of the policy was not resolved."""

    organization: str
    server: str
    mode: Mode
    people: tuple[Explanation, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Case:
    """All that is known of one organization. `runs` are those of a ledger, oldest first."""

    policy: Policy
    server: str
    live: LiveState
    """With those who are to be created."""
    membership: Membership
    desired: DesiredState
    now: datetime
    """The moment that the desired state is of, aware."""
    runs: Sequence[PastRun] = ()
    accounts: Sequence[AccountChange] = ()
    """What is to become of accounts."""

    def answer(self, people: Iterable[Explanation]) -> Answer:
        """These people as an answer."""
        organization = self.policy.organization
        return Answer(organization.name, self.server, organization.mode, tuple(people), self.desired.problems)

    @cached_property
    def people(self) -> People:
        return People.on(self.live, self.policy.people)

    @cached_property
    def classes(self) -> Classes:
        return classes.tell_apart(self.policy, self.membership, self.people)

    @cached_property
    def protected(self) -> frozenset[str]:
        return desired.protected(self.policy, self.live)

    @cached_property
    def written(self) -> Mapping[tuple[str | None, Scope], tuple[PastRun, Roles]]:
        """By principal id and scope: the last write that was applied, and what it left."""
        return {
            (write.principal_id, one.scope): (run, one.after)
            for run in self.runs
            if (run.organization, run.begun.server) == (self.policy.organization.name, self.server)
            for write in run.writes
            if write.result is Result.APPLIED
            for one in write.scopes
        }


def find(case: Case, name: str) -> Principal:
    """Who is called so: by userName, by one that they had before as the policy says, by id, or by e-mail.

    Raises UnknownError where there is nobody, SettingsError where an e-mail is that of several.
    """
    if found := case.people.named(name) or case.people.by_id.get(name) or _earlier(case, name):
        return found
    same = [one for one in case.live.people.values() if one.email and fold(one.email) == fold(name)]
    if len(same) > 1:
        names = " and ".join(sorted(person.user_name for person in same))
        raise SettingsError(f"'{name}' is the e-mail of {names}", "ask for one of them by userName")
    if same:
        return same[0]
    raise _nobody(case, name)


def person(case: Case, principal: Principal) -> Explanation:
    """Everything that somebody has and should have."""
    scopes = tuple(_scope(case, principal, scope) for scope in _scopes(case, principal.id))
    standing = case.classes.of(principal.id)
    return Explanation(
        principal,
        scopes,
        _member(case, principal),
        _protected_at(case, principal),
        standing.classes,
        standing.end,
        standing.over(case.now),
        _idle_groups(case, principal),
        case.live.foreign.get(principal.id, ()),
        tuple(change for change in case.accounts if change.principal.id == principal.id),
        tuple(one for one in case.desired.findings if fold(one.subject) == fold(principal.user_name)),
    )


def holders(case: Case, question: Question) -> tuple[Explanation, ...]:
    """Everybody who has or should have what is asked for, by userName, with that alone.

    Who has it in a project by a higher role in the organization is among them. Raises UnknownError where
    the policy does not speak for the scope.
    """
    _check(case.policy, question.scope)
    everybody = sorted(case.live.people.values(), key=lambda one: (fold(one.user_name), one.id))
    found = ((one, _asked_for(case, one, question)) for one in everybody)
    return tuple(
        Explanation(one, scopes, protected_at=_protected_at(case, one)) for one, scopes in found if scopes
    )


def sources(people: Iterable[Explanation]) -> list[Location]:
    """Every line of policy that gives somebody something, keeps it, or ends it."""
    people = list(people)
    about = [one.protected_at for one in people if one.protected_at is not None]
    about += [one.end.at for one in people if one.end is not None]
    return about + [reason.source.at for one in people for s in one.scopes for reason in s.reasons]


def _asked_for(case: Case, principal: Principal, question: Question) -> tuple[ScopeExplanation, ...]:
    scopes = {scope: _scope(case, principal, scope) for scope in _scopes(case, principal.id)}
    met = tuple(one for one in scopes.values() if question.meets(one))
    if question.scope is None:
        return met
    own = scopes.get(question.scope)
    asked = tuple(one for one in met if one.scope == question.scope)
    above = tuple(one for one in met if one.scope == ORGANIZATION != question.scope and _is_above(one, own))
    return above + asked


def _is_above(organization: ScopeExplanation, project: ScopeExplanation | None) -> bool:
    """Whether the role in the organization is the one that applies in the project, now or after a plan."""
    if project is None:
        return True
    return highest(organization.live) > highest(project.live) or (
        highest(organization.desired) > highest(project.desired)
    )


def _check(policy: Policy, scope: Scope | None) -> None:
    organization = policy.organization
    if scope == ORGANIZATION and not organization.organization_roles_managed:
        raise UnknownError(
            f"the policy of {organization.name} does not speak for roles in the organization",
            "it says `organization_roles: unmanaged`; ask for a project",
        )
    if scope is not None and scope.project is not None and scope.project not in organization.projects:
        meant = did_you_mean(scope.project, organization.projects)
        hint = f"its projects are {', '.join(sorted(organization.projects)) or 'none'}"
        raise UnknownError(f"the policy of {organization.name} has no project '{scope.project}'{meant}", hint)


def _earlier(case: Case, name: str) -> Principal | None:
    entries = (one for one in case.policy.people if fold(name) in map(fold, one.previously))
    return next((found for entry in entries if (found := case.people.named(entry.user))), None)


def _nobody(case: Case, name: str) -> UnknownError:
    message = f"there is no person '{name}' on the server of {case.policy.organization.name}"
    theirs = [
        group.name
        for group in case.membership.groups
        if any(
            _is_called(member, name) and case.people.match(member) is None for member in group.members or ()
        )
    ]
    if theirs:
        return UnknownError(
            f"{message}, though the directory has them in {', '.join(sorted(theirs))}",
            "they have no account yet: look at how the identity provider provisions them",
        )
    if any(_is_called(member, name) for member in case.membership.people or ()):
        return UnknownError(f"{message}, though the directory knows them", "they have no account yet")
    return UnknownError(
        f"{message}{case.people.meant(name)}", "people are asked for by userName, id or e-mail"
    )


def _is_called(member: Member, name: str) -> bool:
    keys = (member.user_name, member.external_id, member.email)
    return any(key is not None and fold(key) == fold(name) for key in keys)


def _scopes(case: Case, id_: str) -> list[Scope]:
    """The scopes in which somebody has something, or in which the policy speaks of them."""
    found = {
        *case.live.holdings(id_),
        *case.desired.holdings(id_),
        *case.desired.why.get(id_, ()),
        *case.desired.to_come.get(id_, ()),
    }
    return sorted(found, key=lambda scope: scope.rank)


def _scope(case: Case, principal: Principal, scope: Scope) -> ScopeExplanation:
    id_ = principal.id
    reasons = _reasons(case, id_, scope)
    giving = (one for one in reasons if _gives(one.source) and one.standing is not Standing.TO_COME)
    given = highest(frozenset(one.source.role for one in giving))
    explained = ScopeExplanation(
        scope,
        case.live.holdings(id_).get(scope, NONE),
        case.desired.holdings(id_).get(scope, NONE),
        Verdict.RIGHT,
        reasons,
        _above(case, id_, scope),
        written=_written(case, id_, scope),
    )
    verdict = Verdict.PROTECTED if id_ in case.protected else _verdict(explained, given)
    problems = _holding(case, id_, scope) if verdict is Verdict.HELD else ()
    return replace(explained, verdict=verdict, problems=problems)


def _verdict(scope: ScopeExplanation, given: int) -> Verdict:
    """`given` is the highest role that an entry gives, whether or not that comes to anything."""
    has, should = highest(scope.live), highest(scope.desired)
    if should > given or (should < given and scope.live == scope.desired):
        return Verdict.HELD
    if has < should:
        return Verdict.ADD
    return Verdict.RIGHT if scope.live == scope.desired else Verdict.TAKE


def _reasons(case: Case, id_: str, scope: Scope) -> tuple[Reason, ...]:
    told = case.desired.why.get(id_, {}).get(scope, ())
    holding = [source for source in told if _gives(source)]
    withheld = [
        Reason(source, Standing.DENIED if source.entry == DIRECTORY else Standing.IDLE)
        for source in told
        if source.withheld
    ]
    ended = [Reason(source, Standing.ENDED) for source in told if source.ended]
    to_come = [
        Reason(source, Standing.TO_COME) for source in case.desired.to_come.get(id_, {}).get(scope, ())
    ]
    asked = highest(case.desired.holdings(id_).get(scope, NONE))
    if id_ in case.protected or any(source.role > asked for source in holding):
        ranked = [Reason(source, Standing.IDLE) for source in holding]
    else:
        ranked = [_ranked(source, holding[0]) for source in holding]
    return (*ranked, *withheld, *to_come, *ended)


def _gives(source: Provenance) -> bool:
    """Whether an entry gives its role, if nothing holds the person as they are."""
    return not source.ended and not source.withheld


def _ranked(source: Provenance, strongest: Provenance) -> Reason:
    if source.role == strongest.role:
        return Reason(source, Standing.APPLIES)
    return Reason(source, Standing.OUTRANKED, strongest)


def _above(case: Case, id_: str, scope: Scope) -> Role | None:
    """The role in the organization where it is the highest from any source, so that it applies here, too.

    Of what somebody should have, or where they should have nothing here, of what they have.
    """
    if scope == ORGANIZATION:
        return None
    for holdings in (case.desired.holdings(id_), case.live.holdings(id_)):
        here, everywhere = holdings.get(scope, NONE), holdings.get(ORGANIZATION, NONE)
        if here:
            return max(everywhere) if highest(everywhere) > max(here) else None
    return None


def _holding(case: Case, id_: str, scope: Scope) -> tuple[Problem, ...]:
    """The problems of entries that give something in this scope, and of classes; else all problems."""
    policy, problems = case.policy, case.desired.problems
    entries = [(one.at, one.roles) for one in policy.bindings]
    entries += [(one.at, one.roles) for one in policy.grants]
    entries += [(one.at, one.roles) for one in policy.service_accounts]
    places = {at for at, roles in entries if any(role.scope == scope for role in roles)}
    places |= {policy.organization.classes[name].at for name in case.classes.of(id_).classes}
    places |= {problem.at for problem in case.classes.problems}
    return tuple(problem for problem in problems if problem.at in places) or problems


def _written(case: Case, id_: str, scope: Scope) -> Written | None:
    if (last := case.written.get((id_, scope))) is None:
        return None
    run, after = last
    return Written(run, after, case.live.holdings(id_).get(scope, NONE) == after)


def _protected_at(case: Case, principal: Principal) -> Location | None:
    if principal.id not in case.protected:
        return None
    places = {fold(name): at for name, at in case.policy.protected_at.items()}
    return places.get(fold(principal.user_name), case.policy.organization.at)


def _member(case: Case, principal: Principal) -> Member | None:
    """The person in the directory, if it says whether they are active."""
    told = (one for one in case.membership.everybody if one.active is not None or one.status)
    return next((one for one in told if case.people.match(one) is principal), None)


def _idle_groups(case: Case, principal: Principal) -> tuple[str, ...]:
    reasons = chain.from_iterable(case.desired.why.get(principal.id, {}).values())
    named = {reason.name for reason in reasons if reason.entry == "binding"}
    giving = [
        groups.find(binding.group, binding.at, case.membership)
        for binding in case.policy.bindings
        if binding.group.name in named
    ]
    theirs = (
        group
        for group in case.membership.groups
        if any(case.people.match(member) is principal for member in group.members or ())
    )
    return tuple(sorted(group.name for group in theirs if group not in giving))
