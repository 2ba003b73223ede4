"""R²: the share of the targets' variance that the predictions explain."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.metrics.metric import Metric, Scores


def per_example(predictions: npt.NDArray[np.floating], targets: npt.NDArray[np.floating]) -> Scores:
    """Return 1 − (y − ŷ)² / mean((y − ȳ)²), of mean R²; targets without variance score 0.

    Among those a right prediction scores 1.
    """
    errors = (targets - predictions.astype(np.float64)) ** 2
    variance = targets.var(dtype=np.float64)
    if variance == 0:
        return np.asarray((errors == 0).astype(np.float64))
    return np.asarray(1 - errors / variance)


R2 = Metric(name="r2", title="R²", per_example=per_example, task="regression")
