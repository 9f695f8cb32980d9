"""What an edit of policy means, as Markdown for who reviews it. Returns a string, posts nothing."""

from collections.abc import Sequence

from reconciler.comparison import Comparison
from reconciler.edits import Edit
from reconciler.errors import ReconcilerError
from reconciler.phrases import counted
from reconciler.planning import Prepared
from reconciler.problem import Problem
from reconciler.report import difference, people
from reconciler.report.difference import Revisions, Told
from reconciler.report.markdown import parts
from reconciler.report.markdown.dialect import Dialect, Link
from reconciler.report.markdown.markup import place, prose, span
from reconciler.report.markdown.parts import ACCOUNTS, PEOPLE, WITHHELD
from reconciler.report.markdown.room import Block, Part


def document(
    revisions: Revisions,
    told: Sequence[Told],
    failures: Sequence[tuple[str, ReconcilerError]],
    problems: Sequence[Problem],
    dialect: Dialect,
) -> str:
    """All organizations, those that could not be compared, and what is wrong with the new policy files.

    Never longer than the dialect allows; what is left out is counted.
    """
    blocks: list[Block] = [prose("; ".join(difference.preface(revisions)))]
    for organization, error in failures:
        blocks.append(_failed(organization, error))
    if problems:
        blocks.append(f"## The policy has {counted(len(problems), 'problem')}")
        blocks.append(parts.problems(problems, dialect.link))
    for one in told:
        blocks += _organization(one, dialect)
    return parts.fitted(blocks, [_brief(one.comparison) for one in told], dialect)


def _failed(organization: str, error: ReconcilerError) -> str:
    hint = [f"- what to do: {prose(error.hint)}"] if error.hint else []
    lines = [
        f"## What the edit means for {span(organization)} can't be told",
        "",
        f"- **{prose(error.message)}**",
    ]
    return "\n".join([*lines, *hint])


def _organization(told: Told, dialect: Dialect) -> list[Block]:
    """What must be said whole, then the parts."""
    comparison, link = told.comparison, dialect.link
    below = [_edit_part(title, edits, link) for title, edits in difference.by_weight(comparison.edits)]
    if comparison.prepared is not None:
        below += _people(comparison, comparison.prepared, link)
    if comparison.problems:
        below.append(parts.problems(comparison.problems, Dialect().link, "### In the policy of before"))
    return [_verdict(told), *(part for part in below if part.rows)]


def _people(comparison: Comparison, prepared: Prepared, link: Link) -> list[Part]:
    planned = prepared.plan
    unresolved = "### Not resolved, so nobody loses what it could have given"
    return [
        parts.people(
            "### People", planned.people, link, difference.emptied(comparison), *parts.seats(prepared)
        ),
        parts.accounts("### Accounts", people.account_rows(planned.accounts)),
        parts.people(
            "### What the mode does not write",
            planned.withheld_people,
            link,
            difference.emptied(comparison, unhindered=True),
            rank=WITHHELD,
        ),
        parts.accounts(
            "### Accounts that stay as they are",
            people.account_rows(planned.withheld_accounts),
            rank=WITHHELD,
        ),
        parts.findings(planned.findings, link),
        parts.problems(planned.problems, link, unresolved),
    ]


def _verdict(told: Told) -> str:
    """What a reviewer must see whatever else is cut: how many people, what loosens, what would refuse it."""
    comparison, prepared = told.comparison, told.comparison.prepared
    lines = [f"## What the edit means for {span(comparison.organization)}", "", f"**{_sum(comparison)}**", ""]
    loosening = [edit for edit in comparison.edits if edit.loosens]
    if loosening:
        names = parts.names([edit.name for edit in loosening])
        lines.append(f"- **loosens {counted(len(loosening), 'check')}**: {names}")
    if comparison.unmanaged:
        lines.append(f"- {prose(difference.unmanaged(comparison))}")
    if prepared is not None:
        if difference.tells_admins(comparison):
            lines.append(f"- {parts.admin_line(prepared)}")
        for violation in prepared.violations:
            lines += parts.refusal(violation)
        for violation in comparison.but_for:
            lines.append(
                f"- **refused but for this edit** by {span(violation.guardrail)}: {prose(violation.message)}"
            )
        lines += parts.pseudonyms(prepared)
        lines.append(f"- {prose(told.basis)}")
        lines.append(f"- mode {prepared.plan.mode}")
    return "\n".join(lines)


def _sum(comparison: Comparison) -> str:
    return prose("; ".join(difference.summary(comparison)))


def _brief(comparison: Comparison) -> str:
    """One organization in one line, for where there are too many."""
    loosening = sum(1 for edit in comparison.edits if edit.loosens)
    more = f"; **loosens {counted(loosening, 'check')}**" if loosening else ""
    return f"- {span(comparison.organization)}: {_sum(comparison)}{more}"


def _edit_part(title: str, edits: Sequence[Edit], link: Link) -> Part:
    loosens = edits[0].loosens
    rows = tuple(f"- {_edit(edit, link)}" for edit in edits)
    return Part(
        f"### {title.removesuffix(':').capitalize()}",
        rows,
        lambda index: counted(len(rows) - index, "edit"),
        open=25 if loosens else 10,
        rank=PEOPLE if loosens else ACCOUNTS,
    )


def _edit(edit: Edit, link: Link) -> str:
    at = f" ({place(edit.at, link)})" if edit.at else ""
    return f"{span(edit.name)}: {difference.difference_of(edit, span)}{at}"
