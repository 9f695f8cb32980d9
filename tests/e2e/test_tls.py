"""The command line against real servers with certificates: whom it believes, and what it says of the rest."""

import hashlib
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cli.small_world import acme, run, write_policy
from e2e.loopback import environment, serving
from scim.fake_server import FakeServer

from reconciler.errors import ExitCode

UNKNOWN = "SSL_CERT_FILE may name a file with the authority that issued it"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)
TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority that nobody trusts but who is told to."""
    return trustme.CA(organization_name="acme", organization_unit_name="tests")


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small policy in the current folder, and no certificates of the environment."""
    for name in [name for name in os.environ if "SCIM" in name or name.startswith("SSL_CERT")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CIRCLE_SHA1", "0123abcd")
    monkeypatch.chdir(tmp_path)
    write_policy(tmp_path / "policies/acme")
    return tmp_path


@pytest.fixture
def file(authority: trustme.CA, tmp_path: Path) -> str:
    """The authority's certificate in a file."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@contextmanager
def encrypted(server: FakeServer, certificate: trustme.LeafCert) -> Iterator[str]:
    """The base URL under which a server answers over TLS, as 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with serving(server, context) as url:
        yield url


def plan(server: FakeServer, certificate: trustme.LeafCert, **variables: str) -> tuple[int, str, str]:
    """One `plan` over TLS; the server's address is replaced by SERVER in what was printed."""
    with encrypted(server, certificate) as url:
        code, out, err = run({**environment(url), **variables}, "plan")
    return code, out.replace(url, "SERVER"), err.replace(url, "SERVER")


def untrusted(reason: str, hint: str) -> tuple[ExitCode, str, str]:
    return (
        ExitCode.UNREADABLE,
        "",
        "error: could not read SERVER/ServiceProviderConfig: the server's certificate is not trusted: "
        f"{reason}\nhint: {hint}\n",
    )


def hashed(authority: trustme.CA, folder: Path) -> str:
    """A folder as `openssl rehash` leaves it: the certificate under the hash of its subject."""
    subject = _part(ORGANIZATION_OID, "acme") + _part(UNIT_OID, "tests")
    number = int.from_bytes(hashlib.sha1(subject, usedforsecurity=False).digest()[:4], "little")
    folder.mkdir()
    authority.cert_pem.write_to_path(folder / f"{number:08x}.0")
    return str(folder)


ORGANIZATION_OID, UNIT_OID = b"\x06\x03\x55\x04\x0a", b"\x06\x03\x55\x04\x0b"


def _part(kind: bytes, value: str) -> bytes:
    """A part of a name in DER, in the one spelling that OpenSSL hashes: UTF-8 in lower case."""
    return _der(0x31, _der(0x30, kind + _der(0x0C, value.encode())))


def _der(tag: int, content: bytes) -> bytes:
    return bytes((tag, len(content))) + content


def test_a_server_of_an_unknown_authority_is_told_at_once_and_asked_nothing(authority: trustme.CA) -> None:
    server = acme()
    assert plan(server, authority.issue_cert("127.0.0.1")) == untrusted(
        "unable to get local issuer certificate", UNKNOWN
    )
    assert server.requests == []


def test_it_is_not_tried_again(authority: trustme.CA) -> None:
    """What the first handshake showed, the next would show."""
    with encrypted(acme(), authority.issue_cert("127.0.0.1")) as url:
        _, _, err = run(environment(url), "--debug", "plan")
    assert [line.partition(": ")[2].partition(":")[0] for line in err.splitlines() if "debug: " in line] == [
        "GET /ServiceProviderConfig"
    ]


def test_a_server_of_an_authority_in_the_named_file_is_believed(authority: trustme.CA, file: str) -> None:
    server = acme()
    code, out, err = plan(server, authority.issue_cert("127.0.0.1"), SSL_CERT_FILE=file)
    assert (code, out.splitlines()[0], err) == (ExitCode.DONE, "acme on SERVER, mode enforce", "")
    assert server.requests


def test_a_server_of_an_authority_in_the_named_folder_is_believed(
    authority: trustme.CA, tmp_path: Path
) -> None:
    folder = hashed(authority, tmp_path / "authorities")
    code, out, err = plan(acme(), authority.issue_cert("127.0.0.1"), SSL_CERT_DIR=folder)
    assert (code, out.splitlines()[0], err) == (ExitCode.DONE, "acme on SERVER, mode enforce", "")


def test_who_is_told_of_one_authority_believes_no_other(file: str) -> None:
    other = trustme.CA(organization_name="other").issue_cert("127.0.0.1")
    assert plan(acme(), other, SSL_CERT_FILE=file) == untrusted(
        "unable to get local issuer certificate", UNKNOWN
    )


def test_a_server_that_is_its_own_authority_is_not_believed() -> None:
    alone = trustme.CA()
    certificate = trustme.LeafCert(alone.private_key_pem.bytes(), alone.cert_pem.bytes(), [])
    code, _, err = plan(acme(), certificate)
    assert code == ExitCode.UNREADABLE
    assert "the server's certificate is not trusted: self-signed certificate" in err


def test_a_certificate_for_another_host_is_not_believed(authority: trustme.CA, file: str) -> None:
    assert plan(acme(), authority.issue_cert("scim.example"), SSL_CERT_FILE=file) == untrusted(
        "IP address mismatch, certificate is not valid for '127.0.0.1'.",
        "is the address in the base URL right?",
    )


def test_a_certificate_for_another_name_is_not_believed(authority: trustme.CA, file: str) -> None:
    with encrypted(acme(), authority.issue_cert("scim.example", "127.0.0.1")) as url:
        code, _, err = run(
            {**environment(url.replace("127.0.0.1", "localhost")), "SSL_CERT_FILE": file}, "plan"
        )
    assert code == ExitCode.UNREADABLE
    assert "not trusted: Hostname mismatch, certificate is not valid for 'localhost'." in err
    assert err.endswith("hint: is the host in the base URL right?\n")


@pytest.mark.parametrize(
    ("dates", "reason", "hint"),
    [
        (
            (None, YESTERDAY),
            "certificate has expired",
            "the server needs a new certificate; is the clock right here?",
        ),
        (
            (TOMORROW, None),
            "certificate is not yet valid",
            "it is valid from a later day on; is the clock right here?",
        ),
    ],
    ids=["expired", "not yet valid"],
)
def test_a_certificate_that_is_not_valid_today_is_not_believed(
    dates: tuple[datetime | None, datetime | None],
    reason: str,
    hint: str,
    authority: trustme.CA,
    file: str,
) -> None:
    begin, end = dates
    certificate = authority.issue_cert("127.0.0.1", not_before=begin, not_after=end)
    assert plan(acme(), certificate, SSL_CERT_FILE=file) == untrusted(reason, hint)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, ": No such file or directory"), ("", ""), ("no certificate\n", "")],
    ids=["missing", "empty", "text"],
)
def test_certificates_that_cannot_be_read_are_a_usage_error(
    content: str | None, reason: str, variable: str, tmp_path: Path, authority: trustme.CA
) -> None:
    path = tmp_path / "authorities"
    if content is not None:
        path.write_text(content)
    server = acme()
    assert plan(server, authority.issue_cert("127.0.0.1"), **{variable: str(path)}) == (
        ExitCode.USAGE,
        "",
        f"error: there are no certificates in PEM in {path}{reason}\n"
        "hint: SSL_CERT_FILE names a file of certificates, SSL_CERT_DIR a folder that c_rehash prepared\n",
    )
    assert server.requests == []


def test_a_folder_without_a_certificate_believes_nobody(authority: trustme.CA, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert plan(acme(), authority.issue_cert("127.0.0.1"), SSL_CERT_DIR=str(tmp_path / "empty")) == untrusted(
        "unable to get local issuer certificate", UNKNOWN
    )


def test_plain_http_to_loopback_needs_no_certificates(tmp_path: Path) -> None:
    with serving(acme()) as url:
        code, _, err = run({**environment(url), "SSL_CERT_FILE": str(tmp_path / "missing")}, "plan")
    assert (code, err) == (ExitCode.DONE, "")
