"""What no learning gets: the metric's constant answer, from each split's training targets.

Enters: a study, the targets of its training pool and its splits. Leaves: by stage the answer, its
validation score, and its numbers per example where candidates are compared. Refuses to know
features and test targets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.data.moments import Order
from lamsearch.metrics import Scores, constant_of, constant_scores, metric_of
from lamsearch.results import StageName, packed
from lamsearch.study import Study

_MOST_CHARACTERS = 1_000_000  # of one study's row

# Training and validation examples of a split, with the stages that use it.
Split = tuple[Sequence[StageName], Order, Order]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """By stage: the constant answer, its validation score, and its packed numbers per example.

    Where replicates have splits of their own the first two are means over these, and the last has
    one text for each. It is there for the stage that decides, if its texts are not long.
    """

    constants: Mapping[StageName, tuple[float, ...]]
    scores: Mapping[StageName, float]
    per_example: Mapping[StageName, tuple[str, ...]]


@dataclass(slots=True)
class _Found:
    constants: list[tuple[float, ...]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    per_example: list[Scores] = field(default_factory=list)


def baselines_of(
    study: Study, y: npt.NDArray[Any], classes: int, splits: Iterable[Split]
) -> Baselines:
    """Return what a constant answer gets on each stage's validation examples.

    A stage where that is no number is left out.
    """
    metric, found = metric_of(study.metric), dict[StageName, _Found]()
    for stages, train, validation in splits:
        constant = constant_of(metric, y[train], classes)
        with np.errstate(all="ignore"):  # of a metric that a constant answer has no number for
            numbers = constant_scores(metric, constant, y[validation])
        for stage in stages:
            one = found.setdefault(stage, _Found())
            one.constants.append(constant)
            one.scores.append(float(numbers.mean()))
            one.per_example.append(numbers)
    known = [stage for stage in study.stages if stage in found and _finite(found[stage])]
    return Baselines(
        constants={stage: _mean(found[stage].constants) for stage in known},
        scores={
            stage: math.fsum(found[stage].scores) / len(found[stage].scores) for stage in known
        },
        per_example=_packed(study, {stage: found[stage].per_example for stage in known}),
    )


def _packed(
    study: Study, found: Mapping[StageName, Sequence[Scores]]
) -> dict[StageName, tuple[str, ...]]:
    """The texts of the stage that decides."""
    deciding = [stage for stage in study.stages if stage != "final"][-1:]
    texts = {stage: [packed(one) for one in found[stage]] for stage in deciding if stage in found}
    return {
        stage: tuple(text for text in some if text is not None)
        for stage, some in texts.items()
        if None not in some and sum(len(text or "") for text in some) <= _MOST_CHARACTERS
    }


def _mean(constants: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(math.fsum(column) / len(column) for column in zip(*constants, strict=True))


def _finite(found: _Found) -> bool:
    return all(map(math.isfinite, found.scores)) and all(
        bool(np.isfinite(one).all()) for one in found.per_example
    )
