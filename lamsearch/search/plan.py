"""The plan: study + stage → cohorts of candidates.

Enters: a checked study, a stage, and where earlier stages decide, their interval or candidates.
Leaves: every trial that will be, before any is trained. Pure: the same study gives the same plan.
Refuses to know how earlier stages were judged, and who will do the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lamsearch.results import STAGES, StageName
from lamsearch.study import Coarse, Fine, Study

_CANDIDATES = 2  # spawn key of the candidates' draws; the trainer's are 0 and 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One planned trial; ``log10_lambda`` is None where an adaptive sampler will choose it."""

    candidate: int
    replicate: int
    log10_lambda: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The trials that are trained together, over one stream of mini-batches."""

    number: int
    replicate: int
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """A stage's interval in log10 λ (None where candidates are given) and its cohorts."""

    stage: StageName
    interval: tuple[float, float] | None
    cohorts: tuple[Cohort, ...]

    @property
    def trials(self) -> int:
        """The number of trials planned."""
        return sum(len(cohort.slots) for cohort in self.cohorts)


def plan_search(
    study: Study,
    stage: StageName,
    interval: tuple[float, float] | None = None,
    *,
    count: int | None = None,
    part: tuple[int, ...] = (),
    after: tuple[int, int] = (0, 0),
) -> StagePlan:
    """Plan coarse or fine; ``interval`` is what earlier stages left, if there were any.

    Where a stage goes on, ``count`` candidates are drawn instead of ``trials``; ``part`` says
    which of its draws they are (round, then extension; none for the first), so that no two repeat
    each other; ``after`` counts the candidates and cohorts that the stage has already.
    """
    search: Coarse | Fine | None = study.coarse if stage == "coarse" else study.fine
    if search is None:
        raise ValueError(f"the study has no stage {stage!r}")
    if search.values is not None:
        return plan_candidates(study, stage, search.values)
    bounds = interval or search.log10_lambda
    if bounds is None or search.trials is None:
        raise ValueError(f"{stage}: an interval and a number of trials are needed")
    drawn: Sequence[float | None]
    if search.sampler == "tpe":
        drawn = [None] * (count or search.trials)
    else:
        drawn = draw(
            count or search.trials, bounds, seed=(study.seed, STAGES.index(stage), *part),
            stratified=search.sampler == "stratified",
        )  # fmt: skip
    cohorts = _cohorts(drawn, 1, study.cohort, after)
    return StagePlan(stage=stage, interval=bounds, cohorts=cohorts)


def plan_candidates(
    study: Study, stage: StageName, candidates: Sequence[float], *, after: tuple[int, int] = (0, 0)
) -> StagePlan:
    """Plan a stage whose candidates (log10 λ) are given, each over the stage's replicates.

    ``after`` counts the candidates and cohorts that the stage has already, where it is extended.
    """
    settings = getattr(study, stage)
    replicates = getattr(settings, "replicates", 1)
    cohorts = _cohorts(candidates, replicates, study.cohort, after)
    return StagePlan(stage=stage, interval=None, cohorts=cohorts)


def draw(
    count: int, interval: tuple[float, float], *, seed: Sequence[int], stratified: bool
) -> list[float]:
    """Draw ``count`` values of log10 λ, uniform in the interval.

    Stratified: the interval is cut into ``count`` equal strata, one draw in each, ascending.
    Otherwise the first n of a longer search are the n of a shorter one.
    """
    rng = np.random.default_rng(np.random.SeedSequence(tuple(seed), spawn_key=(_CANDIDATES,)))
    low, high = interval
    shares = rng.random(count)
    if stratified:
        shares = (np.arange(count) + shares) / count
    return [float(value) for value in low + (high - low) * shares]


def training_seed(study: Study, stage: StageName, replicate: int) -> tuple[int, int, int]:
    """Return the entropy of a replicate's weights and mini-batches: [seed, stage, replicate]."""
    return (study.seed, STAGES.index(stage), replicate)


def _cohorts(
    candidates: Sequence[float | None],
    replicates: int,
    size: int,
    after: tuple[int, int] = (0, 0),
) -> tuple[Cohort, ...]:
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
        Cohort(
            number=after[1] + number,
            replicate=replicate,
            slots=tuple(
                Slot(
                    candidate=after[0] + int(place),
                    replicate=replicate,
                    log10_lambda=candidates[place],
                )
                for place in piece
            ),
        )
        for number, (replicate, piece) in enumerate(cut)
    )
