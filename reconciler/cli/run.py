"""What commands that plan share: the policies of a path, the connections to their servers, one exit code."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.core import ParameterSource

from reconciler import ledgers, planning, settings, shards
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
from reconciler.naming import RoleNames
from reconciler.people import lifecycle
from reconciler.people.population import Past
from reconciler.phrases import counted
from reconciler.planning import Prepared, Survey
from reconciler.policy import source
from reconciler.policy.document import DirectoryKind, DirectorySettings, Organization, Policy
from reconciler.policy.files import shown
from reconciler.ports import ProviderReader
from reconciler.problem import Problem
from reconciler.report.data import Document
from reconciler.report.problems import record
from reconciler.scim.client import Client, open_client, open_writing_client
from reconciler.scim.provider import ScimProvider, ScimReader
from reconciler.scim.reading import Readings
from reconciler.settings import Connection
from reconciler.shards import Shard

if TYPE_CHECKING:
    from reconciler.history import PastRun
    from reconciler.overview import Overview
    from reconciler.redaction import Redaction

C = TypeVar("C", bound=Client)
P = TypeVar("P", bound=ProviderReader)
T = TypeVar("T")

Planner = Callable[[Policy, Client, ProviderReader, Readings], Prepared]
"""Makes a plan for an organization, by what its client, its provider and their readings tell."""


@dataclass(slots=True)
class Run:
    """One run over all organizations of a path. What fails in one of them does not stop the others."""

    policies: tuple[Policy, ...]
    """Those of this shard."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the policy files; then there are no policies."""
    codes: list[ExitCode] = field(default_factory=list)
    failures: list[tuple[str, ReconcilerError]] = field(default_factory=list)
    stopped: bool = False
    """Whether somebody asked to stop, so that no further organization is begun."""
    shard: Shard = shards.ALL
    elsewhere: frozenset[str] = frozenset()
    """The organizations that other shards look after."""

    @classmethod
    def of(cls, path: Path, redaction: "Redaction | None" = None, shard: Shard = shards.ALL) -> "Run":
        """Every problem of every policy file is told before any server is asked; with a redaction, its place.

        So each shard reads all files: what is wrong with one of them stops all, as it would one machine.

        Raises SettingsError for a single file: the rest of its organization would read as "nobody".
        """
        if os.path.exists(path) and not os.path.isdir(path):
            raise SettingsError(
                f"{shown(path)} is no folder, and a plan is of an organization as a whole",
                "name the folder that holds its organization.yaml",
            )
        try:
            with redacted.withheld(redaction):
                return cls._shared(source.load_all([path], now=moment()).policies, shard)
        except PolicyError as error:
            report_failure(error)
            return cls((), error.problems, [error.exit_code], shard=shard)

    @classmethod
    def _shared(cls, policies: Sequence[Policy], shard: Shard) -> "Run":
        """What of these a shard looks after, which is said."""
        mine = tuple(one for one in policies if shard.has(one.organization.name))
        names = [one.organization.name for one in mine]
        if not shard.is_all:
            told = f": {', '.join(names)}" if mine else ": nothing to do"
            note(f"shard {shard} has {len(mine) or 'none'} of {counted(len(policies), 'organization')}{told}")
        elsewhere = frozenset(one.organization.name for one in policies).difference(names)
        return cls(mine, shard=shard, elsewhere=elsewhere)

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
        if organization in self.elsewhere:
            note(f"{organization} is not of shard {self.shard}: nothing to do")
            self.policies = ()
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
    runs: "Callable[[], Sequence[PastRun]]",
    as_of: datetime | None = None,
) -> Prepared:
    """The plan that brings the server to what the policy asks for, now or as of another moment (aware).

    The `runs` of ledgers are asked for what they prove of the past, as far as that matters.
    """
    survey = _surveyed(policy, client, provider, readings, as_of or moment(), runs)
    return replace(survey.prepared, as_of=as_of)


def overviewed(
    policy: Policy,
    client: Client,
    provider: ProviderReader,
    readings: Readings,
    *,
    runs: "Sequence[PastRun]",
) -> "Overview":
    """The same plan, with both sides and what the ledger tells of the past: all that a report may show."""
    from reconciler import overview  # loads what tells of all that differs, which a plan is made without

    now = moment()
    survey = _surveyed(policy, client, provider, readings, now, lambda: runs)
    return overview.of(policy, provider.server, survey, now, runs)


def known_runs(context: click.Context, places: Sequence[Path]) -> "Sequence[PastRun]":
    """The runs of the ledgers: evidence where there are any, and nothing that is written depends on it.

    Where one was tampered with that is said, and none tells anything. Raises SettingsError where a ledger
    that was asked for can't be read.
    """
    try:
        return ledgers.sound(asked_for(context, places)).runs
    except LedgerError as error:
        note(f"no run is told: {error.message}")
        return ()


def asked_for(context: click.Context, places: Sequence[Path]) -> Sequence[Path]:
    """The ledgers at these places: those that somebody named, be they there or not; else those that are."""
    given = context.get_parameter_source("places") is not ParameterSource.DEFAULT
    return ledgers.files(places) if given else ledgers.there(places)


def proved(policy: Policy, server: str, runs: "Callable[[], Sequence[PastRun]]") -> Past | None:
    """What the runs of ledgers prove of accounts on a server; they are asked for where that matters."""
    organization = policy.organization
    if not lifecycle.needs_past(organization):
        return None
    from reconciler import history  # for which the runs were loaded

    told = runs()
    return Past(
        history.deactivated(told, organization.name, server=server),
        history.told_leavers(told, organization.name, server=server),
    )


def proving(places: Sequence[Path]) -> "Callable[[], Sequence[PastRun]]":
    """Reads the runs of the ledgers at these places, once for all organizations; none where none is.

    Raises LedgerError where a record of one was edited, removed or moved.
    """
    return cache(lambda: ledgers.past(ledgers.there(places)))


def _surveyed(
    policy: Policy,
    client: Client,
    provider: ProviderReader,
    readings: Readings,
    now: datetime,
    runs: "Callable[[], Sequence[PastRun]]",
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
