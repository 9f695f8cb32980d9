"""How groups lead to roles, as positions of lines between two lists; the templates draw them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.model import DirectoryGroup, Membership, Role, Scope
from reconciler.people import groups
from reconciler.policy.document import Binding, GroupRef, Policy
from reconciler.problem import Location

STEP = 10
"""The height of one row, in units of the drawing; it is 100 wide."""

FEW = 24
"""So many groups are drawn at once; of more, the page's script shows those that are asked for."""


@dataclass(frozen=True, slots=True)
class Line:
    """That a group has a role in a scope; `group` and `scope` are their places in the picture's lists."""

    group: int
    scope: int
    role: Role
    at: Location
    path: str
    """As SVG draws it."""


@dataclass(frozen=True, slots=True)
class Group:
    """One group; `people` is None where the directory does not tell who is in it."""

    name: str
    people: int | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """Groups in an order in which lines cross little, and the scopes in which any of them has a role."""

    groups: tuple[Group, ...]
    scopes: tuple[Scope, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """Thick ones first, so that thin ones lie above them."""
        every = (line for group in self.groups for line in group.lines)
        return tuple(sorted(every, key=lambda line: -line.role))

    @property
    def rows(self) -> int:
        return max(len(self.groups), len(self.scopes))

    @property
    def height(self) -> int:
        return self.rows * STEP

    @property
    def is_large(self) -> bool:
        return len(self.groups) > FEW


def of(policy: Policy, membership: Membership) -> Picture:
    """The picture of all bindings; those that name one group are its lines together."""
    bound: dict[GroupRef, list[Binding]] = defaultdict(list)
    for binding in policy.bindings:
        bound[binding.group].append(binding)
    scopes = sorted({role.scope for one in policy.bindings for role in one.roles}, key=lambda one: one.rank)
    places = {scope: place for place, scope in enumerate(scopes)}
    order = sorted(bound, key=lambda group: (_middle(bound[group], places), group.name))
    rows = max(len(order), len(scopes))
    return Picture(
        tuple(
            Group(
                group.name,
                _people(group, bound[group][0], membership),
                tuple(
                    Line(place, places[one.scope], one.role, one.at, _path(
                        _height(place, len(order), rows), _height(places[one.scope], len(scopes), rows)
                    ))
                    for binding in bound[group]
                    for one in binding.roles
                ),
            )
            for place, group in enumerate(order)
        ),
        tuple(scopes),
    )  # fmt: skip


def _middle(bindings: Sequence[Binding], places: Mapping[Scope, int]) -> float:
    """Where the scopes of a group's roles lie on average; those in projects tell groups apart."""
    found = [places[role.scope] for binding in bindings for role in binding.roles]
    projects = [place for place in found if place] or found
    return sum(projects) / max(len(projects), 1)


def _people(group: GroupRef, binding: Binding, membership: Membership) -> int | None:
    found = groups.find(group, binding.at, membership)
    if not isinstance(found, DirectoryGroup) or found.members is None:
        return None
    return len(found.members)


def _height(place: int, number: int, rows: int) -> float:
    """The middle of an entry of a list whose entries share the whole height."""
    return (place + 0.5) * rows * STEP / number


def _path(left: float, right: float) -> str:
    return f"M0 {left:g}C45 {left:g} 55 {right:g} 100 {right:g}"
