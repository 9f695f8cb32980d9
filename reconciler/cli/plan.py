"""`reconciler plan`: who would gain and lose what, and why. Has no way to write."""

import json
from pathlib import Path

import click

from reconciler.cli import terminal
from reconciler.cli.session import Session, format_option, path_argument, prepare
from reconciler.errors import ExitCode
from reconciler.planning import Prepared
from reconciler.policy.document import Policy
from reconciler.report import data


@click.command("plan")
@path_argument
@click.option("--exit-code", is_flag=True, help="Exit 3 where there is drift, be it written or withheld.")
@format_option
def command(path: Path, exit_code: bool, output: str) -> None:
    """Show what would change, people first. Writes nothing.

    PATH is the folder of an organization or a folder of such folders; `policies/` if none is given.
    The server is named by CIRCLECI_SCIM_URL and CIRCLECI_SCIM_TOKEN, also with the organization's name in
    front: ACME_CIRCLECI_SCIM_URL.

    Exits 0, or 3 with --exit-code where there is drift, 4 where a guardrail refuses the plan, 6 where the
    policy is invalid or names what does not exist, 7 where the server could not be read whole.
    """
    session = Session.of(path)
    plans: list[Prepared] = []

    def work(policy: Policy) -> ExitCode:
        prepared = prepare(policy)
        plans.append(prepared)
        if output == "text":
            terminal.show_plan(prepared, first=len(plans) == 1)
        return code(prepared, exit_code)

    session.each(work)
    if output == "json":
        click.echo(json.dumps(data.plans(plans, session.failures), indent=2))
    session.exit()


def code(prepared: Prepared, exit_code: bool) -> ExitCode:
    """How a plan ends the program."""
    if prepared.violations:
        return ExitCode.REFUSED
    if prepared.plan.problems:
        return ExitCode.INVALID
    return ExitCode.DRIFT if exit_code and prepared.plan.drifted else ExitCode.DONE
