"""A real SCIM server, the sandbox's, behind a layer that lies, breaks and refuses as its knobs say.

It keeps account: of every request that arrived, and of every write that took effect, with what everybody
held before and after it. `answer` serves `httpx.MockTransport` and, through `e2e.loopback`, a real socket.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, assert_never
from urllib.parse import parse_qsl

import httpx
from hostile import pages, rivals, shapes, spoilt
from hostile.faults import (
    WRITES,
    Accounts,
    Cap,
    Content,
    Cursors,
    Etags,
    Fault,
    Filters,
    Hidden,
    Knob,
    Late,
    Paging,
    Patching,
    Redirect,
    Reset,
    Rival,
    Shape,
    Status,
    Total,
    Trait,
)
from hostile.spoilt import refused
from scim.fake_server import BASE, JSON, SECRET, Time
from scim2_server.requests import ScimRequest

from reconciler.http.reach import Reach
from reconciler.sandbox.seed import Seed
from reconciler.sandbox.server import application
from reconciler.sandbox.store import USERS, Store

PAGE = 4
"""The most resources on a page unless a `Cap` says otherwise: small, so that every listing has several."""

T = TypeVar("T")
Resource = dict[str, Any]

Held = Mapping[str, tuple[str, ...]]
"""By userName: a person's role values and the names of their groups, sorted, each as often as it is there."""


AtFirst = dict[tuple[str, str, frozenset[tuple[str, str]]], tuple[int, Mapping[str, str], bytes]]
"""Status, headers and content by method, path and query."""


