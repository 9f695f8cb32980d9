"""Which group of the directory a policy means, or why that can't be told."""

from collections.abc import Iterable

from reconciler.model import DirectoryGroup, Membership, fold
from reconciler.policy.document import GroupRef
from reconciler.problem import Location, Problem, did_you_mean


def find(wanted: GroupRef, at: Location, membership: Membership) -> DirectoryGroup | Problem:
    """The one group that is meant, and whose members are known; else the problem of the entry `at`."""
    found = _candidates(wanted, membership.groups)
    name = wanted.name
    if len(found) == 1 and found[0].members is None:
        return Problem(at, f"cannot tell who is in the group '{found[0].name}'", found[0].unreadable)
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(sorted(group.id for group in found))
        remedy = "name the one that is meant by its id: `group: {name: …, id: …}`"
        return Problem(at, f"the directory has {len(found)} groups '{name}' (ids {ids})", remedy)
    if wanted.id is not None:
        message = f"the directory has no group with the id '{wanted.id}', as '{name}' should have"
        return Problem(at, message, "correct the id, or leave it out to go by the name")
    meant = did_you_mean(name, membership.names)
    remedy = "correct the name, or say what it was called before with `previously:`"
    return Problem(at, f"the directory has no group '{name}'{meant}", "" if meant else remedy)


def could_mean(wanted: GroupRef, id_: str, name: str) -> bool:
    """Whether a reference can mean the group of this id and name, as long as others are not known."""
    names = {fold(one) for one in (wanted.name, *wanted.previously)}
    return id_ == wanted.id or fold(name) in names


def _candidates(wanted: GroupRef, groups: Iterable[DirectoryGroup]) -> list[DirectoryGroup]:
    """The groups that a reference can mean: by id if it has one, else by name, else by an earlier name."""
    if wanted.id is not None:
        return [group for group in groups if group.id == wanted.id]
    for name in (wanted.name, *wanted.previously):
        found = [group for group in groups if fold(group.name) == fold(name)]
        if found:
            return found
    return []
