"""Memory: what a study's stages need at least, and what this machine has.

Enters: a study and the sizes of its data. Leaves: bytes, and sentences where they are too many.
Refuses to know who will train: workers may be elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from lamsearch.results import StageName
from lamsearch.study import Study

_FLOAT32 = 4
_MOMENTS = {"sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2, "adamw": 2}  # numbers per weight
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


def _needed(study: Study, stage: StageName, features: int, classes: int) -> int:
    """Weights, a copy, the optimiser's moments, a mini-batch's activations, and the splits: the
    least there is."""
    settings, units = study.settings_of(stage), study.network.units
    seen = settings.components or features
    weights = sum(above * below for above, below in pairwise((seen, *units, classes)))
    copies = 2 + _MOMENTS[settings.training.optimiser]
    buffers = 3 if study.network.batch_norm else 2
    activations = buffers * study.cohort * sum((*units, classes))
    examples = study.pool_size + settings.training.batch_size
    return _FLOAT32 * (
        copies * study.cohort * weights
        + settings.training.batch_size * activations
        + examples * seen
    )


def _here() -> int:
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(physical, int(_CONTROL_GROUP.read_text()))
    except (OSError, ValueError):  # none, or "max"
        return physical


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.0f}" if count >= 1e10 else f"{count / 1e9:.1f}"
