"""Candidates' scores as pictures and tables show them. Enters: a record. Leaves: means and errors.

Refuses to rank for selection: nothing is decided here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from lamsearch.results import StageName, StageRecord, StudyRecord, TrialRecord, TrialState
from lamsearch.study import CIFAR10_BATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateScore:
    """One candidate's mean validation accuracy (a fraction) over its complete replicates.

    ``se`` is the standard error sd/√n over replicates; for n = 1 it is the binomial
    √(p(1 − p)/images), None where the number of validation images is not known. ``mean`` is None
    as long as no replicate is complete. ``trials`` are all of the candidate's, complete or not.
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
    """Return how many images the stage validates with, None where the settings do not say.

    [final] may have a split of its own; whole CIFAR-10 batches hold 10,000 images each.
    """
    data = _table(record.settings, "data")
    batches = data.get("validation_batches")
    if isinstance(batches, (list, tuple)):
        return CIFAR10_BATCH * len(batches) or None
    size = data.get("validation")
    if name == "final":
        size = _table(record.settings, "final").get("validation", size)
    return size if isinstance(size, int) and size > 0 else None


def cycle_length(record: StudyRecord, name: StageName) -> int | None:
    """Return the updates of one learning-rate cycle (2·n_s) in the stage, None if not known."""
    default = _table(record.settings, "training").get("step_size")
    step_size = _table(record.settings, name).get("step_size", default)
    return 2 * step_size if isinstance(step_size, int) and step_size > 0 else None


def _by_candidate(stage: StageRecord) -> list[tuple[int, tuple[TrialRecord, ...]]]:
    trials = sorted(stage.trials, key=lambda trial: (trial.candidate, trial.replicate))
    return [(key, tuple(group)) for key, group in groupby(trials, key=lambda t: t.candidate)]


def _score(candidate: int, trials: tuple[TrialRecord, ...], images: int | None) -> CandidateScore:
    found = [value for trial in trials if (value := _accuracy(trial)) is not None]
    mean = math.fsum(found) / len(found) if found else None
    return CandidateScore(
        candidate=candidate,
        log10_lambda=next((t.log10_lambda for t in trials if t.log10_lambda is not None), None),
        mean=mean,
        se=None if mean is None else _standard_error(found, mean, images),
        n=len(found),
        trials=trials,
    )


def _standard_error(values: list[float], mean: float, images: int | None) -> float | None:
    n = len(values)
    if n > 1:
        return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n)
    return None if images is None else math.sqrt(max(mean * (1 - mean), 0.0) / images)


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


def _table(settings: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = settings.get(key)
    return value if isinstance(value, Mapping) else {}
