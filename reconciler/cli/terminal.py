"""Where results meet a person: tables and a progress bar on a terminal, plain lines everywhere else."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from reconciler.change import Change, Outcome
from reconciler.cli import note
from reconciler.planning import Prepared
from reconciler.report import text

if TYPE_CHECKING:
    from reconciler.apply import Progress
    from reconciler.report.difference import Told

MOST_TOLD = 100
"""How many lines tell at most how far a run is."""


def show(lines: Iterable[str]) -> None:
    """Print lines on standard output, all at once: each by itself, thousands take longer than the work."""
    if told := list(lines):
        click.echo("\n".join(told))


def show_plan(prepared: Prepared, *, first: bool) -> None:
    """Print a plan on standard output, set off from the one before it."""
    if not first:
        click.echo()
    if sys.stdout.isatty():
        from reconciler.cli import tables

        tables.show_plan(prepared)
        return
    show(text.plan(prepared))


def show_difference(told: "Told") -> None:
    """Print what an edit means for one organization on standard output, set off from what is above."""
    click.echo()
    if sys.stdout.isatty():
        from reconciler.cli import tables

        tables.show_difference(told)
        return
    from reconciler.report import difference

    show(difference.difference(told))


def show_outcomes(outcomes: Sequence[Outcome], organization: str = "") -> None:
    """Print what became of a plan on standard output; whose it was where there are several."""
    of = f"{organization}: " if organization else ""
    show(f"{of}{line}" for line in text.outcomes(outcomes))


@contextmanager
def progress(total: int) -> "Iterator[Progress]":
    """Shows on standard error how far a run is: a bar on a terminal, else lines."""
    if not sys.stderr.isatty():
        yield _Lines(total).step
        return
    from reconciler.cli import tables

    with tables.progress(total) as bar:
        yield bar or _Lines(total).step


class _Lines:
    """Progress for a log: CI ends a job that says nothing for long. Of many changes, a few are told."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def step(self, change: Change) -> None:
        self._done += 1
        told, due = ((done * MOST_TOLD) // self._total for done in (self._done - 1, self._done))
        if due > told:
            note(f"[{self._done}/{self._total}] {text.subject(change)}")
