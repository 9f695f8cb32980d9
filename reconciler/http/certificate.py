"""The signer of a certificate: a private key, and in every statement the thumbprint of what certifies it."""

import base64

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from reconciler.errors import SettingsError
from reconciler.http.assertion import Signer
from reconciler.settings.token import Token


def signer(source: str, pem: Token, password: Token | None = None) -> Signer:
    """The signer of a key and its certificate in PEM, in the file that the variable `source` names.

    The thumbprint is the SHA-256 of the certificate (RFC 7515 section 4.1.8). Raises SettingsError, which
    never holds the key or its password.
    """
    content = pem.reveal().encode()
    key = _key(source, content, password)
    return Signer(key, "PS256", {"x5t#S256": _thumbprint(source, content, key)})


def _key(source: str, content: bytes, password: Token | None) -> RSAPrivateKey:
    """The key. No exception of the library leaves this, for it may quote what it could not read."""
    try:
        key = load_pem_private_key(content, password.reveal().encode() if password else None)
    except TypeError:
        fault = "has no password, and one is set" if password else "is protected by a password"
        raise _unfit(source, f"its private key {fault}") from None
    except Exception:
        raise _unfit(
            source, f"it holds no private key in PEM{' of that password' if password else ''}"
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise _unfit(source, "its private key is not of RSA, and Entra ID takes no other")
    return key


def _thumbprint(source: str, content: bytes, key: RSAPrivateKey) -> str:
    """Of the certificate of this key; those of a chain may stand beside it."""
    try:
        found = x509.load_pem_x509_certificates(content)
    except ValueError:
        found = []
    for one in found:
        if one.public_key() == key.public_key():
            return base64.urlsafe_b64encode(one.fingerprint(SHA256())).decode().rstrip("=")
    raise _unfit(source, "none of its certificates is that of its private key")


def _unfit(source: str, fault: str) -> SettingsError:
    return SettingsError(
        f"the certificate file of {source} can't be used: {fault}",
        "the file has to hold the app's certificate and its private key in PEM, as `openssl pkcs12 -in FILE` "
        f"writes them; {source.removesuffix('_PATH')}_PASSWORD tells the password of the key",
    )
