"""The nouns of access: who (Principal), what (Role), where (Scope), and both states made of them.

What stands in sets and as keys hundreds of thousands of times is a named tuple: the interpreter hashes and
compares those by itself, which takes a fraction of what a dataclass does.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from functools import cache, cached_property
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from reconciler.aligned import Aligned
from reconciler.finding import Finding
from reconciler.problem import Location, Problem

T = TypeVar("T")


def fold(name: str) -> str:
    """The form in which names compare: normalized and without case (RFC 7643 section 2.2, caseExact)."""
    if name.isascii():  # as nearly all names are: nothing to normalize, and no letter but A to Z has a case
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def fold_all(names: Iterable[str]) -> list[str]:
    """The same of very many names. Those that are folded already, as most are, are kept: more take memory."""
    return [name if name.isascii() and name.islower() else fold(name) for name in names]


class Role(IntEnum):
    """What a principal may do in a scope. Ranked: a higher value includes the lower ones."""

    VIEWER = 1
    CONTRIBUTOR = 2
    ADMIN = 3

    def __str__(self) -> str:
        return self.name.lower()


class Scope(NamedTuple):
    """Where a role holds: one project, by its name in the policy, or the whole organization (None)."""

    project: str | None = None

    @property
    def rank(self) -> tuple[bool, str]:
        """Sort key: the organization first, then projects by name."""
        return (self.project is not None, self.project or "")

    def __str__(self) -> str:
        return self.project if self.project is not None else "organization"


ORGANIZATION = Scope()

Roles = frozenset[Role]
"""The roles that one principal holds in one scope. The highest applies; a converged state has one."""


@cache
def highest(roles: Roles) -> int:
    """The role that applies where somebody holds these; 0 where they hold none."""
    return max(roles, default=0)


ALONE: Mapping[Role, Roles] = MappingProxyType({role: frozenset({role}) for role in Role})
"""Each role by itself, as nearly everybody holds it: one value for all, which compares at once."""

Holdings = Mapping[Scope, Roles]
"""What one principal holds. A scope without roles is absent."""

NOTHING: Holdings = MappingProxyType({})

Entries = Mapping[Scope, tuple[str, ...]]
"""How one principal's roles are stored, as JSON, in scopes where that is more than the roles' names."""


class Principal(NamedTuple):
    """A person or service account as the provider knows it (RFC 7643 sections 3.1 and 4.1).

    `id` is the provider's; `user_name` keeps the provider's spelling; `active` is None where the
    provider does not say, which is not the same as False.
    """

    id: str
    user_name: str
    external_id: str | None = None
    active: bool | None = None
    display_name: str | None = None
    email: str | None = None
    """The primary of `emails`, or the only one. Never a key."""

    @property
    def entitled(self) -> bool:
        """Whether this principal can be given anything: only `active: false` rules that out."""
        return self.active is not False

    @property
    def provisional(self) -> bool:
        """Whether they are to be created, and have no id on the provider yet."""
        return self.id.startswith(PROVISIONAL)


PROVISIONAL = "new:"
"""What the id of a principal begins with who is to be created, and has none on the provider yet."""


def provisional(user_name: str) -> str:
    """The id of a principal who is to be created."""
    return PROVISIONAL + fold(user_name)


class Member(NamedTuple):
    """A person as a directory knows them; the more of the three keys are known, the better."""

    principal_id: str | None = None
    external_id: str | None = None
    user_name: str | None = None
    active: bool | None = None
    """False where the directory says that they are entitled to nothing; None where it does not say."""
    status: str = ""
    """The directory's own word for that, such as `SUSPENDED`; for messages."""
    since: datetime | None = None
    """When that began, aware; None where the directory does not say."""
    display_name: str | None = None
    email: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    """Further attributes that the policy asks for, by the directory's names for them, sorted."""

    def __str__(self) -> str:
        return self.user_name or self.external_id or self.principal_id or "somebody without a name"


