"""The scale of a plot of letters: a round number for each row, for the scores that matter.

Enters: scores, a number of rows. Leaves: the rows' values, and in which row a score lies.
Refuses to let a few collapsed trainings flatten all others.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from lamsearch.metrics import Metric, least_range, mattering

_STEPS = (1.0, 2.0, 2.5, 5.0)
_SLACK = 1e-9  # of a step


@dataclass(frozen=True, slots=True, kw_only=True)
class Heights:
    """The values of rows from the top, ``step`` apart; ``high`` is a whole multiple of it."""

    high: float
    step: float
    count: int

    @property
    def low(self) -> float:
        """The value of the lowest row."""
        return self.high - self.step * (self.count - 1)

    @property
    def rows(self) -> list[float]:
        """The value of each row."""
        return [self.high - self.step * row for row in range(self.count)]

    def row(self, number: float) -> tuple[int, int]:
        """Return the row of a score, and −1 or 1 where it lies below or above all of them."""
        row = round((self.high - number) / self.step)
        if 0 <= row < self.count:
            return row, 0
        return (0, 1) if row < 0 else (self.count - 1, -1)


def heights(scores: Sequence[float], rows: int, metric: Metric) -> Heights:
    """Return the scale of those of some scores, at least one, that matter, in at least two rows."""
    shown = [metric.number(score) for score in mattering(metric, scores)]
    low, high = min(shown), max(shown)
    lack = max(0.0, 0.2 * least_range(metric, shown) - (high - low)) / 2
    low, high = low - lack, high + lack
    for step in _steps((high - low) / (rows - 1)):
        bottom = math.floor(low / step + _SLACK)
        spare = math.floor(bottom + rows - 1 - high / step + _SLACK)
        if spare >= 0:
            bottom = _possible(bottom - spare // 2, rows, step, (low, high), metric)
            return Heights(high=(bottom + rows - 1) * step, step=step, count=rows)
    raise AssertionError("steps have no end")


def _possible(
    bottom: int, rows: int, step: float, ends: tuple[float, float], metric: Metric
) -> int:
    """The lowest row, in steps, moved so that no row is a score that there cannot be."""
    least, most = sorted(metric.number(end) for end in metric.limits)
    if math.isfinite(most):
        top = max(math.floor(most / step + _SLACK), math.ceil(ends[1] / step - _SLACK))
        bottom = min(bottom, top - rows + 1)
    if math.isfinite(least):
        floor = min(math.ceil(least / step - _SLACK), math.floor(ends[0] / step + _SLACK))
        bottom = max(bottom, floor)
    return bottom


def _steps(least: float) -> itertools.chain[float]:
    """1, 2, 2.5 and 5 times powers of ten, from about ``least`` on."""
    power = math.floor(math.log10(least)) if least > 0 else 0
    powers = itertools.count(power)
    return itertools.chain.from_iterable([f * 10.0**p for f in _STEPS] for p in powers)
