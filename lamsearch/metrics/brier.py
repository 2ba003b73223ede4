"""Brier score: the mean squared distance of the probabilities from the truth (Brier 1950)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.metrics.metric import Metric, Scores


def per_example(probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> Scores:
    """Return −Σ_c (p_c − 1[c is true])²: 0 is best, −2 worst."""
    p = probabilities.astype(np.float64)
    chosen = p[np.arange(len(labels)), labels]
    return np.asarray(-((p**2).sum(axis=1) - 2 * chosen + 1))


BRIER = Metric(
    name="brier", title="Brier score", per_example=per_example, sign=-1, lowest=-2.0, highest=0.0,
    constant="shares",
)  # fmt: skip
