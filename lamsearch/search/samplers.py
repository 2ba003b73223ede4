"""The built-in samplers. Enters: how many, in how many dimensions. Leaves: shares of the bounds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.study.samplers import Sampler


def uniform(count: int, dimensions: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw independently; the first n of a longer search are the n of a shorter one."""
    return rng.random((count, dimensions))


def stratified(count: int, dimensions: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw one in each of ``count`` equal strata of each dimension.

    They ascend in the first dimension, and come in a random order in the others: Latin hypercube
    sampling (McKay, Beckman and Conover 1979).
    """
    shares = rng.random((count, dimensions))
    strata = [np.arange(count), *(rng.permutation(count) for _ in range(1, dimensions))]
    return np.asarray((np.stack(strata, axis=1) + shares) / count)


RANDOM = Sampler(name="random", draw=uniform)
STRATIFIED = Sampler(name="stratified", draw=stratified)
TPE = Sampler(name="tpe", draw=None)  # Optuna's, asked by the storage when a trial begins
