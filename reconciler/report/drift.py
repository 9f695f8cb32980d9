"""What drifted, how and since when: as text for a log and as plain data. Returns lines, prints nothing."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from reconciler.change import data as change_data
from reconciler.change import scope_data, words
from reconciler.drifted import (
    Admin,
    Bound,
    Cause,
    Drifted,
    DriftedAccount,
    DriftedPerson,
    DriftedScope,
    Since,
)
from reconciler.errors import ReconcilerError
from reconciler.guardrails import Violation
from reconciler.history import CONTESTED, PastRun
from reconciler.model import Provenance
from reconciler.phrases import counted, counted_people, minute, shortened
from reconciler.policy.document import TemporaryGrant
from reconciler.problem import Problem
from reconciler.report import data as plain
from reconciler.report import people, text
from reconciler.report.data import Document
from reconciler.report.plain import printable

FORMAT = "reconciler.drift/1"

RUNS_SHOWN = 10
"""So many past runs are in the line that tells the trend."""

ADMINS_SHOWN = 20
"""How many admins are named before they are only counted."""

_ORDER = {cause: number for number, cause in enumerate(Cause)}

_UNITS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))

Failures = Sequence[tuple[str, ReconcilerError]]
"""What could not be looked at, each with its organization."""


def lines(found: Sequence[Drifted], failures: Failures = (), problems: Sequence[Problem] = ()) -> list[str]:
    """The verdict over all organizations in the first line; then one after the other.

    `problems` are those of policy files; then nothing was `found`.
    """
    told = [verdict(found, failures)]
    for one in found:
        told += ["", *_organization(one)]
    for organization, error in failures:
        told += ["", f"{organization} could not be looked at: {error.message}"]
    if problems:
        told += ["", "the policy is invalid:", *(f"  {problem}" for problem in problems)]
    return [printable(line) for line in told]


def verdict(found: Sequence[Drifted], failures: Failures = ()) -> str:
    """In how many people of which organizations there is drift, and what is not known."""
    differing = [one for one in found if one.found]
    names = ", ".join(one.overview.prepared.plan.organization for one in differing or found)
    number = sum(len(one.people) for one in differing)
    if differing:
        who = f"{counted_people(number)} in " if number else ""
        what = f"drift: {who}{names}"
    else:
        what = f"no drift in {names}" if found else "nothing is known of drift"
    open_ = sum(len(one.overview.prepared.plan.problems) for one in found)
    more = [f"{counted(open_, 'problem')} of policy unresolved"] if open_ else []
    more += [f"{counted(len(failures), 'organization')} could not be looked at"] if failures else []
    return "; ".join([what, *more])


def cause(cause: Cause) -> str:
    """How somebody came to differ, in words."""
    return "how is not known" if cause is Cause.UNKNOWN else str(cause)


def ranked(found: Iterable[DriftedPerson]) -> list[DriftedPerson]:
    """The most urgent first: who loses everything, then by how they came to differ."""
    return sorted(found, key=lambda one: (not one.loses_everything, _ORDER[first(one)]))


def first(person: DriftedPerson) -> Cause:
    """The most telling of the ways in which somebody came to differ."""
    return min(person.causes, key=lambda cause: _ORDER[cause])


def since(since: Since | None) -> str:
    """Since when, as the end of a sentence, and what tells it: `after run 1f2e3d4c5b6a of 2026-11-23`."""
    if since is None:
        return "nothing tells since when"
    moment = minute(since.moment)
    if since.bound is Bound.BY:
        return f"since {moment} or before"
    match since.evidence:
        case PastRun() as run:
            return f"{since.bound} run {run.id} of {moment}"
        case Provenance() as source:
            place = f"{source.at.file}:{source.at.line}"
            told = f"when {place} was written" if since.bound is Bound.AFTER else f"by {place}"
            return f"{since.bound} {moment}, {told}"
        case None:
            return f"{since.bound} {moment}"
        case _ as never:
            assert_never(never)


def notes(one: DriftedScope | DriftedAccount, mode: str) -> list[str]:
    """What is known of how it came about and of what runs did about it; nothing where nothing is."""
    is_known = one.cause is not Cause.UNKNOWN or one.since is not None
    told = [f"{cause(one.cause)}, {since(one.since)}"] if is_known else []
    if isinstance(one, DriftedScope) and one.cause is Cause.CHANGED and one.left is not None:
        told.append(f"run {one.left.id} of {minute(one.left.moment)} left {people.roles(one.left_as)}")
    if one.contested:
        told.append(f"each of the last {CONTESTED} runs wrote it, and somebody else changed it back")
    if one.tried is not None:
        told.append(f"run {one.tried.id} of {minute(one.tried.moment)} tried to mend it, in vain")
    if one.withheld:
        told.append(f"mode {mode} leaves it as it is")
    return told


def refusal(violation: Violation) -> list[str]:
    """A guardrail that a run would break now."""
    first, *rest = text.refusal(violation)
    return [f"a run would be {first}", *rest]


def remaining(time_left: timedelta) -> str:
    """How long something still lasts, in its largest unit: `3 days`."""
    for noun, unit in _UNITS:
        if time_left >= unit:
            return counted(time_left // unit, noun)
    return "less than a minute"


def trend(runs: Sequence[PastRun]) -> str:
    """How many changes each of the last runs planned, oldest first."""
    return ", ".join(_run(run) for run in runs[-RUNS_SHOWN:])


def data(policy: str, found: Sequence[Drifted], failures: Failures = ()) -> Document:
    """Format `reconciler.drift/1`: each organization that could be looked at, and what failed.

    `policy` is the policy's folder. docs/drift.md tells what is in it.
    """
    return {
        "format": FORMAT,
        "policy": policy,
        "drift": any(one.found for one in found),
        "organizations": [_organization_data(one) for one in found],
        "failures": [plain.failure(organization, error) for organization, error in failures],
    }


def _organization(found: Drifted) -> Iterator[str]:
    prepared = found.overview.prepared
    yield text.heading(prepared)
    if not found.found:
        yield text.verdict(prepared)
    for how, number in found.causes.items():
        yield f"  {cause(how)}: {counted_people(number)}"
    yield f"last run that left everything right: {last(found)}"
    for one in found.people:
        yield from person(one, prepared.plan.mode)
    if found.groups:
        yield ""
        yield from (f"the group {group.name} is missing" for group in found.groups)
    yield from text.findings(prepared.plan.findings)
    if prepared.plan.problems:
        yield from ("", "not resolved, so nobody loses what it could have given:")
        yield from (f"  {problem}" for problem in prepared.plan.problems)
    for violation in prepared.violations:
        yield from ("", *refusal(violation))
    yield from _standing(found)


def last(found: Drifted) -> str:
    """The last run that left everything right."""
    if found.last is not None:
        return f"{found.last.id} of {minute(found.last.moment)}"
    return "none that the ledger tells of" if found.overview.runs else "unknown, for no ledger tells of any"


def person(person: DriftedPerson, mode: str) -> Iterator[str]:
    """What is known of one person, in lines, after an empty one."""
    yield ""
    if person.change is not None:
        emptied = {person.principal.id} if person.loses_everything else frozenset[str]()
        [row] = people.rows([person.change], emptied)
        yield f"{row.user} {row.verb}"
        for scope, one in zip(row.scopes, person.scopes, strict=True):
            yield f"  {scope.scope}: {scope.before} -> {scope.after}" + (
                f"  {scope.why}" if scope.why else ""
            )
            yield from (f"    {note}" for note in notes(one, mode))
    for account in person.accounts:
        [told] = people.account_rows([account.change])
        verb = told.due
        yield f"account {told.user} {verb}" + (f"  {told.why}" if told.why else "")
        yield from (f"    {note}" for note in notes(account, mode))


def _standing(found: Drifted) -> Iterator[str]:
    """What is so whether or not anything drifted: admins, temporary grants, past runs."""
    now = found.overview.case.now
    yield ""
    admins = [admin(one, now) for one in found.admins]
    names = shortened(admins, ADMINS_SHOWN) or "nobody"
    yield f"{counted(len(admins), 'organization admin')}: {names}"
    if found.grants:
        yield "temporary grants:"
        yield from (f"  {_grant(one, now)}" for one in found.grants)
    if found.trend:
        yield f"changes of past runs: {trend(found.trend)}"


def admin(admin: Admin, now: datetime) -> str:
    """An admin, and until when they are, or why they still are."""
    note = admin_note(admin, now)
    return f"{admin.principal.user_name} ({note})" if note else admin.principal.user_name


def admin_note(admin: Admin, now: datetime) -> str:
    """Until when an admin is one, or why they still are; empty for any other."""
    if admin.protected:
        return "protected"
    if not admin.given:
        return "given by nothing in the policy"
    return f"{remaining(admin.until - now)} left" if admin.until else ""


def given(grant: TemporaryGrant) -> str:
    """What a temporary grant gives: `organization admin, web viewer`."""
    return ", ".join(f"{one.scope} {one.role}" for one in grant.roles)


def lasting(grant: TemporaryGrant, now: datetime) -> str:
    """From when until when, and how long that is from now."""
    if grant.starts is not None and grant.starts > now:
        return f"begins in {remaining(grant.starts - now)}, until {minute(grant.expires)}"
    return f"until {minute(grant.expires)}, {remaining(grant.expires - now)} left"


def _grant(grant: TemporaryGrant, now: datetime) -> str:
    place = f"{grant.at.file}:{grant.at.line}"
    return f"{grant.user}: {given(grant)}, {lasting(grant, now)}, {grant.reason} ({place})"


def _run(run: PastRun) -> str:
    if run.ended is None:
        return f"{run.begun.changes} (did not end)"
    return f"{run.begun.changes} (refused)" if run.ended.refused is not None else str(run.begun.changes)


def _organization_data(found: Drifted) -> Document:
    case, prepared = found.overview.case, found.overview.prepared
    planned = plain.plan(prepared)
    return {
        **{
            name: planned[name] for name in ("organization", "server", "tree", "mode", "drift", "fingerprint")
        },
        "at": case.now.isoformat(),
        "last_right": _run_data(found.last) if found.last else None,
        "causes": {cause.value: number for cause, number in found.causes.items()},
        "people": [_person_data(person) for person in found.people],
        "missing_groups": [group.name for group in found.groups],
        **{name: planned[name] for name in ("findings", "problems", "violations")},
        "admins": [_admin_data(one) for one in found.admins],
        "grants": [_grant_data(one) for one in found.grants],
        "runs": [
            {
                **_run_data(run),
                "changes": run.begun.changes,
                "refused": run.ended.refused if run.ended else None,
                "ended": run.ended.at if run.ended else None,
            }
            for run in found.trend
        ],
    }


def _person_data(person: DriftedPerson) -> Document:
    principal = person.principal
    return {
        "id": None if principal.provisional else principal.id,
        "user": principal.user_name,
        "active": principal.active,
        "loses_everything": person.loses_everything,
        "scopes": [_scope_data(one) for one in person.scopes],
        "account": [
            {**change_data(one.change), "why": one.change.why, **_known(one)} for one in person.accounts
        ],
    }


def _scope_data(one: DriftedScope) -> Document:
    return {
        "scope": scope_data(one.scope),
        "live": words(one.change.before),
        "desired": words(one.change.after),
        "why": [plain.reason(reason) for reason in one.change.why],
        **_known(one),
        "last_written": {**_run_data(one.left), "after": words(one.left_as)} if one.left else None,
    }


def _known(one: DriftedScope | DriftedAccount) -> Document:
    return {
        "cause": one.cause.value,
        "since": _since_data(one.since) if one.since else None,
        "tried": _run_data(one.tried) if one.tried else None,
        "contested": one.contested,
        "withheld": one.withheld,
    }


def _since_data(since: Since) -> Document:
    told: Document = {"bound": since.bound.value, "at": since.moment.isoformat()}
    match since.evidence:
        case PastRun() as run:
            return {**told, "run": run.id, "line": None}
        case Provenance() as source:
            return {**told, "run": None, "line": {"file": source.at.file, "line": source.at.line}}
        case None:
            return {**told, "run": None, "line": None}
        case _ as never:
            assert_never(never)


def _run_data(run: PastRun) -> Document:
    return {"run": run.id, "at": run.begun.at, "who": run.begun.who, "commit": run.begun.commit}


def _admin_data(admin: Admin) -> Document:
    return {
        "user": admin.principal.user_name,
        "given": admin.given,
        "protected": admin.protected,
        "until": plain.iso(admin.until),
    }


def _grant_data(grant: TemporaryGrant) -> Document:
    return {
        "user": grant.user,
        "roles": [{"scope": scope_data(one.scope), "role": str(one.role)} for one in grant.roles],
        "reason": grant.reason,
        "starts": plain.iso(grant.starts),
        "expires": grant.expires.isoformat(),
        "file": grant.at.file,
        "line": grant.at.line,
    }
