"""The program in a process of its own, forked from one that has loaded it, so that it can be killed."""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

LEDGER = "ledger.jsonl"
OUTPUT = "output.txt"
"""Where a run's words are, in the folder that it ran in."""


@dataclass(frozen=True)
class Ends:
    """The moment at which a process kills itself: its so-many-th call of a function, for its ledger."""

    function: str
    """`write`: half of the records is written. `fsync`: all of them are, and they are not waited for."""
    call: int

    def __str__(self) -> str:
        return f"{self.function} {self.call} of the ledger"


def start(
    folder: Path, environment: Mapping[str, str], arguments: Sequence[str], ends: Ends | None = None
) -> ForkServerProcess:
    """Start the program in a folder. What it is forked from has one thread, and ends with us."""
    forking = get_context("forkserver")
    forking.set_forkserver_preload(["httpcore", "pytest", "reconciler.cli.apply"])
    process = forking.Process(target=_run, args=(folder, environment, arguments, ends))
    process.start()
    return process


def _run(folder: Path, environment: Mapping[str, str], arguments: Sequence[str], ends: Ends | None) -> None:
    from reconciler.cli import cli

    os.chdir(folder)
    os.environ.update(environment)
    output = os.open(OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.fsync = without_waiting
    if ends is not None:
        _arm(ends)
    sys.exit(cli(list(arguments), prog_name="reconciler"))


def without_waiting(fd: object) -> None:
    """In the place of `os.fsync`: what was written survives its writer, if not the machine, without it."""


def _arm(ends: Ends) -> None:
    """Replace a function of the system in this process, which will not outlive it."""
    original: Callable[..., object] = getattr(os, ends.function)
    calls = 0

    def deadly(file: int, *content: bytes) -> object:
        nonlocal calls
        calls += os.path.exists(LEDGER) and os.path.samestat(os.fstat(file), os.stat(LEDGER))
        if calls < ends.call:
            return original(file, *content)
        for text in content:
            original(file, text[: len(text) // 2].rstrip(b"\n"))  # which is no whole record
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("nobody survives this")

    setattr(os, ends.function, deadly)
