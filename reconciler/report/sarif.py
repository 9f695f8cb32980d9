"""Problems of policies as SARIF 2.1.0, so that a code host shows each on its line. Prints nothing.

Written to what GitHub's code scanning asks for.
"""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from urllib.parse import quote

from reconciler.problem import Location, Problem
from reconciler.report.plain import printable

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST = 25_000
"""GitHub refuses a file with more results in one run."""

RULES = {
    "file": "A policy file that can't be read",
    "organization": "A problem of organization.yaml",
    "bindings": "A problem of a binding",
    "grants": "A problem of a temporary grant",
    "people": "A problem of what the policy says of a person",
    "service_accounts": "A problem of a service account",
    "assertions": "A problem of an assertion",
}
"""Which part of a policy a problem is in, as its place in the document begins. Alerts are known by these."""

_INDEX = re.compile(r"\[\d+\]")
_ELSEWHERE = "organization"

Json = dict[str, object]


def validate(
    problems: Sequence[Problem], version: str, base: str = "The folder the program was run in"
) -> str:
    """One run with a result for each problem; `version` is the program's.

    Files are told from the folder that `base` describes, unless they are absolute.
    """
    told = problems[:MOST]
    seen: Counter[str] = Counter()
    results = [_result(problem, seen) for problem in told]
    driver = {
        "name": "reconciler",
        "version": version,
        "rules": [_rule(name, about) for name, about in RULES.items()],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": base}}},
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(name: str, about: str) -> Json:
    return {
        "id": f"policy/{name}",
        "shortDescription": {"text": about},
        "fullDescription": {"text": f"{about}. `reconciler validate` tells what to write instead."},
        "help": {
            "text": "The policy language is told in docs/policy.md, and its keys by `reconciler schema`."
        },
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["access", "policy"], "precision": "very-high", "problem.severity": "error"},
    }


def _result(problem: Problem, seen: Counter[str]) -> Json:
    rule = _rule_of(problem.at)
    return {
        "ruleId": f"policy/{rule}",
        "ruleIndex": list(RULES).index(rule),
        "level": "error",
        "message": {"text": printable(_message(problem))},
        "locations": [{"physicalLocation": _place(problem.at)}],
        "partialFingerprints": {"primaryLocationLineHash": _fingerprint(problem, rule, seen)},
    }


def _rule_of(at: Location) -> str:
    if not at.path:
        return "file"
    first = re.split(r"[.\[]", at.path, maxsplit=1)[0]
    return first if first in RULES else _ELSEWHERE


def _message(problem: Problem) -> str:
    """The same as on a terminal, without the place."""
    return str(Problem(Location(""), problem.message, problem.remedy)).removeprefix(": ")


def _place(at: Location) -> Json:
    """GitHub wants all four ends of a region: it is the one character at which the problem begins."""
    line, column = max(at.line, 1), max(at.column, 1)
    region = {"startLine": line, "startColumn": column, "endLine": line, "endColumn": column + 1}
    return {"artifactLocation": _artifact(at.file), "region": region}


def _artifact(file: str) -> Json:
    """A file's URI: from the folder that all are told from, unless it lies elsewhere."""
    path = quote(os.fsencode(file), safe="/")
    if path.startswith("/"):
        return {"uri": f"file://{path}"}
    return {"uri": path or ".", "uriBaseId": "%SRCROOT%"}


def _fingerprint(problem: Problem, rule: str, seen: Counter[str]) -> str:
    """What stays the same where entries or lines move; equal problems of a file are counted through."""
    path = _INDEX.sub("[]", problem.at.path)
    told = json.dumps([rule, problem.at.file, path, problem.message])
    hashed = hashlib.sha256(told.encode()).hexdigest()[:16]
    seen[hashed] += 1
    return f"{hashed}:{seen[hashed]}"
