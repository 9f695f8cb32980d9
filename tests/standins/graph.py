"""A stand-in for Microsoft Graph and for what signs apps in: state, rights, and faults as its knobs say.

It answers as Microsoft documents it, and as Microsoft's own SDK takes it (`e2e/test_graph_standin.py`).
`answer` serves `httpx.MockTransport` and, through `e2e.loopback`, a real socket.
"""

import base64
import hashlib
import json
import re
import ssl
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import httpx
import jwt
from cryptography import x509

TENANT = "7b0c1c5e-2a3f-4d5b-9c1d-000000000001"
CLIENT = "7b0c1c5e-2a3f-4d5b-9c1d-000000000002"
PROVISIONER = "7b0c1c5e-2a3f-4d5b-9c1d-000000000003"
"""The object id of the enterprise application that provisions the SCIM server."""
CLIENT_SECRET = "aBc8Q~s3cret-of-the-registered-app"
LOGIN = "https://login.microsoftonline.com"
GRAPH = "https://graph.microsoft.com"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LIFETIME = 3599
"""Seconds that an access token lasts."""

GROUPS, USERS, LOG = "GroupMember.Read.All", "User.Read.All", "AuditLog.Read.All"
LEAVES = "User-LifeCycleInfo.Read.All"
HIDDEN = "Member.Read.Hidden"
RIGHTS = frozenset({GROUPS, USERS, LOG, LEAVES})

JSON = {"content-type": "application/json;odata.metadata=minimal;odata.streaming=true;charset=utf-8"}
MOST = 999
USUAL = 100
MOST_VALUES = 15
"""So many values `in` takes (https://learn.microsoft.com/graph/filter-query-parameter)."""
REQUEST_ID = "0f1e2d3c-0000-4000-8000-{:012d}"
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

Record = dict[str, Any]
Change = Callable[[Record], None]

_SHOWN_OF_USERS = {
    "businessPhones",
    "displayName",
    "givenName",
    "id",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
}
"""What a user is shown with where nothing is selected; all else must be asked for."""

_OF_USERS = _SHOWN_OF_USERS | {
    "accountEnabled",
    "department",
    "employeeId",
    "employeeLeaveDateTime",
    "employeeType",
    "mailNickname",
    "onPremisesExtensionAttributes",
    "onPremisesSamAccountName",
    "onPremisesSyncEnabled",
    "otherMails",
    "userType",
}
_OF_GROUPS = {
    "description",
    "displayName",
    "groupTypes",
    "id",
    "mail",
    "mailEnabled",
    "mailNickname",
    "membershipRule",
    "onPremisesSyncEnabled",
    "securityEnabled",
    "visibility",
}


