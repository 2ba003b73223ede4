"""A whole search in one process and in memory.

Enters: a checked study, and what trains a cohort. Leaves: the records of its stages and the choice.
Every decision is `next_step`'s, so the answer is that of the service. Refuses to know data, test
sets and storages: nothing is kept, and nothing survives a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from lamsearch.results import Selected, StageName, StageRecord, Trained, TrialRecord
from lamsearch.search.plan import CohortPlan
from lamsearch.search.prior import seen_before
from lamsearch.search.steps import Choose, Plan, Standing, next_step
from lamsearch.space import Bounds, enclosing
from lamsearch.study import Study

# What became of a cohort's trials, in their order.
TrainCohort = Callable[[StageName, CohortPlan], Sequence[Trained]]


class Mapped(Protocol):
    """Calls a function on each of many cohorts, as `map` does: in this process or in others."""

    def __call__(
        self, function: Callable[[CohortPlan], Sequence[Trained]], cohorts: Sequence[CohortPlan], /
    ) -> Iterable[Sequence[Trained]]:
        """Return what the function returns, in the order of the cohorts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRecord:
    """A search that is over: its stages, the final's trials included, and what was chosen."""

    stages: Mapping[StageName, StageRecord]
    selected: Selected


def carry_out(
    study: Study,
    train: TrainCohort,
    *,
    examples: Mapping[StageName, int],
    splitting: Collection[str] = (),
    mapped: Mapped = map,
) -> SearchRecord:
    """Search, and train the final where the study has one; nothing is tested.

    Args:
        study: what is searched; no stage may have an adaptive sampler.
        train: trains the trials of a cohort and says what became of them, in their order.
        examples: by stage how many validation examples there are.
        splitting: what is searched and cannot be trained in one cohort.
        mapped: has the cohorts of a step trained: one after another, unless told otherwise.

    Raises:
        InputError: The study starts from another one, which only a storage could know.
        WorkFailedError: Too little ended well to go on with.
        ValueError: A stage's sampler needs the scores of earlier trials.
    """
    seen_before(study)  # refuses at once what would be missed at the choice
    standing = Standing(examples=examples, splitting=frozenset(splitting))
    while True:
        step = next_step(study, standing)
        if isinstance(step, Plan):
            standing = _trained(standing, step, train, mapped)
        elif isinstance(step, Choose):
            standing = replace(standing, selected=step.selected)
        else:
            assert standing.selected is not None  # noqa: S101  # nothing ends before the choice
            return SearchRecord(stages=standing.stages, selected=standing.selected)


def _trained(standing: Standing, step: Plan, train: TrainCohort, mapped: Mapped) -> Standing:
    """The standing once a step's trials are trained."""
    stage, before = step.trials.stage, standing.stages.get(step.trials.stage)
    cohorts = step.trials.cohorts
    if any(one.point is None for cohort in cohorts for one in cohort.trials):
        raise ValueError(f"{stage}: sampler: must not be adaptive where a search is kept in memory")
    outcomes = mapped(partial(train, stage), cohorts)
    pairs = zip(cohorts, outcomes, strict=True)
    trials = [record for cohort, trained in pairs for record in _records(cohort, trained)]
    record = StageRecord(
        name=stage,
        bounds=_wider(before, step.trials.bounds),
        trials=_in_order([*(before.trials if before else ()), *trials]),
        decisions=(*(before.decisions if before else ()), step.decision),
    )
    rounds = standing.rounds.get(stage, 0) + step.rounds
    return replace(
        standing,
        stages={**standing.stages, stage: record},
        rounds={**standing.rounds, stage: rounds},
    )


def _records(cohort: CohortPlan, outcomes: Sequence[Trained]) -> Iterable[TrialRecord]:
    for planned, trained in zip(cohort.trials, outcomes, strict=True):
        yield TrialRecord.of(
            trained, planned.candidate, planned.replicate, planned.point, cohort=cohort.number
        )


def _in_order(trials: Iterable[TrialRecord]) -> tuple[TrialRecord, ...]:
    return tuple(sorted(trials, key=lambda one: (one.candidate, one.replicate)))


def _wider(before: StageRecord | None, bounds: Bounds | None) -> Bounds | None:
    """A stage's bounds with those of further trials, as a storage widens them."""
    if before is None or before.bounds is None or bounds is None:
        return bounds if before is None else before.bounds
    return enclosing(before.bounds, bounds)
