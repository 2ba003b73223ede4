"""Planned trials as Optuna is given them: waiting, with parameters, distributions and attributes.

Enters: a planned trial, the bounds that it is drawn within, and its forerunner where another
program has had one. Leaves: Optuna's trial, and its bounds. Refuses to know any table.
"""

from __future__ import annotations

from typing import Any

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from lamsearch.search import TrialPlan
from lamsearch.space import Bounds, Interval, Point, Space
from lamsearch.storage.distributions import distribution, interval_of, parameters
from lamsearch.storage.documents import bounds_entry, bounds_of_entry


def template(planned: TrialPlan, cohort: int, bounds: Bounds, space: Space) -> FrozenTrial:
    """Return a planned trial for Optuna: waiting, with its point unless a sampler chooses."""
    params = {} if planned.point is None else parameters(space, planned.point)
    attributes: dict[str, Any] = {
        "candidate": planned.candidate, "replicate": planned.replicate, "cohort": cohort
    }  # fmt: skip
    if planned.point is not None:
        attributes |= values_apart(space, planned.point)
    else:  # the stage's own bounds may grow before the sampler is asked
        attributes |= bounds_entry(bounds)
    kinds = list(map(distribution, space.dimensions, bounds))
    return optuna.trial.create_trial(
        state=OptunaState.WAITING,
        params=params,
        distributions=dict(zip(params, kinds, strict=True)) if params else {},
        user_attrs=attributes,
    )


def values_apart(space: Space, point: Point) -> dict[str, Any]:
    """Return the values at a point of what has not its value under its name: ``lambda``."""
    pairs = zip(space.dimensions, space.values(point), strict=True)
    return {one.parameter: value for one, value in pairs if one.parameter != one.name}


def bounds_for(
    point: Point | None, space: Space, bounds: Bounds | None, old: FrozenTrial | None
) -> Bounds | None:
    """Return what a fresh trial's distributions are: its forerunner's, else the stage's bounds.

    None where a sampler is to choose and nobody knows between what.
    """
    if point is None:
        return (None if old is None else _drawn_within(old)) or bounds
    intervals = bounds or (None,) * len(point)
    known = {} if old is None else old.distributions
    return tuple(
        _around(x, interval, interval_of(dimension, known.get(dimension.name)))
        for x, interval, dimension in zip(point, intervals, space.dimensions, strict=True)
    )


def _around(x: float, interval: Interval | None, known: Interval | None) -> Interval:
    """The interval of a dimension that holds a coordinate."""
    low, high = interval or (x, x)
    if interval is not None and low <= x <= high:
        return interval
    if known is not None and known[0] <= x <= known[1]:
        return known
    return min(low, x), max(high, x)


def _drawn_within(trial: FrozenTrial) -> Bounds | None:
    """The bounds that a trial's sampler has; None where another program has changed them."""
    try:
        found = bounds_of_entry(trial.user_attrs)
    except (LookupError, ValueError, TypeError):
        return None
    return found if found and all(low <= high for low, high in found) else None
