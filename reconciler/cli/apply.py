"""`reconciler apply`: carry the plan out. With `undo`, the only command that writes to a provider."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from reconciler import ledgers, planfile
from reconciler.cli import notify
from reconciler.cli.converge import Convergence, Terms, conditions
from reconciler.cli.notify import Notifier
from reconciler.cli.options import format_option
from reconciler.cli.reports import show_json
from reconciler.cli.run import Run, planned, proving
from reconciler.planfile import PlanFile
from reconciler.report import data
from reconciler.shards import Shard

_POLICY_SUFFIXES = (".yaml", ".yml")


@click.command("apply")
@click.argument(
    "path", metavar="[PATH|PLAN]", default="policies", type=click.Path(path_type=Path, readable=False)
)
@conditions
@notify.option
@format_option
def command(
    path: Path,
    expected: Sequence[str],
    approved: Sequence[str],
    place: Path,
    shard: Shard,
    when: str,
    output: str,
) -> None:
    """Converge the server with the policy: plan, check the guardrails, write, read back.

    PATH is the folder of an organization or a folder of such folders; `policies/` if none is given. PLAN
    is a file that `plan --out` wrote: then the plan is made again, and carried out if it is the same.
    The server is told by the environment, as for `plan`.

    Every run and every write is recorded in the ledger, before it is sent. `reconciler history` reads it,
    `reconciler undo` goes back.

    An interrupt (Ctrl-C) ends the writing, not the account of it: what was written is read back and
    told, and so is what was not.

    Where RECONCILER_SLACK_WEBHOOK_URL is set, or RECONCILER_WEBHOOK_URL and RECONCILER_WEBHOOK_SECRET,
    people are told what the run came to. A notification that does not arrive is said, and fails nothing.

    \b
    Examples:
      reconciler apply plan.json
      reconciler apply policies/acme --expect 48535c671d72ed1495a5aa393dd05575

    \b
    Exit codes:
      0    done: everything is as the policy says, or as far as its mode goes
      1    the ledger can't be written any more, or was tampered with
      2    the command line or the environment is wrong
      4    a guardrail refuses the plan; nothing was written
      5    the plan is not the one that was expected; nothing was written
      6    the policy is invalid; nothing was written
      7    the server or the directory could not be read whole; nothing was
           written
      8    applied in part: a change failed, or the policy names what does not
           exist
      130  interrupted while a server was read; that one was not written to

    Of several organizations, the gravest counts.
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    reviewed = _plan_file(path)
    terms = Terms.of(ledgers.written(place, shard), expected, approved, reviewed)
    run = Run.of(reviewed.policy if reviewed else path, shard=shard)
    notifier = Notifier.of("apply", run, when)
    convergence = Convergence(run, terms, partial(planned, runs=proving([place])), text=output == "text")
    convergence.carry_out()
    notifier.tell(run, convergence.results, path)
    if output == "json":
        show_json(run.document(data.applied(convergence.results, run.failures)))
    run.exit()


def _plan_file(path: Path) -> PlanFile | None:
    """The plan file at a path; None where there is a folder, nothing, or a file of a policy."""
    is_policy = not os.path.lexists(path) or os.path.isdir(path) or path.suffix in _POLICY_SUFFIXES
    return None if is_policy else planfile.read(path)
