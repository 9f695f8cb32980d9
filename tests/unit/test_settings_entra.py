"""The connection to Entra ID that the environment describes, and every way to describe it wrongly."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.errors import ExitCode, SettingsError
from reconciler.settings.entra import Certificate, EntraConnection, connection
from reconciler.settings.token import Token

TENANT = "7b0c1c5e-2a3f-4d5b-9c1d-000000000001"
CLIENT = "7b0c1c5e-2a3f-4d5b-9c1d-000000000002"
SECRET = "aBc8Q~s3cret-of-the-app"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEv\n-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\nMIID"
APP = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT}
GOOD = {**APP, "AZURE_CLIENT_SECRET": SECRET}

TENANT_HINT = (
    "set AZURE_TENANT_ID to the directory (tenant) id or a domain of it, such as acme.onmicrosoft.com"
)
AUTHORITY_HINT = (
    "set AZURE_AUTHORITY_HOST to the host that signs apps in, such as https://login.microsoftonline.com"
)
GRAPH_HINT = "set AZURE_GRAPH_ENDPOINT to the host of Microsoft Graph, such as https://graph.microsoft.com"


def fails(environ: Mapping[str, str], organization: str = "acme") -> tuple[str, str]:
    """Message and hint, in which and behind which nothing secret is."""
    with pytest.raises(SettingsError) as caught:
        connection(organization, environ)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in f"{error!s} {error!r}"
        error = error.__cause__ or error.__context__
    assert SECRET not in caught.value.hint
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value.message, caught.value.hint


def pem_file(folder: Path, mode: int = 0o600) -> str:
    path = folder / "app.pem"
    path.write_text(PEM)
    path.chmod(mode)
    return str(path)


def test_a_tenant_an_app_and_its_secret_are_a_connection() -> None:
    assert connection("acme", GOOD) == EntraConnection(
        TENANT,
        CLIENT,
        Token(SECRET),
        "https://login.microsoftonline.com",
        "https://graph.microsoft.com",
    )


def test_a_connection_shows_no_secret(tmp_path: Path) -> None:
    password = {**APP, "AZURE_CLIENT_CERTIFICATE_PATH": pem_file(tmp_path)}
    password["AZURE_CLIENT_CERTIFICATE_PASSWORD"] = "pass phrase"
    shown = f"{connection('acme', GOOD)!r} {connection('acme', password)!r}"
    assert [one for one in (SECRET, "MIIEv", "pass phrase") if one in shown] == []


def test_a_secret_may_come_from_a_file_or_a_command(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    for variables in (
        {"AZURE_CLIENT_SECRET_FILE": str(path)},
        {"AZURE_CLIENT_SECRET_COMMAND": f"cat {path}"},
    ):
        assert connection("acme", {**APP, **variables, "PATH": "/bin:/usr/bin"}).credential == Token(SECRET)


@pytest.mark.parametrize(
    ("password", "found"),
    [
        ({}, None),
        ({"AZURE_CLIENT_CERTIFICATE_PASSWORD": "two words"}, Token("two words")),
    ],
    ids=["plain", "protected"],
)
def test_an_app_may_have_a_certificate(
    password: Mapping[str, str], found: Token | None, tmp_path: Path
) -> None:
    variables = {**APP, "AZURE_CLIENT_CERTIFICATE_PATH": pem_file(tmp_path), **password}
    assert connection("acme", variables).credential == Certificate(
        Token(PEM), "AZURE_CLIENT_CERTIFICATE_PATH", found
    )


@pytest.mark.parametrize("tenant", [TENANT, TENANT.upper(), "acme.onmicrosoft.com", "acme.example"])
def test_a_tenant_is_an_id_or_a_domain(tenant: str) -> None:
    assert connection("acme", {**GOOD, "AZURE_TENANT_ID": f" {tenant} "}).tenant == tenant


@pytest.mark.parametrize(
    ("authority", "host", "graph"),
    [
        ("https://login.microsoftonline.us", None, "https://graph.microsoft.us"),
        ("login.microsoftonline.us", None, "https://graph.microsoft.us"),
        ("https://LOGIN.microsoftonline.us/", None, "https://graph.microsoft.us"),
        (
            "https://login.microsoftonline.us",
            "https://dod-graph.microsoft.us",
            "https://dod-graph.microsoft.us",
        ),
        ("https://login.partner.microsoftonline.cn", None, "https://microsoftgraph.chinacloudapi.cn"),
        ("https://login.chinacloudapi.cn", None, "https://microsoftgraph.chinacloudapi.cn"),
        ("https://login.example", "https://graph.example/v1.0/", "https://graph.example"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8081", "http://127.0.0.1:8081"),
    ],
)
def test_graph_is_that_of_the_authoritys_cloud_unless_it_is_named(
    authority: str, host: str | None, graph: str
) -> None:
    named = {"AZURE_GRAPH_ENDPOINT": host} if host is not None else {}
    assert connection("acme", {**GOOD, "AZURE_AUTHORITY_HOST": authority, **named}).graph == graph


@pytest.mark.parametrize(
    ("variables", "message", "hint"),
    [
        ({"AZURE_AUTHORITY_HOST": ""}, "AZURE_AUTHORITY_HOST is empty", AUTHORITY_HINT),
        (
            {"AZURE_AUTHORITY_HOST": "http://login.example"},
            "AZURE_AUTHORITY_HOST would send the token unencrypted to login.example: http:// is for "
            "loopback only",
            AUTHORITY_HINT,
        ),
        (
            {"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/acme"},
            "AZURE_AUTHORITY_HOST has a path, where there must be a host alone",
            AUTHORITY_HINT,
        ),
        (
            {"AZURE_AUTHORITY_HOST": f"https://me:{SECRET}@login.example"},
            "AZURE_AUTHORITY_HOST holds credentials, which belong in no URL: the token has a variable "
            "of its own",
            AUTHORITY_HINT,
        ),
        (
            {"AZURE_AUTHORITY_HOST": "https://login.example"},
            "AZURE_GRAPH_ENDPOINT is not set, and https://login.example is of no cloud whose Graph is known",
            GRAPH_HINT,
        ),
        ({"AZURE_GRAPH_ENDPOINT": "graph.microsoft.com"}, "AZURE_GRAPH_ENDPOINT has no scheme", GRAPH_HINT),
        (
            {"AZURE_GRAPH_ENDPOINT": "http://graph.example"},
            "AZURE_GRAPH_ENDPOINT would send the token unencrypted to graph.example: http:// is for "
            "loopback only",
            GRAPH_HINT,
        ),
        (
            {"AZURE_GRAPH_ENDPOINT": "https://graph.microsoft.com/beta"},
            "AZURE_GRAPH_ENDPOINT has a path, where there must be a host alone",
            GRAPH_HINT,
        ),
        ({"AZURE_TENANT_ID": ""}, "AZURE_TENANT_ID is empty", TENANT_HINT),
        ({"AZURE_TENANT_ID": "common"}, "AZURE_TENANT_ID is no tenant", TENANT_HINT),
        ({"AZURE_TENANT_ID": f"{TENANT}/../x"}, "AZURE_TENANT_ID is no tenant", TENANT_HINT),
        ({"AZURE_TENANT_ID": SECRET}, "AZURE_TENANT_ID is no tenant", TENANT_HINT),
        (
            {"AZURE_CLIENT_ID": SECRET},
            "AZURE_CLIENT_ID is no id of an app",
            "set AZURE_CLIENT_ID to the application (client) id of the registered app",
        ),
        (
            {"AZURE_CLIENT_SECRET": ""},
            "the token of AZURE_CLIENT_SECRET is empty",
            "AZURE_CLIENT_SECRET must give the token as the server issued it, in one line and without quotes",
        ),
        (
            {"AZURE_CLIENT_SECRET_FILE": "/run/secret"},
            "AZURE_CLIENT_SECRET and AZURE_CLIENT_SECRET_FILE are set, which one holds?",
            "unset all but one of them",
        ),
        (
            {"AZURE_CLIENT_CERTIFICATE_PATH": "/run/app.pem"},
            "AZURE_CLIENT_SECRET and AZURE_CLIENT_CERTIFICATE_PATH are set, which one holds?",
            "unset all but one of them",
        ),
    ],
)
def test_what_is_described_wrongly_is_told(variables: Mapping[str, str], message: str, hint: str) -> None:
    assert fails({**GOOD, **variables}) == (message, hint)


@pytest.mark.parametrize("name", ["AZURE_TENANT_ID", "AZURE_CLIENT_ID"])
def test_what_is_missing_is_told(name: str) -> None:
    assert fails({key: value for key, value in GOOD.items() if key != name})[0] == f"{name} is not set"


def test_a_certificate_file_that_is_open_to_others_is_refused(tmp_path: Path) -> None:
    path = pem_file(tmp_path, 0o644)
    assert fails({**APP, "AZURE_CLIENT_CERTIFICATE_PATH": path}) == (
        f"the certificate file {path} is open to other users (mode 0644)",
        f"chmod 600 {path}",
    )


def test_a_certificate_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert fails({**APP, "AZURE_CLIENT_CERTIFICATE_PATH": str(tmp_path / "nowhere")}) == (
        "the certificate file that AZURE_CLIENT_CERTIFICATE_PATH names can't be read: No such file "
        "or directory",
        "set AZURE_CLIENT_CERTIFICATE_PATH to a readable file",
    )


def test_the_variables_of_an_organization_win_as_a_set() -> None:
    own = {f"MY_ORG_{name}": value for name, value in GOOD.items()}
    found = connection("my-org", {**own, "AZURE_TENANT_ID": "other.example", "AZURE_CLIENT_SECRET": "other"})
    assert (found.tenant, found.credential, found.front) == (TENANT, Token(SECRET), "MY_ORG_")


def test_the_secret_of_one_app_is_never_combined_with_the_tenant_of_another() -> None:
    message, _ = fails({**GOOD, "ACME_AZURE_TENANT_ID": TENANT})
    assert message == "ACME_AZURE_CLIENT_ID is not set"
