"""A token from Vault: through the library, over a real socket, from a stand-in for the server."""

import json
import os
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli.small_world import acme, run, write_policy
from e2e.loopback import environment, serving
from scim.fake_server import SECRET

from reconciler.errors import ExitCode, SettingsError
from reconciler.settings import Token, connection

LOGIN = "hvs.CAESIJ-login-of-a-person"
OIDC, OIDC_V2 = "eyJhbGciOi.job.one", "eyJhbGciOi.job.two"
OF_THE_JOB = "hvs.CAESIJ-login-of-the-job"
PRIVATE = (SECRET, LOGIN, OIDC, OIDC_V2, OF_THE_JOB)
"""What must never be seen."""

PLACE = "secret/circleci/scim#token"
COULD_NOT = "could not read from Vault what CIRCLECI_SCIM_TOKEN_VAULT names"
IS_RIGHT = "is VAULT_ADDR right, and may this login read the secret?"
SYSTEM = "HOME", "PATH"
LONG = 30
"""Seconds that no test should take."""


@dataclass
class Vault:
    """Answers as Vault does: KV version 2 at `secret`, JWT login at `jwt` and `ci`, in one namespace."""

    data: Mapping[str, Any] = field(default_factory=lambda: {"token": SECRET})
    namespace: str | None = None
    fault: httpx.Response | None = None
    """What everybody gets instead."""
    requests: list[httpx.Request] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.fault is not None:
            return self.fault
        if request.headers.get("x-vault-namespace") != self.namespace:
            return told(403, "permission denied")
        match request.method, request.url.path:
            case "POST", "/v1/auth/jwt/login" | "/v1/auth/ci/login":
                return self.login(json.loads(request.content))
            case "GET", "/v1/secret/data/circleci/scim":
                return self.read(request)
            case _:
                return httpx.Response(404, json={"errors": []})

    def login(self, asked: Mapping[str, str]) -> httpx.Response:
        if asked.get("role") != "reconciler" or asked.get("jwt") not in (OIDC, OIDC_V2):
            return told(400, f"error validating token {asked.get('jwt')}")
        return httpx.Response(200, json={"auth": {"client_token": OF_THE_JOB}})

    def read(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("x-vault-token") not in (LOGIN, OF_THE_JOB):
            return told(403, "permission denied")
        return httpx.Response(200, json={"data": {"data": self.data, "metadata": {"version": 3}}})

    def heard(self, name: str) -> list[str | None]:
        return [request.headers.get(name) for request in self.requests]


def told(status: int, *errors: str) -> httpx.Response:
    return httpx.Response(status, json={"errors": list(errors)})


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def address(vault: Vault) -> Iterator[str]:
    with serving(vault) as url:
        yield url.removesuffix("/scim/v2")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a token that nobody named, as `vault login` leaves one; and no other variables."""
    for name in [name for name in os.environ if name.startswith(("VAULT", "CIRCLE")) or "SCIM" in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".vault-token").write_text(LOGIN)
    return tmp_path


def environ(address: str, **others: str) -> dict[str, str]:
    return {
        "CIRCLECI_SCIM_URL": "https://scim.example/v2",
        "CIRCLECI_SCIM_TOKEN_VAULT": PLACE,
        "VAULT_ADDR": address,
        **others,
    }


def fails(variables: Mapping[str, str], patience: float = 60) -> tuple[str, str]:
    """Message and hint of a failure, in which and behind which nothing private is."""
    with pytest.raises(SettingsError) as caught:
        connection("acme", variables, patience)
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + f"{error!r}{error.__cause__!r}{error.hint}"
    assert [secret for secret in PRIVATE if secret in shown] == []
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    assert error.exit_code is ExitCode.USAGE
    return error.message, error.hint


# How it is read


def test_a_token_may_come_from_vault(vault: Vault, address: str) -> None:
    assert connection("acme", environ(address, VAULT_TOKEN=LOGIN)).token == Token(SECRET)
    assert [(request.method, request.url.path) for request in vault.requests] == [
        ("GET", "/v1/secret/data/circleci/scim")
    ]
    assert vault.heard("x-vault-token") == [LOGIN]
    assert vault.heard("x-vault-namespace") == [None]


def test_the_name_of_an_organization_may_stand_in_front(address: str) -> None:
    variables = {"ACME_CIRCLECI_SCIM_URL": "https://scim.example", "ACME_CIRCLECI_SCIM_TOKEN_VAULT": PLACE}
    found = connection("acme", {**variables, "VAULT_ADDR": address, "VAULT_TOKEN": LOGIN})
    assert found.token == Token(SECRET)


@pytest.mark.parametrize(
    ("tokens", "sent"),
    [
        ({"CIRCLE_OIDC_TOKEN": OIDC}, OIDC),
        ({"CIRCLE_OIDC_TOKEN_V2": OIDC_V2}, OIDC_V2),
        ({"CIRCLE_OIDC_TOKEN": OIDC, "CIRCLE_OIDC_TOKEN_V2": OIDC_V2}, OIDC_V2),
        ({"CIRCLE_OIDC_TOKEN": OIDC, "CIRCLE_OIDC_TOKEN_V2": ""}, OIDC),
    ],
    ids=["first", "second", "both", "second is empty"],
)
def test_a_job_on_circleci_logs_in_with_its_own_token(
    tokens: Mapping[str, str], sent: str, vault: Vault, address: str
) -> None:
    found = connection("acme", environ(address, VAULT_AUTH_ROLE="reconciler", **tokens))
    assert found.token == Token(SECRET)
    assert json.loads(vault.requests[0].content) == {"role": "reconciler", "jwt": sent}
    assert [request.url.path for request in vault.requests] == [
        "/v1/auth/jwt/login",
        "/v1/secret/data/circleci/scim",
    ]
    assert vault.heard("x-vault-token") == [None, OF_THE_JOB]


def test_the_login_may_be_mounted_elsewhere(vault: Vault, address: str) -> None:
    connection(
        "acme",
        environ(address, VAULT_AUTH_ROLE="reconciler", VAULT_AUTH_PATH="ci", CIRCLE_OIDC_TOKEN=OIDC),
    )
    assert vault.requests[0].url.path == "/v1/auth/ci/login"


@pytest.mark.parametrize(
    "login",
    [{"VAULT_TOKEN": LOGIN}, {"VAULT_AUTH_ROLE": "reconciler", "CIRCLE_OIDC_TOKEN": OIDC}],
    ids=["token", "role"],
)
def test_a_namespace_is_named_in_every_request(login: Mapping[str, str], vault: Vault, address: str) -> None:
    vault.namespace = "platform/ci"
    assert connection("acme", environ(address, VAULT_NAMESPACE="platform/ci", **login)).token == Token(SECRET)
    assert set(vault.heard("x-vault-namespace")) == {"platform/ci"}


# What is not sent


def test_a_token_in_the_home_folder_is_not_taken(vault: Vault, address: str) -> None:
    assert fails(environ(address)) == (
        "VAULT_TOKEN is not set, so nobody can log in to Vault",
        "set VAULT_TOKEN, or VAULT_AUTH_ROLE on CircleCI",
    )
    assert vault.requests == []


def test_a_token_in_the_home_folder_is_not_sent_along_with_a_login(vault: Vault, address: str) -> None:
    connection("acme", environ(address, VAULT_AUTH_ROLE="reconciler", CIRCLE_OIDC_TOKEN=OIDC))
    assert LOGIN not in vault.heard("x-vault-token")


def test_a_token_of_the_process_is_not_taken_where_the_run_has_another(
    vault: Vault, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library reads variables of its own accord; what is asked for is in the environment that we give."""
    monkeypatch.setenv("VAULT_TOKEN", "of-somebody-else")
    monkeypatch.setenv("VAULT_NAMESPACE", "elsewhere")
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    connection("acme", environ(address, VAULT_TOKEN=LOGIN))
    assert (vault.heard("x-vault-token"), vault.heard("x-vault-namespace")) == ([LOGIN], [None])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "login",
    [{"VAULT_TOKEN": LOGIN}, {"VAULT_AUTH_ROLE": "reconciler", "CIRCLE_OIDC_TOKEN": OIDC}],
    ids=["token", "role"],
)
def test_a_redirect_is_not_followed(
    login: Mapping[str, str], status: int, vault: Vault, address: str
) -> None:
    other = Vault()
    with serving(other) as elsewhere:
        where = elsewhere.replace("/scim/v2", "/v1/secret/data/circleci/scim")
        vault.fault = httpx.Response(status, headers={"location": where})
        message, hint = fails(environ(address, **login))
    assert other.requests == []
    assert message.endswith(": it redirects to another place, where no token must go")
    assert hint == IS_RIGHT


