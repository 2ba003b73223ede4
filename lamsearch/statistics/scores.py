"""Candidates' scores as figures and tables show them. Enters: a record. Leaves: means and errors.

Refuses to rank for selection: nothing is decided here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby

from lamsearch.results import StageName, StageRecord, StudyRecord, TrialRecord, TrialState
from lamsearch.statistics.accuracy import standard_error
from lamsearch.study import CIFAR10_BATCH, resolved


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateScore:
    """One candidate's mean validation accuracy (a fraction) over its complete replicates.

    ``se`` is its `standard_error`, None where it is not known. ``mean`` is None as long as no
    replicate is complete. ``trials`` are all of the candidate's, complete or not.
    """

    candidate: int
    log10_lambda: float | None
    mean: float | None
    se: float | None
    n: int
    trials: tuple[TrialRecord, ...]

    @property
    def complete(self) -> tuple[TrialRecord, ...]:
        """The trials that count: complete, with a finite validation accuracy."""
        return tuple(trial for trial in self.trials if _accuracy(trial) is not None)

    @property
    def lost(self) -> bool:
        """Whether a replicate failed or was pruned."""
        return any(trial.state in (TrialState.FAIL, TrialState.PRUNED) for trial in self.trials)


def candidate_scores(record: StudyRecord, name: StageName) -> list[CandidateScore]:
    """Return the scores of all candidates of stage ``name``, best first, those without one last.

    A candidate that lost a replicate stands behind those that did not: it cannot be chosen.
    A stage that the record does not have yields an empty list.
    """
    stage = record.stages.get(name)
    if stage is None:
        return []
    images = validation_images(record, name)
    scores = [_score(candidate, trials, images) for candidate, trials in _by_candidate(stage)]
    return sorted(scores, key=_best_first)


def validation_images(record: StudyRecord, name: StageName) -> int | None:
    """Return how many examples the stage validates with, None where the settings do not say.

    [final] may have a split of its own; whole CIFAR-10 batches hold 10,000 images each.
    """
    settings = resolved(record.settings, name)
    batches, size = settings["validation_batches"], settings["validation"]
    if isinstance(batches, (list, tuple)):
        return CIFAR10_BATCH * len(batches) or None
    return size if isinstance(size, int) and size > 0 else None


def cycle_length(record: StudyRecord, name: StageName) -> int | None:
    """Return the updates of one learning-rate cycle (2·n_s) in the stage, None if not known."""
    step_size = resolved(record.settings, name)["step_size"]
    return 2 * step_size if isinstance(step_size, int) and step_size > 0 else None


def _by_candidate(stage: StageRecord) -> list[tuple[int, tuple[TrialRecord, ...]]]:
    trials = sorted(stage.trials, key=lambda trial: (trial.candidate, trial.replicate))
    return [(key, tuple(group)) for key, group in groupby(trials, key=lambda t: t.candidate)]


def _score(candidate: int, trials: tuple[TrialRecord, ...], images: int | None) -> CandidateScore:
    found = [value for trial in trials if (value := _accuracy(trial)) is not None]
    return CandidateScore(
        candidate=candidate,
        log10_lambda=next((t.log10_lambda for t in trials if t.log10_lambda is not None), None),
        mean=math.fsum(found) / len(found) if found else None,
        se=standard_error(found, images) if found else None,
        n=len(found),
        trials=trials,
    )


def _accuracy(trial: TrialRecord) -> float | None:
    value = trial.validation_accuracy
    if trial.state is not TrialState.COMPLETE or value is None or not math.isfinite(value):
        return None
    return float(value)


def _best_first(score: CandidateScore) -> tuple[bool, bool, float, float, int]:
    """Order as the selection ranks: a candidate that lost a replicate comes behind those whole."""
    losses = [trial.validation_loss or 0.0 for trial in score.complete]
    mean = 0.0 if score.mean is None else score.mean
    return score.mean is None, score.lost, -mean, math.fsum(losses), score.candidate
