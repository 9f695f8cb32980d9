"""`reconciler apply`: carry the plan out. The only command that writes to a provider."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from reconciler import apply
from reconciler.change import Outcome, Result
from reconciler.cli import terminal
from reconciler.cli.session import Session, format_option, path_argument, prepared_to_write
from reconciler.errors import ExitCode, GuardrailError
from reconciler.planning import Prepared
from reconciler.policy.document import Policy
from reconciler.report import data


@click.command("apply")
@path_argument
@format_option
def command(path: Path, output: str) -> None:
    """Converge the server with the policy: plan, check the guardrails, write, read back.

    PATH is the folder of an organization or a folder of such folders; `policies/` if none is given.
    The server is named as for `plan`.

    Exits 0 where all is as the policy says, 4 where a guardrail refuses the plan (nothing is written), 6
    where the policy is invalid, 7 where the server could not be read whole (nothing is written), 8 where
    only a part of it came about.
    """
    session = Session.of(path)
    runs: list[tuple[Prepared, Sequence[Outcome]]] = []

    def work(policy: Policy) -> ExitCode:
        with prepared_to_write(policy) as (prepared, provider):
            if output == "text":
                terminal.show_plan(prepared, first=not runs)
            refuse(prepared)
            with terminal.progress(len(prepared.plan.changes)) as step:
                minimum = policy.organization.guardrails.minimum_admins
                outcomes = apply.carry_out(prepared.plan, provider, prepared.live, minimum, step)
        runs.append((prepared, outcomes))
        if output == "text":
            terminal.show_outcomes(outcomes)
        return code(prepared, outcomes)

    session.each(work)
    if output == "json":
        click.echo(json.dumps(data.applied(runs, session.failures), indent=2))
    session.exit()


def refuse(prepared: Prepared) -> None:
    """Raise GuardrailError where a guardrail is broken: not one write is sent then."""
    if prepared.violations:
        names = ", ".join(violation.guardrail for violation in prepared.violations)
        raise GuardrailError(
            f"nothing was written to {prepared.plan.organization}: refused by {names}",
            prepared.violations[0].remedy,
        )


def code(prepared: Prepared, outcomes: Sequence[Outcome]) -> ExitCode:
    """How a run ends the program: everything, or only a part of it."""
    whole = all(outcome.result is Result.APPLIED for outcome in outcomes)
    return ExitCode.DONE if whole and not prepared.plan.problems else ExitCode.PARTLY_APPLIED
