"""K stacked networks, against textbook formulas written out model by model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import log_softmax

from lamsearch.diagnostics.gradcheck import check
from lamsearch.trainers.network import Weights, gradients
from lamsearch.trainers.network.passes import Pass
from lamsearch.trainers.network.weights import initialise, penalty

Array = npt.NDArray[Any]
FEATURES, HIDDEN, CLASSES, BATCH = 12, 7, 5, 9


@dataclass
class Plain:
    """One model in plain arrays, trained as a textbook writes it."""

    W1: Array
    b1: Array
    W2: Array
    b2: Array

    def scores(self, x: Array) -> Array:
        """Class scores (B, C)."""
        return np.asarray(np.maximum(x @ self.W1 + self.b1, 0) @ self.W2 + self.b2)

    def loss(self, x: Array, labels: Array) -> float:
        """Mean cross-entropy."""
        return float(-log_softmax(self.scores(x), axis=1)[np.arange(len(x)), labels].mean())

    def cost_gradients(self, x: Array, labels: Array, lam: float) -> dict[str, Array]:
        """Gradients of loss + λΣ‖W‖²."""
        z = x @ self.W1 + self.b1
        probabilities = np.exp(log_softmax(self.scores(x), axis=1))
        error = (probabilities - np.eye(len(self.b2))[labels]) / len(x)
        back = (error @ self.W2.T) * (z > 0)
        return {
            "W1": x.T @ back + 2 * lam * self.W1,
            "b1": back.sum(axis=0),
            "W2": np.maximum(z, 0).T @ error + 2 * lam * self.W2,
            "b2": error.sum(axis=0),
        }

    def step(self, x: Array, labels: Array, eta: float, lam: float) -> None:
        """W ← W − η G, and so for every array."""
        for name, gradient in self.cost_gradients(x, labels, lam).items():
            setattr(self, name, getattr(self, name) - eta * gradient)


def random_weights(count: int, seed: int = 0, dtype: npt.DTypeLike = np.float64) -> Weights:
    """Return models that differ in everything; scales are powers of 2 with either sign."""
    rng = np.random.default_rng(seed)
    scale = np.resize([1.0, 0.5, -2.0], count)
    first = rng.standard_normal((FEATURES, count, HIDDEN)) / np.sqrt(FEATURES) / scale[:, None]
    b1 = rng.standard_normal((count, HIDDEN)) / 5
    W2 = rng.standard_normal((count, HIDDEN, CLASSES)) / np.sqrt(HIDDEN)
    b2 = rng.standard_normal((count, CLASSES)) / 5
    return Weights(
        scale=scale,
        W=[first.reshape(FEATURES, -1).astype(dtype), W2.astype(dtype)],
        b=[b1.astype(dtype), b2.astype(dtype)],
    )


def plain(weights: Weights, model: int) -> Plain:
    """Return one of the models in plain arrays."""
    return Plain(**weights.of_model(model))


def images(seed: int = 1, batch: int = BATCH) -> tuple[Array, Array]:
    """Return random images and labels."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((batch, FEATURES)), rng.integers(CLASSES, size=batch)


def train(weights: Weights, steps: int, eta: float, lam: Array) -> None:
    """Do some steps on a new mini-batch each."""
    work = Pass(weights, BATCH)
    for step in range(steps):
        x, labels = images(step)
        x = x.astype(weights.dtype)
        work.forward(x)
        work.loss(labels)
        work.step(labels, eta=eta, lam=lam)


def train_plain(model: Plain, steps: int, eta: float, lam: float) -> None:
    """Do the same steps as `train`, as a textbook writes them."""
    for step in range(steps):
        model.step(*images(step), eta, lam)


def assert_close(found: Weights, model: int, expected: Plain, tolerance: float) -> None:
    """Compare every array of one model, relative to its largest entry."""
    got = plain(found, model)
    for name in ("W1", "b1", "W2", "b2"):
        array = getattr(expected, name)
        bound = tolerance * max(float(np.abs(array).max()), 1e-3)
        np.testing.assert_allclose(getattr(got, name), array, rtol=0, atol=bound, err_msg=name)


