"""`reconciler sandbox`: a SCIM server on loopback, alone until it is interrupted or around a command."""

import errno
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from reconciler import sandbox
from reconciler.errors import SettingsError
from reconciler.sandbox import around, seed, signals

if TYPE_CHECKING:
    from reconciler.sandbox.server import Server

NOT_FOUND = 127
NOT_RUNNABLE = 126
"""What a shell exits with for a command that does not exist, and for one that cannot be run."""


@click.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--seed",
    "seed_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The organization to hold (default: the one that policies/acme is written for, with drift in it).",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port (default: a free one).")
@click.option("--token", metavar="TOKEN", help="The bearer token to ask for (default: a new one).")
@click.option(
    "--log",
    "log_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write one line for each request to FILE.",
)
@click.argument("command_line", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def command(
    seed_file: Path | None, port: int, token: str | None, log_file: Path | None, command_line: tuple[str, ...]
) -> None:
    """Run a SCIM server on loopback, alone or around a command.

    Alone, it prints two lines to paste into a shell and runs until Ctrl-C. Around a command, it sets
    CIRCLECI_SCIM_URL and CIRCLECI_SCIM_TOKEN for it and exits with its exit code. What is written to it is
    gone when it ends.

    \b
    Examples:
      reconciler sandbox
      reconciler sandbox -- sh
      reconciler sandbox -- reconciler plan policies/acme
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    _check_token(token)
    content = seed.acme() if seed_file is None else seed.load(seed_file)
    with (
        _log(log_file, alone=not command_line) as log,
        sandbox.run(content, token=token, port=port, log=log) as server,
    ):
        code = _around(server, command_line) if command_line else _alone(server)
    click.echo(_summary(server), err=True)
    sys.exit(code)


def _alone(server: "Server") -> int:
    with signals.arriving(signals.STOPPING) as stop:
        click.echo(f"export CIRCLECI_SCIM_URL={shlex.quote(server.url)}")
        click.echo(f"export CIRCLECI_SCIM_TOKEN={shlex.quote(server.token)}")
        next(stop)
    return 0


def _around(server: "Server", command_line: Sequence[str]) -> int:
    try:
        return around.run(command_line, around.environment(os.environ, server.url, server.token))
    except OSError as error:
        click.echo(f"error: cannot run {command_line[0]}: {error.strerror}", err=True)
        return NOT_FOUND if error.errno == errno.ENOENT else NOT_RUNNABLE


@contextmanager
def _log(file: Path | None, *, alone: bool) -> Iterator[TextIO | None]:
    """Where requests are logged: to the file, else on standard error unless that is the command's."""
    if file is None:
        yield sys.stderr if alone else None
        return
    try:
        log = file.open("w", buffering=1, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot write the request log {file}: {error.strerror}") from error
    with log:
        yield log


def _check_token(token: str | None) -> None:
    if token is not None and not (token.isascii() and token.isprintable() and token and " " not in token):
        raise SettingsError("--token must be printable ASCII without spaces, and not empty")


def _summary(server: "Server") -> str:
    writes = sum(request.writes for request in server.requests)
    return f"sandbox: {len(server.requests)} requests, {writes} of them writes"
