"""A model of accuracy over log10 λ: where it is best, and where to look next.

Enters: replicated scores of one schedule. Leaves: points and a winner. Loads scikit-learn where it
is used. Refuses to know how the scores came about.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, StageRecord, TrialState

_GRID = 0.01  # in log10 λ
_APART = 0.1  # between proposed points
_EXPLORE = 1.0  # standard deviations above the mean that make a point worth a look
_LENGTHS = (0.3, 3.0)  # decades over which accuracy changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Mean scores of candidates with the variance of each mean, replicates' own luck taken out."""

    log10_lambdas: npt.NDArray[np.float64]
    means: npt.NDArray[np.float64]
    variances: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The model on a grid of log10 λ: mean and standard deviation of the true accuracy."""

    grid: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    sd: npt.NDArray[np.float64]

    @property
    def best(self) -> tuple[float, float, float]:
        """log10 λ with the highest mean, that mean, and its standard deviation."""
        at = int(np.argmax(self.mean))
        return float(self.grid[at]), float(self.mean[at]), float(self.sd[at])


def scores(stage: StageRecord) -> Scores:
    """Return the scores of a stage's candidates, those with a failed replicate left out.

    All candidates of a replicate share its weights and mini-batches, so what the replicate adds
    to all of them is no noise of their differences: it is taken out before the variance, which is
    pooled over the candidates.
    """
    table = _table(stage)
    residual = table - table.mean(axis=0) - (table.mean(axis=1) - table.mean())[:, None]
    candidates, replicates = table.shape
    freedom = (candidates - 1) * (replicates - 1)
    pooled = float((residual**2).sum() / freedom) if freedom else 0.0
    values = np.array(sorted(_rows(stage)))
    variance = max(pooled / replicates, 1e-8)
    return Scores(
        log10_lambdas=values,
        means=table.mean(axis=1),
        variances=np.full(candidates, variance),
    )


def fit(found: Scores, within: tuple[float, float]) -> Fitted:
    """Fit a Gaussian process to scores with their noise; the grid spans ``within``.

    Scikit-learn's `GaussianProcessRegressor` with a Matérn 5/2 kernel over log10 λ (Rasmussen and
    Williams 2006, chapter 5); ``alpha`` is the variance of each mean.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    centre, spread = float(found.means.mean()), max(float(found.means.std()), 1e-4)
    kernel = ConstantKernel(1.0, (0.1, 100.0)) * Matern(1.0, _LENGTHS, nu=2.5)
    process = GaussianProcessRegressor(kernel, alpha=found.variances / spread**2)
    with warnings.catch_warnings():
        # a length at its bound is an answer: a straight line, or a few points
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(found.log10_lambdas[:, None], (found.means - centre) / spread)
    low, high = within
    grid = np.linspace(low, high, max(2, round((high - low) / _GRID) + 1))
    mean, sd = process.predict(grid[:, None], return_std=True)
    return Fitted(grid=grid, mean=centre + spread * mean, sd=spread * sd)


def propose(fitted: Fitted, tried: Sequence[float], count: int) -> list[float]:
    """Return at most ``count`` new log10 λs that may be best, rounded to 3 digits, ascending.

    The grid's points in the order of their upper confidence bound, each apart from those taken
    and tried before.
    """
    bound = fitted.mean + _EXPLORE * fitted.sd
    taken, found = list(tried), list[float]()
    for place in np.argsort(-bound, kind="stable"):
        value = round(float(fitted.grid[place]), 3)
        if len(found) < count and all(abs(value - other) >= _APART for other in taken):
            found.append(value)
            taken.append(value)
    return sorted(found)


def _rows(stage: StageRecord) -> dict[float, list[float]]:
    rows: dict[float, list[float]] = {}
    failed = {
        trial.log10_lambda for trial in stage.trials if trial.state is not TrialState.COMPLETE
    }
    for trial in sorted(stage.trials, key=lambda one: one.replicate):
        if trial.log10_lambda is not None and trial.log10_lambda not in failed:
            rows.setdefault(trial.log10_lambda, []).append(trial.validation_accuracy or 0.0)
    return rows


def _table(stage: StageRecord) -> FloatArray | npt.NDArray[np.float64]:
    rows = _rows(stage)
    return np.array([rows[value] for value in sorted(rows)], np.float64)
