"""Trainers: what a trainer is, which are registered, and the built-in network.

Enters: a study, splits, points. Leaves: progress and outcomes. Knows no clocks, files or Optuna.
"""

from lamsearch.trainers.failures import Guarded, TrainerFailedError
from lamsearch.trainers.function import function_trainer
from lamsearch.trainers.of_study import check, kind_of, settings, splitting, trainer_for
from lamsearch.trainers.protocol import (
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
    TrainerKind,
)
from lamsearch.trainers.registry import kind_named, names, register

__all__ = [
    "Exporting",
    "Guarded",
    "ImageSplits",
    "NoOptions",
    "Parameter",
    "Progress",
    "Prunable",
    "Resumable",
    "Snapshotting",
    "Splits",
    "State",
    "Task",
    "Trainer",
    "TrainerFailedError",
    "TrainerKind",
    "check",
    "function_trainer",
    "kind_named",
    "kind_of",
    "names",
    "register",
    "settings",
    "splitting",
    "trainer_for",
]
