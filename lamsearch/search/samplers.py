"""The built-in samplers. Enters: how many, in how many dimensions. Leaves: shares of the bounds."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from lamsearch.study.samplers import Sampler

_EXCHANGED = 256  # points: a second


def uniform(count: int, dimensions: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw independently; the first n of a longer search are the n of a shorter one."""
    return rng.random((count, dimensions))


def stratified(count: int, dimensions: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw one in each of ``count`` equal strata of each dimension, ascending in the first.

    In several dimensions that is a Latin hypercube (McKay, Beckman and Conover 1979), of which the
    strata are exchanged between points as long as its centred discrepancy falls: SciPy's
    ``random-cd``, which does not pay beyond a few hundred points. It is lower than that of as many
    scrambled Sobol points for each of 8 to 64 points in 2, 3 and 5 dimensions.
    """
    if dimensions == 1:
        return np.asarray((np.arange(count)[:, None] + rng.random((count, 1))) / count)
    from scipy.stats import qmc  # a quarter of a second that searches of λ alone do not need

    exchanged: Literal["random-cd"] | None = "random-cd" if 1 < count <= _EXCHANGED else None
    found = qmc.LatinHypercube(dimensions, optimization=exchanged, seed=rng).random(count)
    return np.asarray(found[np.argsort(found[:, 0])])


RANDOM = Sampler(name="random", draw=uniform)
STRATIFIED = Sampler(name="stratified", draw=stratified)
TPE = Sampler(name="tpe", draw=None)  # Optuna's, asked by the storage when a trial begins
