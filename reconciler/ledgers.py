"""Several ledgers read as one past: those of a folder, of shards, of copies. Writes none of them."""

import heapq
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import LedgerError, SettingsError
from reconciler.shards import Shard

if TYPE_CHECKING:  # most runs read none: what can is loaded where it does
    from reconciler.history import PastRun
    from reconciler.ledger import Fault

DEFAULT = Path(".reconciler/ledger.jsonl")
"""Where the ledger is unless somebody says otherwise, below the current folder."""

FOLDER = DEFAULT.parent
ENDING = DEFAULT.suffix


@dataclass(frozen=True, slots=True)
class Told:
    """A run, and every ledger that tells of it: the first is the one that it is told by."""

    run: "PastRun"
    ledgers: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Sound:
    """Ledgers that are as they were written: their runs, oldest first, and the hashes of their records."""

    runs: "tuple[PastRun, ...]"
    hashes: frozenset[str]
    heads: tuple[str, ...]
    """The hash of each one's last record."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What one ledger was found to be."""

    path: Path
    faults: "tuple[Fault, ...]"


def written(place: Path, shard: Shard) -> Path:
    """The ledger that a run appends to: of a folder, one that no other shard writes; else the file itself."""
    if not _is_folder(place):
        return place
    return place / (DEFAULT.name if shard.is_all else f"ledger-{shard.index}-of-{shard.total}{ENDING}")


def files(places: Iterable[Path]) -> tuple[Path, ...]:
    """The ledgers at these places, each once: files as they are named, of a folder all that are in it.

    A folder without any has the one that would be written there. Raises SettingsError.
    """
    found: dict[str, Path] = {}
    for place in places:
        for path in _of_folder(place) if _is_folder(place) else (place,):
            found.setdefault(os.path.realpath(path), path)
    return tuple(found.values())


def there(places: Iterable[Path]) -> tuple[Path, ...]:
    """The same without those that there are not, or not yet."""
    return tuple(path for path in files(places) if os.path.lexists(path))


def told(paths: Iterable[Path]) -> tuple[Told, ...]:
    """All runs of these ledgers, oldest first, each once; raises what `ledger.past` does for any of them."""
    from reconciler import ledger

    return merged([(path, ledger.past(path)) for path in paths])


def past(paths: Iterable[Path]) -> "tuple[PastRun, ...]":
    """The same without a word about which ledger tells it."""
    return tuple(one.run for one in told(paths))


def sound(paths: Iterable[Path]) -> Sound:
    """All that these ledgers tell. Raises what `ledger.sound` does for any of them."""
    from reconciler import ledger

    found = [(path, ledger.sound(path)) for path in paths]
    return Sound(
        tuple(one.run for one in merged([(path, one.runs) for path, one in found])),
        frozenset(hash_ for _, one in found for hash_ in one.hashes),
        tuple(one.head for _, one in found),
    )


def verify(paths: Sequence[Path], head: str | None = None) -> tuple[Verified, ...]:
    """What shows any of these ledgers to be edited, each checked as a chain of its own.

    `head` is the hash of a record that one of them must hold; that none does is a fault of each.
    """
    from reconciler import ledger

    wanted = None if head is None or any(ledger.holds(path, head) for path in paths) else head
    return tuple(Verified(path, tuple(ledger.verify(path, wanted))) for path in paths)


def merged(several: "Sequence[tuple[Path, Sequence[PastRun]]]") -> tuple[Told, ...]:
    """By the time when they began; what one ledger has in order stays so, whatever its clock said."""
    streams = [[Told(run, (path,)) for run in runs] for path, runs in several]
    found: dict[str, Told] = {}
    for one in heapq.merge(*streams, key=lambda one: one.run.moment):
        same = found.get(one.run.id)
        found[one.run.id] = _either(same, one) if same else one
    return tuple(found.values())


def _is_folder(place: Path) -> bool:
    return os.path.isdir(place) or (place == FOLDER and not os.path.lexists(place))


def _of_folder(place: Path) -> list[Path]:
    try:
        names = os.listdir(place) if os.path.isdir(place) else []
    except OSError as error:
        raise SettingsError(
            f"the ledgers in {place} can't be read: {(error.strerror or 'unknown reason').lower()}",
            "name a folder of yours with --ledger",
        ) from error
    found = sorted(name for name in names if name.endswith(ENDING) and not name.startswith("."))
    return [place / name for name in found or [DEFAULT.name]]


def _either(one: Told, other: Told) -> Told:
    """Two tellings of one run: by the ledger that has more of it, for the other is an earlier copy."""
    if one.run.begun != other.run.begun:
        raise LedgerError(
            f"two runs are called {one.run.id}: one in {one.ledgers[0]}, another in {other.ledgers[0]}",
            "they can't both be as they were written; keep the files as evidence",
        )
    first, second = (one, other) if _far(one.run) >= _far(other.run) else (other, one)
    return Told(first.run, first.ledgers + second.ledgers)


def _far(run: "PastRun") -> tuple[bool, int, int]:
    """How far a run is told: a copy may have been made while it went on."""
    settled = sum(write.result is not None for write in run.writes) + len(run.skipped)
    return run.ended is not None, len(run.writes) + len(run.skipped), settled
