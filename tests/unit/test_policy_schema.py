"""The published schemas: fit for an editor, and in agreement with what the program accepts."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.policy import schema, times, wording
from reconciler.policy.build import Builder
from reconciler.policy.marked import MOST_PROBLEMS, MarkedDocument, Value
from reconciler.policy.reader import parse

names = pytest.mark.parametrize("name", schema.SCHEMAS)
worded = pytest.mark.parametrize("name", [*schema.SCHEMAS, "directory"])
"""The schemas whose every fault has words."""


def published(name: str) -> Any:
    return json.loads(schema.text(name))


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema in a schema."""
    if not isinstance(node, dict):
        return
    yield node
    inside = [node.get("items"), node.get("additionalProperties"), node.get("propertyNames")]
    for key in ("properties", "$defs"):
        inside += node.get(key, {}).values()
    for key in ("anyOf", "allOf"):
        inside += node.get(key, [])
    for inner in inside:
        yield from nodes(inner)


@worded
def test_a_schema_is_valid_json_schema_and_stands_by_itself(name: str) -> None:
    document = published(name)
    Draft202012Validator.check_schema(document)
    references = [node["$ref"] for node in nodes(document) if "$ref" in node]
    assert all(reference.removeprefix("#/$defs/") in document["$defs"] for reference in references)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@worded
def test_every_key_is_described_with_an_example_and_every_mapping_is_closed(name: str) -> None:
    document = published(name)
    for node in nodes(document):
        for key, inner in node.get("properties", {}).items():
            described = {**document["$defs"].get(inner.get("$ref", "")[8:], {}), **inner}
            assert described.keys() >= {"title", "description", "examples"}, key
        if "properties" in node:
            assert node["additionalProperties"] is False


@worded
def test_every_example_and_default_is_accepted(name: str) -> None:
    document = published(name)
    for node in nodes(document):
        if "$ref" in node or "type" in node:
            validator = Draft202012Validator({**node, "$defs": document.get("$defs", {})})
            for example in [*node.get("examples", []), *([node["default"]] if "default" in node else [])]:
                validator.validate(example)


@worded
def test_every_keyword_that_can_fail_has_words(name: str) -> None:
    silent = {
        *("$schema", "$id", "$ref", "$defs", "title", "description", "examples", "default"),
        *("properties", "items", "propertyNames", "allOf", "format"),
    }
    used = {keyword for node in nodes(published(name)) for keyword in node}
    assert used - silent <= wording.KEYWORDS.keys()


def test_the_defaults_of_the_schema_are_those_of_the_program() -> None:
    document = published("organization")
    defaults = {path: node["default"] for path, node in _by_path(document["properties"]) if "default" in node}
    organization = Builder(
        MarkedDocument("f.yaml", {"organization": "acme", "mode": "report"})
    ).organization()
    guardrails, roles, lifecycle = organization.guardrails, organization.roles, organization.lifecycle
    directory, notice = organization.directory, organization.notice
    assert defaults == {
        "organization_roles": "managed" if organization.organization_roles_managed else "unmanaged",
        "directory.members_from": str(directory.members_from),
        "directory.nested": directory.nested,
        "directory.oldest": directory.oldest,
        "directory.log": directory.log,
        "lifecycle.joiners": "create" if lifecycle.creates else "report",
        "lifecycle.leavers": "deactivate" if lifecycle.deactivates else "report",
        "lifecycle.returners": "reactivate" if lifecycle.reactivates else "report",
        "lifecycle.attributes": "repair" if lifecycle.repairs else "report",
        "lifecycle.grace": lifecycle.grace,
        "notice.ending": notice.ending,
        "notice.ended": notice.ended,
        "guardrails.minimum_admins": guardrails.minimum_admins,
        "guardrails.removals": asdict(guardrails.removals),
        "guardrails.demotions": asdict(guardrails.demotions),
        "guardrails.last_roles": asdict(guardrails.last_roles),
        "guardrails.deactivations": asdict(guardrails.deactivations),
        "guardrails.expiries": asdict(guardrails.expiries),
        "guardrails.emptied_groups": guardrails.emptied_groups,
        "guardrails.admins_gained": guardrails.admins_gained,
        "guardrails.longest_grant": guardrails.longest_grant,
        "guardrails.creations": guardrails.creations,
        "guardrails.corrections": guardrails.corrections,
        "roles.stored_as": str(roles.stored_as),
        "roles.organization": roles.organization,
        "roles.project": roles.project,
    }


