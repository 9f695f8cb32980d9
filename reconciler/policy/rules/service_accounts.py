"""What a policy has wrong about service accounts. Pure."""

from collections.abc import Iterable

from reconciler.model import ORGANIZATION, Role, fold
from reconciler.policy.document import PersonEntry, Policy, ServiceAccount, TemporaryGrant
from reconciler.policy.rules.entries import Problems, alike, in_order, pointless, protected_places, where
from reconciler.problem import Problem


def of_service_accounts(policy: Policy) -> Problems:
    """All of it."""
    yield from service_account_twice(policy.service_accounts)
    yield from service_account_below_organization_role(policy.service_accounts)
    yield from service_account_elsewhere(policy)
    yield from owned_by_service_account(policy.service_accounts)
    yield from service_account_admin(policy)


def service_account_twice(accounts: Iterable[ServiceAccount]) -> Problems:
    """A service account with two entries."""
    for first, second in alike(in_order(accounts), lambda account: fold(account.user)):
        message = f"the service account '{second.user}' has an entry already, in {where(first.at)}"
        yield Problem(second.at, message, "put both into one")


def service_account_below_organization_role(accounts: Iterable[ServiceAccount]) -> Problems:
    """A project role lower than the organization role of the same service account."""
    for account in accounts:
        yield from pointless(f"'{account.user}'", account.roles)


def service_account_elsewhere(policy: Policy) -> Problems:
    """A service account that is also protected, or that another list takes for a person."""
    accounts = {fold(account.user): account for account in policy.service_accounts}
    protected = protected_places(policy)
    for account in policy.service_accounts:
        if at := protected.get(fold(account.user)):
            message = f"'{account.user}' is protected in {where(at)}, so no plan could give it these roles"
            yield Problem(account.at, message, "delete it here, or from `guardrails.protected`")
    entries: tuple[TemporaryGrant | PersonEntry, ...] = (*policy.grants, *policy.people)
    for entry in entries:
        if found := accounts.get(fold(entry.user)):
            message = f"'{entry.user}' is no person but a service account, in {where(found.at)}"
            yield Problem(entry.at, message, "delete one of the two")


def owned_by_service_account(accounts: Iterable[ServiceAccount]) -> Problems:
    """A service account for which no person answers."""
    accounts = tuple(accounts)
    machines = {fold(account.user): account for account in accounts}
    for account in accounts:
        if found := machines.get(fold(account.owner)):
            message = f"the owner '{account.owner}' is a service account, in {where(found.at)}"
            yield Problem(account.at, message, "name a person as `owner:`")


def service_account_admin(policy: Policy) -> Problems:
    """A service account that is made organization admin, which the guardrails do not allow it."""
    allowed = {fold(user) for user in policy.organization.guardrails.service_admins}
    for account in policy.service_accounts:
        for entry in account.roles:
            if entry.scope == ORGANIZATION and entry.role is Role.ADMIN and fold(account.user) not in allowed:
                message = f"the service account '{account.user}' may not be organization admin"
                remedy = "give it a lower role, or add it to `guardrails.service_admins` of organization.yaml"
                yield Problem(entry.at, message, remedy)
