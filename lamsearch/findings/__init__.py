"""What a study's record says, in plain words, for whoever shows it.

Enters: a study's record. Leaves: facts and sentences of unescaped text. Refuses to know markup,
pages and storages: a report and a dashboard say the same because they ask here.
"""

from lamsearch.findings import final_validation, uncertainty, versions
from lamsearch.findings.baseline import Baseline, baseline, baseline_sentences
from lamsearch.findings.choice import chosen_score, nearest_trained, score_words
from lamsearch.findings.stages import deciding, finished
from lamsearch.findings.warnings import warnings

__all__ = [
    "Baseline",
    "baseline",
    "baseline_sentences",
    "chosen_score",
    "deciding",
    "final_validation",
    "finished",
    "nearest_trained",
    "score_words",
    "uncertainty",
    "versions",
    "warnings",
]
