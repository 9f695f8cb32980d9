"""The export of an identity provider as a directory: the groups in it, and who there is.

How old it is, is told by the export itself and by nothing else: a checkout or a restored cache makes the
file's own time new.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from reconciler.directories.file import export
from reconciler.errors import ReadError
from reconciler.model import DirectoryGroup, Member, Membership, fold
from reconciler.people.groups import Meant
from reconciler.policy import times
from reconciler.policy.document import AttributeNames, DirectorySettings, GroupRef
from reconciler.policy.files import shown
from reconciler.policy.marked import MarkedDocument, Steps, quote
from reconciler.ports import ProvisioningFailure
from reconciler.problem import Problem

FAST = timedelta(minutes=5)
"""So much may the clock of whoever exported be ahead of ours."""

ATTRIBUTES = "attributes"

NO_ID = "(no id) "
"""What the id of a group begins with that the export gives none."""

Key = tuple[str, ...]
"""What is known of a person: `("email",)`, or `("attributes", "userType")`."""


class FileDirectory:
    """A `ports.Directory`. Every reading opens the file anew; `now` gives the time of day, aware."""

    def __init__(self, path: Path, settings: DirectorySettings, now: Callable[[], datetime]) -> None:
        self._path = path
        self._settings = settings
        self._now = now
        self.exported: datetime | None = None
        """When the export that was read last says that it was made, aware."""

    def read(self, groups: Collection[GroupRef], *, everybody: bool = False) -> Membership:
        """The groups of the export that one of these references could mean. Raises ReadError.

        Everybody is known only where the export says so; each person with all attributes that it has.
        """
        document = export.read(self._path)
        self.exported = exported = _moment(document)
        self._check_age(exported)
        content = _Content(document, self._settings.attributes)
        content.read()
        export.refuse(content.problems)
        found = tuple(content.groups())
        meant = Meant.by(groups)
        return Membership(
            tuple(group for group in found if meant.could_be(group.id, group.name)),
            frozenset(group.name for group in found),
            content.everybody() if everybody else None,
        )

    def failures(self) -> tuple[ProvisioningFailure, ...]:
        """None: an export has no log."""
        return ()

    def _check_age(self, exported: datetime) -> None:
        age, oldest = self._now() - exported, timedelta(hours=self._settings.oldest)
        said = f"the directory's export {shown(self._path)} says that it is of {exported:%Y-%m-%d %H:%M} UTC"
        if age > oldest:
            raise ReadError(
                f"{said}, {age // timedelta(hours=1)} hours ago: the policy allows {self._settings.oldest}",
                "export it anew; or raise directory.oldest in organization.yaml",
            )
        if age < -FAST:
            raise ReadError(
                f"{said}, which is yet to come",
                "`exported` is when the identity provider was asked; are the clocks right, there and here?",
            )


def _moment(document: MarkedDocument) -> datetime:
    """When the export was made, in UTC. Raises ReadError for a time that no calendar or clock has."""
    steps: Steps = ("exported",)
    text: str = document.value["exported"]  # type: ignore[index,call-overload,assignment]  # by the schema
    if not times.exists(text):
        wrong = f"the time {quote(text)} {times.fault(text)[0]}"
        export.refuse([Problem(document.at(steps), wrong, "write such as 2026-11-26T06:00:00Z")])
    return times.begin(text)


@dataclass(slots=True)
class _Person:
    """What all places of an export together say of one person, and where each thing was said first."""

    facts: dict[Key, Any] = field(default_factory=dict)
    places: dict[Key, Steps] = field(default_factory=dict)
    listed: bool = False
    """Whether they stand among the people."""

    def __str__(self) -> str:
        return quote(self.facts["user_name",])

    def key(self, name: str) -> Key:
        """The key that a name of the policy means: one of ours, or else an attribute's."""
        return (name,) if (name,) in self.facts else (ATTRIBUTES, name)

    def text(self, name: str) -> str | None:
        value = self.facts.get(self.key(name))
        return value if isinstance(value, str) else None


