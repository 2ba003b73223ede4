"""Names of axes with their units. Enters: a metric, or a dimension. Leaves: words for an axis."""

from __future__ import annotations

from lamsearch.figures.style import is_narrow
from lamsearch.metrics import Metric
from lamsearch.space import Dimension


def dimension_axis(dimension: Dimension) -> str:
    """Return the name of an axis of a dimension, with what that is where there is room."""
    if is_narrow():
        return dimension.label
    return f"{dimension.label}  ({dimension.symbol}: {dimension.about})"


def score_axis(metric: Metric) -> str:
    """Return the name of an axis of validation scores, and which way is better where it is down."""
    lower = "\n(lower is better)" if metric.sign < 0 else ""
    return f"validation {metric.label}{lower}"


def loss_unit(metric: Metric) -> str:
    """Return the unit of a study's losses: nats, of a quantity none: targets are standardised."""
    return "nats" if metric.task == "classification" else "standardised"
