"""`--notify`: who is told what a run came to, checked before it begins and told after it ended."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import click

from reconciler import origin, settings
from reconciler.cli import interrupts, note
from reconciler.cli.context import reach
from reconciler.cli.run import Run
from reconciler.errors import PolicyError, ReconcilerError, SettingsError, worst
from reconciler.notifications import sending, summary
from reconciler.notifications.summary import Results, Summary
from reconciler.settings import webhooks
from reconciler.settings.webhooks import Destination

F = TypeVar("F", bound=Callable[..., Any])

TOGETHER = 30.0
"""So many seconds all notifications of a run may take."""


class When(StrEnum):
    """What is worth a notification."""

    CHANGES = "changes"
    ALWAYS = "always"
    NEVER = "never"


option = click.option(
    "--notify",
    "when",
    type=click.Choice([one.value for one in When]),
    default=When.CHANGES.value,
    show_default=True,
    help="When to tell the webhooks that the environment names: where something changed, differs or failed; "
    "always; or never.",
)


@dataclass(frozen=True, slots=True)
class Notifier:
    """Whom a command tells, and when."""

    command: str
    when: When
    destinations: tuple[Destination, ...] = ()

    @classmethod
    def of(cls, command: str, run: Run, when: str) -> "Notifier":
        """Whom the environment names. Raises SettingsError where it does so wrongly: nothing was done yet."""
        asked = When(when)
        if asked is When.NEVER:
            return cls(command, asked)
        if not run.shard.is_all and not _first_to_tell(run):
            return cls(command, When.NEVER)
        found = webhooks.destinations([one.organization.name for one in run.policies], os.environ)
        if asked is When.ALWAYS and not found and not run.problems and not run.elsewhere:
            raise SettingsError(
                "--notify always, and the environment names no webhook",
                f"set {webhooks.SLACK}, or {webhooks.URL} and {webhooks.SECRET}",
            )
        return cls(command, asked, found)

    def tell(self, run: Run, results: Results, path: Path) -> None:
        """Tell what a run came to. Whatever happens meanwhile is said, and changes nothing of it.

        `path` is where the policy was looked for.
        """
        if not self.destinations:
            return
        with _unharmed():
            self._tell(_summary(self.command, run, results, path))

    def _tell(self, told: Summary) -> None:
        by = reach()
        end = by.waiting.clock() + TOGETHER
        for destination in self.destinations:
            part = told.of(destination.organizations)
            if part.quiet and self.when is When.CHANGES:
                continue
            left = min(sending.SECONDS, end - by.waiting.clock())
            _post(destination, part, left)


def _first_to_tell(run: Run) -> bool:
    """Whether a shard has something to tell: of its organizations; the first, of files that all have read."""
    return bool(run.policies) or (bool(run.problems) and run.shard.index == 0)


def _post(destination: Destination, told: Summary, seconds: float) -> None:
    hook = destination.hook
    where = f"{sending.address(hook)} ({hook.name})"
    if seconds <= 0:
        _say(where, "the other notifications took too long")
        return
    try:
        missed = sending.post(hook, told, settings.authorities(os.environ), reach(), seconds)
    except ReconcilerError as error:
        _say(where, error.message, error.hint)
        return
    if missed is None:
        note(f"notified {where}")
    else:
        _say(where, missed.reason, missed.hint)


def _say(where: str, reason: str, hint: str = "") -> None:
    note(f"no notification to {where}: {reason}")
    if hint:
        note(f"hint: {hint}")


def _summary(command: str, run: Run, results: Results, path: Path) -> Summary:
    failures = list(run.failures)
    if run.problems:
        failures.append(("", _invalid(run)))
    folder = Path(run.policies[0].organization.at.file).parent if run.policies else path
    return summary.made(command, results, failures, worst(run.codes), origin.of(os.environ, folder))


def _invalid(run: Run) -> ReconcilerError:
    error = PolicyError(run.problems)
    error.hint = f"the first is {run.problems[0]}"
    return error


@contextmanager
def _unharmed() -> Iterator[None]:
    """Nothing that goes wrong in here is a failure of the run, whose writes and their record are done."""
    with interrupts.noted():
        try:
            yield
        except KeyboardInterrupt:
            note("no further notification: interrupted")
        except Exception as error:  # a bug, which must not turn a run that went well into one that failed
            note(f"no notification: unexpected {type(error).__name__}")
