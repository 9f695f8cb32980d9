"""The stand-in for Graph before its referees: Microsoft's own SDK and its library for signing in."""

import asyncio
import ssl
from collections.abc import Callable, Collection, Coroutine, Iterator, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from directories.entra_world import organization
from e2e.loopback import serving
from standins.graph import (
    CLIENT,
    CLIENT_SECRET,
    GROUPS,
    PROVISIONER,
    RIGHTS,
    TENANT,
    USERS,
    Graph,
    event,
    group,
    guest,
    id_of,
    person,
)

from reconciler.directories.entra.client import GraphClient, installed_signer
from reconciler.directories.entra.directory import EntraDirectory
from reconciler.model import Member, Membership
from reconciler.policy.document import GroupRef
from reconciler.settings.entra import EntraConnection
from reconciler.settings.token import Token

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK deprecates itself

SELECT = ["id", "userPrincipalName", "mail", "accountEnabled", "userType", "employeeType"]


@pytest.fixture(scope="module")
def sdk() -> Any:
    """What is used of the SDK. It is thousands of files, and its import takes seconds: it has one place."""
    return Sdk()


class Sdk:
    """Microsoft's packages, imported late."""

    def __init__(self) -> None:
        from azure.core.exceptions import ClientAuthenticationError
        from azure.identity import CertificateCredential, ClientSecretCredential
        from kiota_abstractions.base_request_configuration import RequestConfiguration
        from kiota_authentication_azure.azure_identity_authentication_provider import (
            AzureIdentityAuthenticationProvider,
        )
        from msgraph import GraphRequestAdapter, GraphServiceClient
        from msgraph.generated.models.o_data_errors.o_data_error import ODataError
        from msgraph_core.tasks.page_iterator import PageIterator

        self.certificate = CertificateCredential
        self.secret = ClientSecretCredential
        self.not_signed_in = ClientAuthenticationError
        self.configuration = RequestConfiguration
        self.provider = AzureIdentityAuthenticationProvider
        self.adapter = GraphRequestAdapter
        self.client = GraphServiceClient
        self.error = ODataError
        self.pages = PageIterator


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file with the authority that the stand-in's certificate is of; httpx heeds it, too."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return str(path)


@pytest.fixture
def graph() -> Graph:
    """Twelve people in groups within groups, more than fit on a page."""
    names = [f"p{number:02}" for number in range(9)]
    return Graph(
        [
            *map(person, names),
            person("gone", accountEnabled=False),
            guest("gil"),
            person("mailless", mail=None),
        ],
        [
            group("eng-web", *names, "gone", "mailless"),
            group("all-eng", "gil", "group:eng-web"),
            group("empty"),
            group("o'neill & co", "p00"),
            group("twin", "p01", id=id_of("twin 1")),
            group("twin", "p02", id=id_of("twin 2")),
        ],
        page=4,
    )


@pytest.fixture
def address(graph: Graph, authority: trustme.CA) -> Iterator[str]:
    """Where the stand-in answers over TLS, which Microsoft's libraries insist on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(graph, context) as url:
        graph.origin = graph.login = url.removesuffix("/scim/v2")
        yield graph.origin


@dataclass
class Referee:
    """The SDK, pointed at the stand-in; each call is a whole session with it."""

    sdk: Any
    address: str
    credential: Any

    def ask(self, question: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        async def session() -> Any:
            provider = self.sdk.provider(self.credential, scopes=["https://graph.microsoft.com/.default"])
            adapter = self.sdk.adapter(provider)
            adapter.base_url = f"{self.address}/v1.0"
            try:
                return await question(self.sdk.client(request_adapter=adapter))
            finally:
                await adapter._http_client._transport.transport.aclose()  # nothing of the SDK closes it

        return asyncio.run(session())

    def listed(self, of: Callable[[Any], Any], eventual: bool = True, **query: Any) -> list[Any]:
        """Everything of a listing, paged by the SDK's own iterator."""

        async def read(client: Any) -> list[Any]:
            found: list[Any] = []

            def take(one: Any) -> bool:
                found.append(one)
                return True

            builder = of(client)
            parameters = _parameters(builder, query)
            asked = self.sdk.configuration(query_parameters=parameters)
            if eventual:
                asked.headers.add("ConsistencyLevel", "eventual")
            page = await builder.get(request_configuration=asked)
            pages = self.sdk.pages(page, client.request_adapter)
            if eventual:
                pages.headers.add("ConsistencyLevel", "eventual")
            await pages.iterate(take)
            return found

        return list(self.ask(read))


