"""Pages without a browser: data that is shared, lines, bars, times that are left, one closed file."""

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from build import NOW, at, binding, grant, group, membership, policy
from pages.world import past, user_name, world

from reconciler import drifted
from reconciler.errors import ReadError
from reconciler.history import Ended
from reconciler.model import ORGANIZATION, DirectoryGroup, Role, Scope
from reconciler.problem import Problem
from reconciler.report import page
from reconciler.report.page import matrix, picture, terms, trend

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "<img src=x onerror=alert(1)>",
    "evil\u202egpj\x1b[2J",
)
REQUESTS = re.compile(r"""\b(src|srcset|action|style|on[a-z]+)=|url\((?!#)|@import|<link""")


def rendered(**how: object) -> str:
    return page.drift([drifted.of(world(**how))], [], NOW)  # type: ignore[arg-type]


def test_people_of_one_group_share_their_cells() -> None:
    few, many = (matrix.of(world(number, groups=1, drifted_every=1000)).data for number in (100, 900))
    assert len(str(few["cells"])) == len(str(many["cells"]))
    assert len(str(few["reasons"])) == len(str(many["reasons"]))


def test_a_cell_has_both_sides_the_verdict_and_why() -> None:
    found = matrix.of(world(10))
    data = json.loads(json.dumps(found.data))
    name, display, marks, *cells = data["people"][3]
    assert (name, display, marks, len(cells)) == (user_name(3), "Deepak Okafor", "", len(data["scopes"]))
    has, should, verdict, reasons, remarks = data["cells"][cells[0]]
    assert (has, should, verdict, remarks) == (4, 1, "to be taken", [])
    assert [data["reasons"][number] for number in reasons] == [
        [1, "applies", "group eng-001", "teams/teams.yaml:15", []]
    ]
    assert data["cells"][0] == [0, 0, "", [], []]
    assert found.rows[3].cells == ("admin → viewer", "", "contributor", "admin", "viewer", "")


def test_a_line_goes_from_the_middle_of_a_group_to_the_middle_of_a_scope() -> None:
    found = picture.of(policy(binding("eng", "viewer", web="admin")), membership(group("eng", "ann", "bob")))
    assert [(one.name, one.people) for one in found.groups] == [("eng", 2)]
    assert found.scopes == (ORGANIZATION, Scope("web"))
    assert [(line.role, line.path) for line in found.lines] == [
        (Role.ADMIN, "M0 10C45 10 55 15 100 15"),
        (Role.VIEWER, "M0 10C45 10 55 5 100 5"),
    ]


def test_a_group_that_nobody_can_look_into_is_drawn_without_a_number() -> None:
    hidden = DirectoryGroup("g-eng", "eng", None, "403")
    found = picture.of(policy(binding("eng", "viewer"), binding("gone", "viewer")), membership(hidden))
    assert [(one.name, one.people) for one in found.groups] == [("eng", None), ("gone", None)]


def test_bindings_of_one_group_are_lines_of_one_group() -> None:
    written = policy(binding("eng", "viewer", line=3), binding("eng", web="admin", line=9))
    [found] = picture.of(written, membership(group("eng"))).groups
    assert [line.at.line for line in found.lines] == [3, 9]


@pytest.mark.parametrize(
    ("starts", "expires", "told"),
    [
        (-9, 1, ("1 day left", 0.1, True)),
        (-1, 9, ("9 days left", 0.9, False)),
        (2, 4, ("begins in 2 days", 1.0, False)),
    ],
    ids=["nearly over", "just begun", "to come"],
)
def test_what_is_left_of_a_temporary_grant(starts: int, expires: int, told: tuple[str, float, bool]) -> None:
    overview = world(3)
    given = grant(
        "ann", "admin", starts=NOW + timedelta(days=starts), expires=NOW + timedelta(days=expires, seconds=1)
    )
    case = replace(overview.case, policy=replace(overview.case.policy, grants=(given,)), now=NOW)
    [one] = terms.grants(drifted.of(replace(overview, case=case)))
    assert (one.left, round(one.share, 1), one.soon) == told


def test_a_bar_stacks_what_became_of_a_runs_changes() -> None:
    runs = [past(2, applied=3, failed=1), past(1, applied=0, refused="removals")]
    found = trend.of(runs)
    assert (found.most, found.total) == (4, 2)
    assert found.bars[0].parts == (trend.Part("applied", 25.0, 75.0), trend.Part("failed", 0.0, 25.0))
    assert (found.bars[1].parts, found.bars[1].refused) == ((), True)


def test_of_many_runs_the_last_are_drawn() -> None:
    runs = [past(number) for number in range(100, 0, -1)]
    found = trend.of(runs)
    assert (found.total, [bar.run for bar in found.bars]) == (100, runs[-trend.SHOWN :])


def test_a_run_that_did_not_end_is_drawn_all_the_same() -> None:
    assert not trend.of([replace(past(1), ended=None)]).bars[0].refused
    assert trend.of([replace(past(1), ended=Ended(NOW.isoformat(), "stale"))]).bars[0].refused


def test_the_policy_of_the_page_allows_its_own_style_and_script_and_nothing_else() -> None:
    text = rendered()
    [allowed] = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    [style] = re.findall(r"<style>(.*?)</style>", text, re.S)
    [script] = re.findall(r"<script>(.*?)</script>", text, re.S)
    hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in (style, script)]
    assert allowed == (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not REQUESTS.search(re.sub(r"<script.*?</script>", "", text, flags=re.S))


def test_hostile_names_stay_text_in_markup_and_in_data() -> None:
    text = rendered(people=12, names=HOSTILE, name="<b>acme")
    assert "<img" not in text
    assert "<b>acme" not in text
    assert text.count("<script") == 2
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert html.escape(HOSTILE[0], quote=False) in text
    [data] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    people = json.loads(data)["organizations"][0]["matrix"]["people"]
    assert {"evil\\u202egpj\\x1b[2J", *HOSTILE[:3]} <= {person[0] for person in people}


def test_what_could_not_be_looked_at_and_an_invalid_policy_are_told() -> None:
    failure = ("gamma", ReadError("answered `503`", "try later"))
    text = page.drift([], [failure], NOW, [Problem(at(3), "no `admn`")])
    assert "nothing is known of drift; 1 organization could not be looked at" in text
    assert "<bdi>gamma</bdi> could not be looked at" in text
    assert "no <code>admn</code>" in text


def test_no_drift_is_told_too() -> None:
    text = rendered(drifted_every=2)
    assert '<h2 id="verdict-0">No drift: everybody has what the policy gives them.</h2>' in text
