"""The end: the final's models and test examples → test score, with its interval.

The same predictions are scored by what stands beside the metric as well, which nothing selects by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from lamsearch.data import LabelledImages, normalise
from lamsearch.data.images import Raw
from lamsearch.metrics import (
    DEFAULT_METRIC,
    Metric,
    Scores,
    beside,
    constant_scores,
    score_error,
)
from lamsearch.results import (
    BaselineScore,
    FinalScore,
    FloatArray,
    IntArray,
    Model,
    ScoreBeside,
    SnapshotScore,
)
from lamsearch.softmax import softmax
from lamsearch.statistics import gain_of, gain_over, interval95
from lamsearch.trainers.network import class_scores


def score(
    models: Sequence[Model],
    examples: LabelledImages,
    metric: Metric = DEFAULT_METRIC,
    constant: Sequence[float] | None = None,
) -> FinalScore:
    """Evaluate every model and the mean of their predictions on the test examples.

    ``constant`` is the metric's constant answer, where it is known: what no learning gets is
    evaluated on the same examples.
    """
    probabilities = [_predictions(model, examples.x) for model in models]
    per_example = [metric.per_example(p, examples.y) for p in probabilities]
    scores = [float(one.mean()) for one in per_example]
    together = np.mean(probabilities, axis=0)
    mean, sd = float(np.mean(scores)), _sd(scores)
    single = score_error(metric, np.mean(per_example, axis=0), probabilities, examples.y)
    return FinalScore(
        mean=mean,
        sd=sd,
        n=len(scores),
        interval95=_clipped(metric, interval95(mean, sd, len(scores), len(examples.y), single)),
        ensemble=float(metric.per_example(together, examples.y).mean()),
        scores=tuple(scores),
        test_images=len(examples.y),
        confusion=_confusion(examples.y, together, models[0].classes),
        beside=_beside(probabilities, examples.y, metric),
        baseline=_baseline(per_example, examples.y, metric, constant),
    )


def score_snapshots(
    members: Mapping[int, Sequence[Model]],
    updates: Sequence[int],
    examples: LabelledImages,
    metric: Metric = DEFAULT_METRIC,
) -> SnapshotScore:
    """Evaluate means over cycle ends: of each training alone, and of all of them.

    Args:
        members: each replicate's models at the cycle ends (S,), the end of training last.
        updates: those cycle ends (S,).
        examples: test examples.
        metric: what scores one.
    """
    # (replicates, S, examples, classes), of which one replicate's are kept at a time
    alone: list[list[Scores]] = []
    means: list[FloatArray] = []
    for models in members.values():
        probabilities = [_predictions(model, examples.x) for model in models]
        alone.append([metric.per_example(one, examples.y) for one in probabilities])
        means.append(np.mean(probabilities, axis=0))
    averaged = np.stack([metric.per_example(one, examples.y) for one in means])
    last = np.stack([one[-1] for one in alone])
    scores = [float(one.mean()) for one in averaged]
    mean, sd, count = float(np.mean(scores)), _sd(scores), len(scores)
    single = score_error(metric, averaged.mean(axis=0), means, examples.y)
    gain = gain_of(averaged, last)
    return SnapshotScore(
        updates=tuple(updates),
        replicates=tuple(members),
        mean=mean,
        sd=sd,
        n=count,
        interval95=_clipped(metric, interval95(mean, sd, count, len(examples.y), single)),
        gain=gain.mean,
        gain_interval95=gain.interval95,
        ensemble=float(metric.per_example(np.mean(means, axis=0), examples.y).mean()),
        scores=tuple(scores),
        members=tuple(
            float(np.mean([float(one[cycle].mean()) for one in alone]))
            for cycle in range(len(updates))
        ),
        beside=_beside(means, examples.y, metric),
    )


def _beside(
    probabilities: Sequence[FloatArray], labels: IntArray, metric: Metric
) -> ScoreBeside | None:
    """Predictions (replicates, examples, classes), scored by what stands beside the metric."""
    other = beside(metric)
    if other is None:
        return None
    scores = [float(other.per_example(one, labels).mean()) for one in probabilities]
    together = np.mean(probabilities, axis=0)
    mean, sd, count = float(np.mean(scores)), _sd(scores), len(scores)
    return ScoreBeside(
        mean=mean,
        sd=sd,
        n=count,
        interval95=interval95(mean, sd, count, len(labels)),
        ensemble=float(other.per_example(together, labels).mean()),
        scores=tuple(scores),
    )


def _baseline(
    per_example: Sequence[Scores],
    targets: IntArray,
    metric: Metric,
    constant: Sequence[float] | None,
) -> BaselineScore | None:
    """What the constant answer gets, and the gain of the models whose scores are given."""
    if constant is None:
        return None
    with np.errstate(all="ignore"):  # of a metric that a constant answer has no number for
        always = constant_scores(metric, constant, targets)
    found = gain_over(np.stack(per_example), always)
    if found.interval95 is None or not math.isfinite(found.mean):
        return None
    return BaselineScore(
        mean=float(always.mean()), gain=found.mean, gain_interval95=found.interval95
    )


def _clipped(metric: Metric, interval: tuple[float, float]) -> tuple[float, float]:
    low, high = interval
    return metric.clipped(low), metric.clipped(high)


def _predictions(model: Model, raw: Raw) -> FloatArray:
    """Class probabilities (n, C), or values (n,) of a quantity in its own unit."""
    mean, std = model.mean, model.std
    if raw.dtype == np.float64:  # what float32 holds exactly is float32 in a model's file
        mean, std = mean.astype(np.float64), std.astype(np.float64)
    outputs = class_scores(model, normalise(raw, mean, std))
    if model.task == "regression":
        return outputs[:, 0].astype(np.float64)
    return softmax(outputs)


def _sd(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _confusion(
    labels: IntArray, predictions: FloatArray, classes: int
) -> tuple[tuple[int, ...], ...]:
    """How often each class (row) was taken for which; empty where a quantity is predicted."""
    table = np.zeros((classes, classes), np.int64)
    if classes:
        np.add.at(table, (labels, predictions.argmax(axis=1)), 1)
    return tuple(tuple(int(count) for count in row) for row in table)
