"""`reconciler drift`: who has something else than they should, how and since when. Has no way to write."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from reconciler import drifted
from reconciler.cli import notify, redacted, reports
from reconciler.cli.code_host import dialect
from reconciler.cli.context import moment
from reconciler.cli.notify import Notifier
from reconciler.cli.options import ledgers_option, path_argument, shard_option
from reconciler.cli.run import Run, known_runs, overviewed, prepare
from reconciler.drifted import Drifted, Written
from reconciler.errors import ExitCode
from reconciler.git import blame
from reconciler.git.commits import Commit
from reconciler.overview import Overview
from reconciler.planning import Prepared
from reconciler.policy.document import Policy
from reconciler.policy.files import shown
from reconciler.redaction import Redaction
from reconciler.report import drift as report
from reconciler.report import drift_junit, page
from reconciler.report.markdown import drift as markdown
from reconciler.shards import Shard


@click.command("drift")
@path_argument
@ledgers_option
@shard_option
@notify.option
@redacted.option("Notifications stay whole, for they go where you say. There is no redacted page (html).")
@reports.options("text", "markdown", "json", "html", "junit")
@click.pass_context
def command(
    context: click.Context,
    path: Path,
    places: tuple[Path, ...],
    shard: Shard,
    when: str,
    redaction: Redaction | None,
    output: str,
    files: Sequence[Path],
) -> None:
    """Report who has something else than the policy gives them, how that came about and since when.

    Made for a schedule: writes nothing to any server. PATH is the folder of an organization or a folder of
    such folders; `policies/` if none is given. The server is told by the environment, as for `plan`.

    Since when somebody differs is told as far as it is known: by the ledger, where there is one, by the
    policy, by the directory and by git.

    Where RECONCILER_SLACK_WEBHOOK_URL is set, or RECONCILER_WEBHOOK_URL and RECONCILER_WEBHOOK_SECRET,
    people are told of drift and of what failed. A notification that does not arrive is said, and fails
    nothing.

    \b
    Examples:
      reconciler drift policies/acme
      reconciler drift --report drift.md --report test-results/drift/junit.xml

    \b
    Exit codes:
      0    no drift
      2    the command line or the environment is wrong, or a report could not
           be written
      3    there is drift, be it that a run would mend it, a guardrail refuse
           it or the mode leave it
      6    the policy is invalid, or names what does not exist
      7    the server or the directory could not be read whole
      130  interrupted

    Of several, the gravest counts: what could not be read, then the policy, then drift.
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    if redaction and "html" in {output, *map(reports.format_of, files)}:
        raise click.UsageError("--redact has no page: what it is for, who has what and why, is all names.")
    runs = known_runs(context, places)
    run = Run.of(path, redaction, shard)
    notifier = Notifier.of("drift", run, when)
    whole: list[Prepared] = []
    found: list[Drifted] = []

    def work(policy: Policy) -> ExitCode:
        with redacted.withheld(redaction):
            overview = prepare(policy, partial(overviewed, runs=runs))
        whole.append(overview.prepared)
        told = drifted.of(overview, _written(overview))
        found.append(redaction.drifted(told) if redaction else told)
        if overview.prepared.plan.problems:
            return ExitCode.INVALID
        return ExitCode.DRIFT if told.found else ExitCode.DONE

    run.each(work)
    notifier.tell(run, [(one, (), "") for one in whole], path)
    reports.deliver(
        output,
        files,
        {
            "text": lambda: "\n".join(report.lines(found, run.failures, run.problems)),
            "markdown": lambda: markdown.document(found, run.failures, run.problems, dialect()),
            "json": lambda: json.dumps(run.document(report.data(shown(path), found, run.failures)), indent=2),
            "html": lambda: page.drift(found, run.failures, moment(), run.problems),
            "junit": lambda: drift_junit.document(found, run.failures, run.problems),
        },
    )
    run.exit()


def _written(overview: Overview) -> Written:
    """When lines of policy that may tell something were written, as far as git knows for certain."""
    writers = blame.writers(drifted.lines(overview))
    return {
        place: writer.at
        for place, writer in writers.items()
        if isinstance(writer, Commit) and writer.at is not None and not writer.or_earlier
    }
