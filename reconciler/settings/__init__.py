"""What a run needs that is not policy: where the server is, its token, whose certificates count.

The variables are `CIRCLECI_SCIM_URL` and one of `CIRCLECI_SCIM_TOKEN`, `CIRCLECI_SCIM_TOKEN_FILE`,
`CIRCLECI_SCIM_TOKEN_COMMAND` and `CIRCLECI_SCIM_TOKEN_VAULT`. Each may have the organization's name in
front (`ACME_CIRCLECI_SCIM_URL`). Those with the name win, and as a set: the token of one server is never
combined with the URL of another; `CIRCLECI_SCIM_AT_ONCE` and `CIRCLECI_SCIM_BULK` belong to no set. Nothing
is sent to a SCIM server here; Vault is asked where it is named.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.errors import SettingsError
from reconciler.settings import sources
from reconciler.settings.address import base_url
from reconciler.settings.token import Token

__all__ = ["Connection", "Token", "authorities", "connection", "lacking", "prefix"]

URL = "CIRCLECI_SCIM_URL"
TOKEN = "CIRCLECI_SCIM_TOKEN"
AT_ONCE_VARIABLE = "CIRCLECI_SCIM_AT_ONCE"
BULK_VARIABLE = "CIRCLECI_SCIM_BULK"

PATIENCE_SECONDS = 60.0
"""How long a token command may take: enough for a person to confirm on another device."""

AT_ONCE = 8
"""How many requests are under way at the same time, unless somebody says otherwise."""
MOST_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the SCIM server is (`url` without a slash at the end) and the token that it takes."""

    url: str
    token: Token
    authorities: str = ""
    """A file or a folder of the certificates that are trusted; the usual ones where it is empty."""
    at_once: int = AT_ONCE
    """How many requests may be under way at the same time."""
    bulk: bool = False
    """Whether people's roles are to be written together where the server takes that."""


def connection(
    organization: str, environ: Mapping[str, str], patience: float = PATIENCE_SECONDS
) -> Connection:
    """The connection that the environment describes for an organization.

    A token command and Vault are given `patience` seconds. Raises SettingsError, which never holds the
    token nor any part of a URL but its host.
    """
    front = prefix(organization, environ, (URL, *sources.variables(TOKEN)))
    name = front + URL
    hint = f"set {name} to the base URL of the SCIM server, such as https://scim.example.com/scim/v2"
    url = base_url(name, environ, hint)
    trusted = authorities(environ)
    number, bulk = _at_once(organization, environ), _bulk(organization, environ)  # before asking for a token
    return Connection(url, sources.token(front + TOKEN, environ, trusted, patience), trusted, number, bulk)


def _at_once(organization: str, environ: Mapping[str, str]) -> int:
    name = prefix(organization, environ, (AT_ONCE_VARIABLE,)) + AT_ONCE_VARIABLE
    text = environ.get(name)
    if text is None:
        return AT_ONCE
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and 1 <= int(text) <= MOST_AT_ONCE):
        raise SettingsError(
            f"{name} does not say how many requests may be under way at the same time",
            f"set it to a whole number from 1 to {MOST_AT_ONCE}, or unset it for {AT_ONCE}",
        )
    return int(text)


def _bulk(organization: str, environ: Mapping[str, str]) -> bool:
    name = prefix(organization, environ, (BULK_VARIABLE,)) + BULK_VARIABLE
    text = environ.get(name, "no")
    if text not in ("yes", "no"):
        raise SettingsError(
            f"{name} does not say whether to write several people in one request",
            "set it to yes or no, or unset it for no",
        )
    return text == "yes"


def lacking(organization: str, environ: Mapping[str, str]) -> str:
    """The variable without which there is no connection for an organization; empty where none lacks.

    What a CI leaves empty, as it does with secrets for a fork, is lacking. Asks nobody.
    """
    tokens = sources.variables(TOKEN)
    front = prefix(organization, environ, (URL, *tokens))
    if not environ.get(front + URL):
        return front + URL
    return "" if any(environ.get(front + name) for name in tokens) else front + TOKEN


def authorities(environ: Mapping[str, str]) -> str:
    """The file or folder of the certificates that are trusted; empty: the usual ones."""
    return environ.get("SSL_CERT_FILE") or environ.get("SSL_CERT_DIR") or ""


def prefix(organization: str, environ: Mapping[str, str], names: Iterable[str]) -> str:
    """What stands in front of all of an organization's variables of these names, if any of them is there."""
    front = organization.upper().replace("-", "_") + "_"
    return front if any(front + name in environ for name in names) else ""
