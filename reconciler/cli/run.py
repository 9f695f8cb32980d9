"""What `plan` and `apply` share: the policies of a path, the connections to their servers, one exit code."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from reconciler import planning, settings
from reconciler.cli import report_failure
from reconciler.directories.scim import ScimDirectory
from reconciler.errors import (
    ExitCode,
    GuardrailError,
    PartlyAppliedError,
    PolicyError,
    ReconcilerError,
    SettingsError,
)
from reconciler.naming import RoleNames
from reconciler.planning import Prepared
from reconciler.policy import source
from reconciler.policy.document import Organization, Policy
from reconciler.policy.files import shown
from reconciler.ports import ProviderReader
from reconciler.problem import Problem
from reconciler.report.data import Document
from reconciler.report.problems import record
from reconciler.scim.client import Client, open_client, open_writing_client
from reconciler.scim.provider import ScimProvider, ScimReader
from reconciler.scim.reading import Readings
from reconciler.settings import Connection

C = TypeVar("C", bound=Client)
P = TypeVar("P", bound=ProviderReader)

path_argument = click.argument(
    "path", metavar="[PATH]", default="policies", type=click.Path(path_type=Path, readable=False)
)
format_option = click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Text for people, or one JSON document, also where something failed.",
)

SEVERITY = (
    ExitCode.UNEXPECTED,
    ExitCode.USAGE,
    ExitCode.UNREADABLE,
    ExitCode.REFUSED,
    ExitCode.INVALID,
    ExitCode.PARTLY_APPLIED,
    ExitCode.DRIFT,
    ExitCode.DONE,
)
"""Which exit code is told where several organizations ended differently: the first of these."""


@dataclass(slots=True)
class Run:
    """One run over all organizations of a path. What fails in one of them does not stop the others."""

    policies: tuple[Policy, ...]
    problems: tuple[Problem, ...] = ()
    """What is wrong with the policy files; then there are no policies."""
    codes: list[ExitCode] = field(default_factory=list)
    failures: list[tuple[str, ReconcilerError]] = field(default_factory=list)
    stopped: bool = False
    """Whether somebody asked to stop, so that no further organization is begun."""

    @classmethod
    def of(cls, path: Path) -> "Run":
        """Every problem of every policy file is told before any server is asked.

        Raises SettingsError for a single file: the rest of its organization would read as "nobody".
        """
        if path.exists() and not path.is_dir():
            raise SettingsError(
                f"{shown(path)} is no folder, and a plan is of an organization as a whole",
                "name the folder that holds its organization.yaml",
            )
        try:
            return cls(source.load_all([path]).policies)
        except PolicyError as error:
            report_failure(error)
            return cls((), error.problems, [error.exit_code])

    def each(self, work: Callable[[Policy], ExitCode]) -> None:
        """Do the work for every organization, and keep how each ended."""
        for policy in self.policies:
            name = policy.organization.name
            try:
                if self.stopped:
                    raise PartlyAppliedError(f"{name} was not begun: the run was interrupted before it")
                self.codes.append(work(policy))
            except ReconcilerError as error:
                report_failure(error)
                self.failures.append((name, error))
                self.codes.append(error.exit_code)

    def show(self, document: Document) -> None:
        """Print the run as one JSON document, with the problems of the policy files where there are any."""
        click.echo(json.dumps({**document, "problems": [record(one) for one in self.problems]}, indent=2))

    def exit(self) -> None:
        """End the program with the gravest code of all organizations."""
        sys.exit(worst(self.codes))


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The gravest of several exit codes; DONE of none."""
    return min(codes, key=SEVERITY.index, default=ExitCode.DONE)


def prepare(policy: Policy) -> Prepared:
    """Read both sides and plan, with a client that cannot write."""
    with open_client(_connection(policy)) as client:
        return _prepared(policy, client, ScimReader)[0]


@contextmanager
def prepared_to_write(policy: Policy) -> Iterator[tuple[Prepared, ScimProvider]]:
    """The same with the provider that can carry the plan out."""
    with open_writing_client(_connection(policy)) as client:
        yield _prepared(policy, client, ScimProvider)


def refuse(prepared: Prepared) -> None:
    """Raise GuardrailError where a guardrail is broken: not one write is sent then."""
    if prepared.violations:
        names = ", ".join(violation.guardrail for violation in prepared.violations)
        raise GuardrailError(
            f"nothing was written to {prepared.plan.organization}: refused by {names}",
            prepared.violations[0].remedy,
        )


def _prepared(
    policy: Policy, client: C, provider_of: Callable[[C, RoleNames, Organization, Readings], P]
) -> tuple[Prepared, P]:
    organization = policy.organization
    readings = Readings(client)
    provider = provider_of(client, RoleNames(organization), organization, readings)
    directory = ScimDirectory(client, organization.directory, readings)
    return planning.prepare(policy, provider, directory, datetime.now(UTC)), provider


def _connection(policy: Policy) -> Connection:
    return settings.connection(policy.organization.name, os.environ)
