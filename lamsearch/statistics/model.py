"""A model of the score over the space: where it is best, how sure that is, where to look next.

Enters: replicated scores of one schedule. Leaves: points and a prediction. Loads scikit-learn
where it is used. Refuses to know how the scores came about.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.metrics.shares import unseen_variance
from lamsearch.results import StageRecord
from lamsearch.space import SPACE, Bounds, Dimension, Interval, Point, Space, are_apart, span
from lamsearch.statistics.candidates import complete_replicates, mean_error, score_of
from lamsearch.statistics.errors import binomial_error
from lamsearch.statistics.grid import filled
from lamsearch.statistics.size import score_size

# In units of a dimension:
_APART = 0.1  # between proposed points
_LENGTHS = (0.3, 3.0)  # over which the score changes
_LONGER = (0.3, 12.0)  # the same where dimensions are several: one of them may not matter
_DIGITS = 3  # of a proposed coordinate
_ANYWHERE = (-math.inf, math.inf)
_EXPLORE = 1.0  # standard deviations above the mean that make a point worth a look
_JITTER = 1e-8  # the least variance of a mean, of scores of size 1: a numerically safe matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Mean scores of candidates; of each mean the variance, without what the replicates share.

    ``points`` has the shape (candidates, dimensions), the others (candidates,); ``size`` is how
    large scores are, at most 1.
    """

    points: npt.NDArray[np.float64]
    means: npt.NDArray[np.float64]
    variances: npt.NDArray[np.float64]
    size: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The model on a grid (points, dimensions): mean and standard deviation of the true score."""

    grid: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    sd: npt.NDArray[np.float64]

    @property
    def best(self) -> tuple[Point, float, float]:
        """The point with the highest mean, that mean, and its standard deviation."""
        at = int(np.argmax(self.mean))
        return tuple(map(float, self.grid[at])), float(self.mean[at]), float(self.sd[at])


def scores(stage: StageRecord, examples: int) -> Scores:
    """Return the scores of a stage's candidates, those with a failed replicate left out.

    All candidates of a replicate share its weights and mini-batches, so what the replicate adds
    to all of them is no noise of their differences: it is taken out before the variance, which is
    pooled over the candidates, ν = (candidates − 1)·(replicates − 1) degrees of freedom. It is
    never less than that of a share that differed in none of ν·``examples`` comparisons: few agree
    by chance. With one replicate each mean has the variance of the draw of examples.
    """
    table, size = _table(stage), score_size(stage)
    candidates, replicates = table.shape
    pooled, freedom = pooled_variance(stage)
    if freedom:
        unseen = unseen_variance(freedom * examples, examples) if _share(stage) else 0.0
        variances = np.full(candidates, max(pooled, unseen) / replicates)
    else:
        draws = [_draw_error(stage, float(mean), examples) for mean in table.mean(axis=1)]
        variances = np.square(draws) / replicates
    return Scores(
        points=np.array(sorted(complete_replicates(stage))),
        means=table.mean(axis=1),
        variances=np.maximum(variances, _JITTER * size**2),
        size=size,
    )


def from_rows(rows: Sequence[Sequence[float]]) -> Scores:
    """Return scores of rows of coordinates, the mean and its variance."""
    columns = np.array(rows, np.float64)
    return Scores(points=columns[:, :-2], means=columns[:, -2], variances=columns[:, -1])


def ended_well(stage: StageRecord) -> int:
    """Return how many candidates of a stage have all their replicates, as `scores` needs them."""
    return len(complete_replicates(stage))


def pooled_variance(stage: StageRecord) -> tuple[float, int]:
    """Return the variance of one run's score beyond its candidate's and replicate's effects.

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

    A score is y_ij = f(x_i) + c_j + e_ij for candidate i of I and replicate j of J. Over the
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


def level_error(sd: float, mean: float, stage: StageRecord, examples: int) -> float:
    """Return the standard deviation of a predicted level of the score, for seeds yet unseen.

    ``sd``, the model's own at that point, is one of differences between candidates: what their
    replicates share lifts or lowers all of them and the prediction with them. √(sd² +
    `shared_variance`) has it. With one replicate what is shared is not known; all candidates were
    measured on the same examples, so the level is at best as sure as one run's.
    """
    if _table(stage).shape[1] < 2:
        return max(sd, _draw_error(stage, mean, examples))
    return math.hypot(sd, math.sqrt(shared_variance(stage)))


def fit(
    found: Scores, within: Bounds, space: Space = SPACE, prior: Sequence[Scores] = ()
) -> Fitted:
    """Fit a Gaussian process to scores with their noise; the grid spans ``within``.

    Scikit-learn's `GaussianProcessRegressor` with a Matérn 5/2 kernel over the space, with a
    length of its own in each dimension (Rasmussen and Williams 2006, chapter 5); ``alpha`` is the
    variance of each mean. A choice is a coordinate of 0 or 1 for each of its values: all of them
    are as far from each other, but for the lengths. In several dimensions the grid is a Sobol
    sequence, of the choices that were tried, and the points that were tried.

    ``prior`` are scores of another study, stage by stage: each is modelled as what it differs by
    from the process through those before it, and ``found`` from all of them (a stack of processes,
    Golovin et al. 2017, section 3.3). The level of each stays its own, and only the shape is
    carried over, as far as later scores do not object; the standard deviation is that of the last
    process.
    """
    grid = filled(within, space, found.points)
    mean, sd = predict(found, grid, space, prior)
    return Fitted(grid=grid, mean=mean, sd=sd)


