"""Options and arguments that commands share. Does nothing with what they are given."""

from pathlib import Path

import click

from reconciler import ledger
from reconciler.cli import reports

path_argument = click.argument(
    "path", metavar="[PATH]", default="policies", type=click.Path(path_type=Path, readable=False)
)
format_option = reports.format_option("text", "json")
ledger_option = click.option(
    "--ledger",
    "ledger_path",
    metavar="FILE",
    type=click.Path(path_type=Path, readable=False),
    default=ledger.DEFAULT,
    show_default=True,
    help="The record of every run and every write.",
)
