"""What no learning gets: one answer for all examples, and its scores.

Enters: training targets, and the targets to be predicted. Leaves: the answer and its numbers per
example. Pure. Refuses to know splits and stages.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lamsearch.metrics.metric import Metric, Scores, Targets


def constant_of(metric: Metric, targets: Targets, classes: int) -> tuple[float, ...]:
    """Return the metric's constant answer, learned from no more than training targets (n,).

    A probability for each of the ``classes``, all of it on the most frequent one (of several the
    first) where the metric's constant is the majority; of a quantity one value.
    """
    if metric.task == "regression":
        values = np.asarray(targets, np.float64)
        return (float(np.median(values) if metric.answer == "median" else values.mean()),)
    counts = np.bincount(targets, minlength=classes)
    if metric.answer == "majority":
        most = int(counts.argmax())
        return tuple(float(label == most) for label in range(classes))
    return tuple(float(count) for count in counts / counts.sum())


def constant_scores(metric: Metric, constant: Sequence[float], targets: Targets) -> Scores:
    """Return the numbers per example of a model that always answers ``constant``."""
    answer = np.asarray(constant, np.float64)
    if metric.guessed is not None:
        return metric.guessed(answer, targets)
    if metric.task == "regression":
        return metric.per_example(np.full(len(targets), answer[0]), targets)
    return metric.per_example(np.broadcast_to(answer, (len(targets), len(answer))), targets)
