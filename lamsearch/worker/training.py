"""One leased cohort, from its newest checkpoint to its reported results.

Enters: a claim of a study, and what keeps its lease. Leaves: results in the storage, models and
checkpoints in files. Decides about pruning, saving and stopping in the middle; refuses to know how
a trainer trains, and which cohort is next.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from lamsearch.artifacts import digest_of
from lamsearch.errors import InterruptedWorkError, LeaseLostError, StudyHaltedError
from lamsearch.results import Model, Trained, TrialState
from lamsearch.search import halving
from lamsearch.storage import Claim, Heartbeat
from lamsearch.trainers import Guarded, Progress, TrainerFailedError
from lamsearch.worker.checkpoints import Checkpoints
from lamsearch.worker.context import Context
from lamsearch.worker.renewer import LeaseRenewer

_log = logging.getLogger(__name__)
_SHOWN_SECONDS = 0.1  # between two changes of what a sign of life tells: some updates take less
# Of the seconds between checkpoints: a cycle that ends sooner after the last one is not worth
# writing down, for that takes longer than to train it again.
_SOON = 1 / 60


class Training:
    """The training of one leased cohort.

    Args:
        context: the study with all that it is worked on with.
        claim: the lease on the cohort.
        renewer: what keeps that lease meanwhile.
    """

    def __init__(self, context: Context, claim: Claim, renewer: LeaseRenewer) -> None:
        self._context, self._claim, self._renewer = context, claim, renewer
        self._checkpoints = Checkpoints(context.files, context.stored, claim)
        self._planned = context.study.training_of(claim.stage).updates
        self._updates, self._total = 0, self._planned  # the trainer's own, whose unit is its own
        # those before the last, whose end is that of the training
        self._kept_cycles = context.study.snapshot_cycles[:-1] if claim.stage == "final" else ()

    def run(self) -> None:
        """Train the cohort and complete it.

        Raises:
            LeaseLostError: Another worker has it, or the study is halted.
            InterruptedWorkError: The worker is to leave; the cohort is checkpointed and given back.
        """
        begun, claim = time.monotonic(), self._claim
        try:
            outcomes = self._outcomes()
        except TrainerFailedError as error:  # it would raise again: its trials fail, without retry
            failed = Trained(state=TrialState.FAIL, reason=str(error), updates=self._updates)
            outcomes = (failed,) * len(claim.trials)
        seconds = time.monotonic() - begun
        self._complete(outcomes, seconds)
        self._checkpoints.drop()
        for trial, trained in zip(claim.trials, outcomes, strict=True):
            if trained.state is TrialState.FAIL:
                at = self._context.study.space.plain_words(trial.point)
                self._context.say(f"{claim.stage} {at} failed: {trained.reason}")
        _log.info("%s is complete after %.1f s", title(claim), seconds)

    def _complete(self, outcomes: tuple[Trained, ...], seconds: float) -> None:
        context, claim, heartbeat = self._context, self._claim, self._renewer.heartbeat
        self._say_all(
            context.retried(lambda: context.leases.complete(claim, outcomes, heartbeat, seconds))
        )

    def _outcomes(self) -> tuple[Trained, ...]:
        """Train a cohort, from its newest checkpoint on; the final's models are saved."""
        claim, renewer = self._claim, self._renewer
        trainer = self._trainer()
        if self._checkpoints.resume(trainer, self._context.say):
            renewer.heartbeat = replace(renewer.heartbeat, recovered=trainer.updates)
            self._context.say(f"{title(claim)} goes on at update {trainer.updates}")
        self._follow(trainer)
        outcomes = trainer.outcomes()
        self._updates = trainer.updates
        renewer.heartbeat = replace(renewer.heartbeat, updates=self._shown(trainer.updates))
        if claim.stage != "final":
            return outcomes
        snapshots = self._checkpoints.snapshots
        return tuple(
            one
            if model is None
            else replace(one, model_sha256=self._saved(model), snapshot_sha256=snapshots)
            for one, model in zip(outcomes, trainer.models(), strict=True)
        )

    def _follow(self, trainer: Guarded) -> None:
        """Train to the end, with checkpoints, heartbeats and reports; leave when asked to."""
        begun, first = time.monotonic(), trainer.updates
        saved, shown = begun, begun - _SHOWN_SECONDS
        for progress in trainer.run():
            self._check_lease(trainer, progress)
            now = time.monotonic()
            self._updates, self._total = progress.updates, progress.total
            if progress.cycle_end or now - shown >= _SHOWN_SECONDS:
                self._show(progress, first, now - begun)
                shown = now
            if progress.cycle_end:
                self._halve(trainer, progress)
            if self._context.stop.is_set():
                self._leave(trainer, progress)
            if progress.cycle_end and progress.scores is not None:
                _log.info("%s ends cycle %d", title(self._claim), progress.cycles)
            ends = self._worth_writing(progress, now - saved)
            if ends:
                self._report(progress)
            if ends or now - saved > self._context.settings.checkpoint_seconds:
                self._save(trainer, progress)
                saved = now

    def _show(self, progress: Progress, first: int, seconds: float) -> None:
        """Have the next sign of life tell how far it has come since update ``first``."""
        done = self._shown(progress.updates)
        rate = (done - self._shown(first)) / max(seconds, 1e-9)
        heartbeat = replace(self._renewer.heartbeat, updates=done, per_second=rate)
        self._renewer.heartbeat = _with_best(heartbeat, progress, self._claim)

    def _worth_writing(self, progress: Progress, seconds: float) -> bool:
        """Whether a cycle's end is reported and saved, so many seconds after the last one.

        The end of the last one comes with the results in a moment.
        """
        if not progress.cycle_end or progress.updates == progress.total:
            return False
        soon = seconds < _SOON * self._context.settings.checkpoint_seconds
        return not soon or progress.cycles in self._kept_cycles

    def _shown(self, updates: int) -> int:
        """A trainer's updates as a share of those that were planned, which progress is shown of."""
        return updates * self._planned // max(self._total, 1)

    def _check_lease(self, trainer: Guarded, progress: Progress) -> None:
        """Go no further with a cohort that is another's by now, or of a study that is halted."""
        renewer = self._renewer
        if renewer.halted is not None and renewer.halted.halted == "paused":
            self._give_back(trainer, progress)
            where = f"at update {trainer.updates} of {title(self._claim)}"
            raise StudyHaltedError(f"{renewer.halted}: saved {where}", halted="paused")
        if renewer.halted is not None:
            raise renewer.halted
        if renewer.loss is not None:
            raise LeaseLostError(str(renewer.loss).removeprefix("lease: "))
        if renewer.gone is not None:
            raise renewer.gone

    def _halve(self, trainer: Guarded, progress: Progress) -> None:
        """Let the worse models go, before anything is saved: a checkpoint holds who has left."""
        study = self._context.study
        if not study.halves(self._claim.stage):
            return
        if progress.scores is not None and progress.losses is not None:
            cycles = study.training_of(self._claim.stage).cycles
            trainer.drop(
                halving.reasons(
                    progress.scores, progress.losses, cycle=progress.cycles, cycles=cycles
                )
            )

    def _leave(self, trainer: Guarded, progress: Progress) -> None:
        self._give_back(trainer, progress)
        raise InterruptedWorkError(
            f"interrupted at update {trainer.updates} of {title(self._claim)}; run again to go on"
        )

    def _give_back(self, trainer: Guarded, progress: Progress) -> None:
        """Save where the training is, and let others go on from there at once."""
        self._save(trainer, progress)
        self._context.retried(lambda: self._context.leases.give_back(self._claim))

    def _save(self, trainer: Guarded, progress: Progress) -> None:
        """Save a checkpoint; at a cycle end whose models are kept those first.

        The checkpoint says that they are saved: who goes on from it does not pass there again.
        """
        if progress.cycle_end and progress.cycles in self._kept_cycles:
            for model in trainer.snapshot():
                if model is not None:
                    saved = self._saved(model, progress.cycles)
                    self._checkpoints.snapshots[progress.cycles] = saved
        self._checkpoints.save(trainer)

    def _report(self, progress: Progress) -> None:
        """Show a cycle's end to whoever watches; what an outage swallows comes with the results."""
        if progress.scores is None:
            return
        values = [float(value) for value in progress.scores]
        with self._context.retried.noticing():
            self._say_all(
                self._context.leases.report(
                    self._claim, progress.cycles, values, self._renewer.heartbeat
                )
            )

    def _say_all(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._context.say(line)

    def _trainer(self) -> Guarded:
        context, claim, test = self._context, self._claim, None
        if claim.stage == "final" and context.wants_test_curves:
            examples = context.open_test(claim)
            splits = context.data.split("final", claim.replicate)
            test = (splits.enter(examples.x), splits.enter_targets(examples.y))
        points = [trial.point for trial in claim.trials]
        return context.trainer(claim.stage, points, claim.replicate, test)

    def _saved(self, model: Model, cycle: int | None = None) -> str:
        """Save the model of a claim of the final, which has one; return its digest."""
        point, replicate = self._claim.trials[0].point, self._claim.replicate
        return digest_of(self._context.save_model(replicate, model, point, cycle))


def title(claim: Claim) -> str:
    """Return what a claim is on, as a sentence can hold it."""
    return "the test" if claim.tests else f"{claim.stage} cohort {claim.number}"


def _with_best(heartbeat: Heartbeat, progress: Progress, claim: Claim) -> Heartbeat:
    """A heartbeat with the best score at a cycle end, for in between scores do not compare."""
    scores = progress.scores
    if not progress.cycle_end or scores is None or not np.isfinite(scores).any():
        return heartbeat
    best = int(np.nanargmax(scores))
    return replace(heartbeat, best=float(scores[best]), best_at=claim.trials[best].point)
