"""How far an axis of scores reaches: noise does not fill it, and the worst do not stretch it.

Enters: a metric, quoted numbers or scores. Leaves: a length in their unit, scores. Refuses to draw.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from lamsearch.metrics.metric import Metric

_REACH = 3.0  # times the best one's distance to the median: what lies beyond does not matter
_NEAR = 0.04  # of the scores' size, the least such distance
_SHARE = 0.02  # of all that a score can be; of errors in a target's own unit of the largest


def least_range(metric: Metric, numbers: Iterable[float]) -> float:
    """Return the least difference between the ends of an axis that shows ``numbers``."""
    return _SHARE * size_of(metric, numbers)


def size_of(metric: Metric, numbers: Iterable[float]) -> float:
    """Return what quoted numbers are compared with: the whole, or the largest where none is."""
    if is_open(metric):
        return max(map(abs, numbers), default=0.0) or 1.0
    return metric.factor


def is_open(metric: Metric) -> bool:
    """Whether scores are errors in a target's own unit, of any size."""
    return metric.task == "regression" and metric.sign < 0


def mattering(metric: Metric, scores: Sequence[float]) -> list[float]:
    """Return the scores that an axis is to show: a few collapsed trainings would flatten the rest.

    They are no worse than three times the best one's distance to the median.
    """
    best = max(scores)
    size = size_of(metric, map(metric.number, scores)) / metric.factor
    distance = max(best - statistics.median(scores), _NEAR * size)
    return [score for score in scores if score >= best - _REACH * distance]
