"""What logs of provisioning have in common: a failure stands until a later success makes it good. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from reconciler.model import Member
from reconciler.ports import ProvisioningFailure

LOOKS_BACK = timedelta(days=30)
"""How far a log is read: as long as Entra ID keeps it; Okta keeps 90 days."""
USUAL = "circleci"
"""What the name of the application holds where the policy does not name it."""


class Event(Protocol):
    """Something that was to be carried over to the server, at the moment `at` (aware)."""

    @property
    def at(self) -> datetime: ...

    @property
    def succeeded(self) -> bool: ...

    @property
    def subject(self) -> object:
        """What a later success must be about to make a failure good."""
        ...

    def failure(self, since: datetime, known: Mapping[str, Member]) -> ProvisioningFailure | None:
        """What failed, since the moment `since`; None where it is about no person or group.

        `known` are people by the provider's id: as the directory read them, else as the log names them.
        """
        ...


def outstanding(events: Iterable[Event], known: Mapping[str, Member]) -> tuple[ProvisioningFailure, ...]:
    """The first failure of each subject after its last success, in order of time, with the last reason."""
    standing: dict[object, ProvisioningFailure] = {}
    for event in sorted(events, key=lambda event: (event.at, event.succeeded)):
        if event.succeeded:
            standing.pop(event.subject, None)
            continue
        first = standing.get(event.subject)
        failure = event.failure(first.since if first else event.at, known)
        if failure is not None:
            standing[event.subject] = failure
    return tuple(sorted(standing.values(), key=lambda one: (one.since, str(one.person), one.group or "")))
