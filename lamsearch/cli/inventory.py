"""Studies and files compared: which have none, which belong to none.

Enters: a database, places for files. Leaves: lines, one for each finding. Changes nothing, and
looks at nothing but the places that whoever runs lamsearch named, and those beside the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lamsearch import storage as store
from lamsearch.artifacts import is_marked, study_ids
from lamsearch.cli import options
from lamsearch.cli.locks import until_free
from lamsearch.errors import FilesError
from lamsearch.planning import place_of
from lamsearch.redaction import shown
from lamsearch.storage import Database, KeptStudy


def compare(database: Database, default: str, files: Sequence[str]) -> Iterator[str]:
    """Yield a line for each study without files, and for each study's files without the study.

    ``default`` is where files are kept beside this database, ``files`` what was given.

    Raises:
        InputError: A given URL means nothing here.
    """
    named = [options.files_given(one) for one in files] or [options.files_given(None)]
    given = [one for one in named if one is not None]
    kept = until_free(lambda: store.read_kept(database))
    places: dict[str, list[KeptStudy]] = {place: [] for place in (*given, default)}
    for study in kept:
        if study.files is None:
            yield f"study {study.name}: its row is damaged, its files are not looked for"
        elif (place := _place(database, study.id, study.files, given)) is None:
            yield (
                f"study {study.name}: its files are in {shown(study.files)}, which is not looked "
                "at unless it is given (--files)"
            )
        else:
            places.setdefault(place, []).append(study)
    known = {study.id for study in kept}
    for place, studies in places.items():
        yield from _compared(place, studies, known)


def _place(database: Database, study_id: str, recorded: str, given: Sequence[str]) -> str | None:
    """Where a study's files are, of the places that may be looked at."""
    found = (place_of(database, recorded, study_id, one) for one in (*given, None))
    return next((place for place in found if place is not None), None)


def _compared(place: str, studies: Sequence[KeptStudy], known: set[str]) -> Iterator[str]:
    """The lines on one place."""
    try:
        there = study_ids(place)
        strays = [one for one in sorted(there - known) if is_marked(place, one)]
    except FilesError as error:
        yield str(error)
        return
    for study in studies:
        if study.id not in there:
            yield f"study {study.name}: it has no files in {shown(place)}"
    for stray in strays:
        yield (
            f"files: {shown(place).rstrip('/')}/{stray} is of no study in this storage; "
            "it may be of another"
        )
