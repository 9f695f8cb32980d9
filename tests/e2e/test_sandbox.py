"""The sandbox over real HTTP on loopback: SCIM as a client sees it, and what CircleCI adds."""

import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reconciler import sandbox
from reconciler.errors import ExitCode, SettingsError
from reconciler.sandbox import seed
from reconciler.sandbox.seed import Group, Person, Seed
from reconciler.sandbox.server import Server

SEEDS = Path(__file__).parent / "seeds"

SMALL = Seed(
    people={
        "ada": Person(id="u-ada", roles=("org-admin",)),
        "bob": Person(id="u-bob", roles=("org-viewer", "billing-reader")),
        "cleo": Person(id="u-cleo", active=None),
    },
    groups={"web": Group(id="g-web", members=("bob",)), "ops": Group(id="g-ops")},
    projects=frozenset({"storefront"}),
    other_roles=frozenset({"billing-reader"}),
)


@pytest.fixture
def server() -> Iterator[Server]:
    with sandbox.run(SMALL, token="t0ken") as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with connected(server) as connection:
        yield connection


def connected(server: Server) -> httpx.Client:
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/scim+json"}
    return httpx.Client(base_url=server.url, headers=headers, trust_env=False)


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": list(operations)}


def set_roles(*values: str) -> dict[str, Any]:
    return patch({"op": "replace", "path": "roles", "value": [{"value": value} for value in values]})


def groups_of(client: httpx.Client, user: str) -> list[str]:
    return [group["display"] for group in client.get(f"/Users/{user}").json().get("groups", [])]


# Reading


def test_a_user_and_a_group_are_shown_as_real_servers_show_them(server: Server, client: httpx.Client) -> None:
    user, group = client.get("/Users/u-bob").json(), client.get("/Groups/g-web").json()
    assert {key: user[key] for key in ("id", "userName", "active", "roles", "groups")} == {
        "id": "u-bob",
        "userName": "bob",
        "active": True,
        "roles": [{"value": "org-viewer"}, {"value": "billing-reader"}],
        "groups": [
            {"value": "g-web", "$ref": f"{server.url}/Groups/g-web", "display": "web", "type": "direct"}
        ],
    }
    assert group["members"] == [
        {"value": "u-bob", "$ref": f"{server.url}/Users/u-bob", "display": "bob", "type": "User"}
    ]


def test_who_has_no_active_attribute_is_shown_without_one(client: httpx.Client) -> None:
    assert "active" not in client.get("/Users/u-cleo").json()


def test_the_server_says_what_it_can_do(client: httpx.Client) -> None:
    abilities = client.get("/ServiceProviderConfig").json()
    assert abilities["patch"] == {"supported": True}
    assert abilities["etag"] == {"supported": True}
    assert abilities["filter"] == {"supported": True, "maxResults": 200}
    assert abilities["pagination"] == {
        "cursor": True,
        "index": True,
        "defaultPaginationMethod": "index",
        "defaultPageSize": 100,
        "maxPageSize": 200,
        "cursorTimeout": 600,
    }


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}], ids=["no token", "a wrong one"])
def test_without_its_token_the_server_tells_nothing(server: Server, headers: dict[str, str]) -> None:
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as stranger:
        answer = stranger.get("/Users")
    assert (answer.status_code, answer.json()["status"]) == (401, "401")


def test_listings_are_complete_by_index_and_by_cursor() -> None:
    crowd = Seed(people={f"user-{number}": Person() for number in range(450)})
    with sandbox.run(crowd) as server, connected(server) as client:
        by_index: list[str] = []
        while page := client.get("/Users", params={"startIndex": len(by_index) + 1}).json().get("Resources"):
            by_index += [user["userName"] for user in page]
        by_cursor: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = client.get("/Users", params={"cursor": cursor, "count": 1000}).json()
            by_cursor += [user["userName"] for user in answer["Resources"]]
            cursor = answer.get("nextCursor")
    assert sorted(by_index) == sorted(by_cursor) == sorted(crowd.people)


@pytest.mark.parametrize(
    ("endpoint", "query", "found"),
    [
        ("/Users", 'userName eq "BOB"', ["u-bob"]),
        ("/Users", 'groups.value eq "g-web"', ["u-bob"]),
        ("/Users", 'roles.value eq "ORG-admin"', ["u-ada"]),
        ("/Groups", 'members.value eq "u-bob"', ["g-web"]),
        ("/Groups", 'displayName eq "nobody"', []),
    ],
)
def test_filters_are_answered(client: httpx.Client, endpoint: str, query: str, found: list[str]) -> None:
    answer = client.get(endpoint, params={"filter": query}).json()
    assert [resource["id"] for resource in answer.get("Resources", [])] == found


def test_two_runs_of_one_seed_answer_the_same() -> None:
    def everything() -> list[str]:
        with sandbox.run(seed.acme()) as server, connected(server) as client:
            answers = [client.get(path, params={"count": 200}) for path in ("/Users", "/Groups")]
            return [answer.text.replace(server.url, "") for answer in answers]

    assert everything() == everything()


# Connections


