"""Runs the program as a process of its own: on a pseudo-terminal, or with its streams piped."""

import os
import pty
import subprocess
import sys
import termios
from collections.abc import Mapping
from contextlib import suppress

RECONCILER = [sys.executable, "-m", "reconciler"]
PATIENCE = 30
"""Seconds after which a process that should have ended counts as hanging."""


def surroundings(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process, without what decides about terminals or connections here."""
    ours = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM", "TTY_COMPATIBLE", "PYTHONUNBUFFERED")
    inherited = {name: value for name, value in os.environ.items() if name not in ours and "SCIM" not in name}
    return {**inherited, "TERM": "xterm-256color", **variables}


def start(variables: Mapping[str, str], *arguments: str) -> "subprocess.Popen[str]":
    """The program with its streams piped."""
    return subprocess.Popen(
        [*RECONCILER, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=surroundings(variables),
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, err


def on_terminal(variables: Mapping[str, str], *arguments: str, columns: int = 140) -> tuple[int, str]:
    """Exit code and everything that a terminal of this width was sent."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, columns))
    process = subprocess.Popen(
        [*RECONCILER, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=surroundings(variables),
    )
    os.close(theirs)
    seen = bytearray()
    with suppress(OSError), open(ours, "rb", buffering=0) as terminal:  # Linux ends a terminal with EIO
        while chunk := terminal.read(65536):
            seen += chunk
    return process.wait(timeout=PATIENCE), seen.decode().replace("\r\n", "\n")
