"""What became of a trial: its outcome, from what its model predicts for the validation examples.

Enters: a task, a model's predictions. Leaves: a score per example by the study's metric, the loss,
the record of an outcome. Refuses what are no predictions; knows no trainer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lamsearch.metrics import LOG_LOSS, Scores, score_error
from lamsearch.results import Trained, TrialState
from lamsearch.trainers.protocol import Task
from lamsearch.trainers.targets import TargetScale, scale_of

_SUM_TOLERANCE = 1e-3  # of the probabilities of an example


def completed(
    task: Task, predictions: npt.ArrayLike, *, cycle_scores: Sequence[float] | None = None
) -> Trained:
    """Return the outcome of a trial that was trained to its end.

    Args:
        task: the cohort's.
        predictions: class probabilities of the validation examples, in their order, shape (n, C);
            of a quantity standardised values, shape (n,).
        cycle_scores: the score at each cycle end that was reached, the last of them the one at the
            end; that one alone unless given.

    Raises:
        ValueError: They are no such predictions.
    """
    found = scored(task, predictions)
    return outcome(found, [found.score] if cycle_scores is None else cycle_scores)


class TooLargeError(ValueError):
    """The scores of a quantity have no room in float32: a model that has diverged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What a model's predictions for the validation examples come to.

    ``scores`` is the metric's number for each (n,), ``error`` the standard error of their mean,
    None where each is 0 or 1, and ``loss`` the mean loss.
    """

    scores: Scores
    error: float | None
    loss: float

    @property
    def score(self) -> float:
        """Their mean."""
        return float(self.scores.mean())


def scored(task: Task, predictions: npt.ArrayLike) -> Scored:
    """Score predictions by the study's metric.

    Raises:
        ValueError: They are none for these examples, or `TooLargeError`.
    """
    targets, scale = task.splits.validation_y, scale_of(task.splits, task.classes)
    if scale is not None:
        return _of_values(task, _values(predictions, len(targets)), scale)
    found = _probabilities(predictions, (len(targets), task.classes))
    scores = task.metric.per_example(found, targets)
    loss = -float(LOG_LOSS.per_example(found, targets).mean())
    error = score_error(task.metric, scores, [found], targets)
    return Scored(scores=scores, error=error, loss=loss)


def _of_values(task: Task, predicted: npt.NDArray[np.float64], scale: TargetScale) -> Scored:
    """What standardised predictions of a quantity come to, in its own unit."""
    targets = task.splits.validation_y
    with np.errstate(over="ignore"):  # what overflows is said
        own, true = scale.own(predicted), scale.own(targets)
        scores = task.metric.per_example(own, true)
        loss = float(((predicted - targets) ** 2).mean())
        kept = np.isfinite(scores.astype(np.float32)).all()
    if not (kept and np.isfinite(loss)):
        raise TooLargeError("scores must have room in float32: predictions are too large")
    error = score_error(task.metric, scores, [own], true)
    return Scored(scores=scores, error=error, loss=loss)


def outcome(
    found: Scored,
    cycle_scores: Sequence[float],
    *,
    state: TrialState = TrialState.COMPLETE,
    reason: str | None = None,
    updates: int | None = None,
) -> Trained:
    """Return the record of a trial that is COMPLETE, or PRUNED for a reason after some updates."""
    return Trained(
        state=state,
        reason=reason,
        updates=updates,
        score=found.score,
        score_error=found.error,
        validation_loss=found.loss,
        cycle_scores=tuple(cycle_scores),
        scores=found.scores,
    )


def _probabilities(found: npt.ArrayLike, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Class probabilities as float64; refuse what are none."""
    probabilities = np.asarray(found, np.float64)
    if probabilities.shape != shape:
        raise ValueError(f"class probabilities must be {shape}, got {probabilities.shape}")
    sums = probabilities.sum(axis=1)
    if not (np.isfinite(sums).all() and (probabilities >= 0).all()):
        raise ValueError("class probabilities must be finite and at least 0")
    if (np.abs(sums - 1.0) > _SUM_TOLERANCE).any():
        raise ValueError(f"class probabilities must sum to 1, got {sums.min():g} to {sums.max():g}")
    return probabilities


def _values(found: npt.ArrayLike, count: int) -> npt.NDArray[np.float64]:
    """Predicted values as float64; refuse what are none."""
    predicted = np.asarray(found, np.float64)
    if predicted.shape != (count,):
        raise ValueError(f"predictions must be ({count},), got {predicted.shape}")
    if not np.isfinite(predicted).all():
        raise ValueError("predictions must be finite")
    return predicted
