"""Plans and outcomes as plain text, for logs and pipes. Returns lines, prints nothing."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC

from reconciler.change import CreateGroup, Outcome, Result, SetRoles
from reconciler.guardrails import Violation, admins
from reconciler.plan import Plan, after
from reconciler.planning import Prepared
from reconciler.policy.document import Mode
from reconciler.report import people
from reconciler.report.plain import printable
from reconciler.report.problems import counted

SHOWN = 10
"""How many names a line lists before it only counts."""

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
    lines += _people(people.rows(prepared.plan.people, people.emptied(prepared)))
    if prepared.plan.withheld:
        lines += ["", withheld(prepared.plan), *_people(people.rows(prepared.plan.withheld))]
    lines += trailer(prepared)
    return [printable(line) for line in lines]


def heading(prepared: Prepared) -> str:
    """Which organization, on which server, how far a run may go, and as of when if that is not now."""
    plan, as_of = prepared.plan, prepared.as_of
    when = f", as of {as_of.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if as_of else ""
    return f"{plan.organization} on {plan.server}, mode {plan.mode}{when}"


def verdict(prepared: Prepared) -> str:
    """How many people change and how, and in a second line what becomes of the organization admins."""
    plan = prepared.plan
    if not plan.drifted and plan.problems:
        return "no drift, as far as the policy could be resolved"
    if not plan.drifted:
        return f"no drift: {prepared.settled}"
    if not plan.changes:
        return f"drift, none of which mode {plan.mode} mends"
    return f"{counted_people(len(plan.people))}: {_verbs(prepared)}\n{_admins(prepared)}"


def _verbs(prepared: Prepared) -> str:
    """How many people gain, move, lose and so on."""
    counts = Counter(people.verb(change) for change in prepared.plan.people)
    told = {verb: f"{n} {_VERBS[verb][n != 1]}" for verb in _VERBS if (n := counts[verb])}
    if emptied := len(people.emptied(prepared)):
        all_of_them = emptied == counts["loses"]
        told["loses"] += " everything" if all_of_them else f" ({emptied} of them everything)"
    return ", ".join(told.values())


def _admins(prepared: Prepared) -> str:
    """How many organization admins there are before and after, who becomes one and who stops being one."""
    live = prepared.live
    before, left = admins(live, live.roles), admins(live, after(prepared.plan, live.roles))
    parts = [f"organization admins: {len(before)} before, {len(left)} after"]
    for word, ids in ("new", left - before), ("no longer", before - left):
        if ids:
            parts.append(f"{word}: {_shortened(sorted(live.people[id_].user_name for id_ in ids))}")
    return printable("; ".join(parts))


def trailer(prepared: Prepared) -> list[str]:
    """What stands below the people: problems, guardrails, fingerprint."""
    lines: list[str] = []
    if prepared.plan.problems:
        lines += ["", "not resolved, so nobody loses what it could have given:"]
        lines += [f"  {problem}" for problem in prepared.plan.problems]
    for violation in prepared.violations:
        lines += ["", *refusal(violation)]
    if prepared.plan.changes and prepared.as_of is None:
        lines += ["", f"fingerprint {prepared.plan.fingerprint}"]
    return lines


def withheld(plan: Plan) -> str:
    """Why drift is left as it is."""
    if plan.mode is Mode.REPORT:
        return "mode report never writes, so none of this happens:"
    return "mode additive takes nothing away, so none of this happens:"


def refusal(violation: Violation) -> list[str]:
    """A broken guardrail: what was measured, who is concerned, what to do."""
    lines = [f"refused by guardrail {violation.guardrail}: {violation.message}"]
    if violation.people:
        lines.append(f"  people: {_shortened(violation.people)}")
    return [*lines, f"  remedy: {violation.remedy}"]


def _shortened(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def outcomes(results: Sequence[Outcome]) -> list[str]:
    """What became of a plan: how many changes came about, and each that did not."""
    if not results:
        return ["nothing to write"]
    missed = [outcome for outcome in results if outcome.result is not Result.APPLIED]
    lines = [f"applied {len(results) - len(missed)} of {counted(len(results), 'change')}"]
    lines += [f"{o.result} {subject(o.change)}: {o.detail}" for o in missed]
    return [printable(line) for line in lines]


def subject(change: CreateGroup | SetRoles) -> str:
    """Whom or what a change is about."""
    match change:
        case CreateGroup():
            return f"group {change.name}"
        case SetRoles():
            return change.principal.user_name


def counted_people(number: int) -> str:
    """`1 person changes`, `2 people change`."""
    return "1 person changes" if number == 1 else f"{number} people change"


def created(plan: Plan) -> list[str]:
    """A line for each group that the plan creates."""
    return [f"creates the group {c.name}" for c in plan.changes if isinstance(c, CreateGroup)]


def _people(rows: Sequence[people.PersonRow]) -> list[str]:
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
