"""How a resource is written: honest JSON in, what some server makes of it out."""

import json
from typing import Any

from hostile.faults import Hidden, Shape

Resource = dict[str, Any]

_NAMES = {Hidden.MEMBERS: "members", Hidden.GROUPS: "groups", Hidden.SCHEMAS: "schemas"}


def hide(hidden: Hidden, resource: Resource) -> None:
    """Take out of a resource what no answer shows."""
    if hidden in (Hidden.VERSIONS, Hidden.LISTED_VERSIONS):
        resource.get("meta", {}).pop("version", None)
    else:
        resource.pop(_NAMES.get(hidden, ""), None)


def write(shape: Shape, resource: Resource) -> Resource:
    """The resource in another shape; the same one where that shape is of something that it lacks."""
    match shape:
        case Shape.OTHER_CASE:
            return {name.upper(): value for name, value in resource.items()}
        case Shape.NO_USER_NAMES | Shape.SAME_NAMES | Shape.NUMBERS_AS_IDS:
            return _identified(shape, resource)
        case Shape.ACTIVE_AS_TEXT | Shape.ACTIVE_AS_WORD if "active" in resource:
            word = str(resource["active"]) if shape is Shape.ACTIVE_AS_TEXT else "perhaps"
            return resource | {"active": word}
        case _ if resource.get("roles"):
            return resource | {"roles": _roles(shape, resource["roles"])}
        case _ if resource.get("members"):
            return resource | {"members": _members(shape, resource["members"])}
        case _:
            return resource


def _identified(shape: Shape, resource: Resource) -> Resource:
    if shape is Shape.NUMBERS_AS_IDS:
        return resource | {"id": 7}
    if "userName" not in resource:
        return resource
    others = {name: value for name, value in resource.items() if name != "userName"}
    is_even = int(resource["id"][-1], 16) % 2 == 0
    return others if shape is Shape.NO_USER_NAMES else others | {"userName": "Ada" if is_even else "ada"}


def _roles(shape: Shape, roles: list[Resource]) -> object:
    values = [role["value"] for role in roles]
    match shape:
        case Shape.ROLES_AS_JSON:
            return [{"value": json.dumps({"id": value, "value": value})} for value in values]
        case Shape.ROLES_AS_JSON_LIST:
            return [{"value": json.dumps(values)}]
        case Shape.ROLES_AS_COMMA_LIST:
            return [{"value": ",".join(values)}]
        case Shape.ROLES_AS_LIST:
            return [{"value": values}]
        case Shape.ROLES_AS_OBJECTS:
            return [{"value": {"value": value}} for value in values]
        case Shape.ROLES_AS_TEXTS:
            return values
        case Shape.ROLES_AS_ONE_TEXT:
            return ",".join(values)
        case Shape.ROLES_WITH_SPACES:
            return [{"value": f" {value} "} for value in values]
        case Shape.ROLES_TWICE:
            return [*roles, *roles]
        case _:
            return roles


def _members(shape: Shape, members: list[Resource]) -> object:
    match shape:
        case Shape.MEMBERS_TWICE:
            return [*members, *members]
        case Shape.MEMBERS_TWICE_DIFFERENTLY:
            return [*members, *({"value": member["value"]} for member in members)]
        case Shape.MEMBERS_CUT:
            return members[:1]
        case Shape.MEMBERS_AS_TEXTS:
            return [member["value"] for member in members]
        case Shape.MEMBERS_BY_REFERENCE:
            return [{"$ref": member["$ref"]} for member in members]
        case _:
            return members
