"""Sources to splits, the test set sealed.

Enters: a checked study and the directory its data are in. Leaves: the training pool and its splits,
and, against the record of its opening, the test set. Refuses to know networks and storage.
"""

from lamsearch.data.download import fetch
from lamsearch.data.images import LabelledImages
from lamsearch.data.opening import open_test
from lamsearch.data.sources import SourceInfo, located, sources
from lamsearch.data.splits import Splits, normalise
from lamsearch.data.training import TrainingData, load
from lamsearch.data.verification import Verification, verify

__all__ = [
    "load", "TrainingData", "Splits", "normalise",
    "open_test", "LabelledImages",
    "fetch", "verify", "Verification", "sources", "located", "SourceInfo",
]  # fmt: skip
