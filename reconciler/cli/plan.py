"""`reconciler plan`: who would gain and lose what, and why. Has no way to write."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import redacted, terminal
from reconciler.cli.code_host import dialect
from reconciler.cli.options import ledgers_option, path_argument, shard_option
from reconciler.cli.reports import deliver, options
from reconciler.cli.run import Run, check, planned, prepare, proving
from reconciler.errors import ExitCode
from reconciler.planning import Prepared
from reconciler.policy import times
from reconciler.policy.document import Policy
from reconciler.policy.files import shown
from reconciler.report import data, text
from reconciler.report.data import Document
from reconciler.shards import Shard

if TYPE_CHECKING:
    from reconciler.redaction import Redaction


class Moment(click.ParamType[datetime]):
    """A moment as policies write one; a date means the end of that day, UTC."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Raises click.BadParameter."""
        text = str(value)
        try:
            return times.end(text)
        except ValueError:
            wrong, remedy = times.fault(text)
            self.fail(f"'{text}' {wrong}; {remedy}", param, ctx)


@click.command("plan")
@path_argument
@click.option("--exit-code", is_flag=True, help="Exit 3 where there is drift, be it written or withheld.")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, readable=False),
    help="Also write the plan to a file that `apply FILE` holds itself to.",
)
@click.option(
    "--at",
    "as_of",
    metavar="TIME",
    type=Moment(),
    help="Plan as of this moment: what the clock alone will do, with everybody and every group as they are "
    "now. A time of RFC 3339 with its zone, or a date, which means the end of that day, UTC. Such a plan is "
    "to be looked at, not carried out.",
)
@redacted.option("A file of --out stays whole, for `apply` needs it.")
@ledgers_option
@shard_option
@options("text", "markdown", "json")
def command(
    path: Path,
    exit_code: bool,
    out: Path | None,
    as_of: datetime | None,
    redaction: "Redaction | None",
    places: tuple[Path, ...],
    shard: Shard,
    output: str,
    files: tuple[Path, ...],
) -> None:
    """Show what would change, people first. Writes nothing.

    PATH is the folder of an organization or a folder of such folders; `policies/` if none is given.

    \b
    The server is told by the environment:
      CIRCLECI_SCIM_URL            its base URL
      CIRCLECI_SCIM_TOKEN          its token, or else
      CIRCLECI_SCIM_TOKEN_FILE     a file that holds it, or else
      CIRCLECI_SCIM_TOKEN_COMMAND  a command that prints it, or else
      CIRCLECI_SCIM_TOKEN_VAULT    its place in Vault: MOUNT/PATH#FIELD
    Where there are several organizations, the name of each stands in front:
    ACME_CIRCLECI_SCIM_URL. In a name, a dash becomes an underscore. Okta, Entra
    ID and an export have variables of their own, as docs/connection.md tells.

    Ledgers are read only where leavers have a grace, or their accounts are deleted one day; where there
    is none, nothing is proved.

    \b
    Examples:
      reconciler plan policies/acme
      reconciler plan policies/acme --out plan.json --report plan.md
      reconciler plan --at 2026-12-31

    \b
    Exit codes:
      0    done
      1    the ledger was tampered with
      2    the command line or the environment is wrong, or a report could not
           be written
      3    there is drift (only with --exit-code)
      4    a guardrail refuses the plan
      6    the policy is invalid, or names what does not exist
      7    the server or the directory could not be read whole
      130  interrupted

    Of several organizations, the gravest counts.
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    if out and as_of:
        raise click.UsageError(
            "--out and --at exclude each other: a plan as of another moment is not for `apply`."
        )
    place = _place(path) if out else shown(path)
    run, runs = Run.of(path, redaction, shard), proving(places)
    whole: list[Prepared] = []
    told: list[Prepared] = []

    def work(policy: Policy) -> ExitCode:
        with redacted.withheld(redaction):
            prepared = prepare(policy, partial(planned, as_of=as_of, runs=runs))
        view = redaction.prepared(prepared) if redaction else prepared
        whole.append(prepared)
        told.append(view)
        if output == "text":
            terminal.show_plan(view, first=len(told) == 1)
        check(view)
        return ExitCode.DRIFT if exit_code and prepared.plan.drifted else ExitCode.DONE

    run.each(work)
    renderers = {
        "text": lambda: "\n".join(text.plans(told, run.failures, run.problems)),
        "markdown": lambda: _markdown(told, run),
        "json": lambda: json.dumps(run.document(data.plans(place, told, run.failures)), indent=2),
    }
    try:
        deliver(output, files, renderers, shown_already=True)
    finally:
        if out:
            document = run.document(data.plans(place, whole, run.failures))
            write(out, document, whole=not run.problems and len(whole) == len(run.policies))
    run.exit()


def _place(path: Path) -> str:
    from reconciler import planfile  # which only --out needs

    return planfile.place(path)


def _markdown(told: Sequence[Prepared], run: Run) -> str:
    from reconciler.report.markdown import plan as markdown  # which only a report needs

    return markdown.plans(told, run.failures, run.problems, dialect())


def write(file: Path, document: Document, *, whole: bool) -> None:
    """Write the plan file, unless a plan is missing: then who applied it would take less for all."""
    if whole:
        from reconciler import planfile

        planfile.write(file, document)
    else:
        click.echo(f"no plan was written to {shown(file)}", err=True)
