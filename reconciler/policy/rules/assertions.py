"""What assertions have wrong, and which entries break them whoever is in the directory's groups. Pure."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.model import ORGANIZATION, Role, Scope, fold
from reconciler.policy.claims import met
from reconciler.policy.document import (
    Access,
    Assertion,
    AtMost,
    Binding,
    GroupRef,
    Never,
    NeverTogether,
    Only,
    PersonClass,
    PersonEntry,
    Policy,
    RoleEntry,
    Whom,
)
from reconciler.policy.rules.entries import Problems, access_in_words, alike, in_words, scope_key, where
from reconciler.policy.rules.roles import by_group
from reconciler.problem import Problem

_REMEDY = "delete it here, or change the assertion"


def of_assertions(policy: Policy, now: datetime | None = None) -> Problems:
    """All of it. Of temporary grants those count that end after `now` (aware); None: none does."""
    yield from asserted_twice(policy.assertions)
    yield from together_by_themselves(policy.assertions)
    yield from broken(policy, now)


def asserted_twice(assertions: Sequence[Assertion]) -> Problems:
    """An assertion that says what another one says, in other words or the same."""
    for first, second in alike(sorted(assertions, key=lambda one: one.at), _meaning):
        message = f"this asserts what '{first.says}' asserts already, in {where(first.at)}"
        yield Problem(second.at, message, "delete one of them")


def together_by_themselves(assertions: Sequence[Assertion]) -> Problems:
    """Roles that are never to be together of which there is but one, or of which one brings the other."""
    for assertion in assertions:
        if not isinstance(assertion.claim, NeverTogether):
            continue
        roles = assertion.claim.access.roles
        if len(roles) == 1:
            message = (
                f"{access_in_words(assertion.claim.access)} is one role, and nothing is together with it"
            )
            yield Problem(assertion.at, message, "add the other one, or assert `at_most: {count: 0, …}`")
        for entry in roles:
            if (above := roles[0]) is not entry and above.scope == ORGANIZATION and above.role >= entry.role:
                message = (
                    f"whoever is {above.role} of the whole organization is {entry.role} of "
                    f"{in_words(entry.scope)} anyway"
                )
                yield Problem(entry.at, message, "delete one of the roles, or name a higher one here")


def broken(policy: Policy, now: datetime | None) -> Problems:
    """Entries that break an assertion by themselves. A plan is judged by all of them, with people."""
    if not policy.assertions:
        return
    named = [_named(policy, moment) for moment in _moments(policy, now)]
    bound = list(by_group(policy.bindings))
    found: dict[Problem, None] = {}
    for assertion in policy.assertions:
        for group in bound:
            found.update(dict.fromkeys(_by_group(assertion, group, policy.organization.classes)))
        for people in named:
            found.update(dict.fromkeys(_by_name(assertion, people, policy.people)))
    yield from found


@dataclass(frozen=True, slots=True)
class _Given:
    """What one group or one named user is given, and the entry that gives each role."""

    name: str
    entries: Mapping[Scope, RoleEntry]

    @classmethod
    def of(cls, name: str, entries: Sequence[RoleEntry]) -> "_Given":
        """Of several in one scope, the highest counts."""
        return cls(name, {entry.scope: entry for entry in sorted(entries, key=lambda one: one.role)})

    @property
    def held(self) -> Mapping[Scope, Role]:
        return {scope: entry.role for scope, entry in self.entries.items()}

    def by(self, scope: Scope, role: Role) -> RoleEntry:
        """The entry by which a role applies in a scope."""
        everywhere = self.entries.get(ORGANIZATION)
        return everywhere if everywhere and everywhere.role >= role else self.entries[scope]


def _by_group(
    assertion: Assertion, bindings: Sequence[Binding], classes: Mapping[str, PersonClass]
) -> Problems:
    """What bindings of one group break. Where anybody is excepted, its members may be just those."""
    if assertion.excepted != Whom():
        return
    match assertion.claim:
        case Never():
            given = [
                entry for binding in bindings for entry in _meant(assertion.claim.whom, binding, classes)
            ]
        case NeverTogether():
            given = [entry for binding in bindings for entry in _reaching(binding, _around(binding, classes))]
        case Only() | AtMost():  # it depends on where else its members are, and on how many they are
            return
    group = bindings[0].group.name
    yield from _against(assertion, f"the group '{group}'", _Given.of(group, given))


def _meant(whom: Whom, binding: Binding, classes: Mapping[str, PersonClass]) -> Sequence[RoleEntry]:
    """What a binding gives those of its group who are meant, whoever they are."""
    around = _around(binding, classes)
    everybody = any(_same(group, binding.group) for group in whom.groups)
    if everybody or any(one.name in whom.classes for one in around):
        return _reaching(binding, around)
    named = [classes[name] for name in binding.classes if name in whom.classes and name in classes]
    return [entry for one in named for entry in _reaching(binding, [*around, one])]


def _around(binding: Binding, classes: Mapping[str, PersonClass]) -> Sequence[PersonClass]:
    """The classes that everybody in a binding's group is in."""
    return [one for one in classes.values() if any(_same(group, binding.group) for group in one.groups)]