class ProviderMembers(Set[Member]):
    """Members whom the provider itself tells of, by the ids of their principals.

    Who they are is looked up when somebody asks, which most plans do for nobody. The `ids` come in the
    provider's order: mostly that in which it lists people, so that these are found side by side.
    """

    __slots__ = ("_member", "ids")

    def __init__(self, ids: Set[str], member: Callable[[str], Member]) -> None:
        self.ids = ids
        self._member = member

    def __contains__(self, other: object) -> bool:
        id_ = other.principal_id if isinstance(other, Member) else None
        return id_ is not None and id_ in self.ids and self._member(id_) == other

    def __iter__(self) -> Iterator[Member]:
        return map(self._member, self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __hash__(self) -> int:
        return self._hash()

    @classmethod
    def _from_iterable(cls, members: Iterable[T]) -> Set[T]:  # what set operations make
        return frozenset(members)


@dataclass(frozen=True, slots=True)
class DirectoryGroup:
    """A group of the identity provider with everybody in it; None where that could not be known."""

    id: str
    name: str
    members: Set[Member] | None
    unreadable: str = ""


@dataclass(frozen=True)
class Membership:
    """What a directory answered: the groups that were asked for and, for suggestions, all names seen."""

    groups: tuple[DirectoryGroup, ...]
    names: frozenset[str] = frozenset()
    people: Set[Member] | None = None
    """Everybody whom the directory knows, in whatever group, in the order in which it lists them; None where
    that was not asked or can't be."""

    @cached_property
    def everybody(self) -> Set[Member]:
        """All of whom it tells anything: who is known, in the directory's order, and who is in a group."""
        return dict.fromkeys(chain(self.people or (), *(group.members or () for group in self.groups))).keys()

    @cached_property
    def by_id(self) -> Mapping[str, Sequence[DirectoryGroup]]:
        """The groups by their ids."""
        found: dict[str, list[DirectoryGroup]] = {}
        for group in self.groups:
            found.setdefault(group.id, []).append(group)
        return found

    @cached_property
    def by_name(self) -> Mapping[str, Sequence[DirectoryGroup]]:
        """The groups by their folded names."""
        found: dict[str, list[DirectoryGroup]] = {}
        for group in self.groups:
            found.setdefault(fold(group.name), []).append(group)
        return found


UNDO = "undo"
"""What `Provenance.entry` is where a run that is undone is the reason."""

DIRECTORY = "directory"
"""What `Provenance.entry` is where the directory's word takes a role; `name` is that word."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Why somebody is given a role: the policy entry, and the group or person that it names."""

    entry: str
    """The kind of policy entry: `binding`, `temporary grant`, `service account`, a person's `end`; or the
    `directory`, where it calls somebody inactive or does not list them."""
    name: str
    """The group, the person of a grant or an end, the service account, how the directory has somebody."""
    at: Location
    role: Role
    reason: str = ""
    until: datetime | None = None
    """The last moment of a temporary grant or of somebody's time, aware; None where it has no end."""
    ended: bool = False
    """Whether that moment has passed, so that the entry gives nothing any more."""
    person_class: str = ""
    """The class of people that caps or withholds the role, or whose end is meant; empty where none is."""
    asked: Role | None = None
    """The role that the entry names, where a class caps it to the lower `role`."""
    withheld: bool = False
    """Whether a binding gives this person nothing, since it does not name the class that they are in."""
    since: datetime | None = None
    """The first moment of a temporary grant, aware; None where it names none."""
    former: bool = False
    """Whether it is an entry that an edit of the policy takes away (`comparison`)."""


Reasons = Mapping[Scope, tuple[Provenance, ...]]


def shared(ids: Iterable[str], held: Collection[Holdings]) -> Sequence[tuple[Holdings, Sequence[str]]]:
    """What people hold, each value once, and the ids of those who share it. `held` is of `ids`, in order."""
    together: dict[int, list[str]] = defaultdict(list)
    for id_, key in zip(ids, map(id, held), strict=True):
        together[key].append(id_)
    values = dict(zip(map(id, held), held, strict=True))
    return [(values[key], alike) for key, alike in together.items()]


@dataclass(frozen=True)
class LiveState:
    """What the provider reports, complete: everybody, and the roles of the policy's scopes they hold."""

    people: Mapping[str, Principal]
    """By principal id."""
    roles: Mapping[str, Holdings]
    """By principal id; who holds nothing may be absent."""
    role_groups: frozenset[tuple[Scope, Role]] | None = None
    """Where roles are groups: those that exist. None where roles are stored on the user."""
    entries: Mapping[str, Entries] = field(default_factory=dict)
    """By principal id; who has nothing but names in every scope is absent."""
    foreign: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """By principal id: the values of `User.roles` that are not the policy's, sorted. To tell of, no more."""

    @cached_property
    def held(self) -> Aligned[Holdings]:
        """What everybody holds, in the order of `people`."""
        return Aligned.of(self.people, self.roles, NOTHING)

    @cached_property
    def alike(self) -> Sequence[tuple[Holdings, Sequence[str]]]:
        """What everybody holds, see `shared`."""
        return shared(self.people, self.held.each)

    @cached_property
    def by_user_name(self) -> Mapping[str, Principal]:
        """Everybody by their folded userName."""
        people = self.people.values()
        return dict(zip(fold_all(person.user_name for person in people), people, strict=True))

    def holdings(self, principal_id: str) -> Holdings:
        return self.roles.get(principal_id, NOTHING)


@dataclass(frozen=True, slots=True)
class EmptyGroup:
    """A group of the directory that has no members, and the roles that the policy binds to it."""

    name: str
    gives: frozenset[tuple[Scope, Role]]


@dataclass(frozen=True, slots=True)
class Term:
    """How long a temporary grant lasts; both ends are aware, `starts` None means from now on."""

    user: str
    at: Location
    expires: datetime
    starts: datetime | None = None


@dataclass(frozen=True, slots=True)
class DesiredState:
    """What the policy asks for, by principal id, and why; with what kept it from being whole."""

    roles: Mapping[str, Holdings]
    why: Mapping[str, Reasons]
    """Every entry that gives something in that scope, strongest first, then those that do not or no more."""
    problems: tuple[Problem, ...] = ()
    """What could not be resolved; nobody loses what it could have given."""
    given: int = 0
    """How many roles the policy gives, all people together; 0: it grants nothing to anybody."""
    entries: Mapping[str, Entries] = field(default_factory=dict)
    """By principal id: how roles are to be stored, where somebody asks for more than their names."""
    empty_groups: tuple[EmptyGroup, ...] = ()
    """The groups that bindings name and that nobody is in, sorted by name."""
    terms: tuple[Term, ...] = ()
    """Those of all temporary grants that are in force or to come, sorted by place."""
    findings: tuple[Finding, ...] = ()
    """What a person should look at, sorted by place."""
    to_come: Mapping[str, Reasons] = field(default_factory=dict)
    """By principal id: what temporary grants that have not begun will give, strongest first."""
    doubtful: frozenset[str] = frozenset()
    """By principal id: who keeps what they hold and is given nothing, for their time may be over or not."""

    def holdings(self, principal_id: str) -> Holdings:
        return self.roles.get(principal_id, NOTHING)
