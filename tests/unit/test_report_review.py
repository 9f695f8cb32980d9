"""Evidence as CSV, JSON and text: nothing is lost, nothing computed by a spreadsheet, nothing hidden."""

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from build import NOW, SERVER, WEB, at, principal, provenance, some

from reconciler import evidence
from reconciler.errors import ReadError
from reconciler.evidence import About, Access, Dossier, Evidence, Holder, Line, Remark
from reconciler.explanation import Explanation, Reason, ScopeExplanation, Standing, Verdict, Written
from reconciler.git.commits import NOT_COMMITTED, Approval, Commit
from reconciler.history import Begun, PastRun
from reconciler.model import ORGANIZATION, Role, provisional
from reconciler.policy.document import Mode, Review
from reconciler.report import review, spreadsheet
from reconciler.reviews import Reviewed
from reconciler.reviews import Standing as ReviewStanding

COMMIT = Commit("c0ffee" * 7, "Ann", NOW, "the shop")
MERGE = Commit("beef" * 10, "Dee", NOW, "Merge pull request #12")
MARK = Review(NOW, "ada@acme.example", at(9))
LINE = Line(
    at(),
    COMMIT,
    Approval(("Fay", "Gil"), MERGE, "ci"),
    Reviewed(ReviewStanding.GOOD, MARK, NOW + timedelta(90)),
    COMMIT,
)
RUN = PastRun(
    "1f2e3d4c5b6a",
    Begun("2026-11-20T10:00:00Z", "acme", SERVER, "enforce", "t", "f", 1, "ci", "abc", None, None, ()),
    (),
    (),
    None,
)
ADMIN = provenance("eng", "admin", line=1, reason="INC-1", until=NOW)
SCOPE = ScopeExplanation(
    ORGANIZATION,
    some("admin"),
    some("admin"),
    Verdict.RIGHT,
    (
        Reason(ADMIN, Standing.APPLIES),
        Reason(provenance("ops", "viewer", line=2), Standing.OUTRANKED, ADMIN),
    ),
    written=Written(RUN, some("admin"), stands=True),
)
REMARK = Remark(About.TEMPORARY, "admin, INC-1")
ACCESS = Access(SCOPE, Role.ADMIN, remarks=(REMARK,))
ANN = principal("ann", external_id="00u1")._replace(display_name="Ann Ng")
LINES = {
    at(1): LINE,
    at(2): replace(LINE, at=at(2), writer=NOT_COMMITTED, approval=NOT_COMMITTED, reviewed=None),
}


def dossier(*accesses: Access, person: Explanation = Explanation(ANN, ()), **changes: Any) -> Dossier:  # noqa: B008
    holder = Holder(person, accesses, (Remark(About.PROTECTED, "no plan"),))
    one = Evidence("acme", SERVER, Mode.ENFORCE, "tree", NOW, 90, (holder,), LINES)
    return replace(Dossier((one,), NOW, "abc", False, "ci", None, "head"), **changes)


def table(made: Dossier, digest: str = "d1") -> list[dict[str, str]]:
    text = spreadsheet.rows(made, digest)
    assert text.startswith("\ufeff")
    assert text.count("\r\n") == text.count("\n"), "RFC 4180"
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def only(made: Dossier) -> dict[str, str]:
    """The one row, without cells that are empty."""
    [row] = table(made)
    return {name: text for name, text in row.items() if text}


