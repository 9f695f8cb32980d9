"""What of a policy somebody should look at: ends that come, entries that are over, reviews that are due."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from reconciler import reviews
from reconciler.finding import Finding, Kind
from reconciler.model import Member, Membership, Provenance, fold, fold_all
from reconciler.people.classes import Classes, End, members
from reconciler.people.identity import People
from reconciler.phrases import minute
from reconciler.policy.document import PersonEntry, Policy, Reviewable, ServiceAccount
from reconciler.problem import Location
from reconciler.reviews import Reviewed, Standing

_DAY = timedelta(days=1)

_COUNTS = (Standing.GOOD, Standing.DUE_SOON)
_REVIEWS: Mapping[Standing, str] = {
    Standing.DUE_SOON: "to be reviewed again by {due}",
    Standing.OVERDUE: "that should have been reviewed again by {due}",
    Standing.MISSING: "that nobody is said to have reviewed",
    Standing.AHEAD: "with a review of a day that is yet to come",
}
"""What is said of entries that somebody has to look at again; of all others nothing is."""


def of(
    policy: Policy,
    membership: Membership,
    people: People,
    classes: Classes,
    given: Mapping[str, Collection[Provenance]],
    now: datetime,
) -> tuple[Finding, ...]:
    """Every finding of this policy at the moment `now` (aware), sorted by place.

    `people` are those on the provider. `given` has, of those in a class or under `people:`, everybody who has
    or would be given a role but for the end of their time, by principal id, with the entries that would give
    it.
    """
    desk = _Desk(policy, membership, people, classes, given, now)
    found = (*desk.grants(), *desk.ends(), *desk.entries(), *desk.accounts(), *desk.reviews())
    return tuple(sorted((*found, *desk.reviewers()), key=_place))


@dataclass(frozen=True)
class _Desk:
    """Where a policy is gone through, with all that it is looked at by."""

    policy: Policy
    membership: Membership
    people: People
    classes: Classes
    given: Mapping[str, Collection[Provenance]]
    now: datetime

    def grants(self) -> Iterator[Finding]:
        """Temporary grants that end soon, and those that ended long ago."""
        for grant in self.policy.grants:
            begun = grant.starts is None or grant.starts <= self.now
            if begun and self._soon(grant.expires):
                message = f"has a temporary grant until {minute(grant.expires)}, {grant.reason}"
                remedy = "write another `expires:` if it is needed for longer"
            elif self._long_over(grant.expires):
                message = f"had a temporary grant until {minute(grant.expires)}"
                remedy = "delete it from the policy"
            else:
                continue
            yield Finding(Kind.GRANT, grant.user, message, remedy, grant.at)

    def ends(self) -> Iterator[Finding]:
        """People who have or are given something, and whose time is over soon."""
        written = {entry.at for entry in self.policy.people}
        for id_ in self.given:
            end = self.classes.of(id_).end
            if end is None or not self._soon(end.moment):
                continue
            message = f"{_time(end)} until {minute(end.moment)}, and loses every role then"
            remedy = "write another `ends:`" if end.at in written else "have the directory say so"
            user = self.people.by_id[id_].user_name
            yield Finding(Kind.CLASS, user, message, f"{remedy} if it is for longer", end.at)

    def entries(self) -> Iterator[Finding]:
        """Entries under `people:` that ended long ago, and those of nobody."""
        for entry in self.policy.people:
            if entry.ends is not None and self.now > entry.ends:
                if self._long_over(entry.ends):
                    message = f"has an entry that ended {minute(entry.ends)}"
                    yield Finding(Kind.CLASS, entry.user, message, self._deletion(entry), entry.at)
            elif self.people.named(entry.user) is None and fold(entry.user) not in self._listed:
                known = self.membership.people is not None
                message = "is nobody on the server" + (" and nobody in the directory" if known else "")
                remedy = "correct the userName, or delete the entry"
                yield Finding(Kind.CLASS, entry.user, message, remedy, entry.at)

    def accounts(self) -> Iterator[Finding]:
        """Service accounts that are off, that nobody answers for, or that have to be looked at again."""
        for account in self.policy.service_accounts:
            machine = self.people.named(account.user)
            if machine is not None and not machine.entitled:
                message = "is not active on the server, so it is given nothing"
                yield _of(account, message, "activate it, or delete it from the policy")
            if gone := self._gone(account.owner):
                message = f"has the owner {account.owner}, who {gone}"
                yield _of(account, message, "write as `owner:` who answers for it now")
            remedy = "look at it again, then write as `review:` when to do so next"
            if self.now > account.review:
                message = f"was due for review by {minute(account.review)}"
                yield _of(account, message, remedy, account.review)
            elif self._soon(account.review):
                yield _of(account, f"is due for review by {minute(account.review)}", remedy)

    def reviews(self) -> Iterator[Finding]:
        """Entries that somebody has to look at again: one finding for each file and way that it stands."""
        found: dict[tuple[str, Standing], list[tuple[Reviewable, Reviewed]]] = defaultdict(list)
        for entry in self.policy.reviewables:
            reviewed = self._reviewed(entry)
            found[entry.at.file, reviewed.standing].append((entry, reviewed))
        for (file, standing), several in found.items():
            if standing not in _REVIEWS:
                continue
            due = min((one.due for _, one in several if one.due), default=None)
            entries = "an entry" if len(several) == 1 else f"{len(several)} entries"
            words = _REVIEWS[standing].format(due=minute(due) if due else "")
            remedy = "look at it, then say so: `reviewed: {date: DAY, by: USERNAME}`"
            since = due if standing is Standing.OVERDUE else None
            at = min(entry.at for entry, _ in several)
            yield Finding(Kind.REVIEW, file, f"has {entries} {words}", remedy, at, since)

    def reviewers(self) -> Iterator[Finding]:
        """Reviewers whom nobody knows, once each, as long as a review of theirs is one that counts."""
        if self.policy.organization.longest_review is None:
            return
        entries = (entry for entry in self.policy.reviewables if self._reviewed(entry).standing in _COUNTS)
        marks = sorted((entry.reviewed for entry in entries if entry.reviewed), key=lambda mark: mark.at)
        for folded, mark in {fold(mark.by): mark for mark in reversed(marks)}.items():
            if self.people.named(mark.by) is None and folded not in self._listed:
                known = self.membership.people is not None
                message = "is named as a reviewer, and is nobody on the server"
                message += " and nobody in the directory" if known else ""
                remedy = "correct the userName, or let somebody else review what they did"
                yield Finding(Kind.REVIEW, mark.by, message, remedy, mark.at)

    def _reviewed(self, entry: Reviewable) -> Reviewed:
        return reviews.of(entry, self.policy.organization, self.now)

    @cached_property
    def _members(self) -> Mapping[str, Collection[Member]]:
        """What the directory knows of everybody on the provider, by principal id."""
        return self.classes.known or members(self.membership, self.people)

    @cached_property
    def _listed(self) -> frozenset[str]:
        """The userNames that the directory was heard of, folded."""
        return frozenset(fold_all(one.user_name for one in self.membership.everybody if one.user_name))

    def _gone(self, owner: str) -> str:
        """Why an owner can't answer for anything; empty where they can, as far as is known."""
        person = self.people.named(owner)
        if person is None:
            return "is not on the server"
        if not person.entitled:
            return "is not active on the server"
        if self.membership.people is None:
            return ""
        listed = self._members.get(person.id, ())
        if any(member.active is not False for member in listed):
            return ""
        status = min((member.status for member in listed), default="not")
        return f"is {status or 'not active'} in the directory"

    def _deletion(self, entry: PersonEntry) -> str:
        """How to get rid of an entry without giving access back to who is still in a group."""
        person = self.people.named(entry.user)
        reasons = self.given.get(person.id, ()) if person else ()
        sources = {one.name for one in reasons if one.entry == "binding"}
        if not sources:
            return "delete it from the policy"
        groups = ", ".join(sorted(sources))
        return f"take them out of {groups}, which would give them roles again, then delete the entry"

    def _soon(self, end: datetime) -> bool:
        return (
            timedelta(0) <= end - self.now
            and (end - self.now) / _DAY <= self.policy.organization.notice.ending
        )

    def _long_over(self, end: datetime) -> bool:
        return (self.now - end) / _DAY > self.policy.organization.notice.ended


def _of(account: ServiceAccount, message: str, remedy: str, since: datetime | None = None) -> Finding:
    return Finding(Kind.SERVICE_ACCOUNT, account.user, message, remedy, account.at, since)


def _time(end: End) -> str:
    return f"is {end.person_class}" if end.person_class else "has access"


def _place(finding: Finding) -> tuple[Location, str, str]:
    return (finding.at or Location(""), finding.subject, finding.message)
