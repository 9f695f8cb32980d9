"""`reconciler history`: what the ledger tells, and whether it is as it was written. Asks no server."""

from collections.abc import Sequence
from pathlib import Path

import click

from reconciler import ledger
from reconciler.cli import completion
from reconciler.cli.options import format_option, ledger_option
from reconciler.cli.reports import show_json
from reconciler.errors import LedgerError, SettingsError
from reconciler.history import PastRun
from reconciler.phrases import counted
from reconciler.policy.files import shown
from reconciler.report import past
from reconciler.report.plain import printable

SHORTEST = 4
"""So many digits of a run's name must be given at least."""


@click.command("history")
@click.argument("run_id", metavar="[RUN]", required=False, shell_complete=completion.runs)
@click.option("--verify", is_flag=True, help="Check every record by the hash of the one before it.")
@click.option("--head", metavar="HASH", help="With --verify: the hash of a record that must be there.")
@ledger_option
@format_option
def command(run_id: str | None, verify: bool, head: str | None, ledger_path: Path, output: str) -> None:
    """List the runs in the ledger, or show one: what it wrote, and what became of that.

    RUN is a run's name or the beginning of it.

    \b
    Examples:
      reconciler history
      reconciler history 1f2e3d4c
      reconciler history --verify

    \b
    Exit codes:
      0  done; with --verify, the ledger is as it was written
      1  a record was edited, removed or moved
      2  the command line is wrong, or there is no ledger
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    _check(run_id, verify, head)
    if verify:
        _verify(ledger_path, head, output)
        return
    runs = ledger.past(ledger_path)
    if run_id is not None:
        runs = (named(runs, run_id),)
    if output == "json":
        show_json(past.data(runs))
    else:
        for line in past.one(runs[0]) if run_id is not None else past.table(runs):
            click.echo(printable(line))


def named(runs: Sequence[PastRun], name: str) -> PastRun:
    """The run whose name begins so. Raises SettingsError where there is none, or several."""
    found = [run for run in runs if run.id.startswith(name.lower())] if len(name) >= SHORTEST else []
    if len(found) == 1:
        return found[0]
    hint = f"`reconciler history` lists them; {SHORTEST} digits or more of a name will do"
    many = "there are several runs" if found else "there is no run"
    raise SettingsError(f"{many} '{name}' in the ledger", hint)


def _check(run_id: str | None, verify: bool, head: str | None) -> None:
    """Raise SettingsError where options don't go together or say nothing."""
    if verify and run_id is not None:
        raise SettingsError("--verify is about the whole ledger, not about one run")
    if head is not None and not verify:
        raise SettingsError("--head means nothing without --verify")
    if head is not None and not ledger.HASH.fullmatch(head):
        raise SettingsError(f"'{head}' is no hash of a record: 64 hexadecimal digits")


def _verify(path: Path, head: str | None, output: str) -> None:
    faults = list(ledger.verify(path, head))
    if output == "json":
        show_json(past.verified(faults))
    elif not faults:
        click.echo(f"{shown(path)} is as it was written")
    else:
        for fault in faults:
            click.echo(f"{shown(path)}:{fault.line}: {printable(fault.words)}")
    if faults:
        raise LedgerError(
            f"{shown(path)} is not as it was written: {counted(len(faults), 'fault')}",
            "keep it as evidence, and look for who could write to it",
        )
