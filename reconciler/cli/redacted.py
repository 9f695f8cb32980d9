"""The option `--redact`, and what it keeps from being told beside the result: one for all commands."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from reconciler.errors import PolicyError, ReadError
from reconciler.redaction import Redaction, fault, unread

F = TypeVar("F", bound=Callable[..., Any])


def option(more: str = "") -> Callable[[F], F]:
    """The option `--redact` (parameter `redaction`, None without it); `more` is what its help says beside."""

    def made(_context: click.Context, _parameter: click.Parameter, asked: bool) -> Redaction | None:
        return Redaction(secrets.token_bytes()) if asked else None

    return click.option(
        "--redact",
        "redaction",
        is_flag=True,
        callback=made,
        help="Show pseudonyms in place of people, and no sentence that could name one: for repositories and "
        f"logs that the public reads.{more and ' '}{more}",
    )


@contextmanager
def withheld(redaction: Redaction | None) -> Iterator[None]:
    """What goes wrong in here is told without the words that could name somebody, if that is asked for."""
    try:
        yield
    except ReadError:
        if redaction:
            raise unread() from None
        raise
    except PolicyError as error:
        if redaction:
            raise PolicyError(tuple(map(fault, error.problems))) from None
        raise