def test_a_connection_is_kept_and_used_again(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=5) as connection:
        stream = connection.makefile("rwb")
        statuses = []
        for request in (b"GET /v2/Users/u-bob", b"DELETE /v2/Groups/g-ops", b"GET /v2/Users"):
            stream.write(request + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t0ken\r\n\r\n")
            stream.flush()
            status = stream.readline().split()[1]
            headers = dict(line.rstrip().lower().split(b": ", 1) for line in iter(stream.readline, b"\r\n"))
            body = stream.read(int(headers.get(b"content-length", 0)))
            statuses.append((status, bool(body)))
    assert statuses == [(b"200", True), (b"204", False), (b"200", True)]


@pytest.mark.parametrize(
    "header",
    [b"Transfer-Encoding: chunked", b"Content-Length: many", b"Content-Length: -1"],
    ids=["chunked", "no number", "negative"],
)
def test_a_body_of_unknown_length_is_refused_and_the_connection_closed(server: Server, header: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=5) as connection:
        connection.sendall(b"POST /v2/Users HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 411 ")


def test_many_clients_at_once_are_all_answered(server: Server) -> None:
    statuses: list[int] = []

    def ask() -> None:
        with connected(server) as client:
            statuses.extend(client.get("/Users").status_code for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 80


def test_a_server_that_ended_leaves_no_thread_and_no_open_connection() -> None:
    before = threading.active_count()
    with sandbox.run(SMALL) as server:
        connection = socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=5)
        stream = connection.makefile("rwb")
        stream.write(b"GET /v2/ServiceProviderConfig HTTP/1.1\r\nHost: x\r\n\r\n")
        stream.flush()
        assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
    assert threading.active_count() == before
    with connection, stream:
        assert stream.read().endswith(b"}")  # to the end of the answer, where the server hung up


def test_a_taken_port_is_said(server: Server) -> None:
    port = server.server_address[1]
    with pytest.raises(SettingsError) as caught, sandbox.run(SMALL, port=port):
        pass
    assert caught.value.message == f"the sandbox cannot listen on 127.0.0.1:{port}: Address already in use"
    assert caught.value.exit_code == ExitCode.USAGE


def test_each_request_is_noted_with_its_query_and_status() -> None:
    log = io.StringIO()
    with sandbox.run(SMALL, log=log) as server, connected(server) as client:
        client.get("/Users?startIndex=1&count=2")
        client.patch("/Users/u-bob", json=set_roles("org-owner"))
        client.post(
            "/Users/.search", json={"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}
        )
    assert [tuple(request) for request in server.requests] == [
        ("GET", "/v2/Users?startIndex=1&count=2", 200),
        ("PATCH", "/v2/Users/u-bob", 400),
        ("POST", "/v2/Users/.search", 200),
    ]
    assert [request.writes for request in server.requests] == [False, True, False]
    assert log.getvalue().splitlines() == [str(request) for request in server.requests]


# Writing


def test_roles_are_replaced_by_patch_and_everything_else_stays(server: Server, client: httpx.Client) -> None:
    client.patch("/Users/u-bob", json=patch({"op": "add", "path": "nickName", "value": "Bobby"}))
    before = client.get("/Users/u-bob").json()
    answer = client.patch("/Users/u-bob", json=set_roles("project-admin:storefront", "billing-reader"))
    after = client.get("/Users/u-bob").json()
    assert answer.status_code == 204
    assert server.roles() == {
        "ada": ["org-admin"],
        "bob": ["billing-reader", "project-admin:storefront"],
        "cleo": [],
    }
    changed = {"roles", "meta"}
    assert {key: value for key, value in after.items() if key not in changed} == {
        key: value for key, value in before.items() if key not in changed
    }


def test_a_write_to_an_older_version_is_refused(server: Server, client: httpx.Client) -> None:
    version = client.get("/Users/u-bob").headers["ETag"]
    first = client.patch("/Users/u-bob", json=set_roles("org-contributor"), headers={"If-Match": version})
    second = client.patch("/Users/u-bob", json=set_roles("org-viewer"), headers={"If-Match": version})
    assert (first.status_code, second.status_code) == (204, 412)
    assert server.roles()["bob"] == ["org-contributor"]


def test_members_come_and_go_and_their_groups_follow(server: Server, client: httpx.Client) -> None:
    add = {"op": "add", "path": "members", "value": [{"value": "u-ada"}, {"value": "u-bob"}]}
    remove = {"op": "remove", "path": 'members[value eq "u-bob"]'}
    client.patch("/Groups/g-web", json=patch(add, remove))
    assert server.members() == {"web": ["ada"], "ops": []}
    assert (groups_of(client, "u-ada"), groups_of(client, "u-bob")) == (["web"], [])


def test_adding_a_member_twice_makes_one_member(server: Server, client: httpx.Client) -> None:
    client.patch("/Groups/g-web", json=patch({"op": "add", "path": "members", "value": [{"value": "u-bob"}]}))
    assert server.members()["web"] == ["bob"]


def test_a_renamed_group_is_renamed_for_its_members(client: httpx.Client) -> None:
    client.patch("/Groups/g-web", json=patch({"op": "replace", "path": "displayName", "value": "site"}))
    assert groups_of(client, "u-bob") == ["site"]


def test_a_created_group_has_its_members_at_once(server: Server, client: httpx.Client) -> None:
    body = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "new",
        "members": [{"value": "u-cleo"}],
    }
    assert client.post("/Groups", json=body).status_code == 201
    assert server.members()["new"] == ["cleo"]
    assert groups_of(client, "u-cleo") == ["new"]


def test_a_deleted_group_leaves_its_members(client: httpx.Client) -> None:
    assert client.delete("/Groups/g-web").status_code == 204
    assert groups_of(client, "u-bob") == []


def test_a_deleted_user_leaves_the_groups(server: Server, client: httpx.Client) -> None:
    assert client.delete("/Users/u-bob").status_code == 204
    assert server.members() == {"web": [], "ops": []}


def test_the_groups_of_a_user_cannot_be_written(client: httpx.Client) -> None:
    body = client.get("/Users/u-cleo").json() | {"groups": [{"value": "g-ops"}]}
    client.put("/Users/u-cleo", json=body)
    assert groups_of(client, "u-cleo") == []


def test_a_member_who_does_not_exist_is_refused_and_nothing_written(
    server: Server, client: httpx.Client
) -> None:
    members = [{"value": "u-ada"}, {"value": "u-nobody"}]
    answer = client.patch("/Groups/g-web", json=patch({"op": "add", "path": "members", "value": members}))
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")
    assert answer.json()["detail"] == "no user has the id 'u-nobody'"
    assert server.members()["web"] == ["bob"]


# What CircleCI adds


@pytest.mark.parametrize(
    ("role", "words"),
    [
        ("org-owner", "unknown role 'org-owner'"),
        ("project-boss:storefront", "unknown role 'project-boss:storefront'"),
        ("project-admin:other", "unknown project in role 'project-admin:other'"),
        ("payroll", "unknown role 'payroll'"),
    ],
)
def test_an_unknown_role_is_refused(server: Server, client: httpx.Client, role: str, words: str) -> None:
    answer = client.patch("/Users/u-bob", json=set_roles("org-contributor", role))
    assert (answer.status_code, answer.json()["scimType"], answer.json()["detail"]) == (
        400,
        "invalidValue",
        words,
    )
    assert server.roles()["bob"] == ["billing-reader", "org-viewer"]


LAST_ADMIN_WRITES = {
    "demoted": ("PATCH", "/Users/u-ada", set_roles("org-contributor")),
    "stripped": ("PATCH", "/Users/u-ada", patch({"op": "remove", "path": "roles"})),
    "deactivated": ("PATCH", "/Users/u-ada", patch({"op": "replace", "path": "active", "value": False})),
    "replaced": (
        "PUT",
        "/Users/u-ada",
        {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada"},
    ),
    "deleted": ("DELETE", "/Users/u-ada", None),
}


@pytest.mark.parametrize(("method", "path", "body"), LAST_ADMIN_WRITES.values(), ids=LAST_ADMIN_WRITES.keys())
def test_the_last_admin_stays(
    server: Server, client: httpx.Client, method: str, path: str, body: object
) -> None:
    answer = client.request(method, path, json=body)
    assert answer.status_code == 400
    assert answer.json()["detail"] == "You must have at least one org administrator"
    assert client.get("/Users/u-ada").json()["active"] is True
    assert server.roles()["ada"] == ["org-admin"]


def test_an_admin_who_is_not_the_last_may_go(server: Server, client: httpx.Client) -> None:
    client.patch("/Users/u-bob", json=set_roles("org-admin"))
    assert client.patch("/Users/u-ada", json=set_roles("org-viewer")).status_code == 204
    assert server.roles() == {"ada": ["org-viewer"], "bob": ["org-admin"], "cleo": []}


def test_an_organization_without_any_admin_can_be_changed() -> None:
    lonely = Seed(people={"ada": Person(id="u-ada")})
    with sandbox.run(lonely) as server, connected(server) as client:
        assert client.patch("/Users/u-ada", json=set_roles("org-viewer")).status_code == 204


def test_where_roles_are_groups_the_last_admin_stays_too() -> None:
    with sandbox.run(seed.load(SEEDS / "role-groups.yaml")) as server, connected(server) as client:
        admins = client.get("/Groups", params={"filter": 'displayName eq "circleci-org-admin"'}).json()
        group = f"/Groups/{admins['Resources'][0]['id']}"
        first, second = (member["value"] for member in admins["Resources"][0]["members"])
        answers = [
            client.patch(group, json=patch({"op": "remove", "path": f'members[value eq "{first}"]'})),
            client.patch(group, json=patch({"op": "remove", "path": f'members[value eq "{second}"]'})),
            client.patch(group, json=patch({"op": "replace", "path": "displayName", "value": "admins"})),
            client.delete(group),
            client.delete(f"/Users/{second}"),
        ]
        assert [answer.status_code for answer in answers] == [204, 400, 400, 400, 400]
        assert server.members()["circleci-org-admin"] == ["bob@acme.example"]
