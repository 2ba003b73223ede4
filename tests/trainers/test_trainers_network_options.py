"""Every option of the network: the textbook's numbers, resumed to the same bits, exported whole."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from trainers_textbook import Chain, Images, Textbook, digits, textbook_training

from lamsearch.diagnostics.comparisons import CENTRAL_TOLERANCE, ORACLE_TOLERANCE
from lamsearch.diagnostics.gradcheck import check, check_network
from lamsearch.errors import StudyFileError
from lamsearch.results import Model
from lamsearch.study import Network, Training, parse_study
from lamsearch.trainers.network import NetworkTrainer, class_scores, evaluate, optimisers
from lamsearch.trainers.network.dropout import Dropout, masks_of
from lamsearch.trainers.network.rules import rule_of
from lamsearch.trainers.network.weights import penalty

Array = npt.NDArray[Any]
SEED, CLASSES = (7, 1, 2), 10
LAMBDAS = (-4.0, -2.0, -1.0)
NETWORKS: dict[str, dict[str, Any]] = {
    "linear": {"hidden": ()},
    "one layer": {"hidden": (8,)},
    "two layers": {"hidden": (9, 7)},
    "four layers": {"hidden": (9, 8, 7, 6)},
    "leaky_relu": {"hidden": (9, 7), "activation": "leaky_relu"},
    "tanh": {"hidden": (9, 7), "activation": "tanh"},
    "he": {"hidden": (9, 7), "initialisation": "he"},
    "batch norm": {"hidden": (9, 7), "batch_norm": True},
    "batch norm, tanh": {"hidden": (8,), "batch_norm": True, "activation": "tanh"},
    "dropout": {"hidden": (9, 7), "dropout": 0.3},
    "dropout, tanh": {"hidden": (9, 7), "dropout": 0.3, "activation": "tanh"},
    "input dropout": {"hidden": (9, 7), "input_dropout": 0.2},
    "all of it": {"hidden": (9, 7), "batch_norm": True, "dropout": 0.3, "input_dropout": 0.1,
                  "activation": "leaky_relu", "initialisation": "he"},
}  # fmt: skip
OPTIMISERS = ("momentum", "nesterov", "adam", "adamw")
SETUPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    **{name: (network, {}) for name, network in NETWORKS.items()},
    **{name: ({"hidden": (8,)}, {"optimiser": name, "eta_max": 0.01}) for name in OPTIMISERS},
    "linear, adam": ({"hidden": ()}, {"optimiser": "adam", "eta_max": 0.01}),
    "all of it, momentum": (NETWORKS["all of it"], {"optimiser": "momentum", "eta_max": 0.02}),
    "all of it, adamw": (NETWORKS["all of it"], {"optimiser": "adamw", "eta_max": 0.01}),
}


@pytest.fixture(scope="module")
def images() -> Images:
    """The digits in float32: 330 to train on, 120 to select by, 120 to test with."""
    return digits()


@pytest.fixture(scope="module")
def exact() -> Images:
    """The same digits in float64."""
    return digits(np.float64)


@pytest.fixture(params=SETUPS)
def setup(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of [network], and of [training]."""
    return SETUPS[request.param]


def settings(**changes: Any) -> Training:
    """Return a short training: 33 updates an epoch, two cycles of 40 updates."""
    usual: dict[str, Any] = {
        "batch_size": 10, "step_size": 20, "cycles": 2, "eta_min": 1e-4, "eta_max": 0.1,
        "sample_every": 15,
    }  # fmt: skip
    return Training(**{**usual, **changes})


def trainer(
    images: Images, setup: tuple[dict[str, Any], dict[str, Any]], lambdas: Sequence[float] = LAMBDAS
) -> NetworkTrainer:
    """Return a trainer of a small cohort."""
    network, training = setup
    return NetworkTrainer(
        images, settings(**training), lambdas, network=Network(**network), classes=CLASSES,
        seed=SEED, dtype=images.train_x.dtype,
    )  # fmt: skip


