"""The option `--redact`, and what it keeps from being told beside the result: one for all commands."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.errors import PolicyError, ReadError

if TYPE_CHECKING:
    from reconciler.redaction import Redaction

F = TypeVar("F", bound=Callable[..., Any])


def option(more: str = "") -> Callable[[F], F]:
    """The option `--redact` (parameter `redaction`, None without it); `more` is what its help says beside."""

    def made(_context: click.Context, _parameter: click.Parameter, asked: bool) -> "Redaction | None":
        if not asked:
            return None
        import secrets

        from reconciler.redaction import Redaction  # which knows all that can be told

        return Redaction(secrets.token_bytes())

    return click.option(
        "--redact",
        "redaction",
        is_flag=True,
        callback=made,
        help="Show pseudonyms in place of people, and no sentence that could name one: for repositories and "
        f"logs that the public reads.{more and ' '}{more}",
    )


@contextmanager
def withheld(redaction: "Redaction | None") -> Iterator[None]:
    """What goes wrong in here is told without the words that could name somebody, if that is asked for."""
    if redaction is None:
        yield
        return
    from reconciler.redaction import fault, unread

    try:
        yield
    except ReadError:
        raise unread() from None
    except PolicyError as error:
        raise PolicyError(tuple(map(fault, error.problems))) from None
