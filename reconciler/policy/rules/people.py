"""What a policy has wrong about people: the protected ones, and those with an entry of their own. Pure."""

from collections.abc import Iterable

from reconciler.model import fold
from reconciler.policy.document import PersonEntry, Policy
from reconciler.policy.rules.entries import Problems, alike, in_order, protected_places, where
from reconciler.problem import Problem


def of_people(policy: Policy) -> Problems:
    """All of it."""
    yield from protected_twice(policy)
    yield from protected_and_granted(policy)
    yield from person_twice(policy.people)
    yield from earlier_user_name_in_use(policy.people)
    yield from protected_and_ended(policy)


def protected_twice(policy: Policy) -> Problems:
    """A protected person who is named again in other letter case. (Named alike, the schema objects.)"""
    for first, second in alike(policy.protected_at, fold):
        message = f"the protected '{second}' is the same person as '{first}'"
        yield Problem(policy.protected_at[second], message, "delete one of them")


def protected_and_granted(policy: Policy) -> Problems:
    """A temporary grant of somebody whom no plan may touch."""
    protected = protected_places(policy)
    for grant in policy.grants:
        if at := protected.get(fold(grant.user)):
            message = f"'{grant.user}' is protected in {where(at)}, so no plan could carry this grant out"
            yield Problem(grant.at, message, "delete the grant, or the person from `guardrails.protected`")


def person_twice(people: Iterable[PersonEntry]) -> Problems:
    """A person of whom two entries speak."""
    for first, second in alike(in_order(people), lambda entry: fold(entry.user)):
        message = f"'{second.user}' has an entry already, in {where(first.at)}"
        yield Problem(second.at, message, "put both into one")


def earlier_user_name_in_use(people: Iterable[PersonEntry]) -> Problems:
    """An earlier name of a person that somebody has now, or that somebody else had, by this policy."""
    people = in_order(people)
    current = {fold(entry.user): entry for entry in reversed(people)}
    earlier: dict[str, PersonEntry] = {}
    for entry in people:
        for name, at in zip(entry.previously, entry.previously_at, strict=False):
            first = earlier.setdefault(fold(name), entry)
            if fold(name) == fold(entry.user):
                yield Problem(at, f"'{name}' is the person's present name", "delete it from `previously:`")
            elif other := current.get(fold(name)):
                message = f"'{name}' is no earlier name: somebody is called so now, in {where(other.at)}"
                yield Problem(at, message, "delete it here, or delete that entry")
            elif fold(first.user) != fold(entry.user):
                message = f"'{name}' is an earlier name of '{first.user}' already, in {where(first.at)}"
                yield Problem(at, message, "delete it from one of them")


def protected_and_ended(policy: Policy) -> Problems:
    """An end of somebody whom no plan may touch."""
    for entry in policy.people:
        at = protected_places(policy).get(fold(entry.user))
        if at and entry.ends is not None:
            message = f"'{entry.user}' is protected in {where(at)}, so no plan could carry this end out"
            yield Problem(entry.at, message, "delete `ends:`, or the person from `guardrails.protected`")
