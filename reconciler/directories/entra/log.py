"""What Entra ID's provisioning log says could not be carried over to the server, and has not been since."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.directories.entra.client import GraphClient, Query
from reconciler.directories.entra.wire import JsonObject
from reconciler.directories.provisioning_log import LOOKS_BACK, USUAL, outstanding
from reconciler.errors import ReadError
from reconciler.http.shapes import moment
from reconciler.http.words import printable
from reconciler.model import Member, fold
from reconciler.ports import ProvisioningFailure

LOG = "/auditLogs/provisioning"
RIGHT = "AuditLog.Read.All"
MOST_PAGES = 200


@dataclass(frozen=True, slots=True)
class Event:
    """A `provisioning_log.Event`: when, about whom or which group, by which application, and why."""

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
        return (self.application[0], self.id)

    def failure(self, since: datetime, known: Mapping[str, Member]) -> ProvisioningFailure | None:
        if self.kind not in ("user", "group") or not self.id:
            return None
        if self.kind == "group":
            return ProvisioningFailure(None, since, self.words, self.name or self.id)
        person = known.get(self.id) or Member(
            external_id=self.id, user_name=self.user_name or None, display_name=self.name or None
        )
        return ProvisioningFailure(person, since, self.words)


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


def _object(document: JsonObject, name: str) -> JsonObject:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _text(document: JsonObject, name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""
