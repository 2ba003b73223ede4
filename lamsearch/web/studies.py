"""What the pages and the API know of studies, and do to them: the verbs of the command line.

Enters: a name, or the text of a study file. Leaves: records, or the error that the verb would end
with. Refuses to know HTTP and who asks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lamsearch import planning, trainers
from lamsearch import storage as store
from lamsearch.artifacts import Files, ModelFile, files_of
from lamsearch.planning import Places
from lamsearch.results import QueuedStudy, StudyRecord
from lamsearch.storage import Database, Glance, PlannedStudy, Status
from lamsearch.study import parse_file

WHERE = "study"  # how a study file that came over HTTP is called in sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A study that was handed in: whether it was not there before, and what is hardly meant."""

    name: str
    is_new: bool
    warnings: tuple[str, ...]


class Studies:
    """The studies of a storage.

    Args:
        database: the storage.
        places: where data and files are.
    """

    def __init__(self, database: Database, places: Places) -> None:
        self.database = database
        self.places = places
        self._planning = threading.Lock()  # data sets are looked at one at a time

    def queue(self) -> tuple[QueuedStudy, ...]:
        """Return all studies, those that run first."""
        return store.read_queue(self.database)

    def glances(self, names: Iterable[str]) -> dict[str, Glance]:
        """Return scores and places of the studies of a page."""
        return store.read_glances(self.database, names)

    def status(self, name: str) -> Status:
        """Return a study at a glance.

        Raises:
            UnknownStudyError: There is none of that name.
        """
        return store.read_status(self.database, name)

    def record(self, name: str) -> StudyRecord:
        """Return all that is known of a study.

        Raises:
            UnknownStudyError: There is none of that name.
        """
        return store.read_study(self.database, name)

    def model(self, record: StudyRecord, file_name: str) -> bytes | None:
        """Return a model as it was evaluated, None where there is none of that file name."""
        wanted = model_files(record).get(file_name)
        if wanted is None:
            return None
        stored = self._located(store.load(self.database, record.name))
        files = Files(stored.files, stored.id)
        return files.read_model(wanted.replicate, wanted.sha256, wanted.cycle)

    def submit(self, content: bytes, priority: int) -> Submitted:
        """Plan a study and queue it, or find it there.

        Raises:
            InputError: The file, its data or its name cannot be used.
        """
        study = trainers.check(parse_file(content, where=WHERE), WHERE)
        planning.check_given(study, self.places.data_directory)
        warnings: list[str] = []
        settings = planning.Settings(
            data_directory=self.places.data_directory,
            cache_directory=self.places.cache_directory,
            origin=self.places.data_directory.absolute(),
            given=self.places.given,
            default=self.places.default,
        )
        with self._planning:
            found = planning.plan(
                study, settings, lambda: self.database, attempt=planning.once,
                warn=warnings.append, say=warnings.append, priority=priority,
            )  # fmt: skip
        return Submitted(name=study.name, is_new=found.is_new, warnings=tuple(warnings))

    def act(self, verb: Callable[[Database, str], None], name: str) -> Status:
        """Do to a study what a verb does, and return it as it is then."""
        verb(self.database, name)
        return self.status(name)

    def remove(self, name: str) -> None:
        """Remove a study with all its results.

        Raises:
            StudyStateError: There is none of that name, or it is being worked on.
        """
        found = planning.check_removable(self.database, name, self._located, attempt=planning.once)
        planning.remove(self.database, found, attempt=planning.once)

    def _located(self, stored: PlannedStudy) -> PlannedStudy:
        return planning.present_or_beside(self.database, stored, None, self.places.given)


def model_files(record: StudyRecord) -> dict[str, ModelFile]:
    """Return the models of a study that is over that can be had, by file name."""
    final = record.stages.get("final") if record.done else None
    return {} if final is None else files_of(final.trials)