def _parameters(builder: Any, query: dict[str, Any]) -> Any:
    [kind] = [value for name, value in vars(type(builder)).items() if name.endswith("GetQueryParameters")]
    return kind(**query)


@pytest.fixture
def referee(sdk: Any, address: str, trusted: str) -> Referee:
    return Referee(sdk, address, signs_in(sdk, address, trusted))


def signs_in(sdk: Any, address: str, trusted: str, secret: str = CLIENT_SECRET) -> Any:
    return sdk.secret(
        TENANT,
        CLIENT,
        secret,
        authority=address,
        disable_instance_discovery=True,
        connection_verify=trusted,
        retry_total=0,
    )


def names(people: list[Any]) -> list[str]:
    return [one.user_principal_name for one in people]


def test_the_sdk_reads_a_group_by_its_id(referee: Referee) -> None:
    found = referee.ask(lambda client: client.groups.by_group_id(id_of("group:eng-web")).get())
    assert (found.id, found.display_name, found.security_enabled) == (id_of("group:eng-web"), "eng-web", True)


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("displayName eq 'eng-web'", [id_of("group:eng-web")]),
        ("displayName eq 'ENG-Web'", [id_of("group:eng-web")]),
        ("displayName eq 'o''neill & co'", [id_of("group:o'neill & co")]),
        ("displayName eq 'twin'", [id_of("twin 1"), id_of("twin 2")]),
        ("displayName eq 'nobody'", []),
        (
            "displayName in ('ENG-Web','nobody','o''neill & co')",
            [id_of(f"group:{n}") for n in ("eng-web", "o'neill & co")],
        ),
    ],
)
def test_the_sdk_finds_groups_by_name(condition: str, ids: list[str], referee: Referee) -> None:
    found = referee.listed(lambda client: client.groups, eventual=False, filter=condition)
    assert [one.id for one in found] == ids


def test_the_sdk_reads_all_pages_of_direct_members(referee: Referee, graph: Graph) -> None:
    found = referee.listed(
        lambda client: client.groups.by_group_id(id_of("group:eng-web")).members.graph_user,
        select=SELECT,
        top=4,
        count=True,
    )
    direct = [one for one in graph.people if one["id"] in graph.some_group("eng-web")["members"]]
    assert [(one.id, one.user_principal_name, one.mail, one.account_enabled) for one in found] == [
        (one["id"], one["userPrincipalName"], one["mail"], one["accountEnabled"]) for one in direct
    ]
    assert len(found) == 11


def test_the_sdk_reads_members_of_groups_within_a_group(referee: Referee) -> None:
    direct = referee.listed(
        lambda client: client.groups.by_group_id(id_of("group:all-eng")).members.graph_user, count=True
    )
    all_of_them = referee.listed(
        lambda client: client.groups.by_group_id(id_of("group:all-eng")).transitive_members.graph_user,
        count=True,
    )
    assert names(direct) == ["gil_other.example#EXT#@acme.onmicrosoft.com"]
    assert len(all_of_them) == 12


def test_the_sdk_reads_all_users(referee: Referee, graph: Graph) -> None:
    found = referee.listed(lambda client: client.users, select=SELECT, top=999, count=True)
    assert names(found) == [one["userPrincipalName"] for one in graph.people]
    assert [one.user_type for one in found].count("Guest") == 1


def test_the_sdk_is_shown_nothing_that_it_did_not_select(referee: Referee) -> None:
    found = referee.listed(lambda client: client.users, eventual=False)
    assert {one.account_enabled for one in found} == {None}


def test_the_sdk_reads_the_count_of_the_first_page(referee: Referee, sdk: Any) -> None:
    async def counted(client: Any) -> tuple[int | None, int | None]:
        builder = client.users
        asked = sdk.configuration(query_parameters=_parameters(builder, {"count": True, "top": 4}))
        asked.headers.add("ConsistencyLevel", "eventual")
        first = await builder.get(request_configuration=asked)
        second = await builder.with_url(first.odata_next_link).get()
        return first.odata_count, second.odata_count

    assert referee.ask(counted) == (12, None)


def test_the_sdk_ends_at_an_empty_page_where_the_stand_in_goes_on(referee: Referee, graph: Graph) -> None:
    """Its iterator takes an empty page for the end. Graph's documentation does not, and neither do we."""
    graph.empty_pages = 1
    found = referee.listed(lambda client: client.users, top=4, count=True)
    assert len(found) == 4


