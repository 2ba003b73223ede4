"""`LambdaSearchCV`: an estimator as scikit-learn has them, which searches λ by cross-validation."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import (
    Lasso,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils.estimator_checks import check_estimator
from threadpoolctl import threadpool_limits

from lamsearch import LambdaSearchCV
from lamsearch.estimators.folds import blocks_of, repetitions

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*lbfgs failed to converge"
)  # λs that are too small

X, Y = make_classification(120, 30, n_informative=5, flip_y=0.2, random_state=2)
VALUES = X[:, 0] - X[:, 1] + np.random.default_rng(0).normal(size=120)


def search(estimator: Any = None, **changes: Any) -> LambdaSearchCV:
    """Return a small search of a logistic regression, or of another estimator."""
    options = {
        "random_state": 0,
        "coarse": 4,
        "fine": 3,
        "cv": 3,
        "log10_lambda": (-4, 1),
        **changes,
    }
    return LambdaSearchCV(LogisticRegression() if estimator is None else estimator, **options)


@pytest.mark.parametrize("estimator", [LogisticRegression(), Ridge()], ids=["classes", "values"])
def test_all_checks_of_scikit_learn_pass(estimator: Any) -> None:
    """check_estimator has nothing to object to; no check is declared as expected to fail."""
    checked = LambdaSearchCV(estimator, coarse=3, fine=2, cv=2)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as its own tests do: fits of tiny data, skipped checks
        results = check_estimator(checked, on_fail=None)
    assert [
        one["check_name"] for one in results if one["status"] not in ("passed", "skipped")
    ] == []
    assert sum(one["status"] == "passed" for one in results) > 50


def test_importing_lamsearch_does_not_import_scikit_learn() -> None:
    """The name is there, and what is behind it is loaded when it is wanted."""
    code = "import lamsearch, sys; assert 'LambdaSearchCV' in lamsearch.__all__; " \
           "sys.exit('sklearn' in sys.modules)"  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_best_estimator_is_the_one_at_the_chosen_lambda() -> None:
    """It is what the estimator would be, fitted on all examples at C = 1/(2nλ)."""
    found = search().fit(X, Y)
    C = 1 / (2 * len(Y) * found.best_lambda_)
    assert found.best_params_ == {"C": pytest.approx(C)}
    expected = LogisticRegression(C=C, random_state=0).fit(X, Y)
    assert found.best_estimator_.coef_ == pytest.approx(expected.coef_)
    assert found.predict(X).tolist() == expected.predict(X).tolist()
    assert found.predict_proba(X) == pytest.approx(expected.predict_proba(X))
    assert found.decision_function(X) == pytest.approx(expected.decision_function(X))
    assert found.score(X, Y) == expected.score(X, Y)
    assert (found.classes_.tolist(), found.n_features_in_) == ([0, 1], 30)


def test_scores_are_those_out_of_fold() -> None:
    """A candidate's score is the accuracy of predictions by models that were not trained on the
    example, at λ of each fold's own size."""
    folds = list(KFold(4, shuffle=True, random_state=1).split(X))
    found = search(LogisticRegression(max_iter=1000), cv=folds).fit(X, Y)
    lam, split = found.cv_results_["lambda"][0], found.cv_results_["split2_test_score"][0]
    right = np.zeros(len(Y), bool)
    for train, test in folds:
        model = LogisticRegression(C=1 / (2 * len(train) * lam), max_iter=1000)
        model.fit(X[train], Y[train])
        right[test] = model.predict(X[test]) == Y[test]
    assert found.cv_results_["mean_test_score"][0] == pytest.approx(right.mean())
    assert split == pytest.approx(right[folds[2][1]].mean())
    assert found.n_fits_ == 7 * 4 + 1


def test_the_best_of_all_tried_by_the_rule() -> None:
    """The chosen λ has the best mean of all; the larger one of a standard error is as large at
    least."""
    best, larger = search().fit(X, Y), search(rule="one_standard_error").fit(X, Y)
    results = best.cv_results_
    chosen = results["lambda"].tolist().index(best.best_lambda_)
    assert results["mean_test_score"][chosen] == results["mean_test_score"].max()
    assert results["rank_test_score"][chosen] == 1
    assert best.best_score_ == pytest.approx(results["mean_test_score"][chosen])
    assert larger.best_lambda_ >= best.best_lambda_
    assert "one paired standard error" in larger.selected_rule_


