"""Plans and outcomes as plain text, for logs and pipes. Returns lines, prints nothing."""

from collections import Counter
from collections.abc import Sequence, Set
from typing import assert_never

from reconciler.change import (
    Change,
    CreateGroup,
    CreateUser,
    DeleteUser,
    Outcome,
    Result,
    SetActive,
    SetAttributes,
    SetRoles,
)
from reconciler.errors import ReconcilerError
from reconciler.finding import Finding, Kind
from reconciler.guardrails import Violation, admins, admins_after
from reconciler.phrases import counted, day, minute, shortened
from reconciler.plan import Plan
from reconciler.planning import Prepared
from reconciler.policy.document import Mode
from reconciler.problem import Problem
from reconciler.report import people
from reconciler.report.plain import printable

SHOWN = 10
"""How many names a line lists before it only counts."""

FINDINGS_SHOWN = 20
"""How many findings of one kind are shown before they are only counted."""

_VERBS = {
    "gains": ("gains", "gain"),
    "moves": ("moves", "move"),
    "loses": ("loses", "lose"),
    "keeps access": ("keeps access", "keep access"),
}
"""What happens to one person, and to several."""


def plan(prepared: Prepared) -> list[str]:
    """The verdict first, then people, then what was held back and what is wrong."""
    lines = [heading(prepared), *verdict(prepared).split("\n")]
    lines += created(prepared.plan)
    lines += persons(people.rows(prepared.plan.people, people.emptied(prepared)))
    lines += accounts(people.account_rows(prepared.plan.accounts))
    if prepared.plan.withheld:
        emptied = people.emptied(people.unhindered(prepared))
        lines += ["", withheld(prepared.plan), *persons(people.rows(prepared.plan.withheld_people, emptied))]
        lines += accounts(people.account_rows(prepared.plan.withheld_accounts))
    lines += trailer(prepared)
    return [printable(line) for line in lines]


def plans(
    prepared: Sequence[Prepared], failures: Sequence[tuple[str, ReconcilerError]], problems: Sequence[Problem]
) -> list[str]:
    """All organizations of a run, those that could not be planned, and what is wrong with policy files."""
    parts = [plan(one) for one in prepared]
    parts += [_failure(organization, error) for organization, error in failures]
    parts += [[str(problem) for problem in problems]] if problems else []
    lines = [line for part in parts for line in ("", *part)]
    return [printable(line) for line in lines[1:]]


def _failure(organization: str, error: ReconcilerError) -> list[str]:
    hint = [f"hint: {error.hint}"] if error.hint else []
    return [f"no plan for {organization}: {error.message}", *hint]


def heading(prepared: Prepared) -> str:
    """Which organization, on which server, how far a run may go, as of when if not now, if without names."""
    plan, as_of = prepared.plan, prepared.as_of
    when = f", as of {minute(as_of)}" if as_of else ""
    redacted = ", redacted" if plan.shows else ""
    return f"{plan.organization} on {plan.server}, mode {plan.mode}{when}{redacted}"


def verdict(prepared: Prepared) -> str:
    """How many people change and how, what becomes of accounts, and of the organization admins."""
    plan = prepared.plan
    if not plan.drifted and plan.problems:
        return "no drift, as far as the policy could be resolved"
    if not plan.drifted:
        return f"no drift: {prepared.settled}"
    if not plan.changes:
        return f"drift, none of which mode {plan.mode} mends"
    lines = (
        [f"{people_change(len(plan.people))}: {verbs(plan, people.emptied(prepared))}"] if plan.people else []
    )
    lines += [counted_accounts(plan)] if plan.accounts else []
    return "\n".join([*lines, admins_told(prepared)])


def verbs(plan: Plan, emptied: Set[str]) -> str:
    """How many people gain, move, lose and so on; `emptied` are the ids of those who lose everything."""
    counts = Counter(people.verb(change) for change in plan.people)
    told = {verb: f"{n} {_VERBS[verb][n != 1]}" for verb in _VERBS if (n := counts[verb])}
    if emptied:
        all_of_them = len(emptied) == counts["loses"]
        told["loses"] += " everything" if all_of_them else f" ({len(emptied)} of them everything)"
    return ", ".join(told.values())


def admins_told(prepared: Prepared) -> str:
    """How many organization admins there are before and after, who becomes one and who stops being one."""
    live = prepared.live
    before, left = admins(live), admins_after(prepared.plan, live)
    parts = [f"organization admins: {len(before)} before, {len(left)} after"]
    for word, ids in ("new", left - before), ("no longer", before - left):
        if ids:
            parts.append(f"{word}: {shortened(sorted(live.people[id_].user_name for id_ in ids), SHOWN)}")
    return printable("; ".join(parts))