def predict(
    found: Scores,
    points: npt.NDArray[np.float64],
    space: Space = SPACE,
    prior: Sequence[Scores] = (),
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return mean and standard deviation (points,) of `fit`'s model at points of one's own."""
    parts = [one.at(_features(points, space)) for one in _stack((*prior, found), space)]
    mean, sd = parts[-1]
    for below, _ in parts[:-1]:
        mean = mean + below
    return mean, sd


@dataclass(frozen=True, slots=True, kw_only=True)
class _Process:
    """A process through standardised scores."""

    centre: float
    spread: float
    process: Any

    def at(
        self, features: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        mean, sd = self.process.predict(features, return_std=True)
        return self.centre + self.spread * mean, self.spread * sd


def load() -> None:
    """Load what fits, which takes a second: where there is nothing else to do."""
    import sklearn.gaussian_process.kernels  # noqa: F401 - loaded alone


def _stack(parts: Sequence[Scores], space: Space) -> list[_Process]:
    """A process through what each part differs by from all before it."""
    stack: list[_Process] = []
    for one in parts:
        features, rest = _features(one.points, space), one.means
        for below in stack:
            rest = rest - below.at(features)[0]
        stack.append(_process(features, rest, one.variances, space, parts[-1].size))
    return stack


def _process(
    features: npt.NDArray[np.float64],
    means: npt.NDArray[np.float64],
    variances: npt.NDArray[np.float64],
    space: Space,
    size: float,
) -> _Process:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    centre, spread = float(means.mean()), max(float(means.std()), 1e-4 * size)
    units = [unit for one in space.dimensions for unit in _units(one)]
    several = len(units) > 1
    bounds = [
        tuple(unit * length for length in (_LONGER if several else _LENGTHS)) for unit in units
    ]
    kernel = ConstantKernel(1.0, (0.1, 100.0)) * Matern(
        units if several else units[0], bounds if several else bounds[0], nu=2.5
    )
    process = GaussianProcessRegressor(kernel, alpha=variances / spread**2)
    with warnings.catch_warnings():
        # a length at its bound is an answer: a straight line, or a few points
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(features, (means - centre) / spread)
    return _Process(centre=centre, spread=spread, process=process)


def propose(
    fitted: Fitted, tried: Sequence[Point], count: int, space: Space = SPACE
) -> list[Point]:
    """Return at most ``count`` new points that may be best, rounded to 3 digits, ascending.

    The grid's points in the order of their upper confidence bound, each apart from those taken
    and tried before.
    """
    bound = fitted.mean + _EXPLORE * fitted.sd
    steps = [1.0 if not one.ordered else _APART * one.unit for one in space.dimensions]
    # of one dimension they have been rounded past an end since the first version
    several = space.several
    ends = span([tuple(map(float, one)) for one in fitted.grid]) if several else (_ANYWHERE,)
    taken, found = list(tried), list[Point]()
    for index in np.argsort(-bound, kind="stable"):
        triples = zip(space.dimensions, map(float, fitted.grid[index]), ends, strict=True)
        point = tuple(_rounded(one, x, interval) for one, x, interval in triples)
        if len(found) < count and all(are_apart(point, other, steps) for other in taken):
            found.append(point)
            taken.append(point)
    return sorted(found)


def _rounded(dimension: Dimension, x: float, interval: Interval) -> float:
    """A coordinate that can be read: 3 digits of a unit, within what the grid spans."""
    if dimension.whole:
        return float(round(x))
    low, high = interval
    rounded = round(x, _DIGITS - math.floor(math.log10(dimension.unit)))
    return min(max(rounded, low), high)


def _units(dimension: Dimension) -> tuple[float, ...]:
    """The unit of each coordinate of a dimension in the model."""
    return (dimension.unit,) if dimension.ordered else (1.0,) * len(dimension.choices)


def _features(points: npt.NDArray[np.float64], space: Space) -> npt.NDArray[np.float64]:
    """Points as the model has them, a choice as a coordinate of 0 or 1 for each of its values."""
    columns = []
    for dimension, column in zip(space.dimensions, points.T, strict=True):
        values = np.arange(len(dimension.choices), dtype=np.float64)
        columns.append(column[:, None] if dimension.ordered else column[:, None] == values)
    return np.concatenate(columns, axis=1, dtype=np.float64)


def _share(stage: StageRecord) -> bool:
    """Whether the stage's scores are shares of examples, each of which counts 0 or 1."""
    return mean_error(stage.trials) is None


def _draw_error(stage: StageRecord, mean: float, examples: int) -> float:
    """The standard error of one run's score over the draw of examples."""
    known = mean_error(stage.trials)
    return binomial_error(mean, examples) if known is None else known


def _table(stage: StageRecord) -> npt.NDArray[np.float64]:
    """Scores (candidates in the order of their points, replicates)."""
    rows = complete_replicates(stage)
    return np.array([[score_of(one) for one in rows[point]] for point in sorted(rows)], np.float64)
