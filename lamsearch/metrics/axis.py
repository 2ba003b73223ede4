"""How far an axis of quoted scores reaches at least, so that noise does not fill it.

Enters: a metric, quoted numbers. Leaves: a length in their unit. Refuses to draw.
"""

from __future__ import annotations

from collections.abc import Iterable

from lamsearch.metrics.metric import Metric

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
