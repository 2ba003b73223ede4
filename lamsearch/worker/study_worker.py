"""A worker of one study: claims a cohort, has it trained or tested, again.

Enters: a planned study, where it may be worked on. Leaves: results, cohort by cohort, or that there
is nothing to claim. Refuses to know other studies, and how a cohort is trained.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace

from threadpoolctl import threadpool_limits

from lamsearch import environment, logs
from lamsearch import storage as store
from lamsearch.artifacts import Files
from lamsearch.data import TrainingData
from lamsearch.errors import (
    DataError,
    FilesError,
    InterruptedWorkError,
    LeaseLostError,
    StudyHaltedError,
)
from lamsearch.statistics.loading import load as load_statistics
from lamsearch.storage import Claim, Database, Leases, Outages, PlannedStudy, Wait
from lamsearch.trainers import check, device_for
from lamsearch.worker.context import Context, Settings, loaded
from lamsearch.worker.final_test import evaluate_final
from lamsearch.worker.idling import Idling
from lamsearch.worker.renewer import LeaseRenewer, Retry
from lamsearch.worker.training import Training, title

_log = logging.getLogger(__name__)
_FEW = 8  # workers that may all load what one of them chooses with


def owner_here() -> str:
    """Return a name for a worker of this process that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"


class StudyWorker:
    """Works on one planned study.

    Args:
        database: where the study is planned.
        stored: the study.
        settings: how to work.
        stop: set by whoever wants the worker to leave gracefully.
        say: takes one line per event worth telling.
        data: the training pool, where the caller has it already.
        owner: the worker's name, where it has one already.
        outages: what the worker remembers of outages of the database, where it works on several.
        retried: what repeats calls of the database, likewise.

    Raises:
        InputError: The data are others than were planned with, the files cannot be written, other
            versions than those of the workers before would compute here, the study's trainer is not
            registered here, or cannot train on the device that is asked for.
    """

    def __init__(
        self,
        database: Database,
        stored: PlannedStudy,
        settings: Settings,
        *,
        stop: threading.Event,
        say: Callable[[str], None],
        data: TrainingData | None = None,
        owner: str | None = None,
        outages: Outages | None = None,
        retried: Retry | None = None,
    ) -> None:
        check(stored.study, f"study {stored.study.name}")
        self._study, self._settings, self._stop, self._say = stored.study, settings, stop, say
        self._changes = database.changes
        self._paused = self._prepared = False
        self._device = device_for(stored.study, settings.device)
        data = data or loaded(stored, settings)
        self._files = Files(stored.files, stored.id)
        self._files.check()
        self._retried = retried or Retry(stop, say)
        self._leases = Leases(
            database, stored.study.name, owner=owner or owner_here(),
            seconds=settings.lease_seconds, metric=stored.study.metric, outages=outages,
            limits=stored.study.limits, study_id=stored.id,
            environment=None if stored.over else self._joined(database),
        )  # fmt: skip
        self._context = Context(
            stored=stored, settings=settings, data=data, files=self._files, leases=self._leases,
            retried=self._retried, device=self._device, stop=stop, say=say,
        )  # fmt: skip

    @property
    def study_id(self) -> str:
        """The study's id."""
        return self._context.stored.id

    @property
    def workers(self) -> int:
        """How many work in its storage, as far as this one knows."""
        return self._leases.workers

    def run(self, *, leaves_idle: bool = False, once: bool = False) -> None:
        """Work until the study is over; with ``leaves_idle``, also no longer than until a pause.

        With ``once``, on one cohort, if there is one to claim.

        Raises:
            InterruptedWorkError: ``stop`` was set; what was leased is checkpointed and given back.
        """
        idling = Idling(self._stop, self._settings.longest_wait, self._changes)
        # A column of a product changes its last bits with the thread count: it is part of the plan.
        with threadpool_limits(limits=1):
            while (claim := self.step()) is not None:
                if once or (isinstance(claim, Wait) and claim.paused and leaves_idle):
                    return
                if not isinstance(claim, Wait):
                    idling.reset()
                else:
                    self._say_paused(claim.paused)
                    idling.wait(self.workers)

    def step(self) -> Claim | Wait | None:
        """Claim the next cohort and work on it; return what the claim came to.

        None says that the study is over. Whoever calls sees to it that BLAS has one thread.

        Raises:
            InterruptedWorkError: ``stop`` was set; what was leased is checkpointed and given back.
            FilesError: A file could not be written; what was leased is given back.
            DataError: The data are not what they were; what was leased is given back.
        """
        if self._stop.is_set():
            raise InterruptedWorkError("interrupted; run again to go on")
        claim = self._retried(self._leases.claim)
        if claim is None:
            self._files.drop_all_checkpoints()  # of who died before removing them
        if isinstance(claim, Claim):
            with logs.about(cohort=_number(claim)):
                self._work_or_drop(claim)
        elif claim is not None and not claim.paused:
            self._prepare()
        return claim

    def _prepare(self) -> None:
        """Load what a choice or the test may need, while there is nothing to do: the others wait
        for it.

        Beside the work, which may come at any moment. Where many work it is left to the one that
        chooses: each would take 140 MB for it.
        """
        if not self._prepared and self.workers <= _FEW:
            self._prepared = True
            wanted = {"modelled": self._study.modelled}
            threading.Thread(target=load_statistics, kwargs=wanted, name="load").start()

    def _say_paused(self, paused: bool) -> None:
        """Say once that the study is paused, which may last."""
        if paused and not self._paused:
            _log.info("the study is paused: waiting until it is resumed")
        self._paused = paused

    def _joined(self, database: Database) -> int:
        """Have recorded what computes here; refuse what could give other numbers."""
        found = replace(environment.here(), device=str(self._device))
        mixed = self._settings.mixed_versions
        name = self._study.name
        return self._retried(lambda: store.join(database, name, found, mixed=mixed))

    def _work_or_drop(self, claim: Claim) -> None:
        """Work on a claim as long as it is this worker's."""
        try:
            self._work(claim)
        except StudyHaltedError as halted:
            if halted.halted != "paused":
                self._files.drop_all_checkpoints()
            self._say(f"{halted}; {title(claim)} is left")
        except LeaseLostError as lost:
            self._say(f"{lost}; dropped")

    def _work(self, claim: Claim) -> None:
        if claim.reclaimed:
            self._say(f"took over {title(claim)} from a worker that went silent")
        for line in claim.replanned:
            self._say(line)
        _log.info("leased %s", title(claim))
        with LeaseRenewer(self._leases, claim, self._retried) as renewer:
            try:
                if claim.tests:
                    evaluate_final(self._context, claim, renewer)
                else:
                    Training(self._context, claim, renewer).run()
            except (FilesError, DataError):
                # a cohort that another has by now has had its files removed, which is no failure
                self._check_lease(claim, renewer)
                # here: others may have a directory that is not full
                self._retried(lambda: self._leases.give_back(claim))
                raise

    def _check_lease(self, claim: Claim, renewer: LeaseRenewer) -> None:
        """Find a claim still this worker's, be its study paused or not.

        Raises:
            LeaseLostError: It is not.
        """
        try:
            self._retried(lambda: self._leases.renew(claim, renewer.heartbeat))
        except StudyHaltedError as halted:
            if halted.halted != "paused":
                raise


def _number(claim: Claim) -> str:
    return "test" if claim.tests else f"{claim.stage}/{claim.number}"
