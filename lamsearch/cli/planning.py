"""Planning a study: for run and submit alike.

Enters: a checked study and what the command line said. Leaves: the study as it is stored, warnings
on standard error, or a refusal before anything is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lamsearch import planning
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.cli.locks import until_free
from lamsearch.storage import Database, Mode, PlannedStudy
from lamsearch.study import Study


def planned(
    study: Study,
    study_file: Path,
    storage: str | None,
    data_dir: Path | None,
    files: str | None,
    *,
    priority: int = 0,
    before: Callable[[], None] = lambda: None,
) -> tuple[Database, PlannedStudy]:
    """Check the study's data, then plan it or find it planned; bad input changes nothing.

    ``before`` is called when the data are checked and no database is opened yet.
    """

    def opened() -> Database:
        before()
        return options.open_storage(storage, Mode.CREATE)

    settings = planning.Settings(
        data_directory=options.data_directory(data_dir),
        cache_directory=options.cache_directory(),
        origin=study_file.resolve().parent,
        given=options.files_given(files),
        default=options.files_default(options.storage_url(storage)),
    )
    found = planning.plan(
        study,
        settings,
        opened,
        attempt=until_free,
        warn=lambda line: echo(f"Warning: {line}", err=True),
        say=lambda line: echo(line, err=True),
        priority=priority,
    )
    return found.database, found.stored
