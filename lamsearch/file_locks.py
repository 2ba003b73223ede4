"""Locks on files between processes: waited for with a word and an end.

Enters: an open file, how long to wait, and who is told of the wait. Leaves: the lock, which the
system frees when its process dies, or a refusal that names the holder. A process that was stopped
dies not: whoever waits for it without an end waits as long. Refuses to know what is guarded.

POSIX locks a file with `flock`, Windows its first byte with `msvcrt.locking`.
"""

from __future__ import annotations

import errno
import importlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

_LOCK = ".lock"
_POLL_SECONDS = 0.05
_QUIET_SECONDS = 2.0  # of a wait that nobody is told of


class LockHeldError(TimeoutError):
    """Another process held the lock as long as it was waited for; the text says which."""


def lock(handle: int, *, seconds: float, say: Callable[[str], None]) -> None:
    """Take the lock of an open file.

    Args:
        handle: the file; as long as it is open, the lock is held.
        seconds: how long another process is waited for.
        say: takes one line, where the wait is not a short one.

    Raises:
        LockHeldError: Another process held it all the time.
        OSError: This file system has no locks.
    """
    begun, said = time.monotonic(), False
    while not _try(handle):
        waited = time.monotonic() - begun
        if waited >= seconds:
            raise LockHeldError(f"{_holder(handle)} has not let it go within {seconds:g} s")
        if not said and waited >= min(_QUIET_SECONDS, seconds / 2):
            say(f"waiting at most {seconds:g} s for {_holder(handle)}")
            said = True
        time.sleep(_POLL_SECONDS)


def open_directory(path: Path) -> int:
    """Open what stands for a directory in `lock`; on Windows, which opens none, a file in it."""
    try:
        return os.open(path, os.O_RDONLY)
    except PermissionError:
        return os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)


def _try(handle: int) -> bool:
    if not _take(handle):
        return False
    with suppress(OSError, TypeError):  # for who waits: when it was taken; Windows asks for a path
        os.utime(handle)
    return True


def _take(handle: int) -> bool:
    try:
        fcntl: Any = importlib.import_module("fcntl")
    except ModuleNotFoundError:
        return _take_first_byte(handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _take_first_byte(handle: int) -> bool:
    """Lock as Windows does: a byte from where the file is at, which need not be there."""
    msvcrt: Any = importlib.import_module("msvcrt")
    os.lseek(handle, 0, os.SEEK_SET)
    try:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EDEADLK):
            return False
        raise
    return True


def _holder(handle: int) -> str:
    """Who holds a lock, and since when, as far as this system tells."""
    found = os.fstat(handle)
    pids = _pids(found.st_ino)
    if len(pids) != 1:
        return "another process, which holds the lock"
    state = " (it is stopped)" if _is_stopped(pids[0]) else ""
    since = datetime.fromtimestamp(found.st_mtime).astimezone().isoformat(timespec="seconds")
    return f"process {pids[0]}{state}, which has held the lock since {since}"


def _pids(inode: int) -> list[int]:
    """The processes that hold a lock of this kind on a file of that number."""
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):  # a system without it
        return []
    fields = [line.split() for line in lines]
    return [
        int(one[4])
        for one in fields
        if len(one) > 5 and one[1] == "FLOCK" and one[5].rpartition(":")[2] == str(inode)
    ]


def _is_stopped(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[:1] in (["T"], ["t"])
