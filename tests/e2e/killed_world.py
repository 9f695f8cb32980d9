"""An organization in which much is to change, and its server, which kills a run when it is told to."""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from threading import Event, Lock
from typing import Any

import httpx
from cli.small_world import write_policy
from e2e.killed_process import LEDGER
from scim.fake_server import BASE, FakeServer, Resource, group, user

from reconciler.policy.document import StoredAs

MINIMUM_ADMINS = 2
PROJECTS = ("web", "app", "ops", "lab")
ROLES = ("viewer", "contributor", "admin")
"""Ranked, the lowest first."""

Roles = Mapping[str, tuple[str, ...]]
"""Roles by scope: the name of a project, empty for the organization."""

PROFILES: Mapping[str, Roles] = {
    "none": {},
    "admins": {"": ("admin",)},
    "viewers": {"": ("viewer",)},
    "web": {"": ("contributor",), "web": ("admin",)},
    "app": {"": ("viewer",), "app": ("contributor",)},
    "ops": {"ops": ("admin",), "lab": ("viewer",)},
    "several": {"": ("viewer", "contributor")},
    "spelled": {"": ("viewer",), "web": ("viewer",)},
    "inactive": {"": ("viewer",)},
}
"""What people have at first. The last three are of the server alone; the others are groups, too."""

STEPS: Mapping[StoredAs, Mapping[tuple[str, str], int]] = {
    StoredAs.USER_ROLES: {
        ("admins", "viewers"): 1,
        ("admins", "none"): 1,
        ("viewers", "admins"): 1,
        ("none", "admins"): 1,
        ("none", "web"): 4,
        ("none", "ops"): 2,
        ("viewers", "app"): 3,
        ("web", "app"): 5,
        ("app", "web"): 4,
        ("web", "none"): 3,
        ("app", "viewers"): 3,
        ("several", "viewers"): 1,
        ("spelled", "web"): 1,
        ("inactive", "none"): 1,
        ("web", "web"): 2,
    },
    StoredAs.GROUPS: {
        ("admins", "viewers"): 1,
        ("admins", "none"): 1,
        ("viewers", "admins"): 1,
        ("none", "admins"): 1,
        ("none", "viewers"): 3,
        ("none", "ops"): 2,
        ("viewers", "app"): 3,
        ("web", "app"): 2,
        ("app", "web"): 2,
        ("web", "none"): 1,
        ("app", "viewers"): 3,
        ("several", "viewers"): 1,
        ("inactive", "none"): 1,
        ("web", "web"): 2,
    },
}
"""How many people go from which profile to which. Just as many admins come as go."""

ORGANIZATION = """\
version: 1
organization: acme
mode: enforce
projects: {web: {}, app: {}, ops: {}, lab: {}}
guardrails:
  removals: {percent: 100, count: 100}
  demotions: {percent: 100, count: 100}
  last_roles: {percent: 100, count: 100}
  deactivations: {percent: 100, count: 100}
"""
IN_GROUPS = """\
roles:
  stored_as: groups
  organization: "circleci-org-{role}"
  project: "circleci-{project}-{role}"
"""
FOREIGN = "gadget"


def spelled(stored_as: StoredAs, scope: str, role: str) -> str:
    """What a role is called on the server."""
    if stored_as is StoredAs.GROUPS:
        return f"circleci-{scope or 'org'}-{role}"
    return f"project-{role}:{scope}" if scope else f"org-{role}"


def people(stored_as: StoredAs) -> Iterator[tuple[str, str, str]]:
    """Everybody by name, with the profile that they have and the one that they should have."""
    for (has, gets), number in STEPS[stored_as].items():
        for one in range(number):
            yield f"{gets[-2:]}{one}-{has}-{gets}", has, gets


def policy(folder: Path, stored_as: StoredAs) -> None:
    """Write the policy: each profile that somebody should have is a group, bound to its roles."""
    wanted = dict.fromkeys(gets for _, _, gets in people(stored_as) if gets != "none")
    bindings = [{"group": f"all-{name}", **_binding(PROFILES[name])} for name in wanted]
    text = json.dumps({"version": 1, "bindings": bindings})
    storage = IN_GROUPS if stored_as is StoredAs.GROUPS else ""
    write_policy(folder, ORGANIZATION + storage, text)


def _binding(roles: Roles) -> dict[str, object]:
    projects = {scope: role for scope, (role, *_) in roles.items() if scope}
    organization = {"organization": roles[""][0]} if "" in roles else {}
    return organization | ({"projects": projects} if projects else {})


def server(stored_as: StoredAs, ledger: Path) -> "KillingServer":
    """The server of that organization, before anything is changed."""
    everybody = list(people(stored_as))
    users = [_user(stored_as, name, has) for name, has, _ in everybody]
    members: dict[str, list[str]] = {f"all-{gets}": [] for _, _, gets in everybody if gets != "none"}
    for name, has, gets in everybody:
        if gets != "none":
            members[f"all-{gets}"].append(name)
        for scope, roles in PROFILES[has].items() if stored_as is StoredAs.GROUPS else ():
            for role in roles:
                members.setdefault(spelled(stored_as, scope, role), []).append(name)
    members["all-viewers"] += [name for name, has, _ in everybody if has == "inactive"]
    groups = [group(name, *sorted(inside)) for name, inside in members.items()]
    return KillingServer(users, groups, stored_as=stored_as, ledger=ledger)


