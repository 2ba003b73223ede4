"""The trainer `sklearn`: scikit-learn's estimators by name, their rules, their models."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC
from trainers_textbook import Images, digits

from lamsearch.errors import StudyFileError
from lamsearch.results import TrialState
from lamsearch.study import Study, parse_study
from lamsearch.trainers import Guarded, check, trainer_for
from lamsearch.trainers.network import class_scores
from lamsearch.trainers.penalties import penalty_of
from lamsearch.trainers.scikit import export
from lamsearch.trainers.scikit.catalogue import MODULES, estimator_class

POINTS = ((-3.0,), (-1.5,), (0.0,))
SEED = (1, 0, 0)


@pytest.fixture(scope="module")
def images() -> Images:
    """The digits in float32."""
    return digits()


def study(trainer: dict[str, Any], **changes: Any) -> Study:
    """Return a study of an estimator."""
    document: dict[str, Any] = {
        "name": "estimators", "seed": 1, "data": {"source": "digits", "train": 330,
        "validation": 120}, "trainer": {"name": "sklearn", **trainer},
        "training": {"step_size": 1}, "coarse": {"trials": 4, "log10_lambda": [-4.0, 0.0]},
        **changes,
    }  # fmt: skip
    return parse_study({key: value for key, value in document.items() if value is not None})


def trained(asked: Study, images: Images, points: Any = POINTS, classes: int = 10) -> Guarded:
    """Return a cohort's trainer once it has run."""
    found = trainer_for(check(asked), "coarse", points, splits=images, classes=classes, seed=SEED)
    assert [one.updates for one in found.run()] == [1, 2, 3][: len(points)]
    return found


def test_a_trial_is_the_estimator_at_its_lambda(images: Images) -> None:
    """Each trial's scores are those of the estimator that scikit-learn fits at C = 1/(2nλ)."""
    found = trained(study({"estimator": "LogisticRegression", "max_iter": 300}), images).outcomes()
    for (log10_lambda,), one in zip(POINTS, found, strict=True):
        model = LogisticRegression(C=1 / (2 * 330 * 10**log10_lambda), max_iter=300)
        model.fit(images.train_x, images.train_y)
        expected = model.predict(images.validation_x) == images.validation_y
        assert one.scores is not None
        assert one.scores.tolist() == expected.tolist()
        chosen = model.predict_proba(images.validation_x)[np.arange(120), images.validation_y]
        assert one.validation_loss == pytest.approx(-np.log(chosen).mean(), rel=1e-5)


@pytest.mark.parametrize(
    "trainer",
    [
        {"estimator": "LogisticRegression", "max_iter": 300},
        {"estimator": "RidgeClassifier", "class_weight": "balanced"},
        {"estimator": "LinearSVC"},
        {"estimator": "SGDClassifier", "loss": "log_loss"},
        {"estimator": "MLPClassifier", "hidden_layer_sizes": [7, 5], "activation": "tanh"},
        {"estimator": "MLPClassifier", "hidden_layer_sizes": [9], "solver": "lbfgs"},
    ],
    ids=lambda one: one["estimator"],
)
def test_a_kept_model_predicts_what_its_trial_scored(
    trainer: dict[str, Any], images: Images
) -> None:
    """The chain of layers gives every validation example the class that the estimator gave it."""
    found = trained(study(trainer, final={"replicates": 1}), images, POINTS[:2])
    for one, model in zip(found.outcomes(), found.models(), strict=True):
        assert model is not None
        assert set(model.arrays()) >= {"W1", "b1", "mean", "std"}
        scores = class_scores(model, images.validation_x)
        assert one.scores is not None
        right = scores.argmax(axis=1) == images.validation_y
        assert (right == one.scores).mean() > 0.99  # float32: a tie may fall otherwise


def test_probabilities_of_a_kept_model_are_the_estimator_s(images: Images) -> None:
    """The softmax of a logistic regression's chain has its probabilities, of two classes too, and
    0 of a class that was not in the training split."""
    for count in (2, 10):
        rows = images.train_y < count
        fitted = LogisticRegression(max_iter=300).fit(images.train_x[rows], images.train_y[rows])
        model = export.model_of(fitted, images, 11)
        found = softmax(class_scores(model, images.validation_x), axis=1)
        expected = fitted.predict_proba(images.validation_x)
        assert found[:, :count] == pytest.approx(expected, abs=1e-5)
        assert found[:, count:].max() == 0


