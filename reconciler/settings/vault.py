"""The token as a field of a secret in HashiCorp Vault, KV version 2. The owner of hvac; keeps nothing.

`VAULT_ADDR`, `VAULT_NAMESPACE`, `VAULT_TOKEN` and `VAULT_CACERT` mean what they mean to Vault's own command
line. `VAULT_AUTH_ROLE` and `VAULT_AUTH_PATH` are the role and the mount of its JWT login, which a job on
CircleCI takes part in with the OIDC token that it is given.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

import hvac
import requests
from hvac.adapters import RawAdapter

from reconciler.errors import SettingsError
from reconciler.settings.address import base_url
from reconciler.settings.token import Token, checked

ADDRESS = "VAULT_ADDR"
NAMESPACE = "VAULT_NAMESPACE"
CERTIFICATES = "VAULT_CACERT"
TOKEN = "VAULT_TOKEN"
ROLE = "VAULT_AUTH_ROLE"
MOUNT = "VAULT_AUTH_PATH"
OIDC = ("CIRCLE_OIDC_TOKEN_V2", "CIRCLE_OIDC_TOKEN")


LONGEST_REASON = 200

_REASONS = {
    403: "the login is wrong, has expired, or may not do that",
    404: "there is nothing at that place, or its newest version was deleted",
    429: "this Vault is on standby, or has too much to do",
    503: "this Vault is sealed or being looked after",
}
"""What a status means where Vault says no more than that."""

_log = logging.getLogger(__name__)


class Response(Protocol):
    """What is used of an answer; it is one of the library requests, which hvac asks with."""

    status_code: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where in Vault a token is."""

    mount: str
    path: str
    field: str


def read(source: str, place: str, environ: Mapping[str, str], authorities: str, patience: float) -> str:
    """The token that is in Vault at a place such as `secret/circleci/scim#token`.

    `source` is the variable that names the place. `authorities` are trusted where VAULT_CACERT names none.
    Raises SettingsError, which repeats nothing secret.
    """
    where = _place(source, place)
    vault = _Vault(environ, environ.get(CERTIFICATES) or authorities, patience)
    with closing(vault):
        vault.log_in()
        return vault.field(source, where)


def _place(source: str, text: str) -> Place:
    path, _, field = text.partition("#")
    mount, _, path = path.partition("/")
    sound = (
        field and "#" not in field and mount and all(part not in ("", ".", "..") for part in path.split("/"))
    )
    if not (sound and text.isascii() and text.isprintable()):
        raise SettingsError(
            f"{source} is no place in Vault",
            f"set {source} to MOUNT/PATH#FIELD, such as secret/circleci/scim#token",
        )
    return Place(mount, path, field)


class _Vault:
    """One Vault server. Follows no redirect: the library would take its token along to any host."""

    def __init__(self, environ: Mapping[str, str], authorities: str, patience: float) -> None:
        hint = f"set {ADDRESS} to the URL of Vault, such as https://vault.example.com:8200"
        address = base_url(ADDRESS, environ, hint)
        namespace = environ.get(NAMESPACE, "")
        if not (namespace.isascii() and namespace.isprintable()):
            raise SettingsError(f"{NAMESPACE} holds a character that a namespace can't have")
        session = requests.Session()
        session.verify = authorities or True
        # A proxy from the environment sees a tunnel of TLS; plain http it could read.
        session.trust_env = address.startswith("https://")
        self._environ = environ
        self._client = hvac.Client(
            url=address,
            token="",  # or the library would look for one in the home folder
            namespace=namespace or None,
            verify=session.verify,
            timeout=max(1, int(patience)),
            allow_redirects=False,
            session=session,
            adapter=RawAdapter,
            ignore_exceptions=True,  # they quote what Vault said; the status says what there is to know
        )

    def log_in(self) -> None:
        """With VAULT_TOKEN or, where VAULT_AUTH_ROLE names a role, with the OIDC token of the job."""
        role = self._environ.get(ROLE, "")
        if role and self._environ.get(TOKEN):
            raise SettingsError(f"{TOKEN} and {ROLE} are set, which one holds?", "unset one of them")
        if not role:
            token = _given((TOKEN,), self._environ, f"set {TOKEN}, or {ROLE} on CircleCI")
            self._client.token = token.reveal()
            return
        what = f"could not log in to Vault with the role of {ROLE}"
        oidc = _given(OIDC, self._environ, "a job on CircleCI has it where it uses a context")
        mount = self._environ.get(MOUNT) or "jwt"
        answer = _asked(
            what,
            oidc,
            lambda: self._client.auth.jwt.jwt_login(
                role=role, jwt=oidc.reveal(), path=mount, use_token=False
            ),
        )
        found = _text(answer, ("auth", "client_token"), f"{what}: its answer has no token")
        self._client.token = checked("Vault's login", found).reveal()

    def field(self, source: str, place: Place) -> str:
        """One field of the newest version of a secret."""
        what = f"could not read from Vault what {source} names"
        answer = _asked(
            what,
            Token(self._client.token),
            lambda: self._client.secrets.kv.v2.read_secret_version(
                path=place.path, mount_point=place.mount, raise_on_deleted_version=True
            ),
        )
        return _text(answer, ("data", "data", place.field), f"{what}: the secret has no such field of text")

    def close(self) -> None:
        self._client.adapter.close()


def _given(names: Sequence[str], environ: Mapping[str, str], hint: str) -> Token:
    name = next((name for name in names if environ.get(name)), "")
    if not name:
        raise SettingsError(f"{' or '.join(names)} is not set, so nobody can log in to Vault", hint)
    return checked(name, environ[name])


def _asked(what: str, secret: Token, ask: Callable[[], Response]) -> Any:
    """The JSON of an answer. No exception of the libraries leaves this: they quote headers and bodies."""
    hint = f"is {ADDRESS} right, and may this login read the secret?"
    try:
        response = ask()
    except requests.exceptions.SSLError:
        reason = "its certificate is not trusted"
        hint = f"{CERTIFICATES} or SSL_CERT_FILE may name a file with the authority that issued it"
    except OSError as error:  # all that requests raises; also a file of certificates that is not there
        reason = f"no answer ({type(error).__name__})"
    else:
        _log.debug("Vault answered %d, %d bytes", response.status_code, len(response.content))
        if response.status_code == 200:
            return _json(response.content)
        said = secret.hidden_in(_said(response.content))  # before it is cut short: half is too much
        reason = _why(response.status_code, said[:LONGEST_REASON])
    raise SettingsError(f"{what}: {reason}", hint)


def _why(status: int, said: str) -> str:
    """Why Vault did not do it: in its own words where it has any."""
    if 300 <= status < 400:
        return "it redirects to another place, where no token must go"
    reason = said or _REASONS.get(status, "")
    return f"it answered {status}" + (f": {reason}" if reason else "")


def _said(content: bytes) -> str:
    """The errors that an answer of Vault lists."""
    document = _json(content)
    errors = document.get("errors") if isinstance(document, dict) else None
    return "; ".join(map(str, errors)) if isinstance(errors, list) else ""


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _text(answer: Any, steps: Sequence[str], fault: str) -> str:
    """The text at these steps of a JSON document; raises SettingsError, which shows no value."""
    for step in steps:
        answer = answer.get(step) if isinstance(answer, dict) else None
    if not isinstance(answer, str):
        raise SettingsError(fault, f"is {ADDRESS} right?")
    return answer