def finish(found: NetworkTrainer) -> NetworkTrainer:
    """Run to the end."""
    for _ in found.run():
        pass
    return found


def through_a_file(found: NetworkTrainer) -> dict[str, Array]:
    """Return the trainer's state as it comes back from an npz file without pickle."""
    file = io.BytesIO()
    np.savez(file, **found.state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        return dict(stored)


def all_bits(found: NetworkTrainer) -> list[Any]:
    """Return every array that a trainer ends with as bytes, and what became of its models."""
    arrays = [(name, array.tobytes()) for name, array in sorted(found.state().items())]
    models = [model and [one.tobytes() for one in model.arrays().values()]
              for model in found.models()]  # fmt: skip
    scores = [(one.state, one.reason, one.score, one.validation_loss) for one in found.outcomes()]
    return [arrays, models, scores]


def model_of(found: NetworkTrainer, index: int = 0) -> Model:
    """Return a model that finished."""
    model = found.models()[index]
    assert model is not None
    return model


def textbook(
    exact: Images, setup: tuple[dict[str, Any], dict[str, Any]], log10_lambda: float
) -> Textbook:
    """Train one network by the textbook."""
    network, training = setup
    return textbook_training(
        exact, lam=10.0**log10_lambda, chain=Chain(**network), classes=CLASSES, seed=SEED,
        batch_size=10, step_size=20, cycles=2, points=(15, 30, 40, 45, 60, 75, 80),
        **{"eta_min": 1e-4, "eta_max": 0.1, **training},
    )  # fmt: skip


def test_weights_and_curves_equal_a_plain_training(
    exact: Images, setup: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """Every model of a cohort ends with the weights, curves and scores of a plain float64 loop."""
    found = finish(trainer(exact, setup))
    for model, value in enumerate(LAMBDAS):
        expected = textbook(exact, setup, value)
        for name, array in found.weights.of_model(model).items():
            np.testing.assert_allclose(
                array, expected.arrays[name], rtol=0, atol=1e-8, err_msg=name
            )
        outcome = found.outcomes()[model]
        assert outcome.curve is not None
        for name, values in outcome.curve.values.items():
            np.testing.assert_allclose(values, expected.curves[name], rtol=1e-7, err_msg=name)
        _, hits = expected.loss_and_hits(exact.validation_x, exact.validation_y)
        np.testing.assert_array_equal(outcome.scores, hits)


@pytest.mark.parametrize("stop", [14, 57])
def test_a_resumed_training_ends_with_the_same_bits(
    images: Images, setup: tuple[dict[str, Any], dict[str, Any]], stop: int
) -> None:
    """Stopped at any update, saved without pickle and restored, it ends as if undisturbed."""
    whole, first, second = (trainer(images, setup) for _ in range(3))
    run = first.run()
    for _ in range(stop):
        next(run)
    second.restore(through_a_file(first))
    assert second.updates == stop
    assert all_bits(finish(second)) == all_bits(finish(whole))


def halved(
    found: NetworkTrainer, again: NetworkTrainer | None = None, stop: int | None = None
) -> NetworkTrainer:
    """Run a cohort that its second model leaves at update 40; on in ``again`` from ``stop``."""
    for progress in found.run():
        if progress.updates == 40:
            found.drop({1: "the worst"})
        if progress.updates == stop and again is not None:
            again.restore(through_a_file(found))
            return halved(again)
    return found


@pytest.mark.parametrize("stop", [39, 41])
def test_models_that_leave_change_no_bit_of_a_resumed_training(
    images: Images, setup: tuple[dict[str, Any], dict[str, Any]], stop: int
) -> None:
    """With a model that fails and one that is dropped, resumed before or after, all is the same;
    those that stay train as without them."""
    lambdas = (-4.0, -2.0, 11.0, -1.0)
    whole = halved(trainer(images, setup, lambdas))
    # Adam divides by the gradient's size: no penalty is too large for it
    diverged = "COMPLETE" if setup[1].get("optimiser") == "adam" else "FAIL"
    states = [one.state.name for one in whole.outcomes()]
    assert states == ["COMPLETE", "PRUNED", diverged, "COMPLETE"]
    again = halved(trainer(images, setup, lambdas), trainer(images, setup, lambdas), stop)
    assert all_bits(again) == all_bits(whole)
    without = finish(trainer(images, setup, (-4.0, -1.0)))
    for model, other in ((0, 0), (3, 1)):
        stayed, expected = whole.outcomes()[model], without.outcomes()[other]
        assert stayed.validation_loss == pytest.approx(expected.validation_loss, rel=1e-3)


def test_what_is_no_state_is_refused(
    images: Images, setup: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """A state that lacks any one of its arrays, or has one of another shape, is refused."""
    found = trainer(images, setup)
    state = through_a_file(found)
    for name in state:
        with pytest.raises(ValueError, match="must"):
            found.restore({key: value for key, value in state.items() if key != name})
        with pytest.raises(ValueError, match="must"):
            found.restore(state | {name: np.zeros((2, 3, 4, 5))})


def test_an_exported_chain_scores_as_the_trained_network(
    images: Images, setup: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """The exported layers, on raw images by the documented formula, have the network's scores."""
    found = finish(trainer(images, setup))
    evaluated = evaluate(found.weights, images.validation_x, images.validation_y)
    functions = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh,
                 "leaky_relu": lambda z: np.where(z > 0, z, z * 0.01)}  # fmt: skip
    labels = images.validation_y
    for index in range(len(LAMBDAS)):
        model = model_of(found, index)
        values = (images.raw_validation_x - model.mean) / model.std
        for W, b in model.layers[:-1]:
            values = functions[model.activation](values @ W + b)
        scores = values @ model.layers[-1][0] + model.layers[-1][1]
        np.testing.assert_allclose(
            class_scores(model, images.validation_x), scores, rtol=1e-4, atol=1e-4
        )
        losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(labels)), labels]
        np.testing.assert_allclose(evaluated.losses[index], losses, rtol=1e-3, atol=1e-4)


def test_gradients_agree_with_both_numerical_oracles(
    setup: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """The gradients of training are those of central differences and of the complex step."""
    network, training = setup
    report = check(
        features=9, hidden=network["hidden"], classes=4, network=Network(**network),
        lambdas=(0.0, 0.1), batch_sizes=(8, 13), seeds=(0, 1),
        rule=rule_of(settings(**training)),
    )  # fmt: skip
    assert report.passed, report.rows()
    assert max(one.central_error for one in report.comparisons) < CENTRAL_TOLERANCE / 4
    assert max(one.oracle_error for one in report.comparisons) < ORACLE_TOLERANCE / 1000


def test_a_study_s_network_is_checked_at_its_depth() -> None:
    """A wide network is reduced to narrow layers, as many as it has."""
    report = check_network(Network(hidden=(512, 3), activation="tanh"), settings())
    assert report.passed
    assert [row.array for row in report.rows()][::12] == ["W1", "b1", "W2", "b2", "W3", "b3"]
    entries = {one.array: one.entries for one in report.comparisons}
    assert (entries["W2"], entries["W3"]) == (10 * 3, 3 * 10)


def test_running_statistics_are_those_of_the_mini_batches(exact: Images) -> None:
    """One update moves the running mean and variance by a tenth of the way to the mini-batch's."""
    found = trainer(exact, ({"hidden": (9, 7), "batch_norm": True}, {}), (-3.0,))
    start = found.weights.of_model(0)
    next(found.run())
    rows = np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=(1, 0))).permutation(330)
    z = exact.train_x[rows[:10]] @ start["W1"]
    after = found.weights.of_model(0)
    np.testing.assert_allclose(after["mean1"], 0.1 * z.mean(axis=0), rtol=1e-12)
    expected = 0.9 + 0.1 * z.var(axis=0, ddof=1)
    np.testing.assert_allclose(after["variance1"], expected, rtol=1e-12)


