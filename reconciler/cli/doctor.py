"""`reconciler doctor`: whether connection, server and directory are fit for a run. Has no way to write."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import click

from reconciler import checkup, settings
from reconciler.checkup import Ability, Check, Checkup, Verdict, failed, not_seen
from reconciler.cli.options import format_option, path_argument
from reconciler.cli.reports import show_json
from reconciler.cli.run import Run
from reconciler.directories import choose
from reconciler.errors import ExitCode, ReadError, ReconcilerError, SettingsError, worst
from reconciler.http.reach import Reach
from reconciler.naming import RoleNames
from reconciler.notifications import sending
from reconciler.people.identity import People
from reconciler.policy.document import DirectoryKind, GroupRef, Policy, StoredAs
from reconciler.ports import Directory
from reconciler.report import checkup as report
from reconciler.scim import probes
from reconciler.scim.client import Client, open_client
from reconciler.scim.probes import Greeting
from reconciler.scim.provider import ScimReader
from reconciler.scim.reading import Readings
from reconciler.settings import Connection, age, webhooks


@click.command("doctor")
@path_argument
@click.option(
    "--rotation-days",
    type=click.IntRange(1, 36500),
    default=90,
    show_default=True,
    help="How old the token may be.",
)
@format_option
@click.pass_obj
def command(given: Reach | None, path: Path, rotation_days: int, output: str) -> None:
    """Check connection, token, clock, roles, attributes, directory and what the server can do.

    Writes nothing. PATH is the folder of an organization or a folder of such folders; `policies/` if none is
    given. The server and the directory are told by the environment, as for `plan`.

    \b
    Each check is one of
      ok       as it should be
      finding  somebody should look at it; a run can work with it
      failed   a run would fail here
      unknown  nothing tells
    with a remedy where there is something to do.

    \b
    Examples:
      reconciler doctor policies/acme
      reconciler doctor --rotation-days 30

    \b
    Exit codes:
      0    nothing failed, whatever was found
      2    the command line or the environment is wrong
      6    the policy is invalid
      7    the server or the directory could not be read whole
      130  interrupted

    Of several organizations, the gravest counts.
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    run = Run.of(path)
    checkups: list[Checkup] = []

    def work(policy: Policy) -> ExitCode:
        found = examine(policy, given or Reach(), timedelta(days=rotation_days))
        checkups.append(found)
        if output == "text":
            for line in ([""] if len(checkups) > 1 else []) + report.text(found):
                click.echo(line)
        return worst(found.exit_codes)

    run.each(work)
    if output == "json":
        show_json(run.document(report.data(checkups, run.failures)))
    run.exit()


def examine(policy: Policy, reach: Reach, limit: timedelta) -> Checkup:
    """Look at one organization from all sides; `limit` is how old its token may be."""
    name = policy.organization.name
    try:
        connection = settings.connection(name, os.environ)
        client = open_client(connection, transport=reach.transport, patience=reach.waiting)
    except SettingsError as error:
        return Checkup(name, "", (failed("settings", error),))
    with client:
        greeting = probes.greet(client)
        examination = _Examination(policy, connection, client, greeting, reach)
        checks = (
            *examination.of_connection(limit),
            *examination.of_roles(),
            *examination.of_directory(),
            *_notifications(name),
        )
        return Checkup(name, client.server, checks, tuple(examination.abilities()))


def _notifications(organization: str) -> Iterator[Check]:
    """Whether the webhooks are named as they must be, if any are. To try one is to post something."""
    try:
        found = webhooks.destinations([organization], os.environ)
    except SettingsError as error:
        yield failed("notifications", error)
        return
    told = [one.hook for one in found if organization in one.organizations]
    if told:
        where = ", ".join(f"{sending.address(hook)} ({hook.name})" for hook in told)
        yield Check("notifications", Verdict.OK, f"to {where}; nothing was sent")


