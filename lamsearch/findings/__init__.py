"""What a study's record says, in plain words, for whoever shows it.

Enters: a study's record. Leaves: facts and sentences of unescaped text. Refuses to know markup,
pages and storages: a report and a dashboard say the same because they ask here.
"""

from lamsearch.findings import uncertainty, versions
from lamsearch.findings.baseline import Baseline, baseline, baseline_sentences
from lamsearch.findings.choice import accuracy_words, chosen_score, nearest_trained
from lamsearch.findings.stages import deciding, finished
from lamsearch.findings.warned import warnings

__all__ = [
    "Baseline",
    "accuracy_words",
    "baseline",
    "baseline_sentences",
    "chosen_score",
    "deciding",
    "finished",
    "nearest_trained",
    "uncertainty",
    "versions",
    "warnings",
]
