"""Models measured on a split. Enters: weights, examples, labels. Leaves: numbers per example and
their means.

A score is one number per example: correctness and loss are always there, any other metric on
request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from lamsearch.metrics import Metric
from lamsearch.results import FloatArray, IntArray, Model
from lamsearch.trainers.network.inference import Inference
from lamsearch.trainers.network.losses import losses as cross_entropies
from lamsearch.trainers.network.weights import Weights

_AT_ONCE = 1000  # examples; bounds the buffers of an evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """K models on a split of n examples.

    ``loss`` and ``accuracy`` (K,) are means; ``losses``, ``correct`` and ``scores`` (K, n) have one
    number per example. ``scores`` are the asked metric's, None where none was asked.
    """

    loss: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    losses: FloatArray
    correct: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float64] | None = None


def evaluate(
    weights: Weights, x: FloatArray, y: IntArray, metric: Metric | None = None
) -> Evaluation:
    """Return loss, correctness and the metric's scores of K models on normalised x (n, F)."""
    count, examples = weights.count, len(y)
    loss, correct = np.zeros(count), np.empty((count, examples), np.bool_)
    losses = np.empty((count, examples), weights.dtype)
    predicted: list[list[FloatArray]] = [[] for _ in range(count if metric is not None else 0)]
    for part, class_scores in _forward(weights, x):
        labels = y[part]
        for parts, one in zip(predicted, class_scores, strict=False):
            parts.append(softmax(one.T, axis=1))
        found, correct[:, part] = cross_entropies(class_scores, labels, np.arange(len(labels)))
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
            own.append(softmax(one.T, axis=1))
    yield from map(np.concatenate, parts)


def class_scores(model: Model, x: FloatArray) -> FloatArray:
    """Return the class scores (n, C) of one exported model for normalised x (n, features)."""
    (first, _), *further = model.layers
    weights = Weights(
        scale=np.ones(1),
        W=[np.ascontiguousarray(first), *(W[None] for W, _ in further)],
        b=[b[None] for _, b in model.layers],
        activation=model.activation,
    )
    scores = np.empty((len(x), model.classes), weights.dtype)
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
