"""Which file of examples a worker may open: what it was given, not what a database says.

Enters: a study as it is stored, and the places that this process was given. Leaves: the same study,
or a refusal. Whoever can write to the database chooses the recorded place and the name of the file;
both are followed only within those places, or beside the SQLite file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lamsearch import data as datasets
from lamsearch.errors import DataError
from lamsearch.locations import is_within
from lamsearch.redaction import shown
from lamsearch.storage import Database, PlannedStudy
from lamsearch.study import Study


def given_by(study: Study, study_file: Path) -> Path:
    """Return the directory that a user's own study file gives to the workers of its run."""
    path = study.data.file
    absolute = path is not None and Path(path).is_absolute()
    return (Path(path or "") if absolute else study_file.resolve()).parent


def permitted(
    database: Database, stored: PlannedStudy, directory: Path, given: Path | None
) -> PlannedStudy:
    """Return a study whose examples are in a place that may be read.

    Args:
        database: where it is stored; what is beside an SQLite file may be read.
        stored: the study.
        directory: the data directory of this process.
        given: the directory that its run was given with the study file, if it is of a run.

    Raises:
        DataError: They are not there, or elsewhere.
    """
    if stored.study.data.file is None:
        return stored
    roots = [root for root in (directory, given) if root is not None]
    if database.file is not None:
        roots.append(database.file.absolute().parent)
    origin = stored.origin if given is None else str(given)
    named = datasets.existing(stored.study.data.file, directory, Path(origin))
    if named is not None:  # a directory elsewhere is not even listed
        _check_below(stored.study.name, named, roots)
    for file in datasets.located(stored.study, directory, origin=Path(origin)):
        _check_below(stored.study.name, file, roots)
    return replace(stored, origin=origin)


def _check_below(study: str, path: Path, roots: Sequence[Path]) -> None:
    if not any(_is_below(path, root) for root in roots):
        raise DataError(
            f"data: {study!r} was created with {shown(str(path))!r}, which is not read unless its "
            "directory is given: pass --data-dir or set LAMSEARCH_DATA"
        )


def _is_below(path: Path, root: Path) -> bool:
    """Whether a path is below another; links that lie there lead where their owner wants."""
    if ".." in path.parts:
        return is_within(str(path), str(root))
    return path.absolute().is_relative_to(root.absolute()) or is_within(str(path), str(root))