def test_gradients_agree_with_both_numerical_oracles() -> None:
    """The step that training takes has the gradient of the cost, stacked and alone."""
    report = check(features=15, hidden=6, classes=4, batch_sizes=(1, 10), seeds=(0, 1))
    assert report.passed, report.rows()


def test_gradients_agree_with_the_textbook() -> None:
    """The gradients of every model of a stack equal the formulas written out."""
    weights, (x, labels), lam = random_weights(3), images(), np.array([0.0, 0.01, 2.0])
    found = gradients(weights, x, labels, lam)
    for model in range(3):
        for name, expected in plain(weights, model).cost_gradients(x, labels, lam[model]).items():
            np.testing.assert_allclose(found[name][model], expected, rtol=0, atol=1e-14)


def test_gradients_leave_the_models_alone() -> None:
    """Asking for gradients changes no weight."""
    weights, before, (x, labels) = random_weights(3), random_weights(3), images()
    gradients(weights, x, labels, np.ones(3))
    for name, array in weights.arrays().items():
        np.testing.assert_array_equal(array, before.arrays()[name])


def test_scores_agree_with_the_textbook() -> None:
    """The class scores of every model of a stack are relu(x W1 + b1) W2 + b2."""
    weights, (x, _) = random_weights(4), images()
    scores = Pass(weights, BATCH).forward(x)
    expected = [plain(weights, model).scores(x) for model in range(4)]
    np.testing.assert_allclose(scores.transpose(0, 2, 1), expected, rtol=0, atol=1e-13)


def test_the_loss_is_the_mean_cross_entropy() -> None:
    """The loss of every model equals the one by scipy's log_softmax, its hits the argmax's."""
    weights, (x, labels) = random_weights(4), images()
    work = Pass(weights, BATCH)
    work.forward(x)
    loss, hits = work.loss(labels)
    expected = [plain(weights, model) for model in range(4)]
    np.testing.assert_allclose(loss, [model.loss(x, labels) for model in expected], rtol=1e-13)
    np.testing.assert_array_equal(
        hits, [model.scores(x).argmax(axis=1) == labels for model in expected]
    )


def test_the_loss_by_hand() -> None:
    """With scores (0, ln 3) the losses are ln 4 and ln(4/3), and the second class is a hit."""
    weights = Weights(
        scale=np.ones(1), W=[np.ones((1, 1)), np.array([[[0.0, np.log(3.0)]]])],
        b=[np.zeros((1, 1)), np.zeros((1, 2))],
    )  # fmt: skip
    work = Pass(weights, 2)
    work.forward(np.ones((2, 1)))
    loss, hits = work.loss(np.array([0, 1]))
    assert loss[0] == pytest.approx((np.log(4) + np.log(4 / 3)) / 2, rel=1e-15)
    assert hits.tolist() == [[False, True]]


def test_ties_go_to_the_lowest_class() -> None:
    """Equal scores count as the lowest class, and cost the logarithm of the classes."""
    weights = random_weights(1)
    weights.W[1][:], weights.b[1][:] = 0, 0
    work = Pass(weights, CLASSES)
    work.forward(images(batch=CLASSES)[0])
    loss, hits = work.loss(np.arange(CLASSES))
    assert loss[0] == pytest.approx(np.log(CLASSES), rel=1e-15)
    assert hits[0].tolist() == [True, False, False, False, False]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_fresh_network_knows_nothing(dtype: npt.DTypeLike) -> None:
    """The initial loss of ten classes is about ln 10."""
    rng = np.random.default_rng(3)
    weights = initialise(2, features=300, hidden=50, classes=10, rng=rng, dtype=dtype)
    work = Pass(weights, 500)
    work.forward(rng.standard_normal((500, 300)).astype(dtype))
    loss, _ = work.loss(rng.integers(10, size=500))
    assert loss == pytest.approx([np.log(10)] * 2, abs=0.4)


