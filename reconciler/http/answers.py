"""What came back from a server: its JSON, words where there is none, and whether it holds a secret."""

import json
import re
from collections.abc import Callable
from typing import Any

from reconciler.http.transport import Reply
from reconciler.http.words import printable, quoted, status_words
from reconciler.settings.token import Token

TELLING = 16
"""How long a token must be for its letters to be no coincidence."""

REPEATED = "the server's answer repeats the token that it was asked with"
REPLACE = "nothing of it is used, for it would end in plans and ledgers; replace the token"


def json_value(body: bytes) -> Any:
    """The JSON of a body; None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object of a body; None where it is none."""
    document = json_value(body)
    return document if isinstance(document, dict) else None


def seen(reply: Reply, token: Token, wanted: str = "JSON object") -> str:
    """What an answer is that should have been JSON, without the token."""
    kind = printable(token.hidden_in(reply.headers.get("content-type", "")) or "no content type", 60)
    if not reply.body.strip():
        return f"the server answered {status_words(reply.status)} with nothing in it ({kind})"
    begins = quoted(token.hidden_in(reply.body[:4096].decode("utf-8", errors="replace")), 80)
    return (
        f"the server answered {status_words(reply.status)} with {len(reply.body)} bytes "
        f"that are no {wanted} ({kind}), beginning {begins}"
    )


def refusal(reply: Reply, hide: Callable[[str], str], code: object, words: object, *more: str) -> str:
    """Why a server says that it did not do it: its code and its words, if these are texts, and what else.

    `hide` takes secrets out of text: a server may well repeat the Authorization header in its complaint.
    """
    reason = f"the server answered {status_words(reply.status)}"
    if reply.status < 300:
        reason += " with an error in it"
    if isinstance(code, str) and code:
        reason += f" ({printable(hide(code), 60)})"
    if isinstance(words, str) and words:
        reason += f": {quoted(hide(words))}"
    return "; ".join(part for part in (reason, *more, reply.note) if part)


def repeats(reply: Reply, token: Token) -> bool:
    """Whether a success holds the token, which would then be shown as the name of somebody."""
    secret, said = token.reveal(), reply.body
    if len(secret) < TELLING:
        return False
    spelled = json.dumps(secret)[1:-1]
    if b"\0" in said or spelled != secret:  # JSON in UTF-8 has no zeros, in other encodings it has
        return spelled in json.dumps(json_value(said))
    sought = secret.encode()
    if sought in said:
        return True
    escapes = _WITH_SLASH if "/" in secret else _ESCAPES
    return escapes.search(said) is not None and sought in escapes.sub(_meant, said)


_ESCAPES = re.compile(rb"\\(u00[0-7][0-9a-fA-F]|\\)")
"""How JSON may spell a letter of ASCII that it need not escape. Escaped backslashes, too, so that none of
them is taken for the beginning of something."""
_WITH_SLASH = re.compile(rb"\\(u00[0-7][0-9a-fA-F]|[\\/])")


def _meant(escaped: re.Match[bytes]) -> bytes:
    """The letter that JSON may spell so."""
    letter = escaped[1]
    return bytes([int(letter[1:], 16)]) if letter[1:] else letter
