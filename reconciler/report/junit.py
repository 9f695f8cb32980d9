"""Drift and problems of policies as JUnit XML, for the test results that a CI system shows. Prints nothing.

The dialect is what pytest calls xunit1: `file` and `line` stand on each case, for CircleCI reads them, though
the schemas of Ant and Jenkins know neither. XML 1.0 can hold neither control characters nor lone surrogates,
so all text is made printable first. What fails is what makes the exit code of the command other than 0.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree as Xml

from reconciler.drifted import Drifted, DriftedPerson
from reconciler.errors import ReconcilerError
from reconciler.finding import Finding
from reconciler.guardrails import Violation
from reconciler.problem import Location, Problem
from reconciler.report import drift as report
from reconciler.report import people, text
from reconciler.report.plain import printable

TOOL = "reconciler"


@dataclass(frozen=True, slots=True)
class _Case:
    """One test case. `outcome` is the name of its element, such as `failure`; empty: it passed."""

    name: str
    at: Location
    outcome: str = ""
    kind: str = ""
    message: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Suite:
    name: str
    cases: tuple[_Case, ...]
    moment: datetime | None = None


def drift(
    found: Sequence[Drifted],
    failures: Sequence[tuple[str, ReconcilerError]] = (),
    problems: Sequence[Problem] = (),
) -> str:
    """A suite for each organization: who drifted fails, and so does what a run would stumble over.

    Findings are skipped, with what they say: they need a look, and stop nothing. `problems` are those of
    policy files that could not be read.
    """
    suites = [_drifted(one) for one in found]
    suites += [_Suite(name or TOOL, (_unread(error),)) for name, error in failures]
    suites += [_Suite("policy", tuple(map(_problem, problems)))] if problems else []
    return _written(suites)


def validate(files: Iterable[str], problems: Sequence[Problem]) -> str:
    """One suite: a case that fails for each problem, and one that passes for each file without any."""
    wrong = {problem.at.file for problem in problems}
    right = (_Case(file, Location(file)) for file in files if file not in wrong)
    return _written([_Suite("policy", (*map(_problem, problems), *right))])


def _drifted(found: Drifted) -> _Suite:
    prepared, case = found.overview.prepared, found.overview.case
    home = case.policy.organization.at
    cases = [_person(one, prepared.plan.mode, home) for one in found.people]
    cases += [_problem(one) for one in prepared.plan.problems]
    cases += [_violation(one, home) for one in prepared.violations]
    if not cases:
        cases.append(_Case(prepared.settled, home))
    cases += [_finding(one, home) for one in prepared.plan.findings]
    return _Suite(prepared.plan.organization, tuple(cases), case.now)


def _person(person: DriftedPerson, mode: str, home: Location) -> _Case:
    causes = [*(one.cause for one in person.scopes), *(one.cause for one in person.accounts)]
    reasons = [reason.at for one in person.scopes for reason in one.change.why]
    lines = tuple(line for line in report.person(person, mode) if line)
    return _Case(
        person.principal.user_name,
        next(iter(reasons), home),
        "failure",
        causes[0],
        "; ".join(_told(person)),
        lines,
    )


def _told(person: DriftedPerson) -> Iterator[str]:
    """What differs, in as few words as a list of tests has room for."""
    for one in person.scopes:
        yield f"{one.scope}: {people.roles(one.change.before)} -> {people.roles(one.change.after)}"
    for row in people.account_rows(one.change for one in person.accounts):
        yield f"account {row.verb.replace('is ', 'is to be ', 1)}"


def _problem(problem: Problem) -> _Case:
    at = problem.at
    name = f"{at.file}:{at.line}:{at.column}" if at.line else at.file
    return _Case(f"{name} {at.path}".rstrip(), at, "failure", "problem", problem.message, (str(problem),))


def _violation(violation: Violation, home: Location) -> _Case:
    lines = tuple(text.refusal(violation))
    return _Case(f"guardrail {violation.guardrail}", home, "failure", "guardrail", violation.message, lines)


def _finding(finding: Finding, home: Location) -> _Case:
    said = text.told(finding)
    return _Case(f"{finding.kind}: {finding.subject}", finding.at or home, "skipped", finding.kind, said)


def _unread(error: ReconcilerError) -> _Case:
    lines = (error.message, *([f"hint: {error.hint}"] if error.hint else []))
    kind = error.exit_code.name.lower()
    return _Case("could not be looked at", Location(""), "error", kind, error.message, lines)


def _written(suites: Iterable[_Suite]) -> str:
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


def _suite(suite: _Suite) -> Xml.Element:
    element = Xml.Element("testsuite", name=printable(suite.name), tests=str(len(suite.cases)))
    for name, outcome in ("failures", "failure"), ("errors", "error"), ("skipped", "skipped"):
        element.set(name, str(sum(case.outcome == outcome for case in suite.cases)))
    element.set("time", "0")
    if suite.moment is not None:
        element.set("timestamp", suite.moment.isoformat(timespec="seconds"))
    for case in suite.cases:
        element.append(_case(case, suite.name))
    return element


def _case(case: _Case, suite: str) -> Xml.Element:
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
