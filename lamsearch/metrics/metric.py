"""What a metric is: a number for each example from what a model says of it, and its mean in words.

Enters: predictions and targets. Leaves: scores per example, higher is better; words. Statistics
work on such scores and know no metric.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[Any]  # a number or a bool per example
Task = Literal["classification", "regression"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What candidates are compared by.

    A score is higher where a model is better: that of a loss is the loss with its sign changed.
    ``per_example`` takes class probabilities (examples, classes) and labels (examples,); where the
    ``task`` is regression, predicted values (examples,) and targets (examples,), both in the
    target's own unit. It is called once for all examples of a split, and the mean of what it
    returns is the score. ``sign`` makes of a score the number that people quote, ``factor`` and
    ``unit`` its unit: accuracies are quoted in percent. ``proportion`` says that each example
    scores 0 or 1.
    """

    name: str
    title: str
    per_example: Callable[[npt.NDArray[np.floating], npt.NDArray[Any]], Scores]
    task: Task = "classification"
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


def score_error(metric: Metric, scores: Scores) -> float | None:
    """Return the standard error of the mean of ``scores`` (examples,) over the draw of examples.

    None where each is 0 or 1, and the error follows from the mean.
    """
    if metric.proportion or len(scores) < 2:
        return None
    return float(scores.std(ddof=1, dtype=np.float64) / math.sqrt(len(scores)))
