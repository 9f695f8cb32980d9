"""The files of a policy: what each holds, or why it cannot be read. Knows no YAML."""

import hashlib
import stat
from dataclasses import replace
from pathlib import Path

from reconciler.policy.marked import MarkedDocument, after, unread
from reconciler.problem import Location, Problem

LARGEST_FILE = 1024 * 1024
"""Bytes. A thousand bindings are about 100 kB."""


def read(path: Path, shown: str) -> MarkedDocument:
    """Read a file; `shown` is how messages call it. Whatever is wrong is in the result's problems."""
    try:
        content = _content(path, shown)
    except OSError as error:
        content = _unreadable(path, shown, error)
    return unread(content) if isinstance(content, Problem) else document(content, shown)


def document(content: bytes, shown: str) -> MarkedDocument:
    """Read what a file holds. Whatever is wrong is in the result's problems."""
    from reconciler.policy import reader  # loads PyYAML, which not every command needs

    try:
        return replace(reader.parse(content.decode(), shown), digest=hashlib.sha256(content).hexdigest())
    except UnicodeDecodeError as error:
        return unread(_undecodable(content, error.start, shown))


def _content(path: Path, shown: str) -> bytes | Problem:
    """The bytes of a regular file of bearable size. Looks before it opens: a pipe would never end.

    A file that grows meanwhile is refused, too: half a policy would take roles away.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        return Problem(Location(shown), "a folder stands where a file belongs", "rename the folder")
    if not stat.S_ISREG(status.st_mode):
        return Problem(Location(shown), "this is not a regular file", "write the policy to a plain file")
    if status.st_size > LARGEST_FILE:
        return too_large(status.st_size, shown)
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    return content if len(content) <= LARGEST_FILE else too_large(len(content), shown)


def too_large(size: int, shown: str) -> Problem:
    """The problem of a file that has more bytes than are read."""
    message = f"the file has {size:,} bytes, more than the {LARGEST_FILE:,} that a policy file may have"
    return Problem(Location(shown), message, "split it into several files")


def _unreadable(path: Path, shown: str, error: OSError) -> Problem:
    if isinstance(error, PermissionError):
        return Problem(Location(shown), "the file cannot be read: permission denied", "make it readable")
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        message = "the file is a link to something that does not exist"
        return Problem(Location(shown), message, "correct the link or delete it")
    reason = (error.strerror or "unknown reason").lower()
    return Problem(Location(shown), f"the file cannot be read: {reason}", "check the path and the disk")


def _undecodable(content: bytes, offset: int, shown: str) -> Problem:
    before = content[:offset].decode()
    encoding = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding"
    message = f"the file is not UTF-8: byte {content[offset]:#04x} at offset {offset} looks like {encoding}"
    return Problem(after(before, shown), message, "save the file as UTF-8")