def test_a_proxy_of_the_environment_never_sees_plain_http(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert connection("acme", environ(address, VAULT_TOKEN=LOGIN)).token == Token(SECRET)


# What is no answer


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (told(403, "permission denied"), "it answered 403: permission denied"),
        (told(403, f"bad token {LOGIN}"), "it answered 403: bad token ***"),
        (told(400, "x" * 190 + LOGIN), "it answered 400: " + "x" * 190 + "***"),
        (httpx.Response(403), "it answered 403: the login is wrong, has expired, or may not do that"),
        (
            httpx.Response(404, json={"errors": []}),
            "it answered 404: there is nothing at that place, or its newest version was deleted",
        ),
        (
            httpx.Response(404, json={"data": {"data": None, "metadata": {"deletion_time": "2026-11-20"}}}),
            "it answered 404: there is nothing at that place, or its newest version was deleted",
        ),
        (told(429), "it answered 429: this Vault is on standby, or has too much to do"),
        (told(500, "1 error occurred"), "it answered 500: 1 error occurred"),
        (told(503, "Vault is sealed"), "it answered 503: Vault is sealed"),
        (httpx.Response(503, html="<p>"), "it answered 503: this Vault is sealed or being looked after"),
        (httpx.Response(502, text=SECRET), "it answered 502"),
        (httpx.Response(204), "it answered 204"),
        (httpx.Response(500, json={"errors": {"a": 1}}), "it answered 500"),
        (httpx.Response(500, json=[SECRET]), "it answered 500"),
        (httpx.Response(500, text="[" * 100_000), "it answered 500"),
    ],
    ids=[
        "forbidden",
        "repeats the login",
        "repeats the login where words are cut",
        "forbidden without words",
        "missing",
        "deleted",
        "standby",
        "broken",
        "sealed",
        "sealed behind a proxy",
        "proxy",
        "nothing",
        "errors that are no list",
        "a list",
        "deep",
    ],
)
def test_what_vault_does_not_do_is_told_in_its_words(
    fault: httpx.Response, reason: str, vault: Vault, address: str
) -> None:
    vault.fault = fault
    assert fails(environ(address, VAULT_TOKEN=LOGIN)) == (f"{COULD_NOT}: {reason}", IS_RIGHT)
    assert len(vault.requests) == 1


