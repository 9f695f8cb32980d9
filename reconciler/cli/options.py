"""Options and arguments that commands share. Does nothing with what they are given."""

import os
from pathlib import Path
from typing import Any

import click

from reconciler import ledgers, shards
from reconciler.cli import reports
from reconciler.settings import node
from reconciler.shards import Shard

path_argument = click.argument(
    "path", metavar="[PATH]", default="policies", type=click.Path(path_type=Path, readable=False)
)
format_option = reports.format_option("text", "json")


class _Place(click.Path):
    """A file or a folder; not the current one for want of a name, as an unset variable gives it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Raises click.BadParameter."""
        if value == "":
            self.fail("it is empty: name a file or a folder", param, ctx)
        return super().convert(value, param, ctx)


ledger_option = click.option(
    "--ledger",
    "place",
    metavar="PLACE",
    type=_Place(path_type=Path, readable=False),
    default=ledgers.FOLDER,
    show_default=True,
    help="The record of every run and every write: a file; or a folder, of which all are read, and "
    "ledger.jsonl is written, or a shard's own.",
)
ledgers_option = click.option(
    "--ledger",
    "places",
    metavar="PLACE",
    type=_Place(path_type=Path, readable=False),
    multiple=True,
    default=[ledgers.FOLDER],
    show_default=True,
    help="The record of every run and every write: a file, or a folder of such. May be given several times.",
)


class _Shard(click.ParamType[Shard]):
    name = "shard"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        """Raises click.BadParameter."""
        try:
            return shards.read(str(value))
        except ValueError as error:
            self.fail(f"'{value}' is no shard: {error}", param, ctx)


def _of_node(_context: click.Context, _parameter: click.Parameter, given: Shard | None) -> Shard:
    return given or node.shard(os.environ)


shard_option = click.option(
    "--shard",
    metavar="INDEX/TOTAL",
    type=_Shard(),
    callback=_of_node,
    help="Look after one part of the organizations, as 0/4, where parallel jobs have the others. By default "
    "CIRCLE_NODE_INDEX and CIRCLE_NODE_TOTAL tell it, so that CircleCI's parallel containers share the work.",
)
