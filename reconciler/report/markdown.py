"""Plans as Markdown for who reviews them: the verdict first, then people. Returns a string, posts nothing."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence, Set
from dataclasses import dataclass

from reconciler.change import Change, CreateGroup, SetRoles
from reconciler.errors import ReconcilerError
from reconciler.finding import Finding, Kind
from reconciler.guardrails import Violation, admins, admins_after
from reconciler.plan import Plan
from reconciler.planning import Prepared
from reconciler.problem import Location, Problem
from reconciler.report import people, room, text
from reconciler.report.markup import Link, place, prose, reason, row, span
from reconciler.report.problems import counted
from reconciler.report.room import Block, Part


def _nowhere(_: Location) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How Markdown is to be written so that one host shows it as it is meant."""

    limit: int = 65_536
    """The most characters of a comment; kept in bytes of UTF-8, so that it holds however a host counts."""
    folds: bool = True
    """Whether `<details>` folds."""
    link: Link = _nowhere
    """The URL of a line of policy as of the commit that is looked at; empty where there is none."""


_RANK = {"loses everything": 0, "loses": 1, "moves": 3, "gains": 4, "keeps access": 5}
"""How soon a reviewer must see somebody; who becomes admin stands before those who move."""

_BECOMES_ADMIN = 2

PEOPLE, ACCOUNTS, WITHHELD, FINDINGS = range(4)
"""Which parts are given room first."""


def plans(
    prepared: Sequence[Prepared],
    failures: Sequence[tuple[str, ReconcilerError]],
    problems: Sequence[Problem],
    dialect: Dialect,
) -> str:
    """All organizations of a run, those that could not be planned, and what is wrong with policy files.

    Never longer than the dialect allows; what is left out is counted.
    """
    blocks: list[Block] = [*_overall(prepared, failures)]
    blocks += [failed(organization, error) for organization, error in failures]
    if problems:
        blocks += [
            f"## The policy has {counted(len(problems), 'problem')}",
            problem_part(problems, dialect.link),
        ]
    for one in prepared:
        blocks += plan(one, dialect)
    if not blocks:
        blocks = ["Nothing was planned."]
    return fitted(blocks, [brief(one) for one in by_gravity(prepared)], dialect)


def fitted(blocks: Sequence[Block], briefly: Sequence[str], dialect: Dialect) -> str:
    """The blocks within the limit of a dialect; where even that is too much, what they say in brief."""
    whole = room.fitted(blocks, dialect.limit, folds=dialect.folds)
    if whole is not None:
        return whole
    rows = Part("Too much for one comment.", tuple(briefly), lambda index: f"{len(briefly) - index} more")
    least = room.fitted([rows], dialect.limit, folds=False)
    return least if least is not None else room.cut(rows.title, dialect.limit)


def plan(prepared: Prepared, dialect: Dialect) -> list[Block]:
    """One organization: what must be said whole, then its parts."""
    planned, link = prepared.plan, dialect.link
    parts = [
        groups_part(planned.changes),
        people_part("### People", planned.people, link, people.emptied(prepared), *seats(prepared)),
        accounts_part("### Accounts", people.account_rows(planned.accounts)),
        people_part("### Roles that stay as they are", planned.withheld_people, link, rank=WITHHELD),
        accounts_part(
            "### Accounts that stay as they are",
            people.account_rows(planned.withheld_accounts),
            rank=WITHHELD,
        ),
        findings_part(planned.findings, link),
        problem_part(planned.problems, link, "### Not resolved, so nobody loses what it could have given"),
    ]
    return [verdict(prepared), *(part for part in parts if part.rows)]


def verdict(prepared: Prepared) -> str:
    """How many people change and how, what refuses that, what approves it, and the fingerprint."""
    planned, as_of = prepared.plan, prepared.as_of
    lines = [f"## Plan for {span(planned.organization)}", "", *_changes(prepared)]
    lines += [f"- {prose(text.withheld(planned).removesuffix(':'))}"] if planned.withheld else []
    lines += [f"- **{_not_resolved(planned)}**"] if planned.problems else []
    for violation in prepared.violations:
        lines += refusal(violation)
    if as_of:
        lines.append(
            f"- {prose(text.heading(prepared).rpartition(', ')[2])}: to be looked at, not carried out"
        )
    elif planned.changes:
        lines += [f"- {_approval(prepared)}", f"- fingerprint {span(planned.fingerprint)}"]
    return "\n".join([*lines, f"- on {span(planned.server)}, mode {planned.mode}"])


