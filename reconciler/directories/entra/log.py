"""What Entra ID's provisioning log says could not be carried over to the server, and has not been since."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconciler.directories.entra.client import GraphClient, Query
from reconciler.directories.entra.wire import JsonObject
from reconciler.errors import ReadError
from reconciler.http.shapes import moment
from reconciler.http.words import printable
from reconciler.model import Member, fold
from reconciler.ports import ProvisioningFailure

LOG = "/auditLogs/provisioning"
RIGHT = "AuditLog.Read.All"
LOOKS_BACK = timedelta(days=30)
"""How far the log is read: as long as Entra keeps it."""
MOST_PAGES = 200
USUAL = "circleci"
"""What the name of the application holds where the policy does not name it."""


@dataclass(frozen=True, slots=True)
class Event:
    """What is used of an item: when, about whom or which group, by which application, and why."""

    at: datetime
    succeeded: bool
    application: tuple[str, str]
    """The object id of the enterprise application, and its name."""
    kind: str
    """`user`, `group` or another kind of what was to be provisioned."""
    id: str
    """The object id of that."""
    name: str
    user_name: str
    words: str

    @property
    def subject(self) -> tuple[str, str]:
        """What a later success must be about to make a failure good."""
        return (self.application[0], self.id)


def failures(
    client: GraphClient, application: str, known: Mapping[str, Member]
) -> tuple[ProvisioningFailure, ...]:
    """Failures of one application, named by id or name, after its last success with the same person or group.

    The failures are read first: few tenants have many, and successes are what a log is full of. `known` are
    people by object id. Raises ReadError.
    """
    since = client.patience.now() - LOOKS_BACK
    failed = [one for one in _events(client, "failure", since) if _is_of(one, application)]
    if not failed:
        return ()
    begun = min(event.at for event in failed)
    return outstanding([*failed, *_events(client, "success", begun)], known)


def outstanding(events: Iterable[Event], known: Mapping[str, Member]) -> tuple[ProvisioningFailure, ...]:
    """The first failure after the last success of each subject, in order of time, with the last reason."""
    standing: dict[object, ProvisioningFailure] = {}
    for event in sorted(events, key=lambda event: (event.at, event.succeeded)):
        if event.succeeded:
            standing.pop(event.subject, None)
        elif event.kind in ("user", "group") and event.id:
            first = standing.get(event.subject)
            since = first.since if first else event.at
            standing[event.subject] = _failure(event, since, known)
    return tuple(sorted(standing.values(), key=lambda one: (one.since, str(one.person), one.group or "")))


def event(document: JsonObject) -> Event:
    """An item, which Graph calls a provisioningObjectSummary. Raises ReadError where it makes no sense."""
    at, info = moment(document.get("activityDateTime")), document.get("provisioningStatusInfo")
    status = info.get("status") if isinstance(info, dict) else None
    source = document.get("sourceIdentity")
    if at is None or not isinstance(status, str) or not isinstance(source, dict):
        raise ReadError("the server answered an item of its provisioning log without time, status or source")
    principal = _object(document, "servicePrincipal")
    error = _object(_object(document, "provisioningStatusInfo"), "errorInformation")
    return Event(
        at,
        status.casefold() == "success",
        (_text(principal, "id"), _text(principal, "displayName")),
        _text(source, "identityType").casefold(),
        _text(source, "id"),
        _text(source, "displayName"),
        _text(_object(source, "details"), "UserPrincipalName"),
        printable(_text(error, "reason") or _text(error, "errorCode") or "no reason given"),
    )


def _events(client: GraphClient, status: str, since: datetime) -> list[Event]:
    """Items from a moment on. The log is no listing of the directory: nothing counts it."""
    begin = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = f"provisioningStatusInfo/status eq '{status}' and activityDateTime ge {begin}"
    query = Query(
        "the provisioning log", LOG, RIGHT, [("$filter", condition)], counted=False, most_pages=MOST_PAGES
    )
    return [event(document) for document in client.everything(query)]


def _is_of(event: Event, application: str) -> bool:
    id_, name = event.application
    if application:
        return fold(application) in (fold(id_), fold(name))
    return USUAL in fold(name)


def _failure(event: Event, since: datetime, known: Mapping[str, Member]) -> ProvisioningFailure:
    if event.kind == "group":
        return ProvisioningFailure(None, since, event.words, event.name or event.id)
    person = known.get(event.id) or Member(
        external_id=event.id, user_name=event.user_name or None, display_name=event.name or None
    )
    return ProvisioningFailure(person, since, event.words)


def _object(document: JsonObject, name: str) -> JsonObject:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _text(document: JsonObject, name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""
