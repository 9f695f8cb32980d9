"""What organizations cost, as a calculation from what was measured: `python -m benchmarks.capacity FILE`.

`FILE` is what `make bench` wrote. The figures of that run, and the table that follows from them, replace
those in `docs/growth.md`, between its two marks. The calculation itself is pure, and told on that page.
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import ceil
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT
from benchmarks.rows import SEVERAL

PAGE = ROOT / "docs" / "growth.md"
MARKED = re.compile(r"(?<=<!-- measured -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)
STAGES = 3
"""The stages that changes of roles usually come in: who gains, who moves, who loses."""
CONTAINERS = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """What a plan takes on the machine of the benchmarks."""

    start_seconds: float
    """CPU time of a plan of hardly anybody."""
    people_seconds: float
    """CPU time for each 100,000 people more."""
    write_milliseconds: float
    """CPU time for each write of an apply."""
    start_megabytes: float
    """Memory of a plan of hardly anybody."""
    people_megabytes: float
    """Memory for each 100,000 people more."""
    kept_megabytes: float
    """Memory for each 100,000 people of organizations that are done."""


WORDS = {
    "start_seconds": "CPU seconds of a plan of hardly anybody",
    "people_seconds": "more of them for each 100,000 people",
    "write_milliseconds": "CPU milliseconds of a write",
    "start_megabytes": "MB of a plan of hardly anybody",
    "people_megabytes": "more of them for each 100,000 people of the biggest organization",
    "kept_megabytes": "more of them for each 100,000 people of all others",
}


@dataclass(frozen=True, slots=True)
class Server:
    """How a server answers."""

    page: int = 100
    latency: float = 0.05
    at_once: int = 8
    rate: float = 50.0


@dataclass(frozen=True, slots=True)
class Case:
    """So many organizations of one size."""

    organizations: int
    people: int
    groups: int


CASES = (
    Case(1, 10_000, 200),
    Case(10, 10_000, 200),
    Case(100, 10_000, 200),
    Case(1, 100_000, 2_000),
    Case(10, 100_000, 2_000),
    Case(1, 1_000_000, 20_000),
)


def plan_requests(case: Case, server: Server) -> int:
    """What a plan of one organization sends: abilities, pages, and a look beyond the end of each listing."""
    return 1 + ceil(case.people / server.page) + 1 + ceil(case.groups / server.page) + 1


def apply_requests(case: Case, server: Server, changed: int) -> int:
    """What an apply sends: a plan, whose token it is, each who changes, and a look at what came of it."""
    pages, each = ceil(case.people / server.page), ceil(changed / STAGES)
    back = each if each <= 2 * (pages + 2) else pages + 1
    return plan_requests(case, server) + 1 + changed + STAGES * back


def seconds(requests: int, cpu: float, server: Server, *, limited: bool) -> float:
    """How long a run takes whose requests overlap as far as the server lets them."""
    waiting = requests * server.latency / server.at_once
    return cpu + (max(waiting, requests / server.rate) if limited else waiting)


def measured(document: Mapping[str, Any]) -> Measured:
    """What matters here of a run of all benchmarks. Raises KeyError where a row of it lacks."""
    found = {one["title"]: one["ours"]["median"] for one in document["results"] if "ours" in one}
    changed = document["scale"]["changed"]
    times = document["scale"]["people"] / 100_000
    cpu, start = found["plan, CPU time"], found["plan of hardly anybody, CPU time"]
    several = next(one for one in document["results"] if one["row"] == "several")
    kept = (several["ours"]["median"] - several["floor"]["median"]) / (SEVERAL - 1) * 10
    return Measured(
        start_seconds=round(start, 2),
        people_seconds=round((cpu - start) / times, 2),
        write_milliseconds=round((found["apply, CPU time"] - cpu) / changed * 1000, 1),
        start_megabytes=round(found["plan of hardly anybody, memory"]),
        people_megabytes=round((found["plan, memory"] - found["plan of hardly anybody, memory"]) / times),
        kept_megabytes=round(kept / times),
    )


def told(known: Measured) -> str:
    """What was measured and what follows from it, as two tables in Markdown."""
    figures = [f"| {WORDS[one.name]} | {getattr(known, one.name)} |" for one in fields(known)]
    head = ["organizations × people", "requests of a plan", "at a distance", "limited", "memory"]
    head += ["writes of an apply", "limited", f"the same on {CONTAINERS} containers"]
    rows = [
        f"| {' | '.join(head)} |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(case, known) for case in CASES),
    ]
    return "\n".join(["| measured | |", "|---|---|", *figures, "", *rows, ""])


def parsed(text: str) -> Measured:
    """What a page says was measured. Raises KeyError where it does not say that."""
    numbers = dict(re.findall(r"^\| (.+) \| ([\d.]+) \|$", text, re.MULTILINE))
    return Measured(**{name: json.loads(numbers[words]) for name, words in WORDS.items()})


@dataclass(frozen=True, slots=True)
class _Run:
    """What a run over so many organizations of a case takes."""

    case: Case
    known: Measured
    organizations: int
    server: Server = Server()

    @property
    def changed(self) -> int:
        return self.case.people // 100

    def plan(self, *, limited: bool) -> str:
        sent = plan_requests(self.case, self.server)
        return self._lasts(seconds(sent, self._cpu, self.server, limited=limited))

    def apply(self) -> str:
        sent = apply_requests(self.case, self.server, self.changed)
        cpu = self._cpu + self.known.write_milliseconds * self.changed / 1000
        return self._lasts(seconds(sent, cpu, self.server, limited=True))

    def memory(self) -> str:
        known = self.known
        others = self.organizations - 1
        each = known.people_megabytes + known.kept_megabytes * others
        return _size(known.start_megabytes + each * self.case.people / 100_000)

    @property
    def _cpu(self) -> float:
        return self.known.people_seconds * self.case.people / 100_000

    def _lasts(self, each: float) -> str:
        return _time(self.known.start_seconds + self.organizations * each)


def _row(case: Case, known: Measured) -> str:
    times = case.organizations
    whole, share = _Run(case, known, times), _Run(case, known, ceil(times / CONTAINERS))
    cells = [
        f"{times} × {case.people:,}",
        f"{times * plan_requests(case, whole.server):,}",
        whole.plan(limited=False),
        whole.plan(limited=True),
        whole.memory(),
        f"{times * whole.changed:,}",
        whole.apply(),
        f"{share.apply()}, {share.memory()}" if times > 1 else "no faster",
    ]
    return f"| {' | '.join(cells)} |"


def _time(number: float) -> str:
    if number < 120:
        return f"{number:.0f} s"
    return f"{number / 60:.0f} min" if number < 7200 else f"{number / 3600:.1f} h"


def _size(megabytes: float) -> str:
    return f"{megabytes:.0f} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"


def main() -> None:
    """Write the page anew."""
    document = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(MARKED.sub(lambda _: told(measured(document)), text), encoding="utf-8")


if __name__ == "__main__":
    main()
