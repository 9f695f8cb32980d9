"""What a schema cannot say: the entries of a policy against each other and against the organization. Pure."""

from datetime import datetime

from reconciler.policy.document import Policy
from reconciler.policy.rules.assertions import of_assertions
from reconciler.policy.rules.entries import Problems
from reconciler.policy.rules.organization import of_directory, of_organization
from reconciler.policy.rules.people import of_people
from reconciler.policy.rules.references import of_classes, of_scopes
from reconciler.policy.rules.reviews import of_reviews
from reconciler.policy.rules.roles import of_roles
from reconciler.policy.rules.service_accounts import of_service_accounts
from reconciler.problem import Problem

__all__ = [
    "check",
    "of_assertions",
    "of_classes",
    "of_directory",
    "of_entries",
    "of_organization",
    "of_scopes",
]


def check(policy: Policy, now: datetime | None = None) -> list[Problem]:
    """Every problem of a policy whose files are valid by their schemas, sorted; `now` is `of_assertions`'."""
    organization = policy.organization
    return sorted(
        [
            *of_organization(organization),
            *of_directory(organization),
            *of_entries(policy),
            *of_assertions(policy, now),
            *of_scopes(policy),
            *of_classes(policy),
        ]
    )


def of_entries(policy: Policy) -> Problems:
    """What bindings, temporary grants, people, service accounts and reviews have wrong between them."""
    yield from of_roles(policy)
    yield from of_people(policy)
    yield from of_service_accounts(policy)
    yield from of_reviews(policy)