def test_models_of_a_stack_start_equal() -> None:
    """All models of a stack have the same initial weights, and biases are 0."""
    rng = np.random.default_rng(0)
    weights = initialise(3, features=20, hidden=6, classes=4, rng=rng)
    for model in (1, 2):
        np.testing.assert_array_equal(weights.first_layer(model), weights.first_layer(0))
        np.testing.assert_array_equal(weights.W[1][model], weights.W[1][0])
    assert not weights.b[0].any()
    assert not weights.b[1].any()


def test_the_number_of_models_changes_no_initial_weight() -> None:
    """A model starts from the same weights in a stack of one as in a stack of five."""
    one, five = (
        initialise(count, features=20, hidden=6, classes=4, rng=np.random.default_rng(0))
        for count in (1, 5)
    )
    np.testing.assert_array_equal(one.first_layer(0), five.first_layer(4))
    np.testing.assert_array_equal(one.W[1][0], five.W[1][4])


def test_initial_weights_are_rounded_from_float64() -> None:
    """float32 models start from the rounded weights of float64 models."""
    single, double = (
        initialise(1, features=20, hidden=6, classes=4, rng=np.random.default_rng(0), dtype=dtype)
        for dtype in (np.float32, np.float64)
    )
    assert all(array.dtype == np.float32 for _, array in single.named())
    np.testing.assert_array_equal(single.V, double.V.astype(np.float32))
    np.testing.assert_array_equal(single.W[1], double.W[1].astype(np.float32))


def test_initial_weights_have_the_spread_of_their_fan_in() -> None:
    """Standard deviations are 1/√fan-in."""
    weights = initialise(1, features=400, hidden=100, classes=90, rng=np.random.default_rng(0))
    assert weights.V.std() == pytest.approx(400**-0.5, rel=0.02)
    assert weights.W[1].std() == pytest.approx(100**-0.5, rel=0.02)


def test_projected_initial_weights_are_the_projection_of_the_same_draw() -> None:
    """On components the models start as the full models seen there, with the features' fan-in."""
    turned, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((400, 30)))
    rng, again = np.random.default_rng(0), np.random.default_rng(0)
    full = initialise(2, features=400, hidden=90, classes=9, rng=rng)
    part = initialise(2, features=400, hidden=90, classes=9, rng=again, projection=turned)
    assert part.V.shape == (30, 180)
    np.testing.assert_allclose(part.V, turned.T @ full.V, atol=1e-6)
    np.testing.assert_array_equal(part.W[1], full.W[1])
    assert part.V.std() == pytest.approx(400**-0.5, rel=0.03)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_penalty_counts_weights_and_not_biases(dtype: npt.DTypeLike) -> None:
    """The penalty is the sum of squares of both weight matrices, whatever the biases are."""
    weights = random_weights(3, dtype=dtype)
    expected = [(plain(weights, k).W1 ** 2).sum() + (weights.W[1][k] ** 2).sum() for k in range(3)]
    assert penalty(weights) == pytest.approx(expected, rel=1e-6 if dtype == np.float32 else 1e-13)
    before = penalty(weights)
    weights.b[0][:], weights.b[1][:] = 1e6, -1e6
    np.testing.assert_array_equal(penalty(weights), before)


def test_stacked_models_equal_separate_models() -> None:
    """Five stacked models end where each of them ends when it is trained alone."""
    lam = np.array([0.0, 1e-3, 0.1, 1.0, 3.0])
    stacked, start = random_weights(5), random_weights(5)
    train(stacked, 60, 0.1, lam)
    for model in range(5):
        alone = start.keep(np.array([model]))
        train(alone, 60, 0.1, lam[[model]])
        assert_close(stacked, model, plain(alone, 0), 1e-12)


