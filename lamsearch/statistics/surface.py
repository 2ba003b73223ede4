"""The score over one or two of the dimensions alone, smoothed: for figures, never for a choice.

Enters: what a search tried. Leaves: a model's mean and standard deviation on a grid. Deterministic.
Loads scikit-learn where it is used. Refuses to know how it is drawn.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lamsearch.space import Space
from lamsearch.statistics.searched import Searched

MOST = 200  # candidates: beyond that a Gaussian process takes minutes
LEAST = 6  # candidates, below which a surface is more invention than data
_LENGTHS = (0.3, 3.0)  # of a dimension's unit, over which the score changes
_NOISE = (1e-4, 1.0)  # of the scores' variance: seeds, examples, and the other dimensions
_DEPTH = 3.0  # how far below the best a score counts, in distances from the best to the median


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """A Gaussian process through the scores over some dimensions: (points,) each.

    ``known`` says how sure the mean is at a point: 1 less its variance in units of that of the
    scores, from 0, where nothing near was tried, to 1.
    """

    mean: npt.NDArray[np.float64]
    known: npt.NDArray[np.float64]


def floor_of(found: Searched) -> float:
    """Return what lower scores count as: the best less three times its distance to the median.

    A score far below the good ones, as of a training that collapsed, would bend a surface
    everywhere.
    """
    scores = np.array(found.scores, dtype=np.float64)
    best = float(scores.max())
    return max(float(scores.min()), best - _DEPTH * (best - float(np.median(scores))))


def has_surface(found: Searched, floor: float) -> bool:
    """Whether there is something to fit: enough candidates, and scores above the floor."""
    return len(found.scores) >= LEAST and max(found.scores) > max(floor, min(found.scores))


def surface(
    found: Searched,
    space: Space,
    dimensions: Sequence[int],
    grid: npt.NDArray[np.float64],
    floor: float,
) -> Surface | None:
    """Fit scores over some ordered dimensions alone, at the points of ``grid`` (points, some).

    What the other dimensions do to the score is noise to it. None without `has_surface`.
    """
    if not has_surface(found, floor):
        return None
    points = np.array([[point[one] for one in dimensions] for point in found.points])
    used = np.maximum(np.array(found.scores, dtype=np.float64), floor)
    centre, spread = float(used.mean()), float(used.std())
    units = [space.dimensions[one].unit for one in dimensions]
    mean, sd = _fitted(points, (used - centre) / spread, units, grid)
    return Surface(mean=centre + spread * mean, known=1.0 - np.minimum(sd, 1.0) ** 2)


def _fitted(
    points: npt.NDArray[np.float64],
    scores: npt.NDArray[np.float64],
    units: Sequence[float],
    grid: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation, the latter without the noise of single scores."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    scale = np.array(units)
    smooth = ConstantKernel(1.0, (0.1, 100.0)) * Matern(
        np.ones(len(units)), [_LENGTHS] * len(units), nu=2.5
    )
    process = GaussianProcessRegressor(smooth + WhiteKernel(0.1, _NOISE))
    with warnings.catch_warnings():
        # a length or a noise at its bound is an answer
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(points / scale, scores)
    mean, sd = process.predict(grid / scale, return_std=True)
    noise = process.kernel_.k2.noise_level
    return np.asarray(mean), np.sqrt(np.maximum(sd**2 - noise, 0.0))
