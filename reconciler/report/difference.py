"""What an edit of policy means, as text and as plain data. Returns lines, prints nothing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

from reconciler.change import Change, SetRoles
from reconciler.comparison import Comparison, Source, Standing
from reconciler.edits import THERE, Edit, Value
from reconciler.errors import ReconcilerError
from reconciler.phrases import counted, counted_people
from reconciler.plan import Plan
from reconciler.planning import Prepared
from reconciler.problem import Problem
from reconciler.report import data, people, text
from reconciler.report.data import Document
from reconciler.report.plain import printable
from reconciler.report.problems import record

FORMAT = "reconciler.diff/1"

SHORT = 12
"""So many digits of a commit's hash are shown."""

SHOWN = 20
"""How many lines of one kind are shown before they are only counted."""


@dataclass(frozen=True, slots=True)
class Revisions:
    """What was compared: two revisions as the user called them, and their commits."""

    base: str
    merge_base: str
    """The commit where both part: what came to the base since is no part of the edit."""
    head: str = ""
    """Empty: the working tree, as it lies."""
    head_commit: str = ""

    @property
    def reached(self) -> bool:
        """Whether the base has all of the head, so that there is no edit left to tell of."""
        return self.merge_base == self.head_commit

    def __str__(self) -> str:
        new = self.head or "the working tree"
        return f"from {self.merge_base[:SHORT]}, where {new} and {self.base} part, to {new}"


@dataclass(frozen=True, slots=True)
class Told:
    """A comparison, and in words by what it is known who is in which group."""

    comparison: Comparison
    basis: str = ""


def whole(
    revisions: Revisions,
    told: Sequence[Told],
    failures: Sequence[tuple[str, ReconcilerError]],
    problems: Sequence[Problem],
) -> list[str]:
    """All organizations, those that could not be compared, and what is wrong with the new policy files."""
    lines = preface(revisions)
    for one in told:
        lines += ["", *difference(one)]
    for organization, error in failures:
        hint = [f"hint: {error.hint}"] if error.hint else []
        lines += ["", *map(printable, [f"{organization}: {error.message}", *hint])]
    return lines + [printable(line) for line in _problems("the policy is invalid:", problems)]


def preface(revisions: Revisions) -> list[str]:
    """What was compared."""
    reached = [f"{revisions.base} has all of {revisions.head} already, so there is no edit between them"]
    return [printable(line) for line in [str(revisions), *(reached if revisions.reached else [])]]


def difference(told: Told) -> list[str]:
    """One organization: what loosens first, then people, then what is wrong."""
    comparison = told.comparison
    lines = opening(told)
    if comparison.prepared is not None:
        plan = comparison.prepared.plan
        lines += text.persons(people.rows(plan.people, emptied(comparison)))
        lines += text.accounts(people.account_rows(plan.accounts))
        if plan.withheld:
            rows = people.rows(plan.withheld_people, emptied(comparison, unhindered=True))
            lines += ["", text.withheld(plan), *text.persons(rows)]
            lines += text.accounts(people.account_rows(plan.withheld_accounts))
    return [printable(line) for line in lines + closing(comparison)]


def opening(told: Told) -> list[str]:
    """What stands above the people: whose policy, what it says differently, how many people change."""
    comparison = told.comparison
    lines = [_heading(comparison)]
    lines += [told.basis] if told.basis and comparison.prepared is not None else []
    for title, edits in by_weight(comparison.edits):
        lines += ["", title, *(f"  {said(edit)}" for edit in edits)]
    if comparison.unmanaged and comparison.standing is Standing.BOTH:
        lines += ["", unmanaged(comparison)]
    lines += [""] if len(lines) > 2 else []
    return lines + verdict(comparison)


