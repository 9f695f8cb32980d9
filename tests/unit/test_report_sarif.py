"""SARIF as GitHub takes it: what its documentation calls required is there and is not empty."""

import json
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from jsonschema import Draft202012Validator

from reconciler.problem import Location, Problem
from reconciler.report import sarif

TEXT = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 1024}},
}
NAME = {"type": "string", "minLength": 1, "maxLength": 255}
COUNT = {"type": "integer", "minimum": 1}
LEVEL = {"enum": ["note", "warning", "error"]}
RULE = {
    "type": "object",
    "required": ["id", "shortDescription", "fullDescription", "help"],
    "properties": {
        "id": NAME,
        "shortDescription": TEXT,
        "fullDescription": TEXT,
        "help": TEXT,
        "defaultConfiguration": {"required": ["level"], "properties": {"level": LEVEL}},
        "properties": {
            "properties": {
                "tags": {"type": "array", "items": NAME},
                "precision": {"enum": ["very-high", "high", "medium", "low"]},
                "problem.severity": {"enum": ["error", "warning", "recommendation"]},
            }
        },
    },
    "additionalProperties": False,
}
REGION = ["startLine", "startColumn", "endLine", "endColumn"]
PLACE = {
    "type": "object",
    "required": ["artifactLocation", "region"],
    "properties": {
        "artifactLocation": {
            "type": "object",
            "required": ["uri"],
            "properties": {
                "uri": {"type": "string", "pattern": r"^(file://)?([A-Za-z0-9._~/-]|%[0-9A-F]{2})+$"},
                "uriBaseId": NAME,
            },
            "additionalProperties": False,
        },
        "region": {
            "type": "object",
            "required": REGION,
            "properties": dict.fromkeys(REGION, COUNT),
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
RESULT = {
    "type": "object",
    "required": ["ruleId", "message", "locations", "partialFingerprints"],
    "properties": {
        "ruleId": NAME,
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": LEVEL,
        "message": {**TEXT, "properties": {"text": {"type": "string", "minLength": 1}}},
        "locations": {
            "type": "array",
            "minItems": 1,
            "maxItems": 10,
            "items": {"required": ["physicalLocation"], "properties": {"physicalLocation": PLACE}},
        },
        "partialFingerprints": {
            "type": "object",
            "required": ["primaryLocationLineHash"],
            "properties": {"primaryLocationLineHash": NAME},
        },
    },
    "additionalProperties": False,
}
LOG = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "$schema": {"const": "https://json.schemastore.org/sarif-2.1.0.json"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 20,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "rules"],
                                "properties": {
                                    "name": NAME,
                                    "version": NAME,
                                    "rules": {"type": "array", "minItems": 1, "items": RULE},
                                },
                                "additionalProperties": False,
                            }
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "originalUriBaseIds": {"type": "object"},
                    "results": {"type": "array", "maxItems": 25_000, "items": RESULT},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
"""What GitHub's page "SARIF support for code scanning" requires, with its limits, of what we use."""


def run(*problems: Problem) -> Any:
    """The only run of a document that is as GitHub wants it."""
    document = json.loads(sarif.validate(problems, "0.1.0"))
    Draft202012Validator(LOG).validate(document)
    [found] = document["runs"]
    rules = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    assert [rules[one["ruleIndex"]] for one in found["results"]] == [
        one["ruleId"] for one in found["results"]
    ]
    return found


def problem(path: str = "bindings[3].group", message: str = "no such group", *, line: int = 12) -> Problem:
    return Problem(Location("policies/acme/web.yaml", line, 5, path), message, "correct it")


def uri(file: str) -> Any:
    [result] = run(Problem(Location(file, 1, 1), "wrong"))["results"]
    return result["locations"][0]["physicalLocation"]["artifactLocation"]


def fingerprints(*problems: Problem) -> list[str]:
    return [one["partialFingerprints"]["primaryLocationLineHash"] for one in run(*problems)["results"]]


def test_a_problem_is_a_result_on_its_line() -> None:
    [result] = run(problem())["results"]
    result.pop("partialFingerprints")
    assert result == {
        "ruleId": "policy/bindings",
        "ruleIndex": 2,
        "level": "error",
        "message": {"text": "no such group; correct it"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "policies/acme/web.yaml", "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": 12, "startColumn": 5, "endLine": 12, "endColumn": 6},
                }
            }
        ],
    }


def test_a_problem_of_a_whole_file_is_shown_at_its_beginning() -> None:
    [result] = run(Problem(Location("empty.yaml"), "nothing is in it"))["results"]
    region = result["locations"][0]["physicalLocation"]["region"]
    assert (result["ruleId"], region) == (
        "policy/file",
        {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 2},
    )


def test_without_a_problem_there_is_a_run_without_results() -> None:
    assert run()["results"] == []


def test_columns_are_counted_as_the_reader_of_yaml_counts_them() -> None:
    assert run()["columnKind"] == "unicodeCodePoints"


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("bindings[0]", "policy/bindings"),
        ("bindings", "policy/bindings"),
        ("grants[1].expires", "policy/grants"),
        ("service_accounts[0].review", "policy/service_accounts"),
        ("projects.checkout", "policy/organization"),
        ("bindingsx", "policy/organization"),
        ("", "policy/file"),
    ],
)
def test_the_rule_is_the_part_of_the_policy(path: str, rule: str) -> None:
    assert [one["ruleId"] for one in run(problem(path))["results"]] == [rule]


def test_a_fingerprint_stays_where_lines_and_entries_move() -> None:
    assert fingerprints(problem()) == fingerprints(problem("bindings[7].group", line=40))


def test_fingerprints_keep_problems_apart() -> None:
    other_file = Problem(Location("b.yaml", 1, 1, "bindings[3].group"), "no such group")
    several = [problem(), problem("bindings[4].group"), problem(message="other"), problem("grants[3].user")]
    found = fingerprints(*several, other_file)
    assert len(set(found)) == 5
    assert [one.split(":")[1] for one in found] == ["1", "2", "1", "1", "1"]


@pytest.mark.parametrize(
    "file",
    [
        "with space/a#b?c%20.yaml",
        "c:/odd.yaml",
        "javascript:alert(1).yaml",
        "../up.yaml",
        "Zoë.yaml",
        "not-utf8-\udcff.yaml",
        "line\nbreak.yaml",
        "back\\slash.yaml",
        "[b]'\"<>.yaml",
    ],
)
def test_any_name_of_a_file_is_a_relative_uri_that_leads_back_to_it(file: str) -> None:
    found = uri(file)
    assert found["uriBaseId"] == "%SRCROOT%"
    assert unquote_to_bytes(found["uri"]) == file.encode(errors="surrogateescape")
    assert ":" not in found["uri"]


def test_a_file_elsewhere_has_a_uri_of_its_own() -> None:
    assert uri("/srv/my policies/web.yaml") == {"uri": "file:///srv/my%20policies/web.yaml"}


def test_a_message_is_one_harmless_line() -> None:
    [result] = run(problem(message="a\x1b[31m\n\ud800b"))["results"]
    assert result["message"]["text"] == "a\\x1b[31m\\n\\ud800b; correct it"


def test_no_more_results_are_written_than_github_takes() -> None:
    document = json.loads(sarif.validate([problem()] * 25_001, "0.1.0"))
    assert len(document["runs"][0]["results"]) == 25_000