@dataclass
class _Content:
    """What a document of the right form means: groups and people that don't contradict themselves."""

    document: MarkedDocument
    names: AttributeNames
    problems: list[Problem] = field(default_factory=list)
    _people: dict[str, _Person] = field(default_factory=dict)
    """By folded user_name."""
    _members: list[list[str]] = field(default_factory=list)
    """Of each group, the folded user_names."""

    @property
    def _value(self) -> Mapping[str, Any]:
        value = self.document.value
        assert isinstance(value, dict)
        return value

    def read(self) -> None:
        """Everything once; what can't be so is in `problems`."""
        for number, person in enumerate(self._value.get("people", ())):
            self._list(("people", number), person)
        for number, group in enumerate(self._value["groups"]):
            self._members.append(self._all(("groups", number, "members"), group))
        self._check_groups()
        self._check_keys("external_id", self.names.external_id or "external_id")
        self._check_keys("user_name", self.names.user_name or "user_name")

    def groups(self) -> Iterator[DirectoryGroup]:
        """The groups. One without an id is given one that no policy would name."""
        for group, members in zip(self._value["groups"], self._members, strict=True):
            id_ = group.get("id", f"{NO_ID}{group['name']}")
            yield DirectoryGroup(id_, group["name"], frozenset(self._known[name] for name in members))

    def everybody(self) -> Set[Member] | None:
        """Everybody, where the export says that it lists everybody."""
        if "people" not in self._value:
            return None
        return dict.fromkeys(self._known.values()).keys()

    @cached_property
    def _known(self) -> Mapping[str, Member]:
        """Everybody, by folded user_name."""
        return {name: self._member(person) for name, person in self._people.items()}

    def _list(self, steps: Steps, entry: Mapping[str, Any]) -> None:
        earlier = self._people.get(fold(entry["user_name"]))
        if earlier is not None:
            line = self.document.at(earlier.places["user_name",]).line
            self._complain(steps, f"{quote(entry['user_name'])} is listed twice, also in line {line}")
        self._take(steps, entry).listed = True

    def _all(self, steps: Steps, group: Mapping[str, Any]) -> list[str]:
        """Everybody in a group. Each is known elsewhere, if everybody is listed."""
        found: dict[str, None] = {}
        for number, entry in enumerate(group["members"]):
            member = {"user_name": entry} if isinstance(entry, str) else entry
            name, place = fold(member["user_name"]), (*steps, number)
            if name in found:
                who, where = quote(member["user_name"]), quote(group["name"])
                self._complain(place, f"{who} is in the group {where} twice", "delete one of the two")
            known = self._people.get(name) if isinstance(entry, str) else None
            person = known or self._take(place, member)  # of whom a name alone says nothing new
            if "people" in self._value and not person.listed:
                remedy = "list everybody under `people`, or leave that key out"
                self._complain(place, f"{person} is in a group, and not among the people", remedy)
            found[name] = None
        return list(found)

    def _take(self, steps: Steps, entry: Mapping[str, Any]) -> _Person:
        """Add what is said here of a person to what is known of them."""
        known = self._people.setdefault(fold(entry["user_name"]), _Person())
        said: dict[Key, Any] = {(name,): fact for name, fact in entry.items() if name != ATTRIBUTES}
        said |= {(ATTRIBUTES, name): fact for name, fact in entry.get(ATTRIBUTES, {}).items()}
        for key, fact in said.items():
            place = steps if key == ("user_name",) else (*steps, *key)
            if known.facts.setdefault(key, fact) == fact:
                known.places.setdefault(key, place)
            elif key != ("user_name",):
                self._differ(known, key, fact, place)
        return known

    def _differ(self, known: _Person, key: Key, fact: object, place: Steps) -> None:
        line = self.document.at(known.places[key]).line
        there, name = _shown(known.facts[key]), ".".join(key)
        self._complain(place, f"{name} of {known} is {_shown(fact)} here, and {there} in line {line}")

    def _check_groups(self) -> None:
        """No two groups are alike, and all have an id or none has: a name must not pass for an id."""
        seen: dict[str, int] = {}
        by_id = "id" in self._value["groups"][0]
        for number, group in enumerate(self._value["groups"]):
            if ("id" in group) is not by_id:
                message = "some groups have an id and some have none"
                self._complain(("groups", number), message, "give an id to every group, or to none")
                continue
            key = "id" if by_id else "name"
            other = seen.setdefault(group["id"] if by_id else fold(group["name"]), number)
            if other != number:
                line = self.document.at(("groups", other)).line
                message = f"another group has the {key} {quote(group[key])}, too, in line {line}"
                self._complain(("groups", number, key), message, "put all members into one group")

    def _check_keys(self, key: str, name: str) -> None:
        """No two people have one externalId or userName; `name` is what the policy takes for it."""
        seen: dict[str, _Person] = {}
        for person in self._people.values():
            value = person.text(name)
            if value is None:
                if key == "user_name":
                    message = f"{person} has no attribute {quote(name)}, which the policy takes for userName"
                    self._complain(person.places["user_name",], message)
                continue
            other = seen.setdefault(fold(value) if key == "user_name" else value, person)
            if other is not person:
                place = person.places[person.key(name)]
                self._complain(place, f"{person} and {other} have the same {name}: {quote(value)}")

    def _member(self, person: _Person) -> Member:
        names, facts = self.names, person.facts
        return Member(
            external_id=person.text(names.external_id or "external_id"),
            user_name=person.text(names.user_name or "user_name"),
            active=facts.get(("active",)),
            status=facts.get(("status",), ""),
            since=times.begin(facts["since",]) if ("since",) in facts else None,
            display_name=person.text(names.display_name or "display_name"),
            email=person.text(names.email or "email"),
            attributes=tuple(sorted((key[1], fact) for key, fact in facts.items() if len(key) > 1)),
        )

    def _complain(self, steps: Steps, message: str, remedy: str = "correct the export") -> None:
        self.problems.append(Problem(self.document.at(steps), message, remedy))


def _shown(value: object) -> str:
    return quote(value) if isinstance(value, str) else str(value).lower()
