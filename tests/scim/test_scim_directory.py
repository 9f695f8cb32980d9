"""Who is in which group, whatever way the server shows it, and refusal where no way can be believed."""

from collections.abc import Set

import pytest
from scim.fake_server import FakeServer, group, user
from scim.worlds import organization, refs, role_names

from reconciler.change import CreateGroup
from reconciler.directories.scim import ScimDirectory
from reconciler.errors import ReadError
from reconciler.model import ORGANIZATION, DirectoryGroup, Member, Role
from reconciler.policy.document import DirectorySettings, GroupRef, MembersFrom, StoredAs
from reconciler.scim.provider import ScimProvider, ScimReader
from reconciler.scim.reading import Readings

ADA = Member("u-ada", "00ada", "ada@acme.example")
BOB = Member("u-bob", None, "bob@acme.example")

PEOPLE = (user("ada", externalId="00ada"), user("bob"), user("eve"))
GROUPS = (group("eng-web", "ada", "bob"), group("ops"), group("design", "eve"))


def server(*shows: str, **knobs: object) -> FakeServer:
    return FakeServer(PEOPLE, GROUPS, shows=frozenset(shows), **knobs)  # type: ignore[arg-type]


def directory(server: FakeServer, members_from: MembersFrom = MembersFrom.AUTO) -> ScimDirectory:
    return ScimDirectory(server.client(), DirectorySettings(members_from=members_from))


def members(
    server: FakeServer, *names: str, by: MembersFrom = MembersFrom.AUTO
) -> dict[str, Set[Member] | None]:
    found = directory(server, by).read(list(refs(*names))).groups
    return {entry.name: entry.members for entry in found}


@pytest.mark.parametrize(
    ("shows", "by"),
    [
        (["members"], MembersFrom.AUTO),
        (["groups"], MembersFrom.AUTO),
        (["filter"], MembersFrom.AUTO),
        (["members"], MembersFrom.GROUPS),
        (["groups"], MembersFrom.USERS),
        (["filter"], MembersFrom.FILTER),
        (["members", "groups", "filter"], MembersFrom.FILTER),
    ],
)
def test_every_way_that_the_server_shows_gives_the_same_people(shows: list[str], by: MembersFrom) -> None:
    it = server(*shows)

    assert members(it, "eng-web", "ops", by=by) == {"eng-web": frozenset({ADA, BOB}), "ops": frozenset()}
    assert it.writes == []


def test_the_user_type_is_the_one_attribute_that_is_known_of_a_member() -> None:
    people = (user("ada", userType="Contractor", title="Dr."), user("bob", userType=""))
    it = FakeServer(people, [group("eng-web", "ada", "bob")])
    ada = Member("u-ada", None, "ada@acme.example", attributes=(("userType", "Contractor"),))

    assert members(it, "eng-web") == {"eng-web": frozenset({ada, BOB})}


def cut(*, active: bool = True) -> FakeServer:
    """A server that says by Bob's own groups that he is in eng-web, and leaves him out of its members."""
    people = (user("ada"), user("bob", groups=[{"value": "g-eng-web"}], active=active))
    return FakeServer(people, [group("eng-web", "ada")], shows=frozenset({"members"}))


def test_members_that_are_cut_are_found_out_by_the_groups_of_those_who_are_missing() -> None:
    with pytest.raises(ReadError) as caught:
        members(cut(), "eng-web")

    assert (caught.value.message, caught.value.hint) == (
        "could not tell who is in the group 'eng-web': 'bob@acme.example' is by their own groups, and not by "
        "its members",
        "it may have changed meanwhile: run it again; if it stays so, say which is right: "
        "directory.members_from in organization.yaml",
    )


@pytest.mark.parametrize("by", [MembersFrom.GROUPS, MembersFrom.USERS])
def test_which_of_two_that_disagree_is_right_can_be_said(by: MembersFrom) -> None:
    ada, bob = Member("u-ada", None, "ada@acme.example"), BOB
    assert members(cut(), "eng-web", by=by) == {
        "eng-web": frozenset({ada} if by is MembersFrom.GROUPS else {bob})
    }


def test_who_is_not_active_may_be_missing_among_the_members() -> None:
    ada = Member("u-ada", None, "ada@acme.example")
    assert members(cut(active=False), "eng-web") == {"eng-web": frozenset({ada})}


def test_a_server_that_never_shows_members_is_refused_in_words() -> None:
    with pytest.raises(ReadError) as caught:
        members(server(), "eng-web")

    assert (caught.value.message, caught.value.hint) == (
        "could not tell who is in which group: https://scim.test/scim/v2 lists 3 groups, "
        "but no way shows a single member: "
        "'nobody' can't be told from 'not shown' (by group-members: every group is answered without "
        "members; by user-groups: every user is answered without groups; by filter: the query answers nobody "
        "for every group)",
        "if the server does show members, say how: directory.members_from in organization.yaml",
    )


