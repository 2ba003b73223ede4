"""Units of what figures draw beside scores. Enters: a metric. Leaves: words for an axis."""

from __future__ import annotations

from lamsearch.metrics import Metric


def loss_unit(metric: Metric) -> str:
    """Return the unit of a study's losses: nats, of a quantity none: targets are standardised."""
    return "nats" if metric.task == "classification" else "standardised"
