"""A score's standard error, against the spread over samples that are drawn again and again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lamsearch.metrics import ACCURACY, METRICS, Metric, metric_of, score_error

Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
SHARES = np.array([0.6, 0.25, 0.1, 0.05])
RECALLS = np.array([0.95, 0.7, 0.9, 0.5])


def classes(rng: np.random.Generator, examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels of four classes of unlike size, and probabilities of unlike recall."""
    labels = rng.choice(4, examples, p=SHARES)
    right = rng.random(examples) < RECALLS[labels]
    named = np.where(right, labels, (labels + rng.integers(1, 4, examples)) % 4)
    sure = rng.uniform(0.5, 0.99, examples)
    probabilities = np.repeat((1 - sure)[:, None] / 3, 4, axis=1)
    probabilities[np.arange(examples), named] = sure
    return probabilities, labels


def quantities(rng: np.random.Generator, examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw targets of mean 50 and predictions that explain most of their variance."""
    signal = rng.normal(size=examples)
    targets = 50 + 10 * signal + 6 * rng.normal(size=examples)
    return 50 + 9 * signal, targets


def drawn_by(metric: Metric) -> Draw:
    """Return what draws samples for a metric."""
    return classes if metric.task == "classification" else quantities


@pytest.mark.parametrize("name", [name for name in METRICS.builtin if name != "accuracy"])
def test_a_score_s_error_is_its_spread_over_samples(name: str) -> None:
    """Over 600 samples of 400 examples the mean of the stated errors is the scores' standard
    deviation, whether they are of the numbers per example or the metric's own."""
    metric, rng = metric_of(name), np.random.default_rng(11)
    scores, linear, own = [], [], []
    for sample in range(600):
        predictions, targets = drawn_by(metric)(rng, 400)
        numbers = metric.per_example(predictions, targets)
        scores.append(float(numbers.mean()))
        linear.append(score_error(metric, numbers))
        if sample < 40:
            own.append(score_error(metric, numbers, [predictions], targets))
    spread = float(np.std(scores))
    assert np.mean(linear) == pytest.approx(spread, rel=0.1)
    assert np.mean(own) == pytest.approx(spread, rel=0.1)


@pytest.mark.parametrize("name", [name for name in METRICS.builtin if name != "accuracy"])
def test_the_error_of_a_difference_is_its_spread_over_samples(name: str) -> None:
    """Numbers per example of two models are paired: the standard error of their mean difference
    is the spread of the difference of the scores."""
    metric, rng = metric_of(name), np.random.default_rng(13)
    gaps, errors = [], []
    for _ in range(500):
        predictions, targets = drawn_by(metric)(rng, 400)
        other = np.roll(predictions, 1, axis=1) if predictions.ndim > 1 else predictions * 0.98
        keep = rng.random(400) < 0.8
        mixed = np.where(keep[:, None] if predictions.ndim > 1 else keep, predictions, other)
        gap = metric.per_example(predictions, targets) - metric.per_example(mixed, targets)
        gaps.append(gap.mean())
        errors.append(gap.std(ddof=1) / math.sqrt(len(gap)))
    assert np.mean(errors) == pytest.approx(np.std(gaps), rel=0.12)


def test_the_bootstrap_of_macro_f1_is_that_of_examples() -> None:
    """Multinomial draws of combinations give the standard deviation that resampled examples give,
    for the mean of two models too, and the same one each time it is asked for."""
    metric, rng = metric_of("macro_f1"), np.random.default_rng(3)
    first, labels = classes(rng, 300)
    second = np.where(rng.random(300)[:, None] < 0.8, first, np.roll(first, 1, axis=1))
    models = [first, second]
    numbers = np.mean([metric.per_example(one, labels) for one in models], axis=0)
    found = score_error(metric, numbers, models, labels)
    values = []
    for _ in range(600):
        rows = rng.integers(0, 300, 300)
        values.append(
            np.mean([metric.per_example(one[rows], labels[rows]).mean() for one in models])
        )
    assert found == pytest.approx(np.std(values), rel=0.1)
    assert score_error(metric, numbers, models, labels) == found


@pytest.mark.parametrize("name", ["balanced_accuracy", "macro_f1"])
def test_a_model_that_is_right_everywhere_has_an_error(name: str) -> None:
    """What was never seen is not impossible: of n examples of C classes alike its error is near
    that of an accuracy of 1."""
    metric, labels = metric_of(name), np.arange(200) % 4
    sure = np.eye(4)[labels]
    found = score_error(metric, metric.per_example(sure, labels), [sure], labels)
    rate = 0.5 / 201
    assert found == pytest.approx(math.sqrt(rate * (1 - rate) / 200), rel=1.0)
    assert found > 0


def test_balanced_accuracy_does_not_depend_on_how_often_a_class_is_drawn() -> None:
    """A model that is right everywhere has the same number for every example, whatever the
    classes' shares: none of its spread comes from these."""
    labels = np.array([0] * 90 + [1] * 10)
    numbers = metric_of("balanced_accuracy").per_example(np.eye(2)[labels], labels)
    assert numbers == pytest.approx(1.0)
    always = metric_of("balanced_accuracy").per_example(np.eye(2)[0 * labels], labels)
    assert always == pytest.approx(0.5)


def test_one_example_shows_no_spread() -> None:
    """Its score's size stands for the error, so that a loss of one example is no share."""
    found = score_error(metric_of("mae"), np.array([-3.0]))
    assert found == 3.0


def test_a_proportion_leaves_its_error_to_the_share() -> None:
    """Numbers of 0 and 1 have no error of their own, with or without predictions."""
    probabilities, labels = classes(np.random.default_rng(1), 50)
    right = ACCURACY.per_example(probabilities, labels)
    assert score_error(ACCURACY, right, [probabilities], labels) is None


def test_an_error_of_a_package_s_metric_is_asked_for() -> None:
    """A metric's own error gets the models' predictions, the targets and a seeded generator."""
    asked: list[Any] = []

    def error(predictions: Any, targets: Any, rng: np.random.Generator) -> float:
        asked.append((len(predictions), len(targets), float(rng.random())))
        return 0.25

    own = Metric(name="own", title="own", per_example=metric_of("brier").per_example, error=error)
    probabilities, labels = classes(np.random.default_rng(1), 50)
    numbers = own.per_example(probabilities, labels)
    for _ in range(2):
        assert score_error(own, numbers, [probabilities, probabilities], labels) == 0.25
    assert asked[0] == asked[1]
    assert asked[0][:2] == (2, 50)
    assert score_error(own, numbers) == pytest.approx(numbers.std(ddof=1) / math.sqrt(50))
