"""Everybody who drifted, with what is known of how and since when. Claims no more than can be known.

`drift` is the bare difference, and `plan` what to do about it; this adds the past that the ledger tells, the
directory's word, and the moments that the policy names. What every report of drift shows is made of it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import assert_never

from reconciler import guardrails, history, plan
from reconciler.change import (
    AccountChange,
    CreateGroup,
    CreateUser,
    DeleteUser,
    Result,
    ScopeChange,
    SetActive,
    SetAttributes,
    SetRoles,
    data,
)
from reconciler.explanation import Case
from reconciler.finding import Finding
from reconciler.history import Contested, ContestedAccount, PastRun
from reconciler.model import (
    DIRECTORY,
    ORGANIZATION,
    Member,
    Principal,
    Provenance,
    Role,
    Roles,
    Scope,
    fold,
)
from reconciler.overview import Overview
from reconciler.people import classes
from reconciler.policy.document import Mode, TemporaryGrant
from reconciler.problem import Location


class Cause(StrEnum):
    """What is known of how somebody came to differ. A closed set; who knows nothing says `unknown`."""

    CHANGED = "changed by somebody else"
    """By hand or by another program: the ledger has another role as the last one written, or the policy that
    the last whole run was of gives the role to nobody."""
    GRANT_ENDED = "temporary grant ended"
    TIME_ENDED = "time ended"
    """The end of a contractor's time, or of anybody whose end is known."""
    LEAVER = "leaver"
    """The directory calls them inactive, or does not list them."""
    INACTIVE = "not active"
    """The account is inactive on the server, and holds something."""
    RETURNER = "returner"
    UNPROVISIONED = "not provisioned"
    """They have no account yet."""
    ATTRIBUTE = "differs from the directory"
    """A name or an e-mail does."""
    NOT_APPLIED = "not applied yet"
    """What the policy and its groups ask for changed, and no run carried it out since."""
    TAKEN_BACK = "taken back"
    """`reconciler undo` wrote what is there now, and the policy still asks for something else."""
    UNKNOWN = "unknown"


class Bound(StrEnum):
    """How a moment is meant."""

    AT = "since"
    AFTER = "after"
    """It was right then, and nobody knows any closer when it became wrong."""
    BY = "by"
    """It was so then, and may have been so before."""


@dataclass(frozen=True, slots=True)
class Since:
    """Since when something is so, and what tells it.

    `evidence` is the run of the ledger that left it right or took it back, or the line of policy that was
    written then or names the moment as an end or a beginning; None where the directory or its log says so.
    """

    moment: datetime
    """Aware."""
    bound: Bound = Bound.AT
    evidence: PastRun | Provenance | None = None


@dataclass(frozen=True, slots=True)
class DriftedScope:
    """One scope in which somebody has something else than they should."""

    change: ScopeChange
    """From what they have to what they should have, and why, whatever the mode lets a run do about it."""
    cause: Cause
    since: Since | None = None
    """None where nothing tells."""
    left: PastRun | None = None
    """The last run that is known to have written this scope of theirs."""
    left_as: Roles = frozenset()
    """What it wrote."""
    tried: PastRun | None = None
    """The last run that tried to mend just this, in vain as far as is known."""
    contested: bool = False
    """Whether run after run wrote what should be, and somebody else changed it back."""
    withheld: bool = False
    """Whether the mode leaves it as it is."""

    @property
    def scope(self) -> Scope:
        return self.change.scope