def brief(prepared: Prepared) -> str:
    """One organization in one line, for where there are too many."""
    planned = prepared.plan
    refused = ", ".join(span(one.guardrail) for one in prepared.violations)
    parts = [
        f"{text.counted_people(len(planned.people))}",
        *([f"**refused** by {refused}"] if refused else []),
        *([_not_resolved(planned)] if planned.problems else []),
        *([f"fingerprint {span(planned.fingerprint)}"] if planned.changes and not prepared.as_of else []),
    ]
    return f"- {span(planned.organization)}: {'; '.join(parts)}"


def by_gravity(prepared: Iterable[Prepared]) -> list[Prepared]:
    """Those that a guardrail refuses first, then those that change most people."""
    return sorted(prepared, key=lambda one: (not one.violations, -len(one.plan.people)))


def failed(organization: str, error: ReconcilerError) -> str:
    """Why there is no plan for an organization."""
    lines = [f"## No plan for {span(organization)}", "", f"- **{prose(error.message)}**"]
    return "\n".join([*lines, *([f"- what to do: {prose(error.hint)}"] if error.hint else [])])


def refusal(violation: Violation) -> list[str]:
    """A broken guardrail: what was measured, who is concerned, what to do, whether an approval covers it."""
    lines = [f"- **refused** by guardrail {span(violation.guardrail)}: {prose(violation.message)}"]
    lines += [f"  - people: {names(violation.people)}"] if violation.people else []
    return [*lines, f"  - remedy: {prose(violation.remedy)}"]


def names(several: Sequence[str]) -> str:
    """The first of several names, and how many more there are."""
    more = f" and {len(several) - text.SHOWN} more" if len(several) > text.SHOWN else ""
    return ", ".join(map(span, several[: text.SHOWN])) + more


def people_part(
    title: str,
    changes: Iterable[SetRoles],
    link: Link,
    emptied: Set[str] = frozenset(),
    seated: Set[str] = frozenset(),
    unseated: Set[str] = frozenset(),
    *,
    rank: int = PEOPLE,
) -> Part:
    """People with each scope before and after, and why; the most important first.

    `emptied` are the ids of those who lose everything, `seated` of those who become organization admin,
    `unseated` of those who stop being one.
    """
    ranked = sorted(
        ((_importance(change, emptied, seated, unseated), change) for change in changes),
        key=lambda one: one[0],
    )
    shown = people.rows((change for _, change in ranked), emptied)
    rows = []
    for (_, change), person in zip(ranked, shown, strict=True):
        id_ = change.principal.id
        admin = ", **becomes admin**" if id_ in seated else ", **no longer admin**" if id_ in unseated else ""
        rows.append(_person(change, person, admin, link))
    verbs = [person.verb for person in shown]
    titles = head("Who", "", "Where", "Before", "After", "Why")
    return Part(title, tuple(rows), lambda index: _told("people", index, verbs), titles, rank=rank)


def accounts_part(title: str, rows: Sequence[people.AccountRow], *, rank: int = ACCOUNTS) -> Part:
    """Accounts with what happens to them, and why."""
    shown = tuple(row([span(one.user), one.verb, prose(one.why)]) for one in rows)
    verbs = [one.verb for one in rows]
    return Part(
        title, shown, lambda index: _told("accounts", index, verbs), head("Account", "", "Why"), rank=rank
    )


def groups_part(changes: Iterable[Change], title: str = "### Groups that are created") -> Part:
    """The groups among some changes."""
    created = [f"- {span(change.name)}" for change in changes if isinstance(change, CreateGroup)]
    return Part(title, tuple(created), _counter("group", created), open=10, rank=ACCOUNTS)


def findings_part(findings: Sequence[Finding], link: Link) -> Part:
    """What a person should look at, by kind."""
    ordered = [one for kind in Kind for one in findings if one.kind is kind]
    rows = tuple(
        row([one.kind, span(one.subject), _finding(one, link), prose(one.remedy)]) for one in ordered
    )
    kinds = [one.kind.value for one in ordered]
    titles = head("", "Who or what", "What is so", "What to do")
    return Part(
        "### To look at", rows, lambda index: _told("findings", index, kinds), titles, open=5, rank=FINDINGS
    )


def problem_part(problems: Sequence[Problem], link: Link, title: str = "") -> Part:
    """What is wrong with a policy, line by line."""
    rows = tuple(
        f"- {place(one.at, link)}{f' {span(one.at.path)}' if one.at.path else ''}: {prose(one.message)}"
        f"{f' ({prose(one.remedy)})' if one.remedy else ''}"
        for one in problems
    )
    return Part(title, rows, _counter("problem", rows), rank=ACCOUNTS)


