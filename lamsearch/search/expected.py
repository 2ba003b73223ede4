"""What a study will plan, as far as its file says: where results decide, as much as there can be.

Enters: a checked study. Leaves: plans of its stages, less the points that results will give.
"""

from __future__ import annotations

from dataclasses import replace

from lamsearch.results import StageName
from lamsearch.search.plan import StagePlan, plan_candidates, plan_search
from lamsearch.space import SPACE
from lamsearch.study import Study

_DIMENSIONS = len(SPACE.dimensions)


def expected(study: Study, stage: StageName) -> StagePlan:
    """Return the plan of a stage with all its rounds, extensions apart."""
    once = _once(study, stage)
    return replace(once, cohorts=once.cohorts * getattr(getattr(study, stage), "rounds", 1))


def expected_updates(study: Study) -> float:
    """Return the updates that all cohorts of a study will take, extensions apart."""
    return float(
        sum(
            len(expected(study, stage).cohorts) * study.settings_of(stage).training.updates
            for stage in study.stages
        )
    )


def _once(study: Study, stage: StageName) -> StagePlan:
    if stage == "coarse":
        return plan_search(study, stage)
    if stage == "fine" and study.fine is not None:
        given = study.fine.values or study.fine.bounds
        return plan_search(study, stage, None if given else ((-1.0, 1.0),) * _DIMENSIONS)
    count = study.finalists.keep if stage == "finalists" and study.finalists else 1
    return plan_candidates(study, stage, [(float(index),) * _DIMENSIONS for index in range(count)])
