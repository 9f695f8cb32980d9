"""What the sandbox starts with: people, groups and roles, written by hand as YAML."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from reconciler.errors import SettingsError
from reconciler.model import fold
from reconciler.policy import reader
from reconciler.policy.marked import MarkedDocument, Steps, Value
from reconciler.problem import Problem
from reconciler.sandbox.circleci import Vocabulary

FORMAT = "docs/sandbox.md shows how a seed is written"


@dataclass(frozen=True, slots=True)
class Person:
    """A person or service account.

    `active` None: the server does not say. `id` None: one is made from the userName.
    """

    name: str | None = None
    roles: tuple[str, ...] = ()
    external_id: str | None = None
    active: bool | None = True
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A group and the userNames of its members. `id` None: one is made from its name."""

    members: tuple[str, ...] = ()
    external_id: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Seed:
    """An organization as the server holds it. `projects` None: a role in any project is accepted."""

    people: Mapping[str, Person] = field(default_factory=dict)
    """By userName."""
    groups: Mapping[str, Group] = field(default_factory=dict)
    """By displayName."""
    projects: frozenset[str] | None = None
    other_roles: frozenset[str] = frozenset()
    """Role values that are not CircleCI's and accepted all the same."""


def acme() -> Seed:
    """The organization that `policies/acme` is written for, with every kind of drift in it."""
    return parse(files(__package__).joinpath("acme.yaml").read_text(encoding="utf-8"), "acme.yaml")


def load(path: Path) -> Seed:
    """Read a seed file. Raises SettingsError with every mistake in it and where it stands."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot read the seed {path}: {error.strerror}", hint=FORMAT) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"cannot read the seed {path}: it is not UTF-8", hint=FORMAT) from error
    return parse(text, str(path))


def parse(text: str, file: str) -> Seed:
    """Read a seed from text that came from `file`. Raises SettingsError as `load` does."""
    document = reader.parse(text, file)
    reading = _Reading(document)
    seed = reading.seed() if document.whole else Seed()
    if problems := sorted([*document.problems, *reading.problems]):
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise SettingsError(f"cannot use the seed {file}:\n{lines}", hint=FORMAT)
    return seed


class _Reading:
    """One pass over a document that turns it into a seed and collects what is wrong with it."""

    def __init__(self, document: MarkedDocument) -> None:
        self._document = document
        self.problems: list[Problem] = []

    def seed(self) -> Seed:
        top = self._mapping(self._document.value, (), {"projects", "other_roles", "people", "groups"})
        projects = frozenset(self._texts(top["projects"], ("projects",))) if "projects" in top else None
        others = frozenset(self._texts(top.get("other_roles"), ("other_roles",)))
        people = {
            name: self._person(entry, ("people", name))
            for name, entry in self._mapping(top.get("people"), ("people",)).items()
        }
        groups = {
            name: self._group(entry, ("groups", name))
            for name, entry in self._mapping(top.get("groups"), ("groups",)).items()
        }
        self._check_names(people, "people")
        self._check_ids(people, "people")
        self._check_ids(groups, "groups")
        self._check_roles(people, Vocabulary(projects, others))
        self._check_members(groups, people)
        return Seed(people, groups, projects, others)

    def _person(self, entry: Value, at: Steps) -> Person:
        values = self._mapping(entry, at, {"name", "roles", "external_id", "active", "id"})
        active = values.get("active", True)
        if not (active is None or isinstance(active, bool)):
            self._fault((*at, "active"), "must be true or false, or null where the server does not say")
            active = None
        return Person(
            name=self._text(values.get("name"), (*at, "name")),
            roles=tuple(self._texts(values.get("roles"), (*at, "roles"))),
            external_id=self._text(values.get("external_id"), (*at, "external_id")),
            active=active,
            id=self._text(values.get("id"), (*at, "id")),
        )

    def _group(self, entry: Value, at: Steps) -> Group:
        if not isinstance(entry, dict):
            return Group(tuple(self._texts(entry, at)))
        values = self._mapping(entry, at, {"members", "external_id", "id"})
        return Group(
            members=tuple(self._texts(values.get("members"), (*at, "members"))),
            external_id=self._text(values.get("external_id"), (*at, "external_id")),
            id=self._text(values.get("id"), (*at, "id")),
        )

    def _check_names(self, names: Iterable[str], key: str) -> None:
        """A userName is unique without regard to case (RFC 7643 section 4.1.1)."""
        seen: dict[str, str] = {}
        for name in names:
            if (other := seen.setdefault(fold(name), name)) != name:
                self._fault((key, name), f"is the same userName as {other}")

    def _check_ids(self, entries: Mapping[str, Person] | Mapping[str, Group], key: str) -> None:
        seen: dict[str, str] = {}
        for name, entry in entries.items():
            if entry.id is not None and (other := seen.setdefault(entry.id, name)) != name:
                self._fault((key, name, "id"), f"is the id of {other}")

    def _check_roles(self, people: Mapping[str, Person], vocabulary: Vocabulary) -> None:
        for name, person in people.items():
            for index, role in enumerate(person.roles):
                if fault := vocabulary.fault(role):
                    remedy = "list it in other_roles if it is not CircleCI's"
                    self._fault(("people", name, "roles", index), fault, remedy)

    def _check_members(self, groups: Mapping[str, Group], people: Iterable[str]) -> None:
        known = frozenset(map(fold, people))
        for name, group in groups.items():
            long_form: Steps = ("groups", name, "members")
            at = long_form if long_form in self._document.values else ("groups", name)
            seen: set[str] = set()
            for index, member in enumerate(group.members):
                if fold(member) not in known:
                    self._fault((*at, index), f"{member} is not among the people")
                elif fold(member) in seen:
                    self._fault((*at, index), f"{member} is in the group already")
                seen.add(fold(member))

    def _mapping(self, value: Value, at: Steps, keys: set[str] | None = None) -> dict[str, Value]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._fault(at, "must be a mapping")
            return {}
        for key in value:
            if keys is not None and key not in keys:
                self._fault((*at, key), f"unknown key {key}", f"known are {', '.join(sorted(keys))}")
        return value

    def _texts(self, value: Value, at: Steps) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, list):
            self._fault(at, "must be a list")
            return []
        found = [self._text(entry, (*at, index)) for index, entry in enumerate(value)]
        return [entry for entry in found if entry is not None]

    def _text(self, value: Value, at: Steps) -> str | None:
        if at in self._document.unknown:
            return None
        if value is None or isinstance(value, str):
            return value
        self._fault(at, "must be text", "put it in quotes")
        return None

    def _fault(self, at: Steps, message: str, remedy: str = "") -> None:
        self.problems.append(Problem(self._document.key_at(at), message, remedy))
