"""Frozen records of what was measured and decided. Enters and leaves: plain numbers and arrays.

Refuses to know where the records are kept, how they were made or how they are shown.
"""

from lamsearch.results.columns import Column, columns_document, columns_from
from lamsearch.results.decisions import (
    MODEL_RULE,
    Counts,
    Decision,
    DecisionKind,
    Score,
    ScoreKind,
    Selected,
)
from lamsearch.results.once import once_per_record
from lamsearch.results.packed_scores import packed, unpacked
from lamsearch.results.ramps import RateRamp, RateRange
from lamsearch.results.states import QueuedStudy, StudyState
from lamsearch.results.study import (
    BaselineScore,
    DataFacts,
    FinalScore,
    Joined,
    ScoreBeside,
    SnapshotScore,
    StageRecord,
    StudyRecord,
    TestOpening,
)
from lamsearch.results.trials import (
    SEARCHING,
    STAGES,
    WAS_CANCELLED,
    Activation,
    Curve,
    FloatArray,
    IntArray,
    Model,
    StageName,
    TargetArray,
    Trained,
    TrialRecord,
    TrialState,
)

__all__ = [
    "Activation",
    "Column",
    "BaselineScore",
    "Counts",
    "Curve",
    "DataFacts",
    "Decision",
    "DecisionKind",
    "FinalScore",
    "FloatArray",
    "IntArray",
    "Joined",
    "MODEL_RULE",
    "Model",
    "QueuedStudy",
    "RateRamp",
    "RateRange",
    "SEARCHING",
    "STAGES",
    "Score",
    "ScoreBeside",
    "ScoreKind",
    "Selected",
    "SnapshotScore",
    "StageName",
    "StageRecord",
    "StudyRecord",
    "StudyState",
    "TargetArray",
    "TestOpening",
    "Trained",
    "TrialRecord",
    "TrialState",
    "WAS_CANCELLED",
    "columns_document",
    "columns_from",
    "once_per_record",
    "packed",
    "unpacked",
]
