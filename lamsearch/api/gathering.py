"""All that a study's report is made of.

Enters: a database and a study's name. Leaves: its record, and its models as files' contents.
Refuses to know how lines are shown.
"""

from __future__ import annotations

from collections.abc import Callable

from lamsearch import planning
from lamsearch import storage as store
from lamsearch.artifacts import Files, files_of
from lamsearch.errors import InputError
from lamsearch.results import StudyRecord
from lamsearch.storage import Database


def gathered(
    database: Database, name: str, files: str | None, *, say: Callable[[str], None]
) -> tuple[StudyRecord, dict[str, bytes]]:
    """Return a study's record, and its models by file name.

    ``files`` is where they were asked to live, else where $LAMSEARCH_FILES says, if they are there.
    ``say`` takes a line on models that are not to be had.
    """
    record = store.read_study(database, name)
    return record, _models(database, record, files, say)


def _models(
    database: Database, record: StudyRecord, files: str | None, say: Callable[[str], None]
) -> dict[str, bytes]:
    """The final's models as far as they are in the study's files, by file name.

    Only complete replicates of a study that is over have one.
    """
    stored = store.load(database, record.name)
    final = record.stages.get("final") if stored.over else None
    saved = {} if final is None else files_of(final.trials)
    given = None if files is None else planning.files_given(files)
    try:
        stored = planning.present_or_beside(
            database, stored, given, planning.files_given(None), say=say
        )
    except InputError as error:
        if files is not None:
            raise
        if saved:
            say(f"report: the models are left out: {error}")
        return {}
    found = Files(stored.files, stored.id)
    models = {
        name: content
        for name, one in saved.items()
        if (content := found.read_model(one.replicate, one.sha256, one.cycle)) is not None
    }
    if lack := len(saved) - len(models):
        what = "1 model is" if lack == 1 else f"{lack} models are"
        say(f"report: {what} not in {found.shown}, or not as saved")
    return models
