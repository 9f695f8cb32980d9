"""What marks of reviews have wrong. Pure; whether one is too old, or of somebody unknown, is a finding."""

from reconciler.model import fold
from reconciler.policy.document import Policy
from reconciler.policy.rules.entries import Problems, where
from reconciler.problem import Problem


def of_reviews(policy: Policy) -> Problems:
    """All of it."""
    yield from reviewed_by_service_account(policy)
    yield from reviewed_by_themselves(policy)


def reviewed_by_service_account(policy: Policy) -> Problems:
    """A review by a machine. A mark of a whole file is told once."""
    machines = {fold(account.user): account for account in policy.service_accounts}
    for mark in {entry.reviewed for entry in policy.reviewables if entry.reviewed}:
        if found := machines.get(fold(mark.by)):
            message = f"the reviewer '{mark.by}' is a service account, in {where(found.at)}"
            yield Problem(mark.at, message, "name the person who looked at it")


def reviewed_by_themselves(policy: Policy) -> Problems:
    """A temporary grant whose own mark is by the person whom it gives something."""
    for grant in policy.grants:
        mark = grant.reviewed
        if mark and mark.at.path != "reviewed" and fold(mark.by) == fold(grant.user):
            message = f"'{grant.user}' reviewed what is given to themselves"
            yield Problem(mark.at, message, "let somebody else look at it, and name them")
