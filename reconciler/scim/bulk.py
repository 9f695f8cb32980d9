"""Roles of several people in one request (RFC 7644 section 3.7), where roles are stored on the user.

Nothing depends on it: whoever is not certain to have been written this way is left to be written alone,
which looks before anything is sent once more. Each person's change stands for itself: if one fails, that
stops no other.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from urllib.parse import unquote

from reconciler.change import Change, SetRoles
from reconciler.model import fold
from reconciler.ports import Portion
from reconciler.scim import users
from reconciler.scim.client import RefusedError, UncertainError, WritingClient, is_error
from reconciler.scim.discovery import BulkLimits
from reconciler.scim.reading import Readings
from reconciler.scim.user_roles import UserRolesWriter
from reconciler.scim.wire import JsonObject, attribute

PATH = "/Bulk"
REQUEST_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
RESPONSE_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"

TOGETHER = 100
"""How many people at most are written in one request: the more, the longer a lost answer leaves in doubt."""

UNABLE = frozenset({400, 403, 404, 405, 501})
"""What a server answers that takes no bulk at all, or not with this token."""


class BulkWriter:
    """Puts the changes of several people into one request, and tells from its answer whose was written."""

    def __init__(self, client: WritingClient, user_roles: UserRolesWriter, readings: Readings) -> None:
        self._client = client
        self._user_roles = user_roles
        self._readings = readings
        self._is_wanted = client.bulk

    def portions(self, changes: Iterable[Change]) -> Iterator[Portion]:
        """Changes in portions that the server takes in one request; alone what is not to be sent so."""
        limits = self._limits
        portion: list[Change] = []
        people: set[str] = set()
        size = _EMPTY
        for change in changes:
            operation = self._operation(change) if limits else None
            weight = 0 if operation is None else _size(operation)
            if limits is None or operation is None or _EMPTY + weight > limits.size:
                yield (change,)
                continue
            id_ = str(operation["bulkId"])
            if (
                len(portion) == min(limits.operations, TOGETHER)
                or size + weight > limits.size
                or id_ in people
            ):
                yield portion
                portion, people, size = [], set(), _EMPTY
            portion.append(change)
            people.add(id_)
            size += weight
        if portion:
            yield portion

    def set_together(self, changes: Iterable[SetRoles]) -> Collection[str]:
        """Carry out changes of different people in one request; the ids of those who were written."""
        if self._limits is None:
            return ()
        sent = [(change, operation) for change in changes if (operation := self._operation(change))]
        if not sent:
            return ()
        for change, _ in sent:
            self._user_roles.begun(change)
        try:
            answer = self._client.post(
                PATH, _request([operation for _, operation in sent]), again=lambda: True
            )
        except RefusedError as error:
            self._is_wanted = error.status not in UNABLE and self._is_wanted
            return ()
        except UncertainError:
            return ()
        done = written(answer.document, {change.principal.id for change, _ in sent})
        # Where nobody was written, such as by a server that answers what can't be told apart, each person
        # would be asked for twice.
        self._is_wanted = bool(done) and self._is_wanted
        return done

    @property
    def _limits(self) -> BulkLimits | None:
        """What the server takes in one request; None where there is to be no such request."""
        return self._readings.abilities.bulk if self._is_wanted else None

    def _operation(self, change: Change) -> JsonObject | None:
        """A change as a part of a request; None where it takes a look before, or is none of roles.

        `bulkId` is needed for POST alone; here it tells whose result is whose, beside the location.
        """
        if not isinstance(change, SetRoles) or (draft := self._user_roles.draft(change)) is None:
            return None
        id_ = change.principal.id
        version = {"version": draft.version} if draft.version else {}
        return {"method": "PATCH", "path": users.path(id_), "bulkId": id_, **version, "data": draft.body}


def written(answer: JsonObject, asked: Collection[str]) -> Collection[str]:
    """Whose change an answer says was written, of those asked for by id; nobody of whom it tells twice."""
    times: Counter[str] = Counter()
    done: set[str] = set()
    for result in _results(answer):
        names = _names(result)
        times.update(names)
        if len(names) > 1:
            times.update(names)  # it is of one of them, and nobody knows of whom
        elif _is_done(result):
            done |= names
    return {id_ for id_ in asked if id_ in done and times[id_] == 1}


def _results(answer: JsonObject) -> Iterable[JsonObject]:
    """What is in a BulkResponse; nothing where an answer is none."""
    schemas, results = attribute(answer, "schemas"), attribute(answer, "Operations")
    if not isinstance(results, list) or not isinstance(schemas, list):
        return ()
    is_response = any(fold(str(schema)) == fold(RESPONSE_SCHEMA) for schema in schemas)
    return [result for result in results if isinstance(result, dict)] if is_response else ()


def _names(result: JsonObject) -> set[str]:
    """Whom a result is of, by `bulkId` and by `location`: one id, unless it contradicts itself."""
    bulk_id, location = attribute(result, "bulkId"), attribute(result, "location")
    names = {bulk_id} if isinstance(bulk_id, str) else set()
    return names | {_located(location)} if isinstance(location, str) else names


def _located(location: str) -> str:
    """The id of the user at a location, whatever host it names; of anything else the location itself."""
    endpoint, _, id_ = location.rstrip("/").rpartition("/")
    return unquote(id_) if endpoint.rpartition("/")[2].casefold() == "users" else location


def _is_done(result: JsonObject) -> bool:
    """Whether a PATCH succeeded by its result, whose status is a text, a number, or such as `code` in it."""
    method, status = attribute(result, "method") or "PATCH", attribute(result, "status")
    code = attribute(status, "code") if isinstance(status, dict) else status
    response = attribute(result, "response")
    fails = isinstance(response, dict) and is_error(response)
    return str(method).casefold() == "patch" and _SUCCESS.fullmatch(str(code)) is not None and not fails


def _request(operations: Sequence[JsonObject]) -> JsonObject:
    return {"schemas": [REQUEST_SCHEMA], "Operations": operations}


def _size(document: JsonObject) -> int:
    """How many bytes it takes in a request, with what stands between it and the one before."""
    return len(json.dumps(document)) + len(_BETWEEN)


_SUCCESS = re.compile("2[0-9][0-9]")
_BETWEEN = ", "
_EMPTY = len(json.dumps(_request([]))) - len(_BETWEEN)
"""How many bytes a request takes beside its operations."""
