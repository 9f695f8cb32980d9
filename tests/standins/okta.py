"""A stand-in for Okta's management API: state that a test may change, and every fault that is known of it.

It serves what Okta's OpenAPI description says of groups, users, the System Log and the token endpoint, and no
more. `test_okta_standin.py` has Okta's own SDK read it, so that it can't be wrong in what it is trusted for.
One fault at the most spoils an answer, the first that fits and is not used up.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from e2e import loopback

SSWS = "00-ssws-token-of-the-stand-in"
CLIENT = "0oa-stand-in"
KEY_ID = "key-1"
SCOPES = ("okta.groups.read", "okta.users.read", "okta.logs.read")
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

Document = Any
"""JSON as Python has it."""
Spoils = Callable[[httpx.Response], httpx.Response]
"""Makes something else of an honest answer, which knows its request."""


@cache
def key_of(owner: str) -> rsa.RSAPrivateKey:  # noqa: ARG001
    """The key of somebody; it is made once, for that takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Person:
    """A user of Okta; `profile` are further attributes, or others in the place of the usual ones."""

    name: str
    status: str = "ACTIVE"
    since: datetime | None = datetime(2026, 1, 5, 8, tzinfo=UTC)
    """statusChanged."""
    updated: datetime = datetime(2026, 1, 5, 8, tzinfo=UTC)
    profile: dict[str, object] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"00u-{self.name}"

    @property
    def login(self) -> str:
        return str(self.profile.get("login", f"{self.name}@acme.example"))

    def document(self) -> Document:
        return {
            "id": self.id,
            "status": self.status,
            "created": "2026-01-05T08:00:00.000Z",
            "activated": None,
            "statusChanged": None if self.since is None else stamp(self.since),
            "lastUpdated": stamp(self.updated),
            "type": {"id": "otyStandIn"},
            "profile": {
                "firstName": self.name.capitalize(),
                "lastName": "Example",
                "login": f"{self.name}@acme.example",
                "email": f"{self.name}@acme.example",
                **self.profile,
            },
            "credentials": {"provider": {"type": "OKTA", "name": "OKTA"}},
            "_links": {},
        }


@dataclass
class Group:
    """A group of Okta and the names of those who are in it."""

    name: str
    members: list[str] = field(default_factory=list)
    type: str = "OKTA_GROUP"
    id: str = ""

    def __post_init__(self) -> None:
        self.id = self.id or f"00g-{self.name}"

    def document(self, counted: bool = False) -> Document:
        kind = "okta:windows_security_principal" if self.type == "APP_GROUP" else "okta:user_group"
        document: Document = {
            "id": self.id,
            "created": "2026-01-05T08:00:00.000Z",
            "lastUpdated": "2026-01-05T08:00:00.000Z",
            "lastMembershipUpdated": "2026-01-05T08:00:00.000Z",
            "objectClass": [kind],
            "type": self.type,
            "profile": {"name": self.name, "description": None},
            "_links": {},
        }
        if counted:
            stats = {"usersCount": len(self.members), "appsCount": 0, "groupPushMappingsCount": 0}
            document["_embedded"] = {"stats": {**stats, "hasAdminPrivilege": False, "_links": {}}}
        return document


@dataclass
class Event:
    """An event of the System Log about a person, and a group where one is named."""

    type: str
    person: Person
    published: datetime = NOW
    result: str = "FAILURE"
    reason: str | None = "Automatic provisioning of user failed"
    group: Group | None = None

    def document(self, number: int) -> Document:
        targets = [_target(self.person.id, "User", self.person.login, self.person.name)]
        if self.group is not None:
            targets.append(_target(self.group.id, "UserGroup", self.group.name, self.group.name))
        targets.append(_target("0oa-circleci", "AppInstance", "CircleCI", "CircleCI"))
        return {
            "uuid": f"event-{number}",
            "published": stamp(self.published),
            "eventType": self.type,
            "version": "0",
            "severity": "INFO" if self.result == "SUCCESS" else "ERROR",
            "displayMessage": "Push user to application",
            "actor": {"id": "00u-system", "type": "SystemPrincipal", "alternateId": "system@okta.com"},
            "outcome": {"result": self.result, "reason": self.reason},
            "target": targets,
        }


def _target(id_: str, kind: str, other: str, shown: str) -> Document:
    return {"id": id_, "type": kind, "alternateId": other, "displayName": shown, "detailEntry": None}


