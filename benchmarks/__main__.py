"""`python -m benchmarks [ROW …]`: measures, prints the table, and exits 1 where a goal is missed."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import results
from benchmarks.processes import WorkError
from benchmarks.results import Failure, Line
from benchmarks.rows import ROWS, WAITING, Bench, Row, Scale

BESIDE = "peer"
"""The row that runs while the waiting one waits. It has its own server and core, and goes by its CPU time."""


def measured(name: str, row: Row, bench: Bench) -> list[Line]:
    """The lines of a row. What fails is told, and does not keep the others from being measured."""
    print(f"measuring {name}", file=sys.stderr, flush=True)
    try:
        return list(row(bench))
    except (WorkError, OSError) as error:
        return [Failure(name, name, str(error))]


def lines(names: Sequence[str], rows: Mapping[str, Row], bench: Bench) -> list[Line]:
    """All rows one after the other, but for the one that waits and the one beside it."""
    alone = [name for name in names if name not in (WAITING, BESIDE)]
    told = [line for name in alone for line in measured(name, rows[name], bench)]
    beside = [name for name in names if name not in alone]
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda name: measured(name, rows[name], bench), beside)
        return told + [line for row in found for line in row]


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
        "--smaller", type=int, default=1, metavar="TIMES", help="measure less work, once, to try this out"
    )
    given = parser.parse_args(arguments)
    if unknown := set(given.rows) - set(rows):
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    scale = Scale() if given.smaller == 1 else Scale().smaller(given.smaller)
    begun, on = time.monotonic(), machine()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        told = lines(given.rows or list(rows), rows, Bench(scale, Path(folder), stack))
    seconds = round(time.monotonic() - begun)
    print(results.table(told))
    print(f"in {seconds} s, Python {on.python}, {on.cores} cores, of which {on.load} were busy before")
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(
            results.document(told, {"seconds": seconds, "machine": asdict(on)}), encoding="utf-8"
        )
    return 0 if results.met(told) else 1


if __name__ == "__main__":
    sys.exit(main())
