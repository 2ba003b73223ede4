"""A whole study from Python, by the service's own machinery.

Enters: a study file, a study or its tables; perhaps arrays. Leaves: its `Result`. Every law holds:
planning, leases, workers and the record of the test set's opening are those of the command line.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lamsearch import defaults, planning, trainers
from lamsearch import report as reporting
from lamsearch.api.examples import Examples, arrays_of, contents, saved, table
from lamsearch.api.gathering import gathered
from lamsearch.api.interrupts import stopping
from lamsearch.api.result import Result, result_of
from lamsearch.artifacts import Files
from lamsearch.errors import InputError, WorkFailedError
from lamsearch.pool import LocalPool
from lamsearch.results import StudyRecord, StudyState
from lamsearch.storage import Database, Mode, PlannedStudy, parse_url, sqlite_file
from lamsearch.study import Study, parse_study, read_study
from lamsearch.terminal import Screen
from lamsearch.worker import Settings, StudyWorker

StudyLike = Study | Mapping[str, Any] | str | Path
Say = Callable[[str], None]
_log = logging.getLogger(__name__)


def run(
    study: StudyLike,
    *,
    data: Examples | None = None,
    storage: str | None = None,
    data_dir: str | Path | None = None,
    files: str | None = None,
    workers: int = 1,
    output: str | Path | None = None,
    verbose: bool = False,
) -> Result:
    """Run a study to its end and return what came of it.

    Args:
        study: the path of a study file, a `Study`, or the tables of one as a dictionary.
        data: examples to use instead of the study's source: ``(X, y)``, ``(X, y, X_test, y_test)``,
            or a mapping of those names. Without a test set of its own, one is set aside. They are
            written as an .npz file into ``data_dir``, else beside an SQLite storage, else into
            the data directory in force.
        storage: the URL of the database that the study is kept in. Unless it is given, that is a
            private temporary file, and the environment's ``LAMSEARCH_STORAGE`` is not looked at:
            nothing is left behind. With it, a call that was interrupted goes on at the next one,
            workers elsewhere can help, and a study that is done is only read.
        data_dir: the directory of the data; else ``LAMSEARCH_DATA``, else the user's cache
            directory.
        files: where checkpoints and models are; else beside the storage.
        workers: how many train. One is this very process, several are processes of their own; the
            answer is the same.
        output: a directory for the report.
        verbose: tell on standard error what happens; otherwise nothing is printed.

    Raises:
        InputError: The study, its data or its places cannot be used; nothing was changed.
        WorkFailedError: The study failed, or was cancelled.
        KeyboardInterrupt: Ctrl-C; with ``storage`` the next call goes on.

    Example:
        >>> import lamsearch  # doctest: +SKIP
        >>> result = lamsearch.run("studies/digits.toml")
        >>> result.best_lambda
        >>> result.models.predict(images)
    """
    if not isinstance(workers, int) or workers < 1:
        raise InputError(f"workers: must be a whole number of at least 1, got {workers!r}")
    if output is not None:
        reporting.check_output(Path(output))
    say = _said if verbose else _logged
    with _storage(storage) as (url, scratch):
        checked, origin = _checked(study, data, _arrays_directory(url, data_dir))
        work = _Work(
            url=url, data_directory=defaults.data_directory(data_dir), origin=origin, files=files,
            scratch=scratch, say=say,
        )  # fmt: skip
        record, models = work.finished(checked, workers, verbose=verbose)
    result = result_of(record, models)
    if output is not None:
        result.report(output)
    if record.failure is not None:
        raise WorkFailedError(record.failure)
    if record.state is StudyState.CANCELLED:
        raise WorkFailedError(f"study: {record.name} was cancelled")
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """Where a study is worked on, and what is told of it."""

    url: str
    data_directory: Path
    origin: Path
    files: str | None
    scratch: Path | None  # of a private storage
    say: Say

    @property
    def cache(self) -> Path:
        """Where normalised data are shared."""
        return self.scratch or defaults.cache_directory()

    @property
    def given(self) -> str | None:
        """Where files were asked to live; a private one ignores the environment."""
        if self.scratch is not None and self.files is None:
            return None
        return planning.files_given(self.files)

    def finished(
        self, study: Study, workers: int, *, verbose: bool
    ) -> tuple[StudyRecord, dict[str, bytes]]:
        """Plan a study or find it planned, work until it is over; return its record and models."""
        database, stored = self._planned(study)
        try:
            with stopping() as stop:
                if not stored.over and workers == 1:
                    StudyWorker(database, stored, self._settings(), stop=stop, say=self.say).run()
                elif not stored.over:
                    self._pool(database, stored, workers, stop, verbose=verbose)
            return gathered(database, study.name, self.files, say=self.say)
        finally:
            database.close()

    def _planned(self, study: Study) -> tuple[Database, PlannedStudy]:
        settings = planning.Settings(
            data_directory=self.data_directory,
            cache_directory=self.cache,
            origin=self.origin,
            given=self.given,
            default=planning.files_default(self.url),
        )
        found = planning.plan(
            study, settings, lambda: Database(self.url, Mode.CREATE), attempt=planning.once,
            warn=lambda line: self.say(f"Warning: {line}"), say=self.say,
        )  # fmt: skip
        return found.database, replace(found.stored, origin=str(self.origin))

    def _settings(self) -> Settings:
        return Settings(
            data_directory=self.data_directory, cache_directory=self.cache,
            device=defaults.device(),
        )  # fmt: skip

    def _pool(
        self,
        database: Database,
        stored: PlannedStudy,
        workers: int,
        stop: threading.Event,
        *,
        verbose: bool,
    ) -> None:
        """Have worker processes of their own work on a study."""
        name = stored.study.name
        with Screen() if verbose else nullcontext() as screen:
            LocalPool(
                database, name, workers,
                command=[
                    sys.executable, "-P", "-m", "lamsearch", "worker", name, "--supervised",
                    "--data-dir", str(self.data_directory), "--data-origin", str(self.origin),
                ],
                environment={
                    defaults.STORAGE_VARIABLE: self.url,
                    defaults.CACHE_VARIABLE: str(self.cache),
                    planning.FILES_VARIABLE: stored.files,
                },
                say=self.say if screen is None else screen.say,
                show=(lambda _status: None) if screen is None else screen.show,
                files=Files(stored.files, stored.id),
            ).run(stop)  # fmt: skip


@contextmanager
def _storage(given: str | None) -> Iterator[tuple[str, Path | None]]:
    """The storage's URL, and a temporary directory that goes with it where none was given."""
    if given is not None:
        parse_url(given)
        yield given, None
        return
    with tempfile.TemporaryDirectory(prefix="lamsearch-", ignore_cleanup_errors=True) as name:
        yield f"sqlite:///{name}/lamsearch.db", Path(name)


