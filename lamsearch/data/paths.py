"""Where the paths of a study file lead.

Enters: a path as it is written, the directory of data, that of the study file. Leaves: the file or
the directory that is there, or one sentence with all that was tried. Opens nothing; who may name
what is decided elsewhere, before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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


def existing(path: str, directory: Path, origin: Path | None) -> Path | None:
    """Return the first file or directory that is there where these look; None where none is."""
    return next((one for one in _tried(path, directory, origin) if _is(one, Path.exists)), None)


def first_with(names: Iterable[str], directories: Iterable[Path]) -> Path | None:
    """Return the first directory in which all files of these names are; None where none is.

    Raises:
        DataError: One may not be looked into.
    """
    wanted = tuple(names)
    for directory in directories:
        try:
            if all((directory / name).is_file() for name in wanted):
                return directory
        except OSError as error:
            raise DataError(f"{directory}: cannot be read: {error.strerror or error}") from error
    return None


def _first(
    path: str, directory: Path, origin: Path | None, there: Callable[[Path], bool], rule: str
) -> Path:
    tried = _tried(path, directory, origin)
    for one in tried:
        if _is(one, there):
            return one
    names = " nor ".join(str(one) for one in dict.fromkeys(tried))
    raise DataError(f"data: {rule}, but there is none at {names}")


def _tried(path: str, directory: Path, origin: Path | None) -> list[Path]:
    if Path(path).is_absolute():
        return [Path(path)]
    return [base / path for base in (directory, origin) if base is not None]


def _is(path: Path, what: Callable[[Path], bool]) -> bool:
    try:
        return what(path)
    except (OSError, ValueError):  # it may not be looked at, is too long, or has NUL in it
        return False
