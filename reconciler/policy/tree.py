"""Where policy files lie: on this disk, or wherever else something has folders and files. Knows no YAML."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reconciler.policy import content
from reconciler.policy.marked import MarkedDocument


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies in a folder: a link is one whatever it leads to, and no folder."""

    name: str
    is_link: bool = False
    is_folder: bool = False


class Tree(Protocol):
    """Folders and files by their paths, as a user would write them here."""

    def entries(self, folder: Path) -> Sequence[Entry]:
        """What lies directly in a folder. Raises OSError where that can't be told."""
        ...

    def is_folder(self, path: Path) -> bool:
        """Whether a folder is there, or a link to one."""
        ...

    def real(self, path: Path) -> Path | None:
        """The path with every link followed; None where that leads nowhere in the tree."""
        ...

    def read(self, path: Path, shown: str) -> MarkedDocument:
        """The file's document; `shown` is how messages call it. Whatever is wrong is in its problems."""
        ...


class Disk:
    """The files of this machine."""

    def entries(self, folder: Path) -> Sequence[Entry]:
        with os.scandir(folder) as found:
            return [Entry(one.name, one.is_symlink(), one.is_dir(follow_symlinks=False)) for one in found]

    def is_folder(self, path: Path) -> bool:
        return os.path.isdir(path)

    def real(self, path: Path) -> Path | None:
        return Path(os.path.realpath(path))

    def read(self, path: Path, shown: str) -> MarkedDocument:
        return content.read(path, shown)


DISK = Disk()
