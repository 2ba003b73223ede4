"""Where the paths of a study file lead.

Enters: a path as it is written, the directory of data, that of the study file. Leaves: the file or
the directory that is there, or one sentence with all that was tried. Opens nothing; who may name
what is refused elsewhere, before.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lamsearch.errors import DataError


def resolved(path: str, directory: Path, origin: Path | None, *, what: str) -> Path:
    """Return where a file is: as it is written, below ``directory``, beside the study file.

    Raises:
        DataError: There is no such file; the sentence names every path that was tried.
    """
    return _first(path, directory, origin, Path.is_file, f"{what} must be a file")


def resolved_directory(path: str, directory: Path, origin: Path | None, *, what: str) -> Path:
    """Return where a directory is, as `resolved` does.

    Raises:
        DataError: There is no such directory.
    """
    return _first(path, directory, origin, Path.is_dir, f"{what} must be in a directory")


def _first(
    path: str, directory: Path, origin: Path | None, there: Callable[[Path], bool], rule: str
) -> Path:
    tried = [base / path for base in (directory, origin) if base is not None]
    if Path(path).is_absolute():
        tried = [Path(path)]
    for one in tried:
        try:
            if there(one):
                return one
        except ValueError as error:  # a path with NUL
            raise DataError(f"data: {rule}, got {path!r}") from error
    names = " nor ".join(str(one) for one in dict.fromkeys(tried))
    raise DataError(f"data: {rule}, but there is none at {names}")
