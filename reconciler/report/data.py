"""Plans and outcomes as plain data, ready to be written as one JSON document."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, assert_never

from reconciler import guardrails
from reconciler.change import (
    AccountChange,
    Change,
    CreateGroup,
    CreateUser,
    DeleteUser,
    Outcome,
    ScopeChange,
    SetActive,
    SetAttributes,
    SetRoles,
    data,
    scope_change_data,
    words,
)
from reconciler.errors import ReconcilerError
from reconciler.finding import Finding
from reconciler.guardrails import Violation
from reconciler.model import Provenance, fold
from reconciler.plan import FORMAT
from reconciler.planning import Prepared
from reconciler.report import people
from reconciler.report.problems import record

if TYPE_CHECKING:
    from reconciler.explanation import Written

Document = dict[str, object]


def plans(
    policy: str, prepared: Sequence[Prepared], failures: Sequence[tuple[str, ReconcilerError]]
) -> Document:
    """Format `reconciler.plan/1`: one entry for each organization that could be read, and what failed.

    `policy` is the policy's folder. The schema is `schemas/plan.schema.json`.
    """
    return {
        "format": FORMAT,
        "policy": policy,
        "plans": [plan(one) for one in prepared],
        "failures": [failure(organization, error) for organization, error in failures],
    }


def plan(prepared: Prepared) -> Document:
    """One organization's plan; `withheld` is what its mode leaves as it is."""
    planned = prepared.plan
    return {
        "organization": planned.organization,
        "server": planned.server,
        "tree": planned.tree,
        "mode": planned.mode,
        **({"at": prepared.as_of.isoformat()} if prepared.as_of else {}),
        "drift": planned.drifted,
        "fingerprint": planned.fingerprint,
        "summary": _summary(prepared),
        "changes": [change_record(change) for change in planned.changes],
        "withheld": [change_record(change) for change in planned.withheld],
        "findings": [finding(one) for one in planned.findings],
        "problems": [record(one) for one in planned.problems],
        "violations": [violation_record(one) for one in prepared.violations],
    }


def _summary(prepared: Prepared) -> Document:
    """The verdict in figures, and the admins by name: a check of the plan need work nothing out."""
    planned, live = prepared.plan, prepared.live
    verbs = Counter(map(people.verb, planned.people))
    accounts = Counter(map(_done, planned.accounts))
    before, left = guardrails.admins(live), guardrails.admins_after(planned, live)
    admins = {"before": before, "after": left, "new": left - before, "gone": before - left}
    return {
        "people": len(planned.people),
        "gain": verbs["gains"],
        "move": verbs["moves"],
        "lose": verbs["loses"],
        "lose_everything": len(people.emptied(prepared)),
        "keep_access": verbs["keeps access"],
        "accounts": {
            done: accounts[done] for done in ("created", "corrected", "reactivated", "deactivated", "deleted")
        },
        "admins": {
            when: sorted((live.people[id_].user_name for id_ in ids), key=fold)
            for when, ids in admins.items()
        },
    }


def _done(change: AccountChange) -> str:
    """What is done to an account, in a word; a new userName is a correction like another."""
    done = people.participle(change)
    return "corrected" if done == "renamed" else done


def applied(
    results: Sequence[tuple[Prepared, Sequence[Outcome], str]],
    failures: Sequence[tuple[str, ReconcilerError]],
) -> Document:
    """Format `reconciler.apply/1`: each organization's plan with what became of each of its changes.

    A result has the run's name in the ledger, too.
    """
    return {
        "format": "reconciler.apply/1",
        "runs": [
            {"run": run, **plan(one), "outcomes": [_outcome(o) for o in outcomes]}
            for one, outcomes, run in results
        ],
        "failures": [failure(organization, error) for organization, error in failures],
    }


def failure(organization: str, error: ReconcilerError) -> Document:
    """Why an organization is not as its policy says: unread, refused, or applied in part."""
    return {
        "organization": organization,
        "message": error.message,
        "hint": error.hint,
        "exit_code": int(error.exit_code),
    }


def change_record(change: Change) -> Document:
    """A change with its reasons as plain data."""
    match change:
        case CreateGroup():
            return data(change)
        case SetRoles():
            return {**data(change), "scopes": [_scope(scope) for scope in change.scopes]}
        case CreateUser() | SetAttributes() | SetActive() | DeleteUser():
            return {**data(change), "why": change.why}
        case _ as never:
            assert_never(never)


def _scope(change: ScopeChange) -> Document:
    return {**scope_change_data(change), "why": [reason(one) for one in change.why]}


def reason(reason: Provenance) -> Document:
    """An entry of the policy that gives, gave or withholds a role, as plain data."""
    return {
        "entry": reason.entry,
        "name": reason.name,
        "role": str(reason.role),
        "file": reason.at.file,
        "line": reason.at.line,
        "path": reason.at.path,
        "reason": reason.reason or None,
        "until": iso(reason.until),
        "ended": reason.ended,
        **({"class": reason.person_class} if reason.person_class else {}),
        **({"asked": str(reason.asked)} if reason.asked else {}),
        **({"withheld": True} if reason.withheld else {}),
        **({"former": True} if reason.former else {}),
    }


def finding(finding: Finding) -> Document:
    """A finding as plain data."""
    at = finding.at
    return {
        "kind": finding.kind.value,
        "subject": finding.subject,
        "message": finding.message,
        "remedy": finding.remedy,
        "file": at.file if at else None,
        "line": at.line if at else None,
        "path": at.path if at else None,
        "since": iso(finding.since),
    }


def violation_record(violation: Violation) -> Document:
    """A broken guardrail as plain data."""
    return {
        "guardrail": violation.guardrail,
        "measured": violation.measured,
        "limit": violation.limit,
        "message": violation.message,
        "remedy": violation.remedy,
        "people": list(violation.people),
        "approvable": violation.approvable,
    }


def _outcome(outcome: Outcome) -> Document:
    return {"change": data(outcome.change), "result": outcome.result, "detail": outcome.detail}


def written_record(written: "Written") -> Document:
    """What a run wrote in a scope, and whether it still stands, as plain data."""
    begun = written.run.begun
    return {
        "run": written.run.id,
        "at": begun.at,
        "who": begun.who,
        "commit": begun.commit,
        "after": words(written.after),
        "stands": written.stands,
    }


def iso(moment: datetime | None) -> str | None:
    """A moment as JSON has it."""
    return moment.isoformat() if moment else None
