"""Whether models are better than what no learning gets: paired by example.

Enters: models' and a constant answer's numbers per example. Leaves: the gain with its interval, and
which candidates are better when they are many. Pure. Refuses to know what the constant answer is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lamsearch.metrics.shares import unseen_variance
from lamsearch.statistics.differences import Gain
from lamsearch.statistics.quantiles import normal_quantile, student_quantile

BEYOND = 0.025  # the chance that no candidate is better and one seems so
_ROUNDING = 1e-6  # of the scores' size: what float32 keeps of a number is no gain


def gain_over(
    scores: npt.NDArray[np.generic], always: npt.NDArray[np.generic], *, beyond: float = BEYOND
) -> Gain:
    """Return how much higher the models of ``scores`` (R, examples) score than a constant answer.

    ``always`` (examples,) are the constant answer's numbers on the same examples. The interval is
    Student's over the draw of examples of the mean over the R models, paired; the gain of models
    that are no better lies above it in a share ``beyond`` of draws. It knows nothing of seeds: that
    these very models are better is the question.
    """
    gaps = scores.astype(np.float64).mean(axis=0) - always.astype(np.float64)
    count, mean = len(gaps), float(gaps.mean())
    variance = float(gaps.var(ddof=1)) / count if count > 1 else math.inf
    least = _ROUNDING * float(np.abs(always.astype(np.float64)).max())
    if scores.dtype == np.bool_:
        variance = max(variance, unseen_variance(count, count))
    error = math.sqrt(max(variance, least**2))
    half = float(student_quantile(max(count - 1, 1), 1 - beyond)) * error
    return Gain(mean=mean, interval95=(mean - half, mean + half))


def gain_over_splits(
    scores: npt.NDArray[np.generic], always: Sequence[npt.NDArray[np.generic]], *, beyond: float
) -> Gain:
    """Return the same where each replicate has validation examples of its own.

    They are of one pool, so the replicates' errors are not independent: the half width is the mean
    of theirs.
    """
    found = [
        gain_over(row[None], one, beyond=beyond) for row, one in zip(scores, always, strict=True)
    ]
    mean = math.fsum(one.mean for one in found) / len(found)
    ends = [one.mean - one.interval95[0] for one in found if one.interval95 is not None]
    half = math.fsum(ends) / len(found)
    return Gain(mean=mean, interval95=(mean - half, mean + half))


def unpaired_better(
    score: float, error: float, always: float, always_error: float, *, beyond: float
) -> bool:
    """Return whether a score is higher than a constant answer's beyond their two errors.

    For scores whose numbers per example are not at hand.
    """
    return score - always > normal_quantile(1 - beyond) * math.hypot(error, always_error)
