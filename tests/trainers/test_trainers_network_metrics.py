"""The network's outcomes by each metric of classes: numbers per example, their error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from trainers_textbook import Images, digits

from lamsearch.metrics import METRICS, Metric, metric_of, score_error
from lamsearch.results import Trained
from lamsearch.study import Training
from lamsearch.trainers.network import NetworkTrainer, class_scores

OF_CLASSES = [name for name in METRICS.builtin if metric_of(name).task == "classification"]


@pytest.fixture(scope="module")
def images() -> Images:
    """The digits: 330 to train on, 120 to select by."""
    return digits()


def trained(images: Images, metric: Metric) -> tuple[tuple[Trained, ...], list[np.ndarray]]:
    """Train two models; return their outcomes, and what their exports say of validation."""
    training = Training.model_validate({"batch_size": 10, "step_size": 20, "eta_max": 0.1})
    one = NetworkTrainer(
        images, training, [-4.0, -1.0], hidden=8, classes=10, seed=(1, 0, 0), metric=metric
    )
    for _ in one.run():
        pass
    models: list[Any] = list(one.models())
    says = [softmax(class_scores(model, images.validation_x), axis=1) for model in models]
    return one.outcomes(), says


@pytest.mark.parametrize("name", OF_CLASSES)
def test_an_outcome_has_the_metric_s_numbers_and_error(images: Images, name: str) -> None:
    """Both are those of the exported model's probabilities on the validation examples."""
    metric = metric_of(name)
    outcomes, says = trained(images, metric)
    for outcome, one in zip(outcomes, says, strict=True):
        numbers = metric.per_example(one, images.validation_y)
        assert outcome.scores is not None
        np.testing.assert_allclose(outcome.scores, numbers, rtol=1e-4, atol=1e-5)
        assert outcome.score == pytest.approx(numbers.mean(), rel=1e-4)
        expected = score_error(metric, numbers, [one], images.validation_y)
        if expected is None:
            assert outcome.score_error is None
        else:
            assert outcome.score_error == pytest.approx(expected, rel=1e-3)


def test_a_package_s_proportion_is_kept_as_bools(images: Images) -> None:
    """Whether the true class is among the two most probable: 0 or 1, whose error follows."""

    def among_two(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return (np.argsort(-probabilities, axis=1)[:, :2] == labels[:, None]).any(axis=1)

    metric = Metric(name="top2", title="top-2 accuracy", per_example=among_two, proportion=True)
    outcomes, says = trained(images, metric)
    for outcome, one in zip(outcomes, says, strict=True):
        assert outcome.scores is not None
        assert outcome.scores.dtype == np.bool_
        assert outcome.score_error is None
        assert outcome.score == among_two(one, images.validation_y).mean()
