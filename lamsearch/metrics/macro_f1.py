"""Macro F1: the mean over the classes of the harmonic mean of precision and recall."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.metrics.metric import Metric, Scores


def per_example(probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> Scores:
    """Return numbers whose mean is macro F1 and whose spread is that of its sampling error.

    F1 of class c is 2a/b, with a the mean of A = 1[true and predicted c] and b that of
    B = 1[true c] + 1[predicted c]. It is no mean of one number per example, but to first order
    F1 + (2A − F1·B)/b is such a number (Efron 1982, infinitesimal jackknife), whose mean is F1
    itself. Classes that neither occur nor are predicted do not count.
    """
    predicted = probabilities.argmax(axis=-1)
    total = np.zeros(len(labels))
    classes = np.union1d(labels, predicted)
    for one in classes:
        right, named = labels == one, predicted == one
        both, either = right & named, right.astype(np.float64) + named
        f1 = 2 * both.mean() / either.mean()
        total += f1 + (2 * both - f1 * either) / either.mean()
    return np.asarray(total / len(classes))


MACRO_F1 = Metric(
    name="macro_f1", title="macro F1", per_example=per_example, factor=100.0, unit=" %", digits=2
)
