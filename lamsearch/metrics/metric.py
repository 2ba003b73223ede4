"""What a metric is: a number for each example from what a model says of it, and its mean in words.

Enters: predictions and targets. Leaves: scores per example, higher is better; words. Statistics
work on such scores and know no metric.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[Any]  # a number or a bool per example
Predictions = npt.NDArray[np.floating]  # of one model: (examples, classes), or (examples,)
Targets = npt.NDArray[Any]
Task = Literal["classification", "regression"]
Constant = Literal["majority", "shares", "guess", "mean", "median"]
ScoreError = Callable[[Sequence[Predictions], Targets, np.random.Generator], float]
GuessScores = Callable[[npt.NDArray[np.float64], Targets], Scores]

_SEED = 19790101  # of resamples: the same predictions have the same error
_MOST_DECIMALS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What candidates are compared by.

    A score is higher where a model is better: that of a loss is the loss with its sign changed.
    ``per_example`` takes class probabilities (examples, classes) and labels (examples,); where the
    ``task`` is regression, predicted values (examples,) and targets (examples,), both in the
    target's own unit. It is called once for all examples of a split, and the mean of what it
    returns is the score. The spread of these numbers over √n is taken for the score's sampling
    error, so a score that is no plain mean needs numbers that are linearised.

    ``sign`` makes of a score the number that people quote, ``factor`` and ``unit`` its unit:
    accuracies are quoted in percent. ``digits`` are decimals, or significant digits where
    ``significant`` says so, as of errors in a target's own unit. ``proportion`` says that each
    example scores 0 or 1, as a bool: nothing else, neither that the score is accuracy nor that it
    is quoted in percent. ``lowest`` and ``highest`` bound what a score can be.

    ``constant`` is what is always answered where nothing is learned: the most frequent class, the
    classes' shares, a class guessed with these, the mean or the median of the training targets;
    unless given, the shares or the mean. ``guessed`` returns the numbers per example that guessing
    with shares (classes,) is expected to have. ``error`` returns the standard error, over the draw
    of examples, of the mean score of some models' predictions; without it that of the numbers per
    example is taken.
    """

    name: str
    title: str
    per_example: Callable[[Predictions, Targets], Scores]
    task: Task = "classification"
    sign: int = 1
    factor: float = 1.0
    unit: str = ""
    digits: int = 4
    significant: bool = False
    proportion: bool = False
    lowest: float = -math.inf
    highest: float = math.inf
    constant: Constant | None = None
    guessed: GuessScores | None = None
    error: ScoreError | None = None

    @property
    def is_default(self) -> bool:
        """Whether it is accuracy, which once was the only one: documents have keys of its name."""
        return self.name == "accuracy"

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest score that there can be."""
        return (0.0, 1.0) if self.proportion else (self.lowest, self.highest)

    @property
    def answer(self) -> Constant:
        """What is always answered where nothing is learned."""
        return self.constant or ("shares" if self.task == "classification" else "mean")

    def clipped(self, score: float) -> float:
        """Return a score, or the nearest that there can be."""
        low, high = self.limits
        return min(max(score, low), high)

    def number(self, score: float) -> float:
        """Return a score as the number that people quote, in its unit."""
        return self.sign * self.factor * score + 0.0  # a loss of 0 has no sign

    def words(self, score: float | None, error: float | None = None) -> str:
        """Return a score as text, with its standard error where it is known."""
        if score is None or not math.isfinite(score):
            return "–"
        number = self.number(score)
        spread = "" if error is None else f" ± {self._text(self.factor * error, like=number)}"
        return f"{self._text(number)}{spread}{self.unit}"

    def gain(self, difference: float) -> str:
        """Return a difference of scores as text with its sign; positive is better."""
        number = self.factor * difference
        return f"{number:+.3g}" if self.significant else f"{number:+.{self.digits}f}"

    def interval_words(self, interval: tuple[float, float]) -> str:
        """Return an interval of scores as people quote it, the lower number first."""
        low, high = sorted(self.number(end) for end in interval)
        size = max(abs(low), abs(high))
        return f"{self._text(low, like=size)} to {self._text(high, like=size)}{self.unit}"

    def rounded(self, number: float) -> float:
        """Return a quoted number with one digit more than words have."""
        if self.significant:
            return float(f"{number:.{self.digits + 1}g}")
        return round(number, self.digits + 1)

    def within(self, low: float, high: float) -> tuple[float, float]:
        """Return the ends of an axis of quoted numbers, cut a little beyond what these can be."""
        least, most = sorted(self.number(end) for end in self.limits)
        air = 0.03 * self.factor
        return max(low, least - air), min(high, most + air)

    @property
    def heading(self) -> str:
        """The title as a heading begins, ``Macro F1``."""
        return f"{self.title[:1].upper()}{self.title[1:]}"

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
        """What differences are counted in: percentage points, the metric's unit, or nothing."""
        return "points" if self.unit == " %" else self.unit.strip()

    def _text(self, number: float, like: float | None = None) -> str:
        """A quoted number, with the decimals that one ``like`` another has."""
        if not self.significant:
            return f"{number:.{self.digits}f}"
        size = abs(number if like is None else like)
        if size == 0 or not math.isfinite(size):
            return f"{number:.{self.digits}g}"
        decimals = self.digits - 1 - math.floor(math.log10(size))
        if -_MOST_DECIMALS < decimals <= _MOST_DECIMALS:
            return f"{number:.{max(decimals, 0)}f}"
        return f"{number:.{self.digits}g}"


def score_error(
    metric: Metric,
    scores: Scores,
    predictions: Sequence[Predictions] = (),
    targets: Targets | None = None,
) -> float | None:
    """Return the standard error of the mean of ``scores`` (examples,) over the draw of examples.

    None where each is 0 or 1, and the error follows from the mean. Where the metric has an
    ``error`` of its own and the predictions are at hand, of one model or of all whose mean score it
    is, that is returned; else the standard deviation of the numbers over √n. One example shows no
    spread: its score's size stands for it.
    """
    if metric.proportion:
        return None
    if metric.error is not None and targets is not None and len(predictions):
        return metric.error(predictions, targets, np.random.default_rng(_SEED))
    if len(scores) < 2:
        return float(np.abs(scores).max(initial=0.0))
    return float(scores.std(ddof=1, dtype=np.float64) / math.sqrt(len(scores)))
