"""Problems of policies, as text for people and as JSON for programs. Returns strings, prints nothing."""

import json
from collections.abc import Sequence

from reconciler.phrases import counted
from reconciler.problem import Problem
from reconciler.report.plain import printable


def lines(problems: Sequence[Problem]) -> list[str]:
    """One line for each problem."""
    return [printable(str(problem)) for problem in problems]


def summary(problems: Sequence[Problem]) -> str:
    """How many there are, in how many files."""
    files = len({problem.at.file for problem in problems})
    return f"{counted(len(problems), 'problem')} in {counted(files, 'file')}"


def as_json(problems: Sequence[Problem]) -> str:
    """One JSON document, format `reconciler.validate/1`; line and column are null for a whole file."""
    document = {
        "format": "reconciler.validate/1",
        "valid": not problems,
        "problems": [record(problem) for problem in problems],
    }
    return json.dumps(document, indent=2)


def record(problem: Problem) -> dict[str, str | int | None]:
    """A problem with its place; line and column are null where it is the whole file's."""
    at = problem.at
    return {
        "file": at.file,
        "line": at.line or None,
        "column": at.column or None,
        "path": at.path,
        "message": problem.message,
        "remedy": problem.remedy,
    }
