"""Planning a study: its data are looked at, its files tried, and then it is written.

Enters: a checked study and where it, its data and its files are. Leaves: the study as it is stored,
or a refusal before anything is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lamsearch import data as datasets
from lamsearch import environment
from lamsearch import storage as store
from lamsearch.artifacts import Files
from lamsearch.data import TrainingData
from lamsearch.errors import DataError, InputError
from lamsearch.planning.attempts import Attempt
from lamsearch.planning.cohorts import with_cohort_for
from lamsearch.planning.location import present
from lamsearch.planning.memory import lacking
from lamsearch.redaction import shown
from lamsearch.storage import Database, PlannedStudy
from lamsearch.study import Study, cautions, with_cohort


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where data and files are.

    ``given`` is where files were asked to live, None where nobody asked, and ``default`` where they
    live then.
    """

    data_directory: Path
    cache_directory: Path
    given: str | None
    default: str

    @property
    def files(self) -> str:
        """Where files live."""
        return self.given or self.default


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Places):
    """Where a study is planned; its file's relative paths start from the directory ``origin``."""

    origin: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A study as it is stored, and whether it was not stored before."""

    database: Database
    stored: PlannedStudy
    is_new: bool


def plan(
    study: Study,
    settings: Settings,
    open_database: Callable[[], Database],
    *,
    attempt: Attempt,
    warn: Callable[[str], None],
    say: Callable[[str], None],
    priority: int = 0,
) -> Planned:
    """Check the study's data, then plan it or find it planned; bad input changes nothing.

    Shares of the examples are numbers in the study that is stored, and so is a cohort that is to
    suit this machine: where the study is planned already, the number that is stored.

    Raises:
        InputError: Its data or its files cannot be used, or its name is another study's.
    """
    _check_recordable(str(settings.origin), settings.files)
    chosen = study.cohort == "auto"
    found, study = _looked_at(study, settings, warn)
    Files(settings.files, "check").check()
    database = open_database()
    is_new = study.name not in attempt(lambda: store.names(database))
    if chosen and not is_new:  # perhaps by another machine
        name = study.name
        study = with_cohort(study, attempt(lambda: store.load(database, name)).study.cohort_size)
    stored = attempt(
        lambda: store.create(
            database,
            study,
            data_fingerprint=found.fingerprint,
            validation_images={stage: study.validation_images(stage) for stage in study.stages},
            classes=found.classes,
            origin=str(settings.origin),
            files=settings.files,
            facts=found.seen,
            environment=environment.here(),
            priority=priority,
        )
    )
    if is_new and found.seen is not None:
        for line in found.seen.warnings:
            warn(line)
    stored = present(database, stored, settings.given, say=say)
    if is_new:  # later this tells that the directory is lamsearch's
        Files(stored.files, stored.id).mark()
    return Planned(database=database, stored=stored, is_new=is_new)


def check_given(study: Study, directory: Path) -> None:
    """Refuse a study of somebody elsewhere whose data are not in the directory given for data.

    Nothing outside it is looked at, so that nobody learns which files there are; links that lie in
    it lead where its owner wants.

    Raises:
        DataError: It names a path that leads out of that directory.
    """
    if study.data.file is None:
        return
    root, named = directory.absolute(), Path(study.data.file)
    if ".." in named.parts or not (root / named).is_relative_to(root):
        rule = "the file must lie in the server's data directory"
        raise DataError(f"data: {rule}, got {shown(study.data.file)!r}")


def _looked_at(
    study: Study, settings: Settings, warn: Callable[[str], None]
) -> tuple[TrainingData, Study]:
    """Load and look at a study's data; say what is hardly meant, or too large for this machine.

    Returns:
        The data, and the study in numbers.
    """
    found = datasets.load(
        study,
        settings.data_directory,
        origin=settings.origin,
        cache=settings.cache_directory,
        look=True,
    )
    study.check_features(found.features)
    known = with_cohort_for(found.study, found.features, len(found.classes))
    small = lacking(known, found.features, len(found.classes))
    for text in [*cautions(study), *small]:
        warn(text)
    return found, known


def _check_recordable(*texts: str) -> None:
    """Refuse paths that a database cannot hold: Python keeps bytes that are no UTF-8 apart."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InputError(f"a path that is recorded must be UTF-8, got {text!r}") from None
