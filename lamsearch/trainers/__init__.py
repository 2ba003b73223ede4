"""Trainers: what a trainer is, which are registered, and the built-in network.

Enters: a study, splits, points. Leaves: progress and outcomes. Knows no clocks, files or Optuna.

Whoever writes a trainer finds all that it is made of here: a plain function (`function_trainer`), a
step for a whole cohort (`CohortTrainer`), or the protocol itself (`Trainer`); what these take and
return (`Task`, `Splits`, `Progress`, `Trained`, `Model`); what is declared (`TrainerKind`,
`Parameter`). `lamsearch.trainers.conformance` checks it.
"""

from lamsearch.results import Curve, Model, Trained, TrialState
from lamsearch.space import Point, Scale
from lamsearch.study import Training
from lamsearch.trainers.cohort import CohortTrainer
from lamsearch.trainers.demand import Demand, Shape
from lamsearch.trainers.failures import Guarded, TrainerFailedError
from lamsearch.trainers.function import function_trainer
from lamsearch.trainers.kind import TrainerKind
from lamsearch.trainers.of_study import (
    check,
    device_for,
    kind_of,
    settings,
    splitting,
    trainer_for,
)
from lamsearch.trainers.outcomes import completed
from lamsearch.trainers.protocol import (
    L2_PENALTY,
    Device,
    Exporting,
    ImageSplits,
    NoOptions,
    Parameter,
    Progress,
    Prunable,
    Resumable,
    Snapshotting,
    Splits,
    State,
    Task,
    Trainer,
)
from lamsearch.trainers.registry import kind_named, names, register
from lamsearch.trainers.targets import QuantitySplits, TargetScale, scale_of

__all__ = [
    # what a trainer is made of
    "CohortTrainer",
    "Curve",
    "Demand",
    "Device",
    "Exporting",
    "ImageSplits",
    "L2_PENALTY",
    "Model",
    "NoOptions",
    "Parameter",
    "Point",
    "Progress",
    "Prunable",
    "QuantitySplits",
    "Resumable",
    "Scale",
    "Shape",
    "Snapshotting",
    "Splits",
    "State",
    "TargetScale",
    "Task",
    "Trained",
    "Trainer",
    "TrainerKind",
    "Training",
    "TrialState",
    "completed",
    "function_trainer",
    "register",
    # what drives one
    "Guarded",
    "TrainerFailedError",
    "check",
    "device_for",
    "kind_named",
    "kind_of",
    "names",
    "scale_of",
    "settings",
    "splitting",
    "trainer_for",
]