def id_of(name: str) -> str:
    """The object id of somebody or something by this name, the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def person(name: str, **attributes: Any) -> Record:
    """A user as Graph has it: every attribute that there is, null where nothing is known."""
    return {
        **dict.fromkeys(sorted(_OF_USERS)),
        "businessPhones": [],
        "otherMails": [],
        "id": id_of(name),
        "userPrincipalName": f"{name}@acme.example",
        "displayName": name.capitalize(),
        "mail": f"{name}@acme.example",
        "mailNickname": name,
        "accountEnabled": True,
        "userType": "Member",
        **attributes,
    }


def guest(name: str, **attributes: Any) -> Record:
    """A guest of another organization, whose userPrincipalName is none that anybody would type."""
    upn = f"{name}_other.example#EXT#@acme.onmicrosoft.com"
    return (
        person(name, userPrincipalName=upn, mail=f"{name}@other.example", userType="Guest", id=id_of(name))
        | attributes
    )


def group(name: str, *members: str, id: str = "", **attributes: Any) -> Record:
    """A group; members are names of people and of other groups, the latter with `group:` in front."""
    return {
        **dict.fromkeys(sorted(_OF_GROUPS)),
        "id": id or id_of(f"group:{name}"),
        "displayName": name,
        "securityEnabled": True,
        "groupTypes": [],
        "members": [id_of(member) for member in members],
        **attributes,
    }


def event(name: str, status: str, at: str, reason: str = "", **others: Any) -> Record:
    """An item of the provisioning log: what became of carrying somebody over, and when."""
    error = {"errorCode": "Failed", "errorCategory": "failure", "reason": reason} if reason else None
    number = hashlib.sha256(f"{name}{status}{at}".encode()).hexdigest()[:12]
    return {
        "id": f"00000000-0000-4000-8000-{number}",
        "activityDateTime": at,
        "provisioningAction": "create",
        "provisioningStatusInfo": {"status": status, "errorInformation": error},
        "sourceIdentity": {
            "id": id_of(name),
            "displayName": name.capitalize(),
            "identityType": "User",
            "details": {"odatatype": "User", "UserPrincipalName": f"{name}@acme.example"},
        },
        "targetIdentity": {"id": "", "displayName": "", "identityType": "User"},
        "servicePrincipal": {"id": PROVISIONER, "displayName": "CircleCI"},
        **others,
    }


@dataclass(frozen=True)
class Fault:
    """What becomes of the requests that it fits: another answer, another body, or none at all.

    `path` is a part of a path, whose end is a `$`; `at` the only request that is meant, from 0 and counted
    among those of that path; `times` how many are spoilt in all, None: every one.
    """

    path: str = ""
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | bytes | None = None
    change: Change | None = None
    """Of a good answer's JSON, in place."""
    spoil: Callable[[bytes], bytes] | None = None
    """Of its bytes."""
    instead: int = 0
    """Another status over a good answer."""
    cut: bool = False
    """Whether the connection ends in the middle of the body; over sockets only."""
    breaks: bool = False
    at: int | None = None
    times: int | None = None


def refusal(path: str, status: int, code: str, message: str, **others: Any) -> Fault:
    """An error in Graph's own words."""
    return Fault(path, status, JSON, error_body(code, message), **others)


def error_body(code: str, message: str, request_id: str = REQUEST_ID.format(0)) -> str:
    """Graph's error object."""
    inner = {"date": "2026-11-20T12:00:00", "request-id": request_id, "client-request-id": request_id}
    return json.dumps({"error": {"code": code, "message": message, "innerError": inner}})


