"""The past runs of a ledger as bars: how many changes each had, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.history import PastRun

SHOWN = 60
"""So many runs are drawn, the latest ones; the table has as many."""

HEIGHT = 100
"""Of the drawing, in its units; a run is 10 wide."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar; `kind` is a result of a change."""

    kind: str
    top: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One run."""

    run: PastRun
    parts: tuple[Part, ...]
    """From the bottom to the top."""
    refused: bool


@dataclass(frozen=True, slots=True)
class Trend:
    """Oldest first."""

    bars: tuple[Bar, ...]
    most: int
    """The number of changes that the whole height stands for."""
    total: int
    """How many runs there are, shown or not."""


def of(runs: Sequence[PastRun]) -> Trend:
    """The trend over these runs, oldest first."""
    shown = runs[-SHOWN:]
    most = max((sum(run.results().values()) for run in shown), default=0)
    return Trend(tuple(_bar(run, most) for run in shown), most, len(runs))


def _bar(run: PastRun, most: int) -> Bar:
    parts: list[Part] = []
    top = float(HEIGHT)
    for kind, number in run.results().items():
        if number:
            height = HEIGHT * number / most
            top -= height
            parts.append(Part(kind, round(top, 2), round(height, 2)))
    return Bar(run, tuple(parts), run.ended is not None and run.ended.refused is not None)