HEAD = {
    "organization": "acme",
    "user": "ann@acme.example",
    "display_name": "Ann Ng",
    "external_id": "00u1",
    "id": "u-ann",
    "active": "yes",
    "server": SERVER,
    "as_of": "2026-11-23T12:00:00Z",
    "digest": "d1",
}
WHOLE = {
    **HEAD,
    "scope": "organization",
    "role": "admin",
    "has": "admin",
    "should_have": "admin",
    "verdict": "as it should be",
    "given_by": "temporary grant",
    "name": "eng",
    "reason": "INC-1",
    "until": "2026-11-23T12:00:00Z",
    "file": "team.yaml",
    "line": "1",
    "commit": "c0ffee" * 7,
    "author": "Ann",
    "authored": "2026-11-23T12:00:00Z",
    "subject": "the shop",
    "approved_by": "Fay, Gil",
    "merged_by": "Dee",
    "merge": f"{'beef' * 10} Merge pull request #12",
    "merged": "2026-11-23T12:00:00Z",
    "review": "reviewed",
    "reviewed": "2026-11-23",
    "reviewed_by": "ada@acme.example",
    "review_due": "2027-02-21",
    "written": "2026-11-20T10:00:00Z",
    "run": "1f2e3d4c5b6a",
    "run_by": "ci",
    "run_commit": "abc",
    "also": "outranked: viewer by binding ops (team.yaml:2)",
    "exceptions": "temporary grant: admin, INC-1 | protected: no plan",
}


def test_a_row_of_the_table_has_all_that_is_known() -> None:
    assert only(dossier(ACCESS)) == WHOLE


@pytest.mark.parametrize(
    ("access", "head", "expected"),
    [
        (
            Access(ScopeExplanation(WEB, some(), some("viewer"), Verdict.ADD), None),
            None,
            {"scope": "project web", "role": "none", "has": "none", "given_by": "nothing in the policy"},
        ),
        (
            Access(ScopeExplanation(WEB, some("viewer"), some(), Verdict.TAKE), Role.ADMIN, inherited=True),
            None,
            {"role": "admin", "has": "viewer", "given_by": "role in the organization"},
        ),
        (
            Access(ScopeExplanation(WEB, some("viewer"), some("viewer"), Verdict.HELD), Role.VIEWER),
            "head",
            {"given_by": "held as it is", "written": "unknown: no run of the ledger wrote it"},
        ),
        (
            replace(ACCESS, scope=replace(SCOPE, reasons=(Reason(provenance(line=2), Standing.APPLIES),))),
            "head",
            {
                "commit": "unknown: not committed yet",
                "approved_by": "unknown: not committed yet",
                "merged_by": "unknown: not committed yet",
                "review": "",
            },
        ),
    ],
    ids=["drift", "inherited", "held", "not committed"],
)
def test_what_is_not_known_is_said_with_the_reason(
    access: Access, head: str | None, expected: dict[str, str]
) -> None:
    [row] = table(dossier(access, head=head))
    assert expected.items() <= row.items()
    if head is None:
        assert row["written"] == "unknown: no ledger was read"


def test_who_let_a_squashed_commit_in_is_not_known_but_who_committed_it_is() -> None:
    lines = {**LINES, at(1): replace(LINE, approval=Approval((), None, "GitHub"))}
    made = dossier(ACCESS)
    row = only(replace(made, evidence=(replace(made.evidence[0], lines=lines),)))
    assert row["approved_by"] == "unknown: no commit names anybody"
    assert row["merged_by"] == "no merge: committed by GitHub"


def test_values_that_are_not_the_policy_s_have_rows_of_their_own() -> None:
    person = Explanation(
        ANN._replace(active=None), (), classes=("contractor", "vendor"), foreign=("billing",)
    )
    assert only(dossier(person=person)) == {
        **HEAD,
        "active": "unknown: the server does not say",
        "classes": "contractor, vendor",
        "has": "billing",
        "given_by": "not the policy's",
        "exceptions": "protected: no plan",
    }


def test_who_has_no_account_yet_has_no_id() -> None:
    joiner = ANN._replace(id=provisional("ann"))
    row = only(dossier(ACCESS, person=Explanation(joiner, ())))
    assert (row["active"], row.get("id")) == ("no account yet", None)
    document: Any = review.data(dossier(ACCESS, person=Explanation(joiner, ())))
    assert document["organizations"][0]["people"][0]["id"] is None


