"""Who signs with a certificate: what is in a file that can, and what is told of a file that can't."""

import base64
import hashlib
import ssl
import traceback
from datetime import UTC, datetime

import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from reconciler.errors import SettingsError
from reconciler.http.certificate import signer
from reconciler.settings.token import Token

SOURCE = "AZURE_CLIENT_CERTIFICATE_PATH"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PASSWORD = "two words"
HINT = (
    "the file has to hold the app's certificate and its private key in PEM, as `openssl pkcs12 "
    "-in FILE` writes "
    "them; AZURE_CLIENT_CERTIFICATE_PASSWORD tells the password of the key"
)


@pytest.fixture(scope="module")
def app() -> trustme.LeafCert:
    return trustme.CA().issue_cert("app.acme.example", key_type=trustme.KeyType.RSA)


@pytest.fixture(scope="module")
def key(app: trustme.LeafCert) -> str:
    return app.private_key_pem.bytes().decode()


@pytest.fixture(scope="module")
def certificate(app: trustme.LeafCert) -> str:
    return app.cert_chain_pems[0].bytes().decode()


@pytest.fixture(scope="module")
def protected(key: str) -> str:
    """The same key under a password."""
    loaded = load_pem_private_key(key.encode(), None)
    encryption = BestAvailableEncryption(PASSWORD.encode())
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


def test_an_assertion_names_the_certificate_and_is_signed_by_its_key(key: str, certificate: str) -> None:
    said = (
        signer(SOURCE, Token(key + certificate)).assertion("the-app", "https://login.example", NOW).reveal()
    )
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).digest()
    assert jwt.get_unverified_header(said) == {
        "alg": "PS256",
        "typ": "JWT",
        "x5t#S256": base64.urlsafe_b64encode(digest).decode().rstrip("="),
    }
    public = load_pem_private_key(key.encode(), None).public_key()
    claims = jwt.decode(
        said,
        public,  # type: ignore[arg-type]
        algorithms=["PS256"],
        options={"verify_exp": False, "verify_iat": False},
        audience="https://login.example",
    )
    assert (claims["iss"], claims["sub"]) == ("the-app", "the-app")


def test_each_assertion_is_another_one(key: str, certificate: str) -> None:
    signs = signer(SOURCE, Token(certificate + key))
    assert signs.assertion("a", "b", NOW) != signs.assertion("a", "b", NOW)


def test_a_protected_key_signs_with_its_password(protected: str, certificate: str) -> None:
    signs = signer(SOURCE, Token(protected + certificate), Token(PASSWORD))
    assert signs.assertion("a", "b", NOW).reveal().count(".") == 2


def test_the_certificate_is_the_one_of_the_key_wherever_in_a_chain_it_is(key: str, certificate: str) -> None:
    other = trustme.CA().cert_pem.bytes().decode()
    alone = signer(SOURCE, Token(key + certificate))
    assert signer(SOURCE, Token(key + other + certificate)).headers == alone.headers


def curve() -> str:
    found = ec.generate_private_key(ec.SECP256R1())
    return found.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("content", "password", "fault"),
    [
        ("{certificate}", None, "it holds no private key in PEM"),
        ("{key}", None, "none of its certificates is that of its private key"),
        ("{key}{other}", None, "none of its certificates is that of its private key"),
        ("{protected}{certificate}", None, "its private key is protected by a password"),
        ("{protected}{certificate}", "wrong", "it holds no private key in PEM of that password"),
        ("{key}{certificate}", PASSWORD, "its private key has no password, and one is set"),
        ("{curve}{certificate}", None, "its private key is not of RSA, and Entra ID takes no other"),
        ("", None, "it holds no private key in PEM"),
        ("0\x82\x0bPKCS12", None, "it holds no private key in PEM"),
    ],
    ids=[
        "no key",
        "no certificate",
        "another's certificate",
        "no password",
        "wrong password",
        "needless password",
        "curve",
        "nothing",
        "PKCS12",
    ],
)
def test_a_file_that_cannot_sign_is_told_without_what_is_in_it(
    content: str, password: str | None, fault: str, key: str, certificate: str, protected: str
) -> None:
    other = trustme.CA().cert_pem.bytes().decode()
    text = content.format(key=key, certificate=certificate, protected=protected, other=other, curve=curve())
    with pytest.raises(SettingsError) as caught:
        signer(SOURCE, Token(text), None if password is None else Token(password))
    error = caught.value
    assert (error.message, error.hint) == (f"the certificate file of {SOURCE} can't be used: {fault}", HINT)
    shown = "".join(traceback.format_exception(error))
    assert [one for one in (PASSWORD, key.splitlines()[1], protected.splitlines()[1]) if one in shown] == []