def test_the_penalty_is_on_weights_alone(images: Images) -> None:
    """Neither biases nor what batch norm adds count in Σ‖W‖²."""
    found = finish(trainer(images, ({"hidden": (9, 7), "batch_norm": True}, {})))
    before = penalty(found.weights)
    arrays = [found.weights.of_model(model) for model in range(len(LAMBDAS))]
    expected = [sum((one[f"W{n}"] ** 2).sum() for n in (1, 2, 3)) for one in arrays]
    np.testing.assert_allclose(before, expected, rtol=1e-5)
    for name, array in found.weights.named():
        if name[0] not in "VW":
            array += 100
    np.testing.assert_array_equal(penalty(found.weights), before)


@pytest.mark.parametrize("where", ["training", "coarse"])
def test_batch_norm_needs_two_examples(where: str) -> None:
    """A mini-batch of one is refused where there is batch norm, in whichever table it stands."""
    document: dict[str, Any] = {
        "name": "one", "seed": 1, "data": {"source": "digits", "train": 300, "validation": 100},
        "training": {"step_size": 5}, "coarse": {"trials": 2, "log10_lambda": [-3.0, -1.0]},
        "network": {"batch_norm": True},
    }  # fmt: skip
    parse_study(document)
    document[where]["batch_size"] = 1
    rule = "must be at least 2 with network.batch_norm: one example has no variance, got 1"
    with pytest.raises(StudyFileError, match=rf"^study: {where}\.batch_size: {rule}$"):
        parse_study(document)


