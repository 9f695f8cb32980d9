"""What tells how old the token of a SCIM server is: its own words where it is a JWT, or its file."""

import base64
import json
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from reconciler.checkup import TokenDates
from reconciler.settings import TOKEN, URL, prefix, sources
from reconciler.settings.token import Token


def dates(organization: str, environ: Mapping[str, str], token: Token) -> TokenDates:
    """The dates of this token, which the environment gave for an organization.

    A JWT is not verified, for that is the server's part; nothing of it but its dates leaves this (RFC 7519
    section 4.1). A file that was written anew says nothing of how old the token in it is.
    """
    claims = _claims(token.reveal())
    front = prefix(organization, environ, (URL, *sources.variables(TOKEN)))
    return TokenDates(
        issued=_moment(claims.get("iat")),
        expires=_moment(claims.get("exp")),
        written=_written(environ.get(f"{front}{TOKEN}_FILE")),
    )


def _claims(text: str) -> Mapping[str, Any]:
    """The claims of a JWT in its compact form (RFC 7515 section 7.1); nothing where it is none."""
    parts = text.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _moment(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _written(path: str | None) -> datetime | None:
    """When a file was last written; None for a pipe, which is always new."""
    if path is None:
        return None
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return datetime.fromtimestamp(status.st_mtime, UTC) if stat.S_ISREG(status.st_mode) else None
