"""What a run needs that is not policy: where the server is and the token for it. Sends nothing itself.

The variables are `CIRCLECI_SCIM_URL` and one of `CIRCLECI_SCIM_TOKEN`, `CIRCLECI_SCIM_TOKEN_FILE` and
`CIRCLECI_SCIM_TOKEN_COMMAND`. Each may have the organization's name in front (`ACME_CIRCLECI_SCIM_URL`).
Those with the name win, and as a set: the token of one server is never combined with the URL of another.
"""

import hmac
import ipaddress
import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self
from urllib.parse import SplitResult, urlsplit

from reconciler.errors import SettingsError

URL = "CIRCLECI_SCIM_URL"
TOKEN = "CIRCLECI_SCIM_TOKEN"
TOKEN_FILE = "CIRCLECI_SCIM_TOKEN_FILE"
TOKEN_COMMAND = "CIRCLECI_SCIM_TOKEN_COMMAND"

COMMAND_SECONDS = 60.0
"""How long a token command may take: enough for a person to confirm on another device."""

LONGEST_TOKEN = 64 * 1024
_UNFIT_FOR_HEADER = re.compile(r"[^\x21-\x7e]")
_UNFIT_FOR_URL = re.compile(r"[^\x21-\x7e]|\\")


class Token:
    """A secret that shows itself only to `reveal()`. Equal to a token of the same value, never to text."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret, for the Authorization header and nothing else."""
        return self._value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Token):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Token, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not to be written anywhere")

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __repr__(self) -> str:
        return "Token(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the SCIM server is (`url` without a slash at the end) and the token that it takes."""

    url: str
    token: Token


def connection(
    organization: str, environ: Mapping[str, str], patience: float = COMMAND_SECONDS
) -> Connection:
    """The connection that the environment describes for an organization.

    A token command is given `patience` seconds. Raises SettingsError, which never holds the token nor
    any part of a URL but its host.
    """
    prefix = _prefix(organization, environ)
    return Connection(_url(prefix + URL, environ), _token(prefix, environ, patience))


def _prefix(organization: str, environ: Mapping[str, str]) -> str:
    prefix = organization.upper().replace("-", "_") + "_"
    names = (URL, TOKEN, TOKEN_FILE, TOKEN_COMMAND)
    return prefix if any(prefix + name in environ for name in names) else ""


def _url(name: str, environ: Mapping[str, str]) -> str:
    hint = f"set {name} to the base URL of the SCIM server, such as https://scim.example.com/scim/v2"
    text = environ.get(name, "").strip()
    if not text:
        raise SettingsError(f"{name} is {'empty' if name in environ else 'not set'}", hint)
    if _UNFIT_FOR_URL.search(text):
        raise SettingsError(f"{name} holds a character that a URL can't have", hint)
    parts = _split(text)
    if parts is None:
        raise SettingsError(f"{name} is no URL: its host or its port can't be read", hint)
    if fault := _fault(text, parts):
        raise SettingsError(f"{name} {fault}", hint)
    return _normal(parts)


def _split(text: str) -> SplitResult | None:
    """The parts of a URL. No exception leaves this: it would quote what may be a misplaced secret."""
    try:
        parts = urlsplit(text)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def _fault(text: str, parts: SplitResult) -> str:
    """What is wrong with a URL, in words that show nothing of it but the host; empty where nothing is."""
    if "://" not in text:
        return "has no scheme"
    if parts.scheme not in ("https", "http"):
        return "has a scheme other than https"
    if "@" in parts.netloc:
        return "holds credentials, which belong in no URL: the token has a variable of its own"
    if "?" in text or "#" in text:
        return "has a query or a fragment, which a base URL can't have"
    if not parts.hostname:
        return "names no host"
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        return f"would send the token unencrypted to {parts.hostname}: http:// is for loopback only"
    return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address in ipaddress.ip_network("127.0.0.0/8" if address.version == 4 else "::1/128")


def _normal(parts: SplitResult) -> str:
    """One spelling for URLs that differ in nothing: host in lower case, no default port, no last slash."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    default = 443 if parts.scheme == "https" else 80
    where = host if parts.port in (None, default) else f"{host}:{parts.port}"
    return f"{parts.scheme}://{where}{parts.path}".rstrip("/")


def _token(prefix: str, environ: Mapping[str, str], patience: float) -> Token:
    sources = [prefix + name for name in (TOKEN, TOKEN_FILE, TOKEN_COMMAND) if prefix + name in environ]
    if not sources:
        raise SettingsError(
            f"{prefix}{TOKEN} is not set",
            f"set {prefix}{TOKEN}, {prefix}{TOKEN_FILE} or {prefix}{TOKEN_COMMAND} "
            "to the server's token, a file that holds it, or a command that prints it",
        )
    if len(sources) > 1:
        raise SettingsError(f"{' and '.join(sources)} are set, which one holds?", "unset all but one of them")
    [source] = sources
    return Token(_checked(source, _from(source, prefix, environ, patience)))


def _from(source: str, prefix: str, environ: Mapping[str, str], patience: float) -> str:
    value = environ[source]
    if source == prefix + TOKEN_FILE:
        return _from_file(source, value)
    if source == prefix + TOKEN_COMMAND:
        return _from_command(source, value, environ, patience)
    return value


def _from_file(source: str, path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(LONGEST_TOKEN + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no path can look like that"
        raise SettingsError(
            f"the token file that {source} names can't be read: {reason}", f"set {source} to a readable file"
        ) from None
    return _without_newline(content)


def _from_command(source: str, line: str, environ: Mapping[str, str], patience: float) -> str:
    """Run a token command without a shell. Neither its arguments nor its errors are repeated anywhere."""
    hint = f"run the command of {source} by hand: it must print the token and nothing else"
    try:
        words = shlex.split(line)
    except ValueError:
        raise SettingsError(f"{source} has a quote that is never closed", hint) from None
    if not words:
        raise SettingsError(f"{source} is empty", hint)
    try:
        done = subprocess.run(
            words,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SettingsError(f"the command of {source} took over {patience:g} s", hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it holds a character that no command can have"
        raise SettingsError(f"the command of {source} can't be run: {reason}", hint) from None
    if done.returncode != 0:
        raise SettingsError(f"the command of {source} failed with exit status {done.returncode}", hint)
    return _without_newline(done.stdout)


def _without_newline(content: bytes) -> str:
    """The text without the newline that editors and `echo` leave at its end; only one, it is no trim."""
    text = content.decode("utf-8", errors="replace")
    return text.removesuffix("\n").removesuffix("\r")


def _checked(source: str, value: str) -> str:
    hint = f"{source} must give the token as the server issued it, in one line and without quotes"
    if not value:
        raise SettingsError(f"the token of {source} is empty", hint)
    if len(value) > LONGEST_TOKEN:
        raise SettingsError(f"the token of {source} is longer than {LONGEST_TOKEN} characters", hint)
    if "\n" in value or "\r" in value:
        raise SettingsError(f"the token of {source} has a line break", hint)
    if _UNFIT_FOR_HEADER.search(value):
        raise SettingsError(
            f"the token of {source} has a blank, a control character or a letter outside ASCII", hint
        )
    return value
