"""How git is asked about a checkout that nobody vouches for: it reads, in bounded time, and runs nothing."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECONDS = 10.0

_SETTINGS = (
    "core.fsmonitor=false",  # a program that some commands ask what changed
    "safe.bareRepository=explicit",  # a folder of the checkout could pass for a repository with settings
    "blame.showRoot=false",  # what tells the first commit of all from the first of a shallow clone
)
_ENVIRONMENT = {
    "LC_ALL": "C",  # for words that are looked for in errors
    "GIT_TERMINAL_PROMPT": "0",
    # A clone without all objects would fetch them, by a program that its settings name; 2.44 and older
    # releases that were mended know the first, all know the second.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}


@dataclass(frozen=True, slots=True)
class Unanswered:
    """That git did not answer, and in words why; they may quote what is in the checkout."""

    words: str


def ask(folder: Path, *arguments: str, seconds: float = SECONDS, given: bytes = b"") -> bytes | Unanswered:
    """What a git command prints, given so many seconds. Takes no lock, runs no hook of the checkout.

    Nor is a program run that the checkout's settings name. That a command runs no filter, `textconv` or
    external diff is the caller's care. `given` is what the command reads from standard input.
    """
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    command = ["git", "--no-optional-locks", "--no-pager", *settings, "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            timeout=seconds,
            env={**os.environ, **_ENVIRONMENT},
        )
    except FileNotFoundError:
        return Unanswered("there is no git here")
    except subprocess.TimeoutExpired:
        return Unanswered(f"git took longer than {seconds:g} seconds")
    except (OSError, ValueError) as error:
        return Unanswered(f"git could not be run: {error}")
    return Unanswered(_complaint(done.stderr)) if done.returncode else done.stdout


def root(folder: Path) -> Path | None:
    """The top of the checkout that a folder lies in, every link followed; None where it is in none."""
    told = ask(folder, "rev-parse", "--show-toplevel")
    return None if isinstance(told, Unanswered) else Path(os.fsdecode(told.removesuffix(b"\n")))


def _complaint(said: bytes) -> str:
    """What git gives as its reason: the first line that says `fatal`, else the first of all."""
    lines = said.decode("utf-8", errors="replace").splitlines() or ["it does not say why"]
    fatal = [line for line in lines if line.startswith("fatal: ")]
    return f"git could not tell: {(fatal or lines)[0].removeprefix('fatal: ')}"