@pytest.mark.parametrize(
    ("eta", "steps"),
    [
        pytest.param(0.05, 300, id="slow decay"),
        pytest.param(0.1, 120, id="scale far below the threshold"),
        pytest.param(0.5, 40, id="factor 0 and negative factors"),
    ],
)
def test_many_fused_steps_equal_plain_gradient_descent(eta: float, steps: int) -> None:
    """Fused steps with a running scale end where W ← W − η (G + 2λW) ends."""
    lam = np.array([0.0, 1e-2, 1.0, 3.0 if eta < 0.5 else 1.8])
    weights, start = random_weights(4), random_weights(4)
    train(weights, steps, eta, lam)
    for model in range(4):
        expected = plain(start, model)
        train_plain(expected, steps, eta, lam[model])
        assert_close(weights, model, expected, 1e-10)


def test_a_factor_of_zero_forgets_the_weights_and_nothing_else() -> None:
    """With 2ηλ = 1 exactly, one step leaves W = −ηG, finite, with a scale of 1."""
    weights, (x, labels) = random_weights(1), images(0)
    expected = plain(weights, 0)
    train(weights, 1, 0.5, np.array([1.0]))
    slope = expected.cost_gradients(x, labels, 0.0)
    np.testing.assert_allclose(weights.first_layer(0), -0.5 * slope["W1"], rtol=0, atol=1e-16)
    np.testing.assert_allclose(weights.W[1][0], -0.5 * slope["W2"], rtol=0, atol=1e-16)
    assert weights.scale[0] == 1


def test_weights_that_grow_equal_plain_gradient_descent() -> None:
    """A factor beyond −1 passes the upper threshold and still equals the textbook."""
    weights, start = random_weights(1), random_weights(1)
    lam = np.array([12.5])  # factor 1 - 2 · 0.1 · 12.5 = -1.5
    with np.errstate(over="ignore"):
        train(weights, 45, 0.1, lam)
    expected = plain(start, 0)
    train_plain(expected, 45, 0.1, 12.5)
    assert np.abs(expected.W1).max() > 1e6
    assert_close(weights, 0, expected, 1e-10)


def test_the_scale_never_leaves_its_range() -> None:
    """However long the weights decay or grow, the running scale stays within 2**±20."""
    weights = random_weights(4)
    for _ in range(50):
        train(weights, 5, 0.1, np.array([4.9, 1.0, 9.0, 12.5]))
        assert (np.abs(weights.scale) >= 2.0**-20).all()
        assert (np.abs(weights.scale) <= 2.0**20).all()


def test_single_precision_follows_double_precision() -> None:
    """After 100 steps the float32 models are the float64 models to about single rounding."""
    lam = np.array([0.0, 1e-2, 1.0])
    single, double = random_weights(3, dtype=np.float32), random_weights(3)
    train(single, 100, 0.1, lam)
    train(double, 100, 0.1, lam)
    assert all(array.dtype == np.float32 for _, array in single.named())
    for model in range(3):
        assert_close(single, model, plain(double, model), 1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_scores_have_a_finite_loss(dtype: npt.DTypeLike) -> None:
    """Scores of ±10¹² overflow no exponential: the loss and the gradients stay finite."""
    weights, (x, labels) = random_weights(2, dtype=dtype), images()
    weights.W[1] *= weights.W[1].dtype.type(1e12)
    work = Pass(weights, BATCH)
    with np.errstate(under="ignore"):
        work.forward(x.astype(dtype))
        loss, _ = work.loss(labels)
    assert np.isfinite(loss).all()
    assert (loss > 1e6).all()
    found = gradients(weights, x.astype(dtype), labels, np.zeros(2))
    assert all(np.isfinite(array).all() for array in found.values())


def test_keep_copies_the_chosen_models() -> None:
    """Kept models are the chosen ones in the order asked, and share no memory with the rest."""
    weights = random_weights(4)
    kept = weights.keep(np.array([3, 1]))
    for place, model in enumerate((3, 1)):
        assert_close(kept, place, plain(weights, model), 0)
    for name, array in kept.arrays().items():
        assert not np.shares_memory(array, weights.arrays()[name])


def test_no_model_may_be_left() -> None:
    """A stack of no models has a pass of its own and a penalty of nothing."""
    none = random_weights(2).keep(np.array([], np.int64))
    Pass(none, BATCH)
    assert none.count == 0
    assert penalty(none).shape == (0,)
