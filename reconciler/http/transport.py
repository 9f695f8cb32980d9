"""One HTTP request to the server and what came of it, as a value. Repeats nothing.

The owner of httpx, which takes as long to load as all of ours: who sends nothing does not load it.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from reconciler.errors import SettingsError
from reconciler.http.words import printable

if TYPE_CHECKING:
    import ssl

    import httpx

LARGEST_BODY = 64 * 1024 * 1024

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
WRITE_SECONDS = 30.0

Params = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """A request by its path below the base URL.

    `repeatable`: it may be sent again after a failure, for it changes nothing, or nothing more.
    """

    method: str
    path: str
    params: Params = ()
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that arrived whole. Header names are in lower case; `note` adds why we stopped asking."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    note: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """No whole answer. `sent` is False only where the request certainly never reached the server."""

    words: str
    sent: bool
    lasting: bool
    """Whether asking again is pointless."""
    cause: Exception | None = None
    hint: str = ""


class Transport:
    """Connections to one server. What is secret leaves with requests to its origin and no other.

    `server` is its base URL without a slash at the end, `authorities` a file or a folder of the certificates
    that are trusted (the usual ones where it is empty), `headers` go with every request.
    """

    def __init__(
        self,
        server: str,
        authorities: str,
        headers: Mapping[str, str],
        clock: Callable[[], float],
        inner: "httpx.BaseTransport | None" = None,
        largest_body: int = LARGEST_BODY,
    ) -> None:
        self.server = server
        self._clock = clock
        self._largest_body = largest_body
        self._met = False
        self._headers = {"User-Agent": "reconciler", "Accept-Encoding": "gzip, deflate", **headers}
        self._connect: Callable[[], httpx.BaseTransport] = (
            (lambda: inner) if inner else _connections(server, authorities)
        )
        self._connections: list[httpx.BaseTransport] = []
        self._idle: list[httpx.BaseTransport] = []
        """Connections that nothing is under way on. Whoever sends takes the one that was used last."""

    def url(self, path: str, params: Params = ()) -> str:
        """The absolute URL of a path below the base, whose own path is kept."""
        query = urlencode(params, quote_via=quote, safe="")
        return f"{self.server}{path}?{query}" if query else f"{self.server}{path}"

    def led(self, url: str, location: str) -> str | None:
        """The URL that a redirect or a link leads to, or None where it leaves the server's origin."""
        import httpx

        try:
            target = httpx.URL(url).join(location)
        except httpx.InvalidURL:
            return None
        return str(target) if _origin(target) == _origin(httpx.URL(self.server)) else None

    def send(self, request: Request, url: str, deadline: float) -> Reply | Broken:
        """Send one request and read all of its answer before `deadline` (of the given clock)."""
        import httpx

        timeout = self._timeout(deadline)
        connection = self._taken()
        try:
            response = connection.handle_request(
                httpx.Request(
                    request.method,
                    url,
                    headers={**self._headers, **request.headers},
                    content=request.content,
                    extensions={"timeout": timeout.as_dict()},
                )
            )
            self._met = True
            with closing(response):
                return self._read(response, deadline)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _broken(error, self._met, timeout)
        finally:
            self._idle.append(connection)

    def _taken(self) -> "httpx.BaseTransport":
        """A connection for one request, a new one where all others are in use."""
        with suppress(IndexError):  # which is how threads that look at once do not get the same
            return self._idle.pop()
        connection = self._connect()
        self._connections.append(connection)
        return connection

    def _timeout(self, deadline: float) -> "httpx.Timeout":
        import httpx

        left = max(0.1, deadline - self._clock())
        return httpx.Timeout(
            connect=min(CONNECT_SECONDS, left),
            read=min(READ_SECONDS, left),
            write=min(WRITE_SECONDS, left),
            pool=min(CONNECT_SECONDS, left),
        )

    def _read(self, response: "httpx.Response", deadline: float) -> Reply | Broken:
        parts: list[bytes] = []
        size = 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > self._largest_body:
                return Broken(
                    f"the answer is larger than {self._largest_body} bytes", sent=True, lasting=True
                )
            if self._clock() > deadline:
                return Broken("the answer did not arrive whole in the time allowed", sent=True, lasting=True)
        return Reply(response.status_code, dict(response.headers), b"".join(parts))

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


