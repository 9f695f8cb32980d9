"""What a policy asks of a directory, and who answered, in short."""

from collections.abc import Set
from typing import Any

from reconciler.model import Member
from reconciler.policy.document import (
    DirectoryKind,
    DirectorySettings,
    GroupRef,
    Mode,
    Organization,
    PersonClass,
)
from reconciler.problem import Location

AT = Location("organization.yaml", 1, 1)


def organization(
    kind: DirectoryKind, classes: dict[str, PersonClass] | None = None, **settings: Any
) -> Organization:
    directory = DirectorySettings(kind, **settings)
    return Organization("acme", Mode.ENFORCE, AT, directory=directory, classes=classes or {})


def refs(*names: str) -> set[GroupRef]:
    return {GroupRef(name) for name in names}


def names(members: Set[Member] | None) -> list[str]:
    assert members is not None
    return sorted(str(member).partition("@")[0] for member in members)
