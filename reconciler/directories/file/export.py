"""The file of an export in JSON, YAML or CSV, as plain data with places; not what the data mean.

The notations, told apart by the suffix, come out as one document (`schemas/directory.schema.json`). A
file that was cut short never looks whole: JSON closes its brackets, YAML ends with `...`, CSV counts rows.
"""

import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from reconciler import private
from reconciler.directories.file import csv_text, json_text
from reconciler.directories.file.csv_text import CUT
from reconciler.errors import ReadError, SettingsError
from reconciler.policy import reader, schema
from reconciler.policy.files import shown
from reconciler.policy.marked import MarkedDocument, unread
from reconciler.problem import Location, Problem

LARGEST = 64 * 1024 * 1024
"""Bytes. Ten thousand people in a thousand groups are about five million."""

WRITABLE_FOR_ALL = 0o002

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def read(path: Path) -> MarkedDocument:
    """The document of an export, of the form that its schema asks for.

    Raises SettingsError where the path can't be that of an export, ReadError where the file can't be read,
    is not whole or not of that form: with file and line, and how many problems there are.
    """
    name = shown(path)
    notation = _NOTATIONS.get(path.suffix.lower())
    if notation is None:
        raise SettingsError(
            f"{name} can't be an export of a directory: its name ends in none of {', '.join(_NOTATIONS)}",
            "the end of the name tells which of JSON, YAML and CSV it is",
        )
    document = notation(_text(path, name), name)
    refuse(document.problems)
    refuse(schema.check(document, "directory"))
    return document


def refuse(problems: Sequence[Problem]) -> None:
    """Raise ReadError with the first of these problems, if there is one."""
    if problems:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ReadError(
            f"the directory's export can't be used: {first.at}: {first.message}{more}", first.remedy
        )


def _text(path: Path, name: str) -> str:
    """The text of a regular file of bearable size in UTF-8, which not everybody may write to."""
    try:
        with private.opened(path) as file:
            _check(os.fstat(file.fileno()), name)
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no path can look like that"
        raise ReadError(
            f"the directory's export {name} can't be read: {(reason or 'unknown reason').lower()}",
            "DIRECTORY_FILE names it; has it been exported?",
        ) from error
    if len(content) > LARGEST:
        raise _too_large(name)
    return _decoded(content, name)


def _check(status: os.stat_result, name: str) -> None:
    if status.st_size > LARGEST:
        raise _too_large(name)
    if stat.S_IMODE(status.st_mode) & WRITABLE_FOR_ALL:
        raise ReadError(
            f"the directory's export {name} can be changed by every user of this machine",
            "who can change it decides who has access: chmod o-w",
        )


def _too_large(name: str) -> ReadError:
    return ReadError(
        f"the directory's export {name} has more than {LARGEST:,} bytes",
        "export only the groups that the policy names",
    )


def _decoded(content: bytes, name: str) -> str:
    """The text of these bytes. Raises ReadError for what no notation may hold."""
    problem = None
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        text = content[: error.start].decode()
        encoding = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding"
        message = f"the byte {content[error.start]:#04x} is not UTF-8 and looks like {encoding}"
        problem = Problem(_after(text, name), message, "export it as UTF-8")
    if text.startswith("\ufeff"):
        problem = Problem(Location(name, 1, 1), "a byte order mark stands here", "export it as UTF-8 without")
    elif found := _CONTROL.search(text):
        message = f"the control character U+{ord(found[0]):04X} stands here"
        problem = Problem(_after(text[: found.start()], name), message, "is this text? export it anew")
    refuse([problem] if problem else [])
    return text


def _after(before: str, name: str) -> Location:
    """The place that follows a text."""
    return Location(name, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _yaml(text: str, name: str) -> MarkedDocument:
    """Strict YAML, as policies are written in. It must say where it ends, for any line could be the last."""
    document = reader.parse(text, name)
    whole = text.rstrip()
    if document.problems or whole[whole.rfind("\n") + 1 :] == "...":
        return document
    message = "the file does not end with a line `...`, so nobody can tell whether it is all"
    return unread(Problem(replace(_after(whole, name), column=1), message, CUT))


_NOTATIONS: Mapping[str, Callable[[str, str], MarkedDocument]] = {
    ".json": json_text.parse,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".csv": csv_text.parse,
}
