"""A model of accuracy over log10 λ: where it is best, how sure that is, and where to look next.

Enters: replicated scores of one schedule. Leaves: points and a prediction. Loads scikit-learn
where it is used. Refuses to know how the scores came about.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lamsearch.results import StageRecord
from lamsearch.statistics.accuracy import binomial_error, unseen_variance
from lamsearch.statistics.candidates import accuracy_of, complete_replicates

_GRID = 0.01  # in log10 λ
_APART = 0.1  # between proposed points
_EXPLORE = 1.0  # standard deviations above the mean that make a point worth a look
_JITTER = 1e-8  # the least variance of a mean: a numerically safe matrix
_LENGTHS = (0.3, 3.0)  # decades over which accuracy changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Mean scores of candidates; of each mean the variance, without what the replicates share."""

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


def scores(stage: StageRecord, validation_images: int) -> Scores:
    """Return the scores of a stage's candidates, those with a failed replicate left out.

    All candidates of a replicate share its weights and mini-batches, so what the replicate adds
    to all of them is no noise of their differences: it is taken out before the variance, which is
    pooled over the candidates, ν = (candidates − 1)·(replicates − 1) degrees of freedom. It is
    never less than that of an accuracy that differed in none of ν·``validation_images``
    comparisons: few replicates may agree by chance. With one replicate there is nothing to pool,
    and each mean has the binomial variance.
    """
    table = _table(stage)
    candidates, replicates = table.shape
    pooled, freedom = pooled_variance(stage)
    if freedom:
        unseen = unseen_variance(freedom * validation_images, validation_images)
        variances = np.full(candidates, max(pooled, unseen) / replicates)
    else:
        binomial = [binomial_error(float(mean), validation_images) for mean in table.mean(axis=1)]
        variances = np.square(binomial) / replicates
    return Scores(
        log10_lambdas=np.array(sorted(complete_replicates(stage))),
        means=table.mean(axis=1),
        variances=np.maximum(variances, _JITTER),
    )


def pooled_variance(stage: StageRecord) -> tuple[float, int]:
    """Return the variance of one run's accuracy beyond its candidate's and replicate's effects.

    With it its degrees of freedom; both are 0 where the stage has one candidate or replicate.
    """
    table = _table(stage)
    if table.ndim < 2:
        return 0.0, 0
    residual = table - table.mean(axis=0) - (table.mean(axis=1) - table.mean())[:, None]
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    return (float((residual**2).sum() / freedom), freedom) if freedom else (0.0, 0)


def shared_variance(stage: StageRecord) -> float:
    """Return the variance of what the mean over a stage's replicates adds to all candidates alike.

    An accuracy is y_ij = f(λ_i) + c_j + e_ij for candidate i of I and replicate j of J. Over the
    replicates' means s² = Σ_j (ȳ_·j − ȳ_··)²/(J − 1) is expected to be σ_c² + σ_e²/I, so the
    variance of the mean c̄ is (s² − σ_e²/I)/J, with the pooled σ_e² and never below 0. 0 with one
    replicate, which tells nothing of others.
    """
    table = _table(stage)
    if table.ndim < 2 or table.shape[1] < 2:
        return 0.0
    candidates, replicates = table.shape
    between = float(table.mean(axis=0).var(ddof=1))
    return float(max(between - pooled_variance(stage)[0] / candidates, 0.0) / replicates)


def level_error(sd: float, mean: float, stage: StageRecord, validation_images: int) -> float:
    """Return the standard deviation of a predicted level of accuracy, for seeds yet unseen.

    ``sd``, the model's own at that λ, is one of differences between candidates: what their
    replicates share lifts or lowers all of them and the prediction with them. √(sd² +
    `shared_variance`) has it. With one replicate what is shared is not known; all candidates were
    measured on the same examples, so the level is at best as sure as one run's.
    """
    if _table(stage).shape[1] < 2:
        return max(sd, binomial_error(mean, validation_images))
    return math.hypot(sd, math.sqrt(shared_variance(stage)))


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


def _table(stage: StageRecord) -> npt.NDArray[np.float64]:
    """Accuracies (candidates in the order of λ, replicates)."""
    rows = complete_replicates(stage)
    return np.array(
        [[accuracy_of(one) for one in rows[value]] for value in sorted(rows)], np.float64
    )
