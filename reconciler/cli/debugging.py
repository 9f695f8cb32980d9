"""The option `--debug`: what this program logs goes to standard error."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from reconciler.report.plain import printable


@contextmanager
def told() -> Iterator[None]:
    """What this program logs, and no library, goes to standard error."""
    log, handler = logging.getLogger("reconciler"), _Lines()
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)


class _Lines(logging.Handler):
    """Each record in one harmless line."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # that nobody can read it any more must not end a run half-way
            click.echo(f"debug: {printable(record.getMessage())}", err=True)
