"""What everybody has, as a list beside the people."""

import pytest

from reconciler.aligned import Aligned

PEOPLE = {"u-ann": "Ann", "u-bob": "Bob", "u-cleo": "Cleo"}


def aligned() -> Aligned[str]:
    return Aligned(PEOPLE, ["a", "", "c"])


def test_it_is_a_mapping_without_those_who_have_nothing() -> None:
    values = aligned()
    assert values == {"u-ann": "a", "u-cleo": "c"}
    assert list(values) == ["u-ann", "u-cleo"]
    assert len(values) == 2
    assert values.get("u-bob", "none") == "none"
    with pytest.raises(KeyError):
        values["u-bob"]
    with pytest.raises(KeyError):
        values["u-dan"]


def test_one_of_the_people_can_be_given_something_else_and_nobody_but_them() -> None:
    values = aligned()
    values.put("u-bob", "b")
    values.put("u-ann", "")
    assert values == {"u-bob": "b", "u-cleo": "c"}
    with pytest.raises(KeyError):
        values.put("u-dan", "d")


def test_beside_it_stands_what_else_the_same_people_have() -> None:
    other = aligned().beside([1, 2, 0])
    assert other == {"u-ann": 1, "u-bob": 2}
    assert other.people is PEOPLE


def test_everybody_is_found_once_for_all_that_stands_beside() -> None:
    values = aligned()
    assert values.beside([1, 2, 3]).positions is values.positions == {"u-ann": 0, "u-bob": 1, "u-cleo": 2}


def test_of_the_same_people_it_is_taken_as_it_is() -> None:
    values = aligned()
    assert Aligned.of(PEOPLE, values, "") is values


def test_of_other_people_each_has_what_they_had_and_who_was_not_among_them_has_nothing() -> None:
    people = {"u-dan": "Dan", "u-cleo": "Cleo", "u-ann": "Ann"}
    values = Aligned(PEOPLE, ["a", "b", "c"])
    assert Aligned.of(people, values, "").each == ["", "c", "a"]
    assert Aligned.of(people, values, "") == {"u-cleo": "c", "u-ann": "a"}
    assert Aligned.of(people, {"u-cleo": "c", "u-eve": "e"}, "").each == ["", "c", ""]
    assert Aligned.of({}, aligned(), "").each == []
