"""What the built-in network declares. Enters: a task. Leaves: its trainer."""

from __future__ import annotations

import math

from lamsearch.space import Scale
from lamsearch.study import Network
from lamsearch.trainers.kind import TrainerKind
from lamsearch.trainers.network.checkpoint import STATE_VERSION
from lamsearch.trainers.network.demand import demand
from lamsearch.trainers.network.trainer import NetworkTrainer
from lamsearch.trainers.protocol import L2_PENALTY, Parameter, Table, Task

_RATE = (Scale.LOG, Scale.LINEAR, Scale.CHOICE)
_SHARE = (Scale.LINEAR, Scale.CHOICE)
_WHOLE = (Scale.INTEGER, Scale.CHOICE)


def _apart(
    name: str,
    about: str,
    table: Table,
    scales: tuple[Scale, ...] = (Scale.CHOICE,),
    low: float = -math.inf,
    high: float = math.inf,
) -> Parameter:
    """A parameter that models of one cohort must have alike: their arrays or steps differ in it."""
    return Parameter(
        name=name, about=about, table=table, scales=scales, low=low, high=high, shares_cohort=False
    )


_RATES = 1e-15, 1e10
PARAMETERS = (
    L2_PENALTY,
    Parameter(name="eta_max", about="highest learning rate", table="training", scales=_RATE,
              low=_RATES[0], high=_RATES[1]),
    Parameter(name="eta_min", about="lowest learning rate", table="training", scales=_RATE,
              low=_RATES[0], high=_RATES[1]),
    Parameter(name="dropout", about="share of hidden activations left out", table="network",
              scales=_SHARE, low=0.0, high=0.99),
    Parameter(name="input_dropout", about="share of features left out", table="network",
              scales=_SHARE, low=0.0, high=0.99),
    _apart("hidden", "units of the hidden layers", "network", _WHOLE, 1, 1e6),
    _apart("activation", "of hidden units", "network"),
    _apart("initialisation", "of the weights", "network"),
    _apart("batch_norm", "batch normalisation", "network"),
    _apart("batch_size", "examples in a mini-batch", "training", _WHOLE, 1, 1e9),
    _apart("optimiser", "how weights are stepped", "training"),
    _apart("momentum", "decay of the mean gradient", "training", _SHARE, 0, 1),
    _apart("flip", "mirrored images", "augment"),
    _apart("shift", "pixels that images are moved by", "augment", _WHOLE, 0, 1e4),
)  # fmt: skip


def _made(task: Task) -> NetworkTrainer:
    network = Network.model_validate(task.options)
    return NetworkTrainer(
        task.splits,
        task.training,
        [point[0] for point in task.points],
        network=network,
        classes=task.classes,
        seed=task.seed,
        test=task.test,
        metric=task.metric,
        per_model=task.per_model,
        augment=task.augment,
    )


NETWORK = TrainerKind(
    name="network", make=_made, options=Network, table="network", parameters=PARAMETERS,
    resumable=True, prunes=True, exports=True, snapshots=True, augments=True, weights=True,
    state_version=STATE_VERSION, demand=demand,
)  # fmt: skip