def _reaching(binding: Binding, inside: Sequence[PersonClass]) -> Sequence[RoleEntry]:
    """What a binding gives people of all these classes: no more than each lets them have."""
    if any(one.only_where_named and one.name not in binding.classes for one in inside):
        return ()
    cap = min((one.highest_role for one in inside if one.highest_role), default=Role.ADMIN)
    return [replace(entry, role=min(entry.role, cap)) for entry in binding.roles]


def _by_name(assertion: Assertion, named: Sequence[_Given], people: Sequence[PersonEntry]) -> Problems:
    """What those break who are given something by name at one moment, as far as it is known who is meant.

    Who is in a group is not known, nor who is in no class.
    """
    excepted = assertion.excepted
    if excepted.groups or excepted.classes:
        return
    meant = [one for one in named if not _names(excepted, one.name, people)]
    match assertion.claim:
        case Never():
            meant = [one for one in meant if _names(assertion.claim.whom, one.name, people)]
        case Only():
            spared = assertion.claim.whom
            if spared.groups or spared.classes:
                return
            meant = [one for one in meant if not _names(spared, one.name, people)]
        case NeverTogether():
            pass
        case AtMost():
            yield from _too_many(assertion, assertion.claim, meant)
            return
    for one in meant:
        yield from _against(assertion, f"'{one.name}'", one)


def _against(assertion: Assertion, whom: str, given: _Given) -> Problems:
    """The entries by which somebody has what a claim rules out; of several together, the last."""
    has = met(assertion.claim, given.held)
    entries = sorted({given.by(scope, role) for scope, role in has.items()}, key=lambda one: one.at)
    for entry in entries[-1:] if isinstance(assertion.claim, NeverTogether) else entries:
        message = f"{whom} is made {entry.role} of {in_words(entry.scope)} here, against {_cited(assertion)}"
        yield Problem(entry.at, message, _REMEDY)


def _too_many(assertion: Assertion, claim: AtMost, named: Sequence[_Given]) -> Problems:
    """The first person too many, in the order of the files."""
    entries = [
        (min(one.by(scope, role).at for scope, role in has.items()), one.name)
        for one in named
        if (has := met(claim, one.held))
    ]
    for at, name in sorted(entries)[claim.count : claim.count + 1]:
        who = f"'{name}' is one of {len(entries)} people who are named as {access_in_words(claim.access)}"
        yield Problem(at, f"{who}, and {_cited(assertion)} allows {claim.count}", _REMEDY)


def _cited(assertion: Assertion) -> str:
    return f"'{assertion.says}' ({where(assertion.at)})"


def _moments(policy: Policy, now: datetime | None) -> list[datetime | None]:
    """The moments at which somebody has something by name that they did not have before."""
    starts = {one.starts for one in policy.grants if now and one.starts and one.starts > now}
    return [now, *sorted(starts)]


def _named(policy: Policy, moment: datetime | None) -> list[_Given]:
    """What everybody is given by name at a moment."""
    entries: dict[str, list[RoleEntry]] = {}
    names: dict[str, str] = {}
    for account in policy.service_accounts:
        names.setdefault(fold(account.user), account.user)
        entries.setdefault(fold(account.user), []).extend(account.roles)
    for grant in policy.grants:
        if moment and grant.expires >= moment and (grant.starts is None or grant.starts <= moment):
            names.setdefault(fold(grant.user), grant.user)
            entries.setdefault(fold(grant.user), []).extend(grant.roles)
    return [_Given.of(names[user], given) for user, given in entries.items()]


def _same(one: GroupRef, other: GroupRef) -> bool:
    if one.id is not None and other.id is not None:
        return one.id == other.id
    return fold(one.name) == fold(other.name)


def _names(whom: Whom, user: str, people: Sequence[PersonEntry]) -> bool:
    """Whether somebody is meant by their name, or by a class that the policy puts them in."""
    said = {name for one in people if fold(one.user) == fold(user) for name in one.classes}
    return fold(user) in map(fold, whom.users) or bool(said.intersection(whom.classes))


def _meaning(assertion: Assertion) -> Hashable:
    """What two assertions are alike by."""
    claim = assertion.claim
    count = claim.count if isinstance(claim, AtMost) else None
    return (type(claim), count, _roles(claim.access), *map(_people, assertion.whoms))


def _roles(access: Access) -> Hashable:
    return (frozenset((scope_key(one.scope), one.role) for one in access.roles), access.anywhere)


def _people(whom: Whom) -> Hashable:
    groups = frozenset((group.id, fold(group.name)) for group in whom.groups)
    return (frozenset(map(fold, whom.users)), groups, frozenset(whom.classes))
