"""What Okta's System Log says could not be carried over to the server, and has not been since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.directories.okta.client import OktaClient
from reconciler.directories.okta.wire import JsonObject
from reconciler.directories.provisioning_log import LOOKS_BACK, USUAL, outstanding
from reconciler.errors import ReadError
from reconciler.http import filters
from reconciler.http.shapes import is_text, moment
from reconciler.http.words import printable
from reconciler.model import Member, fold
from reconciler.ports import ProvisioningFailure

LOGS = "/api/v1/logs"
LIMIT = ("limit", "1000")
FAMILIES = ("application.provision.", "application.user_membership.")
"""How the event types begin that tell of provisioning; success in one family says nothing of the other."""


@dataclass(frozen=True, slots=True)
class Event:
    """A `provisioning_log.Event`: of which family, when, about whom, in which group and application, why."""

    family: str
    at: datetime
    succeeded: bool
    applications: tuple[tuple[str, str], ...]
    """Ids and names."""
    person_id: str
    """Okta's id of the person; empty where it is about none."""
    login: str
    group: str | None
    words: str

    @property
    def subject(self) -> tuple[object, ...]:
        return (self.family, self.applications, self.person_id, self.group)

    def failure(self, since: datetime, known: Mapping[str, Member]) -> ProvisioningFailure | None:
        if not self.person_id and self.group is None:
            return None
        return ProvisioningFailure(self._person(known), since, self.words, self.group)

    def _person(self, known: Mapping[str, Member]) -> Member | None:
        if not self.person_id:
            return None
        return known.get(self.person_id) or Member(external_id=self.person_id, user_name=self.login or None)


def failures(
    client: OktaClient, application: str, known: Mapping[str, Member]
) -> tuple[ProvisioningFailure, ...]:
    """Failures of one application, named by id or name, after its last success with the same person or group.

    The failures are read first: few organizations have many, and successes are what a log is full of. `known`
    are people by Okta's id. Raises ReadError.
    """
    now = client.patience.now()
    failed = [one for one in _events(client, "FAILURE", now - LOOKS_BACK, now) if _is_of(one, application)]
    if not failed:
        return ()
    ids = sorted({id_ for event in failed for id_, _ in event.applications})
    begun = min(event.at for event in failed)
    succeeded = [event for id_ in ids for event in _events(client, "SUCCESS", begun, now, id_)]
    return outstanding([*failed, *succeeded], known)


def event(document: JsonObject) -> Event:
    """An event of the log (schema LogEvent). Raises ReadError where it makes no sense."""
    kind, at = document.get("eventType"), moment(document.get("published"))
    outcome = document.get("outcome")
    family = next((one for one in FAMILIES if isinstance(kind, str) and kind.startswith(one)), None)
    if family is None or at is None or not isinstance(outcome, dict):
        raise ReadError("Okta answered an event of its log without its type, time or outcome")
    targets = _targets(document)
    groups = [_name(target) for target in targets if target.get("type") in ("UserGroup", "AppGroup")]
    people = [target for target in targets if target.get("type") == "User"]
    return Event(
        family,
        at,
        outcome.get("result") == "SUCCESS",
        tuple((_text(one, "id"), _name(one)) for one in targets if one.get("type") == "AppInstance"),
        _text(people[0], "id") if people else "",
        _text(people[0], "alternateId") if people else "",
        groups[0] if groups else None,
        printable(_text(outcome, "reason") or _text(document, "displayMessage") or "no reason given"),
    )


def _events(
    client: OktaClient, result: str, since: datetime, until: datetime, application: str = ""
) -> list[Event]:
    """Events of a bounded time in order, whose query ends, as a query for what is to come does not."""
    about = f" and target.id eq {filters.scim(application)}" if application else ""
    terms = [
        f"eventType sw {filters.scim(family)} and outcome.result eq {filters.scim(result)}{about}"
        for family in FAMILIES
    ]
    params = [
        ("since", since.isoformat(timespec="milliseconds").replace("+00:00", "Z")),
        ("until", until.isoformat(timespec="milliseconds").replace("+00:00", "Z")),
        ("filter", " or ".join(terms)),
        ("sortOrder", "ASCENDING"),
        LIMIT,
    ]
    return [event(document) for document in client.everything(LOGS, params, "event")]


def _is_of(event: Event, application: str) -> bool:
    if application:
        return any(id_ == application or fold(name) == fold(application) for id_, name in event.applications)
    return any(USUAL in fold(name) for _, name in event.applications)


def _targets(document: JsonObject) -> Sequence[Mapping[str, object]]:
    targets = document.get("target")
    return [target for target in targets if isinstance(target, dict)] if isinstance(targets, list) else []


def _name(target: Mapping[str, object]) -> str:
    return _text(target, "displayName") or _text(target, "alternateId") or _text(target, "id")


def _text(resource: Mapping[str, object], name: str) -> str:
    value = resource.get(name)
    return value if isinstance(value, str) and is_text(value) else ""
