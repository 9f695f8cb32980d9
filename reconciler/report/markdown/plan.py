"""Plans as Markdown for who reviews them: the verdict first, then people. Returns a string, posts nothing."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import UTC

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
from reconciler.report.room import Block, Part, Written


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

SCOPES_SHOWN = 20
"""In so many scopes one person is shown, so that nobody needs all the room there is."""

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
    above = _overall(prepared, failures)
    blocks: list[Block] = [*above, *(failed(organization, error) for organization, error in failures)]
    if problems:
        title = f"## The policy has {counted(len(problems), 'problem')}"
        blocks.append(problem_part(problems, dialect.link, title))
    for one in prepared:
        blocks += plan(one, dialect)
    lines = [brief(one) for one in sorted(prepared, key=_gravity)]
    lines += [f"- {span(organization)}: no plan" for organization, _ in failures]
    return fitted(blocks or ["Nothing was planned."], lines, dialect, above)


def fitted(
    blocks: Sequence[Block], briefly: Sequence[str], dialect: Dialect, above: Sequence[str] = ()
) -> str:
    """The blocks within the limit of a dialect; where even that is too much, a line for each organization."""
    rows = _list("", briefly, "organization", open=len(briefly))
    attempts: tuple[Sequence[Block], ...] = (blocks, [*above, rows], [rows])
    for attempt in attempts:
        whole = room.fitted(attempt, dialect.limit, folds=dialect.folds)
        if whole is not None:
            return whole
    return room.cut("\n".join(briefly), dialect.limit)


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
    lines = [f"## Plan for {span(planned.organization)}", "", *_changes(prepared), ""]
    for violation in prepared.violations:
        lines += refusal(violation)
    lines += [f"- **{_not_resolved(planned)}**"] if planned.problems else []
    lines += [f"- {prose(text.withheld(planned).removesuffix(':'))}"] if planned.withheld else []
    lines += [f"- {admin_line(prepared)}"] if planned.changes else []
    if as_of:
        lines.append(f"- as of {as_of.astimezone(UTC):%Y-%m-%d %H:%M} UTC: to be looked at, not carried out")
    elif planned.changes:
        lines += [f"- {_approval(prepared)}", f"- fingerprint {span(planned.fingerprint)}"]
    lines += ["- people have pseudonyms here, other ones in every run"] if planned.shows else []
    return "\n".join([*lines, f"- on {span(planned.server)}, mode {planned.mode}"])


def brief(prepared: Prepared) -> str:
    """One organization in one line, for where there are too many."""
    planned = prepared.plan
    refused = ", ".join(span(one.guardrail) for one in prepared.violations)
    parts = [
        _counted(prepared),
        *([f"**refused** by {refused}"] if refused else []),
        *([_not_resolved(planned)] if planned.problems else []),
        *([f"fingerprint {span(planned.fingerprint)}"] if planned.changes and not prepared.as_of else []),
    ]
    return f"- {span(planned.organization)}: {'; '.join(parts)}"


def failed(organization: str, error: ReconcilerError) -> str:
    """Why there is no plan for an organization."""
    lines = [f"## No plan for {span(organization)}", "", f"- {prose(error.message)}"]
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
    ranked = sorted(changes, key=lambda change: _importance(change, emptied, seated, unseated))
    shown = people.rows(ranked, emptied)

    def written(index: int) -> str:
        id_ = ranked[index].principal.id
        admin = ", **becomes admin**" if id_ in seated else ", **no longer admin**" if id_ in unseated else ""
        return _person(ranked[index], shown[index], admin, link)

    told = _telling(("person", "people"), [person.verb for person in shown])
    titles = head("Who", "", "Where", "Before", "After", "Why")
    return Part(title, Written(len(shown), written), told, titles, rank=rank)


def accounts_part(title: str, rows: Sequence[people.AccountRow], *, rank: int = ACCOUNTS) -> Part:
    """Accounts with what happens to them, and why."""

    def written(index: int) -> str:
        one = rows[index]
        return row([span(one.user), one.verb, prose(one.why)])

    told = _telling(("account", "accounts"), [one.verb for one in rows])
    return Part(title, Written(len(rows), written), told, head("Account", "", "Why"), rank=rank)


def groups_part(changes: Iterable[Change], title: str = "### Groups that are created") -> Part:
    """The groups among some changes."""
    created = [f"- {span(change.name)}" for change in changes if isinstance(change, CreateGroup)]
    return _list(title, created, "group", open=10)


def findings_part(findings: Sequence[Finding], link: Link) -> Part:
    """What a person should look at, by kind."""
    ordered = [one for kind in Kind for one in findings if one.kind is kind]

    def written(index: int) -> str:
        one = ordered[index]
        return row([one.kind, span(one.subject), _finding(one, link), prose(one.remedy)])

    told = _telling(("finding", "findings"), [one.kind for one in ordered])
    titles = head("", "Who or what", "What is so", "What to do")
    return Part("### To look at", Written(len(ordered), written), told, titles, open=5, rank=FINDINGS)


def problem_part(problems: Sequence[Problem], link: Link, title: str = "") -> Part:
    """What is wrong with a policy, line by line."""

    def written(index: int) -> str:
        one = problems[index]
        path = f" {span(one.at.path)}" if one.at.path else ""
        remedy = f" ({prose(one.remedy)})" if one.remedy else ""
        return f"- {place(one.at, link)}{path}: {prose(one.message)}{remedy}"

    told = _telling(("problem", "problems"), [""] * len(problems))
    return Part(title, Written(len(problems), written), told, rank=ACCOUNTS)


def _list(title: str, rows: Sequence[str], noun: str, *, open: int) -> Part:
    told = _telling((noun, f"{noun}s"), [""] * len(rows))
    return Part(title, rows, told, open=open, rank=ACCOUNTS)


def _counted(prepared: Prepared) -> str:
    planned = prepared.plan
    if planned.people:
        return text.counted_people(len(planned.people))
    return counted(len(planned.changes), "change") if planned.changes else prose(text.verdict(prepared))


def _gravity(prepared: Prepared) -> tuple[bool, int]:
    """Sort key: what a guardrail refuses first, then what changes most people."""
    return not prepared.violations, -len(prepared.plan.people)


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
    """How many people change and how, and what becomes of accounts and groups."""
    planned = prepared.plan
    if not planned.changes:
        return [f"**{prose(text.verdict(prepared))}**"]
    lines = []
    if planned.people:
        said = text.verbs(planned, people.emptied(prepared))
        lines.append(f"**{text.counted_people(len(planned.people))}**: {said}")
    if planned.accounts:
        lines.append(f"**{text.counted_accounts(planned)}**")
    if created := sum(1 for change in planned.changes if isinstance(change, CreateGroup)):
        lines.append(f"**{counted(created, 'group')}** created")
    return "\n\n".join(lines).split("\n")


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
    rows = [
        row([*head, scope, told.before, told.after, reason(told.told, link)])
        for head, scope, told in zip(heads, where, person.scopes, strict=True)
    ]
    more = len(rows) - SCOPES_SHOWN
    return "\n".join(
        [*rows[:SCOPES_SHOWN], *([row(["", "", f"and {more} more", "", "", ""])] if more > 0 else [])]
    )


def _finding(finding: Finding, link: Link) -> str:
    since = f", since {finding.since:%Y-%m-%d}" if finding.since else ""
    at = f" ({place(finding.at, link)})" if finding.at else ""
    return f"{prose(finding.message)}{since}{at}"


def head(*titles: str) -> str:
    """The head of a table."""
    return f"{row(titles)}\n{row(['---'] * len(titles))}"


def _telling(nouns: tuple[str, str], kinds: Sequence[str]) -> Callable[[int], str]:
    """What the rows from an index on are: `12 more people: 10 × gains, 2 × keeps access`."""

    def told(index: int) -> str:
        number = len(kinds) - index
        counts = ", ".join(f"{n} × {kind}" for kind, n in Counter(kinds[index:]).items() if kind)
        noun = f"{'more ' if index else ''}{nouns[number != 1]}"
        return f"{number} {noun}: {counts}" if counts else f"{number} {noun}"

    return told
