"""Files of ours: read only if they are files, written whole or not at all and for their owner alone.

Knows nothing of what is in them.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

NO_FILE = "it is no regular file"


def opened(path: Path) -> BinaryIO:
    """A file opened for reading, without waiting for anybody. Raises OSError, also for a pipe or a device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, NO_FILE)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def write(path: Path, text: str) -> None:
    """Put a file of mode 0600 with this text in the place of the one that is there. Raises OSError.

    A reader sees the old file or the new one, and after a crash there is one of the two. What is no file,
    such as a link or a device, is not replaced.
    """
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        raise OSError(errno.EINVAL, NO_FILE)
    import tempfile  # who only reads needs none

    file, name = tempfile.mkstemp(prefix=".", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    keep(path)


def keep(path: Path) -> None:
    """Make sure that a file which was just created is still in its folder after a power cut, if it can be."""
    with suppress(OSError):  # some file systems know no such thing, and some folders can't be read
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
