"""What the source report's runs say in numbers: paired differences, best λs, slopes.

Enters: accuracies per seed. Leaves: means with intervals. Pure; refuses to know files and words.
Intervals are Student's over seeds: two models of one seed start from the same weights and see the
same mini-batches, so what is compared is their difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

WINDOW = 1.0  # decades on each side of the best grid point that a parabola is fitted to
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over n seeds, its sample standard deviation, and its 95 % interval."""

    mean: float
    sd: float
    low: float
    high: float
    n: int

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def estimate(values: Sequence[float] | Floats) -> Estimate:
    """Return mean, standard deviation and Student's 95 % interval of one value per seed."""
    x = np.asarray(values, float)
    mean, n = float(x.mean()), len(x)
    sd = float(x.std(ddof=1)) if n > 1 else 0.0
    half = float(stdtrit(n - 1, 0.975)) * sd / n**0.5 if n > 1 else float("inf")
    return Estimate(mean=mean, sd=sd, low=mean - half, high=mean + half, n=n)


def paired(ours: Sequence[float] | Floats, others: Sequence[float] | Floats) -> Estimate:
    """Return the estimate of ``ours - others``, both in the order of the seeds."""
    return estimate(np.asarray(ours, float) - np.asarray(others, float))


def peak(log10_lambda: Sequence[float], accuracy: Sequence[float]) -> float:
    """Return the log10 λ of the top of a parabola through the points around the best one.

    Least squares over the points within a decade of the best; the top is kept inside them, and
    where they do not bend downwards it is the best point itself.
    """
    x, y = np.asarray(log10_lambda, float), np.asarray(accuracy, float)
    best = x[y.argmax()]
    near = np.abs(x - best) <= WINDOW
    bend, tilt, _ = np.polyfit(x[near] - best, y[near], 2)
    if bend >= 0:
        return float(best)
    return float(np.clip(best - tilt / (2 * bend), x[near].min(), x[near].max()))


def slopes(peaks: Mapping[int, Sequence[float]]) -> Estimate:
    """Return d(best log10 λ) / d(log10 images): a straight line per seed, then over seeds."""
    sizes = np.log10(list(peaks))
    rows = np.asarray(list(peaks.values()), float)  # (sizes, seeds)
    return estimate(np.polyfit(sizes, rows, 1)[0])
