"""What commands that plan share: the policies of a path, the connections to their servers, one exit code."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import click
from click.core import ParameterSource

from reconciler import history, ledger, overview, planning, settings
from reconciler.cli import note, redacted, report_failure
from reconciler.cli.context import moment, reach
from reconciler.directories import choose
from reconciler.directories.scim import ScimDirectory
from reconciler.errors import (
    ExitCode,
    LedgerError,
    PartlyAppliedError,
    PolicyError,
    ReconcilerError,
    SettingsError,
    worst,
)
from reconciler.history import PastRun
from reconciler.naming import RoleNames
from reconciler.overview import Overview
from reconciler.people import lifecycle
from reconciler.people.population import Past
from reconciler.planning import Prepared, Survey
from reconciler.policy import source
from reconciler.policy.document import DirectoryKind, DirectorySettings, Organization, Policy
from reconciler.policy.files import shown
from reconciler.ports import ProviderReader
from reconciler.problem import Problem
from reconciler.redaction import Redaction
from reconciler.report.data import Document
from reconciler.report.problems import record
from reconciler.scim.client import Client, open_client, open_writing_client
from reconciler.scim.provider import ScimProvider, ScimReader
from reconciler.scim.reading import Readings
from reconciler.settings import Connection

C = TypeVar("C", bound=Client)
P = TypeVar("P", bound=ProviderReader)
T = TypeVar("T")

Planner = Callable[[Policy, Client, ProviderReader, Readings], Prepared]
"""Makes a plan for an organization, by what its client, its provider and their readings tell."""


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
    def of(cls, path: Path, redaction: Redaction | None = None) -> "Run":
        """Every problem of every policy file is told before any server is asked; with a redaction, its place.

        Raises SettingsError for a single file: the rest of its organization would read as "nobody".
        """
        if os.path.exists(path) and not os.path.isdir(path):
            raise SettingsError(
                f"{shown(path)} is no folder, and a plan is of an organization as a whole",
                "name the folder that holds its organization.yaml",
            )
        try:
            with redacted.withheld(redaction):
                return cls(source.load_all([path], now=moment()).policies)
        except PolicyError as error:
            report_failure(error)
            return cls((), error.problems, [error.exit_code])

    def each(self, work: Callable[[Policy], ExitCode]) -> None:
        """Do the work for every organization, and keep how each ended."""
        for policy in self.policies:
            self.attempt(policy.organization.name, partial(work, policy))

    def attempt(self, organization: str, work: Callable[[], ExitCode]) -> None:
        """Do some work for one organization, unless somebody asked to stop, and keep how it ended."""
        try:
            if self.stopped:
                raise PartlyAppliedError(f"{organization} was not begun: the run was interrupted before it")
            self.codes.append(work())
        except ReconcilerError as error:
            report_failure(error)
            self.failures.append((organization, error))
            self.codes.append(error.exit_code)

    def only(self, organization: str) -> "Run":
        """The same for one organization alone. Raises SettingsError where there is no such policy."""
        if self.problems:
            return self
        self.policies = tuple(one for one in self.policies if one.organization.name == organization)
        if not self.policies:
            raise SettingsError(f"there is no policy of {organization} here", "name its folder as PATH")
        return self

    def document(self, content: Document) -> Document:
        """The run as one document, with the problems of the policy files where there are any."""
        return {**content, "problems": [record(one) for one in self.problems]}

    def exit(self) -> None:
        """End the program with the gravest code of all organizations."""
        sys.exit(worst(self.codes))


def check(prepared: Prepared) -> None:
    """Raise GuardrailError where a guardrail is broken, PolicyError where not all of it could be resolved."""
    planning.refuse(prepared)
    if prepared.plan.problems:
        raise PolicyError(prepared.plan.problems)


def prepare(policy: Policy, work: Callable[[Policy, Client, ProviderReader, Readings], T]) -> T:
    """Read what the work needs, such as planning, and do it, with a client that cannot write."""
    by = reach()
    with open_client(_connection(policy), transport=by.transport, patience=by.waiting) as client:
        return _prepared(policy, client, ScimReader, work)[0]


@contextmanager
def prepared_to_write(policy: Policy, plan: Planner) -> Iterator[tuple[Prepared, ScimProvider]]:
    """The same with the provider that can carry the plan out."""
    by = reach()
    with open_writing_client(_connection(policy), transport=by.transport, patience=by.waiting) as client:
        yield _prepared(policy, client, ScimProvider, plan)


def planned(
    policy: Policy,
    client: Client,
    provider: ProviderReader,
    readings: Readings,
    *,
    ledger_path: Path,
    as_of: datetime | None = None,
) -> Prepared:
    """The plan that brings the server to what the policy asks for, now or as of another moment (aware).

    The ledger is read for what it proves of the past, as far as that matters.
    """
    survey = _surveyed(policy, client, provider, readings, as_of or moment(), lambda: _runs(ledger_path))
    return replace(survey.prepared, as_of=as_of)


def overviewed(
    policy: Policy,
    client: Client,
    provider: ProviderReader,
    readings: Readings,
    *,
    runs: Sequence[PastRun],
) -> Overview:
    """The same plan, with both sides and what the ledger tells of the past: all that a report may show."""
    now = moment()
    survey = _surveyed(policy, client, provider, readings, now, lambda: runs)
    return overview.of(policy, provider.server, survey, now, runs)


def known_runs(context: click.Context, ledger_path: Path) -> Sequence[PastRun]:
    """The runs of the ledger: evidence where there is one, and nothing that is written depends on it.

    A ledger that was tampered with is said, and tells nothing. Raises SettingsError where the ledger that
    was asked for can't be read.
    """
    given = context.get_parameter_source("ledger_path") is not ParameterSource.DEFAULT
    if not given and not os.path.lexists(ledger_path):
        return ()
    try:
        return ledger.sound(ledger_path).runs
    except LedgerError as error:
        note(f"no run is told: {error.message}")
        return ()


def proved(policy: Policy, server: str, runs: Callable[[], Sequence[PastRun]]) -> Past | None:
    """What the runs of a ledger prove of accounts on a server; they are asked for where that matters."""
    organization = policy.organization
    if not lifecycle.needs_past(organization):
        return None
    told = runs()
    return Past(
        history.deactivated(told, organization.name, server=server),
        history.told_leavers(told, organization.name, server=server),
    )


def _runs(ledger_path: Path) -> Sequence[PastRun]:
    """The runs of a ledger, none where there is no ledger yet.

    Raises LedgerError where a record of it was edited, removed or moved.
    """
    return ledger.past(ledger_path) if os.path.lexists(ledger_path) else ()


def _surveyed(
    policy: Policy,
    client: Client,
    provider: ProviderReader,
    readings: Readings,
    now: datetime,
    runs: Callable[[], Sequence[PastRun]],
) -> Survey:
    past = proved(policy, provider.server, runs)
    is_own = policy.organization.directory.kind is DirectoryKind.SCIM
    pushed = None if is_own else ScimDirectory(client, DirectorySettings(), readings)
    with choose.opened(policy, client, readings, os.environ, reach()) as directory:
        return planning.survey(policy, provider, directory, now, past, pushed)


def _prepared(
    policy: Policy,
    client: C,
    provider_of: Callable[[C, RoleNames, Organization, Readings], P],
    work: Callable[[Policy, Client, ProviderReader, Readings], T],
) -> tuple[T, P]:
    organization = policy.organization
    readings = Readings(client)
    provider = provider_of(client, RoleNames(organization), organization, readings)
    return work(policy, client, provider, readings), provider


def _connection(policy: Policy) -> Connection:
    return settings.connection(policy.organization.name, os.environ)
