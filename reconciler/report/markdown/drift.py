"""Drift as Markdown, for a comment or a summary of a scheduled job. Returns a string, posts nothing."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from reconciler.drifted import Admin, Cause, Drifted, DriftedAccount, DriftedPerson, DriftedScope
from reconciler.errors import ReconcilerError
from reconciler.phrases import counted, counted_people
from reconciler.policy.document import TemporaryGrant
from reconciler.problem import Problem
from reconciler.report import drift as report
from reconciler.report import people, text
from reconciler.report.markdown import parts
from reconciler.report.markdown.dialect import Dialect, Link
from reconciler.report.markdown.markup import place, prose, reason, row, span
from reconciler.report.markdown.parts import first, head, refusal
from reconciler.report.markdown.room import Block, Part


def document(
    found: Sequence[Drifted],
    failures: Sequence[tuple[str, ReconcilerError]],
    problems: Sequence[Problem],
    dialect: Dialect,
) -> str:
    """The verdict first, then one organization after the other; never longer than the dialect allows."""
    blocks: list[Block] = []
    if not _is_alone(found, failures):
        blocks.append(f"**{prose(report.verdict(found, failures))}**")
    blocks += [_unread(organization, error) for organization, error in failures]
    if problems:
        title = f"## The policy has {counted(len(problems), 'problem')}"
        blocks += [title, parts.problems(problems, dialect.link)]
    ordered = sorted(found, key=lambda one: -len(one.people))
    for one in ordered:
        blocks += _organization(one, dialect.link)
    return parts.fitted(blocks, [_brief(one) for one in ordered], dialect)


def _is_alone(found: Sequence[Drifted], failures: Sequence[tuple[str, ReconcilerError]]) -> bool:
    """Whether the verdict over everything would only say once more what that of one organization says."""
    return (
        not failures
        and len(found) == 1
        and bool(found[0].people)
        and not found[0].overview.prepared.plan.problems
    )


def _organization(found: Drifted, link: Link) -> list[Block]:
    plan, now = found.overview.prepared.plan, found.overview.case.now
    held = "### Not resolved, so nobody loses what it could have given"
    below = [
        _people(found.people, plan.mode, link),
        parts.groups(found.groups, "### Groups that are missing"),
        parts.findings(plan.findings, link),
        parts.problems(plan.problems, link, held),
        _grants([(grant, report.lasting(grant, now)) for grant in found.grants], link),
    ]
    return [_verdict(found), *(part for part in below if part.rows)]


def _verdict(found: Drifted) -> str:
    prepared, now = found.overview.prepared, found.overview.case.now
    name = span(prepared.plan.organization)
    if found.found:
        causes = ", ".join(f"{number} × {report.cause(cause)}" for cause, number in found.causes.items())
        lines = [f"## Drift in {name}", "", f"**{counted_people(len(found.people))}**: {causes}", ""]
    else:
        lines = [f"## {name}", "", f"**{prose(text.verdict(prepared))}**", ""]
    for violation in prepared.violations:
        refused, *rest = refusal(violation)
        lines += [f"- a run would be {refused.removeprefix('- ')}", *rest]
    admins = [_admin(one, now) for one in found.admins]
    lines += [f"- last run that left everything right: {prose(report.last(found))}"]
    lines += [f"- changes of past runs: {report.trend(found.trend)}"] if found.trend else []
    lines += [f"- {counted(len(admins), 'organization admin')}: {first(admins) or 'nobody'}"]
    lines += parts.pseudonyms(prepared)
    return "\n".join([*lines, f"- on {span(prepared.plan.server)}, mode {prepared.plan.mode}"])


def _admin(admin: Admin, now: datetime) -> str:
    note = report.admin_note(admin, now)
    return span(admin.principal.user_name) + (f" ({note})" if note else "")


def _people(found: Iterable[DriftedPerson], mode: str, link: Link) -> Part:
    """The most urgent first."""
    ranked = report.ranked(found)
    rows = tuple(_person(one, mode, link) for one in ranked)
    causes = [report.first(one) for one in ranked]
    titles = head("Who", "Where", "Has", "Should have", "Why", "How and since when")
    return Part("### People", rows, lambda index: _told(causes[index:]), titles)


def _person(person: DriftedPerson, mode: str, link: Link) -> str:
    rows: list[list[str]] = []
    if person.change is not None:
        [told] = people.rows([person.change])
        for scope, one in zip(told.scopes, person.scopes, strict=True):
            where = span(one.scope.project) if one.scope.project else "organization"
            rows.append([where, scope.before, scope.after, reason(scope.told, link), _notes(one, mode)])
    for account in person.accounts:
        [about] = people.account_rows([account.change])
        done = about.due.removeprefix("is ")
        rows.append(["account", "", done, prose(about.why), _notes(account, mode)])
    whose = [span(person.principal.user_name), *[""] * (len(rows) - 1)]
    return "\n".join(row([who, *cells]) for who, cells in zip(whose, rows, strict=True))


def _notes(one: DriftedScope | DriftedAccount, mode: str) -> str:
    return "; ".join(map(prose, report.notes(one, mode)))


def _grants(grants: Sequence[tuple[TemporaryGrant, str]], link: Link) -> Part:
    rows = tuple(
        row([span(one.user), prose(report.given(one)), when, prose(one.reason), place(one.at, link)])
        for one, when in grants
    )
    titles = head("Who", "What", "When", "Why", "Line")
    return Part(
        "### Temporary grants", rows, lambda index: counted(len(rows) - index, "grant"), titles, open=10
    )


def _unread(organization: str, error: ReconcilerError) -> str:
    lines = [f"## {span(organization)} could not be looked at", "", f"- **{prose(error.message)}**"]
    return "\n".join([*lines, *([f"- what to do: {prose(error.hint)}"] if error.hint else [])])


def _brief(found: Drifted) -> str:
    return f"- {span(found.overview.prepared.plan.organization)}: {counted_people(len(found.people))}"


def _told(causes: Sequence[Cause]) -> str:
    """What people who are not seen at once have in common."""
    told = ", ".join(f"{number} × {report.cause(cause)}" for cause, number in Counter(causes).items())
    return f"{counted_people(len(causes))}: {told}"