def test_a_model_of_a_quantity_answers_in_its_own_unit(
    images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standardisation of targets is multiplied into the last layer."""
    monkeypatch.setattr(export, "Model", SimpleNamespace)
    fitted = Ridge().fit(images.train_x, images.train_x[:, 20] + 0.1 * images.train_x[:, 30])
    splits: Any = SimpleNamespace(**vars(images), target_mean=100.0, target_std=20.0)
    kept: Any = export.model_of(fitted, splits, 0)
    ((W, b),) = kept.layers
    expected = fitted.predict(images.validation_x) * 20 + 100
    assert (images.validation_x @ W + b)[:, 0] == pytest.approx(expected, rel=1e-5)
    assert kept.task == "regression"


def test_a_fit_that_does_not_converge_says_so_in_its_trial(
    images: Images, capfd: pytest.CaptureFixture[str]
) -> None:
    """The warning is the trial's reason, which is complete all the same; nothing is printed."""
    asked = study({"estimator": "MLPClassifier", "hidden_layer_sizes": [4], "max_iter": 3})
    found = trained(asked, images, POINTS[:1]).outcomes()[0]
    assert found.state is TrialState.COMPLETE
    assert (found.reason or "").startswith("ConvergenceWarning: ")
    assert capfd.readouterr() == ("", "")


def test_that_a_fit_stopped_early_is_said_before_what_a_library_will_change(
    images: Images, capfd: pytest.CaptureFixture[str]
) -> None:
    """An option that is on its way out hides nothing, and is no reason by itself."""
    own = {"estimator": "LogisticRegression", "penalty": "l2"}
    stopped = trained(study({**own, "max_iter": 1}), images, POINTS[:1]).outcomes()[0]
    assert (stopped.reason or "").startswith("ConvergenceWarning: ")
    ended = trained(study({**own, "max_iter": 500}), images, POINTS[:1]).outcomes()[0]
    assert ended.reason is None
    assert capfd.readouterr() == ("", "")


def test_what_an_estimator_raises_fails_its_trial_alone(images: Images) -> None:
    """Settings that fit each other by themselves only are the reason of a failed trial."""
    found = trained(study({"estimator": "LinearSVC", "loss": "hinge", "dual": False}), images)
    outcomes = found.outcomes()
    assert {one.state for one in outcomes} == {TrialState.FAIL}
    assert "loss='hinge'" in (outcomes[0].reason or "")
    assert found.models() == (None,) * 3


def test_the_same_seed_gives_the_same_bits(images: Images) -> None:
    """An estimator's random_state follows from the replicate's seed: another one, other bits."""
    asked = check(study({"estimator": "MLPClassifier", "hidden_layer_sizes": [5], "max_iter": 20}))
    losses = []
    for seed in (SEED, SEED, (1, 0, 1)):
        found = trainer_for(asked, "coarse", POINTS[:1], splits=images, classes=10, seed=seed)
        list(found.run())
        losses.append(found.outcomes()[0].validation_loss)
    assert losses[0] == losses[1] != losses[2]


def test_further_parameters_are_searched(images: Images) -> None:
    """Each trial is fitted with its own values of what is searched beside λ."""
    asked = study(
        {"estimator": "SVC"},
        coarse={"trials": 4, "log10_lambda": [-4.0, 0.0],
                "space": {"gamma": {"log": [1e-4, 1e-1]}, "kernel": {"choice": ["rbf", "poly"]}}},
    )  # fmt: skip
    points = ((-3.0, math.log10(1e-2), 0.0), (-3.0, math.log10(1e-3), 1.0))
    found = trained(asked, images, points).outcomes()
    for one, (gamma, kernel) in zip(found, ((1e-2, "rbf"), (1e-3, "poly")), strict=True):
        model = SVC(C=1 / (2 * 330 * 1e-3), gamma=gamma, kernel=kernel)
        model.fit(images.train_x, images.train_y)
        assert one.score == pytest.approx(model.score(images.validation_x, images.validation_y))


@pytest.mark.parametrize(
    ("trainer", "changes", "sentence"),
    [
        ({}, {}, "trainer.estimator: is required"),
        ({"estimator": "os.system"}, {}, "trainer.estimator: must be one of LogisticRegression, "),
        ({"estimator": "Lasso"}, {}, "which have an L2 penalty, got 'Lasso'"),
        ({"estimator": "Ridge"}, {}, "metric: must be a metric of regression, as Ridge is for it"),
        ({"estimator": "LinearSVC"}, {"metric": "log_loss"}, "LinearSVC has no probabilities"),
        ({"estimator": "SVC", "C": 1.0}, {}, "C must not be given: λ becomes it, C = 1 / (2nλ)"),
        ({"estimator": "SVC", "random_state": 1}, {}, "random_state must not be given"),
        ({"estimator": "SVC", "gama": 1.0}, {}, "gama must be a parameter of SVC: break_ties, "),
        ({"estimator": "SVC", "degree": -3}, {}, "The 'degree' parameter of SVC must be an int"),
        ({"estimator": "SVC", "class_weight": {"0": 2}}, {}, "class_weight must be no table"),
        ({"estimator": "Perceptron"}, {}, 'Perceptron must have penalty="l2"'),
        ({"estimator": "SVC"}, {"final": {}}, "final: needs a trainer whose models can be kept"),
        ({"estimator": "MLPClassifier", "activation": "logistic"}, {"final": {}},
         "final: needs activation = 'relu' or 'tanh'"),
        ({"estimator": "SGDClassifier", "loss": "log_loss"}, {"final": {}, "metric": "log_loss"},
         "final: needs one of accuracy"),
        ({"estimator": "LogisticRegression"},
         {"coarse": {"trials": 2, "log10_lambda": [-4.0, 0.0],
                     "space": {"tol": {"log": [1e-9, 1e9]}, "gamma": {"log": [0.1, 1.0]}}}},
         "gamma must be a parameter of LogisticRegression"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(
    trainer: dict[str, Any], changes: dict[str, Any], sentence: str
) -> None:
    """Names, values and what cannot be done are checked with the study, by scikit-learn's rules."""
    with pytest.raises(StudyFileError) as error:
        check(study(trainer, **changes))
    assert sentence in str(error.value)


def test_all_of_the_catalogue_are_scikit_learn_s_own() -> None:
    """Each name is a class of scikit-learn's, whose penalty's parameter it has."""
    for name in MODULES:
        kind = estimator_class(name)
        assert kind.__name__ == name
        assert penalty_of(kind) is not None
