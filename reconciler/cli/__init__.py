"""The command line: one file per command, loaded when it is called; and the one place that exits.

What is slow to load, here and in the commands, is imported where it is used: `--help`, a mistake or a word to
be completed is answered at once.
"""

import errno
import gc
import importlib
import keyword
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, NoReturn

import click

from reconciler.errors import ExitCode, PolicyError, ReconcilerError, StaleError
from reconciler.report.plain import printable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a system says of a disk that takes no more."""

COLLECTION = (1_000_000, 50, 50)
"""How rarely garbage is collected: what a run reads lives to its end, and is searched in vain."""

OWED = "reconciler.owed"
"""In the `meta` of a context: whether standard output is still owed its one document of JSON."""

COMMANDS = {
    "validate": "check policy files: schema and meaning",
    "plan": "show what would change, write nothing",
    "diff": "show what an edit of policy means for people",
    "apply": "converge the server with the policy",
    "drift": "report what differs, how and since when; write nothing",
    "explain": "tell what somebody has and should have, and why",
    "review": "write the evidence of an access review, for an auditor",
    "import": "write a policy from what is live, to start from",
    "comment": "show a report on the pull request, in one comment that is edited",
    "undo": "plan the way back from a run",
    "history": "list past runs, show one, verify the ledger",
    "doctor": "check token, server, roles and directory; write nothing",
    "sandbox": "run a SCIM server on loopback, alone or around a command",
    "schema": "print a JSON Schema of policies, plans or exports",
}
"""Each command's name, which is also its module's (`import_` for one), and its one line of help."""

SECTIONS = {
    "Write policy": ("import", "validate", "schema"),
    "Look before anything changes": ("plan", "diff", "drift", "comment"),
    "Change": ("apply", "undo"),
    "Answer who has what, and why": ("explain", "review", "history"),
    "Set up": ("doctor", "sandbox"),
}
"""The commands by what somebody wants to do."""

FIRST_STEPS = {
    "reconciler sandbox -- sh": "a shell with a server to try things on",
    "reconciler doctor": "is everything fit for a run?",
    "reconciler plan": "who would gain and lose what",
    "reconciler COMMAND --help": "what a command does, with examples",
}


class Commands(click.Group):
    """Imports a command's module only when that command is wanted: `--help` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command = importlib.import_module(f"reconciler.cli.{module}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:<8}", COMMANDS[name]) for name in names if name in COMMANDS])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("First steps"):
            formatter.write_dl(list(FIRST_STEPS.items()))
        formatter.write_paragraph()
        formatter.write_text(
            "The server is told by CIRCLECI_SCIM_URL and CIRCLECI_SCIM_TOKEN. docs/tutorial.md leads from "
            "nothing to an organization that is as its policy says; docs/README.md has all other pages."
        )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Names of commands without importing them, and the options."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=about) for name, about in COMMANDS.items()]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [one for one in names if one.value.startswith(incomplete)] + options

    def main(self, *args: Any, **more: Any) -> Any:
        """The outermost boundary: standard output may be a file on a disk that is full, also for `--help`."""
        try:
            return super().main(*args, **more)
        except OSError as error:
            if error.errno not in FULL:
                raise
            _drop_output()
            with suppress(OSError):  # standard error may be on the same disk
                click.echo(
                    f"error: the result could not be written: {(error.strerror or '').lower()}", err=True
                )
            sys.exit(ExitCode.UNEXPECTED)

    def invoke(self, ctx: click.Context) -> Any:
        """The boundary: an expected failure becomes words on standard error and an exit code.

        Where a document was asked for and is still owed, the failure is that document.
        """
        try:
            return super().invoke(ctx)
        except ReconcilerError as error:
            if ctx.meta.get(OWED):
                _show_failure(error.message, error.hint, error.exit_code)
            fail(error)
        except click.UsageError as error:
            if ctx.meta.get(OWED):
                _show_failure(error.format_message(), "", ExitCode.USAGE)
            raise
        except KeyboardInterrupt:
            click.echo("error: interrupted", err=True)
            sys.exit(INTERRUPTED)


def _show_failure(message: str, hint: str, exit_code: ExitCode) -> None:
    """Print what kept a command from beginning, as each organization's failures are told in JSON."""
    import json

    failure = {"organization": None, "message": message, "hint": hint, "exit_code": int(exit_code)}
    click.echo(json.dumps({"format": "reconciler.failure/1", "failures": [failure]}, indent=2))


def _drop_output() -> None:
    """Let go of what could not be written, or Python tries again at its end and says so in its own words."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(error: ReconcilerError) -> NoReturn:
    """Print an expected failure and exit with its code."""
    report_failure(error)
    sys.exit(error.exit_code)


def report_failure(error: ReconcilerError) -> None:
    """Print an expected failure on standard error: its problems if it has any, what it is, the next step."""
    if isinstance(error, PolicyError):
        for problem in error.problems:
            click.echo(printable(str(problem)), err=True)
    if isinstance(error, StaleError):
        for difference in error.differences:
            click.echo(printable(difference), err=True)
    click.echo(f"error: {printable(error.message)}", err=True)
    if error.hint:
        click.echo(f"hint: {printable(error.hint)}", err=True)


def note(line: str) -> None:
    """Say something on standard error in the middle of a run."""
    try:
        print(printable(line), file=sys.stderr, flush=True)
    except OSError:  # that nobody can read it any more must not end a run half-way
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="reconciler")
@click.option("--debug", is_flag=True, help="Tell each request on standard error.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """CircleCI access as code: reconcile a policy in git with a SCIM 2.0 service provider."""
    if debug:
        from reconciler.cli import debugging

        context.with_resource(debugging.told())


def main() -> NoReturn:
    """Run the command line and exit with a code of `ExitCode`."""
    gc.set_threshold(*COLLECTION)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the shell closed it (`>&-`): nobody reads, and the run goes on
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (until the end)
    if isinstance(sys.stdout, TextIOWrapper):
        # Names have letters that the encoding of a terminal may lack.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        cli(prog_name="reconciler")
    finally:
        gc.freeze()  # the end of the program would search it all once more
    sys.exit(ExitCode.DONE)
