"""The quick judge of documents says what jsonschema says, of every keyword and every kind of value."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.policy import conformity

VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 101, 1.0, 1.5),
    *("", "a", "ab", "a\n", "abc", "1", "ü", "2026-11-27", "2026-02-30", "x" * 9),
    *(
        [],
        [1],
        ["a"],
        ["a", "a"],
        ["a", "b"],
        [1, 1],
        ["1", 1],
        [{"a": 1}, {"a": 1}],
        [{"a": 1}, {"a": 2}],
        [[], []],
    ),
    *({}, {"a": 1}, {"a": "1"}, {"b": 1}, {"a": 1, "b": 2}, {"a": True}, {"abc": None}, {"a": {"a": 1}}),
]

SCHEMAS: list[dict[str, Any]] = [
    *({"type": name} for name in ("null", "boolean", "integer", "string", "array", "object")),
    {"type": ["string", "object"]},
    {"type": ["integer", "null"]},
    {"const": 1},
    {"const": True},
    {"const": "a"},
    {"enum": ["a", "ab"]},
    {"anyOf": [{"required": ["a"]}, {"type": "string"}]},
    {"allOf": [{"pattern": "a"}, {"pattern": "b"}]},
    {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
    {"oneOf": [{"type": "integer"}, {"const": 1}]},
    {"properties": {"a": {"type": "integer"}}},
    {"properties": {"a": {"type": "integer"}}, "additionalProperties": False},
    {"properties": {"a": {}}, "additionalProperties": {"type": "null"}},
    {"properties": {"a": {}}, "additionalProperties": True},
    {"additionalProperties": {"type": "integer"}},
    {"additionalProperties": False},
    {"propertyNames": {"maxLength": 1}},
    {"required": ["a", "b"]},
    {"minProperties": 1},
    {"items": {"type": "string"}},
    {"minItems": 1},
    {"uniqueItems": True},
    {"uniqueItems": False},
    {"pattern": "^(?!b)[a-z]+"},
    {"minLength": 1},
    {"maxLength": 2},
    {"minimum": 1},
    {"maximum": 1},
    {
        "$ref": "#/$defs/one",
        "maxLength": 3,
        "$defs": {"one": {"$ref": "#/$defs/two"}, "two": {"minLength": 2}},
    },
    {"title": "anything", "description": "", "examples": [1], "default": 1},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_a_value_conforms_where_jsonschema_says_that_it_does(schema: dict[str, Any]) -> None:
    validator, conforms = Draft202012Validator(schema), conformity.test(schema)
    assert [(value, conforms(value)) for value in VALUES] == [
        (value, validator.is_valid(value)) for value in VALUES
    ]


def test_every_keyword_is_among_them() -> None:
    tried = {keyword for schema in SCHEMAS for keyword in schema}
    assert conformity.KEYWORDS.keys() - tried == {
        "format"
    }  # which jsonschema judges as the program tells it to


def test_a_day_that_no_calendar_has_is_none() -> None:
    conforms = conformity.test({"format": "date"})
    assert [conforms(text) for text in ("2026-11-27", "2026-02-30", 1)] == [True, False, True]


def test_the_end_of_a_text_is_its_very_end() -> None:
    conforms = conformity.test({"pattern": "^a$"})
    assert [conforms(text) for text in ("a", "a\n", "a\nb")] == [True, False, False]


def test_in_a_list_without_repetition_true_counts_as_one() -> None:
    assert not conformity.test({"uniqueItems": True})([True, 1])


def test_a_keyword_that_is_not_known_is_not_passed_over() -> None:
    with pytest.raises(KeyError):
        conformity.test({"items": {"multipleOf": 2}})
