"""Trains one estimator for each trial of a cohort, and keeps its model.

Enters: a task whose options name an estimator. Leaves: outcomes and models. A fit that does not
converge says so in its trial's reason and nowhere else. Refuses to know cohorts: each trial is
trained by itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.metrics import OF_CLASSES
from lamsearch.results import Model, Trained, TrialState
from lamsearch.space import Point
from lamsearch.trainers.failures import one_line
from lamsearch.trainers.function import FunctionTrainer
from lamsearch.trainers.penalties import Trained as TrainedOn
from lamsearch.trainers.protocol import Splits, Task
from lamsearch.trainers.scikit.catalogue import penalty
from lamsearch.trainers.scikit.export import model_of
from lamsearch.trainers.scikit.options import Options


class EstimatorTrainer(FunctionTrainer):
    """One of scikit-learn's estimators, fitted to each trial's λ."""

    def __init__(self, task: Task) -> None:
        super().__init__(self._fitted, task)
        self._estimators: list[Any] = []

    def models(self) -> tuple[Model | None, ...]:
        """Return every trial's model as a chain of layers, None for one that failed."""
        splits, classes = self._task.splits, self._task.classes
        return tuple(
            None if one is None else model_of(one, splits, classes) for one in self._estimators
        )

    def _trained(self, index: int) -> Trained:
        self._estimators.append(None)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = super()._trained(index)
        if found.state is not TrialState.COMPLETE:
            self._estimators[-1] = None
        elif (one := _worth_telling(said)) is not None:
            first = str(one.message).partition("\n")[0]
            found = replace(found, reason=one_line(f"{one.category.__name__}: {first}"))
        return found

    def _fitted(
        self, point: Point, splits: Splits, seed: tuple[int, ...], options: Options
    ) -> npt.NDArray[np.float64]:
        """Fit at a point; return what is predicted of the validation examples."""
        estimator, row = options.made(), penalty(options.estimator)
        parameters = estimator.get_params()
        trained = TrainedOn.on(len(splits.train_y))  # balanced weights of classes add up to it
        values: dict[str, Any] = {row.parameter: row.value(10.0 ** point[0], trained, parameters)}
        if "random_state" in parameters:
            values["random_state"] = int(np.random.SeedSequence(seed).generate_state(1)[0])
        estimator.set_params(**values).fit(splits.train_x, splits.train_y)
        self._estimators[-1] = estimator
        if not self._task.classes:
            return np.asarray(estimator.predict(splits.validation_x), np.float64)
        return _probabilities(estimator, splits, self._task.classes, self._task.metric.name)


def _worth_telling(
    said: Sequence[warnings.WarningMessage],
) -> warnings.WarningMessage | None:
    """The warning that is said of a fit: that it did not converge before any other; none of what a
    later version of a library will change."""
    from sklearn.exceptions import ConvergenceWarning

    later = (FutureWarning, DeprecationWarning)
    kept = [one for one in said if not issubclass(one.category, later)]
    stopped = (one for one in kept if issubclass(one.category, ConvergenceWarning))
    return next(stopped, kept[0] if kept else None)


def _probabilities(
    estimator: Any, splits: Splits, classes: int, metric: str
) -> npt.NDArray[np.float64]:
    """Class probabilities (n, C) of the validation examples, 0 of a class that was not seen.

    Where an estimator has none, the predicted class is certain; so it is for metrics of classes
    where it need not be the most probable one (SVC).
    """
    whole = np.zeros((len(splits.validation_x), classes))
    by_class = metric in OF_CLASSES and type(estimator).__name__ == "SVC"
    if hasattr(estimator, "predict_proba") and not by_class:
        whole[:, estimator.classes_] = estimator.predict_proba(splits.validation_x)
        return np.asarray(whole / whole.sum(axis=1, keepdims=True))
    whole[np.arange(len(whole)), estimator.predict(splits.validation_x)] = 1.0
    return whole
