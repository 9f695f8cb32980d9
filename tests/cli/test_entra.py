"""The program with a stand-in for Graph as its directory: what it prints, and writes only without a doubt."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli.small_world import NEEDED, ORGANIZATION, acme, write_policy
from click.testing import CliRunner
from scim.fake_server import BASE, SECRET, FakeServer, Time
from standins.graph import (
    CLIENT,
    CLIENT_SECRET,
    JSON,
    TENANT,
    Fault,
    Graph,
    error_body,
    group,
    id_of,
    person,
    refusal,
)

from reconciler.cli import cli
from reconciler.errors import ExitCode
from reconciler.http.reach import Reach

ENTRA = ORGANIZATION + "directory: {kind: entra}\n"
APP = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": CLIENT_SECRET}
SERVER = "https://graph.microsoft.com/v1.0"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy that reads Entra ID in the current folder, and no connection to anywhere."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if "SCIM" in name or name.startswith(("CIRCLE", "AZURE"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CIRCLE_SHA1", "0123abcd")
    write_policy(tmp_path / "policies/acme", ENTRA)
    return tmp_path


def company(**changes: Any) -> Graph:
    """Whom the policy of the small world is about, as the SCIM server knows them by userName."""
    people = [person(name) for name in ("ada", "bob", "cleo", "dan")]
    return Graph(people, [group("platform", "ada", "bob"), group("eng-web", "cleo")], **changes)


def run(
    server: FakeServer, graph: Graph, *arguments: str, variables: Mapping[str, str] = APP
) -> tuple[int, str, str]:
    """Exit code and streams of one run, checked for what no run may ever do."""

    def answer(request: httpx.Request) -> httpx.Response:
        return (server if str(request.url).startswith(BASE) else graph).answer(request)

    result = CliRunner().invoke(
        cli,
        arguments,
        env={"CIRCLECI_SCIM_URL": BASE, "CIRCLECI_SCIM_TOKEN": SECRET, **variables},
        obj=Reach(httpx.MockTransport(answer), Time().patience()),
    )
    for secret in (SECRET, CLIENT_SECRET, *graph.tokens, "Traceback"):
        assert secret not in result.output
    assert isinstance(result.exception, SystemExit | None), result.exception
    return int(result.exit_code), result.stdout, result.stderr


def test_a_plan_is_that_of_the_groups_in_entra() -> None:
    server = acme(groups=[])
    code, out, err = run(server, company(), "plan")
    assert (code, out.splitlines()[:2], err) == (
        ExitCode.DONE,
        [f"acme on {BASE}, mode enforce", "2 people change: 1 gains, 1 loses everything"],
        "",
    )
    assert "group eng-web (policies/acme/web.yaml:" in out


def test_an_apply_writes_it() -> None:
    server = acme(groups=[])
    assert run(server, company(), "apply")[0] == ExitCode.DONE
    assert server.writes == NEEDED


def test_people_are_matched_by_the_id_that_entra_provisions_as_external_id() -> None:
    users = [{**one, "externalId": id_of(one["id"].removeprefix("u-"))} for one in acme().users]
    server = acme(users=users, groups=[])
    graph = company()
    graph.someone("cleo")["userPrincipalName"] = "cleo.married@acme.example"
    assert run(server, graph, "apply")[0] == ExitCode.DONE
    assert server.writes == NEEDED


def test_what_goes_over_the_wire_is_told_without_what_is_secret() -> None:
    code, _, err = run(acme(groups=[]), company(), "--debug", "plan")
    told = [line.partition(": 200 OK")[0] for line in err.splitlines()]
    assert code == ExitCode.DONE
    assert f"debug: POST /{TENANT}/oauth2/v2.0/token" in told
    assert "debug: GET /groups?$filter&$select" in told
    assert f"debug: GET /groups/{id_of('group:eng-web')}/members/microsoft.graph.user?$select" in told


def test_an_organization_has_variables_of_its_own() -> None:
    own = {f"ACME_{name}": value for name, value in APP.items()}
    wrong = {**APP, "AZURE_CLIENT_SECRET": "of-another-organization"}
    assert run(acme(groups=[]), company(), "plan", variables={**wrong, **own})[0] == ExitCode.DONE


# What is refused

HTML = "<html><body>Sign in</body></html>"
MEMBERS = f"could not read the members of the group 'eng-web' from {SERVER}: "
WHOLE = "nothing was changed; a plan needs a listing that is whole"
CONSENT = "of Microsoft Graph, with an administrator's consent"
REQUEST = "request-id 0f1e2d3c-0000-4000-8000-000000000000"


EXPIRED = json.dumps(
    {
        "error": "invalid_client",
        "error_description": "AADSTS7000222: The provided client secret keys are expired. Trace ID: x",
    }
)


def lacking(name: str) -> Fault:
    def forget(document: dict[str, Any]) -> None:
        document["value"][0][name] = None

    return Fault("/members/", change=forget)


def half(document: dict[str, Any]) -> None:
    del document["value"][0]


def elsewhere(document: dict[str, Any]) -> None:
    document["@odata.nextLink"] = "https://graph.evil.example/v1.0/users"


@pytest.mark.parametrize("command", ["plan", "apply"])
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (
            refusal("/members/", 403, "Authorization_RequestDenied", "Insufficient privileges."),
            f"{MEMBERS}the server answered 403 Forbidden (Authorization_RequestDenied): 'Insufficient "
            f"privileges.'; {REQUEST}\nhint: the app needs the application permission GroupMember.Read.All "
            f"{CONSENT}",
        ),
        (
            refusal("/members/", 429, "TooManyRequests", "Slow down."),
            f"{MEMBERS}the server answered 429 Too Many Requests (TooManyRequests): 'Slow down.'; {REQUEST}\n"
            "hint: Graph has too much to do; run it again later",
        ),
        (
            refusal("/members/", 500, "InternalServerError", "Oops."),
            f"{MEMBERS}the server answered 500 Internal Server Error (InternalServerError): 'Oops.'; "
            f"{REQUEST}",
        ),
        (
            Fault("/members/", 200, {"content-type": "text/html"}, HTML),
            f"{MEMBERS}the server answered 200 OK with {len(HTML)} bytes that are no JSON object "
            f"(text/html), "
            f"beginning '{HTML}'\nhint: is AZURE_GRAPH_ENDPOINT, if it is set, a Microsoft Graph?",
        ),
        (
            Fault("/members/", 200, JSON, ""),
            f"{MEMBERS}the server answered 200 OK with nothing in it ({JSON['content-type'][:59]}…)\n"
            "hint: is AZURE_GRAPH_ENDPOINT, if it is set, a Microsoft Graph?",
        ),
        (
            Fault("/members/", 200, JSON, '{"value": []}'),
            f"{MEMBERS}the answer has no @odata.count, so nobody can tell whether it is all\nhint: {WHOLE}",
        ),
        (
            Fault("/members/", change=half),
            f"{MEMBERS}@odata.count says 1, and the pages hold 0, in 3 readings\nhint: {WHOLE}",
        ),
        (
            Fault("/members/", change=elsewhere),
            f"{MEMBERS}its next page is on graph.evil.example, where the token must not go\nhint: {WHOLE}",
        ),
        (
            Fault("/members/", breaks=True),
            f"{MEMBERS}the connection broke before the answer was whole: connection reset by peer",
        ),
        (
            lacking("userPrincipalName"),
            f"the server answered user '{id_of('cleo')}' whose userPrincipalName is missing\n"
            "hint: the app needs the application permission User.Read.All "
            f"{CONSENT}: without it, Graph shows of people no more than that they are there",
        ),
        (
            lacking("accountEnabled"),
            f"the server answered user '{id_of('cleo')}' whose accountEnabled is missing\n"
            "hint: the app needs the application permission User.Read.All "
            f"{CONSENT}: without it, Graph shows of people no more than that they are there",
        ),
        (
            Fault("/members/", 404, JSON, error_body("Request_ResourceNotFound", "Gone.")),
            f"{MEMBERS}the server answered 404 Not Found (Request_ResourceNotFound): 'Gone.'; {REQUEST}\n"
            "hint: is AZURE_GRAPH_ENDPOINT, if it is set, a Microsoft Graph?",
        ),
        (
            Fault("/oauth2/", 401, JSON, EXPIRED),
            f"could not sign in to https://login.microsoftonline.com as app {CLIENT} of {TENANT}: the server "
            "answered 401 Unauthorized (invalid_client): 'AADSTS7000222: The provided client secret keys are "
            "expired.'\nhint: make a new secret for the app, and set AZURE_CLIENT_SECRET to it",
        ),
    ],
    ids=[
        "forbidden",
        "throttled",
        "broken",
        "HTML",
        "empty",
        "no count",
        "half a page",
        "another host",
        "reset",
        "no name",
        "no status",
        "vanished",
        "expired secret",
    ],
)
def test_a_doubt_about_entra_stops_the_run_before_anything_is_written(
    fault: Fault, told: str, command: str
) -> None:
    server = acme(groups=[])
    assert run(server, company(faults=[fault]), command) == (ExitCode.UNREADABLE, "", f"error: {told}\n")
    assert server.writes == []


def test_a_group_that_is_gone_takes_nothing_from_anybody() -> None:
    server, graph = acme(groups=[]), company()
    graph.groups = graph.groups[1:]
    code, out, err = run(server, graph, "apply")
    assert (code, server.writes) == (ExitCode.PARTLY_APPLIED, ["PATCH /Users/u-cleo"])
    assert "'platform'" in out
    assert err.splitlines()[-2] == "error: 1 problem kept the policy of acme from being applied whole"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (
            {},
            "AZURE_TENANT_ID is not set\nhint: set AZURE_TENANT_ID to the directory (tenant) id or a "
            "domain of it, "
            "such as acme.onmicrosoft.com",
        ),
        (
            {name: value for name, value in APP.items() if name != "AZURE_CLIENT_SECRET"},
            "neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH is set\nhint: set "
            "AZURE_CLIENT_SECRET "
            "to the app's secret (AZURE_CLIENT_SECRET_FILE, AZURE_CLIENT_SECRET_COMMAND, "
            "AZURE_CLIENT_SECRET_VAULT tell where it is), or AZURE_CLIENT_CERTIFICATE_PATH to a file "
            "in PEM with "
            "the app's certificate and its private key",
        ),
    ],
    ids=["nothing", "no secret"],
)
def test_without_its_variables_nothing_is_read(variables: Mapping[str, str], told: str) -> None:
    server, graph = acme(groups=[]), company()
    assert run(server, graph, "plan", variables=variables) == (ExitCode.USAGE, "", f"error: {told}\n")
    assert (graph.requests, server.writes) == ([], [])
