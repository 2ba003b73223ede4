"""Cross-validation of candidates: each example's score by models that were not trained on it.

Enters: a problem, repetitions of splits, λs. Leaves: a score per example and repetition, kept so
that no fit is made twice. Refuses to know which candidates come next and who is chosen.

All predictions of a repetition are scored together, as the metrics that need the whole split ask
for; an example that several of its splits test has their mean. So candidates are compared example
by example (Bayle et al. 2020, arXiv:2007.12671).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.estimators.fitting import Array, Fit, Problem, fit_once
from lamsearch.estimators.folds import IndexArray, Repetition


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A candidate in one repetition: a score per example, NaN where nobody was asked about it.

    ``loss`` is its mean log loss, 0 where there is none; ``splits`` are the mean scores by split.
    """

    scores: npt.NDArray[Any]
    loss: float
    splits: Array
    seconds: Array
    warnings: tuple[str, ...]


@dataclass(slots=True)
class Evaluations:
    """Candidates' scores, computed when they are asked for, several fits at a time."""

    problem: Problem
    repetitions: tuple[Repetition, ...]
    jobs: int | None = None
    fits: int = 0
    first_error: Exception | None = None
    warned: dict[tuple[type[Warning], str], None] = field(default_factory=dict)  # each once
    _scored: dict[tuple[float, int], Scored | Exception] = field(default_factory=dict)

    @property
    def tried(self) -> list[float]:
        """All λs that were asked about, in the order of asking."""
        return list(dict.fromkeys(lam for lam, _ in self._scored))

    def of(self, lam: float) -> list[Scored]:
        """Return a candidate in each repetition that it was evaluated in, and ended well."""
        found = [self._scored.get((lam, number)) for number in range(len(self.repetitions))]
        return [one for one in found if isinstance(one, Scored)]

    def at(self, lam: float, repetition: int) -> Scored | Exception:
        """Return a candidate in a repetition, or what was raised."""
        return self._scored[lam, repetition]

    def ensure(self, lams: Sequence[float], repetitions: Sequence[int]) -> None:
        """Make the fits that are missing."""
        from sklearn.utils.parallel import Parallel, delayed

        pairs = [(lam, one) for one in repetitions for lam in dict.fromkeys(lams)]
        missing = [pair for pair in pairs if pair not in self._scored]
        tasks = [(lam, split) for lam, one in missing for split in self.repetitions[one]]
        fits = Parallel(n_jobs=self.jobs)(
            delayed(fit_once)(self.problem, lam, split) for lam, split in tasks
        )
        self.fits += len(tasks)
        self.warned |= dict.fromkeys(said for fit in fits for said in fit.others)
        begin = 0
        for lam, one in missing:
            end = begin + len(self.repetitions[one])
            self._scored[lam, one] = self._result(fits[begin:end], self.repetitions[one])
            begin = end

    def _result(self, fits: Sequence[Fit], repetition: Repetition) -> Scored | Exception:
        for fit in fits:
            if fit.error is not None:
                self.first_error = self.first_error or fit.error
                return fit.error
        return scored(self.problem, fits, repetition)


def scored(problem: Problem, fits: Sequence[Fit], repetition: Repetition) -> Scored:
    """Return the scores of a repetition's fits, weighted where examples are."""
    rows = np.concatenate([test for _, test in repetition])
    predictions = np.concatenate([fit.predictions for fit in fits if fit.predictions is not None])
    each = problem.metric.per_example(predictions, problem.targets[rows])
    scores = _by_example(each, rows, len(problem.y))
    losses = [fit.losses for fit in fits if fit.losses is not None]
    weights = None if problem.weights is None else problem.weights[rows]
    ends = np.cumsum([len(test) for _, test in repetition])[:-1]
    parts = np.split(each, ends)
    shares = [None] * len(parts) if weights is None else np.split(weights, ends)
    return Scored(
        scores=scores,
        loss=float(np.average(np.concatenate(losses), weights=weights)) if losses else 0.0,
        splits=np.array([_mean(one, own) for one, own in zip(parts, shares, strict=True)]),
        seconds=np.array([fit.seconds for fit in fits]),
        warnings=tuple(said for fit in fits for said in fit.warnings),
    )


def _mean(each: npt.NDArray[Any], weights: npt.NDArray[Any] | None) -> float:
    """A split's score; NaN where nothing in it counts."""
    if not len(each) or (weights is not None and not weights.any()):
        return float("nan")
    return float(np.average(each, weights=weights))


def _by_example(each: npt.NDArray[Any], rows: IndexArray, count: int) -> npt.NDArray[Any]:
    """Scores (predictions,) as means over each example's own; where all have one, as they are."""
    times = np.bincount(rows, minlength=count)
    if (times == 1).all():
        scores = np.empty(count, each.dtype)
        scores[rows] = each
        return scores
    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(rows, each.astype(np.float64), minlength=count) / times)
