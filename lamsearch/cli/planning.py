"""Planning a study: for run and submit alike.

Enters: a checked study and where it, its data and its files are. Leaves: the study as it is stored,
or a refusal before anything is changed.
"""

from __future__ import annotations

from pathlib import Path

from lamsearch import data as datasets
from lamsearch import environment
from lamsearch import storage as store
from lamsearch.artifacts import Files
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.cli.locks import until_free
from lamsearch.cli.memory import lacking
from lamsearch.data import TrainingData
from lamsearch.errors import InputError
from lamsearch.storage import Database, Mode, PlannedStudy
from lamsearch.study import Study, cautions


def planned(
    study: Study,
    study_file: Path,
    storage: str | None,
    data_dir: Path | None,
    files: str | None,
    *,
    priority: int = 0,
) -> tuple[Database, PlannedStudy]:
    """Check the study's data, then plan it or find it planned; bad input changes nothing."""
    given = options.files_given(files)
    place = given or options.files_default(options.storage_url(storage))
    origin = study_file.resolve().parent
    _check_recordable(str(origin), place)
    found = _looked_at(study, data_dir, origin)
    Files(place, "check").check()
    database = options.open_storage(storage, Mode.CREATE)
    is_new = study.name not in until_free(lambda: store.names(database))
    stored = until_free(
        lambda: store.create(
            database,
            study,
            data_fingerprint=found.fingerprint,
            validation_images={stage: study.validation_images(stage) for stage in study.stages},
            classes=found.classes,
            origin=str(origin),
            files=place,
            facts=found.seen,
            environment=environment.here(),
            priority=priority,
        )
    )
    if is_new and found.seen is not None:
        for line in found.seen.warnings:
            echo(f"Warning: {line}", err=True)
    stored = options.present(database, stored, given)
    if is_new:  # later this tells that the directory is lamsearch's
        Files(stored.files, stored.id).mark()
    return database, stored


def _looked_at(study: Study, data_dir: Path | None, origin: Path) -> TrainingData:
    """Load and look at a study's data; say what is hardly meant, or too large for this machine."""
    found = datasets.load(
        study,
        options.data_directory(data_dir),
        origin=origin,
        cache=options.cache_directory(),
        look=True,
    )
    study.check_features(found.features)
    for text in [*cautions(study), *lacking(study, found.features, len(found.classes))]:
        echo(f"Warning: {text}", err=True)
    return found


def _check_recordable(*texts: str) -> None:
    """Refuse paths that a database cannot hold: Python keeps bytes that are no UTF-8 apart."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InputError(f"a path that is recorded must be UTF-8, got {text!r}") from None
