"""How large scores are, for what is negligible beside them.

Enters: scores per example. Leaves: a size of at most 1, which shares have. Errors in a target's own
unit may be of any size; the least variances and differences that are told from rounding follow it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.results import StageRecord


def score_size(stage: StageRecord) -> float:
    """Return the size of a stage's scores; 1 where none are kept."""
    return size_of_scores(one.scores for one in stage.trials if one.scores is not None)


def size_of_scores(scores: Iterable[npt.NDArray[Any]]) -> float:
    """Return the largest size of any score, at most 1; 1 of none, of truth values, of zeros."""
    largest = 0.0
    for one in scores:
        if one.dtype == np.bool_ or not one.size:
            return 1.0
        largest = max(largest, float(np.abs(one).max()))
        if largest >= 1:
            return 1.0
    return largest or 1.0
