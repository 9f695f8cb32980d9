"""What is so as one page to look at: a file of HTML that asks nobody for anything. Writes no file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.drifted import Drifted, DriftedAccount, DriftedPerson, DriftedScope
from reconciler.errors import ReconcilerError
from reconciler.finding import Finding, Kind
from reconciler.model import Roles
from reconciler.problem import Problem
from reconciler.report import people, text
from reconciler.report.drift import cause, notes, ranked, verdict
from reconciler.report.page import document, matrix, picture, terms, trend
from reconciler.report.page.matrix import Matrix
from reconciler.report.page.picture import Picture
from reconciler.report.page.terms import Admin, Term
from reconciler.report.page.trend import Trend
from reconciler.report.people import Words

SHOWN = 200
"""So many entries of a list are shown; the matrix, which filters, has everybody."""

_TITLES = {
    Kind.UNPROVISIONED: "Failed provisioning: the directory has it, the server does not",
    Kind.UNKNOWN: "On the server, and not in the directory",
    Kind.LEAVER: "Leavers",
    Kind.RETURNER: "Returners",
    Kind.ATTRIBUTE: "Names and e-mails that differ",
    Kind.GRANT: "Temporary grants",
    Kind.CLASS: "Classes of people",
    Kind.SERVICE_ACCOUNT: "Service accounts",
    Kind.REVIEW: "Reviews",
}


def drift(
    found: Sequence[Drifted],
    failures: Sequence[tuple[str, ReconcilerError]],
    now: datetime,
    problems: Sequence[Problem] = (),
) -> str:
    """The page of a drift run at the moment `now` (aware): who drifted, who has what and why, what was.

    `problems` are those of policy files that could not be read; then nothing was `found`.
    """
    shown = [_organization(one) for one in found]
    data = {"organizations": [{"name": one.name, "matrix": one.matrix.data} for one in shown]}
    return document.render(
        "drift.html",
        organizations=shown,
        failures=failures,
        problems=problems,
        verdict=verdict(found, failures),
        now=now,
        shown=SHOWN,
        few=picture.FEW,
        data=data,
    )


@dataclass(frozen=True, slots=True)
class _Change:
    """One row of what drifted: a scope, or the account where `scope` is empty."""

    scope: str
    before: Roles
    after: Roles
    told: Words
    notes: tuple[str, ...]
    """How it came about and since when, as far as anything is known."""


@dataclass(frozen=True, slots=True)
class _Person:
    user: str
    verb: str
    changes: tuple[_Change, ...]


@dataclass(frozen=True, slots=True)
class _Organization:
    """All that the page shows of one organization."""

    found: Drifted
    sentences: tuple[str, ...]
    """The verdict, the most important sentence first."""
    people: tuple[_Person, ...]
    """Those who drifted, the most urgent first, as far as they are listed."""
    causes: tuple[tuple[str, int], ...]
    """How many came to differ in which way."""
    matrix: Matrix
    picture: Picture
    admins: tuple[Admin, ...]
    grants: tuple[Term, ...]
    findings: tuple[tuple[str, tuple[Finding, ...]], ...]
    """By kind, with its title."""
    trend: Trend

    @property
    def name(self) -> str:
        return self.found.overview.prepared.plan.organization


def _organization(found: Drifted) -> _Organization:
    overview = found.overview
    return _Organization(
        found,
        _sentences(found),
        tuple(_person(one, overview.prepared.plan.mode) for one in ranked(found.people)[:SHOWN]),
        tuple((cause(one), number) for one, number in found.causes.items()),
        matrix.of(overview),
        picture.of(overview.case.policy, overview.case.membership),
        terms.admins(found),
        terms.grants(found),
        tuple(_by_kind(overview.prepared.plan.findings)),
        trend.of(found.trend),
    )


def _sentences(found: Drifted) -> tuple[str, ...]:
    first, *rest = text.verdict(found.overview.prepared).split("\n")
    if number := len(found.people):
        who = "One person differs" if number == 1 else f"{number:,} people differ"
        if number > 1:  # how many gain, lose and so on; of one, the table tells
            rest.insert(0, first.partition(": ")[2] or first)
        first = f"{who} from what the policy says"
    return tuple(map(_sentence, (first, *rest)))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _by_kind(findings: Sequence[Finding]) -> list[tuple[str, tuple[Finding, ...]]]:
    kinds = {kind: tuple(one for one in findings if one.kind is kind) for kind in _TITLES}
    return [(title, kinds[kind]) for kind, title in _TITLES.items() if kinds[kind]]


def _person(person: DriftedPerson, mode: str) -> _Person:
    change = person.change
    emptied = {person.principal.id} if person.loses_everything else frozenset[str]()
    [row] = people.rows([change], emptied) if change else [None]
    scopes = zip(row.scopes if row else (), person.scopes, strict=True)
    changes = [_scope(one, told.told, mode) for told, one in scopes]
    changes += [_account(one, mode) for one in person.accounts]
    return _Person(person.principal.user_name, row.verb if row else "", tuple(changes))


def _scope(one: DriftedScope, told: Words, mode: str) -> _Change:
    return _Change(str(one.scope), one.change.before, one.change.after, told, tuple(notes(one, mode)))


def _account(one: DriftedAccount, mode: str) -> _Change:
    [told] = people.account_rows([one.change])
    words = f"the account {told.due}"
    why = f"{words}: {told.why}" if told.why else words
    return _Change("", frozenset(), frozenset(), (why,), tuple(notes(one, mode)))