@dataclass(frozen=True)
class Fault:
    """What becomes of the answers to some requests: those with `path` in theirs, from the `after`th on."""

    spoils: Spoils
    path: str = ""
    after: int = 0
    times: int | None = 1
    """How many of them; None: all."""

    def always(self) -> "Fault":
        return replace(self, times=None)


@dataclass
class Okta:
    """State, knobs, faults, and what it was asked."""

    people: list[Person] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    page: int = 200
    """The largest page that it gives, whatever `limit` asks for."""
    scopes: Sequence[str] = SCOPES
    """What the app was granted."""
    shows_everyone: bool = True
    """Whether the token's administrator sees the group Everyone; who manages some groups only does not."""
    wants_proof: bool = False
    """Whether the app demands DPoP."""
    unindexed: set[str] = field(default_factory=set)
    """The ids of groups that `search` does not find yet."""
    indexed: dict[str, str] = field(default_factory=dict)
    """The names under which `search` still has groups, by id."""
    owner: str = "the app"
    """Whose key it knows; another owner has another key."""
    names_keys: bool = False
    """Whether a client assertion has to name its key."""
    lasts: int = 3600
    """The seconds that an access token lasts."""
    faults: list[Fault] = field(default_factory=list)
    now: Callable[[], datetime] = lambda: NOW
    requests: list[httpx.Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._issued: dict[str, tuple[datetime, frozenset[str]]] = {}
        self._assertions: set[str] = set()
        self._seen: dict[int, tuple[int, int]] = {}
        self._lock = threading.Lock()

    # -- for tests -------------------------------------------------------------------------------

    @property
    def key(self) -> rsa.RSAPrivateKey:
        return key_of(self.owner)

    @property
    def pem(self) -> str:
        plain = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return plain.decode()

    @property
    def jwk(self) -> Mapping[str, Any]:
        """The key as Okta's own pages show one, without `key_ops`."""
        numbers = jwt.algorithms.RSAAlgorithm.to_jwk(self.key, as_dict=True)
        return {name: value for name, value in numbers.items() if name != "key_ops"} | {"kid": KEY_ID}

    def person(self, name: str) -> Person:
        return next(person for person in self.people if person.name == name)

    def group(self, name: str) -> Group:
        return next(group for group in self.groups if group.name == name)

    def become(self, name: str, status: str, at: datetime) -> None:
        """Somebody's status changes."""
        person = self.person(name)
        person.status, person.since, person.updated = status, at, at

    def revoke(self) -> None:
        """Every access token that was issued is void."""
        self._issued.clear()

    @property
    def asked(self) -> list[str]:
        """Every request as method, path and query, decoded."""
        return [f"{one.method} {unquote(one.url.raw_path.decode())}" for one in self.requests]

    # -- the server ------------------------------------------------------------------------------

    def answer(self, request: httpx.Request) -> httpx.Response:
        """One request at a time, as their state is one."""
        with self._lock:
            return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        response = self._headed(self._serve(request))
        honest = True
        for place, fault in enumerate(self.faults):
            if fault.path not in str(request.url):
                continue
            seen, spoilt = self._seen.get(place, (0, 0))
            acts = honest and seen >= fault.after and (fault.times is None or spoilt < fault.times)
            self._seen[place] = (seen + 1, spoilt + acts)
            if acts:
                honest, response.request = False, request
                response = fault.spoils(response)
        return response

    def _headed(self, response: httpx.Response) -> httpx.Response:
        """With what every answer has: the date, and how many more there may be."""
        now = self.now()
        response.headers["Date"] = now.strftime("%a, %d %b %Y %H:%M:%S GMT")
        response.headers["X-Rate-Limit-Limit"] = "600"
        response.headers["X-Rate-Limit-Remaining"] = "599"
        response.headers["X-Rate-Limit-Reset"] = str(int(now.timestamp()) + 60)
        return response

    def _serve(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().partition("?")[0]
        if path == "/oauth2/v1/token" and request.method == "POST":
            return self._token(request)
        endpoint = re.fullmatch(r"/api/v1/(groups|users|logs)(?:/([^/]+)(/users|/groups)?)?", path)
        if endpoint is None or request.method != "GET":
            return refused(404, "E0000022", "The endpoint does not support the provided HTTP method")
        kind, id_, below = endpoint[1], unquote(endpoint[2] or ""), endpoint[3] or ""
        scope = "okta.users.read" if below == "/groups" else f"okta.{kind}.read"
        return self._unauthorized(request, scope) or self._listed_or_one(request, kind, id_, below)

    def _unauthorized(self, request: httpx.Request, scope: str) -> httpx.Response | None:
        authorization = request.headers.get("authorization", "")
        if authorization.startswith("SSWS"):
            token = authorization.removeprefix("SSWS").removeprefix(" ")  # the SDK writes no blank
            return None if token == SSWS else refused(401, "E0000011", "Invalid token provided")
        scheme, _, token = authorization.partition(" ")
        until, scopes = self._issued.get(token, (self.now(), frozenset()))
        if scheme != "Bearer" or until <= self.now():
            return refused(401, "E0000011", "Invalid token provided")
        if scope not in scopes:
            response = refused(403, "E0000006", "You do not have permission to perform the requested action")
            response.headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{scope}"'
            return response
        return None

    def _listed_or_one(self, request: httpx.Request, kind: str, id_: str, below: str) -> httpx.Response:
        match kind, bool(id_), below:
            case "groups", False, _:
                return self._groups(request)
            case "groups", True, "":
                found = next((one for one in self._visible() if one.id == id_), None)
                return absent(id_, "UserGroup") if found is None else answered(found.document())
            case "groups", True, "/users":
                return self._members(request, id_)
            case "users", False, _:
                return self._users(request)
            case "users", True, "":
                person = self._named(id_)
                return absent(id_, "User") if person is None else answered(person.document())
            case "users", True, "/groups":
                person = self._named(id_)
                if person is None:
                    return absent(id_, "User")
                return answered([one.document() for one in self._visible() if person.name in one.members])
            case _:
                return self._logs(request)

    def _visible(self) -> list[Group]:
        everyone = Group("Everyone", [person.name for person in self.people], "BUILT_IN", "00g0everyone")
        return [*self.groups, *([everyone] if self.shows_everyone else [])]

    def _named(self, text: str) -> Person | None:
        return next((one for one in self.people if text in (one.id, one.login)), None)

    def _groups(self, request: httpx.Request) -> httpx.Response:
        asked = parameters(request)
        groups = self._visible()
        counted = "stats" in asked.get("expand", "")
        if "q" in asked:
            if "search" in asked or "filter" in asked:
                return refused(400, "E0000001", "Api validation failed: q")
            begins = asked["q"].casefold()
            found = [one.document(counted) for one in groups if one.name.casefold().startswith(begins)]
            return answered(found[: min(int(asked.get("limit", 300)), self.page)])
        try:
            if "search" in asked:
                fit = expression(asked["search"], GROUP_SEARCH, str.casefold)
                known = [self._as_indexed(one, counted) for one in groups if one.id not in self.unindexed]
                documents = [document for document in known if fit(document)]
            elif "filter" in asked:
                fit = expression(asked["filter"], GROUP_FILTER)
                documents = [d for d in (one.document(counted) for one in groups) if fit(d)]
            else:
                documents = [one.document(counted) for one in groups]
        except ValueError as error:
            return refused(400, "E0000031", f"Invalid search criteria. {error}")
        return self._paged(request, documents, 10_000, 10_000)

    def _as_indexed(self, group: Group, counted: bool) -> Document:
        """A group as the index of `search` has it."""
        document = group.document(counted)
        document["profile"]["name"] = self.indexed.get(group.id, group.name)
        return document

    def _members(self, request: httpx.Request, id_: str) -> httpx.Response:
        group = next((one for one in self._visible() if one.id == id_), None)
        if group is None:
            return absent(id_, "UserGroup")
        return self._paged(request, [self.person(name).document() for name in group.members], 1000, 1000)

    def _users(self, request: httpx.Request) -> httpx.Response:
        asked = parameters(request)
        documents = [person.document() for person in self.people]
        try:
            if "search" in asked:
                fit = expression(asked["search"], USER_SEARCH, str.casefold)
            elif "filter" in asked:
                fit = expression(asked["filter"], USER_FILTER)
            else:
                fit = lambda document: document["status"] != "DEPROVISIONED"  # noqa: E731
        except ValueError as error:
            return refused(400, "E0000031", f"Invalid search criteria. {error}")
        return self._paged(request, [document for document in documents if fit(document)], 200, 200)

    def _paged(
        self, request: httpx.Request, documents: Sequence[Document], default: int, most: int
    ) -> httpx.Response:
        """One page, in the order of ids: a cursor stays good when others come and go."""
        asked = parameters(request)
        size = min(int(asked.get("limit", default)), most, self.page)
        left = sorted((d for d in documents if d["id"] > asked.get("after", "")), key=lambda d: str(d["id"]))
        response = answered(left[:size])
        if len(left) > size:
            link(response, request, left[size - 1]["id"])
        return response

    def _logs(self, request: httpx.Request) -> httpx.Response:
        asked = parameters(request)
        since = asked.get("since", stamp(self.now() - timedelta(days=7)))
        until = asked.get("until", "9999")
        ascending = asked.get("sortOrder", "ASCENDING") == "ASCENDING"
        events = [event.document(number) for number, event in enumerate(self.events)]
        try:
            fit = expression(asked["filter"], LOG_FILTER) if "filter" in asked else lambda _: True
        except ValueError as error:
            return refused(400, "E0000053", f"Invalid filter expression. {error}")
        found = [event for event in events if since <= event["published"] < until and fit(event)]
        found.sort(key=lambda event: str(event["published"]), reverse=not ascending)
        size = min(int(asked.get("limit", 100)), 1000, self.page)
        begin = int(asked.get("after", "0"))
        response = answered(found[begin : begin + size])
        if len(found) > begin + size or (ascending and "until" not in asked):
            link(response, request, str(min(begin + size, len(found))))
        return response

    # -- tokens ----------------------------------------------------------------------------------

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        if self.wants_proof and "dpop" not in request.headers:
            response = oauth_error(
                400, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof."
            )
            response.headers["dpop-nonce"] = "nonce-1"
            return response
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != ASSERTION:
            return oauth_error(400, "invalid_request", "The grant or the kind of assertion is not supported.")
        if fault := self._assertion_fault(form.get("client_assertion", ""), str(request.url)):
            return oauth_error(401, "invalid_client", fault)
        asked = frozenset(form.get("scope", "").split())
        if not asked or not asked <= set(self.scopes):
            return oauth_error(400, "invalid_scope", "One or more scopes are not configured for the app.")
        token = f"access-token-{len(self._assertions)}-of-the-stand-in"
        self._issued[token] = (self.now() + timedelta(seconds=self.lasts), asked)
        return answered(
            {
                "token_type": "Bearer",
                "expires_in": self.lasts,
                "access_token": token,
                "scope": " ".join(sorted(asked)),
            }
        )

    def _assertion_fault(self, assertion: str, audience: str) -> str:
        """Why an assertion is no proof of who asks (RFC 7523 section 3); empty where it is one."""
        try:
            named = jwt.get_unverified_header(assertion).get("kid")
            claims = jwt.decode(
                assertion,
                self.key.public_key(),
                algorithms=["RS256", "RS384", "RS512"],
                audience=audience,
                options={
                    "require": ["iss", "sub", "aud", "exp", "jti"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidTokenError as error:
            return f"The client_assertion is invalid: {error}"
        left = claims["exp"] - self.now().timestamp()
        if named not in ((KEY_ID,) if self.names_keys else (KEY_ID, None)):
            return "The client_assertion names a key that the app does not have."
        if not 0 < left <= 3600:
            return "The client_assertion has expired, or is good for over an hour."
        if claims["iss"] != CLIENT or claims["sub"] != CLIENT:
            return "The client_assertion is of another client."
        if claims["jti"] in self._assertions:
            return "The client_assertion was used before."
        self._assertions.add(claims["jti"])
        return ""


@contextmanager
def serving(okta: Okta) -> Iterator[str]:
    """The address under which it answers, over a real socket, until the block ends."""
    with loopback.serving(okta) as url:
        yield url.removesuffix("/scim/v2")


# -- answers -------------------------------------------------------------------------------------


def answered(document: Document) -> httpx.Response:
    return httpx.Response(200, json=document, headers={"content-type": "application/json"})


def refused(status: int, code: str, summary: str) -> httpx.Response:
    """An error as Okta words it; only the code is stable."""
    body = {
        "errorCode": code,
        "errorSummary": summary,
        "errorLink": code,
        "errorId": "oae-stand-in",
        "errorCauses": [],
    }
    return httpx.Response(status, json=body)


def absent(id_: str, kind: str) -> httpx.Response:
    return refused(404, "E0000007", f"Not found: Resource not found: {id_} ({kind})")


def oauth_error(status: int, code: str, words: str) -> httpx.Response:
    return httpx.Response(status, json={"error": code, "error_description": words})


def link(response: httpx.Response, request: httpx.Request, after: str) -> None:
    """Add the headers that lead on; Okta sends one for each relation."""
    asked = {**parameters(request), "after": after}
    target = f"{request.url.copy_with(query=None)}?{urlencode(asked)}"
    linked(response, str(request.url), target)


def linked(response: httpx.Response, this: str, following: str) -> None:
    others = [(name, value) for name, value in response.headers.multi_items() if name != "link"]
    response.headers = httpx.Headers(
        [*others, ("link", f'<{this}>; rel="self"'), ("link", f'<{following}>; rel="next"')]
    )


def parameters(request: httpx.Request) -> dict[str, str]:
    return dict(request.url.params.multi_items())


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


# -- expressions ---------------------------------------------------------------------------------

GROUP_FILTER = {
    "id": ("eq",),
    "type": ("eq",),
    "lastUpdated": ("eq", "gt", "ge", "lt", "le"),
    "lastMembershipUpdated": ("eq", "gt", "ge", "lt", "le"),
}
GROUP_SEARCH = {
    "profile.name": ("eq", "sw", "co"),
    "profile.description": ("eq", "sw", "co"),
    **dict.fromkeys(("id", "type"), ("eq", "sw")),
}
USER_FILTER = {
    "status": ("eq",),
    "id": ("eq",),
    "lastUpdated": ("eq", "gt", "ge", "lt", "le"),
    **{f"profile.{name}": ("eq",) for name in ("login", "email", "firstName", "lastName")},
}
USER_SEARCH = dict.fromkeys((*USER_FILTER, "statusChanged"), ("eq", "sw", "gt", "ge", "lt", "le"))
LOG_FILTER = dict.fromkeys(("target.id", "eventType", "outcome.result", "severity"), ("eq", "sw", "co"))

_TERM = re.compile(r'\s*([A-Za-z.]+)\s+([a-z]{2})\s+("(?:[^"\\]|\\.)*")\s*')
_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "eq": lambda value, asked: value == asked,
    "sw": lambda value, asked: value.startswith(asked),
    "co": lambda value, asked: asked in value,
    "gt": lambda value, asked: value > asked,
    "ge": lambda value, asked: value >= asked,
    "lt": lambda value, asked: value < asked,
    "le": lambda value, asked: value <= asked,
}


def expression(
    text: str, allowed: Mapping[str, Sequence[str]], fold: Callable[[str], str] = str
) -> Callable[[Document], bool]:
    """What `name op "value"` means, joined by `and` or `or`. Raises ValueError for what Okta refuses.

    `fold` takes the letter case from values, as `search` does and `filter` does not.
    """
    alternatives, place, terms = [], 0, list[tuple[str, str, str]]()
    while True:
        found = _TERM.match(text, place)
        if found is None or found[2] not in allowed.get(found[1], ()):
            raise ValueError(text[place : place + 40])
        terms.append((found[1], found[2], json.loads(found[3])))
        place = found.end()
        if text.startswith("and ", place):
            place += 4
            continue
        alternatives.append(terms)
        if place == len(text):
            return lambda document: any(
                all(_holds(document, fold, *term) for term in one) for one in alternatives
            )
        if not text.startswith("or ", place):
            raise ValueError(text[place : place + 40])
        place, terms = place + 3, []


def _holds(document: Document, fold: Callable[[str], str], name: str, op: str, asked: str) -> bool:
    values = [document]
    for step in name.split("."):
        values = [value.get(step) for one in values for value in (one if isinstance(one, list) else [one])]
    return any(_TESTS[op](fold(str(value)), fold(asked)) for value in values)


# -- faults --------------------------------------------------------------------------------------


def status(number: int, code: str = "E0000009", path: str = "", after: int = 0) -> Fault:
    """Another status, with an error in Okta's shape."""
    return Fault(lambda _: refused(number, code, "because of the test"), path, after)


def limited(seconds: int, path: str = "", skew: int = 0) -> Fault:
    """Too many requests; the window ends in so many seconds by the server's clock, which is off by `skew`."""

    def spoils(_: httpx.Response) -> httpx.Response:
        spoilt = refused(429, "E0000047", "API call exceeded rate limit due to too many requests.")
        date = NOW + timedelta(seconds=skew)
        spoilt.headers["Date"] = date.strftime("%a, %d %b %Y %H:%M:%S GMT")
        spoilt.headers["X-Rate-Limit-Limit"] = "600"
        spoilt.headers["X-Rate-Limit-Remaining"] = "0"
        spoilt.headers["X-Rate-Limit-Reset"] = str(int(date.timestamp()) + seconds)
        return spoilt

    return Fault(spoils, path)


def concurrent(path: str = "") -> Fault:
    """Too many at once: limit and remaining are 0, and the reset says nothing."""

    def spoils(response: httpx.Response) -> httpx.Response:
        spoilt = refused(429, "E0000047", "API call exceeded rate limit due to too many requests.")
        spoilt.headers["Date"] = response.headers["Date"]
        spoilt.headers["X-Rate-Limit-Limit"] = spoilt.headers["X-Rate-Limit-Remaining"] = "0"
        spoilt.headers["X-Rate-Limit-Reset"] = response.headers["X-Rate-Limit-Reset"]
        return spoilt

    return Fault(spoils, path)


def body(content: bytes, kind: str = "application/json", path: str = "") -> Fault:
    """Something else under the same status and headers."""

    def spoils(response: httpx.Response) -> httpx.Response:
        headers = [(n, v) for n, v in response.headers.multi_items() if n != "content-length"]
        spoilt = httpx.Response(response.status_code, headers=headers, content=content)
        spoilt.headers["content-type"] = kind
        return spoilt

    return Fault(spoils, path)


def html(path: str = "") -> Fault:
    return body(b"<!DOCTYPE html><title>Sign in</title>", "text/html; charset=utf-8", path)


def nothing(path: str = "") -> Fault:
    return body(b"", path=path)


def called(number: int, path: str = "") -> Fault:
    """The honest answer under another status."""

    def spoils(response: httpx.Response) -> httpx.Response:
        response.status_code = number
        return response

    return Fault(spoils, path)


def halved(path: str = "") -> Fault:
    """The first half of the JSON."""
    return Fault(lambda response: _with(response, response.content[: len(response.content) // 2]), path)


def cut(path: str = "") -> Fault:
    """The connection ends amid the body that was announced."""

    def spoils(response: httpx.Response) -> httpx.Response:
        response.extensions["cut"] = True
        return response

    return Fault(spoils, path)


def broken(path: str = "") -> Fault:
    """The connection ends before an answer."""

    def spoils(response: httpx.Response) -> httpx.Response:
        raise httpx.ReadError("connection reset by peer", request=response.request)

    return Fault(spoils, path)


def changed(change: Callable[[Document], Document], path: str = "", after: int = 0) -> Fault:
    """The same answer with other JSON in it."""
    return Fault(lambda response: _with(response, json.dumps(change(response.json())).encode()), path, after)


def without(*steps: str, path: str = "", null: bool = True) -> Fault:
    """The first entry of a page lacks what these steps lead to, or has null there."""

    def change(document: Document) -> Document:
        entry = document[0] if isinstance(document, list) else document
        *before, last = steps
        for step in before:
            entry = entry[step]
        if null:
            entry[last] = None
        else:
            del entry[last]
        return document

    return changed(change, path)


def short(path: str = "") -> Fault:
    """A page whose last entry is missing."""
    return changed(lambda document: document[:-1], path)


def repeated(path: str = "") -> Fault:
    """A page that leads to itself."""

    def spoils(response: httpx.Response) -> httpx.Response:
        linked(response, str(response.url), str(response.url))
        return response

    return Fault(spoils, path)


def elsewhere(path: str = "", to: str = "https://okta.evil.example/api/v1/users?after=1") -> Fault:
    """A page that leads to another host."""

    def spoils(response: httpx.Response) -> httpx.Response:
        linked(response, str(response.url), to)
        return response

    return Fault(spoils, path)


def miscounted(by: int = 1, path: str = "expand=stats") -> Fault:
    """A group's number of people that is not how many there are."""

    def change(document: Document) -> Document:
        for group in document:
            group["_embedded"]["stats"]["usersCount"] += by
        return document

    return changed(change, path)


def _with(response: httpx.Response, content: bytes) -> httpx.Response:
    headers = [(n, v) for n, v in response.headers.multi_items() if n != "content-length"]
    return httpx.Response(response.status_code, headers=headers, content=content)
