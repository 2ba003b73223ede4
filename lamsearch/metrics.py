"""Metrics: a number for each example from what a model says of it, and how its mean is put.

Enters: predictions and labels. Leaves: scores per example, higher is better; words. Statistics
work on such scores and know no metric; another package adds one by an entry point.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.errors import InputError, LamsearchError
from lamsearch.registries import Registry

Scores = npt.NDArray[Any]  # a number or a bool per example


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What candidates are compared by.

    A score is higher where a model is better: that of a loss is the loss with its sign changed.
    ``per_example`` takes class probabilities (examples, classes) and labels (examples,). ``sign``
    makes of a score the number that people quote, ``factor`` and ``unit`` its unit: accuracies are
    quoted in percent. ``proportion`` says that each example scores 0 or 1.
    """

    name: str
    title: str
    per_example: Callable[[npt.NDArray[np.floating], npt.NDArray[np.integer]], Scores]
    sign: int = 1
    factor: float = 1.0
    unit: str = ""
    digits: int = 4
    proportion: bool = False

    def number(self, score: float) -> float:
        """Return a score as the number that people quote, in its unit."""
        return self.sign * self.factor * score

    def words(self, score: float | None, error: float | None = None) -> str:
        """Return a score as text, with its standard error where it is known."""
        if score is None or not math.isfinite(score):
            return "–"
        spread = "" if error is None else f" ± {self.factor * error:.{self.digits}f}"
        return f"{self.number(score):.{self.digits}f}{spread}{self.unit}"

    def gain(self, difference: float) -> str:
        """Return a difference of scores as text with its sign; positive is better."""
        return f"{self.factor * difference:+.{self.digits}f}"

    def interval_words(self, interval: tuple[float, float]) -> str:
        """Return an interval of scores as people quote it, the lower number first."""
        low, high = sorted(self.number(end) for end in interval)
        return f"{low:.{self.digits}f} to {high:.{self.digits}f}{self.unit}"

    @property
    def label(self) -> str:
        """The title with its unit, for an axis: ``accuracy (%)``."""
        return f"{self.title} ({self.unit.strip()})" if self.unit else self.title

    @property
    def score_title(self) -> str:
        """The name of the score itself, where it is not what people quote."""
        return self.title if self.sign > 0 else f"−{self.title}"

    @property
    def points(self) -> str:
        """What differences are counted in: percentage points, or the metric's own unit."""
        return "points" if self.unit == " %" else (self.unit.strip() or "units of the score")


def _right(probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> Scores:
    """Whether the most probable class is the true one."""
    return np.asarray(probabilities.argmax(axis=-1) == labels)


def _log_likelihood(
    probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> Scores:
    """The log-probability of the true class, in nats; 0 counts as float64's resolution."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return np.asarray(np.log(np.maximum(chosen, np.finfo(np.float64).eps)))


ACCURACY = Metric(
    name="accuracy", title="accuracy", per_example=_right, factor=100.0, unit=" %", digits=2,
    proportion=True,
)  # fmt: skip
LOG_LOSS = Metric(
    name="log_loss", title="log loss", per_example=_log_likelihood, sign=-1, unit=" nats"
)
DEFAULT_METRIC = ACCURACY
METRICS: Registry[Metric] = Registry(
    "lamsearch.metrics",
    {"accuracy": "lamsearch.metrics:ACCURACY", "log_loss": "lamsearch.metrics:LOG_LOSS"},
    rule="a lamsearch.metrics.Metric",
    fits=lambda found: isinstance(found, Metric),
)  # fmt: skip


def score_error(metric: Metric, scores: Scores) -> float | None:
    """Return the standard error of the mean of ``scores`` (examples,) over the draw of examples.

    None where each is 0 or 1, and the error follows from the mean.
    """
    if metric.proportion or len(scores) < 2:
        return None
    return float(scores.std(ddof=1, dtype=np.float64) / math.sqrt(len(scores)))


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
