"""The end: the final's models and test examples → test score, with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from lamsearch.data import LabelledImages, normalise
from lamsearch.data.images import Raw
from lamsearch.metrics import DEFAULT_METRIC, Metric, score_error
from lamsearch.results import FinalScore, FloatArray, IntArray, Model
from lamsearch.statistics import interval95
from lamsearch.trainers.network import class_scores


def score(
    models: Sequence[Model], examples: LabelledImages, metric: Metric = DEFAULT_METRIC
) -> FinalScore:
    """Evaluate every model and the mean of their softmax probabilities on the test examples."""
    probabilities = [_probabilities(model, examples.x) for model in models]
    per_example = [metric.per_example(p, examples.y) for p in probabilities]
    scores = [float(one.mean()) for one in per_example]
    together = np.mean(probabilities, axis=0)
    mean, sd = float(np.mean(scores)), _sd(scores)
    single = score_error(metric, np.mean(per_example, axis=0))
    return FinalScore(
        mean=mean,
        sd=sd,
        n=len(scores),
        interval95=interval95(mean, sd, len(scores), len(examples.y), single),
        ensemble=float(metric.per_example(together, examples.y).mean()),
        scores=tuple(scores),
        test_images=len(examples.y),
        confusion=_confusion(examples.y, together.argmax(axis=1), models[0].classes),
    )


def _probabilities(model: Model, raw: Raw) -> FloatArray:
    mean, std = model.mean, model.std
    if raw.dtype == np.float64:  # what float32 holds exactly is float32 in a model's file
        mean, std = mean.astype(np.float64), std.astype(np.float64)
    return np.asarray(softmax(class_scores(model, normalise(raw, mean, std)), axis=1))


def _sd(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _confusion(labels: IntArray, predicted: IntArray, classes: int) -> tuple[tuple[int, ...], ...]:
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (labels, predicted), 1)
    return tuple(tuple(int(count) for count in row) for row in table)
