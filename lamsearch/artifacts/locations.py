"""Where a study's files are now: beside its database, wherever both were moved.

Enters: what a database says of a place, and where that database is. Leaves: the place, or None
where only whoever runs lamsearch may name it. Refuses to believe a database that names
others' places.
"""

from __future__ import annotations

from pathlib import Path

from lamsearch.artifacts.files import Files
from lamsearch.errors import FilesError
from lamsearch.locations import is_local, local_path

DEFAULT_NAME = "lamsearch-files"  # beside an SQLite file, where nothing else is said


def locate(recorded: str, study_id: str, *, database: Path | None) -> str | None:
    """Return where the files of a study are beside its database; None where they are elsewhere.

    What a database says is believed only as far as it names a place that belongs to it: the
    default directory beside its SQLite file (for PostgreSQL, in the working directory), or another
    directory beside it that bears the study's id, wherever that file was moved or copied. Files
    that stayed behind may belong to the database that this one is a copy of.

    Args:
        recorded: where they were when the study was planned.
        study_id: the id drawn then.
        database: the SQLite file as it was opened; None on PostgreSQL.
    """
    if not is_local(recorded):
        return None
    try:
        return _beside(local_path(recorded), study_id, database)
    except (OSError, ValueError, RuntimeError):  # too long, not a path, links in a circle
        return None


def _beside(kept: Path, study_id: str, database: Path | None) -> str | None:
    default = kept.name == DEFAULT_NAME
    if database is None:
        here = Path(DEFAULT_NAME).resolve()
        return str(here) if kept == here else None
    if kept.name in ("", ".."):
        return None
    beside = (database.parent / kept.name).resolve()
    if (beside / study_id).is_dir():
        return str(beside)
    if not default:
        return None
    same = (kept.parent / database.name).exists() and database.samefile(kept.parent / database.name)
    return str(kept) if same and (kept / study_id).is_dir() else str(beside)


def holds(url: str, study_id: str) -> bool:
    """Whether files of a study are below a URL, as far as it can be read.

    Raises:
        InputError: The URL means nothing here.
    """
    try:
        return Files(url, study_id).exist
    except FilesError:
        return False
