"""What was measured, beside its floor and its goal: values, told as a table and as JSON. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, assert_never

COMMAND = ".venv/bin/python -m benchmarks"
COLUMNS = ("result", "floor", "ours", "ratio", "goal", "")


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity, measured or worked out once or several times; what counts is the median."""

    what: str
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.samples)


@dataclass(frozen=True, slots=True)
class AtMost:
    """The goal of ours in times of the floor, or as it is where there is no floor."""

    limit: float


@dataclass(frozen=True, slots=True)
class AtLeast:
    """How many times better than the floor, which is a peer then, ours is to be."""

    limit: float


Goal = AtMost | AtLeast | None
"""None: the figure is for comparison alone."""


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table. `row` is what `python -m benchmarks` calls it; `unit` is that of both."""

    row: str
    title: str
    unit: str
    ours: Figure
    floor: Figure | None
    goal: Goal
    notes: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        """What the goal is about."""
        if self.floor is None:
            return self.ours.median
        if isinstance(self.goal, AtLeast):
            return self.floor.median / self.ours.median
        return self.ours.median / self.floor.median

    @property
    def met(self) -> bool:
        match self.goal:
            case AtMost(limit):
                return self.value <= limit
            case AtLeast(limit):
                return self.value >= limit
            case None:
                return True
            case _ as never:
                assert_never(never)


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that could not be measured, or whose work was not done right: no goal of it is met."""

    row: str
    title: str
    why: str

    @property
    def met(self) -> bool:
        return False


Line = Result | Failure


def table(lines: Sequence[Line]) -> str:
    """All lines, aligned, each followed by how it came about and how to repeat it; and a last word."""
    rows = [COLUMNS, *map(_cells, lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    told = [_aligned(rows[0], widths)]
    for line, cells in zip(lines, rows[1:], strict=True):
        told += ["", _aligned(cells, widths), *(f"    {words}" for words in _words(line))]
    missed = [line.title for line in lines if not line.met]
    said = f"missed: {'; '.join(missed)}" if missed else "all goals are met"
    return "\n".join([*told, "", said])


def document(lines: Sequence[Line], about: Mapping[str, Any]) -> str:
    """The same as JSON, with every sample; `about` is what the figures depend on."""
    results = [{**asdict(line), **_judged(line)} for line in lines]
    whole = {**about, "met": met(lines), "results": results}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def met(lines: Iterable[Line]) -> bool:
    """Whether no goal was missed."""
    return all(line.met for line in lines)


def _judged(line: Line) -> Mapping[str, Any]:
    told: dict[str, Any] = {"met": line.met, "command": f"{COMMAND} {line.row}"}
    if isinstance(line, Result):
        sides = {"ours": line.ours, "floor": line.floor}
        told |= {
            name: {**asdict(side), "median": side.median} for name, side in sides.items() if side is not None
        }
        told |= {"goal": _goal(line), "value": line.value}
    return told


def _cells(line: Line) -> tuple[str, ...]:
    match line:
        case Failure():
            return (line.title, "", "", "", "", "FAILED")
        case Result(floor=floor):
            return (
                line.title,
                _amount(floor.median, line.unit) if floor else "",
                _amount(line.ours.median, line.unit),
                f"{line.value:.3g} times" if floor else "",
                _goal(line),
                "" if line.goal is None else "met" if line.met else "MISSED",
            )
        case _ as never:
            assert_never(never)


def _goal(line: Result) -> str:
    match line.goal:
        case AtMost(limit) if line.floor is None:
            return f"at most {_amount(limit, line.unit)}"
        case AtMost(limit):
            return f"at most {limit:g}"
        case AtLeast(limit):
            return f"at least {limit:g}"
        case None:
            return ""
        case _ as never:
            assert_never(never)


def _words(line: Line) -> list[str]:
    again = f"again: {COMMAND} {line.row}"
    match line:
        case Failure():
            return [line.why, again]
        case Result():
            floor = [f"floor: {_told(line.floor)}"] if line.floor else []
            return [*floor, f"ours: {_told(line.ours)}", *line.notes, again]
        case _ as never:
            assert_never(never)


def _told(figure: Figure) -> str:
    number = len(figure.samples)
    return f"{figure.what} (median of {number})" if number > 1 else figure.what


def _amount(number: float, unit: str) -> str:
    whole = number >= 100 or unit in ("MB", "requests")
    return f"{number:,.0f} {unit}" if whole else f"{number:.3g} {unit}"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if at in (0, len(widths) - 1) else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *others]).rstrip()
