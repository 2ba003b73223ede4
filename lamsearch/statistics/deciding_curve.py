"""The curve that decided, where a model did: its mean and band, and the means that it rests on.

Enters: a study's record. Leaves: the model along each dimension through the chosen point. It is
fitted again from the scores that are stored, as the search fitted it; where that does not give the
score that was stored with the choice there is none. Refuses to decide anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lamsearch.results import (
    MODEL_RULE,
    ScoreKind,
    Selected,
    StageName,
    StageRecord,
    StudyRecord,
    once_per_record,
)
from lamsearch.space import Point, span
from lamsearch.statistics import model
from lamsearch.statistics.scores import validation_images

_POINTS = 81  # along a dimension
_UNKNOWN_EXAMPLES = 10_000  # they bound the noise of scores that never differed, and nothing else
_SAME = 0.1  # of the stored standard deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPoint:
    """A candidate's mean score, and the standard deviation that the model gives it."""

    point: Point
    mean: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The model along one dimension, all other coordinates those of the chosen point.

    ``at``, ``mean`` and ``sd`` have the same length.
    """

    dimension: int
    at: tuple[float, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingCurve:
    """The model of ``stage``: the means that it rests on, and a section for each dimension.

    ``sd`` is of differences between candidates: what all replicates share is not in it.
    """

    stage: StageName
    points: tuple[ModelPoint, ...]
    sections: tuple[Section, ...]


@once_per_record
def deciding_curve(record: StudyRecord) -> DecidingCurve | None:
    """Return the curve that chose, None where no model did or where its fit cannot be repeated."""
    chosen, stage = record.selected, _deciding(record)
    if chosen is None or stage is None or not chosen.rule.startswith(MODEL_RULE):
        return None
    if model.ended_well(stage) < 2:
        return None
    found = model.scores(stage, validation_images(record, stage.name) or _UNKNOWN_EXAMPLES)
    prior = _prior(record)
    (level,), _ = model.predict(found, np.array([chosen.point]), record.space, prior)
    if not _is_the_stored(chosen, float(level)):
        return None
    return DecidingCurve(
        stage=stage.name,
        points=tuple(
            ModelPoint(point=tuple(map(float, point)), mean=float(mean), sd=float(variance) ** 0.5)
            for point, mean, variance in zip(
                found.points, found.means, found.variances, strict=True
            )
        ),
        sections=tuple(
            _section(record, chosen.point, found, prior, index)
            for index in range(len(record.space.dimensions))
        ),
    )


def _deciding(record: StudyRecord) -> StageRecord | None:
    order: tuple[StageName, ...] = ("finalists", "fine", "coarse")
    return next((record.stages[name] for name in order if name in record.stages), None)


def _prior(record: StudyRecord) -> tuple[model.Scores, ...]:
    """What another study saw, as it was written into the plan."""
    coarse = record.settings.get("coarse")
    rows = coarse.get("prior") if isinstance(coarse, Mapping) else None
    return tuple(model.from_rows(one) for one in rows or ())


def _is_the_stored(chosen: Selected, level: float) -> bool:
    score = chosen.score
    if score is None or score.kind is not ScoreKind.PREDICTED:
        return score is not None
    return abs(level - score.mean) <= _SAME * score.se


def _section(
    record: StudyRecord,
    chosen: Point,
    found: model.Scores,
    prior: tuple[model.Scores, ...],
    index: int,
) -> Section:
    dimension = record.space.dimensions[index]
    low, high = span([*map(tuple, found.points.tolist()), chosen])[index]
    at: npt.NDArray[np.float64] = np.unique(found.points[:, index])
    if dimension.ordered:
        at = np.unique([*np.linspace(low, high, _POINTS), chosen[index]])
        at = np.unique(np.round(at)) if dimension.whole else at
    points = np.tile(np.array(chosen, np.float64), (len(at), 1))
    points[:, index] = at
    mean, sd = model.predict(found, points, record.space, prior)
    return Section(
        dimension=index,
        at=tuple(map(float, at)),
        mean=tuple(map(float, mean)),
        sd=tuple(map(float, sd)),
    )
