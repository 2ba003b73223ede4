"""A sampler: a scrambled Halton sequence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from lamsearch.study.samplers import Sampler


def _drawn(count: int, dimensions: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.asarray(qmc.Halton(dimensions, rng=rng).random(count))


HALTON = Sampler(name="halton", draw=_drawn)
