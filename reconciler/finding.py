"""Something about access that a person should look at, and that no change of a plan mends. Data only."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.problem import Location


class Kind(StrEnum):
    """What a finding is about. A closed set: whoever mends one kind does not mend the others."""

    UNPROVISIONED = "unprovisioned"
    """The directory has a person or a membership that the server lacks."""
    UNKNOWN = "unknown to the directory"
    """The server has a person or a membership that the directory lacks."""
    LEAVER = "leaver"
    RETURNER = "returner"
    ATTRIBUTE = "attribute"
    """A name or an e-mail differs between the directory and the server."""
    GRANT = "temporary grant"
    """It ends soon, or ended long ago."""
    CLASS = "class"
    SERVICE_ACCOUNT = "service account"
    REVIEW = "review"
    """Nobody looked at an entry of the policy for too long, or ever."""
    ASSERTION = "assertion"
    """What the policy asserts does not hold, and no change of the plan made it so."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One such thing. Findings change no exit code: what stops a run is a problem or a guardrail."""

    kind: Kind
    subject: str
    """The userName or the name of a group that it is about; the organization's where so many people are."""
    message: str
    """What is so, without the subject in front: `is active here, and DEPROVISIONED in the directory`."""
    remedy: str = ""
    at: Location | None = None
    """The line of policy that it is about, where there is one."""
    since: datetime | None = field(default=None)
    """Since when, aware; None where nothing tells."""

    @property
    def rank(self) -> tuple[str, str, str]:
        """Sort key: what mends it together, then by subject."""
        return (self.kind, self.subject.casefold(), self.message)
