"""What every provider does, over the fake server, over the sandbox and in memory, so that no fake can lie."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from fakes import FakeProvider
from scim import fake_server
from scim.fake_server import FakeServer
from scim.worlds import NONE, STOREFRONT, organization, role_names, set_roles, some

from reconciler import sandbox, settings
from reconciler.change import (
    Attribute,
    AttributeChange,
    CreateGroup,
    CreateUser,
    DeleteUser,
    SetActive,
    SetAttributes,
)
from reconciler.directories.scim import ScimDirectory
from reconciler.errors import ConflictError, WriteError
from reconciler.model import NOTHING, ORGANIZATION, Holdings, Principal, Role, Scope, provisional
from reconciler.policy.document import GroupRef, StoredAs
from reconciler.ports import Provider
from reconciler.sandbox.seed import Group, Person, Seed
from reconciler.scim.client import WritingClient, open_writing_client
from reconciler.scim.provider import ScimProvider
from reconciler.scim.reading import Readings

PEOPLE = {
    "ada@acme.example": ("org-admin", "gadget"),
    "bob@acme.example": ("Org-Viewer", "project-admin:storefront"),
    "eve@acme.example": ("org-admin",),
    "zoë@acme.example": (),
}
GROUPS = {
    "eng-web": ("ada@acme.example", "bob@acme.example"),
    "ops": (),
    "circleci-org-admin": ("eve@acme.example", "ada@acme.example"),
    "circleci-org-viewer": ("bob@acme.example",),
}


@dataclass(frozen=True)
class World:
    """One server, whichever it is: a provider of it, what it holds, how often it was written to."""

    provider: Callable[[StoredAs], Provider]
    roles: Callable[[], dict[str, list[str]]]
    members: Callable[[], dict[str, list[str]]]
    writes: Callable[[], int]


@dataclass(frozen=True)
class Served(World):
    """One that is reached over HTTP."""

    client: WritingClient


def of_server(client: WritingClient) -> Callable[[StoredAs], Provider]:
    return lambda stored_as: ScimProvider(client, role_names(stored_as), organization(stored_as))


@contextmanager
def fake() -> Iterator[Served]:
    ids = {name: name.partition("@")[0] for name in PEOPLE}
    server = FakeServer(
        [fake_server.user(ids[name], *roles) for name, roles in PEOPLE.items()],
        [fake_server.group(name, *(ids[member] for member in members)) for name, members in GROUPS.items()],
        page=2,
    )

    def name(user_id: str) -> str:
        user_name: str = server.data["Users"][user_id]["userName"]
        return user_name

    with server.writing_client() as client:
        yield Served(
            of_server(client),
            lambda: {
                user["userName"]: sorted(entry["value"] for entry in user.get("roles", ()))
                for user in server.data["Users"].values()
            },
            lambda: {
                group["displayName"]: sorted(name(member["value"]) for member in group["members"])
                for group in server.data["Groups"].values()
            },
            lambda: len(server.writes),
            client,
        )


@contextmanager
def real() -> Iterator[Served]:
    seed = Seed(
        {name: Person(roles=roles) for name, roles in PEOPLE.items()},
        {name: Group(members) for name, members in GROUPS.items()},
        other_roles=frozenset({"gadget"}),
    )
    with sandbox.run(seed) as server:
        environ = {"CIRCLECI_SCIM_URL": server.url, "CIRCLECI_SCIM_TOKEN": server.token}
        with open_writing_client(settings.connection("acme", environ)) as client:
            yield Served(
                of_server(client),
                server.roles,
                server.members,
                lambda: sum(request.writes for request in server.requests),
                client,
            )


@contextmanager
def memory() -> Iterator[World]:
    people = {f"u-{name}": Principal(f"u-{name}", name, active=True) for name in PEOPLE}
    roles = {f"u-{name}": list(values) for name, values in PEOPLE.items()}
    groups = {name: {f"u-{member}" for member in members} for name, members in GROUPS.items()}
    made: list[FakeProvider] = []

    def provider(stored_as: StoredAs) -> FakeProvider:
        made.append(FakeProvider(organization(stored_as), people, roles, groups))
        return made[-1]

    yield World(
        provider,
        lambda: {person.user_name: sorted(roles.get(id_, ())) for id_, person in people.items()},
        lambda: {
            group: sorted(person.user_name for id_, person in people.items() if id_ in members)
            for group, members in groups.items()
        },
        lambda: sum(provider.requests for provider in made),
    )


@pytest.fixture(params=[fake, real, memory])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with request.param() as world:
        yield world


@pytest.fixture(params=[fake, real])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with request.param() as served:
        yield served


def people(provider: Provider) -> dict[str, Principal]:
    return {entry.user_name.partition("@")[0]: entry for entry in provider.read().people.values()}


class TestProviderOfUserRoles:
    @pytest.fixture
    def provider(self, world: World) -> Provider:
        return world.provider(StoredAs.USER_ROLES)

    def test_everybody_is_read_with_the_roles_of_the_policy(self, world: World, provider: Provider) -> None:
        state = provider.read()

        held: dict[str, Holdings] = {who.user_name: state.holdings(who.id) for who in state.people.values()}
        assert held == {
            "ada@acme.example": {ORGANIZATION: some(Role.ADMIN)},
            "bob@acme.example": {ORGANIZATION: some(Role.VIEWER), STOREFRONT: some(Role.ADMIN)},
            "eve@acme.example": {ORGANIZATION: some(Role.ADMIN)},
            "zoë@acme.example": {},
        }
        assert state.role_groups is None
        assert world.writes() == 0

    def test_a_token_is_of_no_user_where_the_server_knows_none(
        self, world: World, provider: Provider
    ) -> None:
        assert provider.token_user() is None
        assert world.writes() == 0

    def test_a_change_is_one_request_and_leaves_the_rest_alone(
        self, world: World, provider: Provider
    ) -> None:
        bob = people(provider)["bob"]

        provider.write(
            set_roles(
                bob,
                (ORGANIZATION, some(Role.VIEWER), some(Role.CONTRIBUTOR)),
                (STOREFRONT, some(Role.ADMIN), NONE),
                (Scope("checkout"), NONE, some(Role.VIEWER)),
            )
        )

        assert world.writes() == 1
        assert world.roles() == {
            "ada@acme.example": ["gadget", "org-admin"],
            "bob@acme.example": ["org-contributor", "project-viewer:5d1f"],
            "eve@acme.example": ["org-admin"],
            "zoë@acme.example": [],
        }

    def test_what_is_foreign_survives_the_loss_of_every_role(self, world: World, provider: Provider) -> None:
        ada = people(provider)["ada"]

        provider.write(set_roles(ada, (ORGANIZATION, some(Role.ADMIN), NONE)))

        assert world.roles()["ada@acme.example"] == ["gadget"]
        assert provider.read_back([ada.id]).roles == {ada.id: {}}

    def test_writing_what_is_so_already_succeeds(self, world: World, provider: Provider) -> None:
        ada = people(provider)["ada"]

        provider.write(set_roles(ada, (ORGANIZATION, NONE, some(Role.ADMIN))))

        assert world.writes() == 0

    def test_a_plan_that_is_out_of_date_is_a_conflict(self, world: World, provider: Provider) -> None:
        zoë = people(provider)["zoë"]

        with pytest.raises(ConflictError):
            provider.write(set_roles(zoë, (ORGANIZATION, some(Role.VIEWER), some(Role.ADMIN))))

        assert world.writes() == 0

    def test_two_changes_of_one_person_follow_each_other(self, world: World, provider: Provider) -> None:
        zoë = people(provider)["zoë"]

        provider.write(set_roles(zoë, (ORGANIZATION, NONE, some(Role.VIEWER))))
        provider.write(set_roles(zoë, (ORGANIZATION, some(Role.VIEWER), some(Role.CONTRIBUTOR))))

        assert world.roles()["zoë@acme.example"] == ["org-contributor"]

    def test_a_change_between_reading_and_writing_is_survived(self, world: World, provider: Provider) -> None:
        bob = people(provider)["bob"]
        other = world.provider(StoredAs.USER_ROLES)
        other.write(set_roles(bob, (STOREFRONT, some(Role.ADMIN), some(Role.VIEWER))))

        provider.write(set_roles(bob, (ORGANIZATION, some(Role.VIEWER), some(Role.ADMIN))))

        assert world.roles()["bob@acme.example"] == ["org-admin", "project-viewer:storefront"]

    def test_who_is_gone_is_absent_when_read_back(self, provider: Provider) -> None:
        eve = people(provider)["eve"]

        assert provider.read_back([eve.id, "nobody"]).roles == {eve.id: {ORGANIZATION: some(Role.ADMIN)}}


class TestProviderOfRoleGroups:
    @pytest.fixture
    def provider(self, world: World) -> Provider:
        return world.provider(StoredAs.GROUPS)

    def test_everybody_is_read_with_the_roles_of_their_groups(self, provider: Provider) -> None:
        state = provider.read()

        held = {who.user_name: state.holdings(who.id) for who in state.people.values()}
        assert held == {
            "ada@acme.example": {ORGANIZATION: some(Role.ADMIN)},
            "bob@acme.example": {ORGANIZATION: some(Role.VIEWER)},
            "eve@acme.example": {ORGANIZATION: some(Role.ADMIN)},
            "zoë@acme.example": NOTHING,
        }
        assert state.role_groups == frozenset({(ORGANIZATION, Role.ADMIN), (ORGANIZATION, Role.VIEWER)})

    def test_a_group_is_created_and_joined_and_left(self, world: World, provider: Provider) -> None:
        bob = people(provider)["bob"]

        provider.write(CreateGroup(STOREFRONT, Role.ADMIN, "circleci-storefront-admin"))
        provider.write(
            set_roles(bob, (ORGANIZATION, some(Role.VIEWER), NONE), (STOREFRONT, NONE, some(Role.ADMIN)))
        )

        assert world.members() == {
            "eng-web": ["ada@acme.example", "bob@acme.example"],
            "ops": [],
            "circleci-org-admin": ["ada@acme.example", "eve@acme.example"],
            "circleci-org-viewer": [],
            "circleci-storefront-admin": ["bob@acme.example"],
        }
        assert provider.read_back([bob.id, "nobody"]).roles == {bob.id: {STOREFRONT: some(Role.ADMIN)}}
        assert provider.read().holdings(bob.id) == {STOREFRONT: some(Role.ADMIN)}

    def test_joining_and_leaving_twice_is_as_once(self, world: World, provider: Provider) -> None:
        bob = people(provider)["bob"]
        change = set_roles(bob, (ORGANIZATION, some(Role.VIEWER), some(Role.ADMIN)))

        provider.write(change)
        provider.write(change)

        assert world.members()["circleci-org-admin"] == [
            "ada@acme.example",
            "bob@acme.example",
            "eve@acme.example",
        ]


JOE = Principal(
    provisional("joe@acme.example"), "joe@acme.example", "00u-joe", True, "Joe", email="joe@acme.example"
)


@pytest.mark.parametrize("stored_as", StoredAs)
class TestProviderOfAccounts:
    @pytest.fixture
    def provider(self, world: World, stored_as: StoredAs) -> Provider:
        return world.provider(stored_as)

    def test_an_account_is_created_and_given_roles_by_its_provisional_id(
        self, world: World, provider: Provider
    ) -> None:
        provider.read()

        provider.write(CreateUser(JOE))
        created = provider.read_back([JOE.id])
        provider.write(set_roles(JOE, (ORGANIZATION, NONE, some(Role.VIEWER))))

        assert [*created.people] == [JOE.id]
        assert known(created.people[JOE.id]) == known(JOE)
        assert created.holdings(JOE.id) == NOTHING
        assert provider.read_back([JOE.id, "nobody"]).roles == {JOE.id: {ORGANIZATION: some(Role.VIEWER)}}
        joe = people(provider)["joe"]
        assert joe.id != JOE.id
        assert provider.read().holdings(joe.id) == {ORGANIZATION: some(Role.VIEWER)}
        assert world.writes() == 2

    def test_who_was_not_created_is_nobody(self, provider: Provider) -> None:
        assert provider.read_back([JOE.id]).people == {}
        with pytest.raises(WriteError):
            provider.write(set_roles(JOE, (ORGANIZATION, NONE, some(Role.VIEWER))))

    def test_creating_who_is_there_already_succeeds_and_writes_nothing(
        self, world: World, provider: Provider, stored_as: StoredAs
    ) -> None:
        world.provider(stored_as).write(CreateUser(JOE))
        before = world.writes()

        provider.write(CreateUser(JOE._replace(user_name="JOE@acme.example")))

        assert world.writes() == before
        assert [*provider.read_back([JOE.id]).people] == [JOE.id]

    @pytest.mark.parametrize(
        "other",
        [JOE._replace(external_id="00u-other"), JOE._replace(user_name="jo@acme.example")],
        ids=["the userName with another externalId", "the externalId with another userName"],
    )
    def test_an_account_of_somebody_else_is_a_conflict(
        self, world: World, provider: Provider, stored_as: StoredAs, other: Principal
    ) -> None:
        world.provider(stored_as).write(CreateUser(other))
        before = world.writes()

        with pytest.raises(ConflictError):
            provider.write(CreateUser(JOE))

        assert world.writes() == before
        assert provider.read_back([JOE.id]).people == {}

    def test_somebody_is_deactivated_and_comes_back(self, world: World, provider: Provider) -> None:
        bob = people(provider)["bob"]

        provider.write(SetActive(bob, False))
        gone = provider.read_back([bob.id])
        provider.write(SetActive(gone.people[bob.id], True))
        back = provider.read_back([bob.id])

        assert (gone.people[bob.id].active, back.people[bob.id].active) == (False, True)
        assert gone.holdings(bob.id) == back.holdings(bob.id) != NOTHING
        assert world.writes() == 2

    def test_deactivating_who_is_inactive_writes_nothing(self, world: World, provider: Provider) -> None:
        bob = people(provider)["bob"]
        provider.write(SetActive(bob, False))

        provider.write(SetActive(bob, False))

        assert world.writes() == 1

    def test_names_and_the_address_are_corrected_and_nothing_else(
        self, world: World, provider: Provider
    ) -> None:
        bob = people(provider)["bob"]
        roles, members = world.roles(), world.members()
        before = provider.read_back([bob.id])
        change = SetAttributes(
            bob,
            (
                AttributeChange(Attribute.DISPLAY_NAME, None, "Bob"),
                AttributeChange(Attribute.EMAIL, None, "bob@acme.example"),
                AttributeChange(Attribute.USER_NAME, "bob@acme.example", "rob@acme.example"),
            ),
        )

        provider.write(change)
        provider.write(change)

        rob = provider.read_back([bob.id])
        assert rob.people[bob.id] == bob._replace(
            user_name="rob@acme.example", display_name="Bob", email="bob@acme.example"
        )
        assert rob.roles == before.roles
        assert world.roles() == {name.replace("bob", "rob"): held for name, held in roles.items()}
        assert [len(names) for names in world.members().values()] == [len(n) for n in members.values()]
        assert world.writes() == 1

    def test_an_attribute_that_somebody_else_changed_is_a_conflict(
        self, world: World, provider: Provider, stored_as: StoredAs
    ) -> None:
        bob = people(provider)["bob"]
        other = AttributeChange(Attribute.DISPLAY_NAME, None, "Robert")
        world.provider(stored_as).write(SetAttributes(bob, (other,)))

        with pytest.raises(ConflictError):
            provider.write(SetAttributes(bob, (AttributeChange(Attribute.DISPLAY_NAME, None, "Bob"),)))

        assert provider.read_back([bob.id]).people[bob.id].display_name == "Robert"

    def test_an_inactive_account_is_deleted_and_is_gone_from_everywhere(
        self, world: World, provider: Provider
    ) -> None:
        bob = people(provider)["bob"]
        provider.write(SetActive(bob, False))

        provider.write(DeleteUser(bob._replace(active=False)))
        provider.write(DeleteUser(bob._replace(active=False)))

        assert provider.read_back([bob.id]).people == {}
        assert "bob@acme.example" not in world.roles()
        assert world.members()["eng-web"] == ["ada@acme.example"]
        assert world.writes() == 2

    def test_who_is_active_is_not_deleted(self, world: World, provider: Provider) -> None:
        bob = people(provider)["bob"]

        with pytest.raises(ConflictError):
            provider.write(DeleteUser(bob._replace(active=False)))

        assert world.writes() == 0

    def test_somebody_who_is_gone_is_not_changed(self, world: World, provider: Provider) -> None:
        nobody = Principal("u-nobody", "nobody@acme.example", active=True)

        with pytest.raises(WriteError):
            provider.write(SetActive(nobody, False))
        with pytest.raises(WriteError):
            provider.write(SetAttributes(nobody, (AttributeChange(Attribute.DISPLAY_NAME, None, "N"),)))

        assert world.writes() == 0


def known(person: Principal) -> tuple[str, str | None, bool | None, str | None, str | None]:
    """All of somebody that an account is made with."""
    return (person.user_name, person.external_id, person.active, person.display_name, person.email)


class TestDirectory:
    def test_groups_are_answered_with_everybody_in_them(self, served: Served) -> None:
        directory = ScimDirectory(served.client, organization().directory, Readings(served.client))

        found = directory.read([GroupRef("ENG-web"), GroupRef("ops"), GroupRef("unknown")])

        assert {
            group.name: sorted(str(member) for member in group.members or ()) for group in found.groups
        } == {"eng-web": ["ada@acme.example", "bob@acme.example"], "ops": []}
        assert found.names == GROUPS.keys()
        assert served.writes() == 0


def test_the_fake_and_the_sandbox_see_the_same_patch(world: World) -> None:
    """A guard of the guards: what the fake accepts, a server of the RFC accepts."""
    provider = world.provider(StoredAs.USER_ROLES)
    bob = people(provider)["bob"]
    before = json.dumps(world.roles(), sort_keys=True)

    provider.write(set_roles(bob, (ORGANIZATION, some(Role.VIEWER), some(Role.ADMIN))))
    provider.write(set_roles(bob, (ORGANIZATION, some(Role.ADMIN), some(Role.VIEWER))))

    assert json.dumps(world.roles(), sort_keys=True) == before.replace("Org-Viewer", "org-viewer")
