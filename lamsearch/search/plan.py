"""The plan: study + stage → cohorts of candidates.

Enters: a checked study, a stage, and where earlier stages decide, their interval or candidates.
Leaves: every trial that will be, before any is trained. Pure: the same study gives the same plan.
Refuses to know how earlier stages were ranked, and who will do the work.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from lamsearch.results import STAGES, StageName
from lamsearch.space import SPACE, Bounds, Point, Space
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
    splitting: Collection[str] = (),
) -> StagePlan:
    """Plan coarse or fine; ``bounds`` are what earlier stages left, if there were any.

    Where a stage goes on, ``count`` candidates are drawn instead of ``trials``; ``part`` says
    which of its draws they are (round, then extension; none for the first), so that no two repeat
    each other; ``after`` counts the candidates and cohorts that the stage has already.
    Candidates that differ in what ``splitting`` names are in different cohorts.
    """
    search: Coarse | Fine | None = study.coarse if stage == "coarse" else study.fine
    if search is None:
        raise ValueError(f"the study has no stage {stage!r}")
    if search.points is not None:
        return plan_candidates(study, stage, search.points, splitting=splitting)
    bounds = bounds or search.bounds
    if bounds is None or search.trials is None:
        raise ValueError(f"{stage}: bounds and a number of trials are needed")
    sampler, number = SAMPLERS.get(search.sampler), count or search.trials
    drawn: Sequence[Point | None] = [None] * number
    if sampler.draw is not None:
        seed = (study.seed, STAGES.index(stage), *part)
        drawn = draw(number, bounds, seed=seed, sampler=sampler.draw, space=study.space)
    groups = _groups(drawn, study.space, splitting)
    cohorts = _cohorts(drawn, groups, 1, study.cohort_size, after)
    return StagePlan(stage=stage, bounds=bounds, cohorts=cohorts)


def plan_candidates(
    study: Study,
    stage: StageName,
    candidates: Sequence[Point],
    *,
    after: tuple[int, int] = (0, 0),
    splitting: Collection[str] = (),
) -> StagePlan:
    """Plan a stage whose candidates are given, each over the stage's replicates.

    ``after`` counts the candidates and cohorts that the stage has already, where it is extended.
    Candidates that differ in what ``splitting`` names are in different cohorts.
    """
    settings = getattr(study, stage)
    replicates = getattr(settings, "replicates", 1)
    groups = _groups(candidates, study.space, splitting)
    cohorts = _cohorts(candidates, groups, replicates, study.cohort_size, after)
    return StagePlan(stage=stage, bounds=None, cohorts=cohorts)


def draw(
    count: int, bounds: Bounds, *, seed: Sequence[int], sampler: Draw, space: Space = SPACE
) -> list[Point]:
    """Draw ``count`` points of a space within the bounds, by a sampler's shares of them."""
    rng = np.random.default_rng(np.random.SeedSequence(tuple(seed), spawn_key=(_CANDIDATES,)))
    axes = list(zip(space.dimensions, bounds, strict=True))
    return [
        tuple(
            one.at_share(interval, float(share))
            for (one, interval), share in zip(axes, shares, strict=True)
        )
        for shares in sampler(count, len(bounds), rng)
    ]


def training_seed(study: Study, stage: StageName, replicate: int) -> tuple[int, int, int]:
    """Return the entropy of a replicate's weights and mini-batches: [seed, stage, replicate]."""
    return (study.seed, STAGES.index(stage), replicate)


def _groups(
    candidates: Sequence[Point | None], space: Space, splitting: Collection[str]
) -> list[list[int]]:
    """The candidates that can be trained together, in the order of what splits them.

    Those whose points a sampler is yet to choose can: it chooses for a cohort what splits others.
    """
    apart = [k for k, dimension in enumerate(space.dimensions) if dimension.name in splitting]
    found: dict[tuple[float, ...], list[int]] = {}
    for number, point in enumerate(candidates):
        key = () if point is None else tuple(point[k] for k in apart)
        found.setdefault(key, []).append(number)
    return [found[key] for key in sorted(found)]


def _cohorts(
    candidates: Sequence[Point | None],
    groups: Sequence[Sequence[int]],
    replicates: int,
    size: int,
    after: tuple[int, int] = (0, 0),
) -> tuple[CohortPlan, ...]:
    """Cut each replicate's groups into as few cohorts as fit, of nearly equal sizes.

    An odd number of cohorts would leave every other core idle while the last is trained, so the
    last one is halved where it can be. The plan cannot ask how many cores there are: it would no
    longer be the same for 1 worker and for 20.
    """
    pieces = [
        piece
        for group in groups
        for piece in np.array_split(np.asarray(group, np.intp), -(-len(group) // size))
    ]
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
