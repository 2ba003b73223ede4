"""What a training answers at its end: outcomes and models.

Enters: the state of a training, its splits and schedule. Leaves: records. Changes nothing.
"""

from __future__ import annotations

import numpy as np

from lamsearch.metrics import Metric, score_error
from lamsearch.results import FloatArray, Model, Trained, TrialState
from lamsearch.trainers.network.batch_norm import folded
from lamsearch.trainers.network.checkpoint import TrainingState
from lamsearch.trainers.network.curve_table import Rates
from lamsearch.trainers.network.evaluation import evaluate, probabilities
from lamsearch.trainers.network.weights import Weights
from lamsearch.trainers.protocol import Splits
from lamsearch.trainers.targets import TargetScale


def outcomes(
    state: TrainingState,
    splits: Splits,
    rates: Rates,
    cycle: int,
    metric: Metric,
    scale: TargetScale | None = None,
) -> tuple[Trained, ...]:
    """Return what became of every model; ``cycle`` is the updates of one.

    ``train_score`` is measured here, on the whole training split.
    """
    scores: dict[int, float] = {}
    if len(state.alive):
        asked = metric if state.table.scored else None
        with np.errstate(over="ignore", invalid="ignore"):
            found = evaluate(state.weights, splits.train_x, splits.train_y, asked, scale)
        means = found.accuracy if found.scores is None else found.scores.mean(axis=1)
        assert means is not None  # noqa: S101  # of a quantity the scores are asked for
        scores = {int(k): float(one) for k, one in zip(state.alive, means, strict=True)}
    errors = _own_errors(state, splits, metric)
    return tuple(
        _outcome(state, model, scores.get(model), rates, cycle, metric, errors.get(model))
        for model in range(state.table.models)
    )


def models(
    state: TrainingState, splits: Splits, scale: TargetScale | None = None
) -> tuple[Model | None, ...]:
    """Return every model in the original feature space, float32; None for one that has left.

    With the ``scale`` of a quantity, models that answer in its own unit.
    """
    found: list[Model | None] = [None] * state.table.models
    weights = state.weights
    for index, model in enumerate(map(int, state.alive)):
        found[model] = Model(
            layers=_chain(weights, index, splits.projection, scale),
            mean=splits.mean,
            std=splits.std,
            activation=weights.activation,
            task="classification" if scale is None else "regression",
        )
    return tuple(found)


def _outcome(
    state: TrainingState,
    model: int,
    train_score: float | None,
    rates: Rates,
    cycle: int,
    metric: Metric,
    error: float | None,
) -> Trained:
    curve, departure = state.table.curve(model, rates), state.departures.get(model)
    reason, updates = (departure.reason, departure.updates) if departure else (None, None)
    if departure is not None and departure.state == TrialState.FAIL:
        return Trained(state=TrialState.FAIL, reason=reason, updates=updates, curve=curve)
    ends, scores = curve.updates % cycle == 0, state.table.scores(model)
    return Trained(
        state=TrialState.COMPLETE if departure is None else TrialState.PRUNED,
        reason=reason,
        updates=updates,
        score=float(scores[-1]),
        score_error=score_error(metric, state.scores[model]) if error is None else error,
        validation_loss=float(curve.values["validation_loss"][-1]),
        train_score=train_score,
        cycle_scores=tuple(float(value) for value in scores[ends]),
        curve=curve,
        scores=state.scores[model].copy(),
    )


def _own_errors(state: TrainingState, splits: Splits, metric: Metric) -> dict[int, float]:
    """The score's errors that a metric of classes has of its own, for models that are at hand."""
    if metric.error is None or metric.task != "classification":
        return {}
    found: dict[int, float] = {}
    with np.errstate(over="ignore", invalid="ignore"):
        predictions = probabilities(state.weights, splits.validation_x)
        for model, one in zip(map(int, state.alive), predictions, strict=True):
            own = score_error(metric, state.scores[model], [one], splits.validation_y)
            found |= {} if own is None else {model: own}
    return found


def _chain(
    weights: Weights, index: int, projection: FloatArray | None, scale: TargetScale | None
) -> tuple[tuple[FloatArray, FloatArray], ...]:
    """One model's layers (W, b), float32, as they act on all normalised features.

    Batch norm is multiplied into the weights and biases of its layer, and the scale of a quantity
    into the last one.
    """
    arrays = weights.of_model(index)
    layers = [(arrays[f"W{n}"], arrays[f"b{n}"]) for n in range(1, weights.depth + 1)]
    for layer in range(len(weights.gamma)):
        factor, shift = folded(weights, layer)
        layers[layer] = (layers[layer][0] * factor[index], shift[index])
    (first, shift), *further = layers
    layers = [(_on_all_features(first, projection), shift), *further]
    if scale is not None:
        layers[-1] = scale.of_last_layer(*layers[-1])
    return tuple((W.astype(np.float32), b.astype(np.float32)) for W, b in layers)


def _on_all_features(W1: FloatArray, projection: FloatArray | None) -> FloatArray:
    """The first layer as it acts on all normalised features."""
    return W1 if projection is None else projection @ W1