@dataclass(frozen=True)
class Effect:
    """A write that changed what people hold: at which request, from 1, and what everybody held around it."""

    request: int
    before: Held
    after: Held
    rival: bool = False
    """Whether a competing writer did it, and not the run."""

    @property
    def people(self) -> Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Who holds something else now: what they held before, and after."""
        names = sorted(self.before.keys() | self.after.keys())
        pairs = {name: (self.before.get(name, ()), self.after.get(name, ())) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


class HostileServer:
    """State, knobs, and the account of what happened. Without knobs it is honest."""

    def __init__(self, seed: Seed, *knobs: Knob, at_first: AtFirst | None = None) -> None:
        """`at_first`, shared by servers of the same seed: what the real one answers before any write."""
        self.store = Store(seed)
        self.knobs = knobs
        self.requests: list[httpx.Request] = []
        self.effects: list[Effect] = []
        self.meanwhile: Callable[[int], None] | None = None
        """Called as each request arrives, with its number, from 1."""
        self.time = Time()
        self._application = application(self.store, SECRET)
        self._at_first: AtFirst | None = {} if at_first is None else at_first
        self._arrived: Counter[Knob] = Counter()
        self._answers = 0

    # -- for tests -------------------------------------------------------------------------------

    def reach(self) -> Reach:
        """What to hand to the command line: no sockets, and a clock that only sleeping moves."""
        return Reach(httpx.MockTransport(self.answer), self.time.patience())

    def held(self) -> Held:
        """What everybody holds, in truth."""
        with self.store.lock:
            return {
                str(user.user_name): tuple(
                    sorted(
                        [str(role.value) for role in user.roles or ()]
                        + [str(group.display) for group in user.groups or ()]
                    )
                )
                for user in self.store.users()
            }

    def names(self) -> list[str]:
        """The userNames of everybody, in truth, as often as they are there."""
        with self.store.lock:
            return sorted(str(user.user_name) for user in self.store.users())

    def called(self) -> Mapping[str, str | None]:
        """The displayName of everybody, in truth, by userName."""
        with self.store.lock:
            return {str(user.user_name): user.display_name for user in self.store.users()}

    def inactive(self) -> frozenset[str]:
        """Who is not active, in truth."""
        with self.store.lock:
            return frozenset(str(user.user_name) for user in self.store.users() if user.active is False)

    @property
    def writes(self) -> list[str]:
        """Every request that writes and arrived, whatever became of it."""
        return [f"{r.method} {_path(r)}" for r in self.requests if r.method in WRITES]

    # -- what becomes of a request ---------------------------------------------------------------

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.meanwhile is not None:
            self.meanwhile(len(self.requests))
        due = [knob for knob in self.knobs if isinstance(knob, Fault | Rival) and self._is_due(knob, request)]
        fault: Fault | None = None
        for knob in due:
            if isinstance(knob, Rival):
                self._recorded(lambda one=knob: rivals.act(self.store, one.deed, one.person), rival=True)  # type: ignore[misc]
            else:
                fault = fault or knob
        return self._served(request) if fault is None else self._faulty(fault, request)

    def _is_due(self, knob: Fault | Rival, request: httpx.Request) -> bool:
        if not knob.at.fits(request.method, _path(request), any(not effect.rival for effect in self.effects)):
            return False
        self._arrived[knob] += 1
        return knob.at.nth in (0, self._arrived[knob])

    def _faulty(self, fault: Fault, request: httpx.Request) -> httpx.Response:
        match fault:
            case Status():
                if fault.after:
                    self._served(request)
                headers = {} if fault.retry_after is None else {"retry-after": fault.retry_after}
                return refused(fault.status, fault.scim_type, headers)
            case Reset():
                if fault.after:
                    self._served(request)
                raise _broken(fault, request)
            case Late():
                return self._delayed(fault, request)
            case Redirect():
                return httpx.Response(fault.status, headers={"location": fault.location})
            case Content():
                return spoilt.content(fault.body, self._served(request) if fault.after else refused(500))
            case _ as never:
                assert_never(never)

    def _delayed(self, fault: Late, request: httpx.Request) -> httpx.Response:
        """As late as the client waits at most; then it never learns what became of its request."""
        patience = request.extensions.get("timeout", {}).get("read", fault.seconds)
        self.time.sleep(min(fault.seconds, patience))
        in_time = fault.seconds <= patience
        response = self._served(request) if in_time or fault.after else None
        if response is None or not in_time:
            raise httpx.ReadTimeout("timed out", request=request)
        return response

    def _served(self, request: httpx.Request) -> httpx.Response:
        self._answers += 1
        if request.method in WRITES:
            return self._recorded(lambda: self._write(request))
        return self._shown(request, self._read(request))

    def _recorded(self, write: Callable[[], T], *, rival: bool = False) -> T:
        self._at_first = None
        with self.store.lock:
            before = self.held()
            result = write()
            after = self.held()
        if before != after:
            self.effects.append(Effect(len(self.requests), before, after, rival))
        return result

    def _honest(
        self, request: httpx.Request, *, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> httpx.Response:
        """What the real server answers; `query` and `body` in the place of the request's own."""
        query = _query(request) if query is None else query
        key = (request.method, _path(request), frozenset(query.items()))
        if self._at_first is not None and key in self._at_first:
            status, headers, content = self._at_first[key]
            return httpx.Response(status, headers=headers, content=content)
        response = self._application.serve(
            ScimRequest(
                method=request.method,
                base_url=BASE,
                path=_path(request),
                query=query,
                headers=[(k, v) for k, v in request.headers.items() if k != "content-length"],
                body=request.content if body is None else body,
            )
        )
        content = b"" if response.body is None else json.dumps(response.body).encode()
        if self._at_first is not None:
            self._at_first[key] = (int(response.status), response.headers, content)
        return httpx.Response(int(response.status), headers=response.headers, content=content)

    # -- reading ---------------------------------------------------------------------------------

    def _read(self, request: httpx.Request) -> httpx.Response:
        path, query = _path(request), _query(request)
        if path == "/ServiceProviderConfig" and self._has(Hidden.ABILITIES):
            return refused(404)
        if path not in ("/Users", "/Groups"):
            return self._honest(request)
        if "filter" in query:
            match self._trait(Filters):
                case Filters.REFUSED:
                    return refused(400, "invalidFilter")
                case Filters.ANSWER_NOBODY:
                    return _json({"schemas": [pages.LIST], "totalResults": 0})
                case Filters.IGNORED:
                    del query["filter"]
                case None:
                    pass
        return self._listed(request, query)

    def _listed(self, request: httpx.Request, query: dict[str, str]) -> httpx.Response:
        """A page of the real server; where pages go wrong, one of ours of everything that it has."""
        cap = self._trait(Cap)
        count = min(int(query.get("count", "100")), cap.size if cap else PAGE)
        how, said, cursors = self._trait(Paging), self._trait(Total), self._trait(Cursors)
        if how is None and said is None and cursors is None:
            return self._honest(request, query=query | {"count": str(count)})
        start = int(query.get("startIndex", "1"))
        if how is Paging.ENDLESS:
            return _json(pages.by_index([], start, count, how, said, self._answers))
        whole = {name: value for name, value in query.items() if name in ("attributes", "filter")}
        found = self._honest(request, query=whole)
        if found.status_code != 200:
            return found
        everything = found.json().get("Resources", [])
        if cursors is not None:
            return self._by_cursor(everything, query.get("cursor"), count, cursors)
        if how is Paging.REFUSED and start > 1:
            return refused(400, "invalidValue")
        return _json(pages.by_index(everything, start, count, how, said, self._answers))

    def _by_cursor(
        self, everything: list[Resource], cursor: str | None, count: int, how: Cursors
    ) -> httpx.Response:
        if cursor is None:
            return refused(501)
        begin = int(cursor.rpartition("=")[2] or 0)
        if begin and (how is Cursors.EXPIRE or (how is Cursors.EXPIRE_ONCE and self._is_first_to_expire())):
            return refused(400, "expiredCursor")
        return _json(pages.by_cursor(everything, begin, count, how))

    def _is_first_to_expire(self) -> bool:
        self._arrived[Cursors.EXPIRE_ONCE] += 1
        return self._arrived[Cursors.EXPIRE_ONCE] == 1

    def _shown(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        """An answer with its resources written as the knobs say."""
        if response.status_code != 200:
            return response
        document, headers = response.json(), dict(response.headers)
        if _path(request) == "/ServiceProviderConfig":
            self._announce(document)
        elif "Resources" in document:
            document["Resources"] = [self._written(resource) for resource in document["Resources"]]
        elif "id" in document:
            document = self._written(document)
        if self._has(Hidden.SCHEMAS):
            document.pop("schemas", None)
        if self._has(Hidden.VERSIONS):
            headers.pop("etag", None)
        return _json(document, headers)

    def _announce(self, config: Resource) -> None:
        cap = self._trait(Cap)
        if cap is not None and cap.announced:
            config["pagination"]["maxPageSize"] = config["filter"]["maxResults"] = cap.size
        if self._trait(Cursors) is not None:
            config["pagination"] |= {"index": False, "defaultPaginationMethod": "cursor"}
        if self._has(Patching.UNKNOWN):
            config["patch"]["supported"] = False

    def _written(self, resource: Resource) -> Resource:
        if "meta" in resource and (etags := self._trait(Etags)):
            resource["meta"] |= _version(etags, self._answers)
        for hidden in self._of(Hidden):
            shapes.hide(hidden, resource)
        for shape in self._of(Shape):
            resource = shapes.write(shape, resource)
        return resource

    # -- writing ---------------------------------------------------------------------------------

    def _write(self, request: httpx.Request) -> httpx.Response:
        if "if-match" in request.headers and self._trait(Etags) is not None:
            return refused(412)
        if request.method == "DELETE" and self._has(Accounts.DELETES_BY_DEACTIVATING):
            return self._deactivated(request)
        if (
            self._has(Accounts.FORGETS_ACTIVE)
            and b'"active"' in request.content
            and request.method == "PATCH"
        ):
            return self._praised(request)
        how = self._trait(Patching)
        if request.method != "PATCH" or how is None:
            return self._honest(request)
        return self._patched(request, how)

    def _deactivated(self, request: httpx.Request) -> httpx.Response:
        user = self.store.get(USERS, _path(request).removeprefix("/Users/"))
        self.store.update(USERS, user.model_copy(update={"active": False}))
        return httpx.Response(204)

    def _patched(self, request: httpx.Request, how: Patching) -> httpx.Response:
        match how:
            case Patching.UNKNOWN | Patching.UNKNOWN_UNSAID:
                return refused(501)
            case Patching.NOT_ALLOWED:
                return refused(405)
            case Patching.WITHOUT_FILTERS | Patching.WITHOUT_FILTERS_UNSAID if _is_filtered(request):
                return refused(400, "invalidPath" if how is Patching.WITHOUT_FILTERS else "invalidFilter")
            case Patching.IGNORED | Patching.IGNORED_SILENTLY:
                return self._praised(request) if how is Patching.IGNORED else httpx.Response(204)
            case Patching.FORGETS_REMOVALS | Patching.ONLY_FIRST:
                return self._patched_partly(request, how)
            case Patching.REMOVES_ALL | Patching.ADDS_ALONE:
                body = json.loads(request.content)
                worse = [_worsened(operation, how) for operation in body["Operations"]]
                return self._honest(request, body=_body(body, worse))
            case _:
                return self._patched_whole(request, how)

    def _patched_partly(self, request: httpx.Request, how: Patching) -> httpx.Response:
        body = json.loads(request.content)
        operations: list[Resource] = body["Operations"]
        if how is Patching.ONLY_FIRST:
            done = self._honest(request, body=_body(body, operations[:1]))
            return refused(500) if len(operations) > 1 and done.status_code < 300 else done
        kept = [operation for operation in operations if operation["op"] != "remove"]
        return self._honest(request, body=_body(body, kept)) if kept else self._praised(request)

    def _patched_whole(self, request: httpx.Request, how: Patching) -> httpx.Response:
        """Done, and said to be in one of the ways that there are."""
        response = self._honest(request)
        if response.status_code >= 300:
            return response
        if how is Patching.ANSWERS_200:
            return self._praised(request)
        if how in (Patching.ANSWERS_200_EMPTY, Patching.ANSWERS_202):
            return httpx.Response(200 if how is Patching.ANSWERS_200_EMPTY else 202)
        return response

    def _praised(self, request: httpx.Request) -> httpx.Response:
        """200, and the resource as it is now."""
        headers = {"authorization": request.headers["authorization"]}
        return self._honest(httpx.Request("GET", request.url, headers=headers))

    # -- knobs -----------------------------------------------------------------------------------

    def _of(self, kind: type[T]) -> list[T]:
        return [knob for knob in self.knobs if isinstance(knob, kind)]

    def _trait(self, kind: type[T]) -> T | None:
        return next(iter(self._of(kind)), None)

    def _has(self, trait: Trait) -> bool:
        return trait in self.knobs


def _path(request: httpx.Request) -> str:
    return request.url.path.removeprefix("/scim/v2")


def _query(request: httpx.Request) -> dict[str, str]:
    return dict(parse_qsl(request.url.query.decode(), keep_blank_values=True))


def _version(how: Etags, turn: int) -> Mapping[str, str]:
    match how:
        case Etags.ALWAYS_NEW:
            return {"version": f'W/"new-{turn}"'}
        case Etags.NO_ASCII:
            return {"version": 'W/"Fassung-ß"'}
        case Etags.NEVER_MATCH:
            return {}


def _json(document: Resource, headers: Mapping[str, str] = JSON) -> httpx.Response:
    kept = {name: value for name, value in headers.items() if name != "content-length"}
    return httpx.Response(200, headers=kept, content=json.dumps(document))


def _body(body: Resource, operations: list[Resource]) -> bytes:
    return json.dumps(body | {"Operations": operations}).encode()


def _worsened(operation: Resource, how: Patching) -> Resource:
    if how is Patching.REMOVES_ALL and operation["op"] == "remove":
        return {"op": "remove", "path": operation["path"].partition("[")[0]}
    if how is Patching.ADDS_ALONE and operation["op"] == "add":
        return operation | {"op": "replace"}
    return operation


def _is_filtered(request: httpx.Request) -> bool:
    return any("[" in operation.get("path", "") for operation in json.loads(request.content)["Operations"])


def _broken(fault: Reset, request: httpx.Request) -> httpx.TransportError:
    if fault.mid_body:
        return httpx.RemoteProtocolError("peer closed connection in the middle of a body", request=request)
    return httpx.ReadError("connection reset by peer", request=request)