def test_an_organization_that_could_not_be_read_has_a_row() -> None:
    rows = table(dossier(ACCESS, failures=(("umbrella", ReadError("the server is down")),)))
    assert [row["organization"] for row in rows] == ["acme", "umbrella"]
    assert rows[1]["exceptions"] == "could not be read: the server is down"
    assert rows[1]["digest"] == "d1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" =1", " '=1"),
        ("\t=1", r"\t=1"),
        ("\r=1", r"\r=1"),
        ("＝1", "'＝1"),
        ("ann;=cmd|' /C calc'!A0", "ann;'=cmd|' /C calc'!A0"),
        ("ann, @x | -y", "ann, '@x | '-y"),
        ("ann@acme.example", "ann@acme.example"),
        ("a-b=c+d", "a-b=c+d"),
        ("2026-11-23T12:00:00Z", "2026-11-23T12:00:00Z"),
        ("a\nb\x1b[2J\u202e", r"a\nb\x1b[2J\u202e"),
        ("\ud800", r"\ud800"),
        ("", ""),
    ],
)
def test_no_cell_is_a_formula_or_obeyed_by_a_terminal(text: str, expected: str) -> None:
    assert spreadsheet.cell(text) == expected


def test_hostile_names_stay_in_their_cells() -> None:
    hostile = 'x","y"\r\n=HYPERLINK("http://evil")'
    person = Explanation(ANN._replace(user_name=hostile, display_name="=1+1"), ())
    row = only(dossier(ACCESS, person=person))
    assert row["user"] == 'x","y"\\r\\n=HYPERLINK("http://evil")'
    assert row["display_name"] == "'=1+1"


# As JSON


def test_the_document_says_everything_and_its_digest_is_of_all_of_it() -> None:
    made = dossier(ACCESS, failures=(("umbrella", ReadError("the server is down", "wait")),))
    document = json.loads(review.as_json(review.data(made)))
    assert document.pop("digest") == evidence.digest(document)
    [acme] = document.pop("organizations")
    assert document == {
        "format": "reconciler.review/1",
        "made": "2026-11-23T12:00:00+00:00",
        "commit": "abc",
        "dirty": False,
        "who": "ci",
        "pipeline": None,
        "ledger": "head",
        "failures": [
            {"organization": "umbrella", "message": "the server is down", "hint": "wait", "exit_code": 7}
        ],
    }
    assert acme["people"] == [
        {
            "user": "ann@acme.example",
            "id": "u-ann",
            "display_name": "Ann Ng",
            "external_id": "00u1",
            "active": True,
            "classes": [],
            "ends": None,
            "protected": None,
            "foreign": [],
            "exceptions": [{"about": "protected", "words": "no plan"}],
            "scopes": [
                {
                    "scope": {"project": None},
                    "role": "admin",
                    "inherited": False,
                    "live": ["admin"],
                    "desired": ["admin"],
                    "verdict": "as it should be",
                    "sources": [
                        {
                            "standing": "applies",
                            "entry": "temporary grant",
                            "name": "eng",
                            "role": "admin",
                            "reason": "INC-1",
                            "since": None,
                            "until": "2026-11-23T12:00:00+00:00",
                            "line": "team.yaml:1:1",
                        },
                        {
                            "standing": "outranked",
                            "entry": "binding",
                            "name": "ops",
                            "role": "viewer",
                            "reason": None,
                            "since": None,
                            "until": None,
                            "line": "team.yaml:2:1",
                        },
                    ],
                    "written": {
                        "run": "1f2e3d4c5b6a",
                        "at": "2026-11-20T10:00:00Z",
                        "who": "ci",
                        "commit": "abc",
                        "after": ["admin"],
                        "stands": True,
                    },
                    "exceptions": [{"about": "temporary grant", "words": "admin, INC-1"}],
                }
            ],
        }
    ]
    writer = {
        "commit": "c0ffee" * 7,
        "author": "Ann",
        "at": "2026-11-23T12:00:00+00:00",
        "subject": "the shop",
        "or_earlier": False,
    }
    assert acme["lines"] == {
        "team.yaml:1:1": {
            "file": "team.yaml",
            "line": 1,
            "path": "",
            "writer": writer,
            "approval": {
                "reviewers": ["Fay", "Gil"],
                "merge": {
                    **writer,
                    "commit": "beef" * 10,
                    "author": "Dee",
                    "subject": "Merge pull request #12",
                },
                "committer": "ci",
            },
            "review": {
                "standing": "reviewed",
                "date": "2026-11-23T12:00:00+00:00",
                "by": "ada@acme.example",
                "due": "2027-02-21T12:00:00+00:00",
                "line": "team.yaml:9:1",
                "writer": writer,
            },
        },
        "team.yaml:2:1": {
            "file": "team.yaml",
            "line": 2,
            "path": "",
            "writer": {"unknown": "not committed yet"},
            "approval": {"unknown": "not committed yet"},
            "review": None,
        },
    }


