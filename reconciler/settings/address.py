"""Where a secret may be sent: the base URL of a server, checked and in one spelling. Connects to nothing."""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from reconciler.errors import SettingsError

_UNFIT_FOR_URL = re.compile(r"[^\x21-\x7e]|\\")


def base_url(name: str, environ: Mapping[str, str], hint: str) -> str:
    """The URL that a variable holds, without a slash at the end.

    Raises SettingsError, which shows no part of the URL but its host: the rest may be a misplaced secret.
    """
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


def endpoint(name: str, text: str, hint: str) -> str:
    """The URL of one place that people's names are posted to, whole: its path or query may be a secret.

    `name` is the variable that gave it. Raises SettingsError, which shows no part of it but its host.
    """
    text = text.strip()
    if not text:
        raise SettingsError(f"{name} is empty", hint)
    parts = None if _UNFIT_FOR_URL.search(text) else _split(text)
    if parts is None:
        raise SettingsError(f"{name} is no URL", hint)
    if fault := _unfit(text, parts, "what it is told"):
        raise SettingsError(f"{name} {fault}", hint)
    if "@" in parts.netloc or "#" in text:
        raise SettingsError(f"{name} holds credentials or a fragment, which are not sent", hint)
    return text


def _split(text: str) -> SplitResult | None:
    """The parts of a URL. No exception leaves this: it would quote what may be a misplaced secret."""
    try:
        parts = urlsplit(text)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def _fault(text: str, parts: SplitResult) -> str:
    """What is wrong with a base URL, in words that show nothing but its host; empty where nothing is."""
    if "@" in parts.netloc:
        return "holds credentials, which belong in no URL: the token has a variable of its own"
    if "?" in text or "#" in text:
        return "has a query or a fragment, which a base URL can't have"
    return _unfit(text, parts, "the token")


def _unfit(text: str, parts: SplitResult, sent: str) -> str:
    """Why nothing is sent to where a URL leads, in such words; `sent` is what would be."""
    if "://" not in text:
        return "has no scheme"
    if parts.scheme not in ("https", "http"):
        return "has a scheme other than https"
    if not parts.hostname:
        return "names no host"
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        return f"would send {sent} unencrypted to {parts.hostname}: http:// is for loopback only"
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