def _connections(server: str, authorities: str) -> "Callable[[], httpx.BaseTransport]":
    """What makes connections to one server, without what a client of many has: cookies, redirects, passwords.

    Each is a pool of its own, for in one of many connections every request looks at all of them. Raises
    SettingsError where the environment names certificates or a proxy that can't be used.
    """
    # It would load a command line of its own, with rich and pygments: that takes longer than all else of it.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    import httpx

    encrypted = server.startswith("https://")
    trusted = _trusted(authorities) if encrypted else _nobody()
    try:
        # A proxy from the environment sees a tunnel of TLS; plain http it could read.
        proxy = _proxy(server) if encrypted else None
        connect = partial(httpx.HTTPTransport, verify=trusted, trust_env=False, proxy=proxy)
        connect().close()  # which says whether the proxy can be used
    except (ImportError, ValueError, httpx.InvalidURL):  # which may quote the password of the proxy
        raise SettingsError(
            "the environment names a proxy that can't be used",
            "HTTPS_PROXY and ALL_PROXY hold a URL such as http://proxy.example.com:3128, NO_PROXY hosts",
        ) from None
    return connect


def _proxy(server: str) -> str | None:
    """The URL of the proxy that the environment names for a server; None where it names none."""
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    named = proxies.get("https") or proxies.get("all")
    if not named or proxy_bypass(urlsplit(server).netloc):
        return None
    return named if "://" in named else f"http://{named}"


def _nobody() -> "ssl.SSLContext":
    """What trusts no certificate: loading the usual ones would be in vain where nothing is encrypted."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _trusted(authorities: str) -> "ssl.SSLContext":
    """What trusts the certificates of a file or a folder and no others; the usual ones where none is named.

    Raises SettingsError.
    """
    import ssl

    import httpx

    if not authorities:
        return httpx.create_ssl_context(trust_env=False)

    hint = "SSL_CERT_FILE names a file of certificates, SSL_CERT_DIR a folder that c_rehash prepared"
    try:
        if Path(authorities).is_dir():
            return ssl.create_default_context(capath=authorities)
        return ssl.create_default_context(cafile=authorities)
    except ssl.SSLError as error:  # whose words help nobody
        raise SettingsError(f"there are no certificates in PEM in {authorities}", hint) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no path can look like that"
        raise SettingsError(f"there are no certificates in PEM in {authorities}: {reason}", hint) from error


def _origin(url: "httpx.URL") -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _broken(error: "httpx.HTTPError | httpx.InvalidURL", met: bool, timeout: "httpx.Timeout") -> Broken:
    """What an error of httpx means for the request; `met` where the server has answered before."""
    import httpx

    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            words = f"no connection within {timeout.connect:.0f} s"
            return Broken(words, sent=False, lasting=False, cause=error)
        case httpx.ConnectError() | httpx.ProxyError():
            return _unconnected(error, met)
        case httpx.UnsupportedProtocol() | httpx.InvalidURL() | httpx.LocalProtocolError():
            words = f"the request can't be sent: {printable(str(error))}"
            return Broken(words, sent=False, lasting=True, cause=error)
        case httpx.TimeoutException():
            words = f"no answer within {timeout.read:.0f} s"
            return Broken(words, sent=True, lasting=False, cause=error)
        case _:
            words = f"the connection broke before the answer was whole: {printable(str(error))}"
            return Broken(words, sent=True, lasting=False, cause=error)


def _unconnected(error: "httpx.HTTPError", met: bool) -> Broken:
    """No connection. Where nobody ever listened, asking again is pointless; who did listen may restart."""
    import socket
    import ssl

    words = f"no connection: {printable(str(error))}"
    hint = "is the host in the base URL right, and can it be reached from here?"
    match _of_the_system(error):
        case ssl.SSLCertVerificationError() as fault:
            words = f"the server's certificate is not trusted: {printable(fault.verify_message)}"
            hint = _CERTIFICATE_HINTS.get(fault.verify_code, _UNKNOWN_AUTHORITY)
            lasting = True
        case ssl.SSLError() as fault if not isinstance(fault, ssl.SSLEOFError):
            lasting = True
        case ConnectionRefusedError() | socket.gaierror(errno=socket.EAI_NONAME):
            lasting = not met
        case _:
            lasting = False
    return Broken(words, sent=False, lasting=lasting, cause=error, hint=hint)


_UNKNOWN_AUTHORITY = "SSL_CERT_FILE may name a file with the authority that issued it"
_CERTIFICATE_HINTS = {
    9: "it is valid from a later day on; is the clock right here?",
    10: "the server needs a new certificate; is the clock right here?",
    62: "is the host in the base URL right?",
    64: "is the address in the base URL right?",
}
"""By the number that OpenSSL gives to what is wrong (X509_V_ERR_…); else the authority is unknown."""


def _of_the_system(error: BaseException | None) -> OSError | None:
    """What the system said, of which the libraries pass on only the words."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
