"""What no learning gets, against an independent library's dummies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from lamsearch.metrics import METRICS, Metric, constant_of, constant_scores, metric_of

RNG = np.random.default_rng(21)
LABELS = RNG.choice(4, 300, p=[0.2, 0.5, 0.2, 0.1])
TARGETS = RNG.lognormal(3.0, 1.0, 300)
OF_CLASSES = [name for name in METRICS.builtin if metric_of(name).task == "classification"]
OF_QUANTITIES = [name for name in METRICS.builtin if metric_of(name).task == "regression"]


@pytest.mark.parametrize("name", OF_CLASSES)
def test_the_constant_answer_of_classes_is_scikit_learn_s_dummy(name: str) -> None:
    """The most frequent class, or the classes' shares, of the training labels alone."""
    metric, (train, rest) = metric_of(name), np.split(LABELS, [200])
    strategy = "most_frequent" if metric.answer == "majority" else "prior"
    dummy = DummyClassifier(strategy=strategy).fit(train[:, None], train)
    constant = constant_of(metric, train, 4)
    assert constant == pytest.approx(dummy.predict_proba(rest[:1, None])[0])
    if metric.answer == "guess":
        return
    scores = constant_scores(metric, constant, rest)
    assert scores == pytest.approx(metric.per_example(dummy.predict_proba(rest[:, None]), rest))


def test_macro_f1_of_guessing_is_that_of_many_guesses() -> None:
    """It is what guesses with the same shares get on average; with the classes' own shares it is
    1/C, and no other shares get more, the most frequent class included."""
    metric, rng = metric_of("macro_f1"), np.random.default_rng(5)
    labels = rng.choice(3, 2000, p=[0.6, 0.3, 0.1])
    shares = np.bincount(labels) / 2000
    guesses = [np.eye(3)[rng.choice(3, 2000, p=shares)] for _ in range(200)]
    numbers = constant_scores(metric, shares, labels)
    many = np.mean([metric.per_example(one, labels) for one in guesses])
    assert numbers.mean() == pytest.approx(many, abs=0.002)
    assert numbers.mean() == pytest.approx(1 / 3)
    others = [*np.eye(3), *rng.dirichlet(np.ones(3), 50)]
    assert all(constant_scores(metric, one, labels).mean() < 1 / 3 + 1e-12 for one in others)
    for label in range(3):
        always = np.tile(np.eye(3)[label], (2000, 1))
        found = constant_scores(metric, np.eye(3)[label], labels)
        expected = metric.per_example(always, labels)
        assert found.mean() * 3 == pytest.approx(expected.mean() * 3)


@pytest.mark.parametrize("name", OF_QUANTITIES)
def test_the_constant_answer_of_quantities_is_scikit_learn_s_dummy(name: str) -> None:
    """The mean of the training targets for R² and MSE, their median for MAE."""
    metric, (train, rest) = metric_of(name), np.split(TARGETS, [200])
    strategy = "median" if name == "mae" else "mean"
    dummy = DummyRegressor(strategy=strategy).fit(train[:, None], train)
    constant = constant_of(metric, train, 0)
    assert constant == pytest.approx(dummy.constant_.ravel())
    scores = constant_scores(metric, constant, rest)
    assert scores == pytest.approx(metric.per_example(dummy.predict(rest[:, None]), rest))


@pytest.mark.parametrize("name", ["log_loss", "brier", *OF_QUANTITIES])
def test_no_other_constant_scores_higher_on_the_training_targets(name: str) -> None:
    """It is the best that can be done without looking at an example."""
    metric = metric_of(name)
    targets = LABELS if metric.task == "classification" else TARGETS
    constant = np.array(constant_of(metric, targets, 4))
    best = constant_scores(metric, constant, targets).mean()
    for _ in range(50):
        other = constant * RNG.uniform(0.8, 1.25, len(constant))
        other = other / other.sum() if metric.task == "classification" else other
        assert constant_scores(metric, other, targets).mean() <= best + 1e-12


def test_the_mean_explains_nothing_and_no_draw_of_examples_changes_that() -> None:
    """R² of the examples' own mean is 0 for each of them."""
    metric = metric_of("r2")
    assert constant_scores(metric, [TARGETS.mean()], TARGETS) == pytest.approx(0.0, abs=1e-12)


def test_another_package_s_metric_has_a_constant_answer() -> None:
    """Unless it names one, the classes' shares, or the mean of the targets."""
    own = Metric(name="own", title="own", per_example=metric_of("brier").per_example)
    assert constant_of(own, np.array([0, 1, 1, 1]), 2) == (0.25, 0.75)
    quantity = Metric(
        name="q", title="q", per_example=metric_of("mae").per_example, task="regression"
    )
    assert constant_of(quantity, np.array([1.0, 2.0, 6.0]), 0) == (3.0,)


def test_of_several_most_frequent_classes_the_first_is_answered() -> None:
    """As the accuracy of a tie goes to the lowest class."""
    assert constant_of(metric_of("accuracy"), np.array([2, 1, 1, 2]), 3) == (0.0, 1.0, 0.0)


def test_a_class_that_the_training_split_lacks_costs_the_log_loss_a_finite_sum() -> None:
    """Its share is 0, which counts as float64's resolution."""
    metric = metric_of("log_loss")
    scores = constant_scores(metric, constant_of(metric, np.array([0, 0]), 2), np.array([1]))
    assert scores[0] == pytest.approx(math.log(np.finfo(np.float64).eps))
