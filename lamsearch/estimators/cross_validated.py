"""The search of λ by cross-validation: `next_step`'s decisions over scores out of fold.

Enters: evaluations, how many candidates, a rule. Leaves: the stages' records, the choice, and what
cannot be told from it. Refuses to know estimators: it asks for scores per example.

A trial of coarse and fine is a whole repetition: its score is over all examples. A finalist's
replicates are the folds of the first repetition, each example's score being its mean over all
repetitions; so the error of a mean, and of a difference of two, is that over folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.estimators.evaluation import Evaluations, Scored
from lamsearch.estimators.folds import blocks_of
from lamsearch.results import StageName, StageRecord, Trained, TrialRecord, TrialState
from lamsearch.search import CohortPlan, Rule, SearchRecord, carry_out
from lamsearch.space import LAMBDA
from lamsearch.statistics import differences
from lamsearch.study import Coarse, Data, Finalists, Fine, Study, Training

_COHORT = 512  # as many as a study may have: nothing is gained by fewer
_GROUPS = 2000  # of examples, whose means stand for them where intervals are computed


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many candidates the stages have, their bounds of log10 λ, and the rule of the choice."""

    coarse: int
    fine: int
    finalists: int
    bounds: tuple[float, float]
    rule: Rule


def search(evaluations: Evaluations, budget: Budget, seed: int) -> SearchRecord:
    """Carry the search out: coarse and fine, then the choice among the candidates of both.

    They were all trained alike, so a candidate of coarse may be the best of all. In one repetition
    every one is a finalist; further repetitions are made of the best.

    Raises:
        WorkFailedError: Too little ended well to go on with.
    """
    rows = OutOfFold(evaluations)
    sizes: Mapping[StageName, int] = {
        "coarse": rows.count,
        "fine": rows.count,
        "finalists": max(1, rows.count // len(rows.blocks)),
    }
    keep = min(2, budget.coarse)
    fine = Fine(trials=budget.fine, keep=keep, sampler="stratified") if budget.fine else None
    coarse = Coarse.model_validate(
        {"trials": budget.coarse, LAMBDA.name: budget.bounds, "sampler": "stratified"}
    )
    drawn = _study(rows, evaluations, seed, coarse=coarse, fine=fine)
    tried = carry_out(drawn, rows.train, examples=sizes)
    points = {one.point for stage in tried.stages.values() for one in stage.trials if one.point}
    chosen = _study(
        rows, evaluations, seed,
        coarse=Coarse(values=tuple(x for (x,) in sorted(points))),
        finalists=Finalists(
            keep=len(points) if len(evaluations.repetitions) == 1 else budget.finalists,
            replicates=len(rows.blocks), rule=budget.rule,
        ),
    )  # fmt: skip
    found = carry_out(chosen, rows.train, examples=sizes)
    stages = {**tried.stages, "finalists": found.stages["finalists"]}
    return SearchRecord(stages=stages, selected=found.selected)


def _study(rows: OutOfFold, evaluations: Evaluations, seed: int, **stages: Any) -> Study:
    """A search as a study, which is never stored."""
    return Study(
        name="cross-validated",
        seed=seed,
        cohort=_COHORT,
        metric=evaluations.problem.metric.name,
        data=Data(source="given", train=rows.count, validation=rows.count),
        training=Training(step_size=1, batch_size=1),
        **stages,
    )


class OutOfFold:
    """Trains trials by evaluating them, and answers with scores per example."""

    def __init__(self, evaluations: Evaluations) -> None:
        self._evaluations = evaluations
        problem, first = evaluations.problem, evaluations.repetitions[0]
        asked = np.zeros(len(problem.y), bool)
        asked[np.concatenate([test for _, test in first])] = True
        self._asked = np.flatnonzero(asked)
        self.count = len(self._asked)
        self._factors = None
        if problem.weights is not None:
            own = problem.weights[self._asked]
            self._factors = own * self.count / own.sum()
        position = np.cumsum(asked) - 1
        self.blocks = [position[block] for block in blocks_of(first, len(problem.y))]

    def scores(self, lam: float, repetitions: slice = slice(None)) -> npt.NDArray[Any]:
        """Return a candidate's scores (examples,), the mean over its repetitions, weighted."""
        rows = [one.scores[self._asked] for one in self._evaluations.of(lam)[repetitions]]
        mean = rows[0] if len(rows) == 1 else np.mean(rows, axis=0)
        return mean if self._factors is None else mean * self._factors

    def train(self, stage: StageName, cohort: CohortPlan) -> Sequence[Trained]:
        """Return what became of a cohort's candidates."""
        lams = [10.0 ** trial.point[0] for trial in cohort.trials if trial.point is not None]
        numbers = range(len(self._evaluations.repetitions)) if stage == "finalists" else range(1)
        self._evaluations.ensure(lams, numbers)
        replicate = cohort.replicate if stage == "finalists" else None
        return [self._trained(lam, numbers, replicate) for lam in lams]

    def _trained(self, lam: float, numbers: Sequence[int], replicate: int | None) -> Trained:
        found = [self._evaluations.at(lam, number) for number in numbers]
        failed = next((one for one in found if isinstance(one, Exception)), None)
        if failed is not None:
            reason = f"{type(failed).__name__}: {failed}"
            return Trained(state=TrialState.FAIL, reason=reason[:300])
        scores = self.scores(lam, slice(0, len(numbers)))
        share, score = scores.dtype == np.bool_, float(scores.mean())
        if replicate is not None:
            block = self.blocks[replicate]
            # so scaled that the mean over blocks of any sizes is that over examples
            size = len(block) * len(self.blocks) / self.count
            score += size * (float(scores[block].mean()) - score)
            scores = scores[block]
        return Trained(
            state=TrialState.COMPLETE,
            score=score,
            score_error=None if share else _error(scores),
            validation_loss=float(np.mean([one.loss for one in found if isinstance(one, Scored)])),
            scores=scores,
        )


def _error(scores: npt.NDArray[Any]) -> float:
    """The standard error of a mean of numbers that need not be 0 or 1."""
    return float(scores.std(ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else 0.0


def scores_of(evaluations: Evaluations) -> dict[float, npt.NDArray[np.float32]]:
    """Return each candidate's scores out of fold, as `indistinguishable` wants them."""
    rows = OutOfFold(evaluations)
    tried = [lam for lam in evaluations.tried if evaluations.of(lam)]
    return {lam: _grouped(rows.scores(lam)) for lam in tried}


def indistinguishable(
    scores: Mapping[float, npt.NDArray[np.float32]], chosen: float
) -> list[float]:
    """Return the λs that were tried and cannot be told from the chosen one, ascending.

    By simultaneous 95 % intervals of paired differences over the draw of examples. What a partition
    adds beyond examples is not in them; more repetitions make it smaller. A chosen λ that was not
    tried itself has the scores of the nearest one.
    """
    points = {lam: (float(np.log10(lam)),) for lam in scores}
    mine = min(points.values(), key=lambda point: abs(point[0] - np.log10(chosen)))
    trials = tuple(
        TrialRecord(
            candidate=number, replicate=twice, cohort=0, point=points[lam],
            state=TrialState.COMPLETE, score=0.0, scores=row,
        )
        for number, (lam, row) in enumerate(scores.items())
        for twice in range(2)  # two equal replicates: the interval is that of the examples alone
    )  # fmt: skip
    found = differences(StageRecord(name="finalists", bounds=None, trials=trials), mine)
    alike = {one.point for one in found if not one.distinguishable}
    return sorted(lam for lam, point in points.items() if point in alike)


def _grouped(scores: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Scores as float32; of many examples the means of equal groups, whose mean varies alike."""
    size = len(scores) // _GROUPS
    if size < 2:
        return scores.astype(np.float32)
    order = np.random.default_rng(0).permutation(len(scores))[: size * _GROUPS]
    return np.asarray(scores[order].reshape(_GROUPS, size).mean(axis=1), np.float32)
