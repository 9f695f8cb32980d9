"""Where an Entra ID tenant is read, and as which app: Microsoft's own variables. Connects to nothing.

Each may have the organization's name in front (`ACME_AZURE_TENANT_ID`). Those with the name win, and as a
set: the secret of one app is never sent for another.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.errors import SettingsError
from reconciler.settings import PATIENCE_SECONDS, authorities, prefix, sources
from reconciler.settings.address import base_url
from reconciler.settings.token import Token

TENANT = "AZURE_TENANT_ID"
CLIENT = "AZURE_CLIENT_ID"
SECRET = "AZURE_CLIENT_SECRET"
CERTIFICATE = "AZURE_CLIENT_CERTIFICATE_PATH"
PASSWORD = "AZURE_CLIENT_CERTIFICATE_PASSWORD"
AUTHORITY = "AZURE_AUTHORITY_HOST"
GRAPH = "AZURE_GRAPH_ENDPOINT"
ALL = (
    TENANT,
    CLIENT,
    *sources.variables(SECRET),
    CERTIFICATE,
    *sources.variables(PASSWORD),
    AUTHORITY,
    GRAPH,
)

PUBLIC = "https://login.microsoftonline.com"
CLOUDS = {
    PUBLIC: "https://graph.microsoft.com",
    "https://login.microsoftonline.us": "https://graph.microsoft.us",
    "https://login.partner.microsoftonline.cn": "https://microsoftgraph.chinacloudapi.cn",
    "https://login.chinacloudapi.cn": "https://microsoftgraph.chinacloudapi.cn",
}
"""The Graph of each national cloud, by what signs apps in there. The Graph of the US Department of Defense
(https://dod-graph.microsoft.us) shares its authority with that of the other agencies, and has to be named."""

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DOMAIN = re.compile(r"[a-z0-9-]+([.][a-z0-9-]+)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A private key and its certificate in PEM, as the file has them that the variable `source` names."""

    pem: Token
    source: str
    password: Token | None = None


@dataclass(frozen=True, slots=True)
class EntraConnection:
    """A tenant, the app that reads it, and where: both URLs without a slash at the end."""

    tenant: str
    client: str
    credential: Token | Certificate
    """The app's secret, or the certificate that it signs with."""
    authority: str = PUBLIC
    """What signs apps in. Secret and assertions go there and nowhere else."""
    graph: str = CLOUDS[PUBLIC]
    """Microsoft Graph, without its version. Access tokens go there and nowhere else."""
    authorities: str = ""
    """A file or a folder of the certificates that are trusted; the usual ones where it is empty."""
    front: str = ""
    """What stands in front of the names of the variables, for messages."""


def connection(
    organization: str, environ: Mapping[str, str], patience: float = PATIENCE_SECONDS
) -> EntraConnection:
    """The connection that the environment describes for an organization.

    A command that prints the secret and Vault are given `patience` seconds. Raises SettingsError, which never
    holds a secret nor any part of a URL but its host.
    """
    front = prefix(organization, environ, ALL)
    authority = _authority(front + AUTHORITY, environ)
    trusted = authorities(environ)
    return EntraConnection(
        tenant=_tenant(front + TENANT, environ),
        client=_client(front + CLIENT, environ),
        credential=_credential(front, environ, trusted, patience),
        authority=authority,
        graph=_graph(front + GRAPH, authority, environ),
        authorities=trusted,
        front=front,
    )


def _tenant(name: str, environ: Mapping[str, str]) -> str:
    """One tenant: `common` and its like are for people who sign in, not for apps."""
    text = environ.get(name, "").strip()
    if not (_GUID.fullmatch(text) or _DOMAIN.fullmatch(text)):
        raise SettingsError(
            _lacking(name, environ, "no tenant"),
            f"set {name} to the directory (tenant) id or a domain of it, such as acme.onmicrosoft.com",
        )
    return text


def _client(name: str, environ: Mapping[str, str]) -> str:
    text = environ.get(name, "").strip()
    if not _GUID.fullmatch(text):
        raise SettingsError(
            _lacking(name, environ, "no id of an app"),
            f"set {name} to the application (client) id of the registered app",
        )
    return text


def _lacking(name: str, environ: Mapping[str, str], otherwise: str) -> str:
    """What is wrong with a variable, whose value may be a misplaced secret and is not repeated."""
    if name not in environ:
        return f"{name} is not set"
    return f"{name} is {otherwise if environ[name].strip() else 'empty'}"


def _credential(front: str, environ: Mapping[str, str], trusted: str, patience: float) -> Token | Certificate:
    file, secrets = front + CERTIFICATE, sources.variables(front + SECRET)
    given = [name for name in (*secrets, file) if name in environ]
    if not given:
        raise SettingsError(
            f"neither {front + SECRET} nor {file} is set",
            f"set {front + SECRET} to the app's secret ({', '.join(secrets[1:])} tell where it is), or "
            f"{file} to a file in PEM with the app's certificate and its private key",
        )
    if len(given) > 1:
        raise SettingsError(f"{' and '.join(given)} are set, which one holds?", "unset all but one of them")
    if given != [file]:
        return sources.token(front + SECRET, environ, trusted, patience)
    password = _password(front + PASSWORD, environ, trusted, patience)
    return Certificate(sources.file(file, environ[file], "certificate file"), file, password)


def _password(name: str, environ: Mapping[str, str], trusted: str, patience: float) -> Token | None:
    if not any(variable in environ for variable in sources.variables(name)):
        return None
    return sources.token(name, environ, trusted, patience, lambda _, value: Token(value))


def _authority(name: str, environ: Mapping[str, str]) -> str:
    """The host that signs apps in; like Microsoft's libraries, this takes it without `https://`."""
    if name not in environ:
        return PUBLIC
    hint = f"set {name} to the host that signs apps in, such as {PUBLIC}"
    text = environ[name].strip()
    with_scheme = text if "://" in text or not text else f"https://{text}"
    return _host(name, base_url(name, {name: with_scheme}, hint), hint)


def _graph(name: str, authority: str, environ: Mapping[str, str]) -> str:
    """Graph's host: that of the authority's cloud unless the environment says another."""
    hint = f"set {name} to the host of Microsoft Graph, such as {CLOUDS[PUBLIC]}"
    if name in environ:
        return _host(name, base_url(name, environ, hint).removesuffix("/v1.0"), hint)
    if authority not in CLOUDS:
        raise SettingsError(f"{name} is not set, and {authority} is of no cloud whose Graph is known", hint)
    return CLOUDS[authority]


def _host(name: str, url: str, hint: str) -> str:
    if url.count("/") > 2:
        raise SettingsError(f"{name} has a path, where there must be a host alone", hint)
    return url