@dataclass(frozen=True)
class _Examination:
    """One organization under examination. What fails keeps nothing else from being looked at that can be."""

    policy: Policy
    connection: Connection
    client: Client
    greeting: Greeting
    reach: Reach

    @cached_property
    def readings(self) -> Readings:
        return Readings(self.client)

    def of_connection(self, limit: timedelta) -> Iterator[Check]:
        """Connection, clock, and all about the token."""
        answers = probes.connection(self.greeting)
        yield answers
        yield not_seen("clock") if answers.verdict is Verdict.FAILED else self._clock()
        yield probes.token(self.greeting)
        if self.greeting.readable:
            yield probes.token_user(self._provider.token_user, self.readings.take("token"))
        else:
            yield not_seen("token user")
        name = self.policy.organization.name
        dates = age.dates(name, os.environ, self.connection.token)
        yield checkup.token_age(dates, self.reach.now(), limit)

    def of_roles(self) -> Iterator[Check]:
        """Whether roles can be read, how they are stored, and what is known of people."""
        if not self.greeting.readable:
            yield from map(not_seen, ("roles", "role storage", "attributes"))
            return
        yield self._roles()
        try:
            reading = self.readings.take("storage")
            people, groups = reading.people.values(), reading.groups.values()
        except ReadError:  # which is told of roles, or of the abilities
            yield from map(not_seen, ("role storage", "attributes"))
            return
        values = [role.value for person in people for role in person.roles if role.value]
        organization = self.policy.organization
        yield from checkup.storage(values, [group.name for group in groups], organization)
        yield checkup.attributes([person.principal for person in people], organization.directory.kind)

    def of_directory(self) -> Iterator[Check]:
        """Whether the directory can be read, and whom of it the server knows."""
        if self.policy.organization.directory.kind is DirectoryKind.SCIM and not self.greeting.readable:
            yield from map(not_seen, ("directory", "matching"))
            return
        try:
            with choose.opened(self.policy, self.client, self.readings, os.environ, self.reach) as directory:
                yield from self._membership(directory)
        except ReconcilerError as error:
            yield failed("directory", error)

    def abilities(self) -> Iterator[Ability]:
        """What the server announces, and what it does."""
        if not self.greeting.readable:
            return probes.unseen(self.greeting)
        organization = self.policy.organization
        members = (
            organization.directory.kind is DirectoryKind.SCIM
            or organization.roles.stored_as is StoredAs.GROUPS
        )
        return probes.abilities(self.client, self.greeting, self.readings.take("abilities"), members=members)

    @cached_property
    def _provider(self) -> ScimReader:
        organization = self.policy.organization
        return ScimReader(self.client, RoleNames(organization), organization, self.readings)

    def _clock(self) -> Check:
        try:
            theirs = self.client.time()
        except ReadError as error:
            return failed("clock", error)
        return checkup.clock(theirs, self.reach.now())

    def _roles(self) -> Check:
        try:
            live = self._provider.read()
        except ReadError as error:
            return failed("roles", error)
        holders = sum(bool(holdings) for holdings in live.roles.values())
        return Check("roles", Verdict.OK, f"{holders} of {len(live.people)} users hold a role of the policy")

    def _membership(self, directory: Directory) -> Iterator[Check]:
        wanted = self._groups()
        membership = directory.read(wanted, everybody=True)
        yield checkup.groups(wanted, membership)
        try:
            people = self.readings.take("matching").people if self.greeting.readable else None
        except ReadError:
            people = None
        if people is None:
            yield not_seen("matching")
        else:
            principals = [person.principal for person in people.values()]
            yield checkup.matching(membership, People.of(principals, self.policy.people))
        if self.policy.organization.directory.log:
            yield self._log(directory)

    def _log(self, directory: Directory) -> Check:
        try:
            failures = directory.failures()
        except ReadError as error:
            return failed("directory log", error)
        return Check("directory log", Verdict.OK, f"tells of {len(failures)} that could not be provisioned")

    def _groups(self) -> frozenset[GroupRef]:
        """Every group that the policy names."""
        classes = self.policy.organization.classes.values()
        bound = {binding.group for binding in self.policy.bindings}
        return frozenset(bound.union(*(one.groups for one in classes)))
