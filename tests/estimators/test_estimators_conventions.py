"""scikit-learn's own checks of an estimator, none of which is expected to fail."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from lamsearch import LambdaSearchClassifier, LambdaSearchRegressor

# As small as what is asked of their scores allows: each check fits several times.
SMALL = {
    "hidden": 10, "trials": 2, "keep": 1, "replicates": 1, "updates": 100, "cycles": 1,
    "random_state": 0,
}  # fmt: skip
ESTIMATORS = [LambdaSearchClassifier(**SMALL), LambdaSearchRegressor(**SMALL)]


@parametrize_with_checks(ESTIMATORS)
def test_conventions(estimator: object, check: Callable[[object], None]) -> None:
    """The check passes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        check(estimator)
