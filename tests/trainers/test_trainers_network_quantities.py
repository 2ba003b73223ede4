"""The network on a quantity: its loss by hand, the textbook's numbers, ridge, exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from trainers_textbook import Chain, Quantities, diabetes, digits, textbook_training

from lamsearch.artifacts import model_bytes, model_from
from lamsearch.diagnostics.gradcheck import check, check_network
from lamsearch.metrics import Metric
from lamsearch.metrics.mae import MAE
from lamsearch.metrics.mse import MSE
from lamsearch.metrics.r2 import R2
from lamsearch.results import Curve, Model, TrialState
from lamsearch.study import Network, Training
from lamsearch.trainers.network import NetworkTrainer, Weights, class_scores, evaluate, gradients
from lamsearch.trainers.network.losses import SQUARED_ERROR
from lamsearch.trainers.network.passes import Pass
from lamsearch.trainers.targets import TargetScale, scale_of

Array = npt.NDArray[Any]
SEED = (7, 1, 2)
LAMBDAS = (-4.0, -2.0, -1.0)


@pytest.fixture(scope="module")
def data() -> Quantities:
    """The diabetes data in float32: 240 to train on, 100 to select by, 102 to test with."""
    return diabetes()


@pytest.fixture(scope="module")
def exact() -> Quantities:
    """The same data in float64."""
    return diabetes(np.float64)


def settings(**changes: Any) -> Training:
    """Return a short training: 24 updates an epoch, two cycles of 40 updates."""
    usual: dict[str, Any] = {
        "batch_size": 10, "step_size": 20, "cycles": 2, "eta_min": 1e-4, "eta_max": 0.05,
        "sample_every": 15,
    }  # fmt: skip
    return Training(**{**usual, **changes})


def trainer(
    data: Quantities,
    lambdas: Sequence[float] = LAMBDAS,
    *,
    training: Training | None = None,
    network: Network | None = None,
    metric: Metric = MSE,
    test: bool = False,
) -> NetworkTrainer:
    """Return a trainer of a small cohort."""
    return NetworkTrainer(
        data, training or settings(), lambdas, network=network or Network(hidden=[8]), classes=0,
        seed=SEED, dtype=data.train_x.dtype, metric=metric, test=data.test if test else None,
    )  # fmt: skip


def finished(found: NetworkTrainer) -> NetworkTrainer:
    """Run to the end."""
    for _ in found.run():
        pass
    return found


def curve_of(outcome: Any) -> Curve:
    """The curve that an outcome has."""
    assert outcome.curve is not None
    curve: Curve = outcome.curve
    return curve


def chain(model: Model | None, raw: Array) -> Array:
    """Five lines of NumPy: what anybody makes of an exported model."""
    assert model is not None
    arrays = model.arrays()
    x = (raw - arrays["mean"]) / arrays["std"]
    for layer in range(1, len(model.layers)):
        x = np.maximum(x @ arrays[f"W{layer}"] + arrays[f"b{layer}"], 0)
    return np.asarray((x @ arrays[f"W{len(model.layers)}"] + arrays[f"b{len(model.layers)}"])[:, 0])


class TestLoss:
    """The squared error without a half."""

    def test_loss_and_gradient_by_hand(self) -> None:
        """Predictions 1, 3 of targets 2, 0: losses 1 and 9, their mean 5, slopes −1 and 3."""
        outputs = np.array([[[1.0, 3.0]], [[2.0, 0.0]]])
        targets, rows = np.array([2.0, 0.0]), np.arange(2)
        found, correct = SQUARED_ERROR.losses(outputs, targets, rows)
        assert correct is None
        assert found.tolist() == [[1.0, 9.0], [0.0, 0.0]]
        SQUARED_ERROR.gradients(outputs, targets, rows)
        assert outputs.tolist() == [[[-1.0, 3.0]], [[0.0, 0.0]]]

    def test_gradients_of_a_linear_model_by_hand(self) -> None:
        """At w = 1, b = 0, λ = ½, x = 1, 2, y = 0, 1: ∂/∂w = 2(1·1 + 2·1)/2 + 2λw = 4, ∂/∂b = 2."""
        weights = Weights(scale=np.ones(1), W=[np.ones((1, 1))], b=[np.zeros((1, 1))])
        found = gradients(
            weights, np.array([[1.0], [2.0]]), np.array([0.0, 1.0]), np.array([0.5]),
            loss=SQUARED_ERROR,
        )  # fmt: skip
        assert found["W1"].tolist() == [[[4.0]]]
        assert found["b1"].tolist() == [[2.0]]

    def test_a_step_descends_the_cost_that_it_reports(self, exact: Quantities) -> None:
        """The mean loss of a pass is that of the mini-batch's predictions."""
        found = trainer(exact, [-1.0])
        x, y = exact.train_x[:20], exact.train_y[:20]
        work = Pass(found.weights, 20, loss=SQUARED_ERROR)
        predicted = work.forward(x)[0, 0].copy()
        loss, _ = work.loss(y)
        assert loss == pytest.approx([np.mean((predicted - y) ** 2)])

    @pytest.mark.parametrize(
        ("network", "training"),
        [
            (Network(hidden=[5]), {}),
            (Network(hidden=[]), {}),
            (Network(hidden=[6, 5, 4], batch_norm=True, activation="tanh"), {"optimiser": "adam"}),
            (Network(hidden=[5], dropout=0.4, input_dropout=0.2), {"optimiser": "nesterov"}),
        ],
        ids=["one layer", "linear", "deep, batch norm, Adam", "dropout, Nesterov"],
    )
    def test_the_gradient_check_passes(self, network: Network, training: Any) -> None:
        """Every gradient that a study's step is given agrees with both oracles."""
        report = check_network(network, settings(**training), "regression")
        assert report.passed

    def test_the_gradient_check_sees_a_half(self) -> None:
        """Gradients of half the squared error are refused."""

        def halved(*args: Any, **options: Any) -> Mapping[str, Array]:
            return {name: one / 2 for name, one in gradients(*args, **options).items()}

        report = check(halved, classes=0, features=5, hidden=3, seeds=(0,), batch_sizes=(8,),
                       lambdas=(0.0,))  # fmt: skip
        assert not report.passed


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "one layer": ({}, "sgd"),
    "linear": ({"hidden": ()}, "sgd"),
    "deep": ({"hidden": (7, 6), "activation": "leaky_relu", "initialisation": "he"}, "momentum"),
    "batch norm": ({"batch_norm": True}, "adam"),
    "dropout": ({"dropout": 0.3, "input_dropout": 0.1}, "adamw"),
    "nesterov": ({"activation": "tanh"}, "nesterov"),
}