def test_what_the_model_chooses_need_not_have_been_tried() -> None:
    """With rule="model" λ is the top of a Gaussian process, and the estimator is trained there."""
    found = search(rule="model", fine=6, finalists=6).fit(X, Y)
    assert "Gaussian process" in found.selected_rule_
    assert found.best_params_["C"] == pytest.approx(1 / (2 * len(Y) * found.best_lambda_))
    assert len(found.indistinguishable_) >= 1


def test_the_same_seed_gives_the_same_answer_for_any_number_of_jobs() -> None:
    """Candidates, folds and scores do not depend on how many fits are made at a time."""
    one, two = (search(n_jobs=jobs).fit(X, Y) for jobs in (1, 2))
    assert one.best_lambda_ == two.best_lambda_
    assert (
        one.cv_results_["mean_test_score"].tolist() == two.cv_results_["mean_test_score"].tolist()
    )
    other = search(random_state=1).fit(X, Y)
    assert other.cv_results_["lambda"].tolist() != one.cv_results_["lambda"].tolist()


def test_what_cannot_be_told_apart_is_said() -> None:
    """Where labels are noise all λs but the absurd are alike; where λ decides, some are worse."""
    noise = np.random.default_rng(5).integers(2, size=len(Y))
    assert len(search().fit(X, noise).indistinguishable_) == 6
    plain = search(Ridge(), log10_lambda=(-3, 3), coarse=6).fit(X, VALUES)
    told = set(plain.cv_results_["lambda"]) - set(plain.indistinguishable_) - {plain.best_lambda_}
    assert max(plain.cv_results_["lambda"]) in told
    assert plain.best_lambda_ not in plain.indistinguishable_


def test_further_repetitions_are_of_the_finalists_alone() -> None:
    """Each has folds of its own, and the fits of the first are not made again."""
    found = search(repeats=3, finalists=2).fit(X, Y)
    assert sorted(set(found.cv_results_["repetitions"].tolist())) == [1, 3]
    assert found.cv_results_["repetitions"].tolist().count(3) <= 2
    assert found.n_fits_ == 7 * 3 + (found.cv_results_["repetitions"] == 3).sum() * 2 * 3 + 1


def test_a_pipeline_s_last_step_has_the_penalty() -> None:
    """Its parameter is found by the table, in a pipeline within a pipeline too."""
    inner = Pipeline([("scale", StandardScaler()), ("clf", RidgeClassifier())])
    found = search(Pipeline([("all", inner)])).fit(X, Y)
    assert list(found.best_params_) == ["all__clf__alpha"]
    assert found.best_params_["all__clf__alpha"] == pytest.approx(len(Y) * found.best_lambda_)
    assert not hasattr(found, "predict_proba")


def test_a_named_parameter_is_converted_where_it_is_known() -> None:
    """One of the table keeps its row, another is λ itself, and a converter says what it likes."""
    known = search(OneVsRestClassifier(LogisticRegression()), parameter="estimator__C").fit(X, Y)
    assert known.best_params_["estimator__C"] == pytest.approx(1 / (240 * known.best_lambda_))
    itself = search(Lasso(), parameter="alpha", log10_lambda=(-3, 0)).fit(X, VALUES)
    assert itself.best_params_["alpha"] == itself.best_lambda_
    own = search(SVC(), parameter="gamma", converter=lambda lam, n: lam / n).fit(X, Y)
    assert own.best_params_["gamma"] == pytest.approx(own.best_lambda_ / 120)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"estimator": Lasso()}, "parameter: must be given.*got Lasso"),
        ({"estimator": Ridge(), "parameter": "beta"}, "must be one of the estimator's, got 'beta'"),
        ({"estimator": SGDClassifier(penalty="l1")}, 'SGDClassifier must have penalty="l2"'),
        ({"scoring": "r2"}, "scoring: must be a metric of classification, got 'r2'"),
        ({"scoring": "f1"}, "scoring: must be one of .*got 'f1'"),
        ({"scoring": len}, "scoring: must be the name of a metric"),
        ({"estimator": LinearSVC(), "scoring": "log_loss"}, "which has no predict_proba"),
        ({"cv": 1}, "cv: must be at least 2 folds, got 1"),
        ({"cv": 200}, "cv: 200 folds need at least 200 examples, got n_samples=120"),
        ({"cv": "5"}, "cv: must be a number of folds, a splitter or splits, got '5'"),
        ({"cv": KFold(3), "repeats": 2}, "repeats: must be 1 where cv is no number"),
        ({"repeats": 0}, "repeats: must be at least 1, got 0"),
        ({"log10_lambda": (1, -1)}, "log10_lambda: the lower bound must be below the upper one"),
        ({"coarse": 1}, "coarse: must be a whole number, at least 2, got 1"),
        ({"fine": 2.5}, "fine: must be a whole number, at least 0, got 2.5"),
        ({"rule": "luck"}, "rule: must be one of best, one_standard_error, model, got 'luck'"),
    ],
)
def test_what_is_wrong_is_said_in_fit(changes: dict[str, Any], rule: str) -> None:
    """A setting that cannot be is a ValueError with the rule, then the value."""
    with pytest.raises(ValueError, match=rule):
        search(**changes).fit(X, Y)


