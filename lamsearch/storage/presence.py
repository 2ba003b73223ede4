"""Whether an SQLite file that is in use is still the one under its name.

Enters: a file that has just been opened. Leaves: what became of it, in words. SQLite itself goes on
writing into a file that was moved or deleted, and nobody would ever find what it wrote.
"""

from __future__ import annotations

import os
from pathlib import Path


def is_gone(file: Path) -> bool:
    """Whether a file has no name any more; where that cannot be seen, it is assumed to have one."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # a file system that is away is an outage, which SQLite will tell of
        return False
    return False


class OpenedFile:
    """An SQLite file as it was when it was opened: its device and inode."""

    def __init__(self, file: Path) -> None:
        self.path = file.absolute()
        found = self.path.stat()
        self._identity = (found.st_dev, found.st_ino)

    @property
    def in_place(self) -> bool:
        """Whether its name still leads to it; where that cannot be seen, it is assumed."""
        try:
            return self._is(self.path.stat())
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # a file system that is away is an outage, which SQLite will tell of
            return True

    @property
    def present_path(self) -> Path | None:
        """The path under which a moved file is now; None where it has none, or none is known."""
        try:
            for entry in Path("/proc/self/fd").iterdir():
                path = entry.readlink()
                if path.is_absolute() and path.exists() and self._is(path.stat()):
                    return path
        except OSError:  # a system without such links, or a file that was closed meanwhile
            return None
        return None

    def fate(self, *, whole: bool) -> str:
        """Say what became of the file, and where what was completed is to be found.

        Args:
            whole: whether all of its write-ahead log has been written into the file itself.
        """
        gone = "was replaced by another file" if self.path.exists() else "is no longer there"
        what = f"{self.path} {gone}: it was moved or deleted while it was in use"
        log = self.path.with_name(f"{self.path.name}-wal")
        now = self.present_path
        if now is not None and whole:
            return f"{what}; it is {now} now, which holds all that was completed: go on with that"
        where = "it" if now is None else f"{now}, where it is now,"
        if log.exists():
            return (
                f"{what}; what was completed last is in {log}: "
                f"bring {where} back beside that, and run again"
            )
        return f"{what}; run again with a copy, or from the start"

    def _is(self, found: os.stat_result) -> bool:
        return (found.st_dev, found.st_ino) == self._identity