@pytest.mark.parametrize(("options", "optimiser"), OPTIONS.values(), ids=OPTIONS)
def test_numbers_are_the_textbooks(
    exact: Quantities, options: dict[str, Any], optimiser: str
) -> None:
    """Losses and costs of every option are those of one network trained plainly in float64."""
    training = settings(optimiser=optimiser, eta_max=0.01)
    network = Network(**{**{"hidden": (8,)}, **options})
    found = finished(trainer(exact, training=training, network=network, test=True))
    for log10_lambda, outcome in zip(LAMBDAS, found.outcomes(), strict=True):
        curve = curve_of(outcome)
        expected = textbook_training(
            exact, lam=10**log10_lambda, chain=Chain(**{**{"hidden": (8,)}, **options}), classes=1,
            seed=SEED, batch_size=10, step_size=20, cycles=2, eta_min=1e-4, eta_max=0.01,
            points=curve.updates.tolist(), optimiser=optimiser,
        )  # fmt: skip
        assert set(curve.values) == {name for name in expected.curves if "accuracy" not in name}
        for name, values in curve.values.items():
            np.testing.assert_allclose(values, expected.curves[name], rtol=1e-9)


def test_a_linear_network_is_ridge_regression() -> None:
    """At its minimum a linear network is the closed form of ridge regression at α = nλ."""
    exact = diabetes(np.float64, train=240)
    lam, n = 0.05, 240
    training = Training(
        batch_size=n, step_size=1500, cycles=1, eta_min=1e-3, eta_max=0.15, sample_every="cycle"
    )
    found = finished(trainer(exact, [np.log10(lam)], training=training, network=Network(hidden=[])))
    centred = exact.train_x - exact.train_x.mean(axis=0)
    W = np.linalg.solve(centred.T @ centred + n * lam * np.eye(10), centred.T @ exact.train_y)
    np.testing.assert_allclose(found.weights.first_layer(0)[:, 0], W, rtol=1e-5)
    np.testing.assert_allclose(
        found.weights.b[0][0, 0], exact.train_y.mean() - exact.train_x.mean(axis=0) @ W, atol=1e-6
    )


