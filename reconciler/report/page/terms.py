"""What ends by itself and who is admin: temporary grants with the time that is left, organization admins."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.drifted import Drifted
from reconciler.explanation import ScopeExplanation, Standing
from reconciler.model import Role
from reconciler.policy.document import TemporaryGrant
from reconciler.problem import Location
from reconciler.report import explain
from reconciler.report.drift import remaining

SOON = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Term:
    """A temporary grant that is in force or to come."""

    user: str
    roles: tuple[tuple[str, Role], ...]
    """Scopes and roles."""
    reason: str
    expires: datetime
    at: Location
    left: str
    """In words, such as `4 days left` or `begins in 2 days`."""
    share: float
    """How much of it is left, from 0 to 1."""
    soon: bool
    """Whether it ends within a week."""


@dataclass(frozen=True, slots=True)
class Admin:
    """An organization admin who can act."""

    user: str
    by: tuple[tuple[str, Location], ...]
    """The entries of the policy that give it, in words."""
    left: str
    """The time until it ends, in words; empty where it has no end."""
    leaves: bool
    """Whether they should not be one any more."""
    protected: bool


def grants(found: Drifted) -> tuple[Term, ...]:
    """The temporary grants that have not ended, the one that ends first in front."""
    case = found.overview.case
    longest = timedelta(days=case.policy.organization.guardrails.longest_grant)
    return tuple(_term(grant, case.now, longest) for grant in found.grants)


def admins(found: Drifted) -> tuple[Admin, ...]:
    """Everybody who holds the organization's admin role and can act, by userName."""
    here = {person.principal.id: scope for person in found.overview.people for scope in person.scopes[:1]}
    now = found.overview.case.now
    return tuple(
        Admin(
            one.principal.user_name,
            _by(here[one.principal.id]),
            remaining(one.until - now) if one.until else "",
            Role.ADMIN not in here[one.principal.id].desired,
            one.protected,
        )
        for one in found.admins
    )


def _term(grant: TemporaryGrant, now: datetime, longest: timedelta) -> Term:
    begins = grant.starts if grant.starts is not None and grant.starts > now else None
    rest = grant.expires - now
    whole = grant.expires - grant.starts if grant.starts is not None else max(longest, rest)
    return Term(
        grant.user,
        tuple((str(role.scope), role.role) for role in grant.roles),
        grant.reason,
        grant.expires,
        grant.at,
        f"begins in {remaining(begins - now)}" if begins else f"{remaining(rest)} left",
        min(rest / whole, 1.0) if whole else 0.0,
        begins is None and rest < SOON,
    )


def _by(scope: ScopeExplanation) -> tuple[tuple[str, Location], ...]:
    return tuple(
        (explain.entry(one.source), one.source.at)
        for one in scope.reasons
        if one.standing in (Standing.APPLIES, Standing.IDLE) and one.source.role is Role.ADMIN
    )
