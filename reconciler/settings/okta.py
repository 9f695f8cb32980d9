"""Where Okta is and how a run shows who it is, under the names that Okta's own SDKs give the variables.

`OKTA_CLIENT_ORGURL`, and either `OKTA_CLIENT_TOKEN` or `OKTA_CLIENT_CLIENTID` with `OKTA_CLIENT_PRIVATEKEY`.
The token and the key may also come from a file, a command or Vault (`sources.variables`). With the
organization's name in front they are that organization's, and win as a set. Asks Okta nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from reconciler.errors import SettingsError
from reconciler.settings import PATIENCE_SECONDS, authorities, prefix, sources
from reconciler.settings.address import base_url
from reconciler.settings.token import Token, checked_key

URL = "OKTA_CLIENT_ORGURL"
TOKEN = "OKTA_CLIENT_TOKEN"
CLIENT_ID = "OKTA_CLIENT_CLIENTID"
KEY = "OKTA_CLIENT_PRIVATEKEY"
KEY_ID = "OKTA_CLIENT_KID"
SCOPES = "OKTA_CLIENT_SCOPES"
MODE = "OKTA_CLIENT_AUTHORIZATIONMODE"
ALL = (URL, CLIENT_ID, KEY_ID, SCOPES, MODE, *sources.variables(TOKEN), *sources.variables(KEY))


@dataclass(frozen=True, slots=True)
class AppKey:
    """An app of Okta that shows who it is by a private key (RFC 7523).

    `key` is PEM or a JWK as text, which `source` gave; `key_id` is empty where the JWK tells it or nobody
    does; no `scopes`: those that are needed.
    """

    client_id: str
    key: Token
    source: str
    key_id: str = ""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OktaConnection:
    """Where Okta is (`url` without a slash at the end), and the API token or the app that asks it."""

    url: str
    credential: Token | AppKey
    authorities: str = ""
    front: str = ""
    """What stands in front of the names of the variables, for messages."""


def connection(
    organization: str, environ: Mapping[str, str], patience: float = PATIENCE_SECONDS
) -> OktaConnection:
    """The connection to Okta that the environment describes for an organization.

    A command and Vault are given `patience` seconds. Raises SettingsError, which never holds a secret.
    """
    front = prefix(organization, environ, ALL)
    trusted = authorities(environ)
    url = _url(front + URL, environ)
    if _by_key(front, environ):
        return OktaConnection(url, _app_key(front, environ, trusted, patience), trusted, front)
    return OktaConnection(url, sources.token(front + TOKEN, environ, trusted, patience), trusted, front)


def _url(name: str, environ: Mapping[str, str]) -> str:
    hint = f"set {name} to the address of the Okta organization, such as https://acme.okta.com"
    url = base_url(name, environ, hint)
    parts = urlsplit(url)
    if parts.path:
        raise SettingsError(f"{name} has a path, which Okta's address has not", hint)
    if "-admin." in (parts.hostname or ""):
        raise SettingsError(
            f"{name} is the address of Okta's admin console, which answers no program",
            f"leave -admin out of {name}",
        )
    return url


def _by_key(front: str, environ: Mapping[str, str]) -> bool:
    """Whether an app's key is meant; Okta's variable for it decides, else what is there."""
    named = environ.get(front + MODE, "").strip()
    if named and named.casefold() not in ("ssws", "privatekey"):
        raise SettingsError(
            f"{front}{MODE} is neither SSWS nor PrivateKey",
            f"SSWS takes {front}{TOKEN}, PrivateKey {front}{KEY}",
        )
    if named:
        return named.casefold() == "privatekey"
    key = any(front + name in environ for name in (CLIENT_ID, *sources.variables(KEY)))
    token = any(front + name in environ for name in sources.variables(TOKEN))
    if key and token:
        raise SettingsError(
            f"{front}{TOKEN} and {front}{KEY} are both set, in one way or another: which one is meant?",
            f"unset one of them, or set {front}{MODE} to SSWS or PrivateKey",
        )
    return key


def _app_key(front: str, environ: Mapping[str, str], trusted: str, patience: float) -> AppKey:
    client_id = environ.get(front + CLIENT_ID, "").strip()
    if not client_id:
        raise SettingsError(
            f"{front}{CLIENT_ID} is {'empty' if front + CLIENT_ID in environ else 'not set'}",
            f"set {front}{CLIENT_ID} to the client id of the app whose key {front}{KEY} is",
        )
    return AppKey(
        client_id,
        sources.token(front + KEY, environ, trusted, patience, checked_key),
        front + KEY,
        environ.get(front + KEY_ID, "").strip(),
        tuple(environ.get(front + SCOPES, "").replace(",", " ").split()),
    )