def test_what_an_estimator_raises_is_what_fit_raises() -> None:
    """Where every fit fails the first one's error comes out; where one λ fails the others go on."""
    with pytest.raises(ValueError, match="Input X contains NaN"):
        search().fit(np.where(X > 2, np.nan, X), Y)
    found = search(Ridge(), converter=lambda lam, n: -1.0 if lam > 1 else lam).fit(X, VALUES)
    failed = found.cv_results_["lambda"] > 1
    assert failed.any()
    assert np.isnan(found.cv_results_["mean_test_score"][failed]).all()
    assert all("alpha" in one for one in found.cv_results_["error"][failed])
    assert found.best_lambda_ <= 1


def test_groups_stay_together_and_strata_keep_their_shares() -> None:
    """No group is on both sides of a split; each fold has its share of every class."""
    groups, labels = np.repeat(np.arange(24), 5), np.arange(120) % 4
    for strata in (None, labels):
        (splits,) = repetitions(
            4, X, labels, groups, strata=strata, repeats=1, seed=0
        )  # fmt: skip
        assert sorted(np.concatenate([test for _, test in splits])) == list(range(120))
        for train, test in splits:
            assert not set(groups[train]) & set(groups[test])
            assert len(test) == 30
    (splits,) = repetitions(4, X, labels, None, strata=labels, repeats=1, seed=0)
    for _, test in splits:
        assert np.abs(np.bincount(labels[test]) - 7.5).max() < 1
    with pytest.raises(ValueError, match="4 folds need at least 4 groups, got 3"):
        repetitions(4, X, labels, groups % 3, strata=None, repeats=1, seed=0)
    assert search().fit(X, Y, groups=groups).n_fits_ == 22
    assert search(cv=GroupKFold(3)).fit(X, Y, groups=groups).n_fits_ == 22


def test_splits_that_test_some_examples_twice_and_some_never() -> None:
    """An example's score is the mean over the splits that test it; the others have none."""
    found = search(cv=ShuffleSplit(4, test_size=0.3, random_state=0)).fit(X, Y)
    assert found.n_fits_ == 29
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()
    blocks = blocks_of(((np.arange(2), np.array([2, 3])), (np.arange(2), np.array([3, 4]))), 6)
    assert [block.tolist() for block in blocks] == [[2, 3], [4]]


def test_weights_count_in_fits_and_scores() -> None:
    """An example of weight 0 is as if it were not there, in what is trained and in the score."""
    weights = np.r_[np.ones(80), np.zeros(40)]
    folds = [(np.arange(30, 120), np.arange(30)), (np.r_[:30, 60:120], np.r_[30:60])]
    with_zeros = search(cv=folds).fit(X, Y, sample_weight=weights)
    without = search(cv=[(np.arange(30, 80), np.arange(30)), (np.r_[:30, 60:80], np.r_[30:60])])
    without.fit(X[:80], Y[:80])
    assert with_zeros.best_lambda_ == without.best_lambda_
    assert with_zeros.best_params_["C"] == pytest.approx(without.best_params_["C"])
    assert with_zeros.best_score_ == pytest.approx(without.best_score_)
    piped = make_pipeline(StandardScaler(), Ridge())
    assert search(piped).fit(X, VALUES, sample_weight=weights).best_score_ > 0


