"""Metrics by name: each has a module here; another package adds one by an entry point.

Enters: a name from a study file or a database. Leaves: the metric, or one sentence.
"""

from __future__ import annotations

from lamsearch.errors import InputError, LamsearchError
from lamsearch.metrics.accuracy import ACCURACY
from lamsearch.metrics.axis import is_open, least_range, mattering, size_of
from lamsearch.metrics.constant import constant_of, constant_scores
from lamsearch.metrics.log_loss import LOG_LOSS
from lamsearch.metrics.metric import (
    Constant,
    Metric,
    Predictions,
    Scores,
    Targets,
    Task,
    score_error,
)
from lamsearch.metrics.r2 import R2
from lamsearch.registries import Registry

__all__ = [
    "ACCURACY",
    "DEFAULT_METRIC",
    "LOG_LOSS",
    "METRICS",
    "OF_CLASSES",
    "Constant",
    "Metric",
    "Predictions",
    "Scores",
    "Targets",
    "Task",
    "beside",
    "constant_of",
    "constant_scores",
    "default_of",
    "is_open",
    "least_range",
    "mattering",
    "metric_of",
    "score_error",
    "score_title_of",
    "size_of",
]

DEFAULT_METRIC = ACCURACY
# Those that ask for the predicted class alone, which every classifier has.
OF_CLASSES = ("accuracy", "balanced_accuracy", "macro_f1")
METRICS: Registry[Metric] = Registry(
    "lamsearch.metrics",
    {
        "accuracy": "lamsearch.metrics.accuracy:ACCURACY",
        "balanced_accuracy": "lamsearch.metrics.balanced_accuracy:BALANCED_ACCURACY",
        "macro_f1": "lamsearch.metrics.macro_f1:MACRO_F1",
        "log_loss": "lamsearch.metrics.log_loss:LOG_LOSS",
        "brier": "lamsearch.metrics.brier:BRIER",
        "r2": "lamsearch.metrics.r2:R2",
        "mae": "lamsearch.metrics.mae:MAE",
        "mse": "lamsearch.metrics.mse:MSE",
    },
    rule="a lamsearch.metrics.Metric",
    fits=lambda found: isinstance(found, Metric),
)


def default_of(task: Task) -> Metric:
    """Return what a task is scored by unless something else is asked for: accuracy, or R²."""
    return DEFAULT_METRIC if task == "classification" else R2


def beside(metric: Metric) -> Metric | None:
    """Return what predictions are scored by beside a metric: of classes accuracy, which everybody
    asks for. Nothing is chosen by it."""
    return None if metric.is_default or metric.task == "regression" else DEFAULT_METRIC


def score_title_of(name: str) -> str:
    """Return what the scores of a metric are called; its name, where it is not installed here."""
    try:
        return metric_of(name).score_title
    except InputError:
        return name


def metric_of(name: object) -> Metric:
    """Return the metric of that name.

    Raises:
        InputError: There is none, or its package is broken.
    """
    try:
        return METRICS.get(str(name))
    except LamsearchError as error:
        raise InputError(f"metric: {error}") from error
