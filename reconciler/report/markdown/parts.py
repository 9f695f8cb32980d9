"""What documents in Markdown are made of, whatever they tell of: people, accounts, findings. No document."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set

from reconciler.change import Change, CreateGroup, SetRoles
from reconciler.finding import Finding, Kind
from reconciler.guardrails import Violation, admins, admins_after
from reconciler.phrases import day
from reconciler.planning import Prepared
from reconciler.problem import Problem
from reconciler.report import people as words
from reconciler.report import text
from reconciler.report.markdown import room
from reconciler.report.markdown.dialect import Dialect, Link
from reconciler.report.markdown.markup import place, prose, reason, row, span
from reconciler.report.markdown.room import Block, Part, Written

_RANK = {"loses everything": 0, "loses": 1, "moves": 3, "gains": 4, "keeps access": 5}
"""How soon a reviewer must see somebody; who becomes admin stands before those who move."""

_BECOMES_ADMIN = 2

SCOPES_SHOWN = 20
"""In so many scopes one person is shown, so that nobody needs all the room there is."""

PEOPLE, ACCOUNTS, WITHHELD, FINDINGS = range(4)
"""Which parts are given room first."""


def fitted(
    blocks: Sequence[Block], briefly: Sequence[str], dialect: Dialect, above: Sequence[str] = ()
) -> str:
    """The blocks within the limit of a dialect; where even that is too much, a line for each organization."""
    rows = listed("", briefly, "organization", open=len(briefly))
    attempts: tuple[Sequence[Block], ...] = (blocks, [*above, rows], [rows])
    for attempt in attempts:
        whole = room.fitted(attempt, dialect.limit, folds=dialect.folds)
        if whole is not None:
            return whole
    return room.cut("\n".join(briefly), dialect.limit)


def refusal(violation: Violation) -> list[str]:
    """A broken guardrail: what was measured, who is concerned, what to do, whether an approval covers it."""
    lines = [f"- **refused** by guardrail {span(violation.guardrail)}: {prose(violation.message)}"]
    lines += [f"  - people: {names(violation.people)}"] if violation.people else []
    return [*lines, f"  - remedy: {prose(violation.remedy)}"]


def names(several: Sequence[str]) -> str:
    """The first of several names, and how many more there are."""
    return first(list(map(span, several)))


def first(several: Sequence[str]) -> str:
    """The first of several pieces of Markdown, and how many more there are."""
    more = f" and {len(several) - text.SHOWN} more" if len(several) > text.SHOWN else ""
    return ", ".join(several[: text.SHOWN]) + more


def admin_line(prepared: Prepared) -> str:
    """How many organization admins there are before and after, who becomes one and who stops being one."""
    live = prepared.live
    before, left = admins(live), admins_after(prepared.plan, live)
    line = f"organization admins: {len(before)} before, {len(left)} after"
    for ids, one, several in (
        (left - before, "becomes one", "become one"),
        (before - left, "stops being one", "stop being one"),
    ):
        if ids:
            users = sorted(live.people[id_].user_name for id_ in ids)
            line += f"; **{len(ids)} {one if len(ids) == 1 else several}**: {names(users)}"
    return line


def pseudonyms(prepared: Prepared) -> list[str]:
    """That nobody is called by their name, where it is so."""
    return ["- people have pseudonyms here, other ones in every run"] if prepared.plan.shows else []


def seats(prepared: Prepared) -> tuple[Set[str], Set[str]]:
    """The ids of those who become organization admin, and of those who stop being one."""
    before, left = admins(prepared.live), admins_after(prepared.plan, prepared.live)
    return left - before, before - left


def people(
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
    shown = words.rows(ranked, emptied)

    def written(index: int) -> str:
        id_ = ranked[index].principal.id
        admin = ", **becomes admin**" if id_ in seated else ", **no longer admin**" if id_ in unseated else ""
        return _person(ranked[index], shown[index], admin, link)

    told = _telling(("person", "people"), [person.verb for person in shown])
    titles = head("Who", "Change", "Where", "Before", "After", "Why")
    return Part(title, Written(len(shown), written), told, titles, rank=rank)


def accounts(title: str, rows: Sequence[words.AccountRow], *, rank: int = ACCOUNTS) -> Part:
    """Accounts with what happens to them, and why."""

    def written(index: int) -> str:
        one = rows[index]
        return row([span(one.user), one.verb, prose(one.why)])

    told = _telling(("account", "accounts"), [one.verb for one in rows])
    return Part(title, Written(len(rows), written), told, head("Account", "", "Why"), rank=rank)


def groups(changes: Iterable[Change], title: str = "### Groups that are created") -> Part:
    """The groups among some changes."""
    created = [f"- {span(change.name)}" for change in changes if isinstance(change, CreateGroup)]
    return listed(title, created, "group", open=10)


def findings(findings: Sequence[Finding], link: Link) -> Part:
    """What a person should look at, by kind."""
    ordered = [one for kind in Kind for one in findings if one.kind is kind]

    def written(index: int) -> str:
        one = ordered[index]
        return row([one.kind, span(one.subject), _finding(one, link), prose(one.remedy)])

    told = _telling(("finding", "findings"), [one.kind for one in ordered])
    titles = head("", "Who or what", "What is so", "What to do")
    return Part("### To look at", Written(len(ordered), written), told, titles, open=5, rank=FINDINGS)


def problems(problems: Sequence[Problem], link: Link, title: str = "") -> Part:
    """What is wrong with a policy, line by line."""

    def written(index: int) -> str:
        one = problems[index]
        path = f" {span(one.at.path)}" if one.at.path else ""
        remedy = f" ({prose(one.remedy)})" if one.remedy else ""
        return f"- {place(one.at, link)}{path}: {prose(one.message)}{remedy}"

    told = _telling(("problem", "problems"), [""] * len(problems))
    return Part(title, Written(len(problems), written), told, rank=ACCOUNTS)


def listed(title: str, rows: Sequence[str], noun: str, *, open: int) -> Part:
    """Rows that have nothing to be told of them but their number."""
    told = _telling((noun, f"{noun}s"), [""] * len(rows))
    return Part(title, rows, told, open=open, rank=ACCOUNTS)


def _importance(
    change: SetRoles, emptied: Set[str], seated: Set[str], unseated: Set[str]
) -> tuple[int, bool]:
    verb = words.verb(change)
    if change.principal.id in emptied:
        rank = _RANK["loses everything"]
    elif change.principal.id in seated and verb != "loses":
        rank = _BECOMES_ADMIN
    else:
        rank = _RANK[verb]
    return rank, change.principal.id not in unseated


def _person(change: SetRoles, person: words.PersonRow, admin: str, link: Link) -> str:
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
    since = f", since {day(finding.since)}" if finding.since else ""
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
