"""Plain data that a schema accepts to typed policy; leaves out what is known to be faulty. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from reconciler.model import ORGANIZATION, Role, Scope
from reconciler.policy import times
from reconciler.policy.document import (
    Access,
    Assertion,
    AtMost,
    AttributeNames,
    Binding,
    Claim,
    DirectoryKind,
    DirectorySettings,
    GroupRef,
    Guardrails,
    Lifecycle,
    Limit,
    MembersFrom,
    Mode,
    Never,
    NeverTogether,
    Notice,
    Only,
    Organization,
    PersonClass,
    PersonEntry,
    Review,
    RoleEntry,
    RoleStorage,
    ServiceAccount,
    StoredAs,
    TemporaryGrant,
    Whom,
)
from reconciler.policy.marked import MarkedDocument, Steps
from reconciler.problem import Location, Problem

_HEAD = re.compile(r"[^.\[]+(\[[0-9]+\])?")


class Builder:
    """Builds what one document holds. With problems the result is for further checks only.

    An entry of a list, or a key of `organization.yaml`, that any of the problems is about is left
    out; the default stands in for a key. Of `projects:` and `classes:` the names are kept, whatever is
    wrong with the rest. A
    problem of the whole file leaves out everything.
    """

    def __init__(self, document: MarkedDocument, problems: Iterable[Problem] = ()) -> None:
        self._document = document
        self._paths = {problem.at.path for problem in problems}
        self._faulty = {head.group() for head in map(_HEAD.match, self._paths) if head}
        told_all = isinstance(document.value, dict) and "" not in self._paths
        self._value: dict[str, Any] = cast(dict[str, Any], document.value) if told_all else {}

    def organization(self) -> Organization:
        """What `organization.yaml` says."""
        return Organization(
            name=self._sound("organization", ""),
            mode=Mode(self._sound("mode", Mode.REPORT)),
            at=self._document.at(("organization",)),
            projects=self._projects(),
            organization_roles_managed=self._sound("organization_roles", "managed") == "managed",
            directory=_directory(self._sound("directory", {})),
            guardrails=_guardrails(self._sound("guardrails", {})),
            roles=_storage(self._sound("roles", {})),
            lifecycle=_lifecycle(self._sound("lifecycle", {})),
            classes=self._classes(),
            notice=Notice(**self._sound("notice", {})),
            longest_review=self._sound("reviews", {}).get("longest"),
            places={**self._document.values, **self._document.keys},
        )

    def names_known(self, key: str) -> bool:
        """Whether the names under `projects` or `classes` in `organization` are those that are meant."""
        names = self._value.get(key)
        if isinstance(names, dict):
            return key not in self._paths and "<<" not in names
        return names is None and not self._paths

    @property
    def directory_known(self) -> bool:
        """Whether what `organization` says of the directory is what is meant."""
        return "directory" not in self._faulty if "directory" in self._value else not self._paths

    def protected_at(self) -> dict[str, Location]:
        """Where each protected person is named."""
        people = self._sound("guardrails", {}).get("protected", [])
        return {name: self._document.at(("guardrails", "protected", i)) for i, name in enumerate(people)}

    def bindings(self) -> tuple[Binding, ...]:
        """The bindings of a policy file."""
        return tuple(self._binding(steps, entry) for steps, entry in self._entries("bindings"))

    def grants(self) -> tuple[TemporaryGrant, ...]:
        """The temporary grants of a policy file."""
        return tuple(self._grant(steps, entry) for steps, entry in self._entries("grants"))

    def people(self) -> tuple[PersonEntry, ...]:
        """What a policy file says of single people."""
        return tuple(self._person(steps, entry) for steps, entry in self._entries("people"))

    def service_accounts(self) -> tuple[ServiceAccount, ...]:
        """The service accounts of a policy file."""
        return tuple(
            self._service_account(steps, entry) for steps, entry in self._entries("service_accounts")
        )

    def assertions(self) -> tuple[Assertion, ...]:
        """The assertions of a policy file."""
        return tuple(self._assertion(steps, entry) for steps, entry in self._entries("assertions"))

    def _sound(self, key: str, default: Any) -> Any:
        """The value of a key at the top; the default where it is absent or faulty."""
        return default if key in self._faulty else self._value.get(key, default)

    def _entries(self, key: str) -> Iterable[tuple[Steps, Any]]:
        for index, entry in enumerate(self._sound(key, [])):
            if f"{key}[{index}]" not in self._faulty:
                yield (key, index), entry

    def _projects(self) -> dict[str, str]:
        projects = self._value.get("projects")
        if not isinstance(projects, dict):
            return {}
        return {name: _called(name, entry) for name, entry in projects.items()}

    def _classes(self) -> dict[str, PersonClass]:
        """Of faulty ones only the names."""
        classes, faulty = self._value.get("classes"), "classes" in self._faulty
        return {
            name: _class(name, self._document.key_at(("classes", name)), {} if faulty else entry)
            for name, entry in (classes.items() if isinstance(classes, dict) else ())
        }

    def _binding(self, steps: Steps, entry: Mapping[str, Any]) -> Binding:
        group = _group(entry["group"])
        return Binding(
            group=group,
            roles=self._roles(steps, entry),
            at=self._document.at(steps),
            previously_at=self._places((*steps, "group", "previously"), group.previously),
            classes=tuple(entry.get("classes", ())),
            classes_at=self._places((*steps, "classes"), entry.get("classes", ())),
            reviewed=self._review(steps, entry),
        )

    def _grant(self, steps: Steps, entry: Mapping[str, Any]) -> TemporaryGrant:
        return TemporaryGrant(
            user=entry["user"],
            roles=self._roles(steps, entry),
            reason=entry["reason"],
            expires=times.end(entry["expires"]),
            at=self._document.at(steps),
            starts=times.begin(entry["starts"]) if "starts" in entry else None,
            reviewed=self._review(steps, entry),
        )

    def _person(self, steps: Steps, entry: Mapping[str, Any]) -> PersonEntry:
        return PersonEntry(
            user=entry["user"],
            at=self._document.at(steps),
            classes=tuple(entry.get("classes", ())),
            ends=times.end(entry["ends"]) if "ends" in entry else None,
            previously=tuple(entry.get("previously", ())),
            classes_at=self._places((*steps, "classes"), entry.get("classes", ())),
            previously_at=self._places((*steps, "previously"), entry.get("previously", ())),
        )

    def _service_account(self, steps: Steps, entry: Mapping[str, Any]) -> ServiceAccount:
        return ServiceAccount(
            user=entry["user"],
            roles=self._roles(steps, entry),
            owner=entry["owner"],
            reason=entry["reason"],
            review=times.end(entry["review"]),
            at=self._document.at(steps),
            reviewed=self._review(steps, entry),
        )

    def _review(self, steps: Steps, entry: Mapping[str, Any]) -> Review | None:
        """The mark of an entry at these steps, or else that of the file."""
        if "reviewed" in entry:
            mark, place = entry["reviewed"], (*steps, "reviewed")
        else:
            mark, place = self._sound("reviewed", None), ("reviewed",)
        return Review(times.end(mark["date"]), mark["by"], self._document.key_at(place)) if mark else None

    def _assertion(self, steps: Steps, entry: Mapping[str, Any]) -> Assertion:
        return Assertion(
            says=entry["says"],
            claim=self._claim(steps, entry),
            at=self._document.at(steps),
            excepted=self._whom((*steps, "except"), entry.get("except", {})),
        )

    def _claim(self, steps: Steps, entry: Mapping[str, Any]) -> Claim:
        """The one kind that the entry has: the schema sees to it that there is one, and no other."""
        for kind in (Never, Only):
            key = kind.__name__.lower()
            if key in entry:
                within = (*steps, key)
                return kind(self._whom(within, entry[key]), self._access(within, entry[key]))
        if "at_most" in entry:
            return AtMost(entry["at_most"]["count"], self._access((*steps, "at_most"), entry["at_most"]))
        return NeverTogether(self._access((*steps, "never_together"), entry["never_together"]))

    def _whom(self, steps: Steps, entry: Mapping[str, Any]) -> Whom:
        groups, classes = entry.get("groups", ()), entry.get("classes", ())
        return Whom(
            users=tuple(entry.get("users", ())),
            groups=tuple(_group(group) for group in groups),
            classes=tuple(classes),
            groups_at=self._places((*steps, "groups"), groups),
            classes_at=self._places((*steps, "classes"), classes),
        )

    def _access(self, steps: Steps, entry: Mapping[str, Any]) -> Access:
        anywhere = entry.get("anywhere")
        return Access(self._roles(steps, entry), Role[anywhere.upper()] if anywhere else None)

    def _places(self, steps: Steps, entries: Collection[Any]) -> tuple[Location, ...]:
        """Where each entry of the list at these steps stands."""
        return tuple(self._document.at((*steps, index)) for index in range(len(entries)))

    def _roles(self, steps: Steps, entry: Mapping[str, Any]) -> tuple[RoleEntry, ...]:
        """The organization first, then projects in the order of the file."""
        given = [(ORGANIZATION, (*steps, "organization"), entry.get("organization"))]
        for project, role in entry.get("projects", {}).items():
            given.append((Scope(project), (*steps, "projects", project), role))
        place = self._document.key_at
        return tuple(RoleEntry(scope, Role[role.upper()], place(at)) for scope, at, role in given if role)


def _called(name: str, entry: Any) -> str:
    """What the provider calls a project: its id if it has one, else its name."""
    called = entry.get("id") if isinstance(entry, dict) else None
    return called if isinstance(called, str) else name


def _directory(value: Mapping[str, Any]) -> DirectorySettings:
    default = DirectorySettings()
    return DirectorySettings(
        kind=DirectoryKind(value.get("kind", default.kind)),
        members_from=MembersFrom(value.get("members_from", default.members_from)),
        nested=value.get("nested", default.nested),
        oldest=value.get("oldest", default.oldest),
        entitled=tuple(value["entitled"]) if "entitled" in value else default.entitled,
        log=value.get("log", default.log),
        application=value.get("application", default.application),
        attributes=AttributeNames(**value.get("attributes", {})),
    )


def _lifecycle(value: Mapping[str, Any]) -> Lifecycle:
    default = Lifecycle()
    return Lifecycle(
        creates=value.get("joiners") == "create",
        deactivates=value.get("leavers") == "deactivate",
        reactivates=value.get("returners") == "reactivate",
        repairs=value.get("attributes") == "repair",
        grace=value.get("grace", default.grace),
        delete_after=value.get("delete_after", default.delete_after),
    )


def _class(name: str, at: Location, entry: Mapping[str, Any]) -> PersonClass:
    ends, match = entry.get("ends", {}), entry.get("match", {})
    highest = entry.get("highest_role")
    return PersonClass(
        name=name,
        at=at,
        groups=tuple(_group(group) for group in match.get("groups", ())),
        attributes={attribute: tuple(values) for attribute, values in match.get("attributes", {}).items()},
        end_required=ends.get("required", False),
        end_attribute=ends.get("attribute", ""),
        highest_role=Role[highest.upper()] if highest else None,
        only_where_named=entry.get("bindings") == "named",
    )


def _group(value: Any) -> GroupRef:
    """A group as it is written: a name, or a mapping."""
    group = value if isinstance(value, dict) else {"name": value}
    return GroupRef(group["name"], group.get("id"), tuple(group.get("previously", ())))


def _guardrails(value: Mapping[str, Any]) -> Guardrails:
    default = Guardrails()
    return Guardrails(
        minimum_admins=value.get("minimum_admins", default.minimum_admins),
        protected=tuple(value.get("protected", default.protected)),
        removals=_limit(value.get("removals", {}), default.removals),
        demotions=_limit(value.get("demotions", {}), default.demotions),
        last_roles=_limit(value.get("last_roles", {}), default.last_roles),
        deactivations=_limit(value.get("deactivations", {}), default.deactivations),
        expiries=_limit(value.get("expiries", {}), default.expiries),
        required_admins=tuple(value.get("required_admins", default.required_admins)),
        emptied_groups=value.get("emptied_groups", default.emptied_groups),
        admins_gained=value.get("admins_gained", default.admins_gained),
        longest_grant=value.get("longest_grant", default.longest_grant),
        creations=value.get("creations", default.creations),
        corrections=value.get("corrections", default.corrections),
        service_admins=tuple(value.get("service_admins", default.service_admins)),
    )


def _limit(value: Mapping[str, Any], default: Limit) -> Limit:
    return Limit(count=value.get("count", default.count), percent=value.get("percent", default.percent))


def _storage(value: Mapping[str, Any]) -> RoleStorage:
    default = RoleStorage()
    return RoleStorage(
        stored_as=StoredAs(value.get("stored_as", default.stored_as)),
        organization=value.get("organization", default.organization),
        project=value.get("project", default.project),
    )
