"""The study file: what one study is, from data to final model.

Enters: a TOML file (or its canonical dictionary). Leaves: a frozen, checked `Study`, or one error
with every issue in it. Refuses to know what happens to a study later.
"""

from lamsearch.study.altered import issues_with, laid_over
from lamsearch.study.augment import Augment
from lamsearch.study.cautions import cautions
from lamsearch.study.data import Assigned, Data, ImageShape, Sizes
from lamsearch.study.document import MOST_TOGETHER, Study
from lamsearch.study.limits import Limits
from lamsearch.study.reading import (
    differences,
    issues_of,
    json_schema,
    parse_file,
    parse_study,
    read_study,
)
from lamsearch.study.sections import NAME_PATTERN, Network, OptimiserName, Training
from lamsearch.study.settings import StageSettings, recorded_settings
from lamsearch.study.sizing import sized, with_cohort, with_sizes
from lamsearch.study.sources import SOURCES, source_of
from lamsearch.study.stages import Coarse, Final, Finalists, Fine

__all__ = [
    "read_study", "parse_file", "parse_study", "Study", "NAME_PATTERN", "MOST_TOGETHER",
    "cautions", "issues_with", "laid_over", "differences", "json_schema", "issues_of",
    "StageSettings", "recorded_settings", "sized", "with_cohort", "with_sizes",
    "OptimiserName", "Data", "Augment", "Network", "Training",
    "Coarse", "Fine", "Finalists", "Final", "Limits",
    "SOURCES", "source_of", "Assigned", "ImageShape", "Sizes",
]  # fmt: skip