@pytest.mark.parametrize(
    ("by", "words"),
    [
        (MembersFrom.GROUPS, "(by group-members: every group is answered without members)"),
        (MembersFrom.USERS, "(by user-groups: every user is answered without groups)"),
        (MembersFrom.FILTER, "(by filter: the query answers nobody for every group)"),
    ],
)
def test_a_way_that_was_chosen_and_shows_nobody_is_refused_too(by: MembersFrom, words: str) -> None:
    others = {"members", "groups", "filter"} - {by.value.replace("group-", "").replace("user-", "")}

    with pytest.raises(ReadError) as caught:
        members(server(*others), "eng-web", by=by)

    assert caught.value.message.endswith(words)


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ("ignored", "(by filter: the filter is ignored: a group that does not exist has members)"),
        ("refused", "(by filter: the server answered 400 Bad Request (invalidFilter): 'no filters here')"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(filters: str, words: str) -> None:
    with pytest.raises(ReadError) as caught:
        members(server("filter", filters=filters), "eng-web", by=MembersFrom.FILTER)

    assert caught.value.message.endswith(words)


def test_an_empty_answer_of_a_filter_is_believed_once_any_other_group_has_somebody() -> None:
    assert members(server("filter"), "ops") == {"ops": frozenset()}


def test_groups_within_groups_are_followed_even_in_circles() -> None:
    it = FakeServer(
        PEOPLE,
        [
            group("all", {"value": "g-web", "type": "Group"}, "ada"),
            group("web", {"value": "g-all", "$ref": "https://x/Groups/g-all"}, {"value": "g-deep"}),
            group("deep", "bob"),
        ],
    )

    assert members(it, "all", "web") == {"all": frozenset({ADA, BOB}), "web": frozenset({ADA, BOB})}


def test_a_group_within_a_group_that_is_not_listed_makes_that_one_unreadable() -> None:
    it = FakeServer(PEOPLE, [group("web", {"value": "g-x", "type": "Group"}, "ada"), group("ops", "bob")])

    assert set(directory(it).read(list(refs("web", "ops"))).groups) == {
        DirectoryGroup("g-web", "web", None, "it contains the group 'g-x', which the server does not list"),
        DirectoryGroup("g-ops", "ops", frozenset({BOB})),
    }


def test_a_member_who_is_not_among_the_users_keeps_their_id() -> None:
    it = FakeServer(PEOPLE, [group("web", "ada", {"value": "u-gone"})])

    assert members(it, "web") == {"web": frozenset({ADA, Member("u-gone")})}


def test_a_group_is_found_by_id_by_name_in_any_case_and_by_an_earlier_name() -> None:
    it = FakeServer(
        PEOPLE, [group("a", "ada"), group("B", "ada"), group("old", "ada"), group("other", "ada")]
    )
    wanted = [GroupRef("renamed", id="g-a"), GroupRef("b"), GroupRef("new", previously=("OLD",))]

    found = directory(it).read(wanted)

    assert [entry.name for entry in found.groups] == ["a", "B", "old"]
    assert found.names == {"a", "B", "old", "other"}


def test_a_name_that_two_groups_have_is_answered_twice() -> None:
    it = FakeServer(PEOPLE, [group("web", "ada", id="g-1"), group("Web", "bob", id="g-2")])

    assert [entry.id for entry in directory(it).read([GroupRef("web")]).groups] == ["g-1", "g-2"]


@pytest.mark.parametrize("names", [[], ["unknown"]], ids=["none wanted", "none found"])
def test_where_no_group_is_meant_nothing_needs_to_be_believed(names: list[str]) -> None:
    assert members(server(), *names) == {}


@pytest.mark.parametrize("stored_as", list(StoredAs))
def test_a_run_lists_users_and_groups_once_for_provider_and_directory(stored_as: StoredAs) -> None:
    it, settings = server("members"), organization(stored_as)
    client = it.client()
    readings = Readings(client)
    provider = ScimReader(client, role_names(stored_as), settings, readings)
    groups = ScimDirectory(client, settings.directory, readings)

    provider.read()
    groups.read([GroupRef("eng-web")])

    assert sorted(it.reads) == [
        "/Groups?startIndex=1&count=100",
        "/Groups?startIndex=4&count=100",
        "/ServiceProviderConfig",
        "/Users?startIndex=1&count=100",
        "/Users?startIndex=4&count=100",
    ]


def test_reading_a_second_time_sees_what_changed_meanwhile() -> None:
    it = server("members")
    readings = Readings(it.client())
    groups = ScimDirectory(it.client(), DirectorySettings(), readings)
    groups.read([GroupRef("ops")])
    it.data["Groups"]["g-ops"]["members"] = [{"value": "u-bob"}]

    [ops] = groups.read([GroupRef("ops")]).groups

    assert ops.members == frozenset({BOB})


def test_reading_after_a_write_sees_what_was_written() -> None:
    it, settings = server("members"), organization(StoredAs.GROUPS)
    client = it.writing_client()
    readings = Readings(client)
    provider = ScimProvider(client, role_names(StoredAs.GROUPS), settings, readings)
    provider.read()

    provider.write(CreateGroup(ORGANIZATION, Role.ADMIN, "circleci-org-admin"))

    assert "circleci-org-admin" in ScimDirectory(client, settings.directory, readings).read([]).names
