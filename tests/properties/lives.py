"""One small organization as it changes over time: its policy, its directory, its server, its ledger."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from build import NOW, Groups
from fakes import FakeProvider, Fault
from properties.strategies import World

from reconciler import apply, ledger, planning
from reconciler.change import Change, Outcome
from reconciler.errors import GuardrailError, LedgerError
from reconciler.history import PastRun
from reconciler.ledger import Ledger, RunAccount
from reconciler.model import DirectoryGroup, Holdings, Member, Membership
from reconciler.origin import Origin
from reconciler.planning import Prepared, refuse
from reconciler.policy.document import Binding, Organization, Policy, StoredAs, TemporaryGrant

Held = Mapping[str, Holdings]


def quiet(_: Change) -> None:
    """Nobody else is there, and nobody looks on."""


@dataclass(frozen=True)
class Trouble:
    """What goes wrong in a run; nothing by itself."""

    faults: Mapping[int, Fault] = field(default_factory=dict)
    """By the number of the write."""
    read_faults: Mapping[int, Fault] = field(default_factory=dict)
    """By the number of the reading back."""
    room: int = 1000
    """For so many records once the run has begun."""

    def met(self, provider: FakeProvider) -> tuple[Fault, ...]:
        """The faults that happened until now."""
        written = len(provider.writes)
        met = [fault for call, fault in self.faults.items() if call <= written]
        read = len(provider.calls) - written
        return (*met, *(fault for call, fault in self.read_faults.items() if call <= read))


@dataclass
class NarrowAccount:
    """An account with room for so many records."""

    account: RunAccount
    room: int
    full: bool = False

    def writing(self, changes: Sequence[Change]) -> None:
        self._take_room()
        self.account.writing(changes)

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        self._take_room()
        self.account.settled(outcomes)

    def _take_room(self) -> None:
        self.full = self.full or self.room == 0
        if self.full:
            raise LedgerError("the ledger can't be written: no space left on device")
        self.room -= 1


@dataclass(frozen=True)
class Ran:
    """A run: what it was to do, what came of it, what the server held before and after."""

    world: World
    prepared: Prepared
    refused: bool
    outcomes: tuple[Outcome, ...]
    whole: bool
    """Whether the ledger had room for all of it."""
    past: PastRun
    """What the ledger tells of it."""
    before: Held
    now: Held
    raw: Mapping[str, list[str]]
    """What everybody had before it, as it is stored."""
    writes: tuple[Change, ...]
    moments: tuple[Held, ...]
    """What everybody held after each request that took effect."""
    faults: tuple[Fault, ...]
    """Those that happened."""
    late: int
    """How many writes came after one that has to end the writing."""
    arrivals: tuple[tuple[int, Held], ...]
    """When each write arrived: how many of those moments had been, and what everybody held then."""
    left_alone: tuple[str, ...]
    """Of a way back: what had moved."""


@dataclass
class Life:
    """The organization at one moment. Whoever edits a part of it puts another in its place."""

    organization: Organization
    provider: FakeProvider
    ledger: Path
    bindings: dict[str, Binding] = field(default_factory=dict)
    """By the name of the group."""
    grants: list[TemporaryGrant] = field(default_factory=list)
    groups: dict[str, DirectoryGroup] = field(default_factory=dict)
    """By id, as the directory has them."""
    now: datetime = NOW

    @property
    def policy(self) -> Policy:
        return Policy(self.organization, tuple(self.bindings.values()), tuple(self.grants))

    @property
    def membership(self) -> Membership:
        groups = tuple(self.groups.values())
        return Membership(groups, frozenset(group.name for group in groups))

    def world(self) -> World:
        """The organization as it would be if it were always the same day."""
        ago = self.now - NOW
        grants = tuple(
            replace(one, expires=one.expires - ago, starts=one.starts and one.starts - ago)
            for one in self.grants
        )
        people = tuple(self.provider.people.values())
        policy = replace(self.policy, grants=grants)
        return World(policy, self.membership, people, self.provider.holdings(), frozenset(), {})

    def edit(self, organization: Organization) -> None:
        """Change what the policy says of the organization as a whole."""
        self.organization = self.provider.organization = organization

    def regroup(self, id_: str, **changes: object) -> None:
        """Change a group of the directory."""
        self.groups[id_] = replace(self.groups[id_], **changes)  # type: ignore[arg-type]

    def raw(self) -> Mapping[str, list[str]]:
        """The values, or the names of the groups, that everybody has, sorted and in lower case."""
        if self.organization.roles.stored_as is StoredAs.USER_ROLES:
            return {id_: sorted(map(str.casefold, self.provider.roles.get(id_, ()))) for id_ in self.people}
        groups = self.provider.groups.items()
        return {id_: sorted(name.casefold() for name, ids in groups if id_ in ids) for id_ in self.people}

    @property
    def people(self) -> list[str]:
        return list(self.provider.people)

    def past(self) -> tuple[PastRun, ...]:
        return ledger.past(self.ledger)

    def prepare(self, undoing: PastRun | None = None) -> tuple[Prepared, tuple[str, ...]]:
        """The plan, or the way back from a run and what it leaves alone."""
        if undoing is not None:
            prepared, back = planning.prepare_undo(
                self.policy, undoing, str(self.ledger), self.provider, self.now
            )
            return prepared, back.moved
        return planning.prepare(self.policy, self.provider, Groups(self.membership), self.now), ()

    def run(
        self,
        trouble: Trouble | None = None,
        *,
        undoing: PastRun | None = None,
        approved: bool = False,
        meanwhile: Callable[[Change], None] = quiet,
    ) -> Ran:
        """What `apply` does, and `undo --apply`."""
        trouble = trouble or Trouble()
        provider = self.provider
        arrivals = self._prepare_for(trouble, meanwhile)
        world, before, raw = self.world(), provider.holdings(), self.raw()
        prepared, left_alone = self.prepare(undoing)
        refused, outcomes, whole = self._carry_out(prepared, trouble.room, approved=approved)
        return Ran(
            world,
            prepared,
            refused,
            outcomes,
            whole,
            self.past()[-1],
            before,
            provider.holdings(),
            raw,
            tuple(provider.writes),
            tuple(provider.history),
            trouble.met(provider),
            provider.late,
            tuple(arrivals),
            left_alone,
        )

    def _prepare_for(
        self, trouble: Trouble, meanwhile: Callable[[Change], None]
    ) -> Sequence[tuple[int, Held]]:
        """Let the server count from the start; what is returned fills as writes arrive."""
        provider = self.provider
        provider.calls, provider.history, provider.broken_off = [], [], None
        provider.faults, provider.read_faults = trouble.faults, trouble.read_faults
        arrivals: list[tuple[int, Held]] = []

        def arrive(change: Change) -> None:
            meanwhile(change)
            arrivals.append((len(provider.history), provider.holdings()))

        provider.meanwhile = arrive
        return arrivals

    def _carry_out(
        self, prepared: Prepared, room: int, *, approved: bool
    ) -> tuple[bool, tuple[Outcome, ...], bool]:
        """Whether it was refused, the outcomes, and whether the ledger had room for all of it."""
        plan, floor = prepared.plan, self.organization.guardrails.minimum_admins
        with Ledger(self.ledger, lambda: self.now) as record:
            account = NarrowAccount(record.begin(plan, prepared.live, Origin(), {}), room)
            try:
                refuse(prepared, {plan.fingerprint} if approved else ())
            except GuardrailError as error:
                account.account.refused(error.message, error.exit_code)
                return True, (), True
            outcomes = apply.carry_out(plan, self.provider, prepared.live, floor, account, quiet)
            if not account.full:
                account.account.end()
        return False, outcomes, not account.full


def group(name: str, *ids: str) -> DirectoryGroup:
    """A group of a directory that knows people by the ids that the server has for them."""
    return DirectoryGroup(f"g-{name}", name, frozenset(map(Member, ids)))
