"""Examinations as text for people and as plain data for programs. Prints nothing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from reconciler.checkup import Ability, Check, Checkup, Verdict
from reconciler.errors import ReconcilerError
from reconciler.report.data import Document, failure
from reconciler.report.plain import printable

HEADINGS = ("", "ability", "announced", "seen")

_COUNTED = {
    Verdict.FAILED: ("failed", "failed"),
    Verdict.FINDING: ("finding", "findings"),
    Verdict.UNKNOWN: ("unknown", "unknown"),
    Verdict.OK: ("ok", "ok"),
}


def text(checkup: Checkup) -> list[str]:
    """One organization: its checks, what its server announced and did, and a line that counts them."""
    checkup = _once(checkup)
    rows = [(check.verdict, check.name, check.said) for check in checkup.checks]
    lines = [f"{checkup.organization} on {checkup.server}" if checkup.server else checkup.organization, ""]
    lines += _table(rows, [check.remedy for check in checkup.checks])
    if checkup.abilities:
        seen = [(one.verdict, one.name, one.announced or "-", one.seen) for one in checkup.abilities]
        lines += ["", *_table([HEADINGS, *seen], ["", *(one.remedy for one in checkup.abilities)])]
    return [printable(line) for line in [*lines, "", _summary(checkup)]]


def _once(checkup: Checkup) -> Checkup:
    """The same; what fails in one way wherever it is looked at is told in words where it is met first."""
    first: dict[tuple[str, str], str] = {}

    def again(name: str, verdict: Verdict, said: str, remedy: str) -> str:
        """Where the very same was told, if it was; empty else."""
        if verdict not in (Verdict.FAILED, Verdict.FINDING) or not remedy:
            return ""
        told = first.setdefault((said, remedy), name)
        return "" if told == name else f"the same as {told}"

    checks = [
        replace(one, said=same, remedy="")
        if (same := again(one.name, one.verdict, one.said, one.remedy))
        else one
        for one in checkup.checks
    ]
    abilities = [
        replace(one, seen=same, remedy="")
        if (same := again(one.name, one.verdict, one.seen, one.remedy))
        else one
        for one in checkup.abilities
    ]
    return replace(checkup, checks=tuple(checks), abilities=tuple(abilities))


def data(checkups: Sequence[Checkup], failures: Sequence[tuple[str, ReconcilerError]]) -> Document:
    """Format `reconciler.doctor/1`: each organization that was examined, and why one could not be."""
    return {
        "format": "reconciler.doctor/1",
        "organizations": [
            {
                "organization": one.organization,
                "server": one.server or None,
                "checks": [_check(check) for check in one.checks],
                "abilities": [_ability(ability) for ability in one.abilities],
            }
            for one in checkups
        ],
        "failures": [failure(organization, error) for organization, error in failures],
    }


def _table(rows: Sequence[tuple[str, ...]], remedies: Sequence[str]) -> Iterator[str]:
    """Rows in columns, the last one ragged, each with its remedy below that."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row, remedy in zip(rows, remedies, strict=True):
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[-1]])
        if remedy:
            yield "  ".join([*(" " * width for width in widths), f"remedy: {remedy}"])


def _summary(checkup: Checkup) -> str:
    checks, abilities = checkup.checks, checkup.abilities
    counts = Counter([*(one.verdict for one in checks), *(one.verdict for one in abilities)])
    return ", ".join(
        f"{counts[verdict]} {words[counts[verdict] != 1]}"
        for verdict, words in _COUNTED.items()
        if counts[verdict]
    )


def _check(check: Check) -> Document:
    return {
        "name": check.name,
        "verdict": check.verdict,
        "message": check.said,
        "remedy": check.remedy or None,
    }


def _ability(ability: Ability) -> Document:
    return {
        "name": ability.name,
        "announced": ability.announced,
        "seen": ability.seen,
        "verdict": ability.verdict,
        "remedy": ability.remedy or None,
    }
