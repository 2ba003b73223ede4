"""Balanced accuracy: the mean over the classes of the share of each that is found."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.metrics.metric import Metric, Scores


def per_example(probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> Scores:
    """Return 1[right]·n / (C·n_c), c the example's class, of those C that occur among ``labels``.

    Its mean over the n examples is the mean recall (Brodersen et al. 2010).
    """
    counts = np.bincount(labels)
    share = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.asarray((probabilities.argmax(axis=-1) == labels) * share[labels])


BALANCED_ACCURACY = Metric(
    name="balanced_accuracy", title="balanced accuracy", per_example=per_example, factor=100.0,
    unit=" %", digits=2,
)  # fmt: skip
