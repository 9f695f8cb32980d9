"""What a run needs that is not policy: where the server is, its token, whose certificates count.

The variables are `CIRCLECI_SCIM_URL` and one of `CIRCLECI_SCIM_TOKEN`, `CIRCLECI_SCIM_TOKEN_FILE`,
`CIRCLECI_SCIM_TOKEN_COMMAND` and `CIRCLECI_SCIM_TOKEN_VAULT`. Each may have the organization's name in
front (`ACME_CIRCLECI_SCIM_URL`). Those with the name win, and as a set: the token of one server is never
combined with the URL of another. Nothing is sent to a SCIM server here; Vault is asked where it is named.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.settings import sources
from reconciler.settings.address import base_url
from reconciler.settings.token import Token

__all__ = ["Connection", "Token", "connection"]

URL = "CIRCLECI_SCIM_URL"

PATIENCE_SECONDS = 60.0
"""How long a token command may take: enough for a person to confirm on another device."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the SCIM server is (`url` without a slash at the end) and the token that it takes."""

    url: str
    token: Token
    authorities: str = ""
    """A file or a folder of the certificates that are trusted; the usual ones where it is empty."""


def connection(
    organization: str, environ: Mapping[str, str], patience: float = PATIENCE_SECONDS
) -> Connection:
    """The connection that the environment describes for an organization.

    A token command and Vault are given `patience` seconds. Raises SettingsError, which never holds the
    token nor any part of a URL but its host.
    """
    prefix = _prefix(organization, environ)
    name = prefix + URL
    hint = f"set {name} to the base URL of the SCIM server, such as https://scim.example.com/scim/v2"
    url = base_url(name, environ, hint)
    authorities = environ.get("SSL_CERT_FILE") or environ.get("SSL_CERT_DIR") or ""
    return Connection(url, sources.token(prefix, environ, authorities, patience), authorities)


def _prefix(organization: str, environ: Mapping[str, str]) -> str:
    prefix = organization.upper().replace("-", "_") + "_"
    return prefix if any(prefix + name in environ for name in (URL, *sources.ALL)) else ""
