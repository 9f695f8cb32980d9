"""What signing in as an app has in common everywhere (RFC 6749 section 4.4). Sends nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

from reconciler.errors import SettingsError
from reconciler.settings.token import Token

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""The kind of proof that a `Signs` makes (RFC 7523 section 2.2)."""

BEARER = "Bearer "
"""What stands in front of an access token in the header Authorization (RFC 6750 section 2.1)."""

EARLY = 300.0
"""How many seconds before its end a token is renewed: more than one request may take."""


class Signs(Protocol):
    """A `http.assertion.Signer`, whose library is there for those only who have a key."""

    def assertion(self, client_id: str, audience: str, now: datetime) -> Token: ...


def lasts(document: Mapping[str, Any]) -> float:
    """For how many seconds a token may be used: until shortly before its end, which `expires_in` tells."""
    told = document.get("expires_in")
    seconds = float(told) if isinstance(told, int | float) and not isinstance(told, bool) else 0.0
    return max(seconds - EARLY, seconds / 2)


@contextmanager
def installed(what: str) -> Iterator[None]:
    """Raises SettingsError where what is imported in the block is not there: `what` can't sign then."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise SettingsError(
            f"{what} can't sign: the module {missing} is not installed", "pip install 'reconciler[jwt]'"
        ) from error
