"""A candidate's mean over its replicates, and the order of candidates by it.

Enters: one stage's record. Leaves: means with their errors, best first. Pure. Refuses to know which
stage it is and what is made of the order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lamsearch.results import StageRecord, TrialRecord, TrialState
from lamsearch.space import Point
from lamsearch.statistics.errors import standard_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A candidate's mean validation score and loss over ``n`` complete replicates.

    ``se`` is the `standard_error` of the mean score, None where it is not known.
    """

    candidate: int
    point: Point
    mean: float
    loss: float
    se: float | None
    n: int

    @property
    def order(self) -> tuple[float, float, int]:
        """What candidates are sorted by, best first: score, then lower loss, then number."""
        return -self.mean, self.loss, self.candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateScore:
    """One candidate with all its trials, complete or not.

    ``measured`` is its mean over the complete ones, None as long as there is none.
    """

    candidate: int
    point: Point | None
    measured: Candidate | None
    trials: tuple[TrialRecord, ...]

    @property
    def mean(self) -> float | None:
        """The mean validation score over the complete replicates."""
        return None if self.measured is None else self.measured.mean

    @property
    def se(self) -> float | None:
        """Its standard error, None where it is not known."""
        return None if self.measured is None else self.measured.se

    @property
    def n(self) -> int:
        """The number of complete replicates."""
        return 0 if self.measured is None else self.measured.n

    @property
    def complete(self) -> tuple[TrialRecord, ...]:
        """The trials that count."""
        return tuple(trial for trial in self.trials if is_complete(trial))

    @property
    def lost(self) -> bool:
        """Whether a replicate failed or was pruned."""
        return any(trial.state in (TrialState.FAIL, TrialState.PRUNED) for trial in self.trials)

    @property
    def order(self) -> tuple[bool, bool, tuple[float, float, int]]:
        """What they are sorted by: those that lost a replicate come behind, those without last."""
        measured = self.measured
        own = (0.0, 0.0, self.candidate) if measured is None else measured.order
        return measured is None, self.lost, own


def rank(stage: StageRecord, examples: int) -> list[Candidate]:
    """Return the candidates, best first: by score, then lower loss, then candidate number.

    A candidate with a replicate that failed is not ranked: its point is one that can fail.
    ``examples`` is how many validation examples there are.
    """
    whole = [
        _measured(trials, examples)
        for trials in _by_candidate(stage).values()
        if all(is_complete(trial) for trial in trials)
    ]
    return sorted(whole, key=lambda one: one.order)


def score_candidates(stage: StageRecord, examples: int | None) -> list[CandidateScore]:
    """Return all candidates, best first, those without a complete replicate last.

    A candidate that lost a replicate stands behind those that did not: it cannot be chosen.
    """
    scores = [_score(trials, examples) for trials in _by_candidate(stage).values()]
    return sorted(scores, key=lambda one: one.order)


def complete_replicates(stage: StageRecord) -> dict[Point, tuple[TrialRecord, ...]]:
    """Return trials by point in the order of replicates; only where every one ended well."""
    found: dict[Point, list[TrialRecord]] = {}
    for trial in stage.trials:
        if trial.point is not None:
            found.setdefault(trial.point, []).append(trial)
    return {
        point: tuple(sorted(trials, key=lambda one: one.replicate))
        for point, trials in found.items()
        if all(is_complete(trial) for trial in trials)
    }


def paired_differences(stage: StageRecord, one: int, other: int) -> list[float]:
    """Return how much better candidate ``one`` scored than ``other``, in each replicate."""
    found = {(trial.candidate, trial.replicate): trial for trial in stage.trials}
    replicates = sorted(replicate for candidate, replicate in found if candidate == one)
    return [
        score_of(found[one, replicate]) - score_of(found[other, replicate])
        for replicate in replicates
    ]


def mean_score(trials: Sequence[TrialRecord]) -> float:
    """Return the mean validation score of complete ``trials``, at least one."""
    return math.fsum(score_of(trial) for trial in trials) / len(trials)


def mean_error(trials: Sequence[TrialRecord]) -> float | None:
    """Return the mean of what their scores' errors over the draw of examples are.

    None where they are shares, whose errors follow from them.
    """
    known = [trial.score_error for trial in trials if trial.score_error is not None]
    return math.fsum(known) / len(known) if known else None


def score_of(trial: TrialRecord) -> float:
    """Return the validation score of a complete trial."""
    value = trial.score
    assert value is not None  # noqa: S101 - see is_complete
    return float(value)


def is_complete(trial: TrialRecord) -> bool:
    """Whether a trial ended well, with a finite validation score."""
    value = trial.score
    return trial.state is TrialState.COMPLETE and value is not None and math.isfinite(value)


def _by_candidate(stage: StageRecord) -> dict[int, list[TrialRecord]]:
    found: dict[int, list[TrialRecord]] = {}
    for trial in sorted(stage.trials, key=lambda one: (one.candidate, one.replicate)):
        found.setdefault(trial.candidate, []).append(trial)
    return found


def _score(trials: Sequence[TrialRecord], examples: int | None) -> CandidateScore:
    complete = [trial for trial in trials if is_complete(trial)]
    return CandidateScore(
        candidate=trials[0].candidate,
        point=next((t.point for t in trials if t.point is not None), None),
        measured=_measured(complete, examples) if complete else None,
        trials=tuple(trials),
    )


def _measured(complete: Sequence[TrialRecord], examples: int | None) -> Candidate:
    point, n = complete[0].point, len(complete)
    assert point is not None  # noqa: S101 - a complete trial has been given its point
    return Candidate(
        candidate=complete[0].candidate,
        point=point,
        mean=mean_score(complete),
        loss=math.fsum(trial.validation_loss or 0.0 for trial in complete) / n,
        se=standard_error([score_of(trial) for trial in complete], examples, mean_error(complete)),
        n=n,
    )