def _user(stored_as: StoredAs, name: str, has: str) -> Resource:
    if stored_as is StoredAs.GROUPS:
        return user(name, active=has != "inactive")
    values = [spelled(stored_as, scope, role) for scope, roles in PROFILES[has].items() for role in roles]
    roles: list[object] = [FOREIGN, *values, {"value": "seat", "display": "Seat", "primary": True}]
    if has == "spelled":
        roles = [{"value": value.upper(), "display": "By hand"} for value in values]
    return user(name, *roles, active=has != "inactive")


State = Mapping[str, frozenset[str]]
"""What everybody holds on the server, by id, as it is called there, in lower case."""


Deed = tuple[str, str]
"""What is done, and to whom: an id, or the name of a group."""


@dataclass(frozen=True)
class Request:
    """One that writes, as it arrived."""

    method: str
    path: str
    body: Any
    records: Sequence[Mapping[str, Any]]
    """The writes that the ledger told of at that moment."""
    before: State
    after: State | None
    """None where the run was killed before it took effect."""

    @property
    def deeds(self) -> frozenset[Deed]:
        if self.method == "POST":
            return frozenset({("create", self.body["displayName"])})
        if "/Users/" in self.path:
            return frozenset({("set", self.path.rpartition("/")[2])})
        return frozenset(
            (operation["op"], id_)
            for operation in self.body["Operations"]
            for id_ in re.findall(r'"(u-[^"\\]+)', json.dumps(operation).replace('\\"', '"'))
        )


def deed(stored_as: StoredAs, change: Mapping[str, Any]) -> Deed:
    """The same of a recorded change: where roles are groups, one either joins or leaves some."""
    if change["kind"] == "create-group":
        return "create", change["group"]
    joins = any({*scope["after"]} - {*scope["before"]} for scope in change["scopes"])
    verb = "set" if stored_as is StoredAs.USER_ROLES else "add" if joins else "remove"
    return verb, change["id"]


@dataclass
class KillingServer(FakeServer):
    """Kills a process at one moment, notes what writes do, and serves whoever else asks."""

    stored_as: StoredAs = StoredAs.USER_ROLES
    ledger: Path = Path(LEDGER)
    url: str = BASE
    kills: str = ""
    """`before` or `after` a write takes effect, `at` a read once something was written; or not at all."""
    number: int = 0
    """The number of that write or read, from 1."""
    came: list[Request] = field(default_factory=list)
    looks: int = 0
    """How often somebody read once something was written."""
    victim: ForkServerProcess | None = None
    known: Event = field(default_factory=Event)
    """Set once the victim is there."""
    is_dead: bool = False
    """What a dead process has sent is not served any more."""
    turn: AbstractContextManager[object] = field(default_factory=Lock)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """One at a time, so that what is between two states is the doing of one request."""
        with self.turn:
            if self.is_dead:
                raise httpx.ReadError("nobody is there any more", request=request)
            return self._answered(request)

    def _answered(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            self.looks += bool(self.came)
            self._kill("at", self.looks, request)
            return super().answer(request)
        note = self._noted(request)
        self.came.append(note(None))
        self._kill("before", len(self.came), request)
        response = super().answer(request)
        self.came[-1] = note(self.state())
        self._kill("after", len(self.came), request)
        return response

    def _noted(self, request: httpx.Request) -> Callable[[State | None], Request]:
        lines = self.ledger.read_bytes().splitlines(keepends=True)
        told = [json.loads(line) for line in lines if line.endswith(b"\n")]
        writes = [record for record in told if record["event"] == "write"]
        path, body, before = request.url.path, json.loads(request.content), self.state()
        return lambda after: Request(request.method, path, body, writes, before, after)

    def _kill(self, moment: str, number: int, request: httpx.Request) -> None:
        if (moment, number) != (self.kills, self.number) or self.victim is None:
            return
        self.known.wait()
        assert self.victim.pid is not None
        os.kill(self.victim.pid, signal.SIGKILL)
        self.victim, self.is_dead = None, True
        raise httpx.ReadError("nobody is there any more", request=request)

    def state(self) -> State:
        if self.stored_as is StoredAs.USER_ROLES:
            users = self.data["Users"].items()
            return {id_: frozenset(str(e["value"]).casefold() for e in one["roles"]) for id_, one in users}
        held: dict[str, set[str]] = {id_: set() for id_ in self.data["Users"]}
        for one in self.data["Groups"].values():
            for member in one["members"]:
                held[member["value"]].add(str(one["displayName"]))
        return {id_: frozenset(values) for id_, values in held.items()}

    def contents(self) -> Mapping[str, Any]:
        """All that it keeps, to the byte, but for the order of what has none and for groups of nobody."""
        users, groups = deepcopy(self.data["Users"]), deepcopy(self.data["Groups"])
        for one in users.values():
            one["roles"].sort(key=lambda entry: str(entry["value"]))
        for one in groups.values():
            one["members"].sort(key=lambda entry: str(entry["value"]))
        return {"Users": users, "Groups": {id_: one for id_, one in groups.items() if one["members"]}}
