"""Where a study's files and data are now: recorded when it was planned, moved since, or elsewhere.

Enters: a study as it is stored, and the places that this process was given. Leaves: the same study
with places that may be used, or a refusal. What a database says is followed only within them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lamsearch.artifacts import DEFAULT_NAME, holds, locate
from lamsearch.errors import InputError
from lamsearch.locations import is_local, is_within, local_path
from lamsearch.redaction import shown
from lamsearch.storage import Database, PlannedStudy, parse_url, sqlite_file

FILES_VARIABLE = "LAMSEARCH_FILES"


def files_given(given: str | None) -> str | None:
    """Return where files were asked to live, absolute where it is a directory; None if nowhere."""
    url = given or os.environ.get(FILES_VARIABLE) or None
    if url is None or "://" in url or "::" in url:
        return url
    return str(Path(url).resolve())


def files_default(storage: str) -> str:
    """Return the directory beside the SQLite file, else in the working directory."""
    file = sqlite_file(parse_url(storage)) or Path("none")
    return str((file.parent / DEFAULT_NAME).resolve())


def present(
    database: Database,
    stored: PlannedStudy,
    given: str | None = None,
    *,
    say: Callable[[str], None] | None = None,
) -> PlannedStudy:
    """Return a study with the places where its files and its data are now.

    Both were recorded when it was planned; an SQLite file may have been moved with them since.
    Whoever can write to the database chooses what is recorded: it is followed only within the place
    that ``given`` names, or beside the database. ``say`` is told where files are left to
    another database.

    Raises:
        InputError: The study's files are not where they are said to be, or are recorded where
            nobody said.
    """
    place = place_of(database, stored.files, stored.id, given)
    if place is None and given is None:
        raise InputError(
            f"files: {stored.study.name!r} was created with {shown(stored.files)!r}, which is not "
            f"used unless it is given: pass --files or set {FILES_VARIABLE}"
        )
    if place is None:
        raise InputError(
            f"files: {stored.study.name!r} was created with {shown(stored.files)!r}, "
            f"got {shown(given or '')!r}"
        )
    left = given is None and place != stored.files
    if say is not None and left and holds(stored.files, stored.id) and not holds(place, stored.id):
        say(
            f"files: those in {shown(stored.files)} are left to the database that was beside them; "
            f"this one's are in {place} (--files {shown(stored.files)} takes those)"
        )
    return replace(stored, files=place, origin=_origin(database, stored))


def present_or_beside(
    database: Database,
    stored: PlannedStudy,
    given: str | None,
    named: str | None,
    *,
    say: Callable[[str], None] | None = None,
) -> PlannedStudy:
    """Do as `present` does; what the environment names is only used where the files are there.

    Raises:
        InputError: As `present`.
    """
    if (
        given is None
        and named is not None
        and _within(named, stored.files, stored.id, None) is not None
    ):
        given = named
    return present(database, stored, given, say=say)


def place_of(database: Database, recorded: str, study_id: str, given: str | None) -> str | None:
    """Return where a study's files are: in the given place, or beside the database; else None."""
    found = locate(recorded, study_id, database=database.file)
    return found if given is None else _within(given, recorded, study_id, found)


def _within(given: str, recorded: str, study_id: str, found: str | None) -> str | None:
    """Where a study's files are, if that is in the given place."""
    if given in (recorded, found):
        return given
    if is_within(recorded, given):
        if is_within(given, recorded):
            return given
        return str(local_path(recorded).resolve()) if is_local(recorded) else recorded
    return given if holds(given, study_id) else None


def _origin(database: Database, stored: PlannedStudy) -> str:
    """The directory of the study file, where that has moved with the database and its files."""
    recorded = Path(stored.files)
    try:
        stayed = Path(stored.origin).is_dir()
    except OSError:  # longer than any path
        stayed = True
    if database.file is None or recorded.name != DEFAULT_NAME or stayed:
        return stored.origin
    within = os.path.relpath(stored.origin, recorded.parent)
    return str((database.file.parent / within).resolve())