OWN: dict[str, tuple[float, ...]] = {
    "eta_max": (0.1, 0.05, 0.2), "eta_min": (1e-4, 1e-3, 1e-2),
    "dropout": (0.0, 0.3, 0.5), "input_dropout": (0.1, 0.0, 0.4),
}  # fmt: skip


@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("names", [(name,) for name in OWN] + [tuple(OWN)], ids="+".join)
def test_models_with_settings_of_their_own_are_those_models_alone(
    exact: Images, names: tuple[str, ...], optimiser: str
) -> None:
    """Rates and dropout that differ within a cohort give each model what a training of its own
    with them gives, and a resumed one the same bits."""
    shrink = {"sgd": 1.0, "momentum": 0.1, "adam": 0.02}[optimiser]
    own = {name: tuple(shrink * x if "eta" in name else x for x in OWN[name]) for name in names}
    common = {"eta_min": 1e-4 * shrink, "eta_max": 0.1 * shrink, "optimiser": optimiser}
    network = {"hidden": (9, 7), "batch_norm": True}

    def cohort() -> NetworkTrainer:
        return NetworkTrainer(
            exact, settings(**common), LAMBDAS, network=Network(**network), classes=CLASSES,
            seed=SEED, dtype=np.float64, per_model=own,
        )  # fmt: skip

    whole, first, second = cohort(), cohort(), cohort()
    finish(whole)
    for model, value in enumerate(LAMBDAS):
        mine = {name: values[model] for name, values in own.items()}
        training = {key: x for key, x in mine.items() if "eta" in key}
        dropped = {key: x for key, x in mine.items() if "dropout" in key}
        alone = finish(trainer(exact, (network | dropped, common | training), (value,)))
        for name, array in whole.weights.of_model(model).items():
            expected = alone.weights.of_model(0)[name]
            np.testing.assert_allclose(array, expected, rtol=0, atol=1e-9, err_msg=name)
        curve, other = whole.curves()[model], alone.curves()[0]
        np.testing.assert_array_equal(curve.learning_rate, other.learning_rate)
    run = first.run()
    for _ in range(31):
        next(run)
    second.restore(through_a_file(first))
    assert all_bits(finish(second)) == all_bits(whole)