def test_a_split_s_score_counts_its_examples_by_their_weights() -> None:
    """Those of weight 0 that a fold is scored on are as if they were not there."""
    weights = np.r_[np.ones(80), np.zeros(40)]
    folds = [(np.arange(60, 120), np.arange(60)), (np.arange(60), np.arange(60, 120))]
    with_zeros = search(cv=folds).fit(X, Y, sample_weight=weights)
    without = search(cv=[(np.arange(60, 80), np.arange(60)), (np.arange(60), np.arange(60, 80))])
    without.fit(X[:80], Y[:80])
    for split in range(2):
        name = f"split{split}_test_score"
        assert with_zeros.cv_results_[name] == pytest.approx(without.cv_results_[name])


def test_a_loss_is_a_score_with_its_sign_changed() -> None:
    """scoring="log_loss" chooses by probabilities, and so does score."""
    found = search(scoring="log_loss").fit(X, Y)
    probabilities = found.predict_proba(X)[np.arange(120), Y]
    assert found.score(X, Y) == pytest.approx(np.log(probabilities).mean())
    assert found.best_score_ < 0
    assert found.score(X[:2], np.array([7, 7])) == pytest.approx(np.log(np.finfo(float).eps))


def test_classes_are_names_and_may_be_missing_from_a_fold() -> None:
    """Labels stay as they are; a class of one example is predicted with probability 0 where its
    fold's model has not seen it."""
    names = np.array(["no", "yes", "perhaps"])[np.where(np.arange(120) == 0, 2, Y)]
    found = search(scoring="log_loss").fit(X, names)
    assert found.classes_.tolist() == ["no", "perhaps", "yes"]
    assert set(found.predict(X)) <= set(found.classes_)
    assert found.cv_results_["mean_test_score"].max() > np.log(np.finfo(float).eps) / 120 - 2


def test_a_fit_that_does_not_converge_is_one_warning() -> None:
    """However many fits of the chosen λ did not, and none for other candidates."""
    estimator = MLPClassifier((4,), max_iter=2, random_state=0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = search(estimator).fit(X, Y)
    messages = [str(one.message) for one in said if issubclass(one.category, ConvergenceWarning)]
    assert sum("of the fits at the chosen λ did not converge" in one for one in messages) == 1
    assert len(messages) == 2  # the other one is that of the fit on all examples
    assert set(found.cv_results_["not_converged"]) == {3}


class Talkative(Ridge):  # type: ignore[misc]  # scikit-learn ships no types
    """Warns in every fit."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Warn, and fit."""
        warnings.warn("a word at every fit", FutureWarning, stacklevel=1)
        return super().fit(X, y, sample_weight)


def test_what_every_fit_warns_of_is_said_once() -> None:
    """A warning of another kind comes through, once and not for each fit of each candidate."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        search(Talkative()).fit(X, VALUES)
    assert len([one for one in said if "a word" in str(one.message)]) <= 2  # fits, and the last one


def test_it_behaves_as_its_estimator() -> None:
    """It is a classifier or a regressor as its estimator is, is cloned, pickled and nested."""
    assert is_classifier(search())
    assert is_regressor(search(Ridge()))
    found = search().fit(X, Y)
    again = pickle.loads(pickle.dumps(found))  # noqa: S301  # our own bytes
    assert again.predict(X).tolist() == found.predict(X).tolist()
    assert again.indistinguishable_.tolist() == found.indistinguishable_.tolist()
    assert len(pickle.dumps(found)) < 30_000  # the examples are not in it
    assert not hasattr(clone(found), "best_lambda_")
    with pytest.raises(NotFittedError):
        clone(found).predict(X)
    outer = cross_val_predict(search(Ridge()), X, VALUES, cv=2)
    assert outer.shape == VALUES.shape


def test_tables_are_passed_on_as_they_are() -> None:
    """A pandas table reaches the estimator as one, and its columns' names come out."""
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=[f"x{number}" for number in range(30)])
    found = search().fit(table, pandas.Series(Y))
    assert found.feature_names_in_.tolist() == list(table.columns)
    assert found.results_["lambda"].tolist() == found.cv_results_["lambda"].tolist()


def test_real_data_of_many_classes_and_of_values() -> None:
    """Three classes, and a regression on values far from 0, come out as one expects them."""
    iris, diabetes = load_iris(return_X_y=True), load_diabetes(return_X_y=True)
    many = LambdaSearchCV(make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
                          random_state=0).fit(*iris)  # fmt: skip
    assert many.best_score_ > 0.95
    values = LambdaSearchCV(Ridge(), random_state=0).fit(*diabetes)
    assert values.best_score_ == pytest.approx(0.49, abs=0.02)
    assert values.score(*diabetes) == pytest.approx(values.best_estimator_.score(*diabetes))
