"""Tables, colours and a progress bar, for a terminal alone; owns rich, which takes long to load."""

from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from reconciler.apply import Progress
from reconciler.plan import Plan
from reconciler.planning import Prepared
from reconciler.report import difference, people, text
from reconciler.report.difference import Told
from reconciler.report.plain import printable

COLOURS = {
    "gains": "green",
    "moves": "yellow",
    "loses": "red",
    "loses everything": "bold red",
    "keeps access": "dim",
    "is created": "green",
    "is renamed": "dim",
    "is corrected": "dim",
    "is reactivated": "green",
    "is deactivated": "red",
    "is deleted": "bold red",
}

ROOM_FOR_WHY = 38
"""A table whose last column would be narrower is no help: then the same is told in lines."""


def show_plan(prepared: Prepared) -> None:
    """Print a plan on standard output."""
    console = Console(highlight=False)
    plan = prepared.plan
    _line(console, text.heading(prepared), "bold")
    for line in (*text.verdict(prepared).split("\n"), *text.created(plan)):
        _line(console, line)
    _changes(console, plan, people.emptied(prepared), people.emptied(people.unhindered(prepared)))
    for line in text.trailer(prepared):
        _line(console, line)


def show_difference(told: Told) -> None:
    """Print what an edit means for one organization on standard output."""
    console = Console(highlight=False)
    for index, line in enumerate(difference.opening(told)):
        _line(console, line, "" if index else "bold")
    if (prepared := told.comparison.prepared) is not None:
        _changes(
            console,
            prepared.plan,
            difference.emptied(told.comparison),
            difference.emptied(told.comparison, unhindered=True),
        )
    for line in difference.closing(told.comparison):
        _line(console, line)


@contextmanager
def progress(total: int) -> Iterator[Progress | None]:
    """Shows on standard error how far a run is; None where that terminal cannot move its cursor."""
    console = Console(stderr=True)
    if console.is_dumb_terminal:
        yield None
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda change: bar.update(task, advance=1, description=printable(text.subject(change)))


def _changes(console: Console, plan: Plan, emptied: Set[str], would_be: Set[str]) -> None:
    """Everybody whose roles or account change, then those whom the mode leaves as they are.

    `emptied` are the ids of those who lose everything, `would_be` of those who would but for the mode.
    """
    _people(console, people.rows(plan.people, emptied))
    _accounts(console, people.account_rows(plan.accounts))
    if plan.withheld:
        _line(console, "")
        _line(console, text.withheld(plan))
        _people(console, people.rows(plan.withheld_people, would_be))
        _accounts(console, people.account_rows(plan.withheld_accounts))


def _people(console: Console, rows: Sequence[people.PersonRow]) -> None:
    """A table where the terminal is wide enough for whole names and a readable why, else lines."""
    if not rows:
        return
    table = _table(rows)
    if table.__rich_measure__(console, console.options).minimum <= console.width:
        console.print(table)
    else:
        _lines(console, rows)


def _accounts(console: Console, rows: Sequence[people.AccountRow]) -> None:
    """The lines of the plain report, each in the colour of what happens."""
    lines = text.accounts(rows)
    for line, colour in zip(lines, ["", *(COLOURS[row.verb] for row in rows)], strict=bool(lines)):
        _line(console, line, colour)


def _table(rows: Sequence[people.PersonRow]) -> Table:
    """One row for each scope, a rule between people. No column is narrower than what it must hold whole."""
    table = Table(box=box.HORIZONTALS, header_style="bold", padding=(0, 1, 0, 0), show_edge=False)
    cells = [_cells(row) for row in rows]
    lines = [line for person in cells for line in person]
    table.add_column("Person", min_width=_widest(line[0] for line in lines))
    table.add_column("", width=_widest(word for line in lines for word in line[1].split()))
    for index, title in enumerate(("Scope", "Before", "After"), start=2):
        table.add_column(title, min_width=_widest([title, *(line[index] for line in lines)]))
    table.add_column("Why", min_width=ROOM_FOR_WHY, overflow="fold")
    for row, person in zip(rows, cells, strict=True):
        for line in person:
            table.add_row(*(Text(cell, COLOURS[row.verb]) for cell in line))
        table.add_section()
    return table


def _widest(words: Iterable[str]) -> int:
    return max(map(cell_len, words), default=0)


def _cells(row: people.PersonRow) -> list[tuple[str, ...]]:
    """The lines of one person: their name in the first alone."""
    heads = [(row.user, row.verb), *[("", "")] * (len(row.scopes) - 1)]
    return [
        tuple(map(printable, (*head, scope.scope, scope.before, scope.after, scope.why)))
        for head, scope in zip(heads, row.scopes, strict=True)
    ]


def _lines(console: Console, rows: Sequence[people.PersonRow]) -> None:
    for row in rows:
        _line(console, "")
        _line(console, f"{row.user} {row.verb}", COLOURS[row.verb])
        for scope in row.scopes:
            _line(console, f"  {scope.scope}: {scope.before} -> {scope.after}")
            _line(console, f"    {scope.why}", "dim")


def _line(console: Console, line: str, style: str = "") -> None:
    """A line that the terminal wraps itself, so that what is copied from it is whole."""
    console.print(Text(printable(line), style), soft_wrap=True)
