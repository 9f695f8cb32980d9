"""`reconciler undo`: plans the way back from a run, from the ledger; writes only with --apply."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click

from reconciler import assertions, ledgers, planning
from reconciler.cli import completion, notify, terminal
from reconciler.cli.context import moment, reach
from reconciler.cli.converge import Convergence, Terms, conditions, fail
from reconciler.cli.history import named
from reconciler.cli.notify import Notifier
from reconciler.cli.options import format_option, path_argument
from reconciler.cli.reports import show_json
from reconciler.cli.run import Run, check, prepare
from reconciler.directories import choose
from reconciler.errors import ExitCode, PartlyAppliedError, SettingsError
from reconciler.history import PastRun
from reconciler.phrases import counted
from reconciler.planning import Prepared
from reconciler.policy.document import Policy
from reconciler.policy.files import shown
from reconciler.ports import Directory, ProviderReader
from reconciler.report import data
from reconciler.report.plain import printable
from reconciler.scim.client import Client
from reconciler.scim.reading import Readings
from reconciler.shards import Shard
from reconciler.undo import WayBack


@click.command("undo")
@click.argument("run_id", metavar="RUN", shell_complete=completion.runs)
@path_argument
@click.option("--apply", "applies", is_flag=True, help="Carry the plan out, by the rules of `apply`.")
@conditions
@notify.option
@format_option
def command(
    run_id: str,
    path: Path,
    applies: bool,
    expected: Sequence[str],
    approved: Sequence[str],
    place: Path,
    shard: Shard,
    when: str,
    output: str,
) -> None:
    """Plan the way back from a run, as `reconciler history` calls it. Writes nothing without --apply.

    Each role that the run changed goes back to what it was, if it still stands as the run left it; so do
    names, e-mails, and whether an account is active. What has moved since is told and left alone. Groups
    and accounts that the run created stay; one that it deleted can't come back. The policy of PATH tells
    the server, the guardrails and the mode, and goes on asking for what it asks: change it, too.

    \b
    Examples:
      reconciler undo 1f2e3d4c policies/acme
      reconciler undo 1f2e3d4c policies/acme --apply

    Exit codes are those of `plan`, and with --apply those of `apply`: 8, too, where something was left alone.
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    terms = Terms.of(ledgers.written(place, shard), expected, approved)
    if not applies and (terms.expected or terms.approved):
        raise SettingsError("--expect and --approve mean nothing without --apply")
    told = named(ledgers.told(ledgers.files([place])), run_id)
    past = told.run
    way = _Undoing(past, shown(told.ledgers[0]))
    run = Run.of(path, shard=shard).only(past.organization)
    if applies:
        notifier = Notifier.of("undo", run, when)
        convergence = Convergence(run, terms, way.planned, output == "text", {"undoes": past.id})
        convergence.carry_out()
        if way.missed:
            run.attempt(past.organization, partial(fail, way.incomplete()))
        notifier.tell(run, convergence.results, path)
        document = data.applied(convergence.results, run.failures)
    else:
        document = data.plans(shown(path), way.show(run, text=output == "text"), run.failures)
    if output == "json":
        show_json(run.document(document))
    run.exit()


@dataclass(slots=True)
class _Undoing:
    """The way back from a run, and what it leaves alone, once it was planned."""

    run: PastRun
    ledger: str
    back: WayBack | None = field(default=None)

    def planned(
        self, policy: Policy, client: Client, provider: ProviderReader, readings: Readings
    ) -> Prepared:
        if provider.server != self.run.begun.server:
            raise SettingsError(
                f"run {self.run.id} was on {self.run.begun.server}, and this is {provider.server}",
                "a way back leads to the server that the run wrote to",
            )
        with _directory(policy, client, readings) as directory:
            prepared, self.back = planning.prepare_undo(
                policy, self.run, self.ledger, provider, moment(), directory
            )
        for line in (*self.back.moved, *self.back.lost):
            click.echo(f"left as it is: {printable(line)}", err=True)
        for line in self.back.stays:
            click.echo(printable(line), err=True)
        return prepared

    @property
    def missed(self) -> list[str]:
        """What was not taken back, in a few words."""
        if self.back is None:
            return []
        moved, lost = len(self.back.moved), len(self.back.lost)
        roles = [f"{counted(moved, 'role')} moved since"] if moved else []
        accounts = [f"{counted(lost, 'change')} of accounts could not be taken back"] if lost else []
        return [*roles, *accounts]

    def incomplete(self) -> PartlyAppliedError:
        """That not all of the run was taken back."""
        return PartlyAppliedError(f"not all of run {self.run.id} was taken back: {', '.join(self.missed)}")

    def show(self, run: Run, *, text: bool) -> list[Prepared]:
        """Plan and show, with a client that can't write."""
        plans: list[Prepared] = []

        def work(policy: Policy) -> ExitCode:
            plans.append(prepare(policy, self.planned))
            if text:
                terminal.show_plan(plans[0], first=True)
            check(plans[0])
            return ExitCode.DONE

        run.each(work)
        return plans


def _directory(
    policy: Policy, client: Client, readings: Readings
) -> AbstractContextManager[Directory | None]:
    """The directory, where the way back needs it: to tell whom the policy's assertions mean."""
    if assertions.needs_membership(policy):
        return choose.opened(policy, client, readings, os.environ, reach())
    return nullcontext()
