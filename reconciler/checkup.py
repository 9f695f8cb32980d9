"""What an examination of a connection comes to: facts in, verdicts with remedies out. Pure; asks nobody."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.errors import ExitCode, ReconcilerError
from reconciler.model import DirectoryGroup, Member, Membership, Principal, Role, fold
from reconciler.naming import RoleNames
from reconciler.people.identity import People
from reconciler.phrases import counted, counted_people, shortened
from reconciler.policy.document import DirectoryKind, GroupRef, Organization, StoredAs

SKEW = timedelta(minutes=1)
"""Clocks that are further apart make tokens invalid before their time, or temporary grants late."""

SOON = timedelta(days=14)
"""So long before a token ends, somebody should issue the next one."""

SHOWN = 3
"""How many names a line lists before it only counts."""


ANY_REMEDY = "run it again; `reconciler --debug doctor` tells each request"
"""What to do about a failure that has no hint of its own."""


class Verdict(StrEnum):
    """What a check came to. UNKNOWN is never as good as OK: nothing told."""

    OK = "ok"
    FINDING = "finding"
    """Something that a person should look at; a run can work with it."""
    FAILED = "failed"
    """A run would fail here."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was seen, and what to do where that is not as it should be."""

    name: str
    verdict: Verdict
    said: str
    remedy: str = ""
    exit_code: ExitCode = ExitCode.DONE
    """The exit code of a run that fails here."""


@dataclass(frozen=True, slots=True)
class Ability:
    """What the server says that it can do, None where it does not say, and what it was seen to do."""

    name: str
    announced: str | None
    seen: str
    verdict: Verdict = Verdict.OK
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Checkup:
    """One organization, examined. `server` is its base URL, empty where that is not known."""

    organization: str
    server: str
    checks: tuple[Check, ...]
    abilities: tuple[Ability, ...] = ()

    @property
    def exit_codes(self) -> tuple[ExitCode, ...]:
        """Those of all that failed: findings change none."""
        lacking = any(ability.verdict is Verdict.FAILED for ability in self.abilities)
        unreadable = (ExitCode.UNREADABLE,) if lacking else ()
        failed = (check.exit_code for check in self.checks if check.verdict is Verdict.FAILED)
        return (*failed, *unreadable)


@dataclass(frozen=True, slots=True)
class TokenDates:
    """What tells how old a token is, each aware: its own words, or the file that it is in."""

    issued: datetime | None = None
    expires: datetime | None = None
    written: datetime | None = None
    """When its file was last written: the token is as old at least."""


def failed(name: str, error: ReconcilerError) -> Check:
    """A check that ended with an expected failure."""
    return Check(name, Verdict.FAILED, error.message, error.hint or ANY_REMEDY, error.exit_code)


def not_seen(name: str) -> Check:
    """A check that makes no sense after what failed before it."""
    return Check(name, Verdict.UNKNOWN, "not looked at: the server can't be read")


def clock(theirs: datetime | None, ours: datetime) -> Check:
    """How far the server's clock is from ours, by the `Date` of an answer. Both are aware."""
    if theirs is None:
        return Check("clock", Verdict.UNKNOWN, "the server does not tell its time (header Date)")
    skew = theirs - ours
    if abs(skew) <= SKEW:
        return Check("clock", Verdict.OK, f"within {SKEW.seconds} s of the server's")
    side = "behind" if skew > timedelta(0) else "ahead of"
    return Check(
        "clock",
        Verdict.FINDING,
        f"ours is {_span(abs(skew))} {side} the server's",
        "set this machine's clock by NTP, or have the server's set: grants end by ours",
    )


def token_age(dates: TokenDates, now: datetime, limit: timedelta) -> Check:
    """Whether the token should be replaced: it is older than `limit`, or ends soon."""
    replace = "issue a new token, put it in place, and revoke this one"
    end = f"; it expires on {dates.expires:%Y-%m-%d}" if dates.expires else ""
    if dates.expires and dates.expires <= now:
        return _age(Verdict.FINDING, f"it expired on {dates.expires:%Y-%m-%d}, by its own words", replace)
    if dates.issued and dates.issued > now + SKEW:
        said = f"it is of {dates.issued:%Y-%m-%d %H:%M} UTC by its own words, which is yet to come"
        return _age(Verdict.FINDING, said, "is the clock of whoever issued it right, and ours?")
    since, by = (dates.issued, "issued") if dates.issued else (dates.written, "its file was written")
    age = f"{by} on {since:%Y-%m-%d}, {_days(now - since)} ago" if since else ""
    if since and now - since > limit:
        return _age(Verdict.FINDING, f"{age}: the limit is {_days(limit)}{end}", replace)
    if dates.expires and dates.expires - now <= SOON:
        return _age(Verdict.FINDING, f"it expires on {dates.expires:%Y-%m-%d}", replace)
    if dates.issued:
        return _age(Verdict.OK, f"{age}{end}")
    if dates.written:
        return _age(Verdict.UNKNOWN, f"{age}, and the token in it may be older{end}", _NOTE)
    return _age(Verdict.UNKNOWN, f"nothing tells when it was issued{end}", _NOTE)


