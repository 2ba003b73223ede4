"""How many models a cohort should have on this machine.

Enters: a study, the sizes of its data, what its trainer declares of a cohort's memory and time,
this machine's memory and cores. Leaves: a number, and what it rests on. It follows from these
alone: nothing is timed, and what else the machine does just now does not matter.

The larger a cohort, the less of its time is the overhead of an update; the fewer cohorts there are,
the more cores wait for the last one. So of 1, 2, 4, … 512 the smallest is taken that needs hardly
longer than the best of those for which memory is enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lamsearch import machine, trainers
from lamsearch.planning.memory import demands, gigabytes, needed
from lamsearch.results import StageName
from lamsearch.search import expected
from lamsearch.study import MOST_TOGETHER, Study, with_cohort
from lamsearch.study.samplers import SAMPLERS
from lamsearch.trainers import Demand

USUAL: int = Study.model_fields["cohort"].default
_SIZES = tuple(2**k for k in range(MOST_TOGETHER.bit_length()))
_ENOUGH = 1.05  # of the shortest time, within which a smaller cohort is as good
_WORTH = 0.9  # of the time that a study's own cohort needs, from which another is worth a word
_MEMORY_SHARE = 0.5  # of the machine's, for all workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Suited:
    """The cohort that suits this machine, and what that rests on.

    ``bytes`` are those of all workers together, ``memory`` is what the machine has, and ``time`` is
    the estimated time as a share of that with the study's own cohort; 1 where it has none. All but
    ``cohort`` and ``workers`` are None where the trainer does not declare what a cohort asks for.
    """

    cohort: int
    workers: int
    bytes: float | None = None
    memory: float | None = None
    time: float | None = None


def suited(study: Study, features: int, classes: int, workers: int | None = None) -> Suited:
    """Return the cohort that suits this machine best, with a worker per core unless told."""
    workers = workers or machine.cores()
    asked = {stage: demands(study, stage, features, classes) for stage in study.stages}
    if not all(asked.values()):
        return Suited(cohort=max(USUAL, _least(study)), workers=workers)

    def whole(models: int) -> float:
        """The bytes of all workers in the stage that needs most; they share the splits."""
        alone = (needed(study, one, features, classes, 0) for one in study.stages)
        most = (needed(study, one, features, classes, models) for one in study.stages)
        return max(split + workers * (one - split) for split, one in zip(alone, most, strict=True))

    memory, work = machine.memory(), _work(study)
    sizes = [one for one in _SIZES if _least(study) <= one <= _most(study)]
    fitting = [one for one in sizes if whole(one) <= _MEMORY_SHARE * memory] or sizes[:1]
    times = {one: _time(study, work, asked, one, workers) for one in fitting}
    best = next(one for one in fitting if times[one] <= _ENOUGH * min(times.values()))
    time = 1.0
    if study.cohort != "auto":
        own = _time(study, work, asked, study.cohort, workers)
        time = times[best] / own if own else 1.0
    return Suited(cohort=best, workers=workers, bytes=whole(best), memory=memory, time=time)


def with_cohort_for(study: Study, features: int, classes: int) -> Study:
    """Return the study with a number for ``cohort = "auto"``: the one that suits this machine."""
    if study.cohort != "auto":
        return study
    return with_cohort(study, suited(study, features, classes).cohort)


def cohort_line(study: Study, found: Suited) -> str:
    """Say which cohort a study has and which would suit this machine, in one line."""
    if found.bytes is None or found.memory is None or found.time is None:
        why = f"trainer {study.trainer.name!r} does not declare what a cohort asks for"
        return f"cohort: {study.cohort if study.cohort != 'auto' else found.cohort}; {why}"
    workers = "1 worker" if found.workers == 1 else f"{found.workers} workers"
    rests = f"{_size(found.bytes)} of {_size(found.memory)}, {workers}"
    if study.cohort == "auto":
        return f"cohort: {found.cohort}, chosen for this machine: {rests}"
    if study.cohort == found.cohort or found.time > _WORTH:
        return f"cohort: {study.cohort}, which suits this machine: {workers}"
    return (
        f"cohort: {study.cohort}; this machine would suit {found.cohort}: {rests}, "
        f"in about {100 * found.time:.0f} % of the time"
    )


def _size(count: float) -> str:
    return f"{gigabytes(count)} GB" if count >= 1e8 else f"{max(count / 1e6, 1):.0f} MB"


def _least(study: Study) -> int:
    return 2 if any(study.halves(stage) for stage in study.stages) else 1


def _most(study: Study) -> int:
    """An adaptive sampler learns between cohorts, so these stay small."""
    sections = (study.coarse, study.fine)
    adaptive = any(one is not None and SAMPLERS.get(one.sampler).draw is None for one in sections)
    return max(USUAL, _least(study)) if adaptive else MOST_TOGETHER


def _work(study: Study) -> Mapping[StageName, Sequence[int]]:
    """The trials of each stage that can be trained together, as groups of so many."""
    uncut, splitting = study.model_copy(update={"cohort": 10**9}), trainers.splitting(study)
    return {
        stage: [len(one.trials) for one in expected(uncut, stage, splitting).cohorts]
        for stage in study.stages
    }


def _time(
    study: Study,
    work: Mapping[StageName, Sequence[int]],
    asked: Mapping[StageName, Sequence[Demand]],
    models: int,
    workers: int,
) -> float:
    """The seconds of all stages with cohorts of at most so many models, each after the other."""
    total = 0.0
    for stage, groups in work.items():
        cohorts = sum(-(-group // models) for group in groups)
        rounds, mean = -(-cohorts // workers), sum(groups) / max(cohorts, 1)
        update = max(one.seconds(mean) for one in asked[stage])
        total += rounds * update * study.training_of(stage).updates
    return total
