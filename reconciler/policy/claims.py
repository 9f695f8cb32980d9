"""What a claim says of what one person has: the scopes in which they have what it is about. Pure."""

from collections.abc import Mapping
from typing import assert_never

from reconciler.model import ORGANIZATION, Role, Scope
from reconciler.policy.document import Access, AtMost, Claim, Never, NeverTogether, Only

Held = Mapping[Scope, Role]
"""The highest role that somebody holds in each scope; a scope without roles is absent."""


def effective(held: Held, scope: Scope) -> int:
    """The role that applies in a scope, 0 for none: a role in the organization applies in every project."""
    return max(held.get(scope, 0), held.get(ORGANIZATION, 0))


def met(claim: Claim, held: Held) -> Held:
    """The scopes in which somebody has what a claim is about, and the roles that apply; none: they do not."""
    match claim:
        case Never() | Only() | AtMost():
            return _any(claim.access, held)
        case NeverTogether():
            found = _any(claim.access, held)
            return found if all(entry.scope in found for entry in claim.access.roles) else {}
        case _ as never:
            assert_never(never)


def _any(access: Access, held: Held) -> Held:
    asked: list[tuple[Scope, Role]] = [(entry.scope, entry.role) for entry in access.roles]
    if access.anywhere is not None:
        asked += [(scope, access.anywhere) for scope in held]
    everywhere = held.get(ORGANIZATION, 0)
    found = ((scope, max(held.get(scope, 0), everywhere), least) for scope, least in asked)
    return {scope: Role(role) for scope, role, least in found if role >= least}