def test_the_sdk_is_shown_limited_information(referee: Referee, graph: Graph) -> None:
    graph.rights = frozenset({GROUPS})
    found = referee.listed(
        lambda client: client.groups.by_group_id(id_of("group:eng-web")).members.graph_user,
        select=SELECT,
        count=True,
    )
    assert {(one.user_principal_name, one.account_enabled) for one in found} == {(None, None)}
    assert len({one.id for one in found}) == 11


def test_the_sdk_reads_the_provisioning_log(referee: Referee, graph: Graph) -> None:
    graph.log = [
        event("p00", "failure", "2026-11-19T08:00:00Z", "The server is full."),
        event("p00", "success", "2026-11-18T08:00:00Z"),
    ]
    condition = f"provisioningStatusInfo/status eq 'failure' and servicePrincipal/id eq '{PROVISIONER}'"
    [found] = referee.listed(lambda client: client.audit_logs.provisioning, eventual=False, filter=condition)
    status = found.provisioning_status_info
    assert (status.status.value, status.error_information.reason) == ("failure", "The server is full.")
    assert (found.source_identity.id, found.activity_date_time.isoformat()) == (
        id_of("p00"),
        "2026-11-19T08:00:00+00:00",
    )


# What is refused


def refused(sdk: Any, ask: Callable[[], object]) -> tuple[int, str]:
    """Status and code of an error, as the SDK understands it."""
    with pytest.raises(sdk.error) as caught:
        ask()
    assert caught.value.error.inner_error.request_id
    return caught.value.response_status_code, caught.value.error.code


def test_the_sdk_is_refused_what_does_not_exist(referee: Referee, sdk: Any) -> None:
    def ask() -> object:
        return referee.ask(lambda client: client.groups.by_group_id(id_of("nothing")).get())

    assert refused(sdk, ask) == (404, "Request_ResourceNotFound")


def test_the_sdk_is_refused_an_id_that_is_none(referee: Referee, sdk: Any) -> None:
    def ask() -> object:
        return referee.ask(lambda client: client.groups.by_group_id("eng-web").get())

    assert refused(sdk, ask) == (400, "Request_BadRequest")


def test_the_sdk_is_refused_a_cast_without_the_header(referee: Referee, sdk: Any) -> None:
    def ask() -> object:
        return referee.listed(
            lambda client: client.groups.by_group_id(id_of("group:eng-web")).members.graph_user,
            eventual=False,
        )

    assert refused(sdk, ask) == (400, "Request_UnsupportedQuery")


def test_the_sdk_is_refused_a_next_page_without_the_header(referee: Referee, sdk: Any) -> None:
    async def read(client: Any) -> Any:
        builder = client.groups.by_group_id(id_of("group:eng-web")).members.graph_user
        asked = sdk.configuration()
        asked.headers.add("ConsistencyLevel", "eventual")
        first = await builder.get(request_configuration=asked)
        return await builder.with_url(first.odata_next_link).get()

    assert refused(sdk, lambda: referee.ask(read)) == (400, "Request_UnsupportedQuery")


@pytest.mark.parametrize(
    "query", [{"select": ["id", "nonsense"]}, {"top": 1000}], ids=["unknown attribute", "page too large"]
)
def test_the_sdk_is_refused_a_query_that_makes_no_sense(
    query: dict[str, Any], referee: Referee, sdk: Any
) -> None:
    assert refused(sdk, lambda: referee.listed(lambda client: client.users, **query))[0] == 400


@pytest.mark.parametrize("right", [GROUPS, USERS])
def test_the_sdk_is_refused_what_the_app_has_no_right_to(
    right: str, referee: Referee, graph: Graph, sdk: Any
) -> None:
    graph.rights = RIGHTS - {right}

    def ask() -> object:
        return referee.listed(lambda client: client.groups if right == GROUPS else client.users)

    assert refused(sdk, ask) == (403, "Authorization_RequestDenied")


# Signing in


@pytest.fixture
def pem(authority: trustme.CA, graph: Graph, tmp_path: Path) -> Path:
    """The certificate that the app is registered with, and its key."""
    own = authority.issue_cert("reconciler.acme.example", key_type=trustme.KeyType.RSA)
    graph.certificates = [own.cert_chain_pems[0].bytes().decode()]
    path = tmp_path / "app.pem"
    path.write_bytes(own.private_key_and_cert_chain_pem.bytes())
    return path


