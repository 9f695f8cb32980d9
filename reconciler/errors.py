"""Every failure that the program expects, in one tree, each with its exit code.

    ReconcilerError          1  unexpected failure
    ├── SettingsError        2  the environment or the command line lacks or misstates something
    ├── LedgerError          1  the ledger can't be written, or was tampered with
    ├── HostError            1  a code host could not be asked, or did not do what it was asked
    ├── EvidenceError        1  evidence of a review is not as it was written
    ├── GuardrailError       4  a guardrail refused the plan
    ├── StaleError           5  the plan is not the one that was expected
    ├── PolicyError          6  the policy is invalid
    ├── ReadError            7  the provider or the directory could not be read whole
    ├── WriteError           8  one change could not be carried out
    │   └── ConflictError    8  ... because somebody else changed the same person meanwhile
    └── PartlyAppliedError   8  the plan was carried out in part

`scim.client` tells ReadError and WriteError further apart, `hosts.client` HostError. Anything else that
escapes is a bug and shows its traceback.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from reconciler.problem import Problem


class ExitCode(IntEnum):
    """What the program's exit status means. Never a count."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    DRIFT = 3
    REFUSED = 4
    STALE = 5
    INVALID = 6
    UNREADABLE = 7
    PARTLY_APPLIED = 8


SEVERITY = (
    ExitCode.UNEXPECTED,
    ExitCode.USAGE,
    ExitCode.UNREADABLE,
    ExitCode.STALE,
    ExitCode.REFUSED,
    ExitCode.INVALID,
    ExitCode.PARTLY_APPLIED,
    ExitCode.DRIFT,
    ExitCode.DONE,
)
"""Which exit code is told where several organizations ended differently: the first of these."""


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The gravest of several exit codes; DONE of none."""
    return min(codes, key=SEVERITY.index, default=ExitCode.DONE)


class ReconcilerError(Exception):
    """An expected failure: what could not be done, to what, and why; `hint` names the next step."""

    exit_code: ClassVar[ExitCode] = ExitCode.UNEXPECTED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SettingsError(ReconcilerError):
    """The environment or the command line lacks or misstates something."""

    exit_code = ExitCode.USAGE


class LedgerError(ReconcilerError):
    """The ledger could not be written to, or is not as it was written."""


class HostError(ReconcilerError):
    """A code host could not be asked, or did not do what it was asked."""


class StaleError(ReconcilerError):
    """The plan is not the one that was reviewed or approved; nothing was written.

    `differences` tells in lines what changed between the two, where both are known.
    """

    exit_code = ExitCode.STALE

    def __init__(self, message: str, hint: str = "", differences: Sequence[str] = ()) -> None:
        super().__init__(message, hint)
        self.differences = tuple(differences)


class EvidenceError(ReconcilerError):
    """The evidence of a review is not as it was written, or not of this ledger."""


class GuardrailError(ReconcilerError):
    """A guardrail refused the plan; nothing was written."""

    exit_code = ExitCode.REFUSED


class PolicyError(ReconcilerError):
    """The policy is invalid. `problems` holds every one of them, sorted by place."""

    exit_code = ExitCode.INVALID

    def __init__(self, problems: "Sequence[Problem]") -> None:
        count = len(problems)
        super().__init__(f"the policy has {count} problem{'' if count == 1 else 's'}")
        self.problems = tuple(problems)


class ReadError(ReconcilerError):
    """The provider or the directory could not be read whole, so nothing follows from it."""

    exit_code = ExitCode.UNREADABLE


class WriteError(ReconcilerError):
    """One change could not be carried out."""

    exit_code = ExitCode.PARTLY_APPLIED


class ConflictError(WriteError):
    """Somebody else changed the same person between our read and our write."""


class PartlyAppliedError(ReconcilerError):
    """Some of the plan was carried out, some was not."""

    exit_code = ExitCode.PARTLY_APPLIED
