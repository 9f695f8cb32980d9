"""The whole program over sockets, with a stand-in for Graph as its directory."""

import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cli.small_world import NEEDED, ORGANIZATION, acme, run, write_policy
from directories.entra_world import registered
from e2e.loopback import environment, serving
from standins.graph import CLIENT, CLIENT_SECRET, TENANT, Fault, Graph, group, person

from reconciler.errors import ExitCode

SYSTEM = "HOME", "PATH"


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small policy in the current folder, and no variables of anybody's."""
    for name in [name for name in os.environ if "SCIM" in name or name.startswith(("AZURE", "SSL_CERT"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CIRCLE_SHA1", "0123abcd")
    monkeypatch.chdir(tmp_path)
    write_policy(tmp_path / "policies/acme", ORGANIZATION + "directory: {kind: entra}\n")
    return tmp_path


@pytest.fixture
def graph() -> Graph:
    people = [person(name) for name in ("ada", "bob", "cleo", "dan")]
    return Graph(people, [group("platform", "ada", "bob"), group("eng-web", "cleo")], page=1)


@pytest.fixture
def address(graph: Graph) -> Iterator[str]:
    with serving(graph) as url:
        yield url.removesuffix("/scim/v2")


def app(address: str, **others: str) -> Mapping[str, str]:
    """The app's variables; both its authority and Graph are the stand-in."""
    return {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_AUTHORITY_HOST": address,
        "AZURE_GRAPH_ENDPOINT": address,
        **(others or {"AZURE_CLIENT_SECRET": CLIENT_SECRET}),
    }


def test_what_is_applied_is_what_the_groups_in_entra_give(address: str) -> None:
    server = acme(groups=[])
    with serving(server) as url:
        variables = {**environment(url), **app(address)}
        assert run(variables, "apply")[0] == ExitCode.DONE
        assert server.writes == NEEDED
        assert run(variables, "plan", "--exit-code")[0] == ExitCode.DONE


def test_an_app_signs_in_with_a_certificate_from_a_file(address: str, graph: Graph, tmp_path: Path) -> None:
    graph.now = lambda: datetime.now(UTC)
    file = tmp_path / "app.pem"
    file.write_text(registered(graph))
    file.chmod(0o600)
    with serving(acme(groups=[])) as url:
        variables = {**environment(url), **app(address, AZURE_CLIENT_CERTIFICATE_PATH=str(file))}
        code, out, err = run(variables, "plan")
    assert (code, err) == (ExitCode.DONE, "")
    assert "2 people change" in out


def test_over_tls_the_authority_of_the_environment_is_trusted(graph: Graph, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(graph, context) as there, serving(acme(groups=[])) as url:
        graph.origin = address = there.removesuffix("/scim/v2")
        untrusted = run({**environment(url), **app(address)}, "plan")
        trusted = {"SSL_CERT_FILE": str(tmp_path / "authority.pem")}
        code, _, _ = run({**environment(url), **app(address), **trusted}, "plan")
    assert code == ExitCode.DONE
    assert untrusted[0] == ExitCode.UNREADABLE
    assert untrusted[2].endswith(
        "the server's certificate is not trusted: unable to get local issuer certificate\n"
        "hint: SSL_CERT_FILE may name a file with the authority that issued it\n"
    )


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_on_any_page_stops_the_run(status: int, address: str, graph: Graph) -> None:
    graph.faults = [Fault("/members/", status, at=1)]
    server = acme(groups=[])
    with serving(server) as url:
        code, out, err = run({**environment(url), **app(address)}, "apply")
    assert (code, out, server.writes) == (ExitCode.UNREADABLE, "", [])
    whose = "(platform|eng-web)"  # whichever was asked for second
    assert re.match(
        f"error: could not read the members of the group '{whose}' from {address}/v1.0: the server answered "
        f"{status} ",
        err,
    )


def test_a_body_that_breaks_off_is_asked_for_again(address: str, graph: Graph) -> None:
    graph.faults = [Fault("/members/", cut=True, times=1)]
    with serving(acme(groups=[])) as url:
        code, out, err = run({**environment(url), **app(address)}, "--debug", "plan")
    assert (code, "2 people change" in out) == (ExitCode.DONE, True)
    assert "the connection broke before the answer was whole" in err


BLOCKED = """\
import sys
sys.modules["jwt"] = None
from reconciler.cli import main
main()
"""


@pytest.mark.parametrize("credential", ["certificate", "secret"])
def test_the_library_that_signs_is_needed_for_a_certificate_only(
    credential: str, address: str, graph: Graph, tmp_path: Path
) -> None:
    file = tmp_path / "app.pem"
    file.write_text(registered(graph))
    file.chmod(0o600)
    other = {"AZURE_CLIENT_CERTIFICATE_PATH": str(file)} if credential == "certificate" else {}
    inherited = {name: os.environ[name] for name in SYSTEM if name in os.environ}
    with serving(acme(groups=[])) as url:
        done = subprocess.run(
            [sys.executable, "-c", BLOCKED, "plan"],
            env={**inherited, **environment(url), **app(address, **other)},
            capture_output=True,
            text=True,
            check=False,
        )
    told = (
        "error: the certificate of AZURE_CLIENT_CERTIFICATE_PATH can't sign: the module jwt is not "
        "installed\n"
        "hint: pip install 'reconciler[jwt]'\n"
    )
    assert (done.returncode, done.stderr) == ((2, told) if credential == "certificate" else (0, ""))
