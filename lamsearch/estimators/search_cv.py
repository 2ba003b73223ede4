"""λ of any scikit-learn estimator that has one, by cross-validation: `LambdaSearchCV`.

Enters: an estimator, examples. Leaves: the estimator at the chosen λ, trained on all of them, and
how sure the choice is. Refuses to know how candidates are chosen, fitted and scored.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Integral
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, column_or_1d

from lamsearch.errors import InputError, WorkFailedError
from lamsearch.estimators import cross_validated
from lamsearch.estimators.cross_validated import Budget
from lamsearch.estimators.cv_results import cv_results
from lamsearch.estimators.evaluation import Evaluations
from lamsearch.estimators.fitting import one_hot, predict_proba
from lamsearch.estimators.folds import repetitions
from lamsearch.estimators.problems import metric_for, problem_of, weights_of
from lamsearch.estimators.searched_parameter import Converter, searched_parameter
from lamsearch.metrics import OF_CLASSES, Metric
from lamsearch.search import Rule, SearchRecord

_MOST_SEED = 2**31 - 1


def _has(name: str) -> Callable[[Any], bool]:
    """Return whether the estimator has a method, fitted or not."""
    return lambda self: hasattr(getattr(self, "best_estimator_", self.estimator), name)


class LambdaSearchCV(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]  # it has no types
    """Search λ of an estimator by cross-validation, and train it at the best on all examples.

    λ is that of cost = mean loss + λ·Σ‖W‖² whatever the estimator's own parameter is; the table
    stands in docs/concepts.md. Candidates are drawn over all of ``log10_lambda`` (coarse), then
    between the best (fine), and ``rule`` chooses among all of them; with further repetitions, among
    the finalists. A fit is made once: (coarse + fine) · folds fits, in further repetitions
    finalists · folds each, and one on all examples at the end.

    Args:
        estimator: a classifier or regressor, perhaps the last step of a pipeline.
        parameter: the name of its parameter where the table does not know it, or it is not the last
            step's, such as ``"clf__C"``. One that the table does not know is λ itself.
        converter: λ, n → its value, where it is neither; n is the sum of the examples' weights.
        log10_lambda: bounds of log10 λ.
        coarse: candidates over all of the bounds.
        fine: further candidates between the best; 0 for none.
        finalists: how many of the best are compared over further repetitions, where there are any.
        rule: ``"best"`` mean score, ``"one_standard_error"``: the largest λ within one standard
            error of the best, or ``"model"``: the top of a Gaussian process through their means.
        cv: a number of folds (None: 5), stratified for classifiers; a splitter, or splits.
        repeats: how often the finalists' folds are drawn anew, where cv is a number.
        scoring: a metric of lamsearch by its name (None: what estimators' ``score`` is): one with a
            number for each example, for it is by those that candidates are compared.
        random_state: of candidates, folds, and of estimators that have one and none given.
        n_jobs: fits at a time, as joblib takes it; the answer is the same for any.

    Attributes:
        best_lambda_, best_params_: the chosen λ, and the parameter's value on all examples.
        best_score_: its mean score out of fold; what a model expects, where the rule is that.
        best_estimator_: trained on all examples.
        indistinguishable_: the other λs that were tried and cannot be told from the chosen one.
        cv_results_, results_: all candidates, as arrays; as a DataFrame where pandas is installed.
        selected_rule_: what chose it, in words.
        n_fits_: the fits that were made, the last one included.
        classes_, n_features_in_, feature_names_in_: the fitted estimator's.

    Example:
        >>> from lamsearch import LambdaSearchCV
        >>> from sklearn.datasets import load_wine
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> X, y = load_wine(return_X_y=True)
        >>> model = make_pipeline(StandardScaler(), LogisticRegression())
        >>> search = LambdaSearchCV(model, random_state=0).fit(X, y)
        >>> list(search.best_params_)
        ['logisticregression__C']
    """

    def __init__(
        self,
        estimator: Any,
        parameter: str | None = None,
        *,
        converter: Converter | None = None,
        log10_lambda: tuple[float, float] = (-6.0, 1.0),
        coarse: int = 6,
        fine: int = 4,
        finalists: int = 4,
        rule: Rule = "best",
        cv: Any = None,
        repeats: int = 1,
        scoring: str | None = None,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.parameter = parameter
        self.converter = converter
        self.log10_lambda = log10_lambda
        self.coarse = coarse
        self.fine = fine
        self.finalists = finalists
        self.rule = rule
        self.cv = cv
        self.repeats = repeats
        self.scoring = scoring
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None, *, groups: Any = None, sample_weight: Any = None) -> Any:
        """Search λ and train the estimator at the chosen one on all examples.

        Args:
            X: examples (n, features): an array, a sparse matrix or a table; the estimator sees it
                as it is.
            y: labels or values (n,).
            groups: (n,) examples of one group are never on both sides of a split.
            sample_weight: (n,) of losses and of scores alike.

        Raises:
            ValueError: The estimator has no such penalty, a setting is wrong, or every fit failed.
        """
        seed = int(check_random_state(self.random_state).randint(_MOST_SEED))
        parameter = searched_parameter(self.estimator, self.parameter, self.converter)
        problem = problem_of(
            self.estimator, parameter, self._metric(), X, y, sample_weight=sample_weight, seed=seed
        )
        _, _, groups = indexable(X, y, groups)
        strata = None if problem.classes is None else problem.targets.astype(np.intp)
        splits = repetitions(
            self.cv, problem.X, problem.y, groups, strata=strata, repeats=self.repeats, seed=seed
        )
        evaluations = Evaluations(problem=problem, repetitions=splits, jobs=self.n_jobs)
        try:
            found = cross_validated.search(evaluations, self._budget(), seed)
        except InputError as error:
            raise ValueError(str(error)) from error
        except WorkFailedError as error:
            raise evaluations.first_error or ValueError(str(error)) from error
        self._keep(evaluations, found)
        return self

    def _keep(self, evaluations: Evaluations, found: SearchRecord) -> None:
        """Set what was chosen, and train it on all examples."""
        problem, selected = evaluations.problem, found.selected
        assert selected.score is not None  # noqa: S101  # nothing was given, all was searched
        self.best_lambda_ = 10.0 ** selected.point[0]
        self.best_params_ = {problem.parameter.name: problem.value(self.best_lambda_)}
        self.best_score_ = selected.score.mean
        self.selected_rule_ = selected.rule
        self.cv_results_ = cv_results(evaluations, found)
        self.best_estimator_ = problem.fitted(self.best_lambda_)
        self.n_fits_ = evaluations.fits + 1
        self._scores = cross_validated.scores_of(evaluations)
        self._indistinguishable: npt.NDArray[np.float64] | None = None
        if problem.classes is not None:
            self.classes_ = problem.classes
        for category, text in evaluations.warned:
            warnings.warn(text, category, stacklevel=3)
        said = [text for one in evaluations.of(self.best_lambda_) for text in one.warnings]
        if said:
            warnings.warn(
                f"{len(said)} of the fits at the chosen λ did not converge: {said[0]}",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _metric(self) -> Metric:
        return metric_for(self.estimator, self.scoring)

    def _budget(self) -> Budget:
        for name, least in (("coarse", 2), ("fine", 0), ("finalists", 1)):
            value = getattr(self, name)
            if not (isinstance(value, Integral) and int(value) >= least):
                raise ValueError(f"{name}: must be a whole number, at least {least}, got {value!r}")
        if self.rule not in get_args(Rule):
            raise ValueError(f"rule: must be one of {', '.join(get_args(Rule))}, got {self.rule!r}")
        low, high = self.log10_lambda
        return Budget(
            coarse=int(self.coarse), fine=int(self.fine), finalists=int(self.finalists),
            rule=self.rule,
            bounds=(float(low), float(high)),
        )  # fmt: skip

    @property
    def indistinguishable_(self) -> npt.NDArray[np.float64]:
        """The other λs that were tried and cannot be told from the chosen one, ascending."""
        check_is_fitted(self, "best_estimator_")
        if self._indistinguishable is None:
            found = cross_validated.indistinguishable(self._scores, self.best_lambda_)
            self._indistinguishable = np.array(found)
        return self._indistinguishable

    @property
    def results_(self) -> Any:
        """All candidates as a pandas DataFrame, or as arrays by name where there is no pandas."""
        check_is_fitted(self, "best_estimator_")
        try:
            from pandas import DataFrame
        except ImportError:
            return self.cv_results_
        return DataFrame(self.cv_results_)

    @property
    def n_features_in_(self) -> int:
        """The number of features that the fitted estimator has seen."""
        return int(self._fitted("n_features_in_"))

    @property
    def feature_names_in_(self) -> Any:
        """The names of the features that the fitted estimator has seen."""
        return self._fitted("feature_names_in_")

    @property
    def _estimator_type(self) -> Any:
        return getattr(self.estimator, "_estimator_type", None)

    def _fitted(self, name: str) -> Any:
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(f"{type(self).__name__} has no {name} before it is fitted")
        return getattr(self.best_estimator_, name)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import get_tags

        tags, own = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type = own.estimator_type
        tags.classifier_tags, tags.regressor_tags = own.classifier_tags, own.regressor_tags
        tags.input_tags.sparse = own.input_tags.sparse
        tags.input_tags.pairwise = own.input_tags.pairwise
        return tags

    def predict(self, X: Any) -> Any:
        """Return what the best estimator predicts, (n,)."""
        return self._asked("predict", X)

    @available_if(_has("predict_proba"))  # type: ignore[untyped-decorator]  # it has no types
    def predict_proba(self, X: Any) -> Any:
        """Return the best estimator's class probabilities, (n, classes)."""
        return self._asked("predict_proba", X)

    @available_if(_has("predict_log_proba"))  # type: ignore[untyped-decorator]  # it has no types
    def predict_log_proba(self, X: Any) -> Any:
        """Return their logarithms, (n, classes)."""
        return self._asked("predict_log_proba", X)

    @available_if(_has("decision_function"))  # type: ignore[untyped-decorator]  # it has no types
    def decision_function(self, X: Any) -> Any:
        """Return the best estimator's decision function."""
        return self._asked("decision_function", X)

    def _asked(self, method: str, X: Any) -> Any:
        check_is_fitted(self, "best_estimator_")
        return getattr(self.best_estimator_, method)(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the mean score by ``scoring``, higher is better: of a loss, minus the loss.

        A label that was not there in `fit` counts as one of probability 0.
        """
        check_is_fitted(self, "best_estimator_")
        metric, labels = self._metric(), column_or_1d(y)
        if metric.task == "regression":
            predictions, targets = self.predict(X), np.asarray(labels, np.float64)
        else:
            classes = np.unique(np.concatenate([self.classes_, labels]))
            targets = np.searchsorted(classes, labels)
            hard = metric.name in OF_CLASSES
            model = self.best_estimator_
            predictions = (
                one_hot(self.predict(X), classes) if hard else predict_proba(model, X, classes)
            )
        each = metric.per_example(predictions, targets)
        return float(np.average(each, weights=weights_of(sample_weight, len(labels))))
