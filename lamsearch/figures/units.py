"""Names of axes with their units. Enters: a metric. Leaves: words for an axis."""

from __future__ import annotations

from lamsearch.metrics import Metric


def score_axis(metric: Metric) -> str:
    """Return the name of an axis of validation scores, and which way is better where it is down."""
    lower = "\n(lower is better)" if metric.sign < 0 else ""
    return f"validation {metric.label}{lower}"


def loss_unit(metric: Metric) -> str:
    """Return the unit of a study's losses: nats, of a quantity none: targets are standardised."""
    return "nats" if metric.task == "classification" else "standardised"
