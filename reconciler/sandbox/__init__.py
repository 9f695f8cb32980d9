"""The sandbox: a real SCIM 2.0 server on loopback with an organization in it. For trying and testing only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from reconciler.errors import SettingsError
from reconciler.sandbox.seed import Seed

if TYPE_CHECKING:
    from reconciler.sandbox.server import Server


@contextmanager
def run(
    seed: Seed, *, token: str | None = None, port: int = 0, log: TextIO | None = None
) -> Iterator[Server]:
    """Serve `seed` from threads of this process until the block ends.

    `token` is made up and `port` chosen unless given; each request becomes one line of `log`.
    Raises SettingsError where the port is taken or the `sandbox` extra is not installed.
    """
    try:
        from reconciler.sandbox import server
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise SettingsError(
            f"cannot start the sandbox: the module {missing} is not installed",
            hint="pip install 'reconciler[sandbox]'",
        ) from error
    with server.serving(seed, token=token, port=port, log=log) as running:
        yield running
