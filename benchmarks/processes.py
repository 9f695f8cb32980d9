"""What a command costs, seen from outside: wall time, CPU time and peak memory of its process.

On Linux, a process begins with the peak of the one that started it. So whoever measures stays small.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

ROOT = Path(__file__).parents[1]
LONGEST = 900.0
"""Seconds after which a command is ended: it would never end by itself."""
ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Where nothing keeps modules that were compiled once, compiling them would be most of what is measured."""
KILOBYTE = 1 if sys.platform == "darwin" else 1024
"""In what the system counts memory, in bytes."""


class WorkError(Exception):
    """A command did not do what is measured."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took: seconds, and millions of bytes at most."""

    wall: float
    cpu: float
    memory: float
    output: str


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs one of the modules here."""
    return [sys.executable, "-m", f"benchmarks.{module}", *arguments]


def script(name: str, *arguments: str) -> list[str]:
    """The command that runs a program of this environment."""
    return [str(Path(sys.executable).with_name(name)), *arguments]


def cost(command: Sequence[str], environ: Mapping[str, str] | None = None, expected: int = 0) -> Cost:
    """Run a command to its end. Raises WorkError where it ends otherwise than expected."""
    with TemporaryFile() as output, TemporaryFile() as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**ENVIRON, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
        timer = threading.Timer(LONGEST, process.kill)
        timer.daemon = True
        timer.start()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != expected:
            errors.seek(0)
            words = errors.read().decode(errors="replace").strip().splitlines()[-3:]
            raise WorkError(f"{Path(command[0]).name} ended with {process.returncode}: {' / '.join(words)}")
        output.seek(0)
        text = output.read().decode(errors="replace")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * KILOBYTE / 1e6, text)
