"""The worker's loop, from a lease to its results. Enters: a planned study. Leaves: results.

Decides about pruning, saving and stopping; refuses to know how a trainer trains.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

from lamsearch import environment
from lamsearch import storage as store
from lamsearch.artifacts import Files, digest_of
from lamsearch.data import TrainingData
from lamsearch.errors import FilesError, InterruptedWorkError, LeaseLostError
from lamsearch.results import Model, Trained, TrialState
from lamsearch.search import halving
from lamsearch.space import SPACE
from lamsearch.storage import Claim, Database, Heartbeat, Leases, PlannedStudy, Wait
from lamsearch.trainers import Guarded, Progress, TrainerFailedError, check
from lamsearch.worker.checkpoints import Checkpoints
from lamsearch.worker.context import CURVES_TEST, Context, Settings, loaded
from lamsearch.worker.final_test import evaluate_final
from lamsearch.worker.renewer import LeaseRenewer, Retry

_IDLE_FIRST, _IDLE_GROWTH, _IDLE_LONGEST = 0.05, 1.5, 2.0


class Worker:
    """Works on one planned study until it is over.

    Args:
        database: where the study is planned.
        stored: the study.
        settings: how to work.
        stop: set by whoever wants the worker to leave gracefully.
        say: takes one line per event worth telling.
        data: the training pool, where the caller has it already.

    Raises:
        InputError: The data are others than were planned with, the files cannot be written, other
            versions than those of the workers before would compute here, or the study's trainer is
            not registered here.
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
    ) -> None:
        check(stored.study, f"study {stored.study.name}")
        self._study, self._settings, self._stop, self._say = stored.study, settings, stop, say
        data = data or loaded(stored, settings)
        self._files = Files(stored.files, stored.id)
        self._files.check()
        self._retried = Retry(stop, say)
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
        self._leases = Leases(
            database, stored.study.name, owner=owner, seconds=settings.lease_seconds,
            environment=None if stored.over else self._joined(database),
            metric=stored.study.metric, limits=stored.study.limits,
        )  # fmt: skip
        self._context = Context(
            stored=stored, settings=settings, data=data, files=self._files, leases=self._leases,
            retried=self._retried, stop=stop, say=say,
        )  # fmt: skip

    def run(self) -> None:
        """Work until the study is over.

        Raises:
            InterruptedWorkError: ``stop`` was set; what was held is checkpointed and given back.
        """
        # A column of a product changes its last bits with the thread count: it is part of the plan.
        with threadpool_limits(limits=1):
            idle = _IDLE_FIRST
            while True:
                if self._stop.is_set():
                    raise InterruptedWorkError("interrupted; run again to go on")
                claim = self._retried(self._leases.claim)
                if claim is None:
                    self._files.drop_all_checkpoints()  # of who died before removing them
                    return
                if isinstance(claim, Wait):
                    self._stop.wait(idle)
                    # never longer than half of what has been waited already
                    idle = min(_IDLE_GROWTH * idle, _IDLE_LONGEST)
                    continue
                idle = _IDLE_FIRST
                try:
                    self._work(claim)
                except LeaseLostError as lost:
                    self._say(f"{lost}; dropped")

    def _joined(self, database: Database) -> int:
        """Have recorded what computes here; refuse what could give other numbers."""
        found, mixed = environment.here(), self._settings.mixed_versions
        name = self._study.name
        return self._retried(lambda: store.join(database, name, found, mixed=mixed))

    def _work(self, claim: Claim) -> None:
        if claim.reclaimed:
            self._say(f"took over {_title(claim)} from a worker that went silent")
        self._say_all(claim.replanned)
        with LeaseRenewer(self._leases, claim, self._retried) as renewer:
            try:
                if claim.tests:
                    evaluate_final(self._context, claim, renewer)
                else:
                    self._train(claim, renewer)
            except FilesError:
                # a cohort that another has by now has had its files removed, which is no failure
                self._retried(lambda: self._leases.renew(claim, renewer.heartbeat))
                # here: others may have a directory that is not full
                self._retried(lambda: self._leases.give_back(claim))
                raise

    def _train(self, claim: Claim, renewer: LeaseRenewer) -> None:
        begun = time.monotonic()
        checkpoints = Checkpoints(self._files, self._context.stored, claim)
        try:
            outcomes = self._outcomes(claim, renewer, checkpoints)
        except TrainerFailedError as error:  # it would raise again: its trials fail, without retry
            failed = Trained(
                state=TrialState.FAIL, reason=str(error), updates=renewer.heartbeat.updates
            )
            outcomes = (failed,) * len(claim.trials)
        seconds, heartbeat = time.monotonic() - begun, renewer.heartbeat
        self._say_all(
            self._retried(lambda: self._leases.complete(claim, outcomes, heartbeat, seconds))
        )
        checkpoints.drop()
        for trial, trained in zip(claim.trials, outcomes, strict=True):
            if trained.state is TrialState.FAIL:
                at = f"{SPACE.dimensions[0].plain_label} {trial.point[0]:.4g}"
                self._say(f"{claim.stage} {at} failed: {trained.reason}")

    def _outcomes(
        self, claim: Claim, renewer: LeaseRenewer, checkpoints: Checkpoints
    ) -> tuple[Trained, ...]:
        """Train a cohort, from its newest checkpoint on; the final's models are saved."""
        trainer = self._trainer(claim)
        if checkpoints.resume(trainer, self._say):
            renewer.heartbeat = replace(renewer.heartbeat, recovered=trainer.updates)
            self._say(f"{_title(claim)} goes on at update {trainer.updates}")
        self._follow(claim, renewer, trainer, checkpoints)
        outcomes = trainer.outcomes()
        renewer.heartbeat = replace(renewer.heartbeat, updates=trainer.updates)
        if claim.stage != "final":
            return outcomes
        return tuple(
            one if model is None else replace(one, model_sha256=self._saved(claim, model))
            for one, model in zip(outcomes, trainer.models(), strict=True)
        )

    def _follow(
        self, claim: Claim, renewer: LeaseRenewer, trainer: Guarded, checkpoints: Checkpoints
    ) -> None:
        """Train to the end, with checkpoints, heartbeats and reports; leave when asked to."""
        begun, first = time.monotonic(), trainer.updates
        saved = begun
        for progress in trainer.run():
            if renewer.lost:
                raise LeaseLostError(f"{_title(claim)} was given to another worker")
            if renewer.gone is not None:
                raise renewer.gone
            now = time.monotonic()
            rate = (progress.updates - first) / max(now - begun, 1e-9)
            renewer.heartbeat = _heartbeat(progress, claim, rate, renewer.heartbeat)
            if progress.cycle_end:
                self._halve(claim, trainer, progress)
            if self._stop.is_set():
                self._leave(claim, trainer, checkpoints)
            if progress.cycle_end:
                self._report(claim, progress)
            ended = progress.updates == progress.total
            if (
                progress.cycle_end and not ended
            ) or now - saved > self._settings.checkpoint_seconds:
                checkpoints.save(trainer)
                saved = now

    def _halve(self, claim: Claim, trainer: Guarded, progress: Progress) -> None:
        """Let the worse models go, before anything is saved: a checkpoint holds who has left."""
        if not self._study.halves(claim.stage):
            return
        if progress.scores is not None and progress.losses is not None:
            cycles = self._study.training_of(claim.stage).cycles
            trainer.drop(
                halving.reasons(
                    progress.scores, progress.losses, cycle=progress.cycles, cycles=cycles
                )
            )

    def _leave(self, claim: Claim, trainer: Guarded, checkpoints: Checkpoints) -> None:
        checkpoints.save(trainer)
        self._retried(lambda: self._leases.give_back(claim))
        raise InterruptedWorkError(
            f"interrupted at update {trainer.updates} of {_title(claim)}; run again to go on"
        )

    def _report(self, claim: Claim, progress: Progress) -> None:
        """Show a cycle's end to whoever watches; what an outage swallows comes with the results."""
        if progress.scores is None:
            return
        values = [float(value) for value in progress.scores]
        with self._retried.noticing():
            self._say_all(self._leases.report(claim, progress.cycles, values))

    def _say_all(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._say(line)

    def _trainer(self, claim: Claim) -> Guarded:
        context, test = self._context, None
        if claim.stage == "final" and context.wants_test_curves:
            examples = context.open_test(claim, CURVES_TEST.format(context.metric.title))
            test = (context.data.split("final").enter(examples.x), examples.y)
        points = [trial.point for trial in claim.trials]
        return context.trainer(claim.stage, points, claim.replicate, test)

    def _saved(self, claim: Claim, model: Model) -> str:
        """Save the model of a claim of the final; return its digest."""
        point = claim.trials[0].point
        return digest_of(self._context.save_model(claim.replicate, model, point))


def _title(claim: Claim) -> str:
    return "the test" if claim.tests else f"{claim.stage} cohort {claim.number}"


def _heartbeat(progress: Progress, claim: Claim, rate: float, before: Heartbeat) -> Heartbeat:
    """Progress to show; the best is of cycle ends, for in between scores do not compare."""
    heartbeat = replace(before, updates=progress.updates, per_second=rate)
    scores = progress.scores
    if not progress.cycle_end or scores is None or not np.isfinite(scores).any():
        return heartbeat
    best = int(np.nanargmax(scores))
    return replace(heartbeat, best=float(scores[best]), best_at=claim.trials[best].point)