_NOTE = "note when it is to be replaced where you keep it"


def _age(verdict: Verdict, said: str, remedy: str = "") -> Check:
    return Check("token age", verdict, said, remedy)


def attributes(people: Collection[Principal], kind: DirectoryKind) -> Check:
    """How many of the server's people have what tells who they are."""
    counts = {
        "displayName": sum(bool(person.display_name) for person in people),
        "e-mail": sum(bool(person.email) for person in people),
        "externalId": sum(bool(person.external_id) for person in people),
        "active": sum(person.active is not None for person in people),
    }
    told = ", ".join(f"{name} {number}" for name, number in counts.items())
    said = f"of {counted(len(people), 'user')}: userName {len(people)}, {told}"
    if not people:
        return Check("attributes", Verdict.UNKNOWN, "the server has no users")
    if kind is not DirectoryKind.SCIM and not counts["externalId"]:
        remedy = (
            "have the identity provider send externalId: without it, nobody is known again who was renamed"
        )
        return Check("attributes", Verdict.FINDING, said, remedy)
    return Check("attributes", Verdict.OK, said)


# Roles


def storage(values: Sequence[str], groups: Collection[str], organization: Organization) -> Iterator[Check]:
    """Whether roles are where, and spelled as, the policy says.

    `values` are those of everybody's `User.roles`, as often as they are held, `groups` all groups' names.
    """
    names = RoleNames(organization)
    in_groups = organization.roles.stored_as is StoredAs.GROUPS
    here: Collection[str] = groups if in_groups else values
    fitting = [value for value in here if names.meaning(value)]
    what = "group" if in_groups else "value"
    of_all = f"of {counted(len(here), what)}{'' if in_groups else ' of User.roles'}"
    odd = _unlike([value for value in here if not names.meaning(value)], names, organization)
    elsewhere = _unlike(values if in_groups else groups, names, organization)
    if not fitting:
        yield _storage(f"{of_all}, none is a role by the templates of the policy")
    if odd:
        yield _storage(f"{of_all}, some look like roles and are none by the templates: {_most(odd)}")
    if elsewhere:
        there = "values of User.roles" if in_groups else "groups"
        said = f"there are {there} that look like roles: {_most(elsewhere)}"
        yield _storage(f"{said}; by the policy, roles are {_WHERE[in_groups]}")
    if fitting and not odd and not elsewhere:
        rest = "; the rest is left alone" if len(fitting) < len(here) else ""
        yield Check("role storage", Verdict.OK, f"{of_all}, {_are(len(fitting))} by the templates{rest}")


def _are(number: int) -> str:
    return "1 is a role" if number == 1 else f"{number} are roles"


_WHERE = {True: "groups", False: "values of User.roles"}


def _storage(said: str) -> Check:
    remedy = "compare `roles:` in organization.yaml with what the server has; what is no role is left alone"
    return Check("role storage", Verdict.FINDING, said, remedy)


_ROLE_WORDS = {str(role) for role in Role} | {f"{role}s" for role in Role}
_SCOPE_WORDS = {"org", "organization", "organisation", "project", "circleci"}


def _unlike(texts: Iterable[str], names: RoleNames, organization: Organization) -> list[str]:
    """Those of these texts that look like roles; not those of projects that the policy does not list."""
    spelled = {"".join(_words(name)) for _, name in names.items()}
    others = _of_other_projects(organization)
    return [
        text
        for text in texts
        if text
        and not others.fullmatch(fold(text))
        and ("".join(_words(text)) in spelled or _is_role(_words(text)))
    ]


def _of_other_projects(organization: Organization) -> re.Pattern[str]:
    """What a role looks like that the policy leaves alone, in any project or in the organization."""
    roles = organization.roles
    left = [roles.project] if organization.organization_roles_managed else [roles.project, roles.organization]
    either = f"({'|'.join(map(str, Role))})"
    patterns = [
        re.escape(fold(template)).replace(r"\{role\}", either).replace(r"\{project\}", ".+")
        for template in left
    ]
    return re.compile("|".join(patterns), re.DOTALL)


