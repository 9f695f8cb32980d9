"""Drift as test cases of JUnit XML: who drifted, fails. Prints nothing."""

from collections.abc import Iterator, Sequence

from reconciler.drifted import Drifted, DriftedPerson
from reconciler.errors import ReconcilerError
from reconciler.finding import Finding
from reconciler.guardrails import Violation
from reconciler.problem import Location, Problem
from reconciler.report import drift as report
from reconciler.report import junit, people, text
from reconciler.report.junit import Case, Suite


def document(
    found: Sequence[Drifted],
    failures: Sequence[tuple[str, ReconcilerError]] = (),
    problems: Sequence[Problem] = (),
) -> str:
    """A suite for each organization: who drifted fails, and so does what a run would stumble over.

    Findings are skipped, with what they say: they need a look, stop nothing and change no exit code.
    `problems` are those of policy files that could not be read.
    """
    suites = [_drifted(one) for one in found]
    suites += [Suite(name or junit.TOOL, (_unread(error),)) for name, error in failures]
    suites += [Suite("policy", tuple(map(junit.case, problems)))] if problems else []
    return junit.written(suites)


def _drifted(found: Drifted) -> Suite:
    prepared, case = found.overview.prepared, found.overview.case
    home = case.policy.organization.at
    cases = [_person(one, prepared.plan.mode, home) for one in found.people]
    cases += [junit.case(one) for one in prepared.plan.problems]
    cases += [_violation(one, home) for one in prepared.violations]
    if not cases:
        cases.append(Case(prepared.settled, home))
    cases += [_finding(one, home) for one in prepared.plan.findings]
    return Suite(prepared.plan.organization, tuple(cases), case.now)


def _person(person: DriftedPerson, mode: str, home: Location) -> Case:
    causes = [*(one.cause for one in person.scopes), *(one.cause for one in person.accounts)]
    reasons = [reason.at for one in person.scopes for reason in one.change.why]
    lines = tuple(line for line in report.person(person, mode) if line)
    return Case(
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
        yield f"account {row.due}"


def _violation(violation: Violation, home: Location) -> Case:
    lines = tuple(report.refusal(violation))
    return Case(f"guardrail {violation.guardrail}", home, "failure", "guardrail", violation.message, lines)


def _finding(finding: Finding, home: Location) -> Case:
    said = text.told(finding)
    return Case(f"{finding.kind}: {finding.subject}", finding.at or home, "skipped", finding.kind, said)


def _unread(error: ReconcilerError) -> Case:
    lines = (error.message, *([f"hint: {error.hint}"] if error.hint else []))
    kind = error.exit_code.name.lower()
    return Case("could not be looked at", Location(""), "error", kind, error.message, lines)
