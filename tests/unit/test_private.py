"""Files of ours: who can read them, what is left of them when something goes wrong, what is no file."""

import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from full_disk import room

from reconciler import private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def anybody() -> Iterator[None]:
    """A umask that takes nothing away."""
    former = os.umask(0)
    yield
    os.umask(former)


@pytest.mark.usefixtures("anybody")
@pytest.mark.parametrize("former", [None, 0o644, 0o666, 0o400])
def test_a_file_is_for_its_owner_alone_whatever_was_there_before(former: int | None, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    if former is not None:
        path.write_text("a longer text that was there before", encoding="utf-8")
        path.chmod(former)
    private.write(path, "grüße\n")
    assert (mode(path), path.read_bytes()) == (0o600, "grüße\n".encode())
    assert os.listdir(tmp_path) == ["plan.json"]


@pytest.mark.parametrize("there", [True, False], ids=["over another", "new"])
def test_a_file_is_written_whole_or_not_at_all(there: bool, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    if there:
        path.write_text("old", encoding="utf-8")
    for size in range(100):
        with room(size), pytest.raises(OSError, match="File too large"):
            private.write(path, "n" * 100)
        assert os.listdir(tmp_path) == (["plan.json"] if there else [])
        assert not there or path.read_text(encoding="utf-8") == "old"
    with room(100):
        private.write(path, "n" * 100)
    assert path.read_text(encoding="utf-8") == "n" * 100


def a_link(path: Path) -> None:
    (path.parent / "elsewhere").write_text("kept", encoding="utf-8")
    path.symlink_to("elsewhere")


def a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(path))


NO_FILES = [
    pytest.param(Path.mkdir, id="folder"),
    pytest.param(os.mkfifo, id="pipe"),
    pytest.param(a_socket, id="socket"),
]


@pytest.mark.parametrize(
    "make", [*NO_FILES, pytest.param(a_link, id="link"), pytest.param(a_dangling_link, id="dangling link")]
)
def test_what_is_no_file_is_not_replaced(
    make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "out"
    make(path)
    before = sorted((name, os.lstat(tmp_path / name)[:2]) for name in os.listdir(tmp_path))
    with pytest.raises(OSError, match="no regular file"):
        private.write(path, "new")
    assert sorted((name, os.lstat(tmp_path / name)[:2]) for name in os.listdir(tmp_path)) == before
    assert not (tmp_path / "elsewhere").exists() or (tmp_path / "elsewhere").read_text() == "kept"


def test_a_device_is_not_replaced() -> None:
    with pytest.raises(OSError, match="no regular file"):
        private.write(Path(os.devnull), "new")
    assert stat.S_ISCHR(os.lstat(os.devnull).st_mode)


@pytest.mark.parametrize("make", NO_FILES)
def test_what_is_no_file_is_not_waited_for(
    make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "in")
    with pytest.raises(OSError, match=r"no regular file|No such device or address"):
        private.opened(tmp_path / "in")


def test_a_file_may_be_read_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text", encoding="utf-8")
    (tmp_path / "link").symlink_to("file")
    with private.opened(tmp_path / "link") as file:
        assert file.read() == b"text"
