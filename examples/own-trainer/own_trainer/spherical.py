"""A metric: the spherical score (Roby 1965), with its sign changed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.metrics import Metric


def _per_example(
    probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> npt.NDArray[np.float64]:
    chosen = probabilities[np.arange(len(labels)), labels]
    return np.asarray(chosen / np.linalg.norm(probabilities, axis=1) - 1)


SPHERICAL = Metric(name="spherical", title="spherical loss", per_example=_per_example, sign=-1)
