"""Where people are told what a run came to: Slack, and a receiver that checks signatures. Sends nothing.

`RECONCILER_SLACK_WEBHOOK_URL`; `RECONCILER_WEBHOOK_URL` with `RECONCILER_WEBHOOK_SECRET`. All three are
secrets, and may come from a file, a command or Vault (`sources.variables`). With the organization's name in
front they are that organization's: Slack's for itself, and URL and secret of the other as a set.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.errors import SettingsError
from reconciler.settings import PATIENCE_SECONDS, authorities, prefix, sources
from reconciler.settings.address import endpoint
from reconciler.settings.token import LONGEST, Token

SLACK = "RECONCILER_SLACK_WEBHOOK_URL"
URL = "RECONCILER_WEBHOOK_URL"
SECRET = "RECONCILER_WEBHOOK_SECRET"

BEGINNING = "whsec_"
SHORTEST_KEY, LONGEST_KEY = 24, 64
"""Bytes of a key, as the specification of Standard Webhooks asks for them."""


@dataclass(frozen=True, slots=True)
class Slack:
    """An incoming webhook of Slack, or of what takes the same messages. `name` is its variable."""

    name: str
    url: Token


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of signed JSON. Whoever knows one of the `keys` can check that a message is from here."""

    name: str
    url: Token
    keys: tuple[Token, ...]
    """In base64, never none. Several while one takes the place of another: each signs."""


Hook = Slack | Webhook


@dataclass(frozen=True, slots=True)
class Destination:
    """A hook, and the organizations that it is told about."""

    hook: Hook
    organizations: frozenset[str]


def destinations(
    organizations: Iterable[str], environ: Mapping[str, str], patience: float = PATIENCE_SECONDS
) -> tuple[Destination, ...]:
    """Every hook that the environment describes for these organizations, each once.

    One without a name in front is there even if it is told about none of them. A command and Vault are given
    `patience` seconds. Raises SettingsError, which never holds a secret nor any part of a URL but its host.
    """
    named = tuple(organizations)
    found = []
    for variables, read in (
        (sources.variables(SLACK), _slack),
        ((*sources.variables(URL), *sources.variables(SECRET)), _webhook),
    ):
        fronts: dict[str, set[str]] = {"": set()}
        for organization in named:
            fronts.setdefault(prefix(organization, environ, variables), set()).add(organization)
        found += [
            Destination(read(front, environ, patience), frozenset(told))
            for front, told in fronts.items()
            if any(front + variable in environ for variable in variables)
        ]
    return tuple(found)


def _slack(front: str, environ: Mapping[str, str], patience: float) -> Slack:
    return Slack(front + SLACK, _url(front + SLACK, environ, patience))


def _webhook(front: str, environ: Mapping[str, str], patience: float) -> Webhook:
    for name, other in ((front + URL, front + SECRET), (front + SECRET, front + URL)):
        if not any(variable in environ for variable in sources.variables(name)):
            raise SettingsError(f"{name} is not set, and {other} is", f"set both, or unset {other}")
    url = _url(front + URL, environ, patience)
    secret = sources.token(front + SECRET, environ, authorities(environ), patience, _checked_secret)
    keys = tuple(Token(one.removeprefix(BEGINNING)) for one in secret.reveal().split())
    return Webhook(front + URL, url, keys)


def _url(name: str, environ: Mapping[str, str], patience: float) -> Token:
    return sources.token(name, environ, authorities(environ), patience, _checked_url)


def _checked_url(source: str, value: str) -> Token:
    return Token(endpoint(source, value, f"{source} must give the URL of a webhook, whole, with https://"))


def _checked_secret(source: str, value: str) -> Token:
    """One secret or several. Raises SettingsError for what the libraries of receivers would not take."""
    hint = f"make one by: echo {BEGINNING}$(openssl rand -base64 32)"
    secrets = value[:LONGEST].split()
    if not secrets:
        raise SettingsError(f"{source} is empty", hint)
    if not all(map(_is_secret, secrets)):
        raise SettingsError(
            f"{source} is no {BEGINNING} and {SHORTEST_KEY} to {LONGEST_KEY} bytes in base64, "
            "nor several of them with blanks between",
            hint,
        )
    return Token(" ".join(secrets))


def _is_secret(text: str) -> bool:
    key = text.removeprefix(BEGINNING)
    try:
        return key != text and SHORTEST_KEY <= len(base64.b64decode(key, validate=True)) <= LONGEST_KEY
    except (binascii.Error, ValueError):
        return False
