"""A signed statement of who a client is (RFC 7523 section 2.2). The owner of jwt and cryptography."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from reconciler.errors import SettingsError
from reconciler.settings.token import Token

LIFETIME = timedelta(minutes=5)
"""How long a statement is good for: little, but more than clocks differ."""

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey

_BY_CURVE = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key that signs; `headers` go into every statement, such as the key's id (`kid`)."""

    key: PrivateKey = field(repr=False)
    algorithm: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def assertion(self, client_id: str, audience: str, now: datetime) -> Token:
        """That this is the client, said to the audience at the moment `now` (aware); good for minutes."""
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "iat": int(now.timestamp()),
            "exp": int((now + LIFETIME).timestamp()),
            "jti": str(uuid.uuid4()),
        }
        return Token(jwt.encode(claims, self.key, self.algorithm, dict(self.headers)))


def signer(source: str, secret: Token, key_id: str = "") -> Signer:
    """The signer of a private key in PEM or as a JWK, which the variable `source` gave.

    `key_id` wins over the JWK's own. Raises SettingsError, which never holds the key.
    """
    text = secret.reveal()
    loaded, named = _from_jwk(source, text) if text.startswith("{") else (_from_pem(source, text), "")
    match loaded:
        case RSAPrivateKey():
            algorithm = "RS256"
        case EllipticCurvePrivateKey(curve=curve) if curve.name in _BY_CURVE:
            algorithm = _BY_CURVE[curve.name]
        case _:
            raise SettingsError(
                f"the key of {source} is of a kind that can't sign",
                f"{source} must give a private key of RSA, or of the curves P-256, P-384 or P-521",
            )
    kid = key_id or named
    return Signer(loaded, algorithm, {"kid": kid} if kid else {})


def _from_jwk(source: str, text: str) -> tuple[Any, str]:
    try:
        document = json.loads(text)
        kid = document.get("kid")
        return jwt.PyJWK(document).key, kid if isinstance(kid, str) else ""
    except (ValueError, TypeError, AttributeError, RecursionError, jwt.PyJWTError):  # may quote the key
        raise _unfit(source, "no JWK") from None


def _from_pem(source: str, text: str) -> Any:
    try:
        return load_pem_private_key(text.encode(), password=None)
    except TypeError:
        raise _unfit(source, "protected by a passphrase") from None
    except (ValueError, jwt.PyJWTError):
        raise _unfit(source, "no private key in PEM") from None


def _unfit(source: str, reason: str) -> SettingsError:
    return SettingsError(
        f"the key of {source} is {reason}",
        f"{source} must give a private key: PEM (-----BEGIN …) or a JWK ({{…}}), without a passphrase",
    )
