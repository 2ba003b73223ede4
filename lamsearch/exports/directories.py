"""Directories that exports are written into. Enters: what a user gave. Leaves: the path, or why
it cannot be.

Refuses to change anything, and to follow a link to where a study's files would lie.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from lamsearch.errors import OutputError
from lamsearch.study import NAME_PATTERN


def writable(option: str, target: str) -> Path:
    """Return the directory that a target names, there or to be made.

    Raises:
        OutputError: It is no directory, or cannot be written.
    """
    path = Path(target)
    there = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    if not there.is_dir():
        raise OutputError(f"{option}: must be a directory, got {path}: {there} is none")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{option}: must be writable, got {path}: {there} is not")
    return path


def below(option: str, directory: Path, study: str) -> Path:
    """Return a study's own directory in another.

    Raises:
        OutputError: Its name is none of a study, or a link lies there.
    """
    if not re.fullmatch(NAME_PATTERN, study):
        raise OutputError(f"{option}: must be of a study, got the name {study!r}")
    path = directory / study
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise OutputError(f"{option}: {path} must be a directory, not a link or a file")
    return path
