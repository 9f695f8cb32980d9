"""What `plan` and `apply` share: the policies of a path, the connections to their servers, one exit code."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click

from reconciler import planning, settings
from reconciler.cli import report_failure
from reconciler.directories.scim import ScimDirectory
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.naming import RoleNames
from reconciler.planning import Prepared
from reconciler.policy import source
from reconciler.policy.document import Policy
from reconciler.scim.client import open_client, open_writing_client
from reconciler.scim.provider import ScimProvider, ScimReader
from reconciler.scim.reading import Readings

path_argument = click.argument(
    "path", metavar="[PATH]", default="policies", type=click.Path(path_type=Path, readable=False)
)
format_option = click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Text for people, or one JSON document.",
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
class Session:
    """One run over all organizations of a path. What fails in one of them does not stop the others."""

    policies: tuple[Policy, ...]
    codes: list[ExitCode] = field(default_factory=list)
    failures: list[tuple[str, ReconcilerError]] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path) -> "Session":
        """Raises PolicyError with every problem of every policy file, before any server is asked."""
        return cls(source.load_all([path]).policies)

    def each(self, work: Callable[[Policy], ExitCode]) -> None:
        """Do the work for every organization, and keep how each ended."""
        for policy in self.policies:
            try:
                self.codes.append(work(policy))
            except ReconcilerError as error:
                report_failure(error)
                self.failures.append((policy.organization.name, error))
                self.codes.append(error.exit_code)

    def exit(self) -> None:
        """End the program with the gravest code of all organizations."""
        sys.exit(worst(self.codes))


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The gravest of several exit codes; DONE of none."""
    return min(codes, key=SEVERITY.index, default=ExitCode.DONE)


def prepare(policy: Policy) -> Prepared:
    """Read both sides and plan, with a client that cannot write."""
    organization = policy.organization
    connection = settings.connection(organization.name, os.environ)
    with open_client(connection) as client:
        readings = Readings(client)
        provider = ScimReader(client, RoleNames(organization), organization, readings)
        directory = ScimDirectory(client, organization.directory, readings)
        return planning.prepare(policy, provider, directory, datetime.now(UTC))


@contextmanager
def prepared_to_write(policy: Policy) -> Iterator[tuple[Prepared, ScimProvider]]:
    """The same with the provider that can carry the plan out."""
    organization = policy.organization
    connection = settings.connection(organization.name, os.environ)
    with open_writing_client(connection) as client:
        readings = Readings(client)
        provider = ScimProvider(client, RoleNames(organization), organization, readings)
        directory = ScimDirectory(client, organization.directory, readings)
        yield planning.prepare(policy, provider, directory, datetime.now(UTC)), provider
