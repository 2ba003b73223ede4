"""Log loss: minus the mean log-probability of the true class (Good 1952), in nats."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.metrics.metric import Metric, Scores


def per_example(probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> Scores:
    """Return the log-probability of the true class; 0 counts as float64's resolution."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return np.asarray(np.log(np.maximum(chosen, np.finfo(np.float64).eps)))


LOG_LOSS = Metric(
    name="log_loss", title="log loss", per_example=per_example, sign=-1, unit=" nats", highest=0.0,
    constant="shares",
)  # fmt: skip
