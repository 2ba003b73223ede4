"""Weights of training examples in the loss: what they are worth, and where they are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from trainers_textbook import Images, digits

from lamsearch import trainers
from lamsearch.data import Splits
from lamsearch.diagnostics.gradcheck import check, check_network
from lamsearch.errors import StudyFileError
from lamsearch.study import Augment, ImageShape, Network, Training, parse_study
from lamsearch.trainers.network import NetworkTrainer, gradients
from lamsearch.trainers.network.batches import MiniBatches

Array = npt.NDArray[Any]
LAMBDAS = (-3.0, -1.0)


def trained(images: Any, batch_size: int, dtype: Any = np.float64, **more: Any) -> NetworkTrainer:
    """Train a small cohort for 40 updates."""
    training = Training(
        batch_size=batch_size, step_size=20, eta_min=1e-3, eta_max=0.1, sample_every="cycle", **more
    )
    trainer = NetworkTrainer(
        images, training, LAMBDAS, hidden=8, classes=10, seed=(1, 0, 0), dtype=dtype
    )
    list(trainer.run())
    return trainer


def curve_of(trainer: NetworkTrainer, name: str) -> list[float]:
    """Return the last value of a curve of each model."""
    return [float(curve.values[name][-1]) for curve in trainer.curves()]


@pytest.mark.parametrize("optimiser", ["sgd", "nesterov", "adam", "adamw"])
def test_a_weight_is_so_many_copies_of_an_example(optimiser: str) -> None:
    """Full batches of 60 examples, weighted 1, 2 and 3 to a mean of 1, train the weights that full
    batches of as many copies of each do; so are the loss and cost of training curves."""
    images = digits(np.float64, train=60)
    copies = np.arange(60) % 3 + 1
    weighted: Any = replace(images, weights=(copies * 60 / copies.sum()))  # type: ignore[arg-type]
    repeated = replace(
        images, train_x=np.repeat(images.train_x, copies, axis=0),
        train_y=np.repeat(images.train_y, copies),
    )  # fmt: skip
    one = trained(weighted, 60, optimiser=optimiser)
    other = trained(repeated, int(copies.sum()), optimiser=optimiser)
    plain = trained(images, 60, optimiser=optimiser)
    for (name, mine), (_, theirs), (_, without) in zip(
        one.weights.parameters(), other.weights.parameters(), plain.weights.parameters(),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-9, err_msg=name)
        assert np.abs(mine - without).max() > 1e-4
    for name in ("training_loss", "training_cost", "validation_loss", "validation_accuracy"):
        assert curve_of(one, name) == pytest.approx(curve_of(other, name), rel=1e-7)


def test_weights_of_one_change_no_bit() -> None:
    """Training with weights that are all 1 ends with the bits of training without."""
    images = digits()
    ones: Any = replace(images, weights=np.ones(len(images.train_y), np.float32))  # type: ignore[arg-type]
    for (_, mine), (_, theirs) in zip(
        trained(ones, 10, np.float32).weights.parameters(),
        trained(images, 10, np.float32).weights.parameters(),
        strict=True,
    ):
        assert mine.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("augment", [None, Augment(flip=True), Augment(shift=1)])
def test_each_example_keeps_its_weight_in_every_mini_batch(augment: Augment | None) -> None:
    """Weights that are the examples' numbers come with the labels that are, varied or not."""
    x = np.random.default_rng(0).standard_normal((40, 9)).astype(np.float32)
    labels = np.arange(40)
    splits = Splits(
        train_x=x, train_y=labels, validation_x=x, validation_y=labels,
        mean=np.zeros(9, np.float32), std=np.ones(9, np.float32),
        image=ImageShape(height=3, width=3), weights=labels.astype(np.float32),
    )  # fmt: skip
    batches, out = MiniBatches(splits, (1, 2, 3), 8, augment), np.empty((8, 9), np.float32)
    for update in (0, 1, 7, 3):
        found = batches.fill(update, out)
        assert batches.weights is not None
        assert batches.weights.tolist() == found.tolist()


@pytest.mark.parametrize(
    ("network", "optimiser"),
    [
        (Network(hidden=()), "sgd"),
        (Network(hidden=6, dropout=0.3, input_dropout=0.2), "sgd"),
        (Network(hidden=(6, 5), batch_norm=True, activation="leaky_relu"), "adam"),
        (Network(hidden=(6, 5), activation="tanh", dropout=0.2), "momentum"),
    ],
    ids=str,
)
def test_weighted_gradients_pass_the_gradient_check(network: Network, optimiser: Any) -> None:
    """With weights of each example, every array meets both oracles, whatever the network."""
    training = Training(step_size=1, optimiser=optimiser)
    report = check_network(network, training, weighted=True)
    assert report.passed


def test_a_gradient_without_the_weights_fails_everywhere() -> None:
    """A step that leaves the weights out is past the tolerance in every array."""

    def without(*arguments: Any, example_weights: Array, **rest: Any) -> Any:
        assert len(np.unique(example_weights)) == len(example_weights)
        return gradients(*arguments, **rest)

    report = check(without, features=8, hidden=5, classes=3, batch_sizes=(7,), weighted=True)
    failed = {one.array for one in report.comparisons if not one.passed}
    assert failed == {"W1", "b1", "W2", "b2"}


def test_what_is_evaluated_is_not_weighted() -> None:
    """The train score of weighted and repeated examples differs: it counts each example once."""
    images: Images = digits(np.float64, train=60)
    weights = np.where(images.train_y == 3, 5.0, 0.5)
    weighted: Any = replace(images, weights=weights)  # type: ignore[arg-type]
    trainer = trained(weighted, 60)
    for model, outcome in enumerate(trainer.outcomes()):
        W = trainer.weights.of_model(model)
        hidden = np.maximum(images.train_x @ W["W1"] + W["b1"], 0)
        right = (hidden @ W["W2"] + W["b2"]).argmax(axis=1) == images.train_y
        assert outcome.train_score == pytest.approx(right.mean())


def test_a_trainer_that_does_not_weight_is_refused_weights() -> None:
    """Weights need a trainer that declares them, as the built-in network and a function can."""
    document: dict[str, Any] = {
        "name": "unit", "seed": 1, "training": {"step_size": 2, "batch_size": 2},
        "data": {"source": "digits", "train": 300, "validation": 100, "weight": "balanced"},
        "coarse": {"trials": 2, "log10_lambda": [-4.0, -1.0]},
    }  # fmt: skip
    trainers.check(parse_study(document))
    rule = r"data.weight: needs a trainer that weights its training examples, which 'softmax' does"
    with pytest.raises(StudyFileError, match=rule):
        trainers.check(parse_study(document | {"trainer": {"name": "softmax"}}))
    with pytest.raises(StudyFileError, match=r"data\.weight: must be .balanced., got .inverse."):
        parse_study(document | {"data": document["data"] | {"weight": "inverse"}})
    assert not trainers.function_trainer("plain", lambda *_: []).weights
    assert trainers.function_trainer("weighted", lambda *_: [], weights=True).weights