@pytest.mark.parametrize(
    "value", [{}, [], {"a": []}, [[], {"b": [{"c": {"d": [1, {"e": None}]}}]}], "x\ud800"]
)
def test_the_layout_of_the_document_changes_nothing_of_it(value: Any) -> None:
    document: dict[str, object] = {"one": value, "two": [value, value], "three": {"four": value}}
    assert json.loads(review.as_json(document)) == document


def test_each_person_has_a_line_of_the_file() -> None:
    made = dossier(ACCESS)
    twice = replace(made.evidence[0], holders=made.evidence[0].holders * 2)
    text = review.as_json(review.data(replace(made, evidence=(twice,))))
    assert sum(line.startswith('    {"user": ') for line in text.splitlines()) == 2


# As text


def test_text_sums_up_and_lists_what_is_exceptional() -> None:
    assert review.text(dossier(ACCESS, dirty=True), "d1") == [
        "acme on https://scim.example/v2, mode enforce, as of 2026-11-23 12:00 UTC",
        "1 person, 1 role looked at, 1 organization admin",
        "exceptions:",
        "  temporary grant: 1",
        "    ann@acme.example, organization: admin, INC-1",
        "  protected: 1",
        "    ann@acme.example: no plan",
        "",
        "commit  abc, and files that differ from it",
        "ledger  head",
        "digest  d1",
    ]


def test_of_many_exceptions_the_first_are_shown_and_nothing_is_obeyed() -> None:
    many = tuple(Remark(About.FINDING, f"\x1b[2J{number}") for number in range(23))
    made = dossier(replace(ACCESS, remarks=many), commit=None, head=None)
    lines = review.text(made, "d1")
    assert "  to look at: 23" in lines
    assert "    ann@acme.example, organization: \\x1b[2J0" in lines
    assert "    and 3 more" in lines
    assert lines[-3:] == [
        "commit  unknown: git does not tell",
        "ledger  unknown: none was read",
        "digest  d1",
    ]


def test_what_is_so_of_a_line_is_told_once_for_all_whom_it_gives_something() -> None:
    remark = Remark(About.REVIEW, "team.yaml:1 was never reviewed")
    made = dossier(*[replace(ACCESS, remarks=(remark,))] * 3)
    lines = review.text(made, "d1")
    assert lines[5:7] == ["  review: 1", "    team.yaml:1 was never reviewed, which gives 3 roles"]


def test_where_all_is_ordinary_that_is_said() -> None:
    made = dossier(replace(ACCESS, remarks=()))
    holder = replace(made.evidence[0].holders[0], remarks=())
    one = replace(made.evidence[0], holders=(holder,))
    assert review.text(replace(made, evidence=(one,)), "d1")[2] == "no exceptions"
