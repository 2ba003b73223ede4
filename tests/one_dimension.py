"""Searches and statistics as functions of log10 λ alone: most of their facts are of one dimension.

Enters: intervals and coordinates. Leaves: the same, of what lamsearch says of a space of one
dimension.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from lamsearch.results import StageName, StageRecord
from lamsearch.search import Batch, StagePlan, samplers
from lamsearch.space import Bounds, Point
from lamsearch.statistics import Difference, Dropped, model
from lamsearch.statistics import differences as differences_to
from lamsearch.statistics import dropped as dropped_by
from lamsearch.study import Fine, Study

search = import_module("lamsearch.search")  # `lamsearch.search` itself is a function

Interval = tuple[float, float]


def bounds(interval: Interval | None) -> Bounds | None:
    """Return an interval as bounds."""
    return None if interval is None else (interval,)


def interval(found: Bounds | None) -> Interval | None:
    """Return bounds as an interval."""
    return None if found is None else found[0]


def at(point: Point | None) -> float | None:
    """Return a point's one coordinate."""
    return None if point is None else point[0]


def _points(values: Iterable[float]) -> list[Point]:
    return [(value,) for value in values]


def _values(points: Iterable[Point]) -> list[float]:
    return [value for (value,) in points]


def draw(count: int, within: Interval, *, seed: Sequence[int], stratified: bool) -> list[float]:
    """Draw in an interval."""
    sampler = samplers.stratified if stratified else samplers.uniform
    return _values(search.draw(count, (within,), seed=seed, sampler=sampler))


def plan_search(
    study: Study, stage: StageName, within: Interval | None = None, **keys: Any
) -> StagePlan:
    """Plan a search of an interval."""
    return search.plan_search(study, stage, bounds(within), **keys)


def plan_candidates(
    study: Study, stage: StageName, values: Sequence[float], **keys: Any
) -> StagePlan:
    """Plan given coordinates."""
    return search.plan_candidates(study, stage, _points(values), **keys)


def narrow(stage: StageRecord, **keys: Any) -> Interval:
    """Narrow to an interval."""
    (found,) = search.narrow(stage, **keys)
    return found


def further(
    stage: StageRecord, fine: Fine, first: Interval, *, within: Interval, examples: int
) -> Batch | None:
    """Go on from an interval."""
    return search.further(stage, fine, (first,), within=(within,), examples=examples)


def finalists(stage: StageRecord, **keys: Any) -> list[float]:
    """Return the coordinates of finalists."""
    return _values(search.finalists(stage, **keys))


def extension(stage: StageRecord, *, step: float, within: Interval, examples: int) -> list[float]:
    """Return the coordinates of further finalists."""
    return _values(search.extension(stage, step=(step,), within=(within,), examples=examples))


def proposals(stage: StageRecord, **keys: Any) -> list[float]:
    """Return the coordinates that a model proposes."""
    return _values(search.proposals(stage, **keys))


def differences(stage: StageRecord, chosen: float, **keys: Any) -> tuple[Difference, ...]:
    """Return the differences to a coordinate."""
    return differences_to(stage, (chosen,), **keys)


def dropped(stage: StageRecord, carried: Iterable[float], noise: Any) -> tuple[Dropped, ...]:
    """Return what was not carried forward."""
    return dropped_by(stage, set(_points(carried)), noise)


def fit(found: model.Scores, within: Interval) -> model.Fitted:
    """Fit a model over an interval."""
    return model.fit(found, (within,))


def propose(fitted: model.Fitted, tried: Iterable[float], count: int) -> list[float]:
    """Return the coordinates that a fitted model proposes."""
    return _values(model.propose(fitted, _points(tried), count))
