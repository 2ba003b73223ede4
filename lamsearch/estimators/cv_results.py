"""All candidates of a search as a table, in scikit-learn's words where it has some.

Enters: evaluations and the search's record. Leaves: arrays by name, all of one length. Knows no
table library.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.estimators.evaluation import Evaluations, Scored
from lamsearch.estimators.folds import blocks_of
from lamsearch.search import SearchRecord
from lamsearch.space import LAMBDA

Columns = dict[str, npt.NDArray[Any]]


def cv_results(evaluations: Evaluations, found: SearchRecord) -> Columns:
    """Return a row per candidate, in the order in which they were tried.

    ``split*_test_score`` are the scores of the first repetition's splits, ``mean_test_score`` the
    mean over examples and repetitions, whose standard error over splits is ``se_test_score``.
    """
    stages = {
        10.0 ** trial.point[0]: name
        for name in ("finalists", "fine", "coarse")
        if name in found.stages
        for trial in found.stages[name].trials
        if trial.point is not None
    }  # the stage that tried it first is the last to be written
    problem, tried = evaluations.problem, evaluations.tried
    first = [evaluations.at(lam, 0) for lam in tried]
    means = np.array([_mean(evaluations, lam) for lam in tried])
    splits = np.array([_splits(one, len(evaluations.repetitions[0])) for one in first])
    count = len(blocks_of(evaluations.repetitions[0], len(problem.y)))
    with np.errstate(invalid="ignore"):
        errors = splits.std(axis=1, ddof=1) / np.sqrt(count) if splits.shape[1] > 1 else means * 0
    return {
        "stage": np.array([stages[lam] for lam in tried]),
        "lambda": np.array(tried),
        LAMBDA.name: np.log10(tried),
        f"param_{problem.parameter.name}": np.array([problem.value(lam) for lam in tried]),
        "mean_test_score": means,
        "se_test_score": errors,
        "rank_test_score": _ranks(means),
        **{f"split{number}_test_score": column for number, column in enumerate(splits.T)},
        "repetitions": np.array([len(evaluations.of(lam)) for lam in tried]),
        "mean_fit_time": np.array(
            [one.seconds.mean() if isinstance(one, Scored) else np.nan for one in first]
        ),
        "not_converged": np.array(
            [sum(len(one.warnings) for one in evaluations.of(lam)) for lam in tried]
        ),
        "error": np.array([str(one) if isinstance(one, Exception) else "" for one in first]),
    }


def _mean(evaluations: Evaluations, lam: float) -> float:
    weights = evaluations.problem.weights
    rows = [one.scores.astype(np.float64) for one in evaluations.of(lam)]
    if not rows:
        return float("nan")
    scores = np.mean(rows, axis=0)
    asked = ~np.isnan(scores)
    return float(np.average(scores[asked], weights=None if weights is None else weights[asked]))


def _splits(one: Scored | Exception, count: int) -> npt.NDArray[np.float64]:
    return np.full(count, np.nan) if isinstance(one, Exception) else one.splits.astype(float)


def _ranks(means: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """1 for the best; equal means share a rank, those that failed come last."""
    order = -np.where(np.isnan(means), -np.inf, means)
    return np.asarray(1 + (order[None, :] < order[:, None]).sum(axis=1))