@dataclass(frozen=True, slots=True)
class DriftedAccount:
    """Something about somebody's account that is not as it should be."""

    change: AccountChange
    cause: Cause
    since: Since | None = None
    tried: PastRun | None = None
    contested: bool = False
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class DriftedPerson:
    """One person: at least one scope or something about their account."""

    principal: Principal
    scopes: tuple[DriftedScope, ...] = ()
    """The organization first."""
    accounts: tuple[DriftedAccount, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What else of theirs somebody should look at."""
    loses_everything: bool = False
    """Whether they have something, and should have nothing at all."""

    @property
    def causes(self) -> frozenset[Cause]:
        """How all of it came about."""
        scopes, accounts = (one.cause for one in self.scopes), (one.cause for one in self.accounts)
        return frozenset((*scopes, *accounts))

    @property
    def change(self) -> SetRoles | None:
        """All of their scopes as one change, as `report.people` tells it."""
        return SetRoles(self.principal, tuple(one.change for one in self.scopes)) if self.scopes else None


@dataclass(frozen=True, slots=True)
class Admin:
    """An organization admin who can act."""

    principal: Principal
    until: datetime | None = None
    """When all that gives it has ended, aware; None where something has no end, or nothing gives it."""
    given: bool = True
    """Whether the policy gives it to them; else it takes it, unless they are held as they are."""
    protected: bool = False


Written = Mapping[tuple[str, int], datetime]
"""When lines of policy were written, by file and number, where that is known: no run before had them."""


@dataclass(frozen=True)
class Drifted:
    """All that a report of one organization's drift shows, beside what is in its `overview`."""

    overview: Overview
    people: tuple[DriftedPerson, ...]
    """By userName."""
    groups: tuple[CreateGroup, ...] = ()
    """Groups that roles need and that do not exist."""
    admins: tuple[Admin, ...] = ()
    """Who is organization admin now and can act, by userName."""
    grants: tuple[TemporaryGrant, ...] = ()
    """The temporary grants in force or to come, the one that ends first in front."""
    last: PastRun | None = None
    """The last run of this organization on this server that left everything right."""

    @property
    def found(self) -> bool:
        """Whether there is any drift, be it that the mode lets a run mend it or not."""
        return self.overview.prepared.plan.drifted

    @cached_property
    def causes(self) -> Mapping[Cause, int]:
        """How many people there are with each cause of something, in the order of `Cause`."""
        told = [person.causes for person in self.people]
        counts = {cause: sum(cause in causes for causes in told) for cause in Cause}
        return {cause: number for cause, number in counts.items() if number}

    @cached_property
    def trend(self) -> tuple[PastRun, ...]:
        """The past runs but for those that took another back; `begun.changes` tells how much drift."""
        return tuple(run for run in self.overview.runs if not run.begun.undoes)


def of(overview: Overview, written: Written = MappingProxyType({})) -> Drifted:
    """Everybody who drifted. `written` tells when lines of policy were written."""
    desk = _Desk(overview, written)
    plan_ = overview.prepared.plan
    every = (*plan_.changes, *plan_.withheld)
    roles = plan.whole(change for change in every if isinstance(change, SetRoles))
    found: dict[str, DriftedPerson] = {
        change.principal.id: DriftedPerson(
            change.principal,
            tuple(desk.scope(change.principal, one) for one in change.scopes),
            loses_everything=desk.loses_everything(change),
        )
        for change in roles
    }
    for change in every:
        if isinstance(change, CreateGroup | SetRoles):
            continue
        person = found.get(change.principal.id) or DriftedPerson(change.principal)
        found[change.principal.id] = replace(person, accounts=(*person.accounts, desk.account(change)))
    people = sorted(found.values(), key=lambda person: _name(person.principal))
    return Drifted(
        overview,
        tuple(replace(one, findings=desk.findings(one.principal)) for one in people),
        tuple(change for change in every if isinstance(change, CreateGroup)),
        _admins(overview.case),
        _grants(overview.case),
        last_whole(overview.runs),
    )


def lines(overview: Overview) -> list[Location]:
    """The lines of policy whose age may tell since when somebody lacks something."""
    if last_whole(overview.runs) is None:
        return []
    planned = overview.prepared.plan
    people = (*planned.people, *planned.withheld_people)
    gains = (scope for change in people for scope in change.scopes if scope.gains)
    return [reason.at for scope in gains for reason in scope.why]


def last_whole(runs: Sequence[PastRun]) -> PastRun | None:
    """The last of these runs after which nothing of what was asked for then was missing."""
    return next((run for run in reversed(runs) if _is_whole(run)), None)


def _is_whole(run: PastRun) -> bool:
    """A ledger that does not say how many problems the policy had (of an older version) proves nothing."""
    begun, ended = run.begun, run.ended
    return (
        ended is not None
        and ended.refused is None
        and begun.undoes is None
        and begun.mode == Mode.ENFORCE
        and begun.problems == 0
        and not run.skipped
        and len(run.writes) == begun.changes
        and all(write.result is Result.APPLIED for write in run.writes)
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """What the ledger tells of one scope of one person."""

    run: PastRun | None = None
    """The last that wrote it for certain."""
    after: Roles = frozenset()
    missed: PastRun | None = None
    """The last run after that one that may have written it or not."""
    missed_before: Roles = frozenset()
    missed_after: Roles = frozenset()


@dataclass(frozen=True)
class _Desk:
    """Where drift is held against everything that may tell how it came about."""

    overview: Overview
    written: Written

    def scope(self, principal: Principal, change: ScopeChange) -> DriftedScope:
        told = self._told.get((principal.id, change.scope), _Told())
        cause, since = self._cause(principal, change, told)
        is_tried = (told.missed_before, told.missed_after) == (change.before, change.after)
        return DriftedScope(
            change,
            cause,
            since,
            told.run,
            told.after,
            told.missed if is_tried else None,
            Contested(self._name, principal.user_name, change.scope, change.after) in self._contested,
            (principal.id, change.scope) in self._withheld,
        )

    def account(self, change: AccountChange) -> DriftedAccount:
        cause, since = self._account_cause(change)
        return DriftedAccount(
            change,
            cause,
            since,
            self._tried(change),
            self._is_contested(change),
            change in self.overview.prepared.plan.withheld_accounts,
        )

    def findings(self, principal: Principal) -> tuple[Finding, ...]:
        return tuple(self._findings.get(fold(principal.user_name), ()))

    def loses_everything(self, change: SetRoles) -> bool:
        lost = {one.scope for one in change.scopes if not one.after}
        held = self.overview.case.live.holdings(change.principal.id)
        return bool(held) and lost.issuperset(held) and not any(one.gains for one in change.scopes)

    # Roles.

    def _cause(self, principal: Principal, change: ScopeChange, told: _Told) -> tuple[Cause, Since | None]:
        right = self._right(told)
        if principal.provisional:
            return Cause.UNPROVISIONED, None
        stands = told.run is not None and told.after == change.before
        if told.run is not None and not stands and told.missed is None:
            return Cause.CHANGED, right
        if told.run is not None and stands and told.run.begun.undoes:
            return Cause.TAKEN_BACK, Since(told.run.moment, evidence=told.run)
        if over := self._over(principal, change):
            return self._ended(over, right, told)
        if any(reason.entry == DIRECTORY for reason in change.why):
            return Cause.LEAVER, _later(self._left(principal), right)
        if not principal.entitled:
            return Cause.INACTIVE, right
        if begun := self._begun(change, right):
            return Cause.NOT_APPLIED, begun
        if stands:
            return Cause.NOT_APPLIED, right
        if self._is_nobodys(change) and self._is_of_this_policy(right, told):
            return Cause.CHANGED, right
        return Cause.UNKNOWN, right

    def _right(self, told: _Told) -> Since | None:
        """The last moment at which a scope is known to have been as was asked for then."""
        runs = [run for run in (self._last, told.run) if run is not None and not run.begun.undoes]
        latest = max(runs, key=lambda run: run.moment, default=None)
        return Since(latest.moment, Bound.AFTER, latest) if latest else None

    def _over(self, principal: Principal, change: ScopeChange) -> Provenance | None:
        """The entry that gave what is lost, and ended."""
        if not change.loses or not principal.entitled:
            return None
        ended = (one for one in change.why if one.ended and one.until and one.role >= max(change.before))
        return max(ended, key=lambda one: one.until or self._now, default=None)

    def _ended(self, over: Provenance, right: Since | None, told: _Told) -> tuple[Cause, Since]:
        """Where a run left it right after the end, somebody gave it anew, if the policy was the same."""
        cause = Cause.TIME_ENDED if over.entry == "end" else Cause.GRANT_ENDED
        assert over.until is not None
        if right is None or right.moment <= over.until:
            return cause, Since(over.until, evidence=over)
        return (Cause.CHANGED if self._is_of_this_policy(right, told) else cause), right

    def _begun(self, change: ScopeChange, right: Since | None) -> Since | None:
        """When what is asked for began to be so, where that is after it was right for the last time."""
        giving = [one for one in change.why if not one.ended and not one.withheld]
        strongest = [one for one in giving if one.role == max(change.after, default=None)]
        if not change.gains or right is None or not strongest:
            return None
        moments = [self._asked_since(one, right) for one in strongest]
        known = [one for one in moments if one is not None]
        return min(known, key=lambda one: one.moment) if len(known) == len(moments) else None

    def _asked_since(self, source: Provenance, right: Since) -> Since | None:
        """When an entry began to give its role; None where that may have been before it was right."""
        if source.since is not None and source.since > right.moment:
            return Since(source.since, evidence=source)
        written = self.written.get((source.at.file, source.at.line))
        is_new = written is not None and written > right.moment and not _is_dirty(right)
        return Since(written, Bound.AFTER, source) if written is not None and is_new else None

    def _is_nobodys(self, change: ScopeChange) -> bool:
        """Whether what somebody has too much of is given to nobody by any entry of the policy."""
        return change.loses and max(change.before) not in self._givable.get(change.scope, ())

    def _is_of_this_policy(self, right: Since | None, told: _Told) -> bool:
        """Whether the run that left it right was of this very policy, held nobody, and was the last here."""
        return (
            told.missed is None
            and right is not None
            and isinstance(right.evidence, PastRun)
            and right.evidence.begun.tree == self.overview.case.policy.tree
            and not self.overview.case.policy.organization.lifecycle.grace
        )

    # Accounts.

    def _account_cause(self, change: AccountChange) -> tuple[Cause, Since | None]:
        match change:
            case CreateUser():
                return Cause.UNPROVISIONED, None
            case SetAttributes():
                return Cause.ATTRIBUTE, None
            case SetActive() if change.after:
                return Cause.RETURNER, None
            case SetActive() | DeleteUser():
                return Cause.LEAVER, self._left(change.principal)
            case _ as never:
                assert_never(never)

    def _is_contested(self, change: AccountChange) -> bool:
        wanted: set[tuple[str, str | bool]]
        match change:
            case SetActive():
                wanted = {("active", change.after)}
            case SetAttributes():
                wanted = {(one.attribute.value, one.after) for one in change.attributes}
            case CreateUser() | DeleteUser():
                return False
            case _ as never:
                assert_never(never)
        user = change.principal.user_name
        return any(ContestedAccount(self._name, user, *one) in self._contested for one in wanted)

    def _left(self, principal: Principal) -> Since | None:
        """Since when somebody is a leaver, by the directory's word or else by the ledger's."""
        told = [one.since for one in self._members.get(principal.id, ()) if one.active is False and one.since]
        if told:
            return Since(min(told))
        noted = self._leavers.get(principal.id)
        return Since(noted, Bound.BY) if noted else None

    # What is looked up for everybody.

    @property
    def _name(self) -> str:
        return self.overview.case.policy.organization.name

    @property
    def _now(self) -> datetime:
        return self.overview.case.now

    @cached_property
    def _last(self) -> PastRun | None:
        return last_whole(self.overview.runs)

    @cached_property
    def _told(self) -> Mapping[tuple[str | None, Scope], _Told]:
        found: dict[tuple[str | None, Scope], _Told] = {}
        for run in self.overview.runs:
            for write in run.writes:
                for one in write.scopes:
                    key = (write.principal_id, one.scope)
                    if write.result is Result.APPLIED:
                        found[key] = _Told(run, one.after)
                    else:
                        earlier = found.get(key, _Told())
                        found[key] = _Told(earlier.run, earlier.after, run, one.before, one.after)
        return found

    @cached_property
    def _missed(self) -> Mapping[tuple[str | None, str, bool | None], PastRun]:
        """The last run that wrote something to an account, unless it is known to have come about."""
        found: dict[tuple[str | None, str, bool | None], PastRun] = {}
        for run in self.overview.runs:
            for write in run.writes:
                after = write.activity.after if write.activity else None
                key = (write.principal_id, write.kind.value, after)
                found[key] = run
                if write.result is Result.APPLIED:
                    del found[key]
        return found

    def _tried(self, change: AccountChange) -> PastRun | None:
        after = change.after if isinstance(change, SetActive) else None
        return self._missed.get((change.principal.id, str(data(change)["kind"]), after))

    @cached_property
    def _contested(self) -> frozenset[Contested | ContestedAccount]:
        return frozenset(history.contested(self.overview.runs))

    @cached_property
    def _withheld(self) -> frozenset[tuple[str, Scope]]:
        planned = self.overview.prepared.plan
        left, carried = (
            {(change.principal.id, one.scope) for change in people for one in change.scopes}
            for people in (planned.withheld_people, planned.people)
        )
        return frozenset(left - carried)

    @cached_property
    def _findings(self) -> Mapping[str, Sequence[Finding]]:
        found: dict[str, list[Finding]] = defaultdict(list)
        for one in self.overview.prepared.plan.findings:
            found[fold(one.subject)].append(one)
        return found

    @cached_property
    def _members(self) -> Mapping[str, Collection[Member]]:
        case = self.overview.case
        return classes.members(case.membership, case.people)

    @cached_property
    def _leavers(self) -> Mapping[str, datetime]:
        return history.told_leavers(self.overview.runs, self._name)

    @cached_property
    def _givable(self) -> Mapping[Scope, Set[Role]]:
        """Every role that some entry of the policy gives in a scope, also where a class of people caps it."""
        policy = self.overview.case.policy
        caps = {one.highest_role for one in policy.organization.classes.values()} - {None}
        found: dict[Scope, set[Role]] = defaultdict(set)
        bound = (one for binding in policy.bindings for one in binding.roles)
        granted = (one for grant in policy.grants for one in grant.roles)
        served = (one for account in policy.service_accounts for one in account.roles)
        for one in (*bound, *granted, *served):
            found[one.scope] |= {one.role, *(min(one.role, cap) for cap in caps if cap)}
        return found


def _is_dirty(right: Since) -> bool:
    """Whether a run may have had lines of policy that no commit had yet."""
    commit = right.evidence.begun.commit if isinstance(right.evidence, PastRun) else None
    return commit is None or commit.endswith("-dirty")


def _later(one: Since | None, other: Since | None) -> Since | None:
    """The later of two moments."""
    known = [since for since in (one, other) if since is not None]
    return max(known, key=lambda since: since.moment, default=None)


def _admins(case: Case) -> tuple[Admin, ...]:
    ids = guardrails.admins(case.live)
    people = sorted((case.live.people[id_] for id_ in ids), key=_name)
    return tuple(
        _admin(one, case.desired.why.get(one.id, {}).get(ORGANIZATION, ()), one.id in case.protected)
        for one in people
    )


def _grants(case: Case) -> tuple[TemporaryGrant, ...]:
    current = (grant for grant in case.policy.grants if case.now <= grant.expires)
    return tuple(sorted(current, key=lambda grant: (grant.expires, grant.at)))


def _admin(principal: Principal, why: Iterable[Provenance], is_protected: bool) -> Admin:
    if is_protected:
        return Admin(principal, protected=True)
    giving = [one for one in why if one.role is Role.ADMIN and not one.ended and not one.withheld]
    ends = [one.until for one in giving]
    lasting = [end for end in ends if end is not None]
    return Admin(principal, max(lasting) if giving and len(lasting) == len(ends) else None, bool(giving))


def _name(person: Principal) -> tuple[str, str]:
    return (fold(person.user_name), person.id)
