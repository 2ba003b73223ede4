"""MSE: the mean squared error, in the square of the target's own unit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.metrics.metric import Metric, Scores


def per_example(predictions: npt.NDArray[np.floating], targets: npt.NDArray[np.floating]) -> Scores:
    """Return −(y − ŷ)²."""
    return np.asarray(-((targets - predictions.astype(np.float64)) ** 2))


MSE = Metric(
    name="mse", title="MSE", per_example=per_example, task="regression", sign=-1,
    digits=4, significant=True, highest=0.0, constant="mean",
)  # fmt: skip