NO_FIELD = f"{COULD_NOT}: the secret has no such field of text"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json={"data": {"data": {"tokn": SECRET}}}),
        httpx.Response(200, json={"data": {"data": {"token": 12345}}}),
        httpx.Response(200, json={"data": {"data": {"token": {"value": SECRET}}}}),
        httpx.Response(200, json={"data": {"data": {"token": None}}}),
        httpx.Response(200, json={"data": {"token": SECRET}}),
        httpx.Response(200, json={"data": [SECRET]}),
        httpx.Response(200, json=[SECRET]),
        httpx.Response(200, text=f"<p>{SECRET}"),
        httpx.Response(200),
    ],
    ids=[
        "other field",
        "number",
        "object",
        "null",
        "KV version 1",
        "list",
        "no object",
        "no JSON",
        "nothing",
    ],
)
def test_a_secret_without_the_field_is_told_without_what_it_has(
    answer: httpx.Response, vault: Vault, address: str
) -> None:
    vault.fault = answer
    assert fails(environ(address, VAULT_TOKEN=LOGIN)) == (NO_FIELD, "is VAULT_ADDR right?")


@pytest.mark.parametrize(
    ("token", "fault"),
    [("", "is empty"), (f"{SECRET}\n", "has a line break"), (f"Bearer {SECRET}", "has a blank, a control")],
)
def test_what_fits_in_no_header_is_no_token(token: str, fault: str, vault: Vault, address: str) -> None:
    vault.data = {"token": token}
    message, _ = fails(environ(address, VAULT_TOKEN=LOGIN))
    assert message.startswith(f"the token of CIRCLECI_SCIM_TOKEN_VAULT {fault}")


