"""Which group of the directory a policy means, or why that can't be told."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from reconciler.model import DirectoryGroup, Membership, fold
from reconciler.policy.document import GroupRef
from reconciler.problem import Location, Problem, did_you_mean


def find(
    wanted: GroupRef, at: Location, membership: Membership, *, suggests: bool = True
) -> DirectoryGroup | Problem:
    """The one group that is meant, and whose members are known; else the problem of the entry `at`.

    That `suggests` a name that is alike, for which all names are gone through.
    """
    found = _candidates(wanted, membership)
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
    meant = did_you_mean(name, membership.names) if suggests else ""
    remedy = "correct the name, or say what it was called before with `previously:`"
    return Problem(at, f"the directory has no group '{name}'{meant}", "" if meant else remedy)


@dataclass(frozen=True, slots=True)
class Meant:
    """What several references can mean, as long as not all groups are known."""

    ids: frozenset[str]
    names: frozenset[str]
    """Folded; earlier names are among them."""

    @classmethod
    def by(cls, references: Collection[GroupRef]) -> "Meant":
        names = (fold(name) for ref in references for name in (ref.name, *ref.previously))
        return cls(frozenset(ref.id for ref in references if ref.id is not None), frozenset(names))

    def could_be(self, id_: str, name: str) -> bool:
        """Whether one of the references can mean the group of this id and name."""
        return id_ in self.ids or fold(name) in self.names


def _candidates(wanted: GroupRef, membership: Membership) -> Sequence[DirectoryGroup]:
    """The groups that a reference can mean: by id if it has one, else by name, else by an earlier name."""
    if wanted.id is not None:
        return membership.by_id.get(wanted.id, ())
    for name in (wanted.name, *wanted.previously):
        if found := membership.by_name.get(fold(name)):
            return found
    return ()
