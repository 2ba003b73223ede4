"""Sources to splits, the test set sealed.

Enters: a checked study and the folder its data are in. Leaves: the training pool and its splits,
and, against the record of its opening, the test set. Refuses to know networks and storage.
"""

from lamsearch.dataset.download import fetch
from lamsearch.dataset.images import LabelledImages
from lamsearch.dataset.opening import open_test
from lamsearch.dataset.sources import SourceInfo, located, sources
from lamsearch.dataset.splits import Splits, normalise
from lamsearch.dataset.training import TrainingData, load
from lamsearch.dataset.verification import Verification, verify

__all__ = [
    "load", "TrainingData", "Splits", "normalise",
    "open_test", "LabelledImages",
    "fetch", "verify", "Verification", "sources", "located", "SourceInfo",
]  # fmt: skip
