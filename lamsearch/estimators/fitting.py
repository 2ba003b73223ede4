"""One fit: a clone of an estimator trained on a split's examples and asked about the others.

Enters: what is to be fitted, λ, a split. Leaves: predictions with what was said on the way, or the
error. Refuses to know scores' means and what they decide. Runs in processes of its own where jobs
are several, so all of it can be sent there.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import _safe_indexing  # what its own searches take rows of any table with

from lamsearch.estimators.folds import IndexArray, Split
from lamsearch.estimators.searched_parameter import SearchedParameter
from lamsearch.metrics import LOG_LOSS, OF_CLASSES, Metric

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is fitted, to what, and how it is scored.

    ``y`` are the targets as the estimator sees them; ``targets`` the same as the metric does: the
    index of each one's class among ``classes``, or values. ``weights`` are of examples.
    """

    estimator: Any
    parameter: SearchedParameter
    metric: Metric
    X: Any
    y: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    classes: npt.NDArray[Any] | None
    weights: Array | None

    def fitted(self, lam: float, rows: IndexArray | None = None) -> Any:
        """Return a clone, trained at λ on some rows, or on all."""
        X, y, weights = self.X, self.y, self.weights
        if rows is not None:
            X, y = _safe_indexing(X, rows), y[rows]
            weights = None if weights is None else weights[rows]
        model = clone(self.estimator)
        model.set_params(**{self.parameter.name: self.value(lam, y, weights)})
        fit = {} if weights is None else {self.parameter.of_fit("sample_weight"): weights}
        return model.fit(X, y, **fit)

    def value(self, lam: float, y: Any = None, weights: Array | None = None) -> float:
        """Return the parameter's value for λ on labels; on all of them where none are given."""
        if y is None:
            y, weights = self.y, self.weights
        return self.parameter.value(self.estimator, lam, y, weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What a fit said of the examples that it was asked about.

    ``predictions`` are class probabilities (examples, classes) or values (examples,); ``losses``
    are log losses, empty where there are none. ``warnings`` say that it did not converge, and
    ``others`` what else it warned of.
    """

    predictions: Array | None = None
    losses: Array | None = None
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    others: tuple[tuple[type[Warning], str], ...] = ()
    error: Exception | None = None


def fit_once(problem: Problem, lam: float, split: Split) -> Fit:
    """Fit and predict; an exception is an answer too."""
    rows, asked = split
    begun = time.perf_counter()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ConvergenceWarning)
        try:
            model = problem.fitted(lam, rows)
            seconds = time.perf_counter() - begun
            predictions, losses = predicted(problem, model, _safe_indexing(problem.X, asked), asked)
        except Exception as error:  # whatever an estimator raises
            return Fit(error=error, seconds=time.perf_counter() - begun)
    other = [one for one in said if not issubclass(one.category, ConvergenceWarning)]
    return Fit(
        predictions=predictions,
        losses=losses,
        seconds=seconds,
        warnings=tuple(str(one.message) for one in said if one not in other),
        others=tuple((one.category, str(one.message)) for one in other),
    )


def predicted(
    problem: Problem, model: Any, X: Any, asked: IndexArray
) -> tuple[Array, Array | None]:
    """Return what a metric scores, and log losses where the model has probabilities."""
    if problem.classes is None:
        values = np.asarray(model.predict(X), np.float64)
        if not np.isfinite(values).all():
            raise ValueError("predictions are not finite")
        return values.reshape(len(asked)), None
    found = predict_proba(model, X, problem.classes)
    losses = None if found is None else -LOG_LOSS.per_example(found, problem.targets[asked])
    if problem.metric.name in OF_CLASSES:
        found = one_hot(model.predict(X), problem.classes)
    if found is None:
        name = type(problem.estimator).__name__
        rule = f"must be one of {', '.join(OF_CLASSES)} for {name}, which has no predict_proba"
        raise ValueError(f"scoring: {rule}, got {problem.metric.name!r}")
    return found, losses


def predict_proba(model: Any, X: Any, classes: npt.NDArray[Any]) -> Array | None:
    """Return probabilities (examples, classes), 0 of classes that the model has not seen."""
    if not hasattr(model, "predict_proba"):
        return None
    found = np.asarray(model.predict_proba(X), np.float64)
    if len(model.classes_) == len(classes):
        return found
    whole = np.zeros((len(found), len(classes)))
    whole[:, np.searchsorted(classes, model.classes_)] = found
    return whole


def one_hot(labels: Any, classes: npt.NDArray[Any]) -> Array:
    """Return 1 for each example's predicted class (examples, classes)."""
    return np.asarray(np.asarray(labels)[:, None] == classes, np.float64)
