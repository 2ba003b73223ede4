"""A metric of another package: the Brier score (Brier 1950), with its sign changed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.metrics import Metric


def _per_example(
    probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> npt.NDArray[np.float64]:
    hits = np.eye(probabilities.shape[1])[labels]
    return -np.asarray(((probabilities - hits) ** 2).sum(axis=1))


BRIER = Metric(name="brier", title="Brier score", per_example=_per_example, sign=-1)
