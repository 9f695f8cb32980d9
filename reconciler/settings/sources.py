"""The places that a token can come from: a variable, a file, a command, Vault. Keeps no copy of it."""

import os
import shlex
import stat
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from reconciler.errors import SettingsError
from reconciler.settings.token import LONGEST, Token, checked

FILE, COMMAND, VAULT = "_FILE", "_COMMAND", "_VAULT"
SUFFIXES = ("", FILE, COMMAND, VAULT)
"""What the name of a variable ends in that holds a secret, or says where it is."""

ROOT = 0
OF_OTHERS = 0o077
"""What the owner's group and everybody else may do with a file."""


def variables(name: str) -> tuple[str, ...]:
    """All variables that can tell the secret which is called by one name."""
    return tuple(name + suffix for suffix in SUFFIXES)


def token(
    name: str,
    environ: Mapping[str, str],
    authorities: str,
    patience: float,
    check: Callable[[str, str], Token] = checked,
) -> Token:
    """The secret that a variable of this name holds, or that one of `variables(name)` tells the place of.

    A command and Vault are given `patience` seconds; `authorities` are those of SSL_CERT_FILE. `check` is
    given the variable and the value. Raises SettingsError, which never holds the secret.
    """
    sources = [variable for variable in variables(name) if variable in environ]
    if not sources:
        raise SettingsError(
            f"{name} is not set",
            f"set {name}, {name}{FILE}, {name}{COMMAND} or {name}{VAULT} "
            "to the server's token, a file that holds it, a command that prints it, or its place in Vault",
        )
    if len(sources) > 1:
        raise SettingsError(f"{' and '.join(sources)} are set, which one holds?", "unset all but one of them")
    [source] = sources
    return check(source, _from(source, source.removeprefix(name), environ, authorities, patience))


def _from(source: str, suffix: str, environ: Mapping[str, str], authorities: str, patience: float) -> str:
    value = environ[source]
    match suffix:
        case "_FILE":
            return file(source, value).reveal()
        case "_COMMAND":
            return _from_command(source, value, environ, patience)
        case "_VAULT":
            return _from_vault(source, value, environ, authorities, patience)
        case _:
            return value


def file(source: str, path: str, what: str = "token file") -> Token:
    """What a file holds that nobody else may read: asked of the open file, so that it can't be swapped.

    `source` is the variable that names it. Raises SettingsError, which holds nothing of it.
    """
    try:
        with Path(path).open("rb") as opened:
            refuse_shared(source, path, os.fstat(opened.fileno()), what)
            content = opened.read(LONGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no path can look like that"
        raise SettingsError(
            f"the {what} that {source} names can't be read: {reason}", f"set {source} to a readable file"
        ) from None
    return Token(_without_newline(content))


def refuse_shared(source: str, path: str, status: os.stat_result, what: str = "token file") -> None:
    """Raise SettingsError unless the file is ours (or root's) and ours alone.

    A pipe is as good as a file: `<(command)` of a shell is one, and is private like any pipe.
    """
    mode = stat.S_IMODE(status.st_mode)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
        raise SettingsError(
            f"{path}, which {source} names, is neither a file nor a pipe",
            f"set {source} to a file that holds the {what.removesuffix(' file')} and nothing else",
        )
    if status.st_uid not in (os.geteuid(), ROOT):
        raise SettingsError(
            f"the {what} {path} belongs to another user (uid {status.st_uid})",
            f"they can change and read it: chown {os.geteuid()} {shlex.quote(path)}, "
            f"and issue a new {what.removesuffix(' file')}",
        )
    if mode & OF_OTHERS:
        raise SettingsError(
            f"the {what} {path} is open to other users (mode {mode:04o})",
            f"chmod 600 {shlex.quote(path)}" + _otherwise(source, path),
        )


def _otherwise(source: str, path: str) -> str:
    """What to do with a file whose mode can't be changed, where a command may tell the same secret."""
    if not source.endswith(FILE):
        return ""
    return (
        "; where a platform hands out files that way and nobody else is "
        f"there, set {source.removesuffix(FILE)}{COMMAND} to 'cat {shlex.quote(path)}' instead"
    )


def _from_command(source: str, line: str, environ: Mapping[str, str], patience: float) -> str:
    """Run a token command without a shell. Neither its arguments nor its errors are repeated anywhere."""
    hint = f"run the command of {source} by hand: it must print the token and nothing else"
    try:
        words = shlex.split(line)
    except ValueError:
        raise SettingsError(f"{source} has a quote that is never closed", hint) from None
    if not words:
        raise SettingsError(f"{source} is empty", hint)
    try:
        done = subprocess.run(
            words,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SettingsError(f"the command of {source} took over {patience:g} s", hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it holds a character that no command can have"
        raise SettingsError(f"the command of {source} can't be run: {reason}", hint) from None
    if done.returncode != 0:
        raise SettingsError(f"the command of {source} failed with exit status {done.returncode}", hint)
    return _without_newline(done.stdout)


def _from_vault(
    source: str, place: str, environ: Mapping[str, str], authorities: str, patience: float
) -> str:
    try:
        from reconciler.settings import vault
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise SettingsError(
            f"{source} can't be read: the module {missing} is not installed",
            "pip install 'reconciler[vault]'",
        ) from error
    return vault.read(source, place, environ, authorities, patience)


def _without_newline(content: bytes) -> str:
    """The text without the newline that editors and `echo` leave at its end; only one, it is no trim."""
    text = content.decode("utf-8", errors="replace")
    return text.removesuffix("\n").removesuffix("\r")