def test_a_model_leaves_with_the_rate_that_was_its_own(images: Images) -> None:
    """Who diverges at a rate of its own says that rate; the others keep theirs, and train as they
    would alone."""
    found = NetworkTrainer(
        images, settings(), LAMBDAS, network=Network(hidden=8), classes=CLASSES, seed=SEED,
        per_model={"eta_max": (0.1, 1e6, 0.05), "eta_min": (1e-4, 1e6, 1e-4),
                   "dropout": (0.0, 0.2, 0.5)},
    )  # fmt: skip
    outcomes = finish(found).outcomes()
    assert [one.state.name for one in outcomes] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert "(learning rate 1e+06)" in (outcomes[1].reason or "")
    for outcome, highest in ((outcomes[0], 0.1), (outcomes[2], 0.05)):
        assert outcome.curve is not None
        assert outcome.curve.learning_rate.max() == pytest.approx(highest)  # at update 60
    setup = ({"hidden": 8, "dropout": 0.5}, {"eta_max": 0.05})
    (alone,) = finish(trainer(images, setup, LAMBDAS[2:])).outcomes()
    assert outcomes[2].validation_loss == pytest.approx(alone.validation_loss, rel=1e-4)


@pytest.mark.parametrize(
    ("own", "rule"),
    [
        ({"hidden": (1, 2, 3)}, "per_model: must be of eta_max, .*, got 'hidden'"),
        ({"eta_max": (0.1, 0.2)}, r"eta_max: must be 3 values, got \(2,\)"),
        ({"eta_max": (0.1, 0.0, 0.2)}, "eta_max: must be above 0 and finite"),
        ({"dropout": (0.1, 1.0, 0.2)}, "dropout: must be at least 0 and below 1"),
    ],
)
def test_what_a_cohort_shares_is_no_model_s_own(
    images: Images, own: dict[str, tuple[float, ...]], rule: str
) -> None:
    """Other names, other numbers of values, and values that cannot be are refused."""
    with pytest.raises(ValueError, match=rule):
        NetworkTrainer(images, settings(), LAMBDAS, classes=CLASSES, seed=SEED, per_model=own)


def test_models_drop_what_those_of_lower_rates_drop() -> None:
    """Draws are shared: kept values of a higher rate are kept at a lower one, shares are right,
    and neither the other models nor the batch before change them."""
    rates = np.array([0.0, 0.2, 0.2, 0.75])
    dropout = Dropout(seed=SEED, rates=(np.zeros(4), rates))
    assert masks_of(dropout, 50, (7, 400), np.float64)[0] is None
    masks = masks_of(dropout, 50, (7, 400), np.float64)[1]
    alone = masks_of(dropout.keep(np.array([3])), 50, (7, 400), np.float64)[1]
    assert masks is not None
    assert alone is not None
    masks.draw(3)
    masks.draw(5)
    alone.draw(5)
    kept = masks.factors > 0
    assert kept[:, 0].all()
    assert (kept[:, 1] == kept[:, 2]).all()
    assert not (kept[:, 3] & ~kept[:, 1]).any()
    np.testing.assert_array_equal(masks.factors[:, 3], alone.factors[:, 0])
    np.testing.assert_allclose(kept.mean(axis=(0, 2)), 1 - rates, atol=0.01)
    np.testing.assert_allclose(masks.factors.mean(axis=(0, 2)), 1, atol=0.05)


@pytest.mark.parametrize("rule", ["sgd", "momentum", "adam"])
def test_layers_that_are_stepped_in_parts_equal_those_stepped_whole(
    exact: Images, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    """However few entries of a gradient are made at once, the weights are the same to rounding."""
    network = {"hidden": (3, 40), "batch_norm": True}
    setup = (network, {"optimiser": rule, "eta_max": 0.01})
    whole = finish(trainer(exact, setup))
    monkeypatch.setattr(optimisers, "_BLOCK", 50)
    parts = finish(trainer(exact, setup))
    for (name, array), (_, expected) in zip(
        parts.weights.parameters(), whole.weights.parameters(), strict=True
    ):
        np.testing.assert_allclose(array, expected, rtol=0, atol=1e-9, err_msg=name)
