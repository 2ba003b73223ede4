"""Local files by handles of directories, as Linux and macOS have them.

Enters: a directory, a path below it, bytes. Leaves: the bytes, or the system's error. Refuses to
leave the directory, whoever may write in it and whatever they put in the way: each step is opened
from the one before, so that no link that is laid meanwhile is followed either.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

assert sys.platform != "win32"  # noqa: S101 - for who checks types: it has none of these

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without waiting for whoever should write to a named pipe that was put there.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_below(base: Path, path: str, content: bytes) -> None:
    """Make a file below ``base`` appear whole, in directories that are made."""
    with _parent(base, path, make=True) as (directory, name):
        _write(directory, name, content)


def read_below(base: Path, path: str) -> bytes:
    """Return the content of a regular file below ``base``."""
    with _parent(base, path) as (directory, name):
        with _naming_links(directory, name):
            handle = os.open(name, _READ, dir_fd=directory)
        with open(handle, "rb") as file:  # noqa: PTH123 - what is opened is open already
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(errno.EINVAL, "it is not a regular file", path)
            return file.read()


def list_below(base: Path, path: str) -> list[str]:
    """Return the names in a directory below ``base``."""
    with _parent(base, f"{path}/*") as (directory, _):
        return os.listdir(directory)  # noqa: PTH208 - it is open, and may have no such name by now


def find_below(base: Path, path: str) -> list[str]:
    """Return all that is no directory below a directory, by its path below that; links as such.

    A link or a file in the directory's own place is the one thing there is, with an empty path.
    """
    with _parent(base, path) as (directory, name):
        if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            return [""]
        found = []
        for place, directories, files, handle in os.fwalk(name, dir_fd=directory):
            within = PurePosixPath(place).relative_to(name)
            links = [one for one in directories if _is_link(handle, one)]
            found += [str(within / one) for one in (*files, *links)]
        return found


def remove_empty_below(base: Path, path: str) -> None:
    """Remove a directory below ``base`` and those in it, as far as nothing is in them."""
    with _parent(base, path) as (directory, name):
        for place, _, _, _ in os.fwalk(name, topdown=False, dir_fd=directory):
            with suppress(OSError):  # somebody wrote in it, or removed it
                os.rmdir(place, dir_fd=directory)


def remove_below(base: Path, path: str) -> None:
    """Remove a file, a directory with all that is in it, or a link but not what it leads to."""
    with _parent(base, path) as (directory, name):
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            shutil.rmtree(name, dir_fd=directory)  # which follows no links
        else:
            os.unlink(name, dir_fd=directory)


@contextmanager
def _parent(base: Path, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Open the directory that a path below ``base`` is in; ``base`` itself may be a link."""
    *directories, name = PurePosixPath(path).parts
    if {"..", "/"} & {*directories, name}:
        raise OSError(errno.EINVAL, "it is not below the directory of files", path)
    if make:
        base.mkdir(parents=True, exist_ok=True)
    handle = os.open(base, _DIRECTORY)
    try:
        for part in directories:
            handle = _enter(handle, part, make=make)
        yield handle, name
    finally:
        os.close(handle)


def _is_link(directory: int, name: str) -> bool:
    with suppress(FileNotFoundError):
        return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    return False


def _enter(directory: int, name: str, *, make: bool) -> int:
    """Open a directory in a directory, and close that."""
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=directory)
    with _naming_links(directory, name):
        entered = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
    os.close(directory)
    return entered


@contextmanager
def _naming_links(directory: int, name: str) -> Iterator[None]:
    """Say what a system says in several ways: that a link is in the way."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                raise OSError(errno.ELOOP, "symbolic links are not followed", name) from None
        raise


def _write(directory: int, name: str, content: bytes) -> None:
    temporary = f".{name}.{uuid.uuid4().hex}"
    try:
        with open(os.open(temporary, _CREATE, 0o666, dir_fd=directory), "wb") as file:  # noqa: PTH123
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _rename(temporary, name, directory)
        os.fsync(directory)  # the new name itself survives a power cut
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)


def _rename(temporary: str, name: str, directory: int) -> None:
    os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