class RefusedError(Exception):
    """An answer that is none; `answer` turns it into Graph's words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Graph:
    """State, rights, knobs, faults, and what it was asked. Without knobs it is honest.

    `page` caps a page below what `$top` asks for. `empty_pages` so many empty pages stand before each but
    the first. `lag` is added to `@odata.count`, as where an index is behind, in the first `lags` answers.
    """

    people: list[Record] = field(default_factory=list)
    groups: list[Record] = field(default_factory=list)
    log: list[Record] = field(default_factory=list)
    rights: frozenset[str] = RIGHTS
    secret: str = CLIENT_SECRET
    certificates: Sequence[str] = ()
    """Those of the registered app, in PEM."""
    page: int = MOST
    empty_pages: int = 0
    lag: int = 0
    lags: int | None = None
    indexed: dict[str, str] = field(default_factory=dict)
    """The names under which the index still has groups, by those that they have; empty: not at all yet."""
    filters: bool = True
    """Whether `$filter` is heeded."""
    faults: list[Fault] = field(default_factory=list)
    origin: str = ""
    """What links begin with; empty: what was asked."""
    login: str = LOGIN
    """What assertions must be made for, beside where the request went."""
    now: Callable[[], datetime] = lambda: NOW
    requests: list[httpx.Request] = field(default_factory=list)
    tokens: dict[str, float] = field(default_factory=dict)
    """Every access token that was given, and the moment when it ends."""
    _met: dict[int, int] = field(default_factory=dict)
    _jtis: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def someone(self, name: str) -> Record:
        """The user by this name, to change."""
        return next(one for one in self.people if one["id"] == id_of(name))

    def some_group(self, name: str) -> Record:
        """The group by this name, to change."""
        return next(one for one in self.groups if one["displayName"] == name)

    def leave(self, name: str) -> None:
        """Delete a user: Graph lists them nowhere any more."""
        self.people = [one for one in self.people if one["id"] != id_of(name)]

    @property
    def asked(self) -> list[str]:
        """Method and path of every request, ids replaced by the names of what has them."""
        names = {one["id"]: one["displayName"] for one in self.groups}
        paths = [f"{one.method} {one.url.path}" for one in self.requests]
        return [GUID.sub(lambda found: names.get(found[0], found[0]), path) for path in paths]

    def answer(self, request: httpx.Request) -> httpx.Response:
        """One request at a time, as their state is one."""
        with self._lock:
            return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        faults = [fault for index, fault in enumerate(self.faults) if self._fits(index, fault, request)]
        for fault in faults:
            if fault.breaks:
                raise httpx.ReadError("connection reset by peer", request=request)
            if fault.status:
                return httpx.Response(fault.status, headers=fault.headers, content=fault.body or b"")
        response = self._honest(request)
        for fault in faults:
            response = _spoilt(response, fault)
        return response

    def _fits(self, index: int, fault: Fault, request: httpx.Request) -> bool:
        if fault.path not in f"{request.url.path}$":
            return False
        met = self._met.get(index, 0)
        self._met[index] = met + 1
        if fault.at is not None and fault.at != met:
            return False
        return fault.times is None or met < fault.times + (fault.at or 0)

    def _honest(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/oauth2/v2.0/token"):
            return self._token(request)
        if path.endswith("/.well-known/openid-configuration"):
            return self._discovery(request)
        try:
            document = self._resource(request, path)
        except RefusedError as error:
            number = REQUEST_ID.format(len(self.requests))
            headers = {**JSON, "request-id": number}
            body = error_body(error.code, error.message, number)
            return httpx.Response(error.status, headers=headers, content=body)
        return httpx.Response(200, headers=JSON, content=json.dumps(document))

    # Graph

    def _resource(self, request: httpx.Request, path: str) -> Record:
        self._check_token(request)
        if request.method != "GET":
            raise RefusedError(405, "Request_BadRequest", "Specified HTTP method is not allowed.")
        match path.strip("/").split("/"):
            case ["v1.0", "groups"]:
                self._need(GROUPS)
                return self._listing(request, self.groups, _OF_GROUPS, _OF_GROUPS)
            case ["v1.0", "groups", id_]:
                self._need(GROUPS)
                return self._one(request, self._group(id_))
            case ["v1.0", "groups", id_, "members" | "transitiveMembers" as which, cast]:
                return self._members(request, self._group(id_), which == "transitiveMembers", cast)
            case ["v1.0", "users"]:
                self._need(USERS)
                return self._listing(request, self.people, _OF_USERS, _SHOWN_OF_USERS)
            case ["v1.0", "auditLogs", "provisioning"]:
                self._need(LOG)
                return self._events(request)
            case other:
                words = f"Resource not found for the segment '{other[-1]}'."
                raise RefusedError(400, "BadRequest", words)

    def _check_token(self, request: httpx.Request) -> None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if not token or kind != "Bearer":
            raise RefusedError(401, "InvalidAuthenticationToken", "Access token is empty.")
        if token not in self.tokens:
            raise RefusedError(
                401, "InvalidAuthenticationToken", "CompactToken parsing failed with error code"
            )
        if self.tokens[token] <= self.now().timestamp():
            raise RefusedError(
                401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."
            )

    def _need(self, right: str) -> None:
        if right not in self.rights:
            raise RefusedError(
                403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
            )

    def _group(self, id_: str) -> Record:
        if not GUID.fullmatch(id_):
            raise RefusedError(400, "Request_BadRequest", f"Invalid object identifier '{id_}'.")
        for found in self.groups:
            if found["id"] == id_.lower():
                return found
        words = "does not exist or one of its queried reference-property objects are not present."
        raise RefusedError(404, "Request_ResourceNotFound", f"Resource '{id_}' {words}")

    def _one(self, request: httpx.Request, record: Record) -> Record:
        context = f"{self._base(request)}/v1.0/$metadata#groups/$entity"
        return {"@odata.context": context, **_selected(record, _select(request), _OF_GROUPS, _OF_GROUPS)}

    def _members(self, request: httpx.Request, found: Record, transitive: bool, cast: str) -> Record:
        self._need(GROUPS)
        if cast not in ("microsoft.graph.user", "graph.user"):  # the SDK knows the namespace by its alias
            raise RefusedError(400, "BadRequest", f"Resource not found for the segment '{cast}'.")
        if not _eventual(request):
            raise RefusedError(
                400, "Request_UnsupportedQuery", "The specified cast needs ConsistencyLevel: eventual."
            )
        shown = found["visibility"] != "HiddenMembership" or HIDDEN in self.rights
        people = self._within(found, transitive) if shown else []
        listing = self._listing(request, people, _OF_USERS, _SHOWN_OF_USERS)
        if USERS not in self.rights:
            listing["value"] = [_limited(one) for one in listing["value"]]
        return listing

    def _within(self, found: Record, transitive: bool) -> list[Record]:
        """The people of a group, each once, whatever the ways to them and the circles on these ways."""
        ids, waiting, met = set(found["members"]), [found], {found["id"]}
        while transitive and waiting:
            outer = waiting.pop()
            inner = [one for one in self.groups if one["id"] in outer["members"] and one["id"] not in met]
            met |= {one["id"] for one in inner}
            ids |= {id_ for one in inner for id_ in one["members"]}
            waiting += inner
        return [one for one in self.people if one["id"] in ids]

    def _listing(
        self, request: httpx.Request, records: Iterable[Record], known: set[str], usual: set[str]
    ) -> Record:
        params = dict(parse_qsl(request.url.query.decode()))
        if condition := params.get("$filter"):
            records = self._as_indexed(records) if _eventual(request) else records
            records = [one for one in records if self._meets(one, condition)]
        if "employeeLeaveDateTime" in _select(request):
            self._need(LEAVES)
        counted = params.get("$count") == "true" and _eventual(request)
        chosen = _select(request)
        page = self._page(request, [_selected(one, chosen, known, usual) for one in records])
        if counted and "$skiptoken" not in params:
            page = {
                "@odata.context": page.pop("@odata.context"),
                "@odata.count": self._count(records),
                **page,
            }
        return page

    def _as_indexed(self, records: Iterable[Record]) -> list[Record]:
        names = {one["id"]: self.indexed.get(one["displayName"], one["displayName"]) for one in records}
        return [{**one, "displayName": names[one["id"]]} for one in records if names[one["id"]]]

    def _count(self, records: Iterable[Record]) -> int:
        number = len(list(records))
        if self.lags is not None:
            if not self.lags:
                return number
            self.lags -= 1
        return number + self.lag

    def _meets(self, record: Record, condition: str) -> bool:
        """Whether a name is `eq '…'`, `in ('…','…')` or `startswith(displayName,'…')`, in whatever case."""
        text = r"'(?:[^']|'')*'"
        ways = f"displayName eq ({text})", rf"displayName in \(({text}(?:,{text})*)\)"
        found = re.fullmatch(rf"{'|'.join(ways)}|startswith\(displayName,({text})\)", condition)
        if not found or not found.lastindex:
            raise RefusedError(400, "BadRequest", "Invalid filter clause")
        told = re.findall(text, found[found.lastindex])
        if len(told) > MOST_VALUES:
            raise RefusedError(400, "Request_UnsupportedQuery", "Too many child clauses specified.")
        name, values = (
            record["displayName"].casefold(),
            [one[1:-1].replace("''", "'").casefold() for one in told],
        )
        return not self.filters or (name.startswith(values[0]) if found[3] else name in values)

    def _events(self, request: httpx.Request) -> Record:
        params = dict(parse_qsl(request.url.query.decode()))
        conditions = params.get("$filter", "").split(" and ") if "$filter" in params else []
        events = [one for one in self.log if all(_happened(one, condition) for condition in conditions)]
        return self._page(request, sorted(events, key=lambda one: one["activityDateTime"], reverse=True))

    def _page(self, request: httpx.Request, records: Sequence[Record]) -> Record:
        """One page: `$skiptoken` tells how many came before, and how many empty pages since."""
        params = dict(parse_qsl(request.url.query.decode()))
        top = params.get("$top", str(USUAL))
        if not (top.isdigit() and 1 <= int(top) <= MOST):
            raise RefusedError(
                400, "Request_BadRequest", f"Invalid page size specified: '{top}'. Must be between 1 and 999."
            )
        start, empty = map(int, params.get("$skiptoken", "0.0").split("."))
        size = 0 if start and empty < self.empty_pages else min(int(top), self.page)
        end = start + size
        context = f"{self._base(request)}/v1.0/$metadata#{request.url.path.rsplit('/', 1)[-1]}"
        page: Record = {"@odata.context": context}
        if end < len(records):
            link = {**params, "$skiptoken": f"{end}.{0 if size else empty + 1}"}
            link.pop("$count", None)
            page["@odata.nextLink"] = (
                f"{self._base(request)}{request.url.path}?{urlencode(link, quote_via=quote)}"
            )
        return {**page, "value": list(records[start:end])}

    def _base(self, request: httpx.Request) -> str:
        return self.origin or f"{request.url.scheme}://{request.url.netloc.decode()}"

    # The authority

    def _discovery(self, request: httpx.Request) -> httpx.Response:
        base, tenant = self._base(request), request.url.path.split("/")[1]
        return httpx.Response(
            200,
            json={
                "issuer": f"{base}/{tenant}/v2.0",
                "authorization_endpoint": f"{base}/{tenant}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/{tenant}/oauth2/v2.0/token",
            },
        )

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = dict(parse_qsl(request.content.decode()))
        tenant = request.url.path.split("/")[1]
        fault = self._wrong_with(form, tenant, request)
        if fault:
            return _not_signed_in(*fault)
        token = f"eyJ0eXAi.{hashlib.sha256(str(len(self.tokens)).encode()).hexdigest()}.{len(self.tokens)}"
        self.tokens[token] = self.now().timestamp() + LIFETIME
        return httpx.Response(
            200,
            json={
                "token_type": "Bearer",
                "expires_in": LIFETIME,
                "ext_expires_in": LIFETIME,
                "access_token": token,
            },
        )

    def _wrong_with(
        self, form: Mapping[str, str], tenant: str, request: httpx.Request
    ) -> tuple[int, str, int, str] | None:
        """Status, error, number and words of what an app that signs in does wrong."""
        if tenant not in (TENANT, "acme.onmicrosoft.com"):
            return 400, "invalid_request", 90002, f"Tenant '{tenant}' not found."
        if form.get("grant_type") != "client_credentials":
            return 400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type."
        if form.get("client_id") != CLIENT:
            words = f"Application with identifier '{form.get('client_id')}' was not found in the directory."
            return 400, "unauthorized_client", 700016, words
        if not form.get("scope", "").endswith("/.default"):
            return 400, "invalid_scope", 1002012, "The provided value for scope is not valid."
        if "client_assertion" in form:
            return self._wrong_with_assertion(form, tenant, request)
        if form.get("client_secret") != self.secret:
            words = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client "
            )
            return (
                401,
                "invalid_client",
                7000215,
                words + f"secret value, for a secret added to app '{CLIENT}'.",
            )
        return None

    def _wrong_with_assertion(
        self, form: Mapping[str, str], tenant: str, request: httpx.Request
    ) -> tuple[int, str, int, str] | None:
        """RFC 7523, with the thumbprint of the certificate in the header, as Microsoft wants it."""
        if form.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            return 401, "invalid_client", 700021, "Client assertion application identifier doesn't match."
        assertion = form["client_assertion"]
        certificate = self._certificate(jwt.get_unverified_header(assertion))
        if certificate is None:
            return (
                401,
                "invalid_client",
                700027,
                "The certificate with identifier used to sign is not registered.",
            )
        try:
            claims = jwt.decode(
                assertion,
                certificate.public_key(),  # type: ignore[arg-type]
                algorithms=["RS256", "PS256"],
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
            )
        except jwt.InvalidTokenError:
            return 401, "invalid_client", 700027, "Client assertion failed signature validation."
        return self._wrong_with_claims(claims, tenant, request)

    def _wrong_with_claims(
        self, claims: Mapping[str, Any], tenant: str, request: httpx.Request
    ) -> tuple[int, str, int, str] | None:
        here = self.now().timestamp()
        asked = f"{self._base(request)}{request.url.path}"
        if claims.get("aud") not in (asked, f"{self.login}/{tenant}/oauth2/v2.0/token"):
            return 401, "invalid_client", 700023, "Client assertion audience claim does not match."
        if not claims.get("iss") == claims.get("sub") == CLIENT:
            return 401, "invalid_client", 700021, "Client assertion application identifier doesn't match."
        if not claims.get("nbf", here) <= here < claims.get("exp", 0):
            return 401, "invalid_client", 700024, "Client assertion is not within its valid time range."
        jti = claims.get("jti")
        if not jti or jti in self._jtis:
            return 401, "invalid_client", 5002723, "Client assertion has no jti, or one that was used before."
        self._jtis.add(jti)
        return None

    def _certificate(self, header: Mapping[str, Any]) -> x509.Certificate | None:
        """The registered certificate whose thumbprint a header names, by SHA-256 or by SHA-1."""
        for pem in self.certificates:
            der = ssl.PEM_cert_to_DER_cert(pem)
            for name, digest in ("x5t#S256", hashlib.sha256), ("x5t", hashlib.sha1):
                thumbprint = base64.urlsafe_b64encode(digest(der).digest()).decode().rstrip("=")
                if header.get(name) and header[name].rstrip("=") == thumbprint:
                    return x509.load_der_x509_certificate(der)
        return None


def _eventual(request: httpx.Request) -> bool:
    return bool(request.headers.get("consistencylevel", "").lower() == "eventual")


def _select(request: httpx.Request) -> list[str]:
    chosen = dict(parse_qsl(request.url.query.decode())).get("$select", "")
    return chosen.split(",") if chosen else []


def _selected(record: Record, chosen: Sequence[str], known: set[str], usual: set[str]) -> Record:
    for name in chosen:
        if name not in known:
            kind = "group" if known is _OF_GROUPS else "user"
            words = f"Could not find a property named '{name}' on type 'microsoft.graph.{kind}'."
            raise RefusedError(400, "BadRequest", f"Parsing OData Select and Expand failed: {words}")
    names = chosen or usual
    return {name: value for name, value in record.items() if name in names}


def _limited(record: Record) -> Record:
    """What is shown of somebody whom the app has no right to see."""
    return {"@odata.type": "#microsoft.graph.user", "id": record.get("id")}


def _happened(record: Record, condition: str) -> bool:
    found = re.fullmatch(r"([A-Za-z/]+) (eq|gt|lt|ge|le) '?([^']*)'?", condition)
    if not found:
        raise RefusedError(400, "BadRequest", "Invalid filter clause")
    value: Any = record
    for step in found[1].split("/"):
        value = value[step]
    tests: Mapping[str, bool] = {
        "eq": value == found[3],
        "gt": value > found[3],
        "lt": value < found[3],
        "ge": value >= found[3],
        "le": value <= found[3],
    }
    return tests[found[2]]


def _spoilt(response: httpx.Response, fault: Fault) -> httpx.Response:
    content = response.content
    if fault.change is not None:
        document = json.loads(content)
        fault.change(document)
        content = json.dumps(document).encode()
    if fault.spoil is not None:
        content = fault.spoil(content)
    status = fault.instead or response.status_code
    extensions = {"cut": fault.cut}
    return httpx.Response(status, headers={**JSON, **fault.headers}, content=content, extensions=extensions)


def _not_signed_in(status: int, error: str, number: int, words: str) -> httpx.Response:
    trace = "00000000-1111-4222-8333-444444444444"
    said = (
        f"AADSTS{number}: {words} Trace ID: {trace} Correlation ID: {trace} Timestamp: 2026-11-20 12:00:00Z"
    )
    body = {"error": error, "error_description": said, "error_codes": [number], "trace_id": trace}
    return httpx.Response(status, json=body)
