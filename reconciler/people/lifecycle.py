"""What a run does about joiners, leavers, returners and renames, as far as the policy lets it; and tells.

The population is the fact, this is the intention. What the policy does not allow, or is not due yet, becomes
a finding.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from reconciler.change import (
    AccountChange,
    Attribute,
    AttributeChange,
    CreateUser,
    DeleteUser,
    SetActive,
    SetAttributes,
)
from reconciler.finding import Finding, Kind
from reconciler.model import DesiredState, LiveState, Member, Principal, fold
from reconciler.people.population import Leaver, Match, Past, Population
from reconciler.phrases import minute
from reconciler.policy.document import DirectoryKind, Lifecycle, Organization


@dataclass(frozen=True, slots=True)
class Course:
    """What is to become of accounts."""

    live: LiveState
    """The live state with those who are to be created."""
    changes: tuple[AccountChange, ...] = ()
    """In the order of their stages, then by userName."""
    findings: tuple[Finding, ...] = ()
    told: tuple[Principal, ...] | None = None
    """The leavers whose grace the ledger is to count from the first run that told them; None: no need."""


def needs_past(organization: Organization) -> bool:
    """Whether anything depends on what the ledger says."""
    lifecycle = organization.lifecycle
    is_asked = bool(lifecycle.grace) or lifecycle.delete_after is not None
    return is_asked and lifecycle.deactivates and organization.directory.kind is not DirectoryKind.SCIM


def decide(
    lifecycle: Lifecycle,
    population: Population,
    desired: DesiredState,
    live: LiveState,
    now: datetime,
    past: Past | None = None,
) -> Course:
    """What becomes of everybody at the moment `now` (aware).

    `desired` is what the policy asks for, newcomers and returners included: who is given nothing is neither
    created nor brought back. `live` is the state without newcomers.
    """
    case = _Case(lifecycle, population, desired, now, past or Past())
    created = [one for one in population.newcomers if case.is_given(one.principal.id)]
    changes: list[AccountChange] = [
        *(CreateUser(one.principal, case.membership(one)) for one in created),
        *case.repaired(),
        *case.brought_back(),
        *case.deactivated(),
        *case.deleted(),
    ]
    findings = [*case.leavers(), *case.spared(), *case.returners(), *case.attributes()]
    joiners = {one.principal.id: one.principal for one in created}
    return Course(
        replace(live, people={**live.people, **joiners}) if joiners else live,
        tuple(sorted(changes, key=lambda change: (change.stage, *_name(change.principal)))),
        tuple(sorted(findings, key=lambda finding: finding.rank)),
        tuple(one.principal for one in population.leavers) if lifecycle.grace else None,
    )


@dataclass(frozen=True)
class _Case:
    """The population with all that a decision is made by."""

    lifecycle: Lifecycle
    population: Population
    desired: DesiredState
    now: datetime
    past: Past

    def is_given(self, id_: str) -> bool:
        """Whether the policy gives somebody a role now: neither only held, nor only ended ones."""
        if id_ in self.desired.doubtful:
            return False
        reasons = self.desired.why.get(id_, {}).values()
        return bool(self.desired.holdings(id_)) and any(
            not (reason.ended or reason.withheld) for of_scope in reasons for reason in of_scope
        )

    # Changes.

    def brought_back(self) -> Iterator[SetActive]:
        for match in self.population.returners:
            if match.principal.id in self.population.returning and self.is_given(match.principal.id):
                yield SetActive(match.principal, True, f"active in the directory, {self.membership(match)}")

    def deactivated(self) -> Iterator[SetActive]:
        for leaver in self.population.leavers if self.lifecycle.deactivates else ():
            if leaver.is_due(self.now):
                yield SetActive(leaver.principal, False, f"{leaver.words}{_since(leaver)}")

    def deleted(self) -> Iterator[DeleteUser]:
        """Only whom this program deactivated itself, so that nobody else's decision is made final."""
        days = self.lifecycle.delete_after
        if days is None or not self.lifecycle.deactivates:
            return
        for account in self.population.gone:
            since = self.past.deactivated.get(account.id)
            if since is not None and self.now - since >= timedelta(days=days):
                yield DeleteUser(account, f"deactivated by this program {minute(since)}")

    def repaired(self) -> Iterator[SetAttributes]:
        for match, changes in self.differing if self.lifecycle.repairs else ():
            differences = tuple(one for one in changes if not self._is_kept(match, one))
            if differences and not self._untouched(match):
                yield SetAttributes(match.principal, differences, _by(match))

    # Findings.

    def leavers(self) -> Iterator[Finding]:
        """Whoever is still here after this run."""
        for leaver in self.population.leavers:
            if self.lifecycle.deactivates and leaver.is_due(self.now):
                continue
            message = f"is active here, and {leaver.words}"
            if leaver.doubtful:
                message += ", unless it is somebody in a group who is not on the server"
                remedy = "see to it that everybody in the groups of bindings has an account"
            elif self.lifecycle.deactivates:
                what = "the account is" if leaver.listed else "roles and account are"
                remedy = f"{what} left alone until {minute(leaver.grace_ends)}"
            else:
                remedy = "deactivate the account, or write `lifecycle: {leavers: deactivate}`"
            yield Finding(Kind.LEAVER, leaver.principal.user_name, message, remedy, since=leaver.since)

    def spared(self) -> Iterator[Finding]:
        """Whoever is left alone, but for those whom the policy names as accounts beside the directory."""
        for leaver in self.population.spared:
            if leaver.listed is None and leaver.principal.id in self.population.exempt:
                continue
            kind = Kind.LEAVER if leaver.listed else Kind.UNKNOWN
            message = f"is active here, and {leaver.words}"
            yield Finding(kind, leaver.principal.user_name, message, since=leaver.since)

    def returners(self) -> Iterator[Finding]:
        """Whoever could be back, and is not after this run."""
        for match in self.population.returners:
            if match.principal.id in self.population.returning:
                continue
            message = f"is inactive here, and active in the directory, {self.membership(match)}"
            if match.contradicted:
                message += "; not brought back, for the externalId is another: it may be somebody else's name"
                remedy = "let the identity provider correct the externalId, or the userName"
            else:
                remedy = "activate the account, or write `lifecycle: {returners: reactivate}`"
            yield Finding(Kind.RETURNER, match.principal.user_name, message, remedy)

    def attributes(self) -> Iterator[Finding]:
        for match in self.population.matches.values():
            if match.contradicted and match.member.active is not False:
                message = _differs("externalId", match.principal.external_id, match.member.external_id)
                remedy = (
                    "is it another person by this name, or `directory.attributes.external_id` another one?"
                )
                yield Finding(Kind.ATTRIBUTE, match.principal.user_name, message, remedy)
        remedy = "" if self.lifecycle.repairs else "see `lifecycle: {attributes: repair}`"
        for match, changes in self.differing:
            user = match.principal.user_name
            is_repaired = self.lifecycle.repairs and not self._untouched(match)
            for change in changes:
                message = _differs(change.attribute, change.before, change.after)
                if self._is_kept(match, change):
                    yield Finding(Kind.ATTRIBUTE, user, message, _renaming(change))
                elif not is_repaired:
                    yield Finding(Kind.ATTRIBUTE, user, message, remedy)

    def _is_kept(self, match: Match, change: AttributeChange) -> bool:
        """Whether somebody stays called as the policy calls them: else they would be rid of what it says.

        Their class, their end and their grants are written by userName and by nothing else.
        """
        return change.attribute is Attribute.USER_NAME and match.principal.id in self.population.named

    def _untouched(self, match: Match) -> bool:
        """Whether no run writes their attributes, whatever the policy says of others."""
        return match.contradicted or match.principal.id in self.population.exempt

    @cached_property
    def differing(self) -> Sequence[tuple[Match, tuple[AttributeChange, ...]]]:
        """Those who are called otherwise on one side, with their differences."""
        return [
            (match, found)
            for match in self.population.matches.values()
            if (found := self._differences(match))
        ]

    def _differences(self, match: Match) -> tuple[AttributeChange, ...]:
        """What the directory has otherwise. Nothing of those who are gone on either side.

        What an account lacks is no difference: many servers keep no e-mails, or show none.
        """
        account, member = match.principal, match.member
        if _called(account) == _called(member):  # as nearly all are
            return ()
        if member.active is False or not (account.entitled or account.id in self.population.returning):
            return ()
        asked = {
            Attribute.DISPLAY_NAME: member.display_name,
            Attribute.EMAIL: member.email,
            Attribute.USER_NAME: member.user_name,
        }
        return tuple(
            AttributeChange(attribute, here, there)
            for attribute, there in asked.items()
            if there and (here := attribute.of(account)) and here != there and not attribute.same(here, there)
        )

    def membership(self, match: Match) -> str:
        """Which groups of bindings somebody is in, in words."""
        return f"in {_groups(self.population.groups[match.member])}"


def _called(one: Principal | Member) -> tuple[str | None, str | None, str | None]:
    return (one.user_name, one.display_name, one.email)


def _since(leaver: Leaver) -> str:
    return f" since {minute(leaver.since)}" if leaver.since else ""


def _by(match: Match) -> str:
    return "as in the directory, by externalId" if match.agrees else "as in the directory, by userName"


def _renaming(change: AttributeChange) -> str:
    """What to do about a rename that waits for the policy."""
    return (
        f"the policy names '{change.before}': name '{change.after}' in its place, and write "
        f"`people: [{{user: {change.after}, previously: [{change.before}]}}]`"
    )


def _groups(names: Iterable[str]) -> str:
    """The groups that somebody is in, in words."""
    *others, last = names
    return f"the groups {', '.join(others)} and {last}" if others else f"the group {last}"


def _differs(attribute: str, here: str | None, there: str | None) -> str:
    return f"{attribute} is '{here}' here, and '{there}' in the directory"


def _name(account: Principal) -> tuple[str, str]:
    return (fold(account.user_name), account.id)