def _arrays_directory(url: str, data_dir: str | Path | None) -> Path:
    """Where arrays are written so that workers find them, and may read them."""
    file = sqlite_file(parse_url(url))
    if data_dir is None and file is not None:
        return file.resolve().parent
    return defaults.data_directory(data_dir).resolve()


def _checked(study: StudyLike, data: Examples | None, directory: Path) -> tuple[Study, Path]:
    """The study, and the directory that its relative paths start from."""
    named = isinstance(study, (str, Path))
    where = str(study) if named else "study"
    if data is not None:
        return trainers.check(_with_arrays(study, data, directory), where), directory
    if isinstance(study, (str, Path)):
        return trainers.check(read_study(study), where), Path(study).resolve().parent
    found = study if isinstance(study, Study) else parse_study(study)
    return trainers.check(found, where), Path.cwd()


def _with_arrays(study: StudyLike, data: Examples, directory: Path) -> Study:
    """A study of a program's own arrays, which are written into a directory."""
    if isinstance(study, (str, Path)):
        study = read_study(study)
    document = study.canonical() if isinstance(study, Study) else dict(study)
    arrays = arrays_of(data)
    given = document.get("data")
    # every other issue of the tables first: the sizes are checked once the file is there
    found = parse_study(document | {"data": table(given, source="npz", path="arrays.npz")})
    fingerprint = contents(arrays, found.task).fingerprint()
    path = saved(arrays, directory, fingerprint)
    return parse_study(document | {"data": table(given, source="npz", path=path)})


def _said(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _logged(line: str) -> None:
    _log.info("%s", line)
