"""Drift as Markdown: the verdict first, how and since when beside each change, never over the limit."""

from dataclasses import replace
from datetime import timedelta

from build import (
    NOW,
    SERVER,
    Groups,
    Server,
    binding,
    grant,
    group,
    holds,
    live,
    membership,
    policy,
    principal,
)
from past import run, wrote

from reconciler import drifted, overview, planning
from reconciler.drifted import Drifted
from reconciler.errors import ReadError
from reconciler.guardrails import Violation
from reconciler.model import LiveState
from reconciler.policy.document import Policy
from reconciler.problem import Location, Problem
from reconciler.report.markdown import drift as markdown
from reconciler.report.markdown.dialect import Dialect

PLAIN = Dialect(link=lambda at: f"https://host.example/{at.file}#L{at.line}")
MONDAY = NOW - timedelta(days=14)
RUNS = (run(MONDAY, wrote("bob", "viewer", ""), id="0123456789ab"),)
POLICY = policy(
    binding("eng", "viewer", web="admin", line=4),
    grant("ann", "admin", expires=NOW + timedelta(hours=5), line=12),
)


def found(policy: Policy, state: LiveState) -> Drifted:
    survey = planning.survey(policy, Server(state), Groups(membership(group("eng", "ann"))), NOW)
    return drifted.of(overview.of(policy, SERVER, survey, NOW, RUNS))


def test_each_change_is_told_with_its_reason_its_cause_and_since_when() -> None:
    known = found(POLICY, live({"ann": holds("viewer", web="admin"), "bob": holds("viewer")}))
    refusal = Violation("removals", 2, 1, "too many", "look again", ("bob@acme.example",))
    prepared = replace(known.overview.prepared, violations=(refusal,))
    known = replace(known, overview=replace(known.overview, prepared=prepared))
    failure = ("globex", ReadError("the listing is short", "try again"))
    line = "[`team.yaml:12`](https://host.example/team.yaml#L12)"
    after = "after run `0123456789ab` of 2026-11-09 12:00 UTC"
    assert markdown.document([known], [failure], [], PLAIN).split("\n") == [
        "**drift: 2 people in acme; 1 organization could not be looked at**",
        "",
        "## `globex` could not be looked at",
        "",
        "- **the listing is short**",
        "- what to do: try again",
        "",
        "## Drift in `acme`",
        "",
        "**2 people**: 1 × changed by somebody else, 1 × how is not known",
        "",
        "- a run would be **refused** by guardrail `removals`: too many",
        "  - people: `bob@acme.example`",
        "  - remedy: look again",
        "- last run that left everything right: `0123456789ab` of 2026-11-09 12:00 UTC",
        "- changes of past runs: 1",
        "- 0 organization admins: nobody",
        "- on `https://scim.example/v2`, mode enforce",
        "",
        "### People",
        "",
        "| Who | Where | Has | Should have | Why | How and since when |",
        "| --- | --- | --- | --- | --- | --- |",
        "| `bob@acme.example` | organization | viewer | none | nothing in the policy gives it | changed by "
        f"somebody else, {after}; run `0123456789ab` of 2026-11-09 12:00 UTC left none |",
        "| `ann@acme.example` | organization | viewer | admin | temporary grant until 2026-11-23 17:00 UTC, "
        f"`INC-1` ({line}) | how is not known, {after} |",
        "",
        "### To look at",
        "",
        "|  | Who or what | What is so | What to do |",
        "| --- | --- | --- | --- |",
        "| temporary grant | `ann@acme.example` | has a temporary grant until 2026-11-23 17:00 UTC, `INC-1` "
        f"({line}) | write another `expires:` if it is needed for longer |",
        "",
        "### Temporary grants",
        "",
        "| Who | What | When | Why | Line |",
        "| --- | --- | --- | --- | --- |",
        "| `ann@acme.example` | organization admin | until 2026-11-23 17:00 UTC, 5 hours left | `INC-1` "
        f"| {line} |",
    ]


def test_no_drift_and_problems_of_files_are_told() -> None:
    settled = found(policy(), live({"bob": holds()}))
    problem = Problem(Location("team.yaml", 3, 5, "mode"), "unknown mode")
    assert markdown.document([settled], [], [problem], PLAIN).split("\n")[:8] == [
        "**no drift in acme**",
        "",
        "## The policy has 1 problem",
        "",
        "- [`team.yaml:3`](https://host.example/team.yaml#L3) `mode`: unknown mode",
        "",
        "## `acme`",
        "",
    ]


def test_a_thousand_people_fit_the_limit_and_are_counted() -> None:
    crowd = live({f"p{number:05}": holds("viewer") for number in range(1_000)})
    text = markdown.document([found(policy(), crowd)], [], [], PLAIN)
    assert len(text.encode()) <= PLAIN.limit
    assert "**1000 people**: 1000 × changed by somebody else" in text
    assert "people: " in text.rsplit("Left out here: ", 1)[1]


def test_hostile_names_stay_in_code() -> None:
    evil = principal("eve", user_name="@all `x` | <img src=x> \n# #1 [a](http://b)")
    state = replace(live({}, evil), roles={evil.id: holds("admin")})
    text = markdown.document([found(policy(), state)], [], [], PLAIN)
    [line] = [line for line in text.split("\n") if "img" in line and line.startswith("| ")]
    assert line.startswith("| `@all \\x60x\\x60 \\x7c <img src=x> \\n# #1 [a](http://b)` | ")


def test_of_one_organization_nothing_is_said_twice() -> None:
    alone = found(POLICY, live({"ann": holds("viewer"), "bob": holds("viewer")}))
    first, *_ = markdown.document([alone], [], [], PLAIN).split("\n")
    assert first == "## Drift in `acme`"


def test_a_note_about_an_admin_is_no_part_of_the_name() -> None:
    known = found(POLICY, live({"bob": holds("admin")}))
    assert "`bob@acme.example` (given by nothing in the policy)" in markdown.document([known], [], [], PLAIN)
