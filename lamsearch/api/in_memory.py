"""A search in this process, of examples in memory: no database, no files.

Enters: a study's tables and contents. Leaves: the record of the search as a storage would have it.
Every decision is the search's own and every number the trainer's, so that the record has the same
bits as the service's. Refuses to know a test set: what is searched here is never tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

from lamsearch import data as datasets
from lamsearch import environment, trainers
from lamsearch.data import Contents, TrainingData
from lamsearch.data.sources.given import hold, let_go
from lamsearch.results import StageName, StudyRecord, StudyState, Trained, TrialState
from lamsearch.search import CohortPlan, Mapped, carry_out, training_seed
from lamsearch.study import Study, parse_study
from lamsearch.trainers import TrainerFailedError, trainer_for

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """Calls a function on each of many things, as `map` does, in so many processes."""

    processes: int

    def __call__(self, function: Callable[[T], R], things: Sequence[T], /) -> Iterable[R]:
        """Return what the function returns, in the order of the things."""
        if self.processes == 1 or len(things) == 1:
            return map(function, things)
        from joblib import Parallel, delayed  # scikit-learn's own

        found: list[R] = Parallel(n_jobs=self.processes)(delayed(function)(one) for one in things)
        return found


def one_thread() -> AbstractContextManager[object]:
    """Limit BLAS to one thread: a column of a product changes its last bits with their count."""
    found: AbstractContextManager[object] = _libraries().limit(limits=1)
    return found


@cache  # it looks through every library of the process, which takes longer than a small training
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def mapped_over(n_jobs: int | None) -> Processes:
    """Return what scikit-learn means by ``n_jobs``: None is 1, -1 one process for each core."""
    if n_jobs in (None, 1):
        return Processes(processes=1)
    from joblib import effective_n_jobs

    return Processes(processes=effective_n_jobs(n_jobs))


@contextmanager
def held(document: Mapping[str, Any], contents: Contents) -> Iterator[tuple[Study, TrainingData]]:
    """Check a study of examples in memory, which are held as long as the block lasts.

    Raises:
        InputError: The study has issues, or these examples do not fit it.
    """
    key = hold(contents)
    try:
        table = {**document["data"], "source": "given", "key": key}
        study = trainers.check(parse_study({**document, "data": table}))
        yield study, datasets.load(study, Path(), look=True)
    finally:
        let_go(key)


def searched(study: Study, data: TrainingData, mapped: Mapped = map) -> StudyRecord:
    """Search; return the record of what was tried and chosen.

    ``mapped`` has cohorts trained, as `map` does: perhaps in other processes.

    Raises:
        WorkFailedError: Too little ended well to go on with.
    """
    found = carry_out(
        study,
        _Training(study, data),
        examples={stage: study.validation_images(stage) for stage in study.stages},
        splitting=trainers.splitting(study),
        mapped=mapped,
    )
    return StudyRecord(
        name=study.name,
        seed=study.seed,
        study_fingerprint=study.fingerprint,
        data_fingerprint=data.fingerprint,
        settings=study.canonical(),
        stages=dict(found.stages),
        classes=data.classes,
        data=data.seen,
        environment=environment.here(),
        selected=found.selected,
        finished=True,
        state=StudyState.DONE,
    )


@dataclass(frozen=True, slots=True)
class _Training:
    """Trains cohorts, here or wherever it is sent to."""

    study: Study
    data: TrainingData

    def __call__(self, stage: StageName, cohort: CohortPlan) -> Sequence[Trained]:
        points = [one.point for one in cohort.trials if one.point is not None]
        try:
            with one_thread():
                trainer = trainer_for(
                    self.study, stage, points,
                    splits=self.data.split(stage, cohort.replicate),
                    classes=len(self.data.classes),
                    seed=training_seed(self.study, stage, cohort.replicate),
                )  # fmt: skip
                for _ in trainer.run():
                    pass
                return trainer.outcomes()
        except TrainerFailedError as error:  # it would raise again
            failed = Trained(state=TrialState.FAIL, reason=str(error))
            return (failed,) * len(points)
