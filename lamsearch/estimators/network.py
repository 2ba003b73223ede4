"""The built-in network for scikit-learn: λ is searched while it is fitted.

Enters: examples. Leaves: a fitted ensemble, and what the search says. The search is coarse, fine,
finalists; the final's networks are then trained on all examples, with the λ that validation chose.
Refuses to test: the test set is whatever the user keeps to themselves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from lamsearch.api.ensemble import Ensemble
from lamsearch.api.examples import Arrays, contents, validation_share
from lamsearch.api.in_memory import held, mapped_over, searched
from lamsearch.api.result import Result, frame, result_of
from lamsearch.data import Contents
from lamsearch.data.labels import named
from lamsearch.errors import InputError
from lamsearch.estimators.final import trained_on_all
from lamsearch.estimators.sizes import NetworkSizes, network_sizes
from lamsearch.metrics import DEFAULT_METRIC, Task, metric_of

if TYPE_CHECKING:
    from pandas import DataFrame

_FLOATS = (np.float64, np.float32)
_ETA = 1e-5, 1e-2  # the lowest and the highest learning rate, of Adam


class _LambdaSearch(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What the classifier and the regressor share."""

    _task: ClassVar[Task]
    _metric: ClassVar[str]

    def __init__(
        self,
        hidden: int | Sequence[int] | None = None,
        *,
        batch_size: int | None = None,
        updates: int | None = None,
        cycles: int = 3,
        trials: int = 16,
        keep: int = 4,
        replicates: int = 4,
        log10_lambda: tuple[float, float] = (-6.0, 0.0),
        validation_fraction: float = 0.2,
        metric: str | None = None,
        rule: str = "best",
        ensemble: bool = True,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        storage: str | None = None,
        verbose: bool = False,
    ) -> None:
        self.hidden = hidden
        self.batch_size = batch_size
        self.updates = updates
        self.cycles = cycles
        self.trials = trials
        self.keep = keep
        self.replicates = replicates
        self.log10_lambda = log10_lambda
        self.validation_fraction = validation_fraction
        self.metric = metric
        self.rule = rule
        self.ensemble = ensemble
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.storage = storage
        self.verbose = verbose

    @property
    def results_(self) -> DataFrame:
        """Every trial of the search, a row each, as a pandas DataFrame.

        Raises:
            ImportError: pandas is not installed; ``result_.trials`` needs none.
        """
        check_is_fitted(self)
        return frame(self.result_.trials)

    def _fit(self, X: npt.NDArray[Any], y: npt.NDArray[Any]) -> Self:
        """Search, and train the final on all examples."""
        seed = self._seed()
        arrays: Arrays = {"X": X, "y": y}
        try:
            found = contents(arrays, self._task)
            sizes = network_sizes(len(X), self.hidden, self.batch_size, self.updates)
            document = self._document(len(X), sizes, seed)
            if self.storage is None:
                self.result_ = self._in_memory(document, found)
            else:
                self.result_ = self._in_storage(document, arrays, found)
            models = trained_on_all(
                document, found, self.result_.best_log10_lambda,
                replicates=self.replicates if self.ensemble else 1,
                mapped=mapped_over(self.n_jobs),
            )  # fmt: skip
        except InputError as error:  # what scikit-learn's users expect of bad input
            raise ValueError(str(error)) from error
        self.ensemble_ = Ensemble(models=models, classes=found.classes)
        self.best_lambda_ = self.result_.best_lambda
        self.indistinguishable_ = np.array(self.result_.indistinguishable)
        return self

    def _in_memory(self, document: dict[str, Any], found: Contents) -> Result:
        with held(document, found) as (study, data):
            return result_of(searched(study, data, mapped_over(self.n_jobs)))

    def _in_storage(self, document: dict[str, Any], arrays: Arrays, found: Contents) -> Result:
        """The same by the service: the same arguments find the same study again."""
        if self.random_state is None:
            raise ValueError(
                "random_state: must be a whole number with storage, for a fit is found again by "
                "its data and parameters, got None"
            )
        from lamsearch.api.running import run  # Optuna and the database, which no other fit needs

        about = json.dumps([document, found.fingerprint()], sort_keys=True)
        name = f"fit-{hashlib.sha256(about.encode()).hexdigest()[:16]}"
        return run(
            {**document, "name": name}, data=arrays, storage=self.storage,
            workers=mapped_over(self.n_jobs).processes, verbose=self.verbose,
        )  # fmt: skip

    def _document(self, examples: int, sizes: NetworkSizes, seed: int) -> dict[str, Any]:
        """The study of a fit, but for where its examples are."""
        metric = self.metric or self._metric
        if (task := metric_of(metric).task) != self._task:
            rule = f"must be a metric of {self._task}"
            raise InputError(f"metric: {rule}, got {metric!r}, which is one of {task}")
        validation = validation_share(self.validation_fraction, examples)
        train = examples - validation
        drawn = {"trials": self.trials, "sampler": "stratified", "cycles": 1}
        return {
            "name": "fit", "seed": seed, "metric": metric,
            "data": {
                "train": train, "validation": validation,
                **({"stratified": True} if self._task == "classification" else {}),
            },
            "network": {"hidden": list(sizes.hidden)},
            "training": {
                "batch_size": min(sizes.batch_size, train), "step_size": sizes.step_size,
                "cycles": self.cycles, "sample_every": "cycle",
                "optimiser": "adam", "eta_min": _ETA[0], "eta_max": _ETA[1],
            },
            "coarse": {**drawn, "log10_lambda": [float(end) for end in self.log10_lambda]},
            "fine": {**drawn, "keep": min(3, self.trials)},
            "finalists": {"keep": self.keep, "replicates": self.replicates, "rule": self.rule},
        }  # fmt: skip

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _examples(self, X: Any) -> npt.NDArray[Any]:
        """Examples to predict, found to be as those of the fit."""
        check_is_fitted(self)
        found: npt.NDArray[Any] = validate_data(self, X, reset=False, dtype=_FLOATS)
        return found


