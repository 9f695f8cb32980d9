"""A key that signs who a client is, whatever form it comes in; and what is no such key."""

import json
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from standins.okta import key_of

from reconciler.errors import SettingsError
from reconciler.http.assertion import signer
from reconciler.settings.token import Token

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AUDIENCE = "https://acme.okta.com/oauth2/v1/token"


def pem(key: Any, password: bytes | None = None) -> str:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    text: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return text.decode()


def jwk(key: Any, **others: str) -> str:
    algorithm = (
        jwt.algorithms.ECAlgorithm
        if isinstance(key, ec.EllipticCurvePrivateKey)
        else jwt.algorithms.RSAAlgorithm
    )
    return json.dumps({**algorithm.to_jwk(key, as_dict=True), **others})


RSA = key_of("the app")
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
KEYS: dict[str, Any] = {
    "RS256": RSA,
    **{name: ec.generate_private_key(curve) for name, curve in CURVES.items()},
}


@pytest.mark.parametrize("form", [pem, jwk])
@pytest.mark.parametrize("algorithm", KEYS)
def test_a_key_signs_by_what_its_kind_takes(algorithm: str, form: Any) -> None:
    signs = signer("KEY", Token(form(KEYS[algorithm])))
    said = signs.assertion("0oa1", AUDIENCE, NOW)
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(
        said.reveal(), KEYS[algorithm].public_key(), [algorithm], audience=AUDIENCE, options=options
    )
    begun = int(NOW.timestamp())
    assert claims.pop("jti")
    assert claims == {"iss": "0oa1", "sub": "0oa1", "aud": AUDIENCE, "iat": begun, "exp": begun + 300}
    assert str(said) == "***"


def test_no_two_assertions_are_alike() -> None:
    signs = signer("KEY", Token(pem(RSA)))
    ids = {
        jwt.decode(signs.assertion("0oa1", AUDIENCE, NOW).reveal(), options={"verify_signature": False})[
            "jti"
        ]
        for _ in range(3)
    }
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("text", "named", "kid"),
    [
        (jwk(RSA, kid="k1"), "", "k1"),
        (jwk(RSA, kid="k1"), "k2", "k2"),
        (pem(RSA), "k2", "k2"),
        (pem(RSA), "", None),
        (jwk(RSA), "", None),
    ],
)
def test_the_id_of_a_key_is_the_one_that_is_named_else_its_own(
    text: str, named: str, kid: str | None
) -> None:
    said = signer("KEY", Token(text), named).assertion("0oa1", AUDIENCE, NOW)
    assert jwt.get_unverified_header(said.reveal()).get("kid") == kid


PUBLIC = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
CANT_SIGN = "is of a kind that can't sign"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----", "is no private key in PEM"),
        (PUBLIC, "is no private key in PEM"),
        (pem(RSA, b"s3cret"), "is protected by a passphrase"),
        (pem(ed25519.Ed25519PrivateKey.generate()), CANT_SIGN),
        (pem(ec.generate_private_key(ec.SECP256K1())), CANT_SIGN),
        (jwk(RSA.public_key()), CANT_SIGN),
        ("{", "is no JWK"),
        ("{}", "is no JWK"),
        ('{"kty": "RSA", "n": "c2VjcmV0"}', "is no JWK"),
        ('{"kty": "RSA", "n": 7, "e": null}', "is no JWK"),
        ('{"kty": "oct", "k": "c2VjcmV0"}', CANT_SIGN),
    ],
    ids=[
        "no PEM",
        "public",
        "locked",
        "Ed25519",
        "another curve",
        "public JWK",
        "half",
        "empty",
        "part",
        "odd",
        "oct",
    ],
)
def test_what_is_no_private_key_is_a_usage_error_and_never_shown(text: str, fault: str) -> None:
    with pytest.raises(SettingsError) as caught:
        signer("KEY", Token(text))
    assert caught.value.message == f"the key of KEY {fault}"
    assert "c2VjcmV0" not in caught.value.message + caught.value.hint
    assert caught.value.__context__ is None or caught.value.__suppress_context__
