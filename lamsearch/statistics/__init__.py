"""Every mean, standard error, interval, ranking and paired difference. Enters: numbers, records.

Pure. Refuses to know where records are kept, what a search decides, and how anything is shown.
"""

from lamsearch.metrics.shares import unseen_variance
from lamsearch.statistics.candidates import (
    Candidate,
    CandidateScore,
    paired_differences,
    rank,
    score_candidates,
)
from lamsearch.statistics.constant import (
    BEYOND,
    gain_over,
    gain_over_splits,
    unpaired_better,
)
from lamsearch.statistics.deciding_curve import DecidingCurve, deciding_curve
from lamsearch.statistics.differences import (
    Bias,
    Difference,
    Drop,
    Gain,
    bias,
    differences,
    drops,
    gain_of,
)
from lamsearch.statistics.errors import (
    binomial_error,
    interval95,
    standard_error,
    wilson95,
)
from lamsearch.statistics.exclusion import Dropped, SeedNoise, dropped, seed_noise
from lamsearch.statistics.importances import Importances, Shares, importances
from lamsearch.statistics.scores import (
    best_score,
    candidate_scores,
    cycle_length,
    differing,
    resplit,
    validation_images,
)
from lamsearch.statistics.searched import Searched, searched

__all__ = [
    "BEYOND",
    "Bias",
    "Candidate",
    "CandidateScore",
    "DecidingCurve",
    "Difference",
    "Drop",
    "Dropped",
    "Gain",
    "Importances",
    "Searched",
    "SeedNoise",
    "Shares",
    "bias",
    "binomial_error",
    "best_score",
    "candidate_scores",
    "cycle_length",
    "deciding_curve",
    "differences",
    "differing",
    "dropped",
    "drops",
    "gain_of",
    "gain_over",
    "gain_over_splits",
    "importances",
    "interval95",
    "paired_differences",
    "rank",
    "resplit",
    "score_candidates",
    "searched",
    "seed_noise",
    "standard_error",
    "unpaired_better",
    "unseen_variance",
    "validation_images",
    "wilson95",
]
