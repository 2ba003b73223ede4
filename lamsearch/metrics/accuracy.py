"""Accuracy: the share of examples whose most probable class is the true one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.metrics.metric import Metric, Scores


def per_example(probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> Scores:
    """Return whether the most probable class is the true one; ties go to the lowest class."""
    return np.asarray(probabilities.argmax(axis=-1) == labels)


ACCURACY = Metric(
    name="accuracy", title="accuracy", per_example=per_example, factor=100.0, unit=" %", digits=2,
    proportion=True, constant="majority",
)  # fmt: skip