def closing(comparison: Comparison) -> list[str]:
    """What stands below the people: findings and problems that are new, guardrails."""
    lines: list[str] = []
    if comparison.prepared is not None:
        prepared = comparison.prepared
        lines += text.findings(prepared.plan.findings)
        lines += _problems("not resolved, so nobody loses what it could have given:", prepared.plan.problems)
        for violation in prepared.violations:
            lines += ["", *text.refusal(violation)]
    for violation in comparison.but_for:
        message = f"refused by guardrail {violation.guardrail} but for this edit: {violation.message}"
        lines += ["", message]
    return lines + _problems("in the policy of before:", comparison.problems)


def _problems(title: str, problems: Sequence[Problem]) -> list[str]:
    if not problems:
        return []
    more = [f"  and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    return ["", title, *(f"  {problem}" for problem in problems[:SHOWN]), *more]


def _heading(comparison: Comparison) -> str:
    """Which organization, how far a run of the new policy may go, if without names."""
    if (prepared := comparison.prepared) is None:
        return comparison.organization
    redacted = ", redacted" if prepared.plan.shows else ""
    return f"{comparison.organization}, mode {prepared.plan.mode}{redacted}"


def by_weight(edits: Sequence[Edit]) -> Iterable[tuple[str, Sequence[Edit]]]:
    """What loosens a check, and the rest, each with its title."""
    loosening = [edit for edit in edits if edit.loosens]
    others = [edit for edit in edits if not edit.loosens]
    return [(title, some) for title, some in (("loosens:", loosening), ("also changes:", others)) if some]


def said(edit: Edit) -> str:
    """An edit in one line: `guardrails.minimum_admins: 2 -> 1 (policies/acme/organization.yaml:21)`."""
    place = f" ({edit.at.file}:{edit.at.line})" if edit.at else ""
    return f"{edit.name}: {difference_of(edit)}{place}"


def difference_of(edit: Edit, shown: Callable[[str], str] = str) -> str:
    """What an edit does, without where; `shown` is how a value is written."""
    if edit.before == THERE or edit.after == THERE:
        return "new" if edit.before is None else "gone"
    if isinstance(edit.before, tuple) or isinstance(edit.after, tuple):
        if len(edit.removed) == len(edit.added) == 1:
            return f"{shown(edit.removed[0])} -> {shown(edit.added[0])}"
        parts = [("no longer ", edit.removed), ("now also " if edit.before else "now ", edit.added)]
        return (
            "; ".join(word + ", ".join(map(shown, names)) for word, names in parts if names)
            or "nothing named any more"
        )
    return f"{_value(edit.before, shown)} -> {_value(edit.after, shown)}"


def _value(value: Value, shown: Callable[[str], str]) -> str:
    match value:
        case None | "":
            return "none"
        case bool():
            return shown(str(value).lower())
        case _:
            return shown(str(value))


def verdict(comparison: Comparison) -> list[str]:
    """What the edit comes to, and what becomes of the organization admins."""
    prepared = comparison.prepared
    admins = [text.admins_told(prepared)] if prepared is not None and tells_admins(comparison) else []
    return summary(comparison) + admins


def summary(comparison: Comparison) -> list[str]:
    """What the edit comes to: of an organization, or of how many people and how."""
    prepared = comparison.prepared
    if comparison.standing is Standing.BOTH and prepared is None:
        return ["its policy is the same on both sides"]
    match comparison.standing:
        case Standing.GONE:
            return ["has no policy any more: roles and accounts stay as they are, and no run looks at them"]
        case Standing.UNTOLD:
            return [
                "its policy of before is invalid, so what the edit means can't be told; `reconciler plan` "
                "tells what the new one does"
            ]
        case Standing.NEW:
            lines = [
                "has had no policy so far: what people hold on the server is not told here, but by `plan`"
            ]
        case Standing.BOTH:
            lines = []
        case _ as never:
            assert_never(never)
    return lines + (_people(comparison, prepared) if prepared is not None else [])


def _people(comparison: Comparison, prepared: Prepared) -> list[str]:
    plan = prepared.plan
    if not plan.drifted:
        return [prepared.settled + (", as far as the policy could be resolved" if plan.problems else "")]
    if not plan.changes:
        return [f"people would have other roles, which mode {plan.mode} does not write"]
    lines = [f"{_counted(comparison, plan)}: {text.verbs(plan, emptied(comparison))}"] if plan.people else []
    lines += [text.counted_accounts(plan)] if plan.accounts else []
    return lines


def tells_admins(comparison: Comparison) -> bool:
    """Whether enough is known to tell how many organization admins there are."""
    prepared = comparison.prepared
    return prepared is not None and bool(prepared.plan.changes) and comparison.source is not Source.NOWHERE


def _counted(comparison: Comparison, plan: Plan) -> str:
    """`2 people and everybody in 1 group change`."""
    groups = sum(1 for change in plan.people if change.principal.id in comparison.groups)
    persons = len(plan.people) - groups
    if not groups:
        return text.people_change(persons)
    whole = f"everybody in {counted(groups, 'group')}"
    if not persons:
        return f"{whole} changes"
    return f"{counted_people(persons)} and {whole} change"


def emptied(comparison: Comparison, *, unhindered: bool = False) -> frozenset[str]:
    """Who loses everything, of those of whom all is known; or would, if the mode left nothing as it is."""
    prepared = comparison.prepared
    if prepared is None or comparison.source is Source.NOWHERE:
        return frozenset()
    return people.emptied(people.unhindered(prepared) if unhindered else prepared) - comparison.groups


def unmanaged(comparison: Comparison) -> str:
    """What becomes of roles for which the policy does not speak any more."""
    scopes = ", ".join(comparison.unmanaged)
    return f"no longer spoken for: {scopes}; roles there stay as they are, whoever holds them"


def document(
    policy: str,
    revisions: Revisions,
    told: Sequence[Told],
    failures: Sequence[tuple[str, ReconcilerError]],
    problems: Sequence[Problem],
) -> Document:
    """Format `reconciler.diff/1`; docs/diff.md tells what is in it. `policy` is the policy's path.

    `problems` are those of the new policy's files: then there are no comparisons.
    """
    return {
        "format": FORMAT,
        "policy": policy,
        "base": {"revision": revisions.base, "commit": revisions.merge_base},
        "head": {"revision": revisions.head or None, "commit": revisions.head_commit or None},
        "organizations": [_organization(one) for one in told],
        "failures": [data.failure(organization, error) for organization, error in failures],
        "problems": [record(problem) for problem in problems],
    }


def _organization(told: Told) -> Document:
    comparison = told.comparison
    return {
        "organization": comparison.organization,
        "standing": comparison.standing.value,
        "people_change": None if comparison.standing is Standing.UNTOLD else comparison.touches_people,
        "source": comparison.source.value,
        "saved": data.iso(comparison.saved),
        "basis": told.basis,
        "edits": [_edit(edit) for edit in comparison.edits],
        "unmanaged": list(comparison.unmanaged),
        "plan": _plan(comparison, comparison.prepared) if comparison.prepared else None,
        "but_for": [data.violation_record(one) for one in comparison.but_for],
        "new_problems": [record(problem) for problem in comparison.faults],
        "base_problems": [record(problem) for problem in comparison.problems],
    }


def _edit(edit: Edit) -> Document:
    return {
        "key": edit.name,
        "before": edit.before,
        "after": edit.after,
        "loosens": edit.loosens,
        "file": edit.at.file if edit.at else None,
        "line": edit.at.line if edit.at else None,
    }


def _plan(comparison: Comparison, prepared: Prepared) -> Document:
    """As plans are written, without what makes one fit to be carried out."""
    plan = prepared.plan
    return {
        "mode": plan.mode,
        "changes": [_change(comparison, change) for change in plan.changes],
        "withheld": [_change(comparison, change) for change in plan.withheld],
        "findings": [data.finding(one) for one in plan.findings],
        "problems": [record(one) for one in plan.problems],
        "violations": [data.violation_record(one) for one in prepared.violations],
    }


def _change(comparison: Comparison, change: Change) -> Document:
    told = data.change_record(change)
    if not isinstance(change, SetRoles):
        return told
    return {**told, "whole_group": change.principal.id in comparison.groups}
