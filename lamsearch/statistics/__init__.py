"""Means, standard errors and intervals of accuracies. Enters: numbers, records. Leaves: numbers.

Pure. Refuses to know where records are kept, what is selected, and how anything is shown.
"""

from lamsearch.statistics.accuracy import (
    binomial_error,
    interval95,
    standard_error,
    unseen_variance,
    wilson95,
)
from lamsearch.statistics.scores import (
    CandidateScore,
    candidate_scores,
    cycle_length,
    validation_images,
)

__all__ = [
    "CandidateScore",
    "binomial_error",
    "candidate_scores",
    "cycle_length",
    "interval95",
    "standard_error",
    "unseen_variance",
    "validation_images",
    "wilson95",
]
