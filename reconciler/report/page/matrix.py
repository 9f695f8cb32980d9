"""Who has what as a matrix of people and scopes: data that the page's script shows, small by sharing.

What cells have in common is told once: ten thousand people of one group share one cell for each scope.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from reconciler.explanation import Explanation, Reason, ScopeExplanation
from reconciler.model import ORGANIZATION, Role, Roles, Scope
from reconciler.overview import Overview
from reconciler.policy.document import Mode
from reconciler.report import explain
from reconciler.report.plain import printable

Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class Row:
    """One person for the plain table: what they have and should have, in words, scope by scope."""

    user: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The people of one organization and the scopes in which anybody has or should have something."""

    scopes: tuple[Scope, ...]
    rows: tuple[Row, ...]
    data: Document
    """For the script: `scopes`, `people` and what they share, `cells` and `reasons`.

    A person is a list: userName, display name, marks, and for each scope the number of a cell (0: nothing).
    A cell is a list: bits of the roles live, bits of those desired (1 viewer, 2 contributor, 4 admin), the
    verdict, the numbers of reasons, remarks. A reason is a list: bit of its role, standing, what it is,
    place, remarks. Every text is harmless to show as text.
    """


def of(overview: Overview) -> Matrix:
    """The matrix of all people of an overview."""
    return of_people(overview.people, overview.case.policy.organization.mode)


def of_people(everybody: Sequence[Explanation], mode: Mode) -> Matrix:
    """The matrix of these people, where a run may go so far."""
    scopes = _scopes(everybody)
    shared = _Shared(mode)
    people: list[list[str | int]] = []
    rows: list[Row] = []
    for person in everybody:
        by_scope = {one.scope: one for one in person.scopes}
        found = [by_scope.get(scope) for scope in scopes]
        marks = ", ".join(_marks(person))
        principal = person.principal
        people.append(
            [
                printable(principal.user_name),
                printable(principal.display_name or ""),
                marks,
                *(shared.cell(one) if one else 0 for one in found),
            ]
        )
        name = f"{principal.user_name} ({marks})" if marks else principal.user_name
        rows.append(Row(name, tuple(in_words(one) if one else "" for one in found)))
    data: Document = {
        "scopes": [printable(str(scope)) for scope in scopes],
        "people": people,
        "cells": [[0, 0, "", [], []], *shared.cells],
        "reasons": shared.reasons,
    }
    return Matrix(scopes, tuple(rows), data)


def in_words(scope: ScopeExplanation) -> str:
    """What somebody has in a scope, and what they should have where that differs: `viewer -> admin`."""
    return f"{_words(scope.live)} → {_words(scope.desired)}" if drifts(scope) else _words(scope.live)


def drifts(scope: ScopeExplanation) -> bool:
    """Whether somebody has something else in a scope than they should."""
    return scope.live != scope.desired


def _words(roles: Roles) -> str:
    return " + ".join(str(role) for role in sorted(roles, reverse=True)) or "none"


def _scopes(people: Iterable[Explanation]) -> tuple[Scope, ...]:
    found = {scope.scope for person in people for scope in person.scopes} | {ORGANIZATION}
    return tuple(sorted(found, key=lambda scope: scope.rank))


def _marks(person: Explanation) -> Iterable[str]:
    if person.principal.provisional:
        yield "to be created"
    if not person.principal.entitled:
        yield "inactive"
    if person.protected_at is not None:
        yield "protected"


def _bits(roles: Iterable[Role]) -> int:
    return sum(1 << (role - 1) for role in roles)


@dataclass(slots=True)
class _Shared:
    """Cells and reasons, each kept once; cells are numbered from 1, reasons from 0."""

    mode: Mode
    cells: list[list[object]] = field(default_factory=list)
    reasons: list[list[object]] = field(default_factory=list)
    _cell_numbers: dict[object, int] = field(default_factory=dict)
    _reason_numbers: dict[object, int] = field(default_factory=dict)

    def cell(self, scope: ScopeExplanation) -> int:
        remarks = tuple(self._remarks(scope))
        reasons = tuple(map(self._reason, scope.reasons))
        verdict = explain.verdict(scope, self.mode)
        key = (_bits(scope.live), _bits(scope.desired), verdict, reasons, remarks)
        if key not in self._cell_numbers:
            self.cells.append([*key[:3], list(reasons), list(remarks)])
            self._cell_numbers[key] = len(self.cells)
        return self._cell_numbers[key]

    def _reason(self, reason: Reason) -> int:
        source = reason.source
        remarks = tuple(map(printable, explain.remarks(reason)))
        place = f"{source.at.file}:{source.at.line}"
        what = printable(explain.entry(source))
        key = (_bits([source.role]), str(reason.standing), what, printable(place), remarks)
        if key not in self._reason_numbers:
            self._reason_numbers[key] = len(self.reasons)
            self.reasons.append([*key[:4], list(remarks)])
        return self._reason_numbers[key]

    def _remarks(self, scope: ScopeExplanation) -> Iterable[str]:
        told: Sequence[str] = (
            explain.nothing_applies(scope),
            explain.above(scope),
            *(f"held by {problem}" for problem in scope.problems),
            explain.written(scope.written) if scope.written else "",
        )
        return (printable(one) for one in told if one)
