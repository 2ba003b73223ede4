"""Dimensions as Optuna has them: distributions, parameters, suggestions.

Enters: a dimension, coordinates. Leaves: what stands under its name in Optuna's tables: the value
(of a ``log10_…`` the coordinate), of a choice that is no plain value its JSON text. Refuses to know
where a trial is kept.
"""

from __future__ import annotations

from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from lamsearch.axes import recorded
from lamsearch.space import Bounds, Dimension, Interval, Point, Scale, Space


def distribution(dimension: Dimension, interval: Interval) -> BaseDistribution:
    """Return Optuna's distribution of a dimension within an interval of coordinates.

    A choice has all of its values, wherever it is drawn: Optuna refuses others later on.
    """
    if dimension.scale is Scale.CHOICE:
        return CategoricalDistribution([recorded(one) for one in dimension.choices])
    low, high = map(dimension.named, interval)
    if dimension.scale is Scale.INTEGER:
        return IntDistribution(low, high)
    return FloatDistribution(low, high, log=dimension.scale is Scale.LOG)


def interval_of(dimension: Dimension, known: BaseDistribution | None) -> Interval | None:
    """Return the coordinates that a distribution of this dimension spans; None of another's."""
    if isinstance(known, (FloatDistribution, IntDistribution)) and dimension.ordered:
        return dimension.coordinate(known.low), dimension.coordinate(known.high)
    return None


def parameter(dimension: Dimension, coordinate: float) -> Any:
    """Return what Optuna has under a dimension's name at a coordinate."""
    return recorded(dimension.named(coordinate))


def parameters(space: Space, point: Point) -> dict[str, Any]:
    """Return what Optuna has under each name at a point."""
    pairs = zip(space.dimensions, point, strict=True)
    return {dimension.name: parameter(dimension, x) for dimension, x in pairs}


def suggested(trial: Trial, space: Space, bounds: Bounds) -> Point:
    """Return the point that a trial's sampler chooses, by Optuna's own calls."""
    pairs = zip(space.dimensions, bounds, strict=True)
    return tuple(_suggested(trial, dimension, interval) for dimension, interval in pairs)


def _suggested(trial: Trial, dimension: Dimension, interval: Interval) -> float:
    name = dimension.name
    if dimension.scale is Scale.CHOICE:
        choices = [recorded(one) for one in dimension.choices]
        return float(choices.index(trial.suggest_categorical(name, choices)))
    low, high = map(dimension.named, interval)
    if dimension.scale is Scale.INTEGER:
        return float(trial.suggest_int(name, low, high))
    found = trial.suggest_float(name, low, high, log=dimension.scale is Scale.LOG)
    if dimension.scale is not Scale.LOG:
        return found
    return min(max(dimension.coordinate(found), interval[0]), interval[1])