def with_certificate(sdk: Any, address: str, trusted: str, path: Path) -> Any:
    return sdk.certificate(
        TENANT,
        CLIENT,
        str(path),
        authority=address,
        disable_instance_discovery=True,
        connection_verify=trusted,
        retry_total=0,
    )


def today() -> datetime:
    """The time of the system, by which Microsoft's library signs."""
    return datetime.now(UTC)


SCOPE = "https://graph.microsoft.com/.default"


def test_microsofts_library_signs_in_with_a_secret(
    sdk: Any, address: str, trusted: str, graph: Graph
) -> None:
    token = signs_in(sdk, address, trusted).get_token(SCOPE)
    assert list(graph.tokens) == [token.token]


def test_microsofts_library_signs_in_with_a_certificate(
    sdk: Any, address: str, trusted: str, pem: Path, graph: Graph
) -> None:
    graph.now = today
    token = with_certificate(sdk, address, trusted, pem).get_token(SCOPE)
    assert list(graph.tokens) == [token.token]


def test_microsofts_library_is_refused_with_another_secret(sdk: Any, address: str, trusted: str) -> None:
    with pytest.raises(sdk.not_signed_in, match="AADSTS7000215: Invalid client secret"):
        signs_in(sdk, address, trusted, "another").get_token(SCOPE)


def test_microsofts_library_is_refused_with_another_certificate(
    sdk: Any, address: str, trusted: str, pem: Path, graph: Graph
) -> None:
    graph.certificates = []
    with pytest.raises(sdk.not_signed_in, match="AADSTS700027: The certificate"):
        with_certificate(sdk, address, trusted, pem).get_token(SCOPE)


def test_microsofts_library_is_refused_after_the_time_of_its_assertion(
    sdk: Any, address: str, trusted: str, pem: Path, graph: Graph
) -> None:
    graph.now = lambda: today() + timedelta(hours=1)
    with pytest.raises(sdk.not_signed_in, match="AADSTS700024: Client assertion is not within"):
        with_certificate(sdk, address, trusted, pem).get_token(SCOPE)


# Our directory before the same referee


def ours(address: str, trusted: str, refs: Collection[GroupRef] = (), *, nested: bool = False) -> Membership:
    """What our directory reads there, everybody included."""
    app = EntraConnection(TENANT, CLIENT, Token(CLIENT_SECRET), address, address, trusted)
    with GraphClient(app, installed_signer) as client:
        return EntraDirectory(client, organization(nested=nested)).read(refs, everybody=True)


Seen = set[tuple[str | None, str | None, str | None, str | None, bool | None]]


def of_the_sdk(people: list[Any]) -> Seen:
    return {
        (one.id, one.user_principal_name, one.display_name, one.mail, one.account_enabled) for one in people
    }


def of_ours(members: Set[Member] | None) -> Seen:
    return {
        (one.external_id, one.user_name, one.display_name, one.email, one.active) for one in members or ()
    }


@pytest.mark.parametrize("nested", [False, True], ids=["direct", "nested"])
@pytest.mark.parametrize("name", ["eng-web", "all-eng", "empty", "o'neill & co"])
def test_our_directory_reads_the_same_groups_as_the_sdk(
    name: str, nested: bool, referee: Referee, address: str, trusted: str
) -> None:
    condition = "displayName eq '" + name.replace("'", "''") + "'"
    [of_sdk] = referee.listed(
        lambda client: client.groups,
        eventual=False,
        filter=condition,
    )

    def members(client: Any) -> Any:
        found = client.groups.by_group_id(of_sdk.id)
        return (found.transitive_members if nested else found.members).graph_user

    people = referee.listed(members, select=[*SELECT, "displayName"], top=999, count=True)
    [group] = ours(address, trusted, {GroupRef(name)}, nested=nested).groups
    assert (group.id, group.name) == (of_sdk.id, of_sdk.display_name)
    assert of_ours(group.members) == of_the_sdk(people)


def test_our_directory_reads_the_same_people_as_the_sdk(referee: Referee, address: str, trusted: str) -> None:
    people = referee.listed(lambda client: client.users, select=[*SELECT, "displayName"], top=999, count=True)
    membership = ours(address, trusted)
    assert of_ours(membership.people) == of_the_sdk(people)
    assert len(people) == 12


def test_where_the_sdk_ends_at_an_empty_page_our_directory_reads_on(
    address: str, trusted: str, graph: Graph
) -> None:
    graph.empty_pages = 2
    membership = ours(address, trusted)
    assert len(membership.people or ()) == 12
