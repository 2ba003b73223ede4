"""Locks on files where a system locks bytes of them, as Windows does."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lamsearch import file_locks
from lamsearch.file_locks import LockHeldError, lock, open_directory


class Msvcrt(SimpleNamespace):
    """Locks of Windows: a byte from where a file is at belongs to one open file."""

    LK_NBLCK = 2

    def locking(self, handle: int, mode: int, count: int) -> None:
        """Lock bytes, or fail at once where they are another's."""
        assert (mode, count) == (self.LK_NBLCK, 1)
        key = (os.fstat(handle).st_ino, os.lseek(handle, 0, os.SEEK_CUR))
        if self.held.setdefault(key, handle) != handle:
            raise PermissionError(self.code, "Permission denied")


@pytest.fixture(params=[errno.EACCES, errno.EDEADLK], ids=["refused", "deadlock"])
def windows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without fcntl, with msvcrt, whose refusals have either code."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", Msvcrt(held={}, code=request.param))


@pytest.mark.usefixtures("windows")
def test_the_same_byte_is_locked_wherever_a_file_is_at(tmp_path: Path) -> None:
    """One who appends to a file and one who reads it lock the same byte: the second is refused
    with one sentence after the time that it waits."""
    (tmp_path / "file").write_bytes(b"content")
    said: list[str] = []
    with (tmp_path / "file").open("ab") as first, (tmp_path / "file").open("rb+") as second:
        lock(first.fileno(), seconds=1, say=said.append)
        second.read()
        with pytest.raises(LockHeldError, match=r"another process.* within 0\.1 s"):
            lock(second.fileno(), seconds=0.1, say=said.append)
    assert said == ["waiting at most 0.1 s for another process, which holds the lock"]


@pytest.mark.usefixtures("windows")
def test_another_failure_is_no_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks is an error at once, not somebody who holds one."""
    monkeypatch.setattr(sys.modules["msvcrt"], "held", {}, raising=False)
    monkeypatch.setattr(sys.modules["msvcrt"], "code", errno.ENOLCK, raising=False)
    with (tmp_path / "a").open("wb") as first, (tmp_path / "a").open("rb") as second:
        lock(first.fileno(), seconds=1, say=print)
        with pytest.raises(OSError, match="Permission denied") as caught:
            lock(second.fileno(), seconds=1, say=print)
    assert not isinstance(caught.value, LockHeldError)


def test_a_directory_that_cannot_be_opened_has_a_file_for_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no directory can be opened, a hidden file in it is locked, the same for everybody."""
    handle = open_directory(tmp_path)
    assert os.path.samestat(os.fstat(handle), tmp_path.stat()) == hasattr(os, "O_DIRECTORY")
    os.close(handle)
    opened = os.open

    def files_only(path: Path, *rest: int) -> int:
        if path.is_dir():
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *rest)

    monkeypatch.setattr(file_locks.os, "open", files_only)
    handles = [open_directory(tmp_path) for _ in range(2)]
    assert os.path.samestat(*map(os.fstat, handles))
    for one in handles:
        os.close(one)
    assert [one.name for one in tmp_path.iterdir()] == [".lock"]
