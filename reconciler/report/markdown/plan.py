"""Plans as Markdown for who reviews them: the verdict first, then people. Returns a string, posts nothing."""

from collections.abc import Sequence

from reconciler.change import CreateGroup
from reconciler.errors import ReconcilerError
from reconciler.phrases import counted, minute
from reconciler.plan import Plan
from reconciler.planning import Prepared
from reconciler.problem import Problem
from reconciler.report import people, text
from reconciler.report.markdown import parts
from reconciler.report.markdown.dialect import Dialect
from reconciler.report.markdown.markup import prose, span
from reconciler.report.markdown.room import Block


def plans(
    prepared: Sequence[Prepared],
    failures: Sequence[tuple[str, ReconcilerError]],
    problems: Sequence[Problem],
    dialect: Dialect,
) -> str:
    """All organizations of a run, those that could not be planned, and what is wrong with policy files.

    Never longer than the dialect allows; what is left out is counted.
    """
    planned = {one.plan.organization for one in prepared}
    failures = [failure for failure in failures if failure[0] not in planned]  # a plan tells what refuses it
    above = _overall(prepared, failures)
    blocks: list[Block] = [*above, *(failed(organization, error) for organization, error in failures)]
    if problems:
        title = f"## The policy has {counted(len(problems), 'problem')}"
        blocks.append(parts.problems(problems, dialect.link, title))
    for one in prepared:
        blocks += plan(one, dialect)
    lines = [brief(one) for one in sorted(prepared, key=_gravity)]
    lines += [f"- {span(organization)}: no plan" for organization, _ in failures]
    return parts.fitted(blocks or ["Nothing was planned."], lines, dialect, above)


def plan(prepared: Prepared, dialect: Dialect) -> list[Block]:
    """One organization: what must be said whole, then its parts."""
    planned, link = prepared.plan, dialect.link
    below = [
        parts.groups(planned.changes),
        parts.people("### People", planned.people, link, people.emptied(prepared), *parts.seats(prepared)),
        parts.accounts("### Accounts", people.account_rows(planned.accounts)),
        parts.people(
            "### Roles that stay as they are",
            planned.withheld_people,
            link,
            people.emptied(people.unhindered(prepared)),
            rank=parts.WITHHELD,
        ),
        parts.accounts(
            "### Accounts that stay as they are",
            people.account_rows(planned.withheld_accounts),
            rank=parts.WITHHELD,
        ),
        parts.findings(planned.findings, link),
        parts.problems(planned.problems, link, "### Not resolved, so nobody loses what it could have given"),
    ]
    return [verdict(prepared), *(part for part in below if part.rows)]


def verdict(prepared: Prepared) -> str:
    """How many people change and how, what refuses that, what approves it, and the fingerprint."""
    planned, as_of = prepared.plan, prepared.as_of
    lines = [f"## Plan for {span(planned.organization)}", "", *_changes(prepared), ""]
    for violation in prepared.violations:
        lines += parts.refusal(violation)
    lines += [f"- **{_not_resolved(planned)}**"] if planned.problems else []
    lines += [f"- {prose(text.withheld(planned).removesuffix(':'))}"] if planned.withheld else []
    lines += [f"- {parts.admin_line(prepared)}"] if planned.changes else []
    if as_of:
        lines.append(f"- as of {minute(as_of)}: to be looked at, not carried out")
    elif planned.changes:
        lines += [f"- {_approval(prepared)}", f"- fingerprint {span(planned.fingerprint)}"]
    lines += parts.pseudonyms(prepared)
    return "\n".join([*lines, f"- on {span(planned.server)}, mode {planned.mode}"])


def brief(prepared: Prepared) -> str:
    """One organization in one line, for where there are too many."""
    planned = prepared.plan
    refused = ", ".join(span(one.guardrail) for one in prepared.violations)
    pieces = [
        _counted(prepared),
        *([f"**refused** by {refused}"] if refused else []),
        *([_not_resolved(planned)] if planned.problems else []),
        *([f"fingerprint {span(planned.fingerprint)}"] if planned.changes and not prepared.as_of else []),
    ]
    return f"- {span(planned.organization)}: {'; '.join(pieces)}"


def failed(organization: str, error: ReconcilerError) -> str:
    """Why there is no plan for an organization."""
    lines = [f"## No plan for {span(organization)}", "", f"- {prose(error.message)}"]
    return "\n".join([*lines, *([f"- what to do: {prose(error.hint)}"] if error.hint else [])])


def _counted(prepared: Prepared) -> str:
    planned = prepared.plan
    if planned.people:
        return text.people_change(len(planned.people))
    return counted(len(planned.changes), "change") if planned.changes else prose(text.verdict(prepared))


def _gravity(prepared: Prepared) -> tuple[bool, int]:
    """Sort key: what a guardrail refuses first, then what changes most people."""
    return not prepared.violations, -len(prepared.plan.people)


def _overall(prepared: Sequence[Prepared], failures: Sequence[tuple[str, ReconcilerError]]) -> list[str]:
    """A line above several organizations."""
    if len(prepared) + len(failures) < 2:
        return []
    pieces = [
        (sum(1 for one in prepared if one.plan.changes), "to change"),
        (sum(1 for one in prepared if one.violations), "refused by guardrails"),
        (len(failures), "without a plan"),
    ]
    said = ", ".join(f"{number} {what}" for number, what in pieces if number)
    return [f"**{len(prepared) + len(failures)} organizations**: {said or 'no drift'}"]


def _changes(prepared: Prepared) -> list[str]:
    """How many people change and how, and what becomes of accounts and groups."""
    planned = prepared.plan
    if not planned.changes:
        return [f"**{prose(text.verdict(prepared))}**"]
    lines = []
    if planned.people:
        said = text.verbs(planned, people.emptied(prepared))
        lines.append(f"**{text.people_change(len(planned.people))}**: {said}")
    if planned.accounts:
        lines.append(f"**{text.counted_accounts(planned)}**")
    if created := sum(1 for change in planned.changes if isinstance(change, CreateGroup)):
        lines.append(f"**{counted(created, 'group')}** created")
    return "\n\n".join(lines).split("\n")


def _approval(prepared: Prepared) -> str:
    """What lets the plan run."""
    fingerprint = prepared.plan.fingerprint
    barred = [one.guardrail for one in prepared.violations if not one.approvable]
    if barred:
        return f"no approval covers {', '.join(map(span, dict.fromkeys(barred)))}"
    if prepared.violations:
        return f"{span(f'reconciler apply --approve {fingerprint}')} runs this plan in spite of that"
    return (
        f"no guardrail refuses it; {span(f'reconciler apply --expect {fingerprint}')} runs this plan or none"
    )


def _not_resolved(planned: Plan) -> str:
    return f"{counted(len(planned.problems), 'problem')}: not all of the policy could be resolved"