def _by_path(properties: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, node in properties.items():
        yield above + key, node
        yield from _by_path(node.get("properties", {}), f"{above}{key}.")


# Documents that are nearly right: most keys and values are the language's, some are not.

words = st.sampled_from(
    ["acme", "eng-web", "admin", "viewer", "admn", "report", "enforce", "scim", "groups", "user-groups"]
)
odd_texts = st.sampled_from(
    [
        "",
        " ",
        " a",
        "a ",
        "a\n",
        "a\tb",
        "\u202ea",
        "A",
        "a-",
        "ü",
        "x" * 256,
        "{role}",
        "{role}{project}",
        "{rol}",
    ]
)
time_texts = st.one_of(
    st.dates().map(str),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.from_regex(
        r"20[0-9]{2}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](Z|[+-][0-2][0-9]:[0-9]{2}))?",
        fullmatch=True,
    ),
)
scalars = st.one_of(
    words, odd_texts, time_texts, st.integers(-1, 101), st.booleans(), st.none(), st.text(max_size=3)
)
KEYS = sorted(
    {key for name in schema.SCHEMAS for node in nodes(published(name)) for key in node.get("properties", {})}
)
keys = st.one_of(
    st.sampled_from(KEYS), st.sampled_from(["storefront", "projcts", "Mode", ""]), st.text(max_size=2)
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def nearly(node: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Mostly what a schema node describes; now and then something else."""
    return st.integers(0, 39).flatmap(lambda dice: anything if dice == 39 else _right(node, root))


def _right(node: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in node:
        node = {**root["$defs"][node["$ref"][8:]], **node}
    if "properties" in node:
        inner = {key: nearly(value, root) for key, value in node["properties"].items()}
        required = {key: inner.pop(key) for key in node.get("required", ())}
        mapping = st.fixed_dictionaries(required, optional=inner)
        return mapping | nearly(root["$defs"]["name"], root) if "string" in node["type"] else mapping
    if isinstance(node.get("additionalProperties"), dict):
        return st.dictionaries(words, nearly(node["additionalProperties"], root), max_size=3)
    if "items" in node:
        return st.lists(nearly(node["items"], root), max_size=3)
    fitting = st.sampled_from([*node.get("examples", []), *node.get("enum", [])])
    return st.integers(0, 19).flatmap(lambda dice: scalars if dice >= 18 else fitting)


def marked(value: Value) -> MarkedDocument:
    """A document whose places have no lines: enough for what is compared here."""
    return MarkedDocument("f.yaml", value)


@names
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_the_program_accepts_what_the_schema_accepts_and_words_each_refusal(
    name: str, data: st.DataObject
) -> None:
    document = published(name)
    value = data.draw(nearly(document, document))
    told = schema.check(marked(value), name)
    assert (told == []) == _strict(document).is_valid(value)
    assert all(problem.message and problem.remedy for problem in told)
    built = Builder(marked(value), told)
    built.organization()
    assert len(built.bindings()) <= MOST_PROBLEMS
    built.grants()
    built.people()
    built.service_accounts()
    built.assertions()


def _strict(document: Any) -> Any:
    """A validator made apart from the program's, with what JSON Schema means by `format` and `pattern`."""
    checker = Draft202012Validator.FORMAT_CHECKER.__class__(formats=())
    checker.checks("date")(lambda text: not isinstance(text, str) or times.exists(text))
    checker.checks("date-time")(lambda text: not isinstance(text, str) or times.exists(text))
    ends = json.loads(json.dumps(document).replace('$"', '(?![\\\\s\\\\S])"'))
    return Draft202012Validator(ends, format_checker=checker)


def test_no_more_than_a_hundred_problems_of_a_file_are_told_and_nothing_is_built_of_it() -> None:
    lines = "".join(f"  - group: eng-{number}\n    organization: admn\n" for number in range(5000))
    document = parse(f"version: 1\nbindings:\n{lines}  - group: x\n    organization: admin\n", "f.yaml")
    told = schema.check(document, "policy")
    assert (len(told), told[-1].message) == (
        MOST_PROBLEMS + 1,
        "the file has more problems than the 100 that are told",
    )
    assert Builder(document, told).bindings() == ()


@worded
def test_patterns_mean_the_same_to_an_editor(name: str) -> None:
    regress = pytest.importorskip("regress", reason="ECMAScript's regular expressions")
    texts = [
        "acme",
        "a\n",
        " a",
        "a ",
        "a\tb",
        "a\u202eb",
        "Ü 🚀",
        "{role}",
        "{role}-{project}",
        "{",
        "",
        "2026-11-27",
        "x\u00a0",
    ]
    for node in nodes(published(name)):
        if "pattern" in node:
            for text in texts:
                here = not list(schema._pattern(None, node["pattern"], text, node))  # type: ignore[arg-type]
                assert here == (regress.Regex(node["pattern"], "u").find(text) is not None), (
                    node["pattern"],
                    text,
                )
