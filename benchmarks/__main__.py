"""`python -m benchmarks [ROW …]`: measures, prints the table, and exits 1 where a goal is missed."""

import argparse
import os
import platform
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import results
from benchmarks.bench import Bench, Scale
from benchmarks.processes import WorkError
from benchmarks.results import Failure, Line
from benchmarks.rows import ROWS, WAITING, Row

BESIDE = ("validate", "think")
"""The rows that are measured while the waiting one waits, which takes next to no CPU. They take one core and
no server; both sides of `validate` are slowed down alike, and thinking goes by CPU time."""


def measured(name: str, row: Row, bench: Bench) -> list[Line]:
    """The lines of a row. What fails is told, and does not keep the others from being measured."""
    print(f"measuring {name}", file=sys.stderr, flush=True)
    try:
        return list(row(bench))
    except (WorkError, OSError) as error:
        return [Failure(name, name, str(error))]


def lines(names: Sequence[str], rows: Mapping[str, Row], bench: Bench) -> list[Line]:
    """All rows one after the other, but for the one that waits and those beside it."""
    found: dict[str, list[Line]] = {}

    def measure(some: Iterable[str]) -> None:
        found.update((name, measured(name, rows[name], bench)) for name in some)

    measure(name for name in names if name not in (WAITING, *BESIDE))
    waiting = threading.Thread(target=measure, args=([WAITING] if WAITING in names else [],))
    waiting.start()
    measure(name for name in names if name in BESIDE)
    waiting.join()
    return [line for name in names for line in found[name]]


@dataclass(frozen=True, slots=True)
class Machine:
    """What figures depend on."""

    python: str
    system: str
    cores: int
    load: float
    """How many processes wanted a core in the minute before."""


def machine() -> Machine:
    """The one that this runs on, as it is now."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(platform.python_version(), platform.platform(), cores, round(os.getloadavg()[0], 1))


def main(arguments: Sequence[str] | None = None, rows: Mapping[str, Row] = ROWS) -> int:
    """Measure, tell, judge."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"what to measure, of {', '.join(rows)}; all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write what was measured there")
    parser.add_argument(
        "--times",
        type=float,
        default=1,
        metavar="FACTOR",
        help="measure so many times the work, each row once",
    )
    given = parser.parse_args(arguments)
    if unknown := set(given.rows) - set(rows):
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    scale = Scale() if given.times == 1 else Scale().times(given.times)
    begun, on = time.monotonic(), machine()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        told = lines(given.rows or list(rows), rows, Bench(scale, Path(folder), stack))
    seconds = round(time.monotonic() - begun)
    print(results.table(told))
    print(f"in {seconds} s, Python {on.python}, {on.cores} cores, of which {on.load} were busy before")
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(
            results.document(told, {"seconds": seconds, "machine": asdict(on), "scale": asdict(scale)}),
            encoding="utf-8",
        )
    return 0 if results.met(told) else 1


if __name__ == "__main__":
    sys.exit(main())
