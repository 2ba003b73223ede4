"""Selection: results → ranking, narrowed interval, finalists, winner. By validation accuracy only.

Enters: finished stages as records. Leaves: log10 λs and what the data say of them. Pure.
Refuses to know the test set, training accuracy, storages and plans.
"""

from lamsearch.selection import halving
from lamsearch.selection.doubt import Bias, Difference, Drop, bias, differences, drops
from lamsearch.selection.dropped import Dropped, SeedNoise, dropped, seed_noise
from lamsearch.selection.model import Fitted, Scores, fit, propose, scores
from lamsearch.selection.narrowing import Batch, further
from lamsearch.selection.ranking import (
    Judged,
    apart,
    extension,
    finalists,
    narrow,
    proposals,
    rank,
    restated,
    searched,
    winner,
)

__all__ = [
    "Batch",
    "Bias",
    "Difference",
    "Drop",
    "Dropped",
    "Fitted",
    "Judged",
    "Scores",
    "SeedNoise",
    "apart",
    "bias",
    "differences",
    "dropped",
    "drops",
    "extension",
    "finalists",
    "fit",
    "further",
    "halving",
    "narrow",
    "proposals",
    "propose",
    "rank",
    "restated",
    "scores",
    "searched",
    "seed_noise",
    "winner",
]