LOG_IN = "could not log in to Vault with the role of VAULT_AUTH_ROLE"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"VAULT_AUTH_ROLE": "other"}, f"{LOG_IN}: it answered 400: error validating token ***"),
        ({"CIRCLE_OIDC_TOKEN": "of.another.job"}, f"{LOG_IN}: it answered 400: error validating token ***"),
        (
            {"VAULT_AUTH_PATH": "nowhere"},
            f"{LOG_IN}: it answered 404: there is nothing at that place, or its newest version was deleted",
        ),
        ({"VAULT_NAMESPACE": "nowhere"}, f"{LOG_IN}: it answered 403: permission denied"),
        ({"VAULT_TOKEN": LOGIN}, "VAULT_TOKEN and VAULT_AUTH_ROLE are set, which one holds?"),
        (
            {"CIRCLE_OIDC_TOKEN": ""},
            "CIRCLE_OIDC_TOKEN_V2 or CIRCLE_OIDC_TOKEN is not set, so nobody can log in to Vault",
        ),
        ({"CIRCLE_OIDC_TOKEN": f"{OIDC} {OIDC}"}, "the token of CIRCLE_OIDC_TOKEN has a blank, a control"),
    ],
    ids=["role", "token", "path", "namespace", "two logins", "no token", "unfit token"],
)
def test_a_login_that_fails_is_told(variables: Mapping[str, str], message: str, address: str) -> None:
    given = {"VAULT_AUTH_ROLE": "reconciler", "CIRCLE_OIDC_TOKEN": OIDC, **variables}
    assert fails(environ(address, **given))[0].startswith(message)


@pytest.mark.parametrize(
    "answer",
    [{"auth": None}, {"auth": {"client_token": 1}}, {}, [OF_THE_JOB]],
    ids=["null", "number", "nothing", "list"],
)
def test_a_login_that_gives_no_token_is_told(answer: object, vault: Vault, address: str) -> None:
    vault.fault = httpx.Response(200, json=answer)
    given = {"VAULT_AUTH_ROLE": "reconciler", "CIRCLE_OIDC_TOKEN": OIDC}
    assert fails(environ(address, **given))[0] == f"{LOG_IN}: its answer has no token"


def test_a_vault_that_is_not_there_is_told() -> None:
    assert fails(environ("http://127.0.0.1:1", VAULT_TOKEN=LOGIN)) == (
        f"{COULD_NOT}: no answer (ConnectionError)",
        IS_RIGHT,
    )


def test_a_vault_that_says_nothing_is_not_waited_for_longer_than_patience() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        message, _ = fails(environ(address, VAULT_TOKEN=LOGIN), patience=0.2)
    assert message == f"{COULD_NOT}: no answer (ReadTimeout)"
    assert time.monotonic() - began < LONG


def test_a_vault_whose_certificates_are_not_there_is_told(tmp_path: Path) -> None:
    variables = environ("https://127.0.0.1:1", VAULT_TOKEN=LOGIN, VAULT_CACERT=str(tmp_path / "nowhere.pem"))
    assert fails(variables)[0] == f"{COULD_NOT}: no answer (OSError)"


