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
from lamsearch.trainers.network.passes import Pass
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
    losses = np.empty((count, examples), weights.V.dtype)
    scores = None if metric is None else np.empty((count, examples))
    for part, work, class_scores in _forward(weights, x):
        labels = y[part]
        if scores is not None and metric is not None:
            for row, one in zip(scores, class_scores, strict=True):
                row[part] = metric.per_example(softmax(one.T, axis=1), labels)
        found, correct[:, part] = work.losses(labels)
        losses[:, part] = found
        loss += found.mean(axis=1, dtype=np.float64) * len(labels)
    accuracy = correct.mean(axis=1)
    return Evaluation(
        loss=loss / examples, accuracy=accuracy, losses=losses, correct=correct, scores=scores
    )


def class_scores(model: Model, x: FloatArray) -> FloatArray:
    """Return the class scores (n, C) of one exported model for normalised x (n, features)."""
    weights = Weights(
        V=np.ascontiguousarray(model.W1), scale=np.ones(1), b1=model.b1,
        W2=model.W2[None], b2=model.b2[None],
    )  # fmt: skip
    scores = np.empty((len(x), len(model.b2)), weights.V.dtype)
    for part, _, found in _forward(weights, x):
        scores[part] = found[0].T
    return scores


def _forward(weights: Weights, x: FloatArray) -> Iterator[tuple[slice, Pass, FloatArray]]:
    """Yield a slice of the examples, the pass that they went through, their scores (K, C, n)."""
    work: Pass | None = None
    size = 0
    for start in range(0, len(x), _AT_ONCE):
        part = slice(start, min(start + _AT_ONCE, len(x)))
        if work is None or part.stop - start != size:
            size = part.stop - start
            work = Pass(weights, size)
        yield part, work, work.forward(np.ascontiguousarray(x[part]))
