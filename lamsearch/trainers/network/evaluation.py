"""Models measured on a split. Enters: weights, examples, targets. Leaves: numbers per example and
their means.

A score is one number per example: the loss is always there, correctness where there are classes,
any other metric on request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lamsearch.metrics import Metric
from lamsearch.results import FloatArray, IntArray, Model, TargetArray
from lamsearch.softmax import softmax
from lamsearch.trainers.network.inference import Inference
from lamsearch.trainers.network.losses import CROSS_ENTROPY
from lamsearch.trainers.network.weights import Weights
from lamsearch.trainers.targets import TargetScale

_AT_ONCE = 1000  # examples; bounds the buffers of an evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """K models on a split of n examples.

    ``loss`` and ``accuracy`` (K,) are means; ``losses``, ``correct`` and ``scores`` (K, n) have one
    number per example. ``scores`` are the asked metric's, None where none was asked. Of a quantity
    losses are of standardised values, scores of its own unit, and nothing is correct.
    """

    loss: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64] | None
    losses: FloatArray
    correct: npt.NDArray[np.bool_] | None
    scores: npt.NDArray[np.float64] | None = None


def evaluate(
    weights: Weights,
    x: FloatArray,
    y: TargetArray,
    metric: Metric | None = None,
    scale: TargetScale | None = None,
) -> Evaluation:
    """Return loss, correctness and the metric's scores of K models on normalised x (n, F).

    ``scale`` is that of targets that are quantities, None where they are classes.
    """
    return (
        _classes(weights, x, y, metric) if scale is None else _values(weights, x, y, metric, scale)
    )


def _classes(weights: Weights, x: FloatArray, y: IntArray, metric: Metric | None) -> Evaluation:
    count, examples = weights.count, len(y)
    loss, correct = np.zeros(count), np.empty((count, examples), np.bool_)
    losses = np.empty((count, examples), weights.dtype)
    predicted: list[list[FloatArray]] = [[] for _ in range(count if metric is not None else 0)]
    for part, class_scores in _forward(weights, x):
        labels = y[part]
        for parts, one in zip(predicted, class_scores, strict=False):
            parts.append(softmax(one.T))
        found, right = CROSS_ENTROPY.losses(class_scores, labels, np.arange(len(labels)))
        correct[:, part] = right
        losses[:, part] = found
        loss += found.mean(axis=1, dtype=np.float64) * len(labels)
    accuracy, scores = correct.mean(axis=1), None
    if metric is not None:  # of all examples at once: a score may depend on the others
        scores = np.stack([metric.per_example(np.concatenate(one), y) for one in predicted])
    return Evaluation(
        loss=loss / examples, accuracy=accuracy, losses=losses, correct=correct, scores=scores
    )


def probabilities(weights: Weights, x: FloatArray) -> Iterator[FloatArray]:
    """Yield the class probabilities (n, C) of each of K models for normalised x (n, F)."""
    parts: list[list[FloatArray]] = [[] for _ in range(weights.count)]
    for _, found in _forward(weights, x):
        for own, one in zip(parts, found, strict=True):
            own.append(softmax(one.T))
    yield from map(np.concatenate, parts)


def _values(
    weights: Weights, x: FloatArray, y: FloatArray, metric: Metric | None, scale: TargetScale
) -> Evaluation:
    predicted = np.empty((weights.count, len(y)), weights.dtype)
    for part, outputs in _forward(weights, x):
        predicted[:, part] = outputs[:, 0]
    losses, scores = np.square(predicted - y), None
    if metric is not None:
        own = scale.own(y)
        scores = np.stack([metric.per_example(scale.own(one), own) for one in predicted])
    return Evaluation(
        loss=losses.mean(axis=1, dtype=np.float64), accuracy=None, losses=losses, correct=None,
        scores=scores,
    )  # fmt: skip


def class_scores(model: Model, x: FloatArray) -> FloatArray:
    """Return the outputs (n, C) of one exported model for normalised x (n, features).

    They are class scores, or predicted values in their own unit (n, 1).
    """
    (first, _), *further = model.layers
    weights = Weights(
        scale=np.ones(1),
        W=[np.ascontiguousarray(first), *(W[None] for W, _ in further)],
        b=[b[None] for _, b in model.layers],
        activation=model.activation,
    )
    scores = np.empty((len(x), model.outputs), weights.dtype)
    for part, found in _forward(weights, x):
        scores[part] = found[0].T
    return scores


def _forward(weights: Weights, x: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
    """Yield a slice of the examples, and their scores (K, C, n), which may be changed."""
    work: Inference | None = None
    size = 0
    for start in range(0, len(x), _AT_ONCE):
        part = slice(start, min(start + _AT_ONCE, len(x)))
        if work is None or part.stop - start != size:
            size = part.stop - start
            work = Inference(weights, size)
        yield part, work.forward(np.ascontiguousarray(x[part]))