def _is_role(words: Sequence[str]) -> bool:
    """A role's word alone, or beside one that says where it holds."""
    rest = set(words) - _ROLE_WORDS
    return len(rest) < len(set(words)) and (not rest or bool(rest & _SCOPE_WORDS))


def _words(text: str) -> list[str]:
    """The words of a text in lower case: `OrgAdmin`, `org_admin` and `ORG-ADMIN` are of the same two."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", text[:500]))
    return re.findall(r"[^\W_]+", fold(parted))


# The directory


def groups(wanted: Collection[GroupRef], membership: Membership) -> Check:
    """Whether the directory has every group that the policy names, and tells who is in it."""
    found = {ref: _meant(ref, membership.groups) for ref in wanted}
    unclear = {ref.name for ref, meant in found.items() if len(meant) != 1}
    unreadable = {group.name for meant in found.values() for group in meant if group.members is None}
    empty = {group.name for meant in found.values() for group in meant if group.members == frozenset()}
    people = {member for meant in found.values() for group in meant for member in group.members or ()}
    everybody = "" if membership.people is None else f", {len(membership.people)} people in all"
    said = (
        f"{len(found) - len(unclear)} of {counted(len(found), 'group')} that the policy names, "
        f"{counted_people(len(people))} in them{everybody}"
    )
    sorts = {"not found, or several": unclear, "can't be read": unreadable, "nobody in it": empty}
    wrong = "; ".join(f"{sort}: {_most(sorted(names))}" for sort, names in sorts.items() if names)
    if wrong:
        remedy = "correct the names, or what the identity provider shows; `reconciler plan` says more"
        return Check("directory", Verdict.FINDING, f"{said}; {wrong}", remedy)
    return Check("directory", Verdict.OK, said)


def _meant(ref: GroupRef, there: Iterable[DirectoryGroup]) -> list[DirectoryGroup]:
    """By id if it has one, else by name, else by an earlier name."""
    there = list(there)
    if ref.id is not None:
        return [group for group in there if group.id == ref.id]
    for name in (ref.name, *ref.previously):
        if found := [group for group in there if fold(group.name) == fold(name)]:
            return found
    return []


def matching(membership: Membership, people: People) -> Check:
    """By which key those in the policy's groups are found on the server: nobody else needs an account.

    Where nobody is in them, everybody of the directory.
    """
    told = [group.members or frozenset() for group in membership.groups]
    known = frozenset[Member]().union(*told) or membership.people or frozenset()
    active = sorted((member for member in known if member.active is not False), key=str)
    if not active:
        return Check("matching", Verdict.UNKNOWN, "the directory tells of nobody who is active")
    ways = {member: _way(member, people) for member in active}
    counts = Counter(ways.values())
    said = ", ".join(f"{counts[way]} {words}" for way, words in _WAYS.items() if counts[way])
    said = f"of {counted(len(active), 'active person', 'active people')}: {said}"
    strangers = [str(member) for member in active if ways[member] == ""]
    if strangers:
        remedy = (
            "has the identity provider provisioned them? else see directory.attributes in organization.yaml"
        )
        return Check("matching", Verdict.FINDING, f"{said}: {_most(strangers)}", remedy)
    both_have = any(member.external_id for member in active) and bool(people.by_external_id)
    if both_have and not counts["id"] and not counts["externalId"]:
        remedy = (
            "the identity provider sends something else as externalId: see directory.attributes.external_id"
        )
        return Check("matching", Verdict.FINDING, f"{said}; no externalId is the server's", remedy)
    return Check("matching", Verdict.OK, said)


_WAYS = {"id": "by id", "externalId": "by externalId", "userName": "by userName", "": "not at all"}


def _way(member: Member, people: People) -> str:
    """The key by which `People.match` finds somebody; empty where it finds nobody."""
    found = people.match(member)
    if found is None:
        return ""
    if member.principal_id is not None:
        return "id"
    return "externalId" if member.external_id and found.external_id == member.external_id else "userName"


# Words


def _most(names: Sequence[str]) -> str:
    """The first of these names, and how many more there are; each once, with how often it is there."""
    counts = Counter(names)
    shown = [
        f"'{name[:80]}'" + (f" ({number} times)" if number > 1 else "") for name, number in counts.items()
    ]
    return shortened(shown, SHOWN)


def _days(span: timedelta) -> str:
    return counted(max(0, span.days), "day")


def _span(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return counted(minutes, "minute") if minutes < 120 else counted(round(minutes / 60), "hour")
