"""Plans in files: written for a reviewer, read back to hold an apply to what was reviewed. Decides nothing.

A plan file has no authority of its own. What it says is compared with a plan made anew.
"""

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

from reconciler import exact, plan, private
from reconciler.change import Kind, data
from reconciler.errors import SettingsError
from reconciler.plan import Plan
from reconciler.policy import schema

LARGEST = 256 * 1024 * 1024
"""No plan file is larger, in bytes."""

TOLD = 20
"""How many differences are told one by one."""

_ANY_TEXT = frozenset({"file", "group", "name", "path", "project", "user"})
"""The keys of a change, wherever they stand in it, under which the schema takes whatever text there is."""

Change = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The plan of one organization as a file has it; `changes` are as `change.data` gives them."""

    organization: str
    server: str
    tree: str
    mode: str
    fingerprint: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class PlanFile:
    """The policy's folder, relative, and the plan of each organization by its name."""

    policy: Path
    plans: Mapping[str, Reviewed]


def write(path: Path, document: Mapping[str, object]) -> None:
    """Write a plan as `report.data.plans` gives it, readable for its owner alone. Raises SettingsError."""
    try:
        private.write(path, json.dumps(document, indent=2) + "\n")
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"the plan can't be written to {path}: {_reason(error)}", "name a file in a folder of yours"
        ) from error


def place(folder: Path) -> str:
    """How a plan file names a policy's folder. Raises SettingsError for one outside the current folder."""
    inside = _inside(folder)
    if inside is None:
        raise SettingsError(
            f"a plan file can't be written for {folder}: it is not in the current folder",
            "run this in a folder that the policy is in, as `apply` will be",
        )
    return inside


def read(path: Path) -> PlanFile:
    """Read a plan file. Raises SettingsError where it is none, or was edited."""
    try:
        document = exact.parse(_content(path))
        return _plan_file(path, document, _fault(document))
    except ValueError as error:
        raise _no_plan(path, str(error)) from error
    except RecursionError as error:
        raise _no_plan(path, "it is nested too deeply") from error


def _fault(document: Any) -> str:
    """What a document has wrong by the schema; empty where it is a plan.

    The schema takes a millisecond for each change, and of a hundred thousand nearly all are alike to it.
    """
    if not schema.first_fault("plan", _alike(document)):
        return ""
    return schema.first_fault("plan", document)


def _alike(document: Any) -> Any:
    """The document with one of all changes that are alike to the schema; as it is where it is no plan."""
    plans = document.get("plans") if isinstance(document, dict) else None
    if not isinstance(plans, list):
        return document
    return {**document, "plans": [_fewer(plan) if isinstance(plan, dict) else plan for plan in plans]}


def _fewer(plan: dict[str, Any]) -> dict[str, Any]:
    lists = {key: plan[key] for key in ("changes", "withheld") if isinstance(plan.get(key), list)}
    forms = {
        key: {json.dumps(form): form for form in map(_form, changes)}.values()
        for key, changes in lists.items()
    }
    return {**plan, **{key: list(several) for key, several in forms.items()}}


