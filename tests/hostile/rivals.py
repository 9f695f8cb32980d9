"""What a competing writer does to a person, on the store of the real server."""

from typing import Any, assert_never

from hostile.faults import Deed
from scim2_models import GroupMember, Role, User

from reconciler.sandbox.store import GROUPS, USERS, Store

FOREIGN = "gadget"
"""A role value, and where roles are groups the name of a group, that the policy does not speak for."""


def act(store: Store, deed: Deed, person: str) -> None:
    """Do it to the person with this userName; nothing where there is none."""
    user = next((user for user in store.users() if user.user_name == person), None)
    if user is None:
        return
    match deed:
        case Deed.DELETE:
            store.delete(USERS, str(user.id))
        case Deed.DEACTIVATE:
            store.update(USERS, user.model_copy(update={"active": False}))
        case Deed.TOUCH:
            store.update(USERS, user)
        case Deed.CLEAR:
            _set(store, user, dict.fromkeys(_roles(store, user), False))
        case Deed.RAISE:
            _set(store, user, {_spelled(store, "org-contributor"): True})
        case Deed.DECORATE:
            _set(store, user, {FOREIGN: True})
        case _ as never:
            assert_never(never)


def _spelled(store: Store, role: str) -> str:
    """What a role is called here: by its value, or by its group."""
    return f"circleci-{role}" if _in_groups(store) else role


def _in_groups(store: Store) -> bool:
    return any(str(group.display_name).startswith("circleci-") for group in store.groups())


def _roles(store: Store, user: User[Any]) -> list[str]:
    if _in_groups(store):
        names = [str(group.display) for group in user.groups or ()]
        return [name for name in names if name.startswith("circleci-")]
    return [str(role.value) for role in user.roles or () if role.value != FOREIGN]


def _set(store: Store, user: User[Any], wanted: dict[str, bool]) -> None:
    """Give the person each name that is True, and take each that is False."""
    if _in_groups(store):
        for group in store.groups():
            if (wants := wanted.get(str(group.display_name))) is not None:
                others = [member for member in group.members or () if member.value != user.id]
                mine = [GroupMember.model_validate({"value": user.id})] if wants else []
                store.update(GROUPS, group.model_copy(update={"members": [*others, *mine]}))
        return
    values = {str(role.value): True for role in user.roles or ()} | wanted
    roles = [Role(value=value) for value, wants in values.items() if wants]
    store.update(USERS, user.model_copy(update={"roles": roles}))
