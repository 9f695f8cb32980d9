"""What two policies say differently beside who gets which role: guardrails, mode, terms. Compares words only.

Read no further than the documents, so it is told even where nobody can be looked up.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import assert_never

from reconciler.model import fold
from reconciler.phrases import minute
from reconciler.policy.document import (
    Assertion,
    AtMost,
    Lifecycle,
    Mode,
    Never,
    NeverTogether,
    Only,
    Organization,
    PersonClass,
    Policy,
    Whom,
)
from reconciler.policy.marked import Steps, path_text
from reconciler.policy.rules.entries import access_in_words
from reconciler.problem import Location

Value = str | int | bool | None | tuple[str, ...]
"""What stands under a key. None: it is not there, or says nothing."""

THERE = "declared"
"""The value of what is there as a whole, such as a class of people."""

ALL, NAMED = "all", "named"
TELL = "report"
"""What a policy writes, or leaves out, where no run touches an account."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing that is said differently."""

    steps: Steps
    """The way to the key from the root of the document; to an entry of a list, by what it is about."""
    before: Value
    after: Value
    at: Location | None = None
    """Where the new policy says it; None where it does not say it any more."""
    loosens: bool = False
    """Whether less is checked than before, or a run may do more."""

    @property
    def name(self) -> str:
        """The key as people read it, such as `guardrails.minimum_admins`."""
        return path_text(self.steps)

    @property
    def rank(self) -> tuple[bool, str]:
        """Sort key: what loosens something first, then by key."""
        return (not self.loosens, self.name)

    @property
    def removed(self) -> tuple[str, ...]:
        """Of a list: what is on it no more."""
        return _missing(self.before, self.after)

    @property
    def added(self) -> tuple[str, ...]:
        """Of a list: what is on it now."""
        return _missing(self.after, self.before)


def between(base: Policy, head: Policy, now: datetime) -> tuple[Edit, ...]:
    """Everything that `head` says differently: what loosens something first, then by key.

    Entries that were over at the moment `now` (aware) are passed over.
    """
    before, after = _said(base, now), _said(head, now)
    edits = [
        Edit(
            steps,
            before.get(steps),
            after.get(steps),
            _place(head, steps) if steps in after else None,
            _loosens(steps, before.get(steps), after.get(steps)),
        )
        for steps in {**before, **after}
        if _differ(before.get(steps), after.get(steps)) and not _covered(steps, before, after)
    ]
    return tuple(sorted(edits, key=lambda edit: edit.rank))


Said = Mapping[Steps, Value]


def _said(policy: Policy, now: datetime) -> Said:
    """All that a policy says, by the steps to it; where it says nothing, the default."""
    organization = policy.organization
    return {
        ("mode",): organization.mode,
        ("organization_roles",): "managed" if organization.organization_roles_managed else "unmanaged",
        **{("projects", name): THERE for name in organization.projects},
        **{("projects", name, "id"): called for name, called in organization.projects.items()},
        **_flat(("directory",), organization.directory),
        **_flat(("guardrails",), organization.guardrails),
        **_flat(("roles",), organization.roles),
        **_flat(("notice",), organization.notice),
        ("reviews", "longest"): organization.longest_review,
        **_lifecycle(organization.lifecycle),
        **_classes(organization),
        **_entries(policy, now),
    }


def _flat(steps: Steps, value: object) -> Said:
    """A dataclass of values, of which some are dataclasses themselves; fields are called as keys are."""
    if is_dataclass(value) and not isinstance(value, type):
        found: dict[Steps, Value] = {}
        for one in fields(value):
            found |= _flat((*steps, one.name), getattr(value, one.name))
        return found
    if isinstance(value, Enum):
        return {steps: str(value)}
    if value is None or isinstance(value, str | int | tuple):
        return {steps: value}
    raise TypeError(f"nobody knows how to compare {path_text(steps)}")


def _lifecycle(lifecycle: Lifecycle) -> Said:
    words = {
        "joiners": "create" if lifecycle.creates else TELL,
        "leavers": "deactivate" if lifecycle.deactivates else TELL,
        "returners": "reactivate" if lifecycle.reactivates else TELL,
        "attributes": "repair" if lifecycle.repairs else TELL,
    }
    numbers: Mapping[str, Value] = {"grace": lifecycle.grace, "delete_after": lifecycle.delete_after}
    return {("lifecycle", name): value for name, value in {**words, **numbers}.items()}


def _classes(organization: Organization) -> Said:
    found: dict[Steps, Value] = {}
    for name, one in organization.classes.items():
        found["classes", name] = THERE
        found |= {("classes", name, *steps): value for steps, value in _class(one).items()}
    return found


def _class(one: PersonClass) -> Said:
    return {
        ("match", "groups"): tuple(sorted(group.name for group in one.groups)),
        **{("match", "attributes", name): values for name, values in one.attributes.items()},
        ("ends", "required"): one.end_required,
        ("ends", "attribute"): one.end_attribute or None,
        ("highest_role",): str(one.highest_role) if one.highest_role else None,
        ("bindings",): NAMED if one.only_where_named else ALL,
    }


