"""Problems as text and as JSON."""

import json

from reconciler.problem import Location, Problem, did_you_mean
from reconciler.report import problems as report

PROBLEMS = [
    Problem(Location("a.yaml"), "the file is gone"),
    Problem(Location("b.yaml", 3, 7, "mode"), "unknown mode 'x\x1b', did you mean 'y'?", "write y"),
    Problem(Location("b.yaml", 4, 1, "owner"), "the owner is empty", "write one"),
]


def test_each_problem_is_one_line_with_place_message_and_remedy() -> None:
    assert report.lines(PROBLEMS) == [
        "a.yaml: the file is gone",
        r"b.yaml:3:7 mode: unknown mode 'x\x1b', did you mean 'y'? write y",
        "b.yaml:4:1 owner: the owner is empty; write one",
    ]


def test_the_summary_counts_problems_and_files() -> None:
    assert report.summary(PROBLEMS) == "3 problems in 2 files"
    assert report.summary(PROBLEMS[:1]) == "1 problem in 1 file"


def test_json_is_one_document_with_the_same_problems() -> None:
    assert json.loads(report.as_json(PROBLEMS)) == {
        "format": "reconciler.validate/1",
        "valid": False,
        "problems": [
            {
                "file": "a.yaml",
                "line": None,
                "column": None,
                "path": "",
                "message": "the file is gone",
                "remedy": "",
            },
            {
                "file": "b.yaml",
                "line": 3,
                "column": 7,
                "path": "mode",
                "message": "unknown mode 'x\x1b', did you mean 'y'?",
                "remedy": "write y",
            },
            {
                "file": "b.yaml",
                "line": 4,
                "column": 1,
                "path": "owner",
                "message": "the owner is empty",
                "remedy": "write one",
            },
        ],
    }


def test_json_holds_nothing_that_a_terminal_would_obey() -> None:
    assert all(line.isprintable() for line in report.as_json(PROBLEMS).splitlines())


def test_no_problem_is_valid() -> None:
    assert json.loads(report.as_json([])) == {
        "format": "reconciler.validate/1",
        "valid": True,
        "problems": [],
    }


def test_a_suggestion_ignores_letter_case_and_is_only_made_where_something_is_close() -> None:
    assert did_you_mean("Admn", ["viewer", "admin"]) == ", did you mean 'admin'?"
    assert did_you_mean("owner", ["viewer", "admin"]) == ""
    assert did_you_mean("", []) == ""
