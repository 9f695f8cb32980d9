"""`reconciler review`: the evidence of an access review, for an auditor. Can't write to a server."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click

from reconciler import evidence, evidencefile, ledgers, origin
from reconciler.cli import report_failure, reports
from reconciler.cli.context import moment
from reconciler.cli.options import ledgers_option, path_argument
from reconciler.cli.reports import show_json
from reconciler.cli.run import Run, asked_for, overviewed, prepare
from reconciler.errors import EvidenceError, ExitCode, PolicyError
from reconciler.evidence import FORMAT, Dossier
from reconciler.git import approval, blame
from reconciler.git.commits import Commit
from reconciler.history import START
from reconciler.ledgers import Sound
from reconciler.overview import Overview
from reconciler.policy.document import Policy
from reconciler.policy.files import shown
from reconciler.report import review, spreadsheet
from reconciler.report.data import failure
from reconciler.report.page import review as review_page
from reconciler.report.plain import printable

DIRTY = "-dirty"


@click.command("review")
@path_argument
@click.option(
    "--verify",
    "kept",
    metavar="FILE",
    type=click.Path(path_type=Path, readable=False),
    help="Check that evidence in JSON is as it was written, and of this ledger where there is one. Asks no "
    "server.",
)
@ledgers_option
@reports.options("text", "csv", "json", "html")
@click.pass_context
def command(
    context: click.Context,
    path: Path,
    kept: Path | None,
    places: tuple[Path, ...],
    output: str,
    files: tuple[Path, ...],
) -> None:
    """Write the evidence of an access review: who has what and why, who let it in, what is exceptional.

    PATH is the folder of an organization or a folder of such folders; `policies/` if none is given. The
    server is told by the environment, as for `plan`. Writes nothing but the files that --report names.

    Text sums up and lists what is out of the ordinary. CSV has a row for each person and scope. JSON has
    everything. HTML is a page to go through and to sign on paper. Each carries one digest, of the evidence
    together with commit, policy and ledger.

    \b
    Examples:
      reconciler review policies/acme --report review.csv --report review.json
      reconciler review --verify review.json

    \b
    Exit codes:
      0    done, whatever is exceptional; with --verify, the evidence is as it
           was written
      1    the ledger was tampered with, so no evidence is built on it; with
           --verify, the evidence was
      2    the command line or the environment is wrong
      6    the policy is invalid, or names what does not exist
      7    the server or the directory could not be read whole
      130  interrupted
    Of several organizations, the gravest counts.
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    paths = asked_for(context, places)
    told = ledgers.sound(paths) if paths else None
    if kept is not None:
        if output != "text" or files:
            raise click.UsageError("--verify has no report: it goes without --format and --report.")
        _verify(kept, told, paths or ledgers.files(places))
        return
    run, reading = Run.of(path), _Reading(told)
    run.each(reading.work)
    if reading.overviews:
        dossier = reading.dossier(path, run)
        document = review.data(dossier)
        digest = str(document["digest"])
        reports.deliver(
            output,
            files,
            {
                "text": lambda: "\n".join(review.text(dossier, digest)),
                "csv": lambda: spreadsheet.rows(dossier, digest),
                "json": lambda: review.as_json(document),
                "html": lambda: review_page.page(dossier, digest),
            },
        )
    else:
        _nothing(run, output)
    run.exit()


@dataclass(slots=True)
class _Reading:
    """Every organization as far as it could be read."""

    ledger: Sound | None
    overviews: list[Overview] = field(default_factory=list)

    def work(self, policy: Policy) -> ExitCode:
        """Read one organization. What could not be resolved is said, and a part of the evidence."""
        runs = self.ledger.runs if self.ledger else ()
        overview = prepare(policy, partial(overviewed, runs=runs))
        self.overviews.append(overview)
        if problems := overview.case.desired.problems:
            report_failure(PolicyError(problems))
            return ExitCode.INVALID
        return ExitCode.DONE

    def dossier(self, path: Path, run: Run) -> Dossier:
        """The evidence of all that was read, with what git tells of it."""
        writers = blame.writers(at for overview in self.overviews for at in evidence.places(overview))
        approvals = approval.of(path, (one for one in writers.values() if isinstance(one, Commit)))
        made = origin.of(os.environ, path)
        commit = origin.commit(path) or made.commit
        return Dossier(
            tuple(evidence.of(overview, writers, approvals) for overview in self.overviews),
            moment(),
            commit.removesuffix(DIRTY) if commit else None,
            bool(commit and commit.endswith(DIRTY)),
            made.who,
            made.pipeline,
            " ".join(self.ledger.heads) if self.ledger else None,
            tuple(run.failures),
        )


def _nothing(run: Run, output: str) -> None:
    """Where not one organization could be read there is no evidence, and no file that could pass for it."""
    if output == "json":
        failures = [failure(organization, error) for organization, error in run.failures]
        show_json(run.document({"format": FORMAT, "organizations": [], "failures": failures}))
    click.echo("no evidence was written", err=True)


def _verify(path: Path, told: Sound | None, paths: Sequence[Path]) -> None:
    """Tell what a file of evidence is. Raises EvidenceError where it is not what it was."""
    kept = evidencefile.read(path)
    if not kept.whole:
        raise EvidenceError(
            f"{shown(path)} is not as it was written: it says digest {kept.digest}, and has {kept.computed}",
            "keep it, and take the one that the pipeline stored",
        )
    heads = [] if kept.head is None else kept.head.split(" ")
    missing = [] if told is None else [one for one in heads if one not in told.hashes and one != START]
    if missing:
        raise EvidenceError(
            f"the ledger {_named(paths)} has no record {', '.join(missing)}, "
            f"on which {shown(path)} was built",
            "name the ledger that it was built on with --ledger",
        )
    lines = [f"{shown(path)} is as it was written", f"digest  {kept.digest}", f"made    {kept.made}"]
    lines.append(f"commit  {kept.commit or 'unknown'}")
    lines.append(f"ledger  {_of_ledger(kept.head, told, paths)}")
    for line in lines:
        click.echo(printable(line))


def _named(paths: Sequence[Path]) -> str:
    return ", ".join(map(shown, paths))


def _of_ledger(head: str | None, told: Sound | None, paths: Sequence[Path]) -> str:
    if head is None:
        return "none was read for it"
    if told is None:
        return f"{head}, not looked for: there is no {_named(paths)}"
    return f"{head}, {_records(head)} of {_named(paths)}"


def _records(head: str) -> str:
    """What the hashes of the last records are, of one ledger or of several."""
    if set(head.split(" ")) == {START}:
        return "no record yet"
    return "a record" if " " not in head else "records"
