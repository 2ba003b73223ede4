"""A worker of a pool: serves all studies of a storage, or those that it is told.

Enters: a database, what may be used here of a study's data and files. Leaves: results, cohort by
cohort, of whichever study is first in the queue and has something to lease. A study that it cannot
serve is left to others and said once; one that fails does not harm the next. Refuses to know how a
cohort is trained.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection

from threadpoolctl import threadpool_limits

from lamsearch import logs
from lamsearch import storage as store
from lamsearch.errors import (
    FilesError,
    InputError,
    InterruptedWorkError,
    StorageAwayError,
    UnknownStudyError,
)
from lamsearch.storage import Claimable, Database, Outages, PlannedStudy, StudyQueue, Wait
from lamsearch.worker.context import Settings
from lamsearch.worker.idling import Idling
from lamsearch.worker.opened import Opened
from lamsearch.worker.renewer import Retry
from lamsearch.worker.study_worker import StudyWorker, owner_here
from lamsearch.worker.unable import Unable

_log = logging.getLogger(__name__)


class PoolWorker:
    """Works on whatever study comes next.

    Args:
        database: where the studies are planned.
        settings: how to work.
        stop: set by whoever wants the worker to leave gracefully.
        say: takes one line per event worth telling.
        warn: takes one line per event that somebody should see to, or wait for the end of.
        admit: returns a study with the places of its files and data that may be used here, or
            refuses it.
        names: the studies that it serves; all there are, and to come, unless given.
        leaves_idle: whether it leaves when no study is left that it could go on with.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        stop: threading.Event,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        admit: Callable[[PlannedStudy], PlannedStudy],
        names: Collection[str] | None = None,
        leaves_idle: bool = False,
    ) -> None:
        self._database, self._settings, self._stop, self._say = database, settings, stop, say
        self._admit, self._names, self._leaves_idle = admit, names, leaves_idle
        self._queue = StudyQueue(database, names)
        self._retried, self._outages = Retry(stop, warn), Outages(settings.lease_seconds)
        self._owner = owner_here()
        self._opened = Opened(self._open)
        self._unable = Unable(database, self._retried, warn)

    def run(self) -> None:
        """Work until there is a reason to leave.

        Raises:
            InterruptedWorkError: ``stop`` was set; what was leased is checkpointed and given back.
        """
        _log.info("worker %s waits for studies", self._owner)
        try:
            # A column of a product changes its last bits with the thread count: it is of the plan.
            with threadpool_limits(limits=1):
                self._serve()
        finally:
            self._queue.release()
            _log.info("worker %s leaves", self._owner)

    def _serve(self) -> None:
        idling, passed = Idling(self._stop), set[str]()
        while True:
            if self._stop.is_set():
                raise InterruptedWorkError("interrupted; start a worker again to go on")
            study = self._next(passed)
            if study is None:
                if self._may_leave():
                    return
                passed.clear()
                idling.wait(self._opened.workers)
            elif self._served(study):
                passed.clear()
                idling.reset()
            else:
                passed.add(study.name)  # others were quicker: the next one has its turn

    def _next(self, passed: Collection[str]) -> Claimable | None:
        """The study to take a cohort of, asked for until the database answers."""
        names, ids = self._unable.left_out()

        def look() -> Claimable | None:
            with self._outages.noticing():
                return self._queue.next([*passed, *names], ids)

        return self._retried(look)

    def _may_leave(self) -> bool:
        """Whether nothing is left to wait for, by what this worker was told."""
        if self._names is not None and self._retried(self._queue.all_over):
            return True
        if not self._leaves_idle:
            return False
        names, ids = self._unable.left_out(tried_again=False)
        return not self._retried(lambda: self._queue.has_active(names, ids))

    def _served(self, study: Claimable) -> bool:
        """Work on a cohort of a study; whether something has changed by that."""
        with logs.about(study=study.name):
            try:
                worker = self._opened.get(study)
                claim = worker.step()
                self._unable.remove(study)
                if claim is None:
                    self._opened.drop(study.name)
                    self._say_end(study.name)
            except UnknownStudyError:  # deleted meanwhile
                self._opened.drop(study.name)
                self._unable.forget(study)
                return True
            except StorageAwayError:  # for longer than a failover takes
                raise
            except (InputError, FilesError) as error:
                self._opened.drop(study.name)
                self._unable.add(study, str(error))
                return True
        return not isinstance(claim, Wait)

    def _open(self, name: str) -> StudyWorker:
        stored = self._admit(self._retried(lambda: store.load(self._database, name)))
        worker = StudyWorker(
            self._database, stored, self._settings, stop=self._stop, say=self._say,
            owner=self._owner, outages=self._outages, retried=self._retried,
        )  # fmt: skip
        threadpool_limits(limits=1)  # of libraries that came with its data and its trainer, too
        return worker

    def _say_end(self, name: str) -> None:
        failure = self._retried(lambda: store.load(self._database, name)).failure
        if failure is None:
            _log.info("the study is done")
        else:
            self._say(f"the study failed: {failure}")
