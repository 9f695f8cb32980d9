"""`reconciler history`: what the ledger tells, and whether it is as it was written. Asks no server."""

from collections.abc import Sequence
from pathlib import Path

import click

from reconciler import ledger, ledgers
from reconciler.cli import completion, terminal
from reconciler.cli.options import format_option, ledgers_option
from reconciler.cli.reports import show_json
from reconciler.errors import LedgerError, SettingsError
from reconciler.ledgers import Told, Verified
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
@ledgers_option
@format_option
def command(
    run_id: str | None, verify: bool, head: str | None, places: tuple[Path, ...], output: str
) -> None:
    """List the runs in the ledger, or show one: what it wrote, and what became of that.

    RUN is a run's name or the beginning of it. Several ledgers, as each shard has one, are told as one, in
    the order of time; a run that is in two of them, as one is a copy of the other, is told once.

    \b
    Examples:
      reconciler history
      reconciler history 1f2e3d4c
      reconciler history --verify
      reconciler history --ledger container-0 --ledger container-1

    \b
    Exit codes:
      0  done; with --verify, the ledger is as it was written
      1  a record was edited, removed or moved
      2  the command line is wrong, or there is no ledger
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    _check(run_id, verify, head)
    paths = ledgers.files(places)
    if verify:
        _verify(ledgers.verify(paths, head), output)
        return
    told = ledgers.told(paths)
    if run_id is not None:
        told = (named(told, run_id),)
    if output == "json":
        show_json(past.data(told))
    else:
        several = len(paths) > 1
        one = run_id is not None
        lines = past.one(told[0], several=several) if one else past.table(told, several=several)
        terminal.show(map(printable, lines))


def named(told: Sequence[Told], name: str) -> Told:
    """The run whose name begins so. Raises SettingsError where there is none, or several."""
    found = [one for one in told if one.run.id.startswith(name.lower())] if len(name) >= SHORTEST else []
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


def _verify(found: Sequence[Verified], output: str) -> None:
    if output == "json":
        show_json(past.verified(found))
    else:
        terminal.show(printable(line) for one in found for line in _checked(one))
    if spoilt := [one for one in found if one.faults]:
        names = ", ".join(shown(one.path) for one in spoilt)
        are = "is not as it was" if len(spoilt) == 1 else "are not as they were"
        raise LedgerError(
            f"{names} {are} written: {counted(sum(len(one.faults) for one in spoilt), 'fault')}",
            "keep it as evidence, and look for who could write to it",
        )


def _checked(one: Verified) -> list[str]:
    name = shown(one.path)
    return [f"{name}:{fault.line}: {fault.words}" for fault in one.faults] or [f"{name} is as it was written"]
