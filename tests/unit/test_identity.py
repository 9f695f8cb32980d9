"""One record of each person of a directory, whatever listings told of them."""

from collections.abc import Set
from datetime import timedelta

import pytest
from build import NOW, group, principal

from reconciler.model import DirectoryGroup, Member, Membership, ProviderMembers
from reconciler.people import identity
from reconciler.people.identity import People

ANN = Member(external_id="x-ann", user_name="ann@acme.example", active=True, display_name="Ann")


def together(*records: Member) -> frozenset[Member]:
    """Each of them in a group of its own; the people of all groups together."""
    groups = tuple(group(f"g{n}", record) for n, record in enumerate(records))
    told = identity.together(Membership(groups, people=frozenset(records)))
    everybody = frozenset[Member]().union(*(one.members or () for one in told.groups))
    assert told.people == everybody
    return everybody


@pytest.mark.parametrize(
    ("records", "one"),
    [
        ([ANN, ANN._replace(display_name=None, active=None)], ANN),
        ([ANN, Member(user_name="ANN@acme.example")], ANN._replace(user_name="ANN@acme.example")),
        ([ANN, ANN._replace(user_name="lee@acme.example")], ANN._replace(user_name=None)),
        ([ANN, ANN._replace(display_name="Anna")], ANN._replace(display_name=None)),
        ([ANN._replace(email="a@x"), ANN._replace(email="A@x"), ANN], ANN._replace(email="A@x")),
        ([ANN._replace(email="a@x"), ANN._replace(email="b@x")], ANN),
        (
            [Member("u-ann", active=False), Member("u-ann", user_name="ann@acme.example", email="a@x")],
            Member("u-ann", user_name="ann@acme.example", active=False, email="a@x"),
        ),
        (
            [ANN._replace(principal_id="u-ann"), Member("u-ann", external_id="x-2")],
            ANN._replace(principal_id="u-ann", external_id=None),
        ),
        (
            [ANN._replace(attributes=(("type", "staff"),)), ANN._replace(attributes=(("city", "Bonn"),))],
            ANN._replace(attributes=(("city", "Bonn"), ("type", "staff"))),
        ),
        (
            [
                ANN._replace(status="ACTIVE", since=NOW - timedelta(days=9)),
                ANN._replace(active=False, status="SUSPENDED", since=NOW),
            ],
            ANN._replace(active=False, status="SUSPENDED", since=NOW),
        ),
    ],
    ids=[
        "half a record",
        "a name alone",
        "renamed meanwhile",
        "named in two ways",
        "an e-mail in two cases",
        "two e-mails",
        "an id of the server",
        "an id of the server, and two others",
        "attributes",
        "inactive",
    ],
)
def test_records_of_one_person_become_one(records: list[Member], one: Member) -> None:
    assert together(*records) == together(*records[::-1]) == {one}


@pytest.mark.parametrize(
    "records",
    [
        (ANN, ANN._replace(external_id="x-2")),
        (ANN, ANN._replace(external_id="x-2"), Member(user_name="ann@acme.example")),
        (Member(principal_id="1"), Member(principal_id="2")),
        (Member(user_name="ann"), Member(user_name="bob")),
        (ANN, Member(external_id="x-2", email="ann@acme.example", display_name="Ann")),
    ],
    ids=["two ids", "a name of two", "ids of the server", "names", "an e-mail is no key"],
)
def test_different_people_stay_so(records: tuple[Member, ...]) -> None:
    assert together(*records) == frozenset(records)


def test_a_group_that_could_not_be_read_stays_so_and_so_does_a_directory_that_lists_nobody() -> None:
    told = Membership((DirectoryGroup("1", "eng", None, "no right"),))
    assert identity.together(told) == told


def test_members_whom_the_provider_tells_of_are_as_good_as_any_set_of_them() -> None:
    known = {id_: Member(id_, user_name=f"{id_}@acme.example") for id_ in ("u-ann", "u-bob", "u-cleo")}
    ann, bob, cleo = known.values()
    members: Set[Member] = ProviderMembers(frozenset({"u-ann", "u-bob"}), known.__getitem__)

    assert members == frozenset({ann, bob})
    assert hash(members) == hash(frozenset({ann, bob}))
    assert len(members) == 2
    assert ann in members
    assert cleo not in members
    assert Member("u-ann") not in members, "which is another record of her"
    assert members | {cleo} == frozenset({cleo}).union(members) == frozenset(known.values())
    assert members - {bob} == frozenset({ann})


def test_of_members_whom_the_provider_tells_of_nobody_is_looked_at() -> None:
    ann, bob = principal("ann"), principal("bob")
    people = People.of([ann, bob])

    def nobody(id_: str) -> Member:
        raise AssertionError(f"{id_} was looked at")

    def told_apart(*ids: str) -> tuple[list[str], list[Member]]:
        known, strangers = people.told_apart(ProviderMembers(frozenset(ids), nobody))
        everybody = [*people.by_id]
        return sorted(everybody[at] for at in known), sorted(strangers)

    assert told_apart("u-ann", "u-bob") == (["u-ann", "u-bob"], [])
    assert told_apart("u-ann", "u-lee", "u-kim") == (["u-ann"], [Member("u-kim"), Member("u-lee")])


def test_somebody_of_whom_there_are_two_records_is_one_person() -> None:
    people = People.of([principal("ann"), principal("bob")])
    records = frozenset({Member("u-bob"), Member(user_name="bob@acme.example")})
    assert people.told_apart(records) == ([1], [])
