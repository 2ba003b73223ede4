"""R²: the share of the targets' variance that the predictions explain."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.metrics.metric import Metric, Predictions, Scores


def per_example(predictions: Predictions, targets: npt.NDArray[np.floating]) -> Scores:
    """Return R² + ((1 − R²)·(y − ȳ)² − (y − ŷ)²) / v, with v the mean of (y − ȳ)².

    Their mean is R² = 1 − mean((y − ŷ)²)/v, and their spread that of its sampling error: v is
    drawn with the examples, too (Efron 1982, infinitesimal jackknife). Of targets without variance
    a right prediction scores 1 and any other 0.
    """
    errors = (targets - predictions.astype(np.float64)) ** 2
    deviations = (targets - targets.mean(dtype=np.float64)) ** 2
    variance = deviations.mean()
    if variance == 0:
        return np.asarray((errors == 0).astype(np.float64))
    unexplained = errors.mean() / variance
    return np.asarray(1 - unexplained + (unexplained * deviations - errors) / variance)


R2 = Metric(
    name="r2", title="R²", per_example=per_example, task="regression", highest=1.0, constant="mean"
)
