"""A small SCIM server in memory with state and with every fault that is known of real ones.

It answers through `httpx.MockTransport`, so that what is tested is all of the client but the socket.
`faults` are taken one by one, each by the first request that it fits; the knobs hold throughout.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any
from urllib.parse import parse_qs, unquote

import httpx

from reconciler.http.patience import Patience
from reconciler.scim.client import Client, WritingClient, open_client, open_writing_client
from reconciler.settings import AT_ONCE, Connection, Token

BASE = "https://scim.test/scim/v2"
SECRET = "s3cret-of-the-server"
JSON = {"content-type": "application/scim+json"}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

Resource = dict[str, Any]


class Listing(Enum):
    """How a listing goes wrong."""

    HONEST = auto()
    IGNORES_START = auto()
    IGNORES_START_AND_COUNT = auto()
    TOTAL_OF_PAGE = auto()
    TOTAL_TOO_HIGH = auto()
    TOTAL_TOO_LOW = auto()
    ABSURD = auto()
    """A total that nobody ever had."""
    NO_TOTAL = auto()
    NO_RESOURCES = auto()
    ENDLESS = auto()
    OVERLAPS = auto()
    TWICE_ON_ONE_PAGE = auto()
    CHANGES_ONCE = auto()
    CHANGES_ALWAYS = auto()
    SAME_CURSOR = auto()
    EMPTY_PAGES = auto()
    COUNTS_AS_TEXT = auto()
    UNEVEN = auto()
    """Every other page holds one less than it could."""


@dataclass(frozen=True)
class Fault:
    """What becomes of one request: a status, or a broken connection before or after it took effect."""

    method: str = ""
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | bytes = ""
    breaks: Callable[[httpx.Request], Exception] | None = None
    after_effect: bool = False
    path: str = ""
    at: int | None = None
    """The number of the request that it waits for, from 0."""

    def fits(self, request: httpx.Request, number: int) -> bool:
        meant = self.method in ("", request.method) and self.path in request.url.path
        return meant and self.at in (None, number)


def reset(method: str = "", *, after_effect: bool = False) -> Fault:
    def breaks(request: httpx.Request) -> Exception:
        return httpx.ReadError("connection reset by peer", request=request)

    return Fault(method, breaks=breaks, after_effect=after_effect)


def error_body(status: int, scim_type: str = "", detail: str = "") -> str:
    body: Resource = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": str(status)}
    return json.dumps(body | ({"scimType": scim_type} if scim_type else {}) | {"detail": detail})


def refusal(method: str, status: int, scim_type: str = "", detail: str = "") -> Fault:
    return Fault(method, status, JSON, error_body(status, scim_type, detail))


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed += seconds

    def patience(self, **changes: Any) -> Patience:
        values = {"clock": self.clock, "sleep": self.sleep, "random": lambda: 1.0, "now": lambda: NOW}
        return Patience(**{**values, **changes})


def user(name: str, *roles: object, id: str = "", **others: object) -> Resource:
    entries = [role if isinstance(role, dict) else {"value": role} for role in roles]
    return {
        "id": id or f"u-{name}",
        "userName": f"{name}@acme.example",
        "active": True,
        "roles": entries,
    } | others


def group(name: str, *members: object, id: str = "", **others: object) -> Resource:
    entries = [member if isinstance(member, dict) else {"value": f"u-{member}"} for member in members]
    return {"id": id or f"g-{name}", "displayName": name, "members": entries} | others


def crowd(number: int) -> list[Resource]:
    return [user(f"p{index:03}") for index in range(number)]


@dataclass
class FakeServer:
    """State, knobs, faults, and what it was asked."""

    users: Sequence[Resource] = ()
    groups: Sequence[Resource] = ()
    page: int = 100
    cursors: bool = False
    cursor_only: bool = False
    listing: Listing = Listing.HONEST
    shows: frozenset[str] = frozenset({"members", "groups", "filter"})
    filters: str = "work"
    """`work`, `ignored`, `refused`, or `empty`: they find nobody."""
    projects: bool = True
    """Whether it takes `attributes`."""
    keeps_roles: bool = True
    patches: bool = True
    patch_paths: bool = True
    """Whether it takes filters in the paths of a PATCH."""
    paths: bool = True
    """Whether it takes paths in a PATCH at all."""
    keeps_active: bool = True
    deletes: str = "work"
    """`work`, `refused`, or `deactivates`: it says so and keeps the resource."""
    unique: bool = True
    """Whether it refuses a second user of the same name."""
    etags: str = "work"
    """`work`, `off`, `never-match` (compares weak ones strongly), or `unannounced`."""
    config: Resource | None = None
    """The ServiceProviderConfig; made from the knobs where None."""
    faults: list[Fault] = field(default_factory=list)
    bulk: tuple[int, int] | None = None
    """How many operations and bytes it takes in one bulk request, where it takes any."""
    tells: Callable[[list[Resource]], object] = lambda results: results
    """What it makes of the results of a bulk request."""
    asked_for_bulk: bool = False
    """Whether its client is to send bulk requests."""
    at_once: int = AT_ONCE
    """How many requests its client sends at once."""
    before_read: Callable[[httpx.Request], object] = lambda _: None
    before_write: list[Callable[["FakeServer"], None]] = field(default_factory=list)
    """Competing writers, one for each write that arrives."""

    def __post_init__(self) -> None:
        self.data = {
            "Users": {u["id"]: deepcopy(u) for u in self.users},
            "Groups": {g["id"]: deepcopy(g) for g in self.groups},
        }
        self.versions: dict[str, int] = {}
        self.requests: list[httpx.Request] = []
        self.time = Time()
        self._listings = 0

    # -- for tests -------------------------------------------------------------------------------

    def connection(self) -> Connection:
        return Connection(BASE, Token(SECRET), at_once=self.at_once, bulk=self.asked_for_bulk)

    def client(self, **patience: Any) -> Client:
        return open_client(
            self.connection(),
            transport=httpx.MockTransport(self.answer),
            patience=self.time.patience(**patience),
        )

    def writing_client(self, **patience: Any) -> WritingClient:
        return open_writing_client(
            self.connection(),
            transport=httpx.MockTransport(self.answer),
            patience=self.time.patience(**patience),
        )

    def roles(self, name: str) -> list[Any]:
        return [entry.get("value") for entry in self.data["Users"][f"u-{name}"].get("roles", [])]

    def members(self, name: str) -> list[str]:
        return sorted(entry["value"] for entry in self.data["Groups"][f"g-{name}"]["members"])

    @property
    def writes(self) -> list[str]:
        return [
            f"{r.method} {r.url.path.removeprefix('/scim/v2')}" for r in self.requests if r.method != "GET"
        ]

    @property
    def reads(self) -> list[str]:
        return [
            unquote(str(r.url).removeprefix(BASE)).partition("&attributes")[0]
            for r in self.requests
            if r.method == "GET"
        ]

    def touch(self, id_: str) -> None:
        self.versions[id_] = self.versions.get(id_, 1) + 1

    # -- the server ------------------------------------------------------------------------------

    def answer(self, request: httpx.Request) -> httpx.Response:
        number = len(self.requests)
        self.requests.append(request)
        if request.method == "GET":
            self.before_read(request)
        fault = self.fault(request, number)
        if fault is None:
            return self.serve(request)
        if fault.after_effect:
            self.serve(request)
        if fault.breaks is not None:
            raise fault.breaks(request)
        return httpx.Response(fault.status, headers=dict(fault.headers), content=fault.body)

    def fault(self, request: httpx.Request, number: int) -> Fault | None:
        fault = next((fault for fault in self.faults if fault.fits(request, number)), None)
        if fault is not None:
            self.faults.remove(fault)
        return fault

    def serve(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") != f"Bearer {SECRET}":
            return refused(401, detail="bad token")
        if request.method != "GET" and self.before_write:
            self.before_write.pop(0)(self)
        path = request.url.raw_path.decode().partition("?")[0].removeprefix("/scim/v2/")
        endpoint, _, id_ = path.partition("/")
        if endpoint == "ServiceProviderConfig":
            return self.configuration()
        if endpoint == "Bulk" and self.bulk is not None:
            return self.several(request, *self.bulk)
        if endpoint not in self.data:
            return refused(404, detail="no such endpoint")
        if not id_:
            if request.method == "POST":
                return self.create_user(request) if endpoint == "Users" else self.create(request)
            return self.listed(endpoint, request)
        return self.one(endpoint, unquote(id_), request)

    def configuration(self) -> httpx.Response:
        config = (
            self.config
            if self.config is not None
            else {
                "patch": {"supported": self.patches},
                "etag": {"supported": self.etags in ("work", "never-match")},
                "filter": {"supported": True, "maxResults": self.page},
                "pagination": {"cursor": self.cursors, "index": not self.cursor_only},
                "bulk": {
                    "supported": self.bulk is not None,
                    "maxOperations": self.bulk[0] if self.bulk else 0,
                    "maxPayloadSize": self.bulk[1] if self.bulk else 0,
                },
            }
        )
        return httpx.Response(200, json=config, headers=JSON)

    def several(self, request: httpx.Request, operations: int, size: int) -> httpx.Response:
        body = json.loads(request.content)
        assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]
        if len(body["Operations"]) > operations or len(request.content) > size:
            return refused(413, detail="too much at once")
        answer = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],
            "Operations": self.tells([self.result(operation) for operation in body["Operations"]]),
        }
        return httpx.Response(200, json=answer, headers=JSON)

    def result(self, operation: Resource) -> Resource:
        """What becomes of one operation of a bulk request; a fault may be meant for it alone."""
        headers = {"if-match": operation["version"]} if "version" in operation else {}
        inner = httpx.Request(
            operation["method"], BASE + operation["path"], headers=headers, json=operation["data"]
        )
        if (fault := self.fault(inner, -1)) is not None:
            status, response = fault.status, json.loads(fault.body or "{}")
        else:
            answer = self.one("Users", unquote(operation["path"].removeprefix("/Users/")), inner)
            status, response = answer.status_code, json.loads(answer.content or "{}")
        result = {
            "location": str(inner.url),
            "method": operation["method"],
            "bulkId": operation["bulkId"],
            "status": str(status),
        }
        return result | ({"response": response} if response else {})

    def one(self, endpoint: str, id_: str, request: httpx.Request) -> httpx.Response:
        resource = self.data[endpoint].get(id_)
        if resource is None:
            return refused(404, detail=f"no {id_}")
        if request.method == "GET":
            return self.resource(endpoint, resource, parameters(request))
        if not self.matches(request, id_):
            return refused(412, detail="somebody else was faster")
        if request.method == "PATCH" and not self.patches:
            return refused(501, detail="PATCH is not implemented")
        if request.method == "DELETE":
            return self.delete(endpoint, id_)
        before = deepcopy(resource)
        body = json.loads(request.content)
        if request.method == "PUT":
            self.data[endpoint][id_] = resource = {**body, "id": id_}
        elif (response := self.patch(resource, body["Operations"])) is not None:
            self.data[endpoint][id_] = before
            return response
        if not self.keeps_roles and "roles" in before:
            resource["roles"] = before["roles"]
        if not self.keeps_active and "active" in before:
            resource["active"] = before["active"]
        if resource != before:
            self.touch(id_)
        return httpx.Response(204)

    def matches(self, request: httpx.Request, id_: str) -> bool:
        asked = request.headers.get("if-match")
        if asked is None:
            return True
        return self.etags != "never-match" and asked == self.version(id_)

    def version(self, id_: str) -> str:
        return f'W/"{self.versions.get(id_, 1)}"'

    def patch(self, resource: Resource, operations: Iterable[Resource]) -> httpx.Response | None:
        for operation in operations:
            path = operation.get("path")
            if path is None:
                resource.update(operation["value"])
                continue
            if not self.paths:
                return refused(400, "invalidPath", "no paths here")
            if path == "emails[primary eq true].value":
                if not self.patch_paths:
                    return refused(400, "invalidFilter", "filters are not supported")
                [primary] = [entry for entry in resource["emails"] if entry.get("primary")]
                primary["value"] = operation["value"]
                continue
            if operation["op"] == "replace":
                resource[path] = operation["value"]
                continue
            found = re.fullmatch(r'(\w+)(?:\[value eq (".*")\])?', operation["path"])
            assert found is not None, operation["path"]
            name, value = found[1], found[2]
            if value and not self.patch_paths:
                return refused(400, "invalidPath", "filters are not supported")
            self.edit(resource, name, operation, json.loads(value) if value else None)
        return None

    def edit(self, resource: Resource, name: str, operation: Resource, value: str | None) -> None:
        entries = resource.setdefault(name, [])
        match operation["op"]:
            case "add":
                values = {str(entry.get("value")) for entry in entries}
                entries.extend(entry for entry in operation["value"] if entry["value"] not in values)
            case "remove":
                assert value is not None, "this would remove everything"
                resource[name] = [e for e in entries if str(e.get("value")).casefold() != value.casefold()]
            case _:
                raise AssertionError(operation["op"])

    def create(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        id_ = f"g-{body['displayName']}"
        while id_ in self.data["Groups"]:
            id_ += "-twin"
        self.data["Groups"][id_] = {**body, "id": id_, "members": []}
        return httpx.Response(201, json=self.data["Groups"][id_], headers=JSON)

    def create_user(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        taken = {str(user["userName"]).casefold() for user in self.data["Users"].values()}
        if self.unique and body["userName"].casefold() in taken:
            return refused(409, "uniqueness", "userName is taken")
        id_ = f"u-{body['userName'].partition('@')[0]}"
        while id_ in self.data["Users"]:
            id_ += "-twin"
        self.data["Users"][id_] = {**body, "id": id_}
        return httpx.Response(201, json=self.data["Users"][id_], headers=JSON)

    def delete(self, endpoint: str, id_: str) -> httpx.Response:
        match self.deletes:
            case "refused":
                return refused(501, detail="DELETE is not implemented")
            case "deactivates":
                self.data[endpoint][id_]["active"] = False
            case _:
                del self.data[endpoint][id_]
                for group in self.data["Groups"].values():
                    group["members"] = [m for m in group.get("members", []) if m.get("value") != id_]
        return httpx.Response(204)

    # -- listings --------------------------------------------------------------------------------

    def listed(self, endpoint: str, request: httpx.Request) -> httpx.Response:
        asked = parameters(request)
        if "attributes" in asked and not self.projects:
            return refused(400, "invalidValue", "attributes is not supported")
        if "filter" in asked and self.filters == "refused":
            return refused(400, "invalidFilter", "no filters here")
        if self.cursor_only and "cursor" not in asked:
            return refused(501, detail="use a cursor")
        found = self.filtered(endpoint, asked)
        return (
            self.by_cursor(endpoint, found, asked)
            if "cursor" in asked
            else self.by_index(endpoint, found, asked)
        )

    def filtered(self, endpoint: str, asked: Mapping[str, str]) -> list[Resource]:
        everybody = list(self.data[endpoint].values())
        if "filter" not in asked or self.filters == "ignored":
            return everybody
        if self.filters == "empty":
            return []
        if named := re.fullmatch(r'(userName|externalId) eq (".*")', asked["filter"]):
            return [user for user in everybody if _same(named[1], user.get(named[1]), json.loads(named[2]))]
        found = re.fullmatch(r'groups\.value eq (".*")', asked["filter"])
        assert found is not None, asked["filter"]
        if "filter" not in self.shows:
            return []
        return [u for u in everybody if json.loads(found[1]) in self.groups_of(u["id"])]

    def groups_of(self, user_id: str) -> list[str]:
        return [
            g["id"]
            for g in self.data["Groups"].values()
            if user_id in [m.get("value") for m in g.get("members", [])]
        ]

    def by_index(self, endpoint: str, found: list[Resource], asked: Mapping[str, str]) -> httpx.Response:
        start, count = int(asked["startIndex"]), min(int(asked["count"]), self.page)
        total, begin = len(found), start - 1
        match self.listing:
            case Listing.IGNORES_START:
                begin = 0
            case Listing.IGNORES_START_AND_COUNT:
                begin, count = 0, total
            case Listing.UNEVEN if start > 1 and start % 2:
                count -= 1
            case Listing.OVERLAPS if begin:
                begin -= 1
            case Listing.ENDLESS:
                return self.page_of(endpoint, crowd_from(start, count), asked, 10_000_000)
            case Listing.CHANGES_ONCE | Listing.CHANGES_ALWAYS:
                self.change(start, endpoint)
            case _:
                pass
        chosen = found[begin : begin + count]
        match self.listing:
            case Listing.TOTAL_OF_PAGE:
                total = len(chosen)
            case Listing.TOTAL_TOO_HIGH:
                total += 3
            case Listing.TOTAL_TOO_LOW:
                total -= 3
            case Listing.ABSURD:
                total = 1_000_000_000
            case Listing.TWICE_ON_ONE_PAGE:
                chosen = [*chosen[:-1], chosen[0]]
            case Listing.NO_RESOURCES:
                chosen = []
            case _:
                pass
        return self.page_of(endpoint, chosen, asked, None if self.listing is Listing.NO_TOTAL else total)

    def change(self, start: int, endpoint: str) -> None:
        """Take one person away in the middle of a listing."""
        if start > 1 and (self.listing is Listing.CHANGES_ALWAYS or self._listings == 0):
            self._listings += 1
            first = next(iter(self.data[endpoint]))
            del self.data[endpoint][first]

    def by_cursor(self, endpoint: str, found: list[Resource], asked: Mapping[str, str]) -> httpx.Response:
        begin = int(asked["cursor"].partition("=")[2] or 0)
        count = min(int(asked["count"]), self.page)
        chosen, end = found[begin : begin + count], begin + count
        following: str | None = f"at+/={end}" if end < len(found) else None
        match self.listing:
            case Listing.SAME_CURSOR:
                following, chosen = "at+/=1", chosen if not begin else []
            case Listing.EMPTY_PAGES:
                following, chosen = f"at+/={end}", chosen if not begin else []
            case Listing.ENDLESS:
                following, chosen = f"at+/={end}", crowd_from(begin, count)
            case Listing.TOTAL_TOO_HIGH:
                return self.page_of(endpoint, chosen, asked, len(found) + 3, following)
            case _:
                pass
        return self.page_of(endpoint, chosen, asked, None, following)

    def page_of(
        self,
        endpoint: str,
        chosen: list[Resource],
        asked: Mapping[str, str],
        total: int | None,
        cursor: str | None = None,
    ) -> httpx.Response:
        body: Resource = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]}
        if total is not None:
            body["totalResults"] = str(total) if self.listing is Listing.COUNTS_AS_TEXT else total
        if cursor is not None:
            body["nextCursor"] = cursor
        if chosen:
            body["Resources"] = [self.shown(endpoint, resource, asked) for resource in chosen]
        return httpx.Response(200, json=body, headers=JSON)

    def resource(self, endpoint: str, resource: Resource, asked: Mapping[str, str]) -> httpx.Response:
        if "attributes" in asked and not self.projects:
            return refused(400, "invalidValue", "attributes is not supported")
        return httpx.Response(200, json=self.shown(endpoint, resource, asked), headers=JSON)

    def shown(self, endpoint: str, resource: Resource, asked: Mapping[str, str]) -> Resource:
        shown = deepcopy(resource)
        if endpoint == "Users" and "groups" in self.shows:
            shown["groups"] = [{"value": id_} for id_ in self.groups_of(resource["id"])]
        if endpoint == "Groups" and "members" not in self.shows:
            shown["members"] = []
        if self.etags != "off":
            shown["meta"] = {"version": self.version(resource["id"])}
        wanted = asked.get("attributes")
        return {k: v for k, v in shown.items() if wanted is None or k in ("id", *wanted.split(","))}


def _same(name: str, one: object, other: str) -> bool:
    """RFC 7643: letter case makes no difference in a userName (4.1.1), and does in an externalId (3.1)."""
    return str(one).casefold() == other.casefold() if name == "userName" else one == other


def refused(status: int, scim_type: str = "", detail: str = "") -> httpx.Response:
    return httpx.Response(status, content=error_body(status, scim_type, detail), headers=JSON)


def parameters(request: httpx.Request) -> dict[str, str]:
    query = parse_qs(request.url.query.decode(), keep_blank_values=True)
    return {name: values[0] for name, values in query.items()}


def crowd_from(start: int, count: int) -> list[Resource]:
    return [user(f"endless{index}") for index in range(start, start + count)]
