"""What a search is of: an estimator, examples and a metric, checked and put together.

Enters: what people pass to `fit`. Leaves: a `Problem`, or a ValueError. Refuses to know the search.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone, is_classifier
from sklearn.utils import indexable
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from lamsearch.errors import InputError
from lamsearch.estimators.fitting import Problem
from lamsearch.estimators.searched_parameter import SearchedParameter
from lamsearch.metrics import Metric, Task, default_of, metric_of

_MOST_SEED = 2**31 - 1


def problem_of(
    estimator: Any,
    parameter: SearchedParameter,
    metric: Metric,
    X: Any,
    y: Any,
    *,
    sample_weight: Any,
    seed: int,
) -> Problem:
    """Check what is given, and put together what is fitted.

    Raises:
        ValueError: Targets or weights are none.
    """
    if y is None:
        raise ValueError("LambdaSearchCV requires y to be passed, but the target y is None")
    X, y, sample_weight = indexable(X, y, sample_weight)
    labels = column_or_1d(y, warn=True)
    classes, targets = None, labels
    if is_classifier(estimator):
        check_classification_targets(labels)
        classes, targets = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"y: must have at least 2 classes, got {len(classes)} class")
    else:
        targets = np.asarray(labels, np.float64)
    return Problem(
        estimator=_seeded(estimator, seed),
        parameter=parameter,
        metric=metric,
        X=X,
        y=np.asarray(labels),
        targets=targets,
        classes=classes,
        weights=weights_of(sample_weight, len(labels)),
    )


def metric_for(estimator: Any, scoring: Any) -> Metric:
    """Return what an estimator is scored by.

    Raises:
        ValueError: It is no metric's name, or one of another task.
    """
    task: Task = "classification" if is_classifier(estimator) else "regression"
    if scoring is not None and not isinstance(scoring, str):
        rule = "must be the name of a metric, which has a number for each example"
        raise ValueError(f"scoring: {rule}, got {scoring!r}")
    try:
        metric = metric_of(scoring) if scoring else default_of(task)
    except InputError as error:
        raise ValueError(f"scoring: {str(error).removeprefix('metric: ')}") from error
    if metric.task != task:
        raise ValueError(f"scoring: must be a metric of {task}, got {scoring!r}")
    return metric


def weights_of(given: Any, count: int) -> npt.NDArray[np.float64] | None:
    """Return weights of examples (n,), or None.

    Raises:
        ValueError: They are none.
    """
    if given is None:
        return None
    weights = np.asarray(given, np.float64)
    if weights.shape != (count,):
        raise ValueError(f"sample_weight: must have the shape ({count},), got {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError("sample_weight: must be finite, at least 0, and not all of them zero")
    return weights


def _seeded(estimator: Any, seed: int) -> Any:
    """A clone whose generators have seeds where it has none: so candidates differ by λ alone."""
    copy = clone(estimator)
    names = [
        key
        for key, value in sorted(copy.get_params(deep=True).items())
        if value is None and (key == "random_state" or key.endswith("__random_state"))
    ]
    draws = np.random.default_rng((seed, 1)).integers(_MOST_SEED, size=len(names))
    return copy.set_params(**dict(zip(names, map(int, draws), strict=True)))
