"""JUnit XML as another reader of it understands: junitparser is the referee."""

from dataclasses import replace
from xml.etree import ElementTree as Xml

import pytest
from build import NOW, SERVER, Groups, Server, at, binding, group, holds, live, membership, policy, principal
from junitparser import Error, Failure, JUnitXml, Skipped

from reconciler import drifted, overview, planning
from reconciler.drifted import Drifted
from reconciler.errors import ReadError
from reconciler.finding import Finding, Kind
from reconciler.guardrails import Violation
from reconciler.model import LiveState
from reconciler.policy.document import Policy
from reconciler.problem import Location, Problem
from reconciler.report import drift_junit, junit

PROBLEM = Problem(Location("team.yaml", 3, 5, "bindings[0].group"), "no such group", "correct it")
WHOLE_FILE = Problem(Location("empty.yaml"), "nothing is in it")
SETTLED = policy(binding("eng", "viewer", line=4))
ANN = live({"ann": holds("viewer")})

Case = tuple[str, str, str | None, list[tuple[type, str, str]]]


def found(policy: Policy = SETTLED, state: LiveState = ANN) -> Drifted:
    survey = planning.survey(policy, Server(state), Groups(membership(group("eng", "ann"))), NOW)
    return drifted.of(overview.of(policy, SERVER, survey, NOW))


def read(text: str) -> list[tuple[str, list[Case]]]:
    """Every suite with its cases: suite, name, file and line, and what came of it by type and message."""
    parsed = JUnitXml.fromstring(text.encode())
    assert [parsed.tests, parsed.failures, parsed.errors, parsed.skipped] == [
        sum(getattr(suite, name) for suite in parsed) for name in ("tests", "failures", "errors", "skipped")
    ]
    suites = []
    for suite in parsed:
        cases = list(suite)
        results = [type(one) for case in cases for one in case.result]
        assert (suite.tests, suite.failures) == (len(cases), results.count(Failure))
        assert (suite.errors, suite.skipped) == (results.count(Error), results.count(Skipped))
        assert {case.classname for case in cases} <= {suite.name}
        suites.append((suite.name, [told(case) for case in cases]))
    return suites


def told(case: object) -> Case:
    attributes = getattr(case, "_elem").attrib  # noqa: B009 (no other way to what junitparser passes over)
    results = [(type(one), one.type, one.message) for one in getattr(case, "result")]  # noqa: B009
    return attributes["name"], attributes.get("file", ""), attributes.get("line"), results


def test_an_organization_without_drift_is_one_case_that_passes() -> None:
    settled = "everybody has what the policy gives them"
    assert read(drift_junit.document([found()])) == [("acme", [(settled, "team.yaml", "1", [])])]


def test_each_person_who_drifted_is_a_case_that_fails_with_before_after_why_and_since() -> None:
    known = found(state=live({"ann": holds(), "bob": holds("admin", web="viewer")}))
    text = drift_junit.document([known])
    assert read(text) == [
        (
            "acme",
            [
                (
                    "ann@acme.example",
                    "team.yaml",
                    "4",
                    [(Failure, "unknown", "organization: none -> viewer")],
                ),
                (
                    "bob@acme.example",
                    "team.yaml",
                    "1",
                    [(Failure, "unknown", "organization: admin -> none; web: viewer -> none")],
                ),
            ],
        )
    ]
    [suite] = JUnitXml.fromstring(text.encode())
    assert [case.result[0].text.split("\n") for case in suite] == [
        ["ann@acme.example gains", "  organization: none -> viewer  group eng (team.yaml:4)"],
        [
            "bob@acme.example loses everything",
            "  organization: admin -> none  nothing in the policy gives it",
            "  web: viewer -> none  nothing in the policy gives it",
        ],
    ]


def test_problems_and_guardrails_fail_and_findings_are_skipped() -> None:
    known = found()
    plan = replace(
        known.overview.prepared.plan,
        problems=(PROBLEM,),
        findings=(Finding(Kind.LEAVER, "lea@acme.example", "is active here", "look", at(9)),),
    )
    violation = Violation("removals", 2, 1, "too many", "look again", ("ann", "bob"))
    prepared = replace(known.overview.prepared, plan=plan, violations=(violation,))
    known = replace(known, overview=replace(known.overview, prepared=prepared))
    assert read(drift_junit.document([known])) == [
        (
            "acme",
            [
                (
                    "team.yaml:3:5 bindings[0].group",
                    "team.yaml",
                    "3",
                    [(Failure, "problem", "no such group")],
                ),
                ("guardrail removals", "team.yaml", "1", [(Failure, "guardrail", "too many")]),
                (
                    "leaver: lea@acme.example",
                    "team.yaml",
                    "9",
                    [(Skipped, "leaver", "is active here (team.yaml:9); look")],
                ),
            ],
        )
    ]


def test_what_could_not_be_looked_at_is_an_error() -> None:
    text = drift_junit.document(
        [found()], [("globex", ReadError("the listing is short", "try again"))], [PROBLEM]
    )
    [_, globex, files] = read(text)
    assert globex == (
        "globex",
        [("could not be looked at", "", None, [(Error, "unreadable", "the listing is short")])],
    )
    assert [suite for suite, _ in [files]] == ["policy"]


def test_a_problem_fails_and_a_file_without_any_passes() -> None:
    text = junit.validate(["good.yaml", "empty.yaml", "team.yaml"], [WHOLE_FILE, PROBLEM, PROBLEM])
    problem: Case = (
        "team.yaml:3:5 bindings[0].group",
        "team.yaml",
        "3",
        [(Failure, "problem", "no such group")],
    )
    assert read(text) == [
        (
            "policy",
            [
                ("empty.yaml", "empty.yaml", None, [(Failure, "problem", "nothing is in it")]),
                problem,
                problem,
                ("good.yaml", "good.yaml", None, []),
            ],
        )
    ]


def test_nothing_at_all_is_a_document_all_the_same() -> None:
    assert read(drift_junit.document([])) == []
    assert read(junit.validate([], [])) == [("policy", [])]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\x00\x01\x1b[31m\x85b", "a\\x00\\x01\\x1b[31m\\x85b"),
        ("a\ud800\udc00\udfffb", "a\\ud800\\udc00\\udfffb"),
        ("a\ufffe\uffffb", "a\\ufffe\\uffffb"),
        ("a\r\nb\u2028c\u202ed", "a\\r\\nb\\u2028c\\u202ed"),
        ("]]><!--&amp;<a b='c' d=\"e\"/>", "]]><!--&amp;<a b='c' d=\"e\"/>"),
        ("Zoë 李 \U0001f600", "Zoë 李 \U0001f600"),
    ],
    ids=["control", "surrogates", "no characters", "line breaks", "markup", "letters"],
)
def test_what_xml_cannot_hold_is_written_as_an_escape(name: str, shown: str) -> None:
    evil = principal("eve", user_name=name)
    roles = {"u-ann": holds("viewer"), evil.id: holds("admin")}
    known = found(state=replace(live({"ann": holds()}, evil), roles=roles))
    text = drift_junit.document(
        [known], [(name, ReadError(name, name))], [Problem(Location(name), name, name)]
    )
    assert text.isascii()
    names = [case.get("name") for case in Xml.fromstring(text).iter("testcase")]
    assert names == [shown, "could not be looked at", shown]
    assert [suite for suite, _ in read(text)] == ["acme", shown, "policy"]