def _form(value: Any) -> Any:
    """A part of a change without what the schema has nothing to say of."""
    if isinstance(value, list):
        return [_form(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: _plain(key, one) for key, one in value.items()}


def _plain(key: str, value: Any) -> Any:
    if key in _ANY_TEXT and isinstance(value, str):
        return ""
    if key == "id" and isinstance(value, str) and value:
        return "id"
    if key == "line" and type(value) is int and value >= 0:
        return 0
    return _form(value)


def _plan_file(path: Path, document: Mapping[str, Any], fault: str) -> PlanFile:
    if fault:
        raise _no_plan(path, fault)
    plans = [_reviewed(entry) for entry in document["plans"]]
    for reviewed in plans:
        if _fingerprint(reviewed) != reviewed.fingerprint:
            raise _no_plan(path, f"the plan of {reviewed.organization} does not fit its fingerprint")
    if len({reviewed.organization for reviewed in plans}) < len(plans):
        raise _no_plan(path, "it has two plans for one organization")
    folder = Path(document["policy"])
    if _inside(folder) is None:
        raise _no_plan(path, f"the folder {folder} that it names is not in the current one")
    return PlanFile(folder, {reviewed.organization: reviewed for reviewed in plans})


def differences(reviewed: Reviewed, now: Plan) -> list[str]:
    """What changed from a reviewed plan to the one that would run now, a line each."""
    lines = []
    if reviewed.tree != now.tree:
        lines.append("the policy files are not those that the plan was made from")
    if reviewed.server != now.server:
        lines.append(f"the server was {reviewed.server}, it is {now.server}")
    if reviewed.mode != now.mode:
        lines.append(f"the mode was {reviewed.mode}, it is {now.mode}")
    return [*lines, *_differing(_told(reviewed.changes), _told([data(change) for change in now.changes]))]


def _differing(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    differing = sorted(subject for subject in {*then, *now} if then.get(subject) != now.get(subject))
    lines = [f"{one}: was {then.get(one, 'no change')}; is {now.get(one, 'no change')}" for one in differing]
    more = [f"and {len(lines) - TOLD} more"] if len(lines) > TOLD else []
    return [*lines[:TOLD], *more]


def _told(changes: "tuple[Change, ...] | list[dict[str, object]]") -> Mapping[str, str]:
    """What becomes of each person and group in a few words."""
    told: dict[str, list[str]] = defaultdict(list)
    for change in changes:
        if change["kind"] == Kind.CREATE_GROUP:
            told[f"group {change['group']}"].append("created")
        else:
            told[f"{change['user']} (id {change['id']})"] += _of_person(change)
    return {subject: ", ".join(words) for subject, words in told.items()}


def _of_person(change: Change) -> list[str]:
    """What a change means for its person."""
    match Kind(change["kind"]):
        case Kind.SET_ROLES:
            return [_scope(scope) for scope in change["scopes"]]
        case Kind.SET_ATTRIBUTES:
            attributes = change["attributes"]
            return [f"{one['attribute']} {one['before'] or 'none'} -> {one['after']}" for one in attributes]
        case Kind.SET_ACTIVE:
            return ["reactivated" if change["after"] else "deactivated"]
        case Kind.CREATE_USER:
            return [f"created with {_account(change)}"]
        case Kind.DELETE_USER:
            return [f"deleted with {_account(change)}"]
        case Kind.CREATE_GROUP:
            raise ValueError("a group is no person")
        case _ as never:
            assert_never(never)


def _account(change: Change) -> str:
    names = ("external_id", "display_name", "email")
    return ", ".join(str(change[name]) for name in names if change[name]) or "nothing but the name"


def _scope(change: Change) -> str:
    project = change["scope"]["project"]
    before, after = (" + ".join(change[side]) or "none" for side in ("before", "after"))
    return f"{'organization' if project is None else project} {before} -> {after}"


def _inside(folder: Path) -> str | None:
    """A folder relative to the current one, links followed; None where it is not in there."""
    try:
        inside = os.path.relpath(os.path.realpath(folder), os.path.realpath("."))
    except ValueError:  # a NUL, or half of a surrogate pair
        return None
    return None if inside == ".." or inside.startswith("../") else inside


def _content(path: Path) -> bytes:
    try:
        with private.opened(path) as file:
            if os.fstat(file.fileno()).st_size > LARGEST:
                raise _no_plan(path, f"it has more than {LARGEST} bytes")
            return file.read()
    except (OSError, ValueError) as error:
        raise _no_plan(path, f"it can't be read: {_reason(error)}") from error


def _reviewed(entry: Mapping[str, Any]) -> Reviewed:
    changes = tuple(_without_reasons(change) for change in entry["changes"])
    return Reviewed(
        entry["organization"], entry["server"], entry["tree"], entry["mode"], entry["fingerprint"], changes
    )


def _without_reasons(change: Mapping[str, Any]) -> Change:
    kept = {key: value for key, value in change.items() if key != "why"}
    if "scopes" not in change:
        return kept
    scopes = [{key: value for key, value in scope.items() if key != "why"} for scope in change["scopes"]]
    return {**kept, "scopes": scopes}


def _fingerprint(reviewed: Reviewed) -> str:
    return plan.fingerprint(
        reviewed.organization, reviewed.server, reviewed.tree, reviewed.mode, reviewed.changes
    )


def _no_plan(path: Path, reason: str) -> SettingsError:
    return SettingsError(f"{path} is no plan that can be applied: {reason}", "make one with `plan --out`")


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or "unknown reason").lower() if isinstance(error, OSError) else "no such path"