class LambdaSearchClassifier(ClassifierMixin, _LambdaSearch):  # type: ignore[misc]  # as above
    """A network whose L2 penalty λ is chosen by validation while it is fitted.

    ``trials`` λs are tried over ``log10_lambda``, as many again where the best ones lie, and the
    best ``keep`` of those over ``replicates`` seeds, which decide by ``rule``. All candidates of a
    replicate have the same initial weights and mini-batches, so that their differences are paired.
    Then ``replicates`` networks are trained on all examples with the chosen λ. Features are
    standardised inside.

    Args:
        hidden: hidden units, or those of each layer; ``()`` is a linear model. None: √n, at least
            10 and at most 100, for n examples.
        batch_size: examples in a mini-batch. None: n / 20, at least 10 and at most 100.
        updates: of a cycle of the learning rate. None: 10 epochs, at least 200 and at most 2,000.
        cycles: of finalists and final; a trial of the search has one.
        trials: λs of the first look, and of the second.
        keep: how many of the best are tried over ``replicates`` seeds.
        replicates: seeds, and networks of the ensemble; an even number uses two cores best.
        log10_lambda: where λ is looked for.
        validation_fraction: of the examples, to select by.
        metric: what candidates are compared by, on validation: accuracy (None), balanced_accuracy,
            log_loss …. `score` is the accuracy whatever it is.
        rule: ``best``, ``one_standard_error`` (the largest λ that is as good) or ``model`` (the top
            of a Gaussian process, perhaps between those tried).
        ensemble: predict by the mean of the replicates' probabilities; False: by one network, and
            no other is trained on all examples.
        random_state: all randomness follows from it.
        n_jobs: processes; -1 is one for each core. The fit is the same for any number.
        storage: the URL of a database that the search is kept in: a fit that was interrupted goes
            on when it is called again, and ``lamsearch worker`` elsewhere helps. The same bits as
            without. None: in memory.
        verbose: with ``storage``, tell on standard error what happens.

    Attributes:
        best_lambda_: the chosen λ.
        indistinguishable_: λs (k,) of the finalists that cannot be distinguished from it.
        classes_: the classes, in the order of the columns of `predict_proba`.
        results_: every trial of the search, as a pandas DataFrame.
        result_: the search as a `lamsearch.Result`.
        ensemble_: the networks as a `lamsearch.Ensemble`.

    Example:
        >>> from lamsearch import LambdaSearchClassifier
        >>> model = LambdaSearchClassifier(random_state=0).fit(X, y)  # doctest: +SKIP
        >>> model.best_lambda_, model.score(X_test, y_test)
    """

    _task = "classification"
    _metric = DEFAULT_METRIC.name

    def fit(self, X: Any, y: Any) -> Self:
        """Search λ, and train the networks.

        Args:
            X: examples (n, features), of numbers.
            y: their classes (n,), of any kind that can be sorted.

        Raises:
            ValueError: Something given breaks a rule; the sentence says which.
            WorkFailedError: Too little was trained to a finite cost.
        """
        X, y = validate_data(self, X, y, dtype=_FLOATS, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, indices = np.unique(column_or_1d(y, warn=True), return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: must have at least 2 classes, got 1 class: {self.classes_[0]!r}")
        return self._fit(X, _named(self.classes_)[indices])

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probabilities (n, classes) of examples X (n, features)."""
        x = self._examples(X)
        return self.ensemble_.predict_proba(x)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable class of each of X (n, features)."""
        x = self._examples(X)
        found: npt.NDArray[Any] = self.classes_[self.ensemble_.predict_proba(x).argmax(axis=1)]
        return found


class LambdaSearchRegressor(RegressorMixin, _LambdaSearch):  # type: ignore[misc]  # as above
    """A network that predicts a quantity, whose λ is chosen by validation while it is fitted.

    Its arguments and attributes are those of `LambdaSearchClassifier`, less ``classes_``; its
    ``metric`` is r2 (None), mae or mse, and `score` is R² whatever it is. The quantity is
    standardised inside and predicted in its own unit.

    Example:
        >>> from lamsearch import LambdaSearchRegressor
        >>> model = LambdaSearchRegressor(random_state=0).fit(X, y)  # doctest: +SKIP
        >>> model.predict(X_test)
    """

    _task = "regression"
    _metric = "r2"

    def fit(self, X: Any, y: Any) -> Self:
        """Search λ, and train the networks.

        Args:
            X: examples (n, features), of numbers.
            y: what is to be predicted (n,), in its own unit.

        Raises:
            ValueError: Something given breaks a rule; the sentence says which.
            WorkFailedError: Too little was trained to a finite cost.
        """
        X, y = validate_data(self, X, y, dtype=_FLOATS, y_numeric=True, ensure_min_samples=4)
        return self._fit(X, column_or_1d(y, warn=True).astype(np.float64))

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the predicted quantities (n,) of X (n, features), in their own unit."""
        x = self._examples(X)
        return np.asarray(self.ensemble_.predict(x), np.float64)


def _named(classes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What stands for each class (k,) in the study: names, where all can be and sort alike."""
    names = np.array([str(one) for one in classes.tolist()])
    known = named(names, "y", [])
    in_order = known is not None and known.classes == tuple(names.tolist())
    return names if in_order else np.arange(len(classes))