class TestScores:
    """Metrics are in the target's own unit."""

    @pytest.mark.parametrize("metric", [MSE, MAE, R2], ids=lambda one: one.name)
    def test_scores_are_of_the_own_unit(self, data: Quantities, metric: Metric) -> None:
        """Scores per example are the metric's of predictions and targets in their own unit."""
        found = finished(trainer(data, metric=metric))
        own = data.validation_y.astype(np.float64) * data.target_std + data.target_mean
        for outcome, model in zip(found.outcomes(), found.models(), strict=True):
            assert outcome.state is TrialState.COMPLETE
            expected = metric.per_example(chain(model, data.raw_validation_x), own)
            assert outcome.scores is not None
            np.testing.assert_allclose(outcome.scores, expected, rtol=1e-3, atol=1e-3)
            assert outcome.score == pytest.approx(expected.mean(), rel=1e-4)
            assert outcome.score_error is not None
        assert found.outcomes()[0].train_score is not None

    def test_losses_are_of_standardised_targets(self, data: Quantities) -> None:
        """The validation loss is the mean squared error in units of the target's variance."""
        for outcome in finished(trainer(data)).outcomes():
            assert outcome.validation_loss is not None
            assert outcome.score == pytest.approx(
                -outcome.validation_loss * data.target_std**2, rel=1e-5
            )

    def test_evaluation_has_no_correctness(self, data: Quantities) -> None:
        """Of a quantity nothing is right or wrong, and no accuracy is made up."""
        found = trainer(data)
        result = evaluate(found.weights, data.validation_x, data.validation_y, scale=TargetScale())
        assert result.correct is None
        assert result.accuracy is None
        assert result.loss == pytest.approx(result.losses.mean(axis=1))

    def test_a_metric_of_classes_is_refused(self, data: Quantities) -> None:
        """A network of no classes wants a metric of regression, and one of classes the other."""
        arguments: dict[str, Any] = {"hidden": 3, "seed": SEED}
        with pytest.raises(ValueError, match="metric: must be of 0 classes' task, got 'accuracy'"):
            NetworkTrainer(data, settings(), [-3.0], classes=0, **arguments)
        with pytest.raises(ValueError, match="metric: must be of 10 classes' task, got 'mse'"):
            NetworkTrainer(data, settings(), [-3.0], classes=10, metric=MSE, **arguments)

    def test_splits_without_moments_are_refused(self) -> None:
        """Splits that do not say how their targets were standardised are none of a quantity."""
        with pytest.raises(TypeError, match="target_mean and target_std"):
            scale_of(digits(), 0)

    def test_what_diverges_fails_with_its_reason(self, data: Quantities) -> None:
        """A model whose squared errors leave float32 is FAIL; the others go on."""
        training = settings(eta_min=1.0, eta_max=5.0)
        outcomes = finished(trainer(data, (-3.0, -2.0), training=training)).outcomes()
        assert {one.state for one in outcomes} == {TrialState.FAIL}
        assert "no longer finite" in (outcomes[0].reason or "")


