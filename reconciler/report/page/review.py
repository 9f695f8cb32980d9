"""The evidence of an access review as a page that somebody goes through and signs. Writes no file."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.evidence import Dossier, Evidence, Holder, Line
from reconciler.explanation import Standing
from reconciler.model import ORGANIZATION, Provenance, Role, Scope
from reconciler.problem import Location
from reconciler.report import explain
from reconciler.report.page import document, matrix
from reconciler.report.page.matrix import Matrix
from reconciler.report.people import roles

SHOWN = 500
"""So many exceptions of a kind are shown; the table for spreadsheets has all."""


def page(dossier: Dossier, digest: str) -> str:
    """What every line of policy gives to whom, who let it in, and room for a decision and a signature."""
    shown = [_organization(one) for one in dossier.evidence]
    data = {
        "organizations": [{"name": one.evidence.organization, "matrix": one.matrix.data} for one in shown]
    }
    return document.render(
        "review.html", organizations=shown, dossier=dossier, digest=digest, shown=SHOWN, data=data
    )


_GIVES = (Standing.APPLIES, Standing.OUTRANKED)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of policy that gives a role in a scope, and everybody who has it by that."""

    line: Line
    name: str
    scope: Scope
    role: Role
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Left:
    """Somebody who has a role that no line of policy gives."""

    user: str
    scope: str
    has: str
    why: str


@dataclass(frozen=True, slots=True)
class _Organization:
    """All that the page shows of one organization."""

    evidence: Evidence
    roles: int
    admins: int
    files: Mapping[str, Sequence[_Entry]]
    left: Sequence[_Left]
    matrix: Matrix

    @property
    def exceptional(self) -> int:
        """How many exceptions there are."""
        return sum(map(len, self.evidence.exceptions.values()))


def _organization(one: Evidence) -> _Organization:
    accesses = [access for holder in one.holders for access in holder.accesses]
    admins = [one for one in accesses if one.scope.scope == ORGANIZATION and one.applies is Role.ADMIN]
    return _Organization(
        one,
        len(accesses),
        len(admins),
        _files(one),
        tuple(_left(one.holders)),
        matrix.of_people([holder.person for holder in one.holders], one.mode),
    )


def _files(one: Evidence) -> Mapping[str, Sequence[_Entry]]:
    """The lines of each file that give anybody anything, in the order of the file."""
    people: dict[tuple[Location, Scope], list[str]] = defaultdict(list)
    sources: dict[tuple[Location, Scope], Provenance] = {}
    for holder in one.holders:
        for access in holder.accesses:
            for reason in access.scope.reasons:
                if reason.standing in _GIVES:
                    key = (reason.source.at, access.scope.scope)
                    people[key].append(holder.person.principal.user_name)
                    sources.setdefault(key, reason.source)
    files: dict[str, list[_Entry]] = defaultdict(list)
    for at, scope in sorted(people, key=lambda key: (key[0], key[1].rank)):
        source = sources[at, scope]
        role = source.asked or source.role
        files[at.file].append(
            _Entry(one.lines[at], explain.entry(source), scope, role, tuple(people[at, scope]))
        )
    return files


def _left(holders: Iterable[Holder]) -> Iterable[_Left]:
    for holder in holders:
        user = holder.person.principal.user_name
        for access in holder.accesses:
            scope = access.scope
            if scope.live and not any(one.standing in _GIVES for one in scope.reasons):
                yield _Left(user, str(scope.scope), roles(scope.live), str(scope.verdict))
        for value in holder.person.foreign:
            yield _Left(user, "", value, "not the policy's, and left alone")
