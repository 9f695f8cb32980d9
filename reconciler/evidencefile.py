"""Evidence in files, read back: whether it is as it was written. Believes nothing that it says."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler import evidence, exact, private
from reconciler.errors import SettingsError
from reconciler.evidence import FORMAT

LARGEST = 1024 * 1024 * 1024
"""No file of evidence is larger, in bytes."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file of evidence says of itself, and the digest of what is in it."""

    digest: str
    computed: str
    made: str
    commit: str | None
    head: str | None
    """The hash of the ledger's last record, as it was; None where no ledger was read."""

    @property
    def whole(self) -> bool:
        """Whether the file is as it was written."""
        return self.digest == self.computed


def read(path: Path) -> Kept:
    """Read a file that `review` wrote as JSON. Raises SettingsError where it is none."""
    try:
        with private.opened(path) as file:
            if os.fstat(file.fileno()).st_size > LARGEST:
                raise ValueError(f"it has more than {LARGEST} bytes")
            document = exact.parse(file.read())
    except OSError as error:
        raise _none(path, f"it can't be read: {(error.strerror or 'unknown reason').lower()}") from error
    except ValueError as error:
        raise _none(path, str(error)) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _none(path, f"it does not say that it is {FORMAT}")
    return Kept(
        _text(path, document, "digest") or "",
        evidence.digest(document),
        _text(path, document, "made") or "",
        _text(path, document, "commit"),
        _text(path, document, "ledger"),
    )


def _text(path: Path, document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise _none(path, f"its {name} is no text")
    return value


def _none(path: Path, reason: str) -> SettingsError:
    hint = "name what `reconciler review --report review.json` wrote"
    return SettingsError(f"{path} is no evidence of a review: {reason}", hint)
