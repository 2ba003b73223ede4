"""The worker's loop, from claim to tell."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from lamsearch import data as datasets
from lamsearch import environment
from lamsearch import storage as store
from lamsearch.artifacts import Files, digest_of, model_from
from lamsearch.data import LabelledImages, TrainingData
from lamsearch.errors import DataError, FilesError, InterruptedWorkError, LeaseLostError
from lamsearch.results import FloatArray, IntArray, Model, StageName, TrialState
from lamsearch.search import halving, training_seed
from lamsearch.storage import Claim, Database, Heartbeat, Leases, PlannedStudy, Wait
from lamsearch.trainer import Progress, Trainer
from lamsearch.worker import final
from lamsearch.worker.checkpoints import Checkpoints
from lamsearch.worker.renewer import LeaseRenewer, Retry

_IDLE_FIRST, _IDLE_GROWTH, _IDLE_LONGEST = 0.05, 1.5, 2.0
_SELECTED_TEST = "test accuracy of the selected λ"
_CURVES_TEST = "test curves and test accuracy of a study that selects nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a worker works; none of it changes results.

    ``mixed_versions`` admits what it computes with although numbers could differ by that.
    """

    data_directory: Path
    cache_directory: Path | None = None
    lease_seconds: float = 20.0
    checkpoint_seconds: float = 30.0
    mixed_versions: bool = False


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
        InputError: The data are others than were planned with, the files cannot be written, or
            other versions than those of the workers before would compute here.
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
        self._stored, self._study, self._settings = stored, stored.study, settings
        self._stop, self._say = stop, say
        self._data = data or self._load()
        self._files = Files(stored.files, stored.id)
        self._files.check()
        self._retried = Retry(stop, say)
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
        self._leases = Leases(
            database, stored.study.name, owner=owner, seconds=settings.lease_seconds,
            environment=None if stored.over else self._joined(database),
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
                    self._files.drop_all_checkpoints()  # of who died between a tell and its drop
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
                    self._test(claim, renewer)
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
        trainer = self._trainer(claim)
        checkpoints = Checkpoints(self._files, self._stored, claim)
        if checkpoints.resume(trainer, self._say):
            renewer.heartbeat = replace(renewer.heartbeat, recovered=trainer.updates)
            self._say(f"{_title(claim)} goes on at update {trainer.updates}")
        self._follow(claim, renewer, trainer, checkpoints)
        outcomes = trainer.outcomes()
        if claim.stage == "final":
            outcomes = tuple(
                one if model is None else replace(one, model_sha256=self._saved(claim, model))
                for one, model in zip(outcomes, trainer.models(), strict=True)
            )
        seconds = time.monotonic() - begun
        heartbeat = replace(renewer.heartbeat, updates=trainer.updates)
        self._say_all(
            self._retried(lambda: self._leases.complete(claim, outcomes, heartbeat, seconds))
        )
        checkpoints.drop()
        for held, trained in zip(claim.trials, outcomes, strict=True):
            if trained.state is TrialState.FAIL:
                self._say(f"{claim.stage} log10 λ {held.log10_lambda:.4g} failed: {trained.reason}")

    def _follow(
        self, claim: Claim, renewer: LeaseRenewer, trainer: Trainer, checkpoints: Checkpoints
    ) -> None:
        """Train to the end, with checkpoints, beats and reports; leave when told to."""
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

    def _halve(self, claim: Claim, trainer: Trainer, progress: Progress) -> None:
        """Let the worse nets go, before anything is saved: a checkpoint holds who has left."""
        if not self._study.halves(claim.stage):
            return
        if progress.accuracies is not None and progress.losses is not None:
            cycles = self._study.training_of(claim.stage).cycles
            trainer.drop(
                halving.reasons(
                    progress.accuracies, progress.losses, cycle=progress.cycles, cycles=cycles
                )
            )

    def _leave(self, claim: Claim, trainer: Trainer, checkpoints: Checkpoints) -> None:
        checkpoints.save(trainer)
        self._retried(lambda: self._leases.give_back(claim))
        raise InterruptedWorkError(
            f"interrupted at update {trainer.updates} of {_title(claim)}; run again to go on"
        )

    def _report(self, claim: Claim, progress: Progress) -> None:
        """Show a cycle's end to whoever watches; in an outage the tell makes up for it."""
        if progress.accuracies is None:
            return
        values = [float(value) for value in progress.accuracies]
        with self._retried.noticing():
            self._say_all(self._leases.report(claim, progress.cycles, values))

    def _say_all(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._say(line)

    def _test(self, claim: Claim, renewer: LeaseRenewer) -> None:
        """Open the test set, record first, and evaluate the final's models."""
        purpose = _CURVES_TEST if self._wants_test_curves("final") else _SELECTED_TEST
        images = self._open_test(claim, purpose)
        # a replicate that failed has no model, and would fail again
        recorded = self._retried(self._leases.trained)
        contents = {replicate: self._model(replicate, recorded[replicate])
                    for replicate in recorded}  # fmt: skip
        whole = {replicate: found for replicate, found in contents.items() if found is not None}
        if renewer.lost:
            raise LeaseLostError("the test was given to another worker")
        result = final.score([model_from(content) for content in whole.values()], images)
        digests = {replicate: digest_of(content) for replicate, content in whole.items()}
        self._retried(lambda: self._leases.complete_test(claim, result, digests))

    def _open_test(self, claim: Claim, purpose: str) -> LabelledImages:
        """Have the opening recorded, then read the test images: the one way to them."""
        opening = self._retried(lambda: self._leases.open_test(claim, purpose))
        return datasets.open_test(
            self._study, self._settings.data_directory, opening,
            fingerprint=self._stored.data_fingerprint, origin=Path(self._stored.origin),
        )  # fmt: skip

    def _model(self, replicate: int, sha256: str | None) -> bytes | None:
        """The model of a replicate; where its file is not to be had whole, the same one again."""
        content = self._files.read_model(replicate, sha256)
        if content is not None:
            return content
        chosen = self._retried(self._leases.chosen)
        self._say(
            f"model of replicate {replicate} is not in {self._files.shown}, or not as it was "
            "saved: training it again"
        )
        trainer = self._trainer_of("final", [chosen], replicate)
        for _ in trainer.run():
            if self._stop.is_set():
                raise InterruptedWorkError("interrupted before the test; run again to go on")
        model = trainer.models()[0]
        if model is None:
            return None
        return self._files.save_model(replicate, model, self._model_metadata(replicate, chosen))

    def _trainer(self, claim: Claim) -> Trainer:
        test = None
        if self._wants_test_curves(claim.stage):
            images = self._open_test(claim, _CURVES_TEST)
            test = (self._data.split("final").enter(images.x), images.y)
        values = [held.log10_lambda for held in claim.trials]
        return self._trainer_of(claim.stage, values, claim.replicate, test)

    def _trainer_of(
        self,
        stage: StageName,
        log10_lambdas: list[float],
        replicate: int,
        test: tuple[FloatArray, IntArray] | None = None,
    ) -> Trainer:
        return Trainer(
            self._data.split(stage),
            self._study.training_of(stage),
            log10_lambdas,
            hidden=self._study.network.hidden,
            classes=len(self._stored.classes),
            seed=training_seed(self._study, stage, replicate),
            test=test,
        )

    def _load(self) -> TrainingData:
        data = datasets.load(
            self._study, self._settings.data_directory,
            origin=Path(self._stored.origin), cache=self._settings.cache_directory,
        )  # fmt: skip
        if data.fingerprint != self._stored.data_fingerprint:
            raise DataError(
                f"data: {self._study.name!r} was planned with other data: fingerprint "
                f"{self._stored.data_fingerprint[:12]}…, got {data.fingerprint[:12]}…"
            )
        return data

    def _wants_test_curves(self, stage: StageName) -> bool:
        final_stage = self._study.final
        return stage == "final" and final_stage is not None and final_stage.test_curves

    def _saved(self, claim: Claim, model: Model) -> str:
        """Save the model of a claim of the final; return its digest."""
        metadata = self._model_metadata(claim.replicate, claim.trials[0].log10_lambda)
        return digest_of(self._files.save_model(claim.replicate, model, metadata))

    def _model_metadata(self, replicate: int, log10_lambda: float) -> dict[str, object]:
        return {
            "study": self._study.name,
            "lambda": 10.0**log10_lambda,
            "replicate": replicate,
            "classes": list(self._stored.classes),
            "study_fingerprint": self._study.fingerprint,
            "data_fingerprint": self._stored.data_fingerprint,
        }


def _title(claim: Claim) -> str:
    return "the test" if claim.tests else f"{claim.stage} cohort {claim.number}"


def _heartbeat(progress: Progress, claim: Claim, rate: float, before: Heartbeat) -> Heartbeat:
    """Progress to show; the best is of cycle ends, for in between accuracies do not compare."""
    heartbeat = replace(before, updates=progress.updates, per_second=rate)
    accuracies = progress.accuracies
    if not progress.cycle_end or accuracies is None or not np.isfinite(accuracies).any():
        return heartbeat
    best = int(np.nanargmax(accuracies))
    value = claim.trials[best].log10_lambda
    return replace(heartbeat, best=float(accuracies[best]), best_at=value)
