"""A token: a value that shows itself to nobody. Where it comes from is for `sources` to know."""

import hmac
import re
from typing import NoReturn, Self

from reconciler.errors import SettingsError

LONGEST = 64 * 1024
_UNFIT_FOR_HEADER = re.compile(r"[^\x21-\x7e]")


class Token:
    """A secret that shows itself only to `reveal()`. Equal to a token of the same value, never to text."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret, to be sent to the server that issued it and nowhere else."""
        return self._value

    def hidden_in(self, text: str) -> str:
        """The text with `***` wherever it repeats the token, in whatever case: host names have only one."""
        return re.sub(re.escape(self._value), "***", text, flags=re.IGNORECASE)

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


def checked(source: str, value: str) -> Token:
    """The token that a variable gave. Raises SettingsError for a value that fits in no header."""
    hint = f"{source} must give the token as the server issued it, in one line and without quotes"
    if not value:
        raise SettingsError(f"the token of {source} is empty", hint)
    if len(value) > LONGEST:
        raise SettingsError(f"the token of {source} is longer than {LONGEST} characters", hint)
    if "\n" in value or "\r" in value:
        raise SettingsError(f"the token of {source} has a line break", hint)
    if _UNFIT_FOR_HEADER.search(value):
        raise SettingsError(
            f"the token of {source} has a blank, a control character or a letter outside ASCII", hint
        )
    return Token(value)


def checked_key(source: str, value: str) -> Token:
    """The private key that a variable gave, as PEM or a JWK. Raises SettingsError for what is neither.

    Some places keep a variable in one line, with a backslash and an n for each line break: they become one.
    """
    hint = f"{source} must give a private key: PEM (-----BEGIN …) or a JWK ({{…}}), without a passphrase"
    text = value.strip()
    if not text:
        raise SettingsError(f"the key of {source} is empty", hint)
    if len(text) > LONGEST:
        raise SettingsError(f"the key of {source} is longer than {LONGEST} characters", hint)
    if text.startswith("{"):
        return Token(text)
    if not text.startswith("-----BEGIN "):
        raise SettingsError(f"the key of {source} is neither PEM nor a JWK", hint)
    return Token(text.replace("\\n", "\n"))
