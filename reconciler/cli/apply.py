"""`reconciler apply`: carry the plan out. The only command that writes to a provider."""

from collections.abc import Sequence
from pathlib import Path

import click

from reconciler import apply
from reconciler.change import Outcome, Result
from reconciler.cli import interrupts, terminal
from reconciler.cli.run import Run, format_option, path_argument, prepared_to_write, refuse
from reconciler.errors import ExitCode, PartlyAppliedError
from reconciler.planning import Prepared
from reconciler.policy.document import Policy
from reconciler.ports import Provider
from reconciler.report import data
from reconciler.report.problems import counted

LOOK = "`reconciler plan` shows what is left to do"


@click.command("apply")
@path_argument
@format_option
def command(path: Path, output: str) -> None:
    """Converge the server with the policy: plan, check the guardrails, write, read back.

    PATH is the folder of an organization or a folder of such folders; `policies/` if none is given.
    The server is told by the environment, as for `plan`.

    An interrupt (Ctrl-C) ends the writing, not the account of it: what was written is read back and
    told, and so is what was not.

    \b
    Exit codes:
      0    done: everything is as the policy says, or as far as its mode goes
      2    the command line or the environment is wrong
      4    a guardrail refuses the plan; nothing was written
      6    the policy is invalid; nothing was written
      7    the server could not be read whole; nothing was written
      8    applied in part: a change failed, or the policy names what does not exist
      130  interrupted while a server was read; that one was not written to
    Of several organizations, the gravest counts.
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    run = Run.of(path)
    runs: list[tuple[Prepared, Sequence[Outcome]]] = []

    def work(policy: Policy) -> ExitCode:
        with prepared_to_write(policy) as (prepared, provider):
            if output == "text":
                terminal.show_plan(prepared, first=not runs)
            outcomes: list[Outcome] = []
            runs.append((prepared, outcomes))
            refuse(prepared)
            outcomes += carry_out(run, prepared, provider, policy.organization.guardrails.minimum_admins)
        if output == "text":
            terminal.show_outcomes(outcomes)
        check(prepared, outcomes)
        return ExitCode.DONE

    run.each(work)
    if output == "json":
        run.show(data.applied(runs, run.failures))
    run.exit()


def carry_out(run: Run, prepared: Prepared, provider: Provider, minimum: int) -> Sequence[Outcome]:
    """Write, and begin no other organization if somebody asks to stop meanwhile."""
    plan = prepared.plan
    with interrupts.noted() as interrupted:
        try:
            with terminal.progress(len(plan.changes)) as step:
                return apply.carry_out(plan, provider, prepared.live, minimum, step)
        except KeyboardInterrupt:
            raise PartlyAppliedError(f"interrupted while {plan.organization} was written to", LOOK) from None
        finally:
            run.stopped = interrupted()


def check(prepared: Prepared, outcomes: Sequence[Outcome]) -> None:
    """Raise PartlyAppliedError where a run was not all that the policy asks for."""
    organization = prepared.plan.organization
    missed = sum(outcome.result is not Result.APPLIED for outcome in outcomes)
    if missed:
        raise PartlyAppliedError(
            f"{missed} of {counted(len(outcomes), 'change')} to {organization} did not come about", LOOK
        )
    if prepared.plan.problems:
        problems = counted(len(prepared.plan.problems), "problem")
        raise PartlyAppliedError(
            f"{problems} kept the policy of {organization} from being applied whole", LOOK
        )
