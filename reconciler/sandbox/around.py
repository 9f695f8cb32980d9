"""Runs a command with the sandbox's address in its environment, and leaves nothing of it behind."""

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from reconciler.sandbox import signals

_CONNECTION = re.compile(r"(\w+_)?CIRCLECI_SCIM_(URL|TOKEN|TOKEN_FILE|TOKEN_COMMAND|TOKEN_VAULT)")


def environment(inherited: Mapping[str, str], url: str, token: str) -> dict[str, str]:
    """The command's environment: no way to another server is left in it.

    A variable with an organization's name in front would win over ours.
    """
    rest = {name: value for name, value in inherited.items() if not _CONNECTION.fullmatch(name)}
    return rest | {"CIRCLECI_SCIM_URL": url, "CIRCLECI_SCIM_TOKEN": token}


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command on our own streams and return its exit code; 128+n where signal n ended it.

    Signals that ask us to stop are passed on, and what the command started and did not end is
    ended after it. Raises OSError where it cannot be started.
    """
    # At a terminal the command shares our process group: the terminal sends Ctrl-C and Ctrl-Z to
    # both, and the command can read the keyboard. Elsewhere it has its own, to be ended whole.
    own_group = not _at_terminal()
    with signals.arriving((*signals.STOPPING, signal.SIGCHLD)) as arriving:
        child = subprocess.Popen(command, env=environment, process_group=0 if own_group else None)
        for number in arriving:
            if child.poll() is not None:
                break
            _pass_on(child, number, own_group)
    if own_group:
        _signal_group(child.pid, signal.SIGTERM)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _pass_on(child: subprocess.Popen[bytes], number: int, own_group: bool) -> None:
    if number == signal.SIGCHLD:
        return  # it was stopped or went on; that it ended is noticed by our caller
    if own_group:
        _signal_group(child.pid, number)
    elif number != signal.SIGINT:
        child.send_signal(number)


def _at_terminal() -> bool:
    """Whether what is typed at the terminal reaches us."""
    return os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()


def _signal_group(group: int, number: int) -> None:
    # Nobody left is ProcessLookupError on Linux; only zombies left is PermissionError on macOS.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
