"""Memory: what a study's stages need at least, and what this machine has.

Enters: a study and the sizes of its data. Leaves: bytes, and sentences where they are too many.
Refuses to know who will train: workers may be elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TypeVar

from pydantic import BaseModel

from lamsearch import data, machine, trainers
from lamsearch.results import StageName
from lamsearch.study import Network, Study, Training, laid_over
from lamsearch.trainers import Demand, Shape

Table = TypeVar("Table", Network, Training)

_FLOAT32 = 4
_LARGE = 10**8  # bytes of splits that are worth a word


def lacking(study: Study, features: int, classes: int) -> Iterator[str]:
    """Yield a sentence per stage that this machine has too little memory for."""
    if trainers.kind_of(study).demand is None:  # what it needs is not known
        return
    have = machine.memory()
    for stage in study.stages:
        need = needed(study, stage, features, classes, study.cohort_size)
        if need > have:
            yield (
                f"{stage} needs about {gigabytes(need)} GB of memory in each worker; "
                f"this machine has {gigabytes(have)} GB"
            )


def redrawn(study: Study, features: int) -> str | None:
    """Return how many splits replicates have of their own, and how large; None without any."""
    sizes: dict[object, int] = {}
    for stage in study.stages:
        train, validation = (size or 0 for size in study.split_of(stage))
        seen = study.settings_of(stage).components or features
        kept = seen * (validation + train) + _further(study, stage, features) * train
        for whose in study.orders_of(stage):
            if whose is not None or study.data.folds is not None:
                sizes[train, validation, seen, whose] = _FLOAT32 * kept
    if not sizes:
        return None
    stages = " and ".join(one for one in study.stages if study.settings_of(one).resplit)
    large = _large(sum(sizes.values()))
    if study.data.folds is None:
        return f"each replicate of {stages} has a split of its own: {len(sizes)} of them{large}"
    rest, fold = study.split_of(study.stages[0])
    return (
        f"each replicate of {stages} validates with one of {study.data.folds} folds of "
        f"{fold} examples and trains on the other {rest}{large}"
    )


def _large(total: int) -> str:
    return f", about {gigabytes(total)} GB in the cache of each host" if total > _LARGE else ""


def demands(study: Study, stage: StageName, features: int, classes: int) -> list[Demand]:
    """Return what cohorts of a stage ask for, at both ends of what is searched.

    Empty where the study's trainer does not declare it.
    """
    kind, settings = trainers.kind_of(study), study.settings_of(stage)
    if kind.demand is None:
        return []
    options, training = trainers.settings(study, stage, [])
    networks: list[BaseModel] = [options]
    trainings = [training]
    if study.uses_network:
        networks = [*_tables(study, study.network, "hidden", "batch_norm")]
        trainings = _tables(study, training, "batch_size", "optimiser")
    seen = settings.components or features
    shape = Shape(examples=settings.train_examples, features=seen, classes=classes)
    return [kind.demand(one, other, shape) for one, other in product(networks, trainings)]


def needed(study: Study, stage: StageName, features: int, classes: int, models: int) -> float:
    """Return the bytes that a worker of a stage needs at most for cohorts of so many models.

    Its splits count as its own, though all workers of a host share them.
    """
    seen = study.settings_of(stage).components or features
    each = seen + _further(study, stage, features)  # numbers kept of an example
    cohorts = (one.memory(models) for one in demands(study, stage, features, classes))
    return max(cohorts, default=0.0) + _FLOAT32 * study.pool_size * each


def _further(study: Study, stage: StageName, features: int) -> int:
    """The numbers that are kept of a training example besides those that models see."""
    match data.kept_to_vary(study, stage):
        case "mirrored_x":
            return study.settings_of(stage).components or 0
        case "unprojected_x":
            return features
    return 0


def _tables(study: Study, table: Table, *keys: str) -> list[Table]:
    """A table with each of the values that are searched of these of its keys."""
    searched = {key: values for key in keys if (values := study.searched(key))}
    ends = product(*searched.values())
    return [laid_over(table, dict(zip(searched, values, strict=True))) for values in ends]


def gigabytes(count: float) -> str:
    """Return bytes in GB, with as many digits as say something."""
    return f"{count / 1e9:,.0f}" if count >= 1e10 else f"{count / 1e9:.1f}"
