"""Shards: each organization in exactly one, whatever else there is; and what CircleCI says of a container."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import shards
from reconciler.errors import SettingsError
from reconciler.settings import node
from reconciler.shards import Shard

ORGANIZATIONS = [f"organization-{number}" for number in range(200)]


def owner(organization: str, total: int) -> int:
    """The one shard that has it."""
    [index] = [index for index in range(total) if Shard(index, total).has(organization)]
    return index


@given(st.text(), st.integers(1, 40))
def test_every_organization_is_in_exactly_one_shard(organization: str, total: int) -> None:
    assert 0 <= owner(organization, total) < total


def test_which_one_is_the_same_on_every_machine_and_for_ever() -> None:
    assert [owner(name, 4) for name in ("acme", "globex", "initech", "umbrella")] == [2, 2, 3, 2]


@given(st.text(), st.integers(1, 40))
def test_one_shard_more_takes_organizations_and_moves_none_between_others(name: str, total: int) -> None:
    assert owner(name, total + 1) in (owner(name, total), total)


def test_organizations_are_spread_over_all_shards() -> None:
    owners = [owner(name, 4) for name in ORGANIZATIONS]
    assert all(35 <= owners.count(index) <= 65 for index in range(4))


def test_the_only_shard_has_everything() -> None:
    assert (shards.ALL.is_all, [shards.ALL.has(name) for name in ("acme", "")]) == (True, [True, True])


# What is written


def test_a_shard_is_written_as_its_number_of_how_many() -> None:
    assert shards.read("2/4") == Shard(2, 4)
    assert str(Shard(2, 4)) == "2/4"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("4/4", "of 4, the first is 0 and the last 3"),
        ("0/0", "there can be 1 to 1000 shards, not 0"),
        ("0/1001", "there can be 1 to 1000 shards, not 1001"),
        ("1", "it is to be INDEX/TOTAL, such as 0/4 for the first of four"),
        ("", "it is to be INDEX/TOTAL, such as 0/4 for the first of four"),
        ("-1/4", "'-1' is no number from 0 to 1000"),
        ("1/2/3", "'2/3' is no number from 0 to 1000"),
        ("a/4", "'a' is no number from 0 to 1000"),
        (" 1/4", "' 1' is no number from 0 to 1000"),
        ("\N{ARABIC-INDIC DIGIT ONE}/4", "'\N{ARABIC-INDIC DIGIT ONE}' is no number from 0 to 1000"),
        ("0/99999999999999999999", "'99999999999999999999' is no number from 0 to 1000"),
    ],
)
def test_what_is_no_shard_is_told(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        shards.read(text)


# What CircleCI says


@pytest.mark.parametrize(
    ("index", "total", "shard"),
    [
        (None, None, shards.ALL),
        ("", "", shards.ALL),
        ("0", "1", shards.ALL),
        (None, "1", shards.ALL),
        ("0", None, shards.ALL),
        ("0", "4", Shard(0, 4)),
        ("3", "4", Shard(3, 4)),
    ],
)
def test_a_container_has_the_part_that_circleci_tells_it(
    index: str | None, total: str | None, shard: Shard
) -> None:
    told = {node.INDEX: index, node.TOTAL: total}
    assert node.shard({name: value for name, value in told.items() if value is not None}) == shard


@pytest.mark.parametrize(
    ("index", "total", "why"),
    [
        ("", "4", "CIRCLE_NODE_INDEX is not set"),
        ("2", "", "of 1, the first is 0 and the last 0"),
        ("1", "1", "of 1, the first is 0 and the last 0"),
        ("4", "4", "of 4, the first is 0 and the last 3"),
        ("0", "many", "'many' is no number from 0 to 1000"),
        ("-1", "4", "'-1' is no number from 0 to 1000"),
        ("0", "0", "there can be 1 to 1000 shards, not 0"),
    ],
)
def test_what_makes_no_sense_is_refused_and_not_taken_for_all_or_for_nothing(
    index: str, total: str, why: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        node.shard({node.INDEX: index, node.TOTAL: total})
    assert raised.value.message == (
        f"CIRCLE_NODE_INDEX '{index}' and CIRCLE_NODE_TOTAL '{total}' tell no shard: {why}"
    )
    assert (
        raised.value.hint
        == "--shard says it instead: INDEX/TOTAL, such as 0/4 for the first of four; 0/1 is all of it"
    )
