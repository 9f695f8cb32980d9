"""The sandbox's data: scim2-server's memory, plus memberships seen from both ends and CircleCI's rules."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from scim2_models import (
    EnterpriseUser,
    Group,
    GroupMember,
    GroupMembership,
    InvalidValueException,
    Meta,
    Name,
    NotFoundException,
    Reference,
    Resource,
    ResourceType,
    Role,
    SCIMException,
    User,
)
from scim2_server.memory import InMemoryStorage

from reconciler.model import fold
from reconciler.sandbox import seed
from reconciler.sandbox.circleci import LAST_ADMIN, Vocabulary, is_admin

USERS = ResourceType.from_resource(User[EnterpriseUser])
GROUPS = ResourceType.from_resource(Group)

_CREATED = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""When everything of a seed was made: the same for every run, so that answers are too."""

_NAMESPACE = uuid.UUID("6f1d3c1e-3f0a-5f0e-9c55-1b1f6b7d1c4e")
"""Ids of a seed are made from names in it, so that they are the same in every run."""


class Store(InMemoryStorage):
    """Resources in memory. Each write happens whole, membership included, or is refused."""

    def __init__(self, content: seed.Seed) -> None:
        super().__init__()
        self._vocabulary = Vocabulary(content.projects, content.other_roles)
        self.resources = list(self._seeded(content))

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        """Store a new resource. A group's members learn of it."""
        with self._whole():
            created = super().create(resource_type, self._checked(resource, None))
            self._tell_members(None, created)
            return created

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        """Replace a resource. Who came into a group or left it learns of it."""
        with self._whole():
            before = self.get(resource_type, str(resource.id))
            updated = super().update(
                resource_type, self._checked(resource, before), expected_version=expected_version
            )
            self._tell_members(before, updated)
            return updated

    def delete(
        self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None
    ) -> None:
        """Delete a resource. A group's members learn of it; a person leaves every group."""
        with self._whole():
            before = self.get(resource_type, resource_id)
            super().delete(resource_type, resource_id, expected_version=expected_version)
            self._tell_members(before, None)
            if isinstance(before, User):
                self._leave_groups(before)

    def users(self) -> list[User[Any]]:
        return [resource for resource in self.resources if isinstance(resource, User)]

    def groups(self) -> list[Group]:
        return [resource for resource in self.resources if isinstance(resource, Group)]

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Undo everything that was done inside if any of it is refused, or if it leaves no admin."""
        with self.lock:
            before, had_admin = self.resources, self._has_admin()
            try:
                yield
                if had_admin and not self._has_admin():
                    raise InvalidValueException(detail=LAST_ADMIN)
            except SCIMException:
                self.resources = before
                raise

    def _has_admin(self) -> bool:
        return any(
            is_admin(
                user.active,
                (role.value or "" for role in user.roles or ()),
                (group.display or "" for group in user.groups or ()),
            )
            for user in self.users()
        )

    def _checked(self, resource: Resource[Any], before: Resource[Any] | None) -> Resource[Any]:
        """The resource as it may be stored: what the server alone decides is the server's."""
        if isinstance(resource, User):
            for role in resource.roles or ():
                if fault := self._vocabulary.fault(role.value or ""):
                    raise InvalidValueException(detail=fault)
            return resource
        if isinstance(resource, Group):
            known = before.members if isinstance(before, Group) else None
            return resource.model_copy(update={"members": self._members(resource, known or [])})
        return resource

    def _members(self, group: Group, known: list[GroupMember]) -> list[GroupMember]:
        """Everybody in the group, once; only whom it did not have before is looked up."""
        entries = {member.value: member for member in known}
        wanted = dict.fromkeys(member.value or "" for member in group.members or ())
        return [entries.get(user_id) or self._member(user_id) for user_id in wanted]

    def _member(self, user_id: str) -> GroupMember:
        try:
            user = self.get(USERS, user_id)
        except NotFoundException:
            raise InvalidValueException(detail=f"no user has the id {user_id!r}") from None
        assert isinstance(user, User)
        return _member(user)

    def _tell_members(self, before: Resource[Any] | None, after: Resource[Any] | None) -> None:
        """Bring `User.groups` of everybody concerned in line with what became of a group."""
        old, new = _memberships(before), _memberships(after)
        for user_id in sorted(old.keys() | new.keys()):
            if old.get(user_id) != new.get(user_id):
                self._set_membership(user_id, old.get(user_id), new.get(user_id))

    def _set_membership(self, user_id: str, old: GroupMembership | None, new: GroupMembership | None) -> None:
        user = self.get(USERS, user_id)
        assert isinstance(user, User)
        others = [entry for entry in user.groups or () if old is None or entry.value != old.value]
        user.groups = [*others, new] if new else others
        super().update(USERS, user)

    def _leave_groups(self, user: User[Any]) -> None:
        for membership in user.groups or ():
            group = self.get(GROUPS, str(membership.value))
            assert isinstance(group, Group)
            group.members = [member for member in group.members or () if member.value != user.id]
            super().update(GROUPS, group)

    def _seeded(self, content: seed.Seed) -> Iterator[Resource[Any]]:
        users = {fold(name): self._user(name, person) for name, person in content.people.items()}
        for name, entry in content.groups.items():
            group = self._group(name, entry)
            members = [users[fold(member)] for member in entry.members]
            group.members = [_member(user) for user in members]
            for user in members:
                user.groups = [*(user.groups or ()), _membership(group)]
            yield group
        yield from users.values()

    def _user(self, user_name: str, person: seed.Person) -> User[EnterpriseUser]:
        return User[EnterpriseUser](
            id=person.id or _id("User", user_name),
            meta=self._meta("User"),
            external_id=person.external_id,
            user_name=user_name,
            display_name=person.name,
            name=Name(formatted=person.name) if person.name else None,
            active=person.active,
            roles=[Role(value=role) for role in person.roles] or None,
        )

    def _group(self, name: str, group: seed.Group) -> Group:
        return Group(
            id=group.id or _id("Group", name),
            meta=self._meta("Group"),
            external_id=group.external_id,
            display_name=name,
        )

    def _meta(self, resource_type: str) -> Meta:
        return Meta(
            resource_type=resource_type,
            created=_CREATED,
            last_modified=_CREATED,
            version=self.next_version(),
        )


def _id(kind: str, name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{kind}:{fold(name)}"))


def _member(user: User[Any]) -> GroupMember:
    return GroupMember(
        value=user.id,
        display=user.user_name,
        type="User",
        ref=Reference[User[Any] | Group](f"Users/{user.id}"),
    )


def _membership(group: Group) -> GroupMembership:
    return GroupMembership(
        value=group.id,
        display=group.display_name,
        type="direct",
        ref=Reference[Group](f"Groups/{group.id}"),
    )


def _memberships(resource: Resource[Any] | None) -> dict[str, GroupMembership]:
    """What each member of a group has in `User.groups` because of it, by user id."""
    if not isinstance(resource, Group):
        return {}
    membership = _membership(resource)
    return {str(member.value): membership for member in resource.members or ()}