def _entries(policy: Policy, now: datetime) -> Said:
    """What entries say beside roles: of several for the same, all."""
    found: dict[Steps, set[str]] = {}
    single: dict[Steps, Value] = {}
    for grant in (one for one in policy.grants if one.expires >= now):
        begins = f"from {minute(grant.starts)} " if grant.starts and grant.starts > now else ""
        for entry in grant.roles:
            term = f"{entry.role} {begins}until {minute(grant.expires)}"
            found.setdefault(("grants", grant.user, str(entry.scope)), set()).add(term)
    for binding in policy.bindings:
        if binding.classes:
            found.setdefault(("bindings", binding.group.name, "classes"), set()).update(binding.classes)
    for assertion in policy.assertions:
        found.setdefault(("assertions", assertion.says), set()).add(_asserted(assertion))
    for account in policy.service_accounts:
        single["service_accounts", account.user] = THERE
        single["service_accounts", account.user, "owner"] = account.owner
        single["service_accounts", account.user, "review"] = minute(account.review)
    for person in policy.people:
        single["people", person.user] = THERE
        single["people", person.user, "classes"] = tuple(sorted(person.classes))
        single["people", person.user, "ends"] = minute(person.ends) if person.ends else None
        single["people", person.user, "previously"] = tuple(sorted(person.previously))
    return {**{steps: tuple(sorted(terms)) for steps, terms in found.items()}, **single}


def _asserted(assertion: Assertion) -> str:
    """What is checked, in one line: `never kim@acme.example, group eng: admin of project 'web'`."""
    claim = assertion.claim
    access = access_in_words(claim.access)
    spared = f", except {_people(assertion.excepted)}" if assertion.excepted != Whom() else ""
    match claim:
        case Never():
            return f"never {_people(claim.whom)}: {access}{spared}"
        case Only():
            return f"only {_people(claim.whom)}: {access}{spared}"
        case AtMost():
            return f"at most {claim.count}: {access}{spared}"
        case NeverTogether():
            return f"never together: {access_in_words(claim.access, ' and ')}{spared}"
        case _ as never:
            assert_never(never)


def _people(whom: Whom) -> str:
    groups = sorted(f"group {group.name}" for group in whom.groups)
    return ", ".join([*sorted(whom.users), *groups, *sorted(f"class {name}" for name in whom.classes)])


def _differ(before: Value, after: Value) -> bool:
    """Of lists, neither order nor letter case matters."""
    if isinstance(before, tuple) or isinstance(after, tuple):
        return _folded(before) != _folded(after)
    return before != after


def _covered(steps: Steps, before: Said, after: Said) -> bool:
    """Whether something around it is there only before or only after, so that this goes without saying."""
    return any((steps[:n] in before) != (steps[:n] in after) for n in range(1, len(steps)))


def _place(head: Policy, steps: Steps) -> Location | None:
    """Where the organization's document says it, or what is around it; None for what it need not say."""
    places = head.organization.places
    ways = (steps[:n] for n in range(len(steps), 0, -1))
    return next((places[way] for way in ways if way in places), None) or _entry_place(head, steps)


def _entry_place(head: Policy, steps: Steps) -> Location | None:
    match steps:
        case ("grants", user, scope):
            entries = (
                e for one in head.grants if one.user == user for e in one.roles if str(e.scope) == scope
            )
            return next((entry.at for entry in entries), None)
        case ("bindings", group, _):
            return next((one.at for one in head.bindings if one.group.name == group and one.classes), None)
        case ("assertions", says):
            return next((one.at for one in head.assertions if one.says == says), None)
        case ("service_accounts", user, *_):
            return next((one.at for one in head.service_accounts if one.user == user), None)
        case ("people", user, *_):
            return next((one.at for one in head.people if one.user == user), None)
        case _:
            return None


_MODES = tuple(Mode)
_HIGHEST = (None, "admin", "contributor", "viewer")
"""From no limit to the lowest."""


def _loosens(steps: Steps, before: Value, after: Value) -> bool:
    """Whether less is checked than before, or a run may do more. What is unknown here counts as that."""
    match steps:
        case ("mode",):
            return _rank(_MODES, after) > _rank(_MODES, before)
        case ("guardrails", "minimum_admins"):
            return _number(after) < _number(before)
        case ("guardrails", "protected" | "required_admins"):
            return bool(_missing(before, after))
        case ("guardrails", "service_admins"):
            return bool(_missing(after, before))
        case ("directory", "entitled"):
            return None in (before, after) or bool(_missing(after, before))  # None: the usual ones
        case ("directory", "oldest") | ("lifecycle", "grace") | ("reviews", "longest"):
            return _number(after) > _number(before)
        case ("lifecycle", "delete_after"):
            return _number(after) < _number(before)
        case ("lifecycle", _):
            return before == TELL
        case ("guardrails", *_):
            return not isinstance(before, int) or _number(after) > _number(before)
        case ("assertions", _):
            return bool(_missing(before, after))  # what was checked is not any more, or not as it was
        case ("classes", _):
            return after is None
        case ("classes", _, "highest_role"):
            return _rank(_HIGHEST, after) < _rank(_HIGHEST, before)
        case ("classes", _, "bindings"):
            return before == NAMED
        case ("classes", _, "ends", "required"):
            return before is True
        case _:
            return False


def _rank(ranked: Collection[Value], value: Value) -> int:
    return list(ranked).index(value)


def _number(value: Value) -> float:
    """A number; none at all is one that is never reached."""
    return value if isinstance(value, int) else math.inf


def _missing(there: Value, here: Value) -> tuple[str, ...]:
    """The names of one list that the other one lacks."""
    known = _folded(here)
    return tuple(name for name in there if fold(name) not in known) if isinstance(there, tuple) else ()


def _folded(value: Value) -> frozenset[str]:
    return frozenset(map(fold, _items(value)))


def _items(value: Value) -> Iterator[str]:
    yield from value if isinstance(value, tuple) else ()
