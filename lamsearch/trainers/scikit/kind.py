"""What the trainer `sklearn` declares. Enters: a task. Leaves: its trainer."""

from __future__ import annotations

from lamsearch.space import Scale
from lamsearch.study import Augment
from lamsearch.trainers.kind import TrainerKind
from lamsearch.trainers.protocol import L2_PENALTY, Parameter
from lamsearch.trainers.scikit.catalogue import parameter_names
from lamsearch.trainers.scikit.options import Options, study_issues
from lamsearch.trainers.scikit.trainer import EstimatorTrainer

_SCALES = (Scale.LINEAR, Scale.LOG, Scale.INTEGER, Scale.CHOICE)
# Which of them an estimator has, and between which values, is checked with its options.
_PARAMETERS = tuple(
    Parameter(name=name, about="a parameter of the estimator", scales=_SCALES)
    for name in parameter_names()
    if name not in Augment.model_fields
)

SKLEARN = TrainerKind(
    name="sklearn", make=EstimatorTrainer, options=Options, parameters=(L2_PENALTY, *_PARAMETERS),
    exports=True, issues=study_issues,
)  # fmt: skip
