"""The study file: what one study is, from data to final model.

Enters: a TOML file (or its canonical dictionary). Leaves: a frozen, checked `Study`, or one error
with every issue in it. Refuses to know what happens to a study later.
"""

from lamsearch.study.cautions import cautions
from lamsearch.study.document import Study
from lamsearch.study.reading import differences, issues_of, json_schema, parse_study, read_study
from lamsearch.study.resolved import resolved
from lamsearch.study.sections import (
    CIFAR10_BATCH,
    KNOWN_SOURCES,
    Coarse,
    Data,
    Final,
    Finalists,
    Fine,
    Network,
    Training,
)

__all__ = [
    "CIFAR10_BATCH",
    "KNOWN_SOURCES",
    "Coarse",
    "Data",
    "Final",
    "Finalists",
    "Fine",
    "Network",
    "Study",
    "Training",
    "cautions",
    "differences",
    "issues_of",
    "json_schema",
    "parse_study",
    "read_study",
    "resolved",
]
