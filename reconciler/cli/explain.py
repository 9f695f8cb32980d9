"""`reconciler explain`: what somebody has and should have, and why; or who has a role. Can't write."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click

from reconciler import explanation, overview, planning
from reconciler.cli import completion, note, terminal
from reconciler.cli.context import moment, reach
from reconciler.cli.options import format_option, ledgers_option
from reconciler.cli.reports import show_json
from reconciler.cli.run import Run, known_runs, prepare, proved
from reconciler.directories import choose
from reconciler.errors import ExitCode, SettingsError
from reconciler.explanation import Answer, Case, Explanation, Question, UnknownError
from reconciler.git import blame
from reconciler.history import PastRun
from reconciler.model import ORGANIZATION, Role, Scope
from reconciler.policy.document import Policy
from reconciler.ports import ProviderReader
from reconciler.report import explain as report
from reconciler.scim.client import Client
from reconciler.scim.reading import Readings

Asked = Callable[[Case], Sequence[Explanation]]
"""Looks up in one organization what was asked for. Raises UnknownError where there is no such thing."""

DEFAULT = "policies"


@click.command("explain")
@click.argument("words", metavar="[USER] [PATH]", nargs=-1, shell_complete=completion.person_or_folder)
@click.option("--role", type=click.Choice([str(role) for role in Role]), help="Who has this role.")
@click.option(
    "--project",
    metavar="PROJECT",
    help="Who has a role in this project.",
    shell_complete=completion.projects,
)
@click.option("--organization", is_flag=True, help="Who has a role in the organization itself.")
@ledgers_option
@format_option
@click.pass_context
def command(
    context: click.Context,
    words: tuple[str, ...],
    role: str | None,
    project: str | None,
    organization: bool,
    places: tuple[Path, ...],
    output: str,
) -> None:
    """Tell everything that a person has on the server and should have, and why. Writes nothing.

    USER is a userName, an id or an e-mail. With --role, --project or --organization the question is the
    other way round: who has this, and why; then no USER is named. PATH is the folder of an organization
    or a folder of such folders; `policies/` if none is given. The server is told by the environment, as
    for `plan`.

    Each reason comes with the line of policy that gives it, and with the commit that wrote the line where
    git can tell. Where there is a ledger, the run that wrote a role is told, too.

    \b
    Examples:
      reconciler explain dana@acme.example
      reconciler explain --project checkout --role admin

    \b
    Exit codes:
      0    done, also where something is not as it should be
      2    the command line or the environment is wrong, or there is no such
           person or project
      6    the policy is invalid
      7    the server or the directory could not be read whole
      130  interrupted

    Of several organizations, the gravest counts; one that does not know the person is passed over.
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    question = _question(role, project, organization)
    asked, path = _asked(words, question)
    if question is not None and words and not os.path.isdir(path):
        raise SettingsError(
            f"'{path}' is no folder of policies, and with these options no person is named",
            "leave --role, --project and --organization out to ask about one person",
        )
    inquiry = _Inquiry(asked, known_runs(context, places))
    run = Run.of(path)
    run.each(inquiry.work)
    inquiry.settle(run)
    writers = blame.writers(explanation.sources(one for answer in inquiry.answers for one in answer.people))
    if output == "json":
        show_json(run.document(report.data(inquiry.answers, question, writers, run.failures)))
    else:
        for number, answer in enumerate(inquiry.answers):
            terminal.show(([""] if number else []) + report.text(answer, question, writers))
    run.exit()


@dataclass(slots=True)
class _Inquiry:
    """What is asked of every organization, and what came of it."""

    asked: Asked
    runs: Sequence[PastRun]
    answers: list[Answer] = field(default_factory=list)
    unknown: list[tuple[str, UnknownError]] = field(default_factory=list)

    def work(self, policy: Policy) -> ExitCode:
        """Ask one organization. That it does not know whom is meant is kept, for another one may."""
        case = prepare(policy, self._read)
        try:
            self.answers.append(case.answer(self.asked(case)))
        except UnknownError as error:
            self.unknown.append((policy.organization.name, error))
        return ExitCode.DONE

    def settle(self, run: Run) -> None:
        """Where no organization knows whom is meant, that is a failure; else it is only said."""
        for organization, error in self.unknown:
            if self.answers:
                note(f"passed over: {error.message}")
            else:
                run.attempt(organization, partial(_fail, error))

    def _read(self, policy: Policy, client: Client, provider: ProviderReader, readings: Readings) -> Case:
        now = moment()
        past = proved(policy, provider.server, lambda: self.runs)
        with choose.opened(policy, client, readings, os.environ, reach()) as directory:
            sides = planning.read(policy, provider, directory, now, past)
        sides = planning.asserted(policy, sides, provider.server)
        return overview.case(policy, provider.server, sides, now, self.runs)


def _fail(error: UnknownError) -> ExitCode:
    raise error


def _question(role: str | None, project: str | None, organization: bool) -> Question | None:
    """What is asked for beside a person. Raises SettingsError where that makes no sense."""
    if organization and project is not None:
        raise SettingsError("--project and --organization are two questions", "ask one after the other")
    if role is None and project is None and not organization:
        return None
    scope = ORGANIZATION if organization else None if project is None else Scope(project)
    return Question(None if role is None else Role[role.upper()], scope)


def _asked(words: Sequence[str], question: Question | None) -> tuple[Asked, Path]:
    """How to look up what the command line asks for, and the folder of policies that it names."""
    if question is not None:
        if len(words) > 1:
            raise click.UsageError("with --role, --project or --organization, no USER is named")
        return (lambda case: explanation.holders(case, question)), Path(*words or (DEFAULT,))
    if not words:
        raise click.UsageError("name a USER, or ask with --role, --project or --organization")
    if len(words) > 2:
        raise click.UsageError(f"'{words[2]}' is one word too many")
    name = words[0]
    return (
        lambda case: [explanation.person(case, explanation.find(case, name))],
        Path(*words[1:] or (DEFAULT,)),
    )
