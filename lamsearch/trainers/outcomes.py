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

_SUM_TOLERANCE = 1e-3  # of the probabilities of an example


def completed(
    task: Task, predictions: npt.ArrayLike, *, cycle_scores: Sequence[float] | None = None
) -> Trained:
    """Return the outcome of a trial that was trained to its end.

    Args:
        task: the cohort's.
        predictions: class probabilities of the validation examples, in their order, shape (n, C).
        cycle_scores: the score at each cycle end that was reached, the last of them the one at the
            end; that one alone unless given.

    Raises:
        ValueError: They are no such predictions.
    """
    found = scored(task, predictions)
    ends = [float(found.scores.mean())] if cycle_scores is None else cycle_scores
    return outcome(found, ends)


@dataclass(frozen=True, slots=True)
class Scored:
    """The metric's number for each validation example (n,), their mean loss in nats, and the
    standard error of their mean, None where each is 0 or 1."""

    scores: Scores
    loss: float
    error: float | None


def scored(task: Task, predictions: npt.ArrayLike) -> Scored:
    """Return what predictions of the validation examples come to.

    Raises:
        ValueError: The predictions are none for these examples.
    """
    labels = task.splits.validation_y
    probabilities = _checked(predictions, (len(labels), task.classes))
    scores = task.metric.per_example(probabilities, labels)
    loss = -float(LOG_LOSS.per_example(probabilities, labels).mean())
    return Scored(scores, loss, score_error(task.metric, scores, [probabilities], labels))


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
        score=float(found.scores.mean()),
        score_error=found.error,
        validation_loss=found.loss,
        cycle_scores=tuple(cycle_scores),
        scores=found.scores,
    )


def _checked(found: npt.ArrayLike, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
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
