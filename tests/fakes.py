"""A provider in memory that keeps state, keeps count, and fails when and how it is told to."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from reconciler.change import (
    Attribute,
    AttributeChange,
    Change,
    CreateGroup,
    CreateUser,
    DeleteUser,
    Outcome,
    SetActive,
    SetAttributes,
    SetRoles,
)
from reconciler.errors import ConflictError, LedgerError, ReadError, WriteError
from reconciler.model import PROVISIONAL, Holdings, LiveState, Principal, Role, Roles, Scope, fold
from reconciler.naming import RoleNames
from reconciler.policy.document import Organization, StoredAs

SERVER = "https://scim.example/v2"
NONE: Roles = frozenset()


class Fault(Enum):
    """What goes wrong with one call."""

    REFUSED = auto()
    """Nothing happens, and that is said. Of a read: it fails."""
    DROPPED = auto()
    """Nothing happens, and it is said to have."""
    HALFWAY = auto()
    """Only the first of its requests takes effect, and the failure of the next is said."""
    UNANSWERED = auto()
    """It takes effect, and the answer is lost."""
    INTERRUPTED = auto()
    """Ctrl-C before it takes effect. Of a read: meanwhile."""
    INTERRUPTED_AFTER = auto()
    """Ctrl-C once it took effect."""


@dataclass
class Notes:
    """An `apply.Account` in memory, with room for so many records."""

    written: list[Change] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    room: int = 1_000_000

    def writing(self, changes: Sequence[Change]) -> None:
        self._take_room()
        self.written += changes

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        self._take_room()
        self.outcomes += outcomes

    def _take_room(self) -> None:
        if self.room == 0:
            raise LedgerError("the ledger can't be written: no space left on device")
        self.room -= 1


@dataclass
class FakeProvider:
    """A `ports.Provider` over people with raw role values and groups of people, as a server has them.

    Which of the two are roles is the organization's decision. `faults` are by the number of the call
    of `write`, from 1, and `read_faults` by that of `read_back`.
    """

    organization: Organization
    people: dict[str, Principal] = field(default_factory=dict)
    roles: dict[str, list[str]] = field(default_factory=dict)
    """Raw values by principal id."""
    groups: dict[str, set[str]] = field(default_factory=dict)
    """Principal ids by the group's name."""
    faults: Mapping[int, Fault] = field(default_factory=dict)
    read_faults: Mapping[int, Fault] = field(default_factory=dict)
    server: str = SERVER
    me: str | None = None
    """Whose token it is written with, by principal id."""
    meanwhile: Callable[[Change], None] = field(default=lambda _: None)
    """Somebody else, who has their turn whenever a change has arrived, before it takes effect."""
    calls: list[Change | frozenset[str]] = field(default_factory=list)
    """Everything that was asked, in order: changes to write, and whom to read back."""
    requests: int = 0
    """How many requests that write were sent."""
    history: list[Mapping[str, Holdings]] = field(default_factory=list)
    """What everybody held after each of those that took effect."""
    broken_off: int | None = None
    """How many writes there were when something happened that has to end the writing."""
    created: dict[str, str] = field(default_factory=dict)
    """The ids of those whom this provider created, by their provisional ones."""
    at_once: int = 1
    together: int = 1
    """How many changes it takes in one request."""

    @classmethod
    def holding(cls, organization: Organization, state: LiveState) -> "FakeProvider":
        """A server with this live state; who is only to be created is not on it."""
        names = RoleNames(organization)
        there = {id_: person for id_, person in state.people.items() if not id_.startswith(PROVISIONAL)}
        provider = cls(organization, there)
        provider.groups = {names.name(*meaning): set() for meaning in state.role_groups or ()}
        for id_, holdings in state.roles.items():
            held = [names.name(scope, role) for scope, roles in holdings.items() for role in roles]
            provider.roles[id_] = [] if provider._in_groups else held
            for name in held if provider._in_groups else ():
                provider.groups.setdefault(name, set()).add(id_)
        return provider

    @property
    def writes(self) -> list[Change]:
        return [call for call in self.calls if not isinstance(call, frozenset)]

    @property
    def late(self) -> int:
        """How many writes came after what had to end the writing."""
        return 0 if self.broken_off is None else len(self.writes) - self.broken_off

    def _break_off(self) -> None:
        if self.broken_off is None:
            self.broken_off = len(self.writes)

    def read(self) -> LiveState:
        return LiveState(dict(self.people), self.holdings(), self._role_groups())

    def read_back(self, principal_ids: Collection[str]) -> LiveState:
        self.calls.append(frozenset(principal_ids))
        match self.read_faults.get(len(self.calls) - len(self.writes)):
            case Fault.INTERRUPTED:
                self._break_off()
                raise KeyboardInterrupt
            case None:
                held = self.holdings()
                real = {id_: self._real(id_) for id_ in principal_ids}
                there = {asked: id_ for asked, id_ in real.items() if id_ in self.people}
                return LiveState(
                    {asked: self.people[id_] for asked, id_ in there.items()},
                    {asked: held.get(id_, {}) for asked, id_ in there.items()},
                )
            case _:
                self._break_off()
                raise ReadError("the listing of people is short")

    def token_user(self) -> str | None:
        return self.me

    def portions(self, changes: Sequence[Change]) -> Iterable[Sequence[Change]]:
        return [changes[at : at + self.together] for at in range(0, len(changes), self.together)]

    def write_together(self, portion: Sequence[Change]) -> Collection[Change]:
        """Each as `write` would; who failed in any way is left, whether or not it took effect."""
        left: list[Change] = []
        for change in portion:
            try:
                self.write(change)
            except WriteError:
                left.append(change)
        return left

    def write(self, change: Change) -> None:
        self.calls.append(change)
        self.meanwhile(change)
        fault = self.faults.get(len(self.writes))
        if fault is Fault.INTERRUPTED:
            self._break_off()
            raise KeyboardInterrupt
        if fault is Fault.REFUSED:
            raise WriteError("the server said no")
        if fault is Fault.DROPPED:
            self.requests += 1
            return
        for _ in self._requests(change):
            self.requests += 1
            self.history.append(self.holdings())
            if fault is Fault.HALFWAY:
                break
        if fault is Fault.INTERRUPTED_AFTER:
            self._break_off()
            raise KeyboardInterrupt
        if fault is not None:
            raise WriteError("the connection was reset")

    def holdings(self) -> dict[str, Holdings]:
        """What everybody holds now; who holds nothing is absent."""
        names = RoleNames(self.organization)
        result: dict[str, dict[Scope, Roles]] = {}
        for id_, value in self._values():
            meaning = names.meaning(value)
            if meaning is not None:
                scope, role = meaning
                held = result.setdefault(id_, {})
                held[scope] = held.get(scope, NONE) | {role}
        return dict(result)

    def _real(self, id_: str) -> str:
        return self.created.get(id_, id_)

    @property
    def _in_groups(self) -> bool:
        return self.organization.roles.stored_as is StoredAs.GROUPS

    def _values(self) -> Iterator[tuple[str, str]]:
        if self._in_groups:
            yield from ((id_, name) for name, ids in self.groups.items() for id_ in ids if id_ in self.people)
        else:
            yield from ((id_, value) for id_ in self.people for value in self.roles.get(id_, ()))

    def _role_groups(self) -> frozenset[tuple[Scope, Role]] | None:
        names = RoleNames(self.organization)
        meanings = (names.meaning(name) for name in self.groups)
        return frozenset(m for m in meanings if m is not None) if self._in_groups else None

    def _requests(self, change: Change) -> Iterator[None]:
        """Carries a change out; pauses after each request."""
        match change:
            case CreateGroup():
                if not self._in_groups:
                    raise WriteError("roles are stored on the user here")
                if fold(change.name) not in map(fold, self.groups):
                    self.groups[change.name] = set()
                    yield
            case CreateUser():
                yield from self._create(change)
            case _ if self._real(change.principal.id) not in self.people:
                if not isinstance(change, DeleteUser):
                    raise WriteError("the server does not know them any more")
            case SetRoles() if self._in_groups:
                for scope in change.scopes:
                    for role in scope.after - scope.before:
                        self._members(scope.scope, role).add(self._real(change.principal.id))
                        yield
                for scope in change.scopes:
                    for role in scope.before - scope.after:
                        self._members(scope.scope, role).discard(self._real(change.principal.id))
                        yield
            case SetRoles():
                yield from self._set_values(change)
            case SetActive():
                yield from self._set_active(change)
            case SetAttributes():
                yield from self._set_attributes(change)
            case DeleteUser():
                yield from self._delete(change)

    def _create(self, change: CreateUser) -> Iterator[None]:
        wanted = change.principal
        alike = [
            person
            for person in self.people.values()
            if fold(person.user_name) == fold(wanted.user_name)
            or (wanted.external_id is not None and person.external_id == wanted.external_id)
        ]
        for person in alike:
            if fold(person.user_name) != fold(wanted.user_name) or person.external_id != wanted.external_id:
                raise ConflictError("somebody else made an account meanwhile")
            self.created[wanted.id] = person.id
        if not alike:
            id_ = f"made-{fold(wanted.user_name)}"
            self.people[id_] = wanted._replace(id=id_)
            self.created[wanted.id] = id_
            yield

    def _set_active(self, change: SetActive) -> Iterator[None]:
        person = self.people[change.principal.id]
        if person.entitled is change.after:
            return
        if person.entitled is not change.principal.entitled:
            raise ConflictError("somebody else changed the account meanwhile")
        self.people[person.id] = person._replace(active=change.after)
        yield

    def _set_attributes(self, change: SetAttributes) -> Iterator[None]:
        person = self.people[change.principal.id]
        now = [(one, one.attribute.of(person)) for one in change.attributes]
        if all(one.attribute.same(value, one.after) for one, value in now):
            return
        if any(value not in (one.before, one.after) for one, value in now):
            raise ConflictError("somebody else changed the account meanwhile")
        for one in change.attributes:
            person = _with(person, one)
        self.people[person.id] = person
        yield

    def _delete(self, change: DeleteUser) -> Iterator[None]:
        id_ = change.principal.id
        if self.people[id_].entitled:
            raise ConflictError("somebody else changed the account meanwhile")
        del self.people[id_]
        self.roles.pop(id_, None)
        for members in self.groups.values():
            members.discard(id_)
        yield

    def _set_values(self, change: SetRoles) -> Iterator[None]:
        id_ = self._real(change.principal.id)
        names = RoleNames(self.organization)
        held = self.holdings().get(id_, {})
        if all(held.get(scope.scope, NONE) == scope.after for scope in change.scopes):
            return
        if any(held.get(scope.scope, NONE) != scope.before for scope in change.scopes):
            raise ConflictError("somebody else changed them meanwhile")
        lost = {(scope.scope, role) for scope in change.scopes for role in scope.before - scope.after}
        gained = [names.name(s.scope, role) for s in change.scopes for role in s.after - s.before]
        kept = [value for value in self.roles.get(id_, ()) if names.meaning(value) not in lost]
        self.roles[id_] = [*kept, *gained]
        yield

    def _members(self, scope: Scope, role: Role) -> set[str]:
        name = RoleNames(self.organization).name(scope, role)
        for other, members in self.groups.items():
            if fold(other) == fold(name):
                return members
        raise WriteError(f"there is no group '{name}'")


def _with(person: Principal, change: AttributeChange) -> Principal:
    match change.attribute:
        case Attribute.USER_NAME:
            return person._replace(user_name=change.after)
        case Attribute.DISPLAY_NAME:
            return person._replace(display_name=change.after)
        case Attribute.EMAIL:
            return person._replace(email=change.after)
