"""What the built-in network declares. Enters: a task. Leaves: its trainer."""

from __future__ import annotations

from lamsearch.study import Network
from lamsearch.trainers.network.checkpoint import STATE_VERSION
from lamsearch.trainers.network.trainer import NetworkTrainer
from lamsearch.trainers.protocol import Task, TrainerKind


def _made(task: Task) -> NetworkTrainer:
    network = Network.model_validate(task.options)
    return NetworkTrainer(
        task.splits,
        task.training,
        [point[0] for point in task.points],
        hidden=network.hidden,
        classes=task.classes,
        seed=task.seed,
        test=task.test,
        metric=task.metric,
        augment=task.augment,
    )


NETWORK = TrainerKind(
    name="network", make=_made, options=Network, table="network",
    resumable=True, prunes=True, exports=True, augments=True, state_version=STATE_VERSION,
)  # fmt: skip