class TestModels:
    """Exported models answer in the target's own unit."""

    @pytest.mark.parametrize("hidden", [(), (8,), (8, 6)], ids=str)
    def test_a_chain_gives_the_own_unit(self, data: Quantities, hidden: tuple[int, ...]) -> None:
        """For raw features the chain gives what the weights predict, times std plus mean."""
        found = finished(trainer(data, network=Network(hidden=hidden)))
        for index, model in enumerate(found.models()):
            assert model is not None
            assert (model.task, model.classes, model.outputs) == ("regression", 0, 1)
            weights = found.weights.keep(np.array([index]))
            zeros = np.zeros(len(data.validation_y), np.float32)
            loss = evaluate(weights, data.validation_x, zeros, scale=TargetScale()).losses[0]
            own = chain(model, data.raw_validation_x)
            standardised = (own - data.target_mean) / data.target_std
            np.testing.assert_allclose(standardised**2, loss, rtol=1e-3, atol=1e-4)
            np.testing.assert_allclose(class_scores(model, data.validation_x)[:, 0], own, rtol=1e-4)

    def test_batch_norm_is_folded_before_the_scale(self, data: Quantities) -> None:
        """A model with batch norm and dropout is a plain chain in the own unit as well."""
        network = Network(hidden=[8, 6], batch_norm=True, dropout=0.2)
        found = finished(trainer(data, [-3.0], network=network, metric=MSE))
        (outcome,), (model,) = found.outcomes(), found.models()
        own = data.validation_y.astype(np.float64) * data.target_std + data.target_mean
        errors = (chain(model, data.raw_validation_x) - own) ** 2
        assert outcome.score == pytest.approx(-errors.mean(), rel=1e-3)

    def test_a_file_says_that_it_predicts_a_quantity(self, data: Quantities) -> None:
        """A model's file keeps its task; one of classes has no word of it."""
        (model,) = finished(trainer(data, [-3.0])).models()
        assert model is not None
        content = model_bytes(model, {})
        assert model_from(content).task == "regression"
        assert b'"task":"regression"' in content
        with pytest.raises(ValueError, match="task must be one of classification, regression"):
            model_from(content.replace(b'"regression"', b'"regressing"'))

    def test_a_quantity_has_one_output(self, data: Quantities) -> None:
        """A file of a quantity with several outputs is refused."""
        (model,) = finished(trainer(data, [-3.0])).models()
        assert model is not None
        (first, b1), (W, b) = model.layers
        twice = Model(
            layers=((first, b1), (np.hstack([W, W]), np.hstack([b, b]))),
            mean=model.mean, std=model.std, task="regression",
        )  # fmt: skip
        with pytest.raises(ValueError, match="must be 1 value of a quantity, got 2"):
            model_from(model_bytes(twice, {}))


class TestResuming:
    """A killed training goes on to the same bits."""

    @pytest.mark.parametrize(
        "network",
        [Network(hidden=[8]), Network(hidden=[6, 5], batch_norm=True, dropout=0.2)],
        ids=["plain", "batch norm and dropout"],
    )
    def test_resumed_is_uninterrupted(self, data: Quantities, network: Network) -> None:
        """State, outcomes and models of a resumed training are those of one that went through."""
        training = settings(optimiser="adam")
        whole = finished(trainer(data, training=training, network=network, test=True))
        left = trainer(data, training=training, network=network, test=True)
        for progress in left.run():
            if progress.updates == 33:
                break
        resumed = trainer(data, training=training, network=network, test=True)
        resumed.restore({name: np.array(one) for name, one in left.state().items()})
        finished(resumed)
        before, after = whole.state(), resumed.state()
        assert before.keys() == after.keys()
        assert all(before[name].tobytes() == after[name].tobytes() for name in before)
        for one, other in zip(whole.outcomes(), resumed.outcomes(), strict=True):
            assert one.scores is not None
            assert other.scores is not None
            assert one.scores.tobytes() == other.scores.tobytes()
            assert one.score == other.score

    def test_a_state_of_classes_is_refused(self, data: Quantities) -> None:
        """A state with accuracies is none of a quantity's training."""
        images = digits()
        other = NetworkTrainer(images, settings(), [-3.0], hidden=8, classes=10, seed=SEED)
        found = trainer(data, [-3.0])
        with pytest.raises(ValueError, match="must"):
            found.restore(other.state())

    def test_models_leave_as_halving_asks(self, data: Quantities) -> None:
        """Models that are dropped at a cycle end keep its score; the others keep their bits."""
        whole = finished(trainer(data)).outcomes()
        found = trainer(data)
        for progress in found.run():
            if progress.updates == 40:
                assert progress.scores is not None
                left = float(progress.scores[0])
                found.drop({0: "worse"})
        outcomes = found.outcomes()
        assert outcomes[0].state is TrialState.PRUNED
        assert outcomes[0].score == left
        assert outcomes[0].train_score is None
        for one, other in zip(whole[1:], outcomes[1:], strict=True):
            np.testing.assert_allclose(one.score, other.score, rtol=1e-4)
