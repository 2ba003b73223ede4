"""MAE: the mean absolute error, in the target's own unit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.metrics.metric import Metric, Scores


def per_example(predictions: npt.NDArray[np.floating], targets: npt.NDArray[np.floating]) -> Scores:
    """Return −|y − ŷ|."""
    return np.asarray(-np.abs(targets - predictions.astype(np.float64)))


MAE = Metric(
    name="mae", title="MAE", per_example=per_example, task="regression", sign=-1,
    digits=4, significant=True, highest=0.0, constant="median",
)  # fmt: skip
