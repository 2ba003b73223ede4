"""Every mean, standard error, interval, ranking and paired difference. Enters: numbers, records.

Pure. Refuses to know where records are kept, what a search decides, and how anything is shown.
"""

from lamsearch.statistics.candidates import (
    Candidate,
    CandidateScore,
    paired_differences,
    rank,
    score_candidates,
)
from lamsearch.statistics.differences import Bias, Difference, Drop, bias, differences, drops
from lamsearch.statistics.errors import (
    binomial_error,
    interval95,
    standard_error,
    unseen_variance,
    wilson95,
)
from lamsearch.statistics.exclusion import Dropped, SeedNoise, dropped, seed_noise
from lamsearch.statistics.scores import candidate_scores, cycle_length, validation_images

__all__ = [
    "Bias",
    "Candidate",
    "CandidateScore",
    "Difference",
    "Drop",
    "Dropped",
    "SeedNoise",
    "bias",
    "binomial_error",
    "candidate_scores",
    "cycle_length",
    "differences",
    "dropped",
    "drops",
    "interval95",
    "paired_differences",
    "rank",
    "score_candidates",
    "seed_noise",
    "standard_error",
    "unseen_variance",
    "validation_images",
    "wilson95",
]
