"""The token of a code host, from the environment, and how it is sent. Sends nothing."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.errors import SettingsError
from reconciler.hosts.host import Kind
from reconciler.settings import PATIENCE_SECONDS, sources
from reconciler.settings.token import Token

VARIABLES = {Kind.GITHUB: "GITHUB_TOKEN", Kind.GITLAB: "GITLAB_TOKEN", Kind.BITBUCKET: "BITBUCKET_TOKEN"}
"""The variable that holds each host's token, or what the variables of `sources.variables` begin with."""

EMAIL = "BITBUCKET_EMAIL"
"""Whose API token of Atlassian it is; without it, BITBUCKET_TOKEN is an access token of Bitbucket."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A token, and the header that shows it."""

    token: Token
    header: Token

    def hidden_in(self, text: str) -> str:
        """The text with `***` wherever it repeats either."""
        _, _, sent = self.header.reveal().partition(" ")
        return Token(sent).hidden_in(self.token.hidden_in(text))


def given(kind: Kind, environ: Mapping[str, str]) -> bool:
    """Whether the environment has a token for such a host; CI hands out empty ones where there is none."""
    return any(environ.get(name) for name in sources.variables(VARIABLES[kind]))


def of(kind: Kind, environ: Mapping[str, str], authorities: str) -> Credential:
    """The credential of such a host. Raises SettingsError, which never holds the token."""
    name = VARIABLES[kind]
    if not given(kind, environ):
        raise SettingsError(
            f"{name} is {'empty' if name in environ else 'not set'}, so nobody can comment on {kind}",
            f"set {name}, or {name}_FILE, _COMMAND or _VAULT, to a token that may write comments of pull "
            "requests; docs/pull-requests.md tells which rights that takes",
        )
    token = sources.token(name, environ, authorities, PATIENCE_SECONDS)
    email = environ.get(EMAIL, "").strip() if kind is Kind.BITBUCKET else ""
    if not email:
        return Credential(token, Token(f"Bearer {token.reveal()}"))
    if ":" in email or not (email.isascii() and email.isprintable()):
        raise SettingsError(
            f"{EMAIL} is no e-mail address", f"set {EMAIL} to that of the account whose {name} is"
        )
    pair = base64.b64encode(f"{email}:{token.reveal()}".encode()).decode()
    return Credential(token, Token(f"Basic {pair}"))
