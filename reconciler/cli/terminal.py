"""Where results meet a person: tables and a progress bar on a terminal, plain lines everywhere else."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from reconciler.apply import Progress
from reconciler.change import Change, Outcome
from reconciler.planning import Prepared
from reconciler.report import people, text
from reconciler.report.plain import printable

COLOURS = {"gains": "green", "moves": "yellow", "loses": "red", "keeps access": "dim"}


def show_plan(prepared: Prepared, *, first: bool) -> None:
    """Print a plan on standard output, set off from the one before it."""
    if not first:
        click.echo()
    if sys.stdout.isatty():
        _show_tables(prepared)
    else:
        for line in text.plan(prepared):
            click.echo(line)


def show_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print what became of a plan on standard output."""
    for line in text.outcomes(outcomes):
        click.echo(line)


@contextmanager
def progress(total: int) -> Iterator[Progress]:
    """Shows on standard error how far a run is: a bar on a terminal, else a line for each change."""
    if not sys.stderr.isatty():
        yield _Lines(total).step
        return
    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("applying", total=total)
        yield lambda change: bar.update(task, advance=1, description=printable(text.subject(change)))


class _Lines:
    """Progress for a log: CI ends a job that says nothing for long."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def step(self, change: Change) -> None:
        self._done += 1
        click.echo(f"[{self._done}/{self._total}] {printable(text.subject(change))}", err=True)


def _show_tables(prepared: Prepared) -> None:
    console = Console(highlight=False)
    plan = prepared.plan
    console.print(Text(printable(text.heading(plan)), "bold"))
    console.print(Text(text.verdict(prepared)))
    for name in text.created(plan):
        console.print(Text(printable(name)))
    if plan.people:
        _table(console, people.rows(plan.people))
    if plan.withheld:
        console.print(Text(text.withheld(plan)))
        _table(console, people.rows(plan.withheld))
    for line in text.trailer(prepared):
        console.print(Text(printable(line)))


def _table(console: Console, rows: Sequence[people.PersonRow]) -> None:
    table = Table("Person", "", "Scope", "Before", "After", "Why", header_style="bold")
    for row in rows:
        colour = COLOURS[row.verb]
        for index, scope in enumerate(row.scopes):
            person = (row.user, row.verb) if index == 0 else ("", "")
            cells = (*person, scope.scope, scope.before, scope.after, scope.why)
            last = index == len(row.scopes) - 1
            table.add_row(*(Text(printable(cell), colour) for cell in cells), end_section=last)
    console.print(table)