def counted_accounts(plan: Plan) -> str:
    """`1 account is created, 2 are deactivated`."""
    counts = Counter(people.participle(change) for change in plan.accounts)
    parts = [f"{number} {'is' if number == 1 else 'are'} {done}" for done, number in counts.items()]
    number, rest = parts[0].split(" ", 1)
    return ", ".join([f"{number} {'account' if number == '1' else 'accounts'} {rest}", *parts[1:]])


def trailer(prepared: Prepared) -> list[str]:
    """What stands below the people: findings, problems, guardrails, fingerprint."""
    lines = findings(prepared.plan.findings)
    if prepared.plan.problems:
        lines += ["", "not resolved, so nobody loses what it could have given:"]
        lines += [f"  {problem}" for problem in prepared.plan.problems]
    for violation in prepared.violations:
        lines += ["", *refusal(violation)]
    if prepared.plan.changes and prepared.as_of is None:
        lines += ["", f"fingerprint {prepared.plan.fingerprint}"]
    return lines


def findings(found: Sequence[Finding]) -> list[str]:
    """What a person should look at, by kind, each in one line; of many of a kind the first ones."""
    lines = ["", "to look at:"] if found else []
    for kind in Kind:
        of_kind = [one for one in found if one.kind is kind]
        lines += [f"  {kind}:"] if of_kind else []
        lines += [f"    {_finding(one)}" for one in of_kind[:FINDINGS_SHOWN]]
        if len(of_kind) > FINDINGS_SHOWN:
            lines.append(f"    and {len(of_kind) - FINDINGS_SHOWN} more")
    return lines


def _finding(finding: Finding) -> str:
    return f"{finding.subject} {told(finding)}"


def told(finding: Finding) -> str:
    """A finding without whom it is about."""
    since = f", since {day(finding.since)}" if finding.since else ""
    at = f" ({finding.at.file}:{finding.at.line})" if finding.at else ""
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f"{finding.message}{since}{at}{remedy}"


def withheld(plan: Plan) -> str:
    """Why drift is left as it is."""
    if plan.mode is Mode.REPORT:
        return "mode report never writes, so none of this happens:"
    return "mode additive takes nothing away, so none of this happens:"


def refusal(violation: Violation) -> list[str]:
    """A broken guardrail: what was measured, who is concerned, what to do."""
    lines = [f"refused by guardrail {violation.guardrail}: {violation.message}"]
    if violation.people:
        lines.append(f"  people: {shortened(violation.people, SHOWN)}")
    return [*lines, f"  remedy: {violation.remedy}"]


def outcomes(results: Sequence[Outcome]) -> list[str]:
    """What became of a plan: how many changes came about, and each that did not."""
    if not results:
        return ["nothing to write"]
    missed = [outcome for outcome in results if outcome.result is not Result.APPLIED]
    lines = [f"applied {len(results) - len(missed)} of {counted(len(results), 'change')}"]
    lines += [f"{o.result} {subject(o.change)}: {o.detail}" for o in missed]
    return [printable(line) for line in lines]


def subject(change: Change) -> str:
    """Whom or what a change is about."""
    match change:
        case CreateGroup():
            return f"group {change.name}"
        case SetRoles():
            return change.principal.user_name
        case CreateUser() | SetAttributes() | SetActive() | DeleteUser():
            return f"account {change.principal.user_name}"
        case _ as never:
            assert_never(never)


def people_change(number: int) -> str:
    """`1 person changes`, `2 people change`."""
    return "1 person changes" if number == 1 else f"{number} people change"


def created(plan: Plan) -> list[str]:
    """A line for each group that the plan creates."""
    return [f"creates the group {c.name}" for c in plan.changes if isinstance(c, CreateGroup)]


def accounts(rows: Sequence[people.AccountRow]) -> list[str]:
    """A line for each account that something happens to, set off from what stands above."""
    wide = max((len(f"{row.user} {row.verb}") for row in rows), default=0)
    lines = [f"{f'{row.user} {row.verb}':<{wide}}   {row.why}".rstrip() for row in rows]
    return ["", *lines] if lines else []


def persons(rows: Sequence[people.PersonRow]) -> list[str]:
    """Each person with a line for each scope, set off from what stands above."""
    scopes = [scope for row in rows for scope in row.scopes]
    wide = max((len(scope.scope) for scope in scopes), default=0)
    before = max((len(scope.before) for scope in scopes), default=0)
    after_ = max((len(scope.after) for scope in scopes), default=0)
    lines: list[str] = []
    for row in rows:
        lines += ["", f"{row.user} {row.verb}"]
        lines += [
            f"  {s.scope:<{wide}}  {s.before:>{before}} -> {s.after:<{after_}}  {s.why}".rstrip()
            for s in row.scopes
        ]
    return lines
