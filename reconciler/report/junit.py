"""JUnit XML, for the test results that a CI system shows; and problems of policies in it. Prints nothing.

The dialect is what pytest calls xunit1: `file` and `line` stand on each case, for CircleCI reads them, though
the schemas of Ant and Jenkins know neither. XML 1.0 can hold neither control characters nor lone surrogates,
so all text is made printable first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree as Xml

from reconciler.problem import Location, Problem
from reconciler.report.plain import printable

TOOL = "reconciler"


@dataclass(frozen=True, slots=True)
class Case:
    """One test case. `outcome` is the name of its element, such as `failure`; empty: it passed."""

    name: str
    at: Location
    outcome: str = ""
    kind: str = ""
    message: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases that stand together, and when they were made, aware."""

    name: str
    cases: tuple[Case, ...]
    moment: datetime | None = None


def validate(files: Iterable[str], problems: Sequence[Problem]) -> str:
    """One suite: a case that fails for each problem, and one that passes for each file without any."""
    wrong = {problem.at.file for problem in problems}
    right = (Case(file, Location(file)) for file in files if file not in wrong)
    return written([Suite("policy", (*map(case, problems), *right))])


def case(problem: Problem) -> Case:
    """A problem as a case that fails."""
    at = problem.at
    name = f"{at.file}:{at.line}:{at.column}" if at.line else at.file
    return Case(f"{name} {at.path}".rstrip(), at, "failure", "problem", problem.message, (str(problem),))


def written(suites: Iterable[Suite]) -> str:
    """The document."""
    root = Xml.Element("testsuites", name=TOOL)
    for suite in suites:
        root.append(_suite(suite))
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(one.get(name, "0")) for one in root)))
    root.set("time", "0")
    Xml.indent(root)
    # What is beyond ASCII becomes a reference, so that it says the same in whatever encoding it is written.
    text = Xml.tostring(root, "us-ascii", xml_declaration=False).decode("ascii")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'


def _suite(suite: Suite) -> Xml.Element:
    element = Xml.Element("testsuite", name=printable(suite.name), tests=str(len(suite.cases)))
    for name, outcome in ("failures", "failure"), ("errors", "error"), ("skipped", "skipped"):
        element.set(name, str(sum(one.outcome == outcome for one in suite.cases)))
    element.set("time", "0")
    if suite.moment is not None:
        element.set("timestamp", suite.moment.isoformat(timespec="seconds"))
    for one in suite.cases:
        element.append(_case(one, suite.name))
    return element


def _case(case: Case, suite: str) -> Xml.Element:
    about = {"classname": printable(suite), "name": printable(case.name)}
    if case.at.file:
        about["file"] = printable(case.at.file)
    if case.at.line:
        about["line"] = str(case.at.line)
    element = Xml.Element("testcase", {**about, "time": "0"})
    if case.outcome:
        outcome = Xml.SubElement(
            element, case.outcome, type=printable(case.kind), message=printable(case.message)
        )
        outcome.text = "\n".join(map(printable, case.lines)) or None
    return element
