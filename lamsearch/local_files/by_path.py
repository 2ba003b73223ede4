"""Local files by their paths, where a system has no handles of directories (Windows).

Enters: a directory, a path below it, bytes. Leaves: the bytes, or the system's error. Refuses to
leave the directory by a link, a junction or a name that means another place; whoever lays a link
between the look and the step is not kept from it, and to make one takes a privilege there.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath

_JUNCTION = 0xA0000003  # IO_REPARSE_TAG_MOUNT_POINT, of a directory that leads elsewhere
_RELEASE_SECONDS = 2.0  # for a reader to close what is to be replaced or removed
_POLL_SECONDS = 0.02
# What Windows takes for a drive, a stream of a file, a device, or a name without its end.
_OTHERS = re.compile(
    r".*[\\:\0].*|.*[. ]|(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?",
    re.IGNORECASE | re.DOTALL,
)


def write_below(base: Path, path: str, content: bytes) -> None:
    """Make a file below ``base`` appear whole, in directories that are made."""
    place = _located(base, path, make=True)
    temporary = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _once_released(lambda: temporary.replace(place))
    finally:
        temporary.unlink(missing_ok=True)


def read_below(base: Path, path: str) -> bytes:
    """Return the content of a regular file below ``base``."""
    place = _located(base, path)
    found = _not_a_link(place)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", path)
    with place.open("rb") as file:
        if not os.path.samestat(os.fstat(file.fileno()), found):
            raise OSError(errno.EAGAIN, "it was replaced while it was opened", path)
        return file.read()


def list_below(base: Path, path: str) -> list[str]:
    """Return the names in a directory below ``base``."""
    return [one.name for one in _located(base, f"{path}/_").parent.iterdir()]


def find_below(base: Path, path: str) -> list[str]:
    """Return all that is no directory below a directory, by its path below that; links as such.

    A link or a file in the directory's own place is the one thing there is, with an empty path.
    """
    top = _located(base, path)
    if not _is_directory(top):
        return [""]
    found = []
    for name, directories, files in os.walk(top):
        links = [one for one in directories if not _is_directory(Path(name, one))]
        directories[:] = [one for one in directories if one not in links]
        within = Path(name).relative_to(top)
        found += [(within / one).as_posix() for one in (*files, *links)]
    return found


def remove_empty_below(base: Path, path: str) -> None:
    """Remove a directory below ``base`` and those in it, as far as nothing is in them."""
    top = _located(base, path)
    if not _is_directory(top):
        return
    for name, _, _ in os.walk(top, topdown=False):
        if _is_directory(Path(name)):
            with suppress(OSError):  # somebody wrote in it, or removed it
                Path(name).rmdir()


def remove_below(base: Path, path: str) -> None:
    """Remove a file, a directory with all that is in it, or a link but not what it leads to."""
    place = _located(base, path)
    if _is_directory(place):
        shutil.rmtree(place)  # which follows no links
    else:
        _once_released(place.unlink)


def _located(base: Path, path: str, *, make: bool = False) -> Path:
    """Return where a path below ``base`` is, none of its directories a link."""
    parts = PurePosixPath(path).parts
    if not parts or {"..", "/"} & {*parts} or any(map(_OTHERS.fullmatch, parts)):
        raise OSError(errno.EINVAL, "it is not below the directory of files", path)
    if make:
        base.mkdir(parents=True, exist_ok=True)
    place = base
    for part in parts[:-1]:
        place /= part
        if make:
            place.mkdir(exist_ok=True)
        if not stat.S_ISDIR(_not_a_link(place).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
    return place / parts[-1]


def _is_directory(path: Path) -> bool:
    """Whether it is a directory itself; whoever is not there raises."""
    found = path.lstat()
    return stat.S_ISDIR(found.st_mode) and not _leads_elsewhere(found)


def _not_a_link(path: Path) -> os.stat_result:
    """Return what is at a path, if that is what lies there."""
    found = path.lstat()
    if _leads_elsewhere(found):
        raise OSError(errno.ELOOP, "symbolic links are not followed", path.name)
    return found


def _leads_elsewhere(found: os.stat_result) -> bool:
    return stat.S_ISLNK(found.st_mode) or getattr(found, "st_reparse_tag", 0) == _JUNCTION


def _once_released(step: Callable[[], object]) -> None:
    """Take a step that Windows refuses as long as somebody has the file open."""
    deadline = time.monotonic() + _RELEASE_SECONDS
    while True:
        try:
            step()
        except PermissionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)
        else:
            return
