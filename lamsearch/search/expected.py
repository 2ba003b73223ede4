"""What a study will plan, as far as its file says: where results decide, as much as there can be.

Enters: a checked study. Leaves: plans of its stages, with points that stand for those that results
will give. They are valid points: where some do not share cohorts, the candidates are spread evenly
over all that the search may leave, which makes as many cohorts as there can be.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import cycle, islice, product

from lamsearch.results import StageName
from lamsearch.search.plan import StagePlan, plan_candidates, plan_search
from lamsearch.space import Bounds, Point
from lamsearch.study import Study

_MOST = 1000  # points that stand for all that may be drawn


def expected(study: Study, stage: StageName, splitting: Collection[str] = ()) -> StagePlan:
    """Return the plan of a stage with all its rounds, extensions apart.

    ``splitting`` names what is searched and does not share a cohort.
    """
    once = _once(study, stage, splitting)
    return replace(once, cohorts=once.cohorts * getattr(getattr(study, stage), "rounds", 1))


def expected_updates(study: Study, splitting: Collection[str] = ()) -> float:
    """Return the updates that all cohorts of a study will take, extensions apart."""
    return float(
        sum(
            len(expected(study, stage, splitting).cohorts)
            * study.settings_of(stage).training.updates
            for stage in study.stages
        )
    )


def _once(study: Study, stage: StageName, splitting: Collection[str]) -> StagePlan:
    if stage == "coarse":
        return plan_search(study, stage, splitting=splitting)
    if stage == "fine" and study.fine is not None:
        given = study.fine.values or study.fine.bounds
        return plan_search(study, stage, None if given else _searched(study), splitting=splitting)
    count = study.finalists.keep if stage == "finalists" and study.finalists else 1
    points = list(islice(cycle(_spread(study, splitting)), count))
    return plan_candidates(study, stage, points, splitting=splitting)


def _spread(study: Study, splitting: Collection[str]) -> list[Point]:
    """The middle of what is searched, at each value of what is whole and splits cohorts."""
    found = []
    for dimension, (low, high) in zip(study.space.dimensions, _searched(study), strict=True):
        middle = (low + high) / 2
        if dimension.name in splitting and dimension.whole:
            found.append([low + k for k in range(min(int(high - low) + 1, _MOST))])
        else:
            found.append([float(round(middle)) if dimension.whole else middle])
    return list(islice(product(*found), _MOST))


def _searched(study: Study) -> Bounds:
    """The bounds of the first search; those of given candidates, or of a given λ, do not matter."""
    bounds = None if study.search is None else study.search.bounds
    return bounds or ((-1.0, 1.0),) * len(study.space.dimensions)
