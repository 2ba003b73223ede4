"""The learning-rate range test as records: what was sampled, and what it suggests."""

from __future__ import annotations

from dataclasses import dataclass

from lamsearch.metrics import DEFAULT_METRIC, Metric
from lamsearch.results.trials import (
    FloatArray,
    IntArray,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRamp:
    """What was sampled while the learning rate rose from ``low`` to ``high``.

    ``learning_rate`` and ``updates`` have the shape (points,), the others (replicates, points);
    they are NaN from where a replicate diverged, and the points end where all have. Training loss
    is the mean over the mini-batches since the last point, validation is measured at the point.
    ``untrained_loss`` and ``untrained_score`` are the validation split's, before the ramp, means
    over the replicates. Losses are in nats, those of a quantity mean squared errors of standardised
    targets; scores are the ``metric``'s.
    """

    low: float
    high: float
    updates: IntArray
    learning_rate: FloatArray
    training_loss: FloatArray
    validation_loss: FloatArray
    validation_score: FloatArray
    untrained_loss: float
    untrained_score: float
    metric: Metric = DEFAULT_METRIC


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRange:
    """The bounds of a cyclical learning rate that a ramp suggests; None where it suggests none.

    ``why`` says in a few words what set ``eta_max``; ``diverged_at`` is the first sampled rate at
    which a replicate diverged; ``notes`` are sentences on what the ramp could not tell.
    """

    eta_min: float | None
    eta_max: float | None
    why: str | None
    diverged_at: float | None
    notes: tuple[str, ...] = ()
