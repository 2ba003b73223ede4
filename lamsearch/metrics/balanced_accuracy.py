"""Balanced accuracy: the mean over the classes of the share of each that is found."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lamsearch.metrics.metric import Metric, Predictions, Scores
from lamsearch.metrics.shares import unseen_variance

Labels = npt.NDArray[np.integer]


def per_example(probabilities: Predictions, labels: Labels) -> Scores:
    """Return B + w_c·(1[right] − r_c), c the example's class and r_c that class's recall.

    Their mean is B, the mean of r_c over the C classes that occur (Brodersen et al. 2010). With
    w_c = n/(C·n_c), widened by √(n_c/(n_c − 1)) for the recall that is taken out, their spread is
    that of B over the draw of examples: 1[right]·w_c, of the same mean, would count how many
    examples of each class were drawn as well, which B does not depend on.
    """
    right = (probabilities.argmax(axis=-1) == labels).astype(np.float64)
    counts = np.bincount(labels)
    recall = np.bincount(labels, weights=right) / np.maximum(counts, 1)
    occur = counts > 0
    weight = len(labels) / (occur.sum() * np.maximum(counts, 1))
    weight *= np.sqrt(counts / np.maximum(counts - 1, 1))
    return np.asarray(recall[occur].mean() + weight[labels] * (right - recall[labels]))


def error(predictions: Sequence[Predictions], labels: Labels, _: np.random.Generator) -> float:
    """Return √(Σ_c s_c²/n_c) / C, s_c² the variance within class c of how many models are right.

    A class whose examples all came out alike has the variance of what was never seen.
    """
    right = np.mean([one.argmax(axis=-1) == labels for one in predictions], axis=0)
    classes = np.unique(labels)
    total = 0.0
    for label in classes:
        own = right[labels == label]
        seen = float(own.var(ddof=1)) / len(own) if len(own) > 1 else 0.0
        total += max(seen, unseen_variance(len(own), len(own)))
    return math.sqrt(total) / len(classes)


BALANCED_ACCURACY = Metric(
    name="balanced_accuracy", title="balanced accuracy", per_example=per_example, factor=100.0,
    unit=" %", digits=2, lowest=0.0, highest=1.0, constant="majority", error=error,
)  # fmt: skip
