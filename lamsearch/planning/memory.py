"""Memory: what a study's stages need at least, and what this machine has.

Enters: a study and the sizes of its data. Leaves: bytes, and sentences where they are too many.
Refuses to know who will train: workers may be elsewhere.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise, product
from pathlib import Path
from typing import TypeVar

from lamsearch import data
from lamsearch.results import StageName
from lamsearch.study import Network, Study, Training, laid_over

Table = TypeVar("Table", Network, Training)

_FLOAT32 = 4
_LARGE = 10**8  # bytes of splits that are worth a word
_CONTROL_GROUP = Path("/sys/fs/cgroup/memory.max")  # a container's own limit


def lacking(study: Study, features: int, classes: int) -> Iterator[str]:
    """Yield a sentence per stage that this machine has too little memory for."""
    if not study.uses_network:  # what others need is not known
        return
    have = _here()
    for stage in study.stages:
        need = _needed(study, stage, features, classes)
        if need > have:
            yield (
                f"{stage} needs about {_gigabytes(need)} GB of memory in each worker; "
                f"this machine has {_gigabytes(have)} GB"
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
    return f", about {_gigabytes(total)} GB in the cache of each host" if total > _LARGE else ""


def _needed(study: Study, stage: StageName, features: int, classes: int) -> int:
    """The most that any cohort of a stage needs, whatever is searched."""
    settings = study.settings_of(stage)
    seen = settings.components or features
    each = seen + _further(study, stage, features)  # numbers kept of an example
    networks = _tables(study, study.network, "hidden", "batch_norm")
    trainings = _tables(study, settings.training, "batch_size", "optimiser")
    cohort = max(
        _of_cohort(network, training, study.cohort, (seen, *network.units, classes or 1))
        for network, training in product(networks, trainings)
    )
    return _FLOAT32 * (cohort + study.pool_size * each)


def _further(study: Study, stage: StageName, features: int) -> int:
    """The numbers that are kept of a training example besides those that models see."""
    match data.kept_to_vary(study, stage):
        case "mirrored_x":
            return study.settings_of(stage).components or 0
        case "unprojected_x":
            return features
    return 0


def _of_cohort(network: Network, training: Training, models: int, sizes: tuple[int, ...]) -> int:
    """Weights, a copy, the optimiser's moments, a mini-batch with its activations: the least."""
    from lamsearch.trainers.network.rules import rule_of  # with all of the network

    weights = sum(above * below for above, below in pairwise(sizes))
    copies = 2 + len(rule_of(training).moments)
    buffers = 3 if network.batch_norm else 2
    batch = sizes[0] + buffers * models * sum(sizes[1:])
    return copies * models * weights + training.batch_size * batch


def _tables(study: Study, table: Table, *keys: str) -> list[Table]:
    """A table with each of the values that are searched of these of its keys."""
    searched = {key: values for key in keys if (values := study.searched(key))}
    ends = product(*searched.values())
    return [laid_over(table, dict(zip(searched, values, strict=True))) for values in ends]


def _here() -> float:
    """The memory of this machine, or less where a container has a limit."""
    physical = _physical()
    try:
        return min(physical, int(_CONTROL_GROUP.read_text(encoding="ascii")))
    except (OSError, ValueError):  # none, or "max"
        return physical


def _physical() -> float:
    """What is built into this machine; infinite where nobody tells."""
    if sys.platform != "win32" and hasattr(os, "sysconf"):
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    with suppress(ImportError):
        import psutil  # of Windows alone

        return float(psutil.virtual_memory().total)
    return math.inf


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:,.0f}" if count >= 1e10 else f"{count / 1e9:.1f}"
