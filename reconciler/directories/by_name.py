"""Which groups references mean by name: by the present one, else by an earlier one. Sends nothing itself."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Protocol, TypeVar

from reconciler.model import fold
from reconciler.policy.document import GroupRef


class Named(Protocol):
    """A group of whatever directory."""

    @property
    def name(self) -> str: ...


G = TypeVar("G", bound=Named)


def sorted_out(names: Collection[str], groups: Iterable[G]) -> dict[str, list[G]]:
    """By each of these names the groups that have it, in whatever letter case."""
    having = defaultdict[str, list[G]](list)
    for group in groups:
        having[fold(group.name)].append(group)
    return {name: having.get(fold(name), []) for name in names}


def meant(
    refs: Collection[GroupRef], named: Callable[[Collection[str]], Mapping[str, Sequence[G]]]
) -> dict[GroupRef, Sequence[G]]:
    """The groups that each reference means; one that means none is absent.

    `named` finds all groups of each of some names. It is asked for the present names of all, then for the
    earlier ones of those that were not found, one name of each at a time.
    """
    found: dict[GroupRef, Sequence[G]] = {}
    for names in zip_longest(*((ref.name, *ref.previously) for ref in refs)):
        sought = {ref: name for ref, name in zip(refs, names, strict=True) if name and ref not in found}
        groups = named(sorted(set(sought.values())))
        found |= {ref: groups[name] for ref, name in sought.items() if groups[name]}
    return found
