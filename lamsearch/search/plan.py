"""The plan: study + stage → cohorts of candidates.

Enters: a checked study, a stage, and where earlier stages decide, their interval or candidates.
Leaves: every trial that will be, before any is trained. Pure: the same study gives the same plan.
Refuses to know how earlier stages were ranked, and who will do the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lamsearch.results import STAGES, StageName
from lamsearch.space import Bounds, Point
from lamsearch.study import Coarse, Fine, Study
from lamsearch.study.samplers import SAMPLERS, Draw

_CANDIDATES = 2  # spawn key of the candidates' draws; the trainer's are 0 and 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """One planned trial; ``point`` is None where an adaptive sampler will choose it."""

    candidate: int
    replicate: int
    point: Point | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortPlan:
    """The trials that are trained together, over one stream of mini-batches."""

    number: int
    replicate: int
    trials: tuple[TrialPlan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """A stage's bounds (None where candidates are given) and its cohorts."""

    stage: StageName
    bounds: Bounds | None
    cohorts: tuple[CohortPlan, ...]

    @property
    def trials(self) -> int:
        """The number of trials planned."""
        return sum(len(cohort.trials) for cohort in self.cohorts)


def plan_search(
    study: Study,
    stage: StageName,
    bounds: Bounds | None = None,
    *,
    count: int | None = None,
    part: tuple[int, ...] = (),
    after: tuple[int, int] = (0, 0),
) -> StagePlan:
    """Plan coarse or fine; ``bounds`` are what earlier stages left, if there were any.

    Where a stage goes on, ``count`` candidates are drawn instead of ``trials``; ``part`` says
    which of its draws they are (round, then extension; none for the first), so that no two repeat
    each other; ``after`` counts the candidates and cohorts that the stage has already.
    """
    search: Coarse | Fine | None = study.coarse if stage == "coarse" else study.fine
    if search is None:
        raise ValueError(f"the study has no stage {stage!r}")
    if search.points is not None:
        return plan_candidates(study, stage, search.points)
    bounds = bounds or search.bounds
    if bounds is None or search.trials is None:
        raise ValueError(f"{stage}: bounds and a number of trials are needed")
    sampler, number = SAMPLERS.get(search.sampler), count or search.trials
    drawn: Sequence[Point | None] = [None] * number
    if sampler.draw is not None:
        seed = (study.seed, STAGES.index(stage), *part)
        drawn = draw(number, bounds, seed=seed, sampler=sampler.draw)
    cohorts = _cohorts(drawn, 1, study.cohort, after)
    return StagePlan(stage=stage, bounds=bounds, cohorts=cohorts)


def plan_candidates(
    study: Study, stage: StageName, candidates: Sequence[Point], *, after: tuple[int, int] = (0, 0)
) -> StagePlan:
    """Plan a stage whose candidates are given, each over the stage's replicates.

    ``after`` counts the candidates and cohorts that the stage has already, where it is extended.
    """
    settings = getattr(study, stage)
    replicates = getattr(settings, "replicates", 1)
    cohorts = _cohorts(candidates, replicates, study.cohort, after)
    return StagePlan(stage=stage, bounds=None, cohorts=cohorts)


def draw(count: int, bounds: Bounds, *, seed: Sequence[int], sampler: Draw) -> list[Point]:
    """Draw ``count`` points within the bounds, by a sampler's shares of them."""
    rng = np.random.default_rng(np.random.SeedSequence(tuple(seed), spawn_key=(_CANDIDATES,)))
    shares = sampler(count, len(bounds), rng)
    lows, highs = np.array(bounds, np.float64).T
    return [tuple(map(float, point)) for point in lows + (highs - lows) * shares]


def training_seed(study: Study, stage: StageName, replicate: int) -> tuple[int, int, int]:
    """Return the entropy of a replicate's weights and mini-batches: [seed, stage, replicate]."""
    return (study.seed, STAGES.index(stage), replicate)


def _cohorts(
    candidates: Sequence[Point | None],
    replicates: int,
    size: int,
    after: tuple[int, int] = (0, 0),
) -> tuple[CohortPlan, ...]:
    """Cut each replicate's candidates into as few cohorts as fit, of nearly equal sizes.

    An odd number of cohorts would leave every other core idle while the last is trained, so the
    last one is halved where it can be. The plan cannot ask how many cores there are: it would no
    longer be the same for 1 worker and for 20.
    """
    pieces = np.array_split(np.arange(len(candidates)), -(-len(candidates) // size))
    cut = [(replicate, piece) for replicate in range(replicates) for piece in pieces]
    if len(cut) % 2 and len(cut[-1][1]) > 1:
        replicate, last = cut.pop()
        cut += [(replicate, half) for half in np.array_split(last, 2)]
    return tuple(
        CohortPlan(
            number=after[1] + number,
            replicate=replicate,
            trials=tuple(
                TrialPlan(
                    candidate=after[0] + int(place),
                    replicate=replicate,
                    point=candidates[place],
                )
                for place in piece
            ),
        )
        for number, (replicate, piece) in enumerate(cut)
    )
