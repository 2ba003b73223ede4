"""Models measured on a split: numbers per example, any metric, and exported models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from trainers_textbook import Images, digits

from lamsearch.metrics import Metric
from lamsearch.study import Training
from lamsearch.trainers.network import NetworkTrainer, class_scores, evaluate
from lamsearch.trainers.network import evaluation as module

TRAINING = Training(batch_size=10, step_size=20, cycles=1, eta_min=1e-3, eta_max=0.1)


@pytest.fixture(scope="module")
def images() -> Images:
    """The digits in float32."""
    return digits()


@pytest.fixture(scope="module")
def trainer(images: Images) -> NetworkTrainer:
    """A trained cohort of three."""
    found = NetworkTrainer(
        images, TRAINING, [-4.0, -2.0, 0.0], hidden=8, classes=10, seed=(1, 0, 0)
    )
    for _ in found.run():
        pass
    return found


@pytest.mark.parametrize("at_once", [7, 120, 1000])
def test_means_are_of_the_numbers_per_example(
    images: Images, trainer: NetworkTrainer, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Loss and accuracy are the means of `losses` and `correct`, in chunks of any size."""
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    found = evaluate(trainer.weights, images.validation_x, images.validation_y)
    assert found.losses.shape == found.correct.shape == (3, 120)
    np.testing.assert_allclose(found.losses.mean(axis=1), found.loss, rtol=1e-6)
    np.testing.assert_array_equal(found.correct.mean(axis=1), found.accuracy)
    assert found.scores is None


@pytest.mark.parametrize("at_once", [50, 1000])
def test_a_metric_gets_probabilities_and_labels(
    images: Images, trainer: NetworkTrainer, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Any metric gives one number per example from probabilities (n, C) and labels (n,)."""
    monkeypatch.setattr(module, "_AT_ONCE", at_once)

    def log_likelihood(probabilities: Any, labels: Any) -> Any:
        assert probabilities.shape == (len(labels), 10)
        return np.log(probabilities[np.arange(len(labels)), labels])

    metric = Metric(name="likelihood", title="likelihood", per_example=log_likelihood)
    found = evaluate(trainer.weights, images.validation_x, images.validation_y, metric)
    assert found.scores is not None
    np.testing.assert_allclose(found.scores, -found.losses, rtol=0, atol=2e-5)


def test_an_exported_model_has_the_class_scores_of_its_formula(
    images: Images, trainer: NetworkTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores are relu(x @ W1 + b1) @ W2 + b2, in chunks that the examples do not fill."""
    monkeypatch.setattr(module, "_AT_ONCE", 50)
    model = trainer.models()[1]
    assert model is not None
    x = images.validation_x
    (W1, b1), (W2, b2) = model.layers
    expected = np.maximum(x.astype(np.float64) @ W1 + b1, 0) @ W2 + b2
    found = class_scores(model, x)
    assert found.shape == (120, 10)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