def _overall(prepared: Sequence[Prepared], failures: Sequence[tuple[str, ReconcilerError]]) -> list[str]:
    """A line above several organizations."""
    if len(prepared) + len(failures) < 2:
        return []
    parts = [
        (sum(1 for one in prepared if one.plan.changes), "to change"),
        (sum(1 for one in prepared if one.violations), "refused by guardrails"),
        (len(failures), "without a plan"),
    ]
    said = ", ".join(f"{number} {what}" for number, what in parts if number)
    return [f"**{len(prepared) + len(failures)} organizations**: {said or 'no drift'}"]


def _changes(prepared: Prepared) -> list[str]:
    """How many people change and how, accounts, and organization admins."""
    planned = prepared.plan
    if not planned.changes:
        return [f"**{prose(text.verdict(prepared))}**", ""]
    lines = []
    if planned.people:
        lines += [
            f"**{text.counted_people(len(planned.people))}**: {text.verbs(planned, people.emptied(prepared))}"
        ]
    if planned.accounts:
        lines += [f"**{text.counted_accounts(planned)}**"]
    if created := sum(1 for change in planned.changes if isinstance(change, CreateGroup)):
        lines += [f"**{counted(created, 'group')}** created"]
    return [*("\n\n".join(lines).split("\n")), "", f"- {admin_line(prepared)}"]


def admin_line(prepared: Prepared) -> str:
    """How many organization admins there are before and after, who becomes one and who stops being one."""
    live = prepared.live
    before, left = admins(live, live.roles), admins_after(prepared.plan, live)
    line = f"organization admins: {len(before)} before, {len(left)} after"
    for ids, one, several in (
        (left - before, "becomes one", "become one"),
        (before - left, "stops being one", "stop being one"),
    ):
        if ids:
            users = sorted(live.people[id_].user_name for id_ in ids)
            line += f"; **{len(ids)} {one if len(ids) == 1 else several}**: {names(users)}"
    return line


def seats(prepared: Prepared) -> tuple[Set[str], Set[str]]:
    """The ids of those who become organization admin, and of those who stop being one."""
    before, left = admins(prepared.live, prepared.live.roles), admins_after(prepared.plan, prepared.live)
    return left - before, before - left


def _approval(prepared: Prepared) -> str:
    """What lets the plan run."""
    fingerprint = prepared.plan.fingerprint
    barred = [one.guardrail for one in prepared.violations if not one.approvable]
    if barred:
        return f"no approval covers {', '.join(map(span, barred))}"
    if prepared.violations:
        return f"{span(f'reconciler apply --approve {fingerprint}')} runs this plan in spite of that"
    return (
        f"no guardrail refuses it; {span(f'reconciler apply --expect {fingerprint}')} runs this plan or none"
    )


def _not_resolved(planned: Plan) -> str:
    return f"{counted(len(planned.problems), 'problem')}: not all of the policy could be resolved"


def _importance(
    change: SetRoles, emptied: Set[str], seated: Set[str], unseated: Set[str]
) -> tuple[int, bool]:
    verb = people.verb(change)
    if change.principal.id in emptied:
        rank = _RANK["loses everything"]
    elif change.principal.id in seated and verb != "loses":
        rank = _BECOMES_ADMIN
    else:
        rank = _RANK[verb]
    return rank, change.principal.id not in unseated


def _person(change: SetRoles, person: people.PersonRow, admin: str, link: Link) -> str:
    where = [span(one.scope.project) if one.scope.project else "organization" for one in change.scopes]
    heads = [(span(person.user), f"{person.verb}{admin}"), *[("", "")] * (len(person.scopes) - 1)]
    return "\n".join(
        row([*head, scope, told.before, told.after, reason(told.told, link)])
        for head, scope, told in zip(heads, where, person.scopes, strict=True)
    )


def _finding(finding: Finding, link: Link) -> str:
    since = f", since {finding.since:%Y-%m-%d}" if finding.since else ""
    at = f" ({place(finding.at, link)})" if finding.at else ""
    return f"{prose(finding.message)}{since}{at}"


def head(*titles: str) -> str:
    """The head of a table."""
    return f"{row(titles)}\n{row(['---'] * len(titles))}"


def _told(noun: str, index: int, verbs: Sequence[str]) -> str:
    """What the rows from an index on are: `12 more people: 10 × gains, 2 × keeps access`."""
    counts = Counter(verbs[index:])
    more = " more" if index else ""
    return f"{len(verbs) - index}{more} {noun}: {', '.join(f'{n} × {verb}' for verb, n in counts.items())}"


def _counter(noun: str, rows: Collection[str]) -> Callable[[int], str]:
    return lambda index: (
        f"{len(rows) - index}{' more' if index else ''} {noun}{'s' * (len(rows) - index != 1)}"
    )