# What is asked for wrongly


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        (
            "http://vault.example:8200",
            "would send the token unencrypted to vault.example: http:// is for loopback only",
        ),
        (
            f"https://me:{LOGIN}@vault.example",
            "holds credentials, which belong in no URL: the token has a variable of its own",
        ),
        ("", "is empty"),
        ("vault.example", "has no scheme"),
        (LOGIN, "has no scheme"),
    ],
    ids=["plain http", "credentials", "empty", "host", "token"],
)
def test_an_address_that_is_none_is_told(address: str, fault: str) -> None:
    assert fails(environ(address, VAULT_TOKEN=LOGIN)) == (
        f"VAULT_ADDR {fault}",
        "set VAULT_ADDR to the URL of Vault, such as https://vault.example.com:8200",
    )


@pytest.mark.parametrize(
    "place",
    [
        "",
        SECRET,
        "secret/circleci/scim",
        "secret/circleci/scim#",
        "#token",
        "secret#token",
        "secret/#token",
        "/circleci/scim#token",
        "secret//scim#token",
        "secret/scim/#token",
        "secret/../sys/raw#token",
        "secret/./scim#token",
        "secret/scim#token#other",
        "secret/scim\n#token",
        "secret/scïm#token",
        "secret/scim#tok\x1ben",
    ],
)
def test_a_place_that_is_none_is_told_without_repeating_it(place: str, vault: Vault, address: str) -> None:
    assert fails(environ(address, VAULT_TOKEN=LOGIN) | {"CIRCLECI_SCIM_TOKEN_VAULT": place}) == (
        "CIRCLECI_SCIM_TOKEN_VAULT is no place in Vault",
        "set CIRCLECI_SCIM_TOKEN_VAULT to MOUNT/PATH#FIELD, such as secret/circleci/scim#token",
    )
    assert vault.requests == []


@pytest.mark.parametrize("path", ["a?version=1", "a%2f..%2fb", "a b", "a&b=c", "%2e%2e/b"])
def test_a_place_is_a_path_and_never_more_than_that(path: str, vault: Vault, address: str) -> None:
    fails(environ(address, VAULT_TOKEN=LOGIN) | {"CIRCLECI_SCIM_TOKEN_VAULT": f"secret/{path}#token"})
    [request] = vault.requests
    assert (request.url.query, request.url.path) == (b"", f"/v1/secret/data/{path}")


def test_a_namespace_that_fits_in_no_header_is_told(vault: Vault, address: str) -> None:
    message, _ = fails(environ(address, VAULT_TOKEN=LOGIN, VAULT_NAMESPACE="a\r\nX-Other: b"))
    assert message == "VAULT_NAMESPACE holds a character that a namespace can't have"
    assert vault.requests == []


# The whole program


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_policy(tmp_path / "policies/acme")


@pytest.mark.usefixtures("policy")
def test_a_plan_is_made_with_a_token_of_vault(address: str) -> None:
    with serving(acme()) as url:
        variables = {**environ(address, VAULT_TOKEN=LOGIN), "CIRCLECI_SCIM_URL": url}
        code, out, err = run(variables, "--debug", "plan")
    assert (code, out.splitlines()[0]) == (ExitCode.DONE, f"acme on {url}, mode enforce")
    assert [secret for secret in PRIVATE if secret in out + err] == []
    assert err.splitlines()[0].startswith("debug: Vault answered 200, ")


BLOCKED = """\
import sys
sys.modules[{module!r}] = None
from reconciler.cli import main
main()
"""


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize("module", ["hvac", "requests"])
def test_without_the_library_it_is_told_how_to_install_it(module: str, address: str) -> None:
    inherited = {name: os.environ[name] for name in SYSTEM if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED.format(module=module), "plan"],
        env={**inherited, **environ(address, VAULT_TOKEN=LOGIN)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        ExitCode.USAGE,
        "",
        f"error: CIRCLECI_SCIM_TOKEN_VAULT can't be read: the module {module} is not installed\n"
        "hint: pip install 'reconciler[vault]'\n",
    )


@pytest.mark.usefixtures("policy")
def test_without_the_library_every_other_source_works() -> None:
    inherited = {name: os.environ[name] for name in SYSTEM if name in os.environ}
    with serving(acme()) as url:
        done = subprocess.run(
            [sys.executable, "-c", BLOCKED.format(module="hvac"), "plan"],
            env={**inherited, **environment(url)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (ExitCode.DONE, "")
