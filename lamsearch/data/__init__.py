"""Sources to splits, the test set held out.

Enters: a checked study and the directory its data are in. Leaves: the training pool and its splits,
and, against the record of its opening, the test set. Refuses to know networks and storage.
"""

from lamsearch.data.images import Contents, LabelledImages
from lamsearch.data.opening import open_test
from lamsearch.data.paths import existing
from lamsearch.data.source import Source, SourceInfo
from lamsearch.data.sources import fetch, is_present, located, sources
from lamsearch.data.splits import Splits, kept_to_vary, normalise
from lamsearch.data.training import TrainingData, load
from lamsearch.data.verification import Verification, verify

__all__ = [
    "load", "TrainingData", "Splits", "kept_to_vary", "normalise",
    "open_test", "LabelledImages",
    "fetch", "verify", "Verification", "sources", "located", "existing", "is_present",
    "Source", "SourceInfo", "Contents",
]  # fmt: skip
