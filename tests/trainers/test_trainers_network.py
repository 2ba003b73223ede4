"""Training a cohort: the same bits again, the textbook's numbers, and models that diverge."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import log_softmax
from trainers_textbook import Chain, Images, digits, textbook_training

from lamsearch.results import Curve, Model, Trained, TrialState
from lamsearch.study import Training
from lamsearch.trainers import Progress
from lamsearch.trainers.mini_batches import Batches
from lamsearch.trainers.network import NetworkTrainer

Array = npt.NDArray[Any]
SEED = (7, 1, 2)
HIDDEN, CLASSES = 8, 10


@pytest.fixture(scope="module")
def images() -> Images:
    """The digits in float32: 330 to train on, 120 to select by, 120 to test with."""
    return digits()


@pytest.fixture(scope="module")
def exact() -> Images:
    """The same digits in float64."""
    return digits(np.float64)


def settings(**changes: Any) -> Training:
    """Return a short training: 33 updates an epoch, two cycles of 40 updates."""
    usual: dict[str, Any] = {
        "batch_size": 10, "step_size": 20, "cycles": 2, "eta_min": 1e-4, "eta_max": 0.1,
        "sample_every": 15,
    }  # fmt: skip
    return Training(**{**usual, **changes})


def trainer(
    images: Images,
    lambdas: Sequence[float] = (-4.0, -2.0, -1.0),
    seed: Sequence[int] = SEED,
    *,
    training: Training | None = None,
    test: bool = False,
    dtype: npt.DTypeLike | None = None,
) -> NetworkTrainer:
    """Return a trainer of a small cohort."""
    return NetworkTrainer(
        images,
        training or settings(),
        lambdas,
        hidden=HIDDEN,
        classes=CLASSES,
        seed=seed,
        dtype=dtype or images.train_x.dtype,
        test=images.test if test else None,
    )


def finish(trainer: NetworkTrainer) -> list[Progress]:
    """Run to the end."""
    return list(trainer.run())


def trained(images: Images, *args: Any, **kwargs: Any) -> NetworkTrainer:
    """Return a trainer that has run."""
    found = trainer(images, *args, **kwargs)
    finish(found)
    return found


def curve_of(outcome: Trained) -> Curve:
    """Return the curve of an outcome."""
    assert outcome.curve is not None
    return outcome.curve


def bits(record: object) -> list[tuple[str, object]]:
    """Return a record's fields with arrays as bytes, nested records flattened."""
    found: list[tuple[str, object]] = []
    for item in fields(record):  # type: ignore[arg-type]  # all callers pass dataclasses
        value = getattr(record, item.name)
        if isinstance(value, Mapping):
            found += [(name, bits_of(array)) for name, array in value.items()]
        else:
            found.append((item.name, bits_of(value)))
    return found


def bits_of(value: object) -> object:
    """Return an array as bytes, a curve flattened, anything else as it is."""
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tobytes())
    return tuple(bits(value)) if isinstance(value, Curve) else value


def all_bits(trainer: NetworkTrainer) -> list[object]:
    """Return everything that a trainer answers, bit for bit."""
    models = [None if model is None else bits_of_model(model) for model in trainer.models()]
    return [*(bits(outcome) for outcome in trainer.outcomes()), *models]


def bits_of_model(model: Model) -> dict[str, object]:
    """Return a model's arrays as bytes."""
    return {name: bits_of(array) for name, array in model.arrays().items()}


def scores(model: Model, raw: Array) -> Array:
    """Return class scores of raw images by the formula of `Model`'s docstring."""
    (W1, b1), (W2, b2) = model.layers
    hidden = np.maximum((raw - model.mean) / model.std @ W1 + b1, 0)
    return np.asarray(hidden @ W2 + b2)


def model_of(trainer: NetworkTrainer, index: int = 0) -> Model:
    """Return a model that finished."""
    model = trainer.models()[index]
    assert model is not None
    return model


def assert_same_training(found: Iterable[Trained], expected: Iterable[Trained]) -> None:
    """Compare outcomes to single rounding over a short training."""
    for mine, other in zip(found, expected, strict=True):
        assert mine.state is other.state
        assert mine.validation_loss == pytest.approx(other.validation_loss, rel=1e-4)
        assert mine.score == pytest.approx(other.score, abs=0.01)
        np.testing.assert_array_equal(curve_of(mine).updates, curve_of(other).updates)
        for name in ("training_loss", "training_cost", "validation_cost"):
            values = curve_of(mine).values[name]
            np.testing.assert_allclose(values, curve_of(other).values[name], rtol=1e-4)


class TestRepetition:
    """The same arguments, the same bits."""

    def test_the_same_seed_gives_the_same_bits(self, images: Images) -> None:
        """Two trainings with the same arguments agree in every bit of what they answer."""
        assert all_bits(trained(images, test=True)) == all_bits(trained(images, test=True))

    @pytest.mark.parametrize("seed", [(8, 1, 2), (7, 0, 2), (7, 1, 3)])
    def test_every_part_of_the_seed_counts(self, images: Images, seed: tuple[int, ...]) -> None:
        """Another study seed, stage or replicate has other weights from the first one on."""
        one, other = trainer(images), trainer(images, seed=seed)
        assert not np.array_equal(one.weights.V, other.weights.V)
        assert not np.array_equal(one.weights.W[1], other.weights.W[1])

    def test_equal_penalties_give_equal_models(self, exact: Images) -> None:
        """Models of a cohort with the same λ start equal, see the same images, and end equal."""
        found = trained(exact, [-2.0, -4.0, -2.0])
        first, other, third = (model_of(found, model) for model in range(3))
        first, other, third = (model.layers[0][0] for model in (first, other, third))
        np.testing.assert_allclose(first, third, rtol=0, atol=1e-7)
        assert not np.allclose(first, other, atol=1e-4)
        one, _, same = found.outcomes()
        np.testing.assert_allclose(
            curve_of(one).values["training_loss"],
            curve_of(same).values["training_loss"],
            rtol=1e-12,
        )

    def test_a_model_in_a_cohort_equals_that_model_alone(self, exact: Images) -> None:
        """What becomes of a λ does not depend, beyond rounding, on the others of its cohort."""
        lambdas = [-5.0, -2.0, -1.0, 0.5]
        together = trained(exact, lambdas)
        for model, value in enumerate(lambdas):
            alone = trained(exact, [value])
            for name, found in model_of(together, model).arrays().items():
                np.testing.assert_allclose(found, model_of(alone).arrays()[name], atol=1e-7)
            mine, other = curve_of(together.outcomes()[model]), curve_of(alone.outcomes()[0])
            np.testing.assert_allclose(
                mine.values["validation_cost"], other.values["validation_cost"], rtol=1e-11
            )


class TestBatches:
    """The stream of mini-batches."""

    def test_every_image_comes_once_per_epoch(self) -> None:
        """The mini-batches of each epoch hold every image exactly once."""
        batches = Batches(SEED, 60, 12)
        for epoch in range(4):
            rows = np.concatenate([batches[5 * epoch + batch] for batch in range(5)])
            assert sorted(rows) == list(range(60))

    def test_a_remainder_is_dropped_but_not_always_the_same(self) -> None:
        """Where the batch size does not divide the images, no image comes twice in an epoch."""
        batches = Batches(SEED, 65, 12)
        assert batches.per_epoch == 5
        left_out = []
        for epoch in range(6):
            rows = np.concatenate([batches[5 * epoch + batch] for batch in range(5)])
            assert len(set(rows)) == 60
            left_out.append(tuple(sorted(set(range(65)) - set(rows))))
        assert len(set(left_out)) > 1

    def test_every_epoch_has_an_order_of_its_own(self) -> None:
        """Two epochs differ in their order, and so do two seeds."""
        batches, other = Batches(SEED, 60, 60), Batches((7, 1, 3), 60, 60)
        assert not np.array_equal(batches[0], batches[1])
        assert not np.array_equal(batches[0], other[0])

    def test_the_order_depends_on_seed_and_epoch_alone(self) -> None:
        """A mini-batch is the same whichever were asked for before."""
        forward = Batches(SEED, 60, 12)
        expected = [forward[update].copy() for update in range(25)]
        backward = Batches(SEED, 60, 12)
        for update in (24, 3, 17, 0, 24, 11):
            np.testing.assert_array_equal(backward[update], expected[update])
        np.testing.assert_array_equal(Batches(SEED, 60, 12)[19], expected[19])

    def test_the_order_of_an_epoch_is_independent_of_the_batch_size(self) -> None:
        """Larger mini-batches run through the same order of images."""
        small, large = Batches(SEED, 60, 10), Batches(SEED, 60, 30)
        np.testing.assert_array_equal(np.concatenate([small[6], small[7], small[8]]), large[2])


class TestResuming:
    """Going on from a state."""

    @pytest.mark.parametrize("stop", [0, 1, 14, 15, 33, 40, 57, 79, 80])
    def test_a_resumed_training_ends_with_the_same_bits(self, images: Images, stop: int) -> None:
        """Stopped at any update, saved without pickle and restored, it ends as if undisturbed."""
        whole = trained(images, test=True)
        first = trainer(images, test=True)
        run = first.run()
        for _ in range(stop):
            next(run)
        second = trainer(images, test=True)
        second.restore(through_a_file(first))
        assert second.updates == stop
        rest = finish(second)
        assert len(rest) == 80 - stop
        assert all_bits(second) == all_bits(whole)

    @pytest.mark.parametrize("stop", [5, 12, 40])
    def test_models_that_were_taken_out_stay_out(self, images: Images, stop: int) -> None:
        """Restored before or after a model diverged, outcomes, reasons and bits are the same."""
        lambdas = [-3.0, 3.0, -1.0]
        whole = trained(images, lambdas, training=settings(sample_every=3))
        first = trainer(images, lambdas, training=settings(sample_every=3))
        run = first.run()
        for _ in range(stop):
            next(run)
        second = trainer(images, lambdas, training=settings(sample_every=3))
        second.restore(through_a_file(first))
        finish(second)
        assert whole.outcomes()[1].state is TrialState.FAIL
        assert all_bits(second) == all_bits(whole)

    def test_progress_goes_on_where_it_stood(self, images: Images) -> None:
        """The progress after a restored state is the progress of the undisturbed training."""
        expected = [bits(one) for one in trainer(images).run()]
        first = trainer(images)
        run = first.run()
        for _ in range(37):
            next(run)
        second = trainer(images)
        second.restore(through_a_file(first))
        assert [bits(one) for one in second.run()] == expected[37:]

    def test_a_restored_trainer_owns_its_arrays(self, images: Images) -> None:
        """Going on changes nothing in the state that it went on from."""
        first = trainer(images)
        run = first.run()
        for _ in range(20):
            next(run)
        state = through_a_file(first)
        before = {name: array.tobytes() for name, array in state.items()}
        second = trainer(images)
        second.restore(state)
        finish(second)
        assert {name: array.tobytes() for name, array in state.items()} == before


BROKEN: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "an array missing": lambda s: {k: v for k, v in s.items() if k != "scale"},
    "lengths missing": lambda s: {k: v for k, v in s.items() if k not in ("alive", "points")},
    "an array too many": lambda s: s | {"foreign": np.zeros(3)},
    "another width": lambda s: s | {"V": s["V"][:-1]},
    "another precision": lambda s: s | {"V": s["V"].astype(np.float64)},
    "whole numbers": lambda s: s | {"W2": s["W2"].astype(np.int64)},
    "fewer models": lambda s: s | {"alive": s["alive"][:-1]},
    "a model twice": lambda s: s | {"alive": np.zeros_like(s["alive"])},
    "a model that is none": lambda s: s | {"alive": s["alive"] + 1},
    "other images": lambda s: s | {"correct": s["correct"][:, :-1]},
    "other columns": lambda s: s | {"rows": s["rows"][..., :-1]},
    "updates past the end": lambda s: s | {"updates": np.array(10**9)},
    "updates below zero": lambda s: s | {"updates": np.array(-1)},
    "a vector of updates": lambda s: s | {"updates": np.array([20])},
    "points that fall": lambda s: s | {"points": s["points"][::-1]},
    "points to come": lambda s: s | {"points": s["points"] + 30},
    "sums since before the start": lambda s: s | {"since": np.array(10**6)},
    "text for a number": lambda s: s | {"since": np.array("1")},
    "who left is no JSON": lambda s: s | {"left": np.array("{")},
    "who left is a list": lambda s: s | {"left": np.array("[1]")},
    "who left is deep": lambda s: s | {"left": np.array("[" * 10_000)},
    "who left is a number": lambda s: s | {"left": np.array(3)},
    "a model left that is alive": lambda s: s | {"left": np.array('{"0": ["FAIL", "why", 3]}')},
    "a model left in no such state": lambda s: s | {"left": np.array('{"7": ["GONE", "why", 3]}')},
    "a model left for no reason": lambda s: s | {"left": np.array('{"7": ["FAIL", null, 3]}')},
}  # fmt: skip


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_what_is_no_state_is_refused_and_changes_nothing(
    images: Images, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Arrays that no such trainer has saved are a ValueError, and training goes on as it was."""
    first = trainer(images)
    run = first.run()
    for _ in range(57):
        next(run)
    state = through_a_file(first)
    assert len(state["points"]) > 1
    second = trainer(images)
    with pytest.raises(ValueError, match="must"):
        second.restore(change(state))
    finish(second)
    assert all_bits(second) == all_bits(trained(images))


def through_a_file(trainer: NetworkTrainer) -> dict[str, Array]:
    """Return the trainer's state as it comes back from an npz file without pickle."""
    file = io.BytesIO()
    np.savez(file, **trainer.state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        return dict(stored)


class TestTextbook:
    """Against a plain float64 training that shares no code."""

    @pytest.mark.parametrize("log10_lambda", [-30.0, -3.0, -1.0, 0.7, 1.0])
    def test_weights_and_curves_equal_a_plain_training(
        self, exact: Images, log10_lambda: float
    ) -> None:
        """Weights, curves and scores equal those of a plain loop; cost is loss + λΣ‖W‖²."""
        training = settings(sample_every=15)
        found = trained(exact, [log10_lambda], training=training, test=True)
        expected = textbook_training(
            exact,
            lam=10.0**log10_lambda,
            chain=Chain(hidden=(HIDDEN,)),
            classes=CLASSES,
            seed=SEED,
            batch_size=10,
            step_size=20,
            cycles=2,
            eta_min=1e-4,
            eta_max=0.1,
            points=(15, 30, 40, 45, 60, 75, 80),
        )
        for name, array in found.weights.of_model(0).items():
            np.testing.assert_allclose(array, expected.arrays[name], rtol=0, atol=1e-8)
        (outcome,) = found.outcomes()
        assert len(expected.curves) == 9
        for name, values in expected.curves.items():
            np.testing.assert_allclose(
                curve_of(outcome).values[name], values, rtol=1e-8, atol=1e-8, err_msg=name
            )
        loss, hits = expected.loss_and_hits(exact.validation_x, exact.validation_y)
        assert outcome.validation_loss == pytest.approx(loss, rel=1e-8)
        assert outcome.score == hits.mean()
        np.testing.assert_array_equal(outcome.scores, hits)
        _, right = expected.loss_and_hits(exact.train_x, exact.train_y)
        assert outcome.train_score == right.mean()

    def test_single_precision_follows_double_precision(self, images: Images, exact: Images) -> None:
        """The float32 training has the curves of the float64 training to about its rounding."""
        for single, double in zip(
            trained(images).outcomes(), trained(exact).outcomes(), strict=True
        ):
            for name in ("training_loss", "training_cost", "validation_loss", "validation_cost"):
                mine, other = curve_of(single).values[name], curve_of(double).values[name]
                np.testing.assert_allclose(mine, other, rtol=1e-4)


class TestSampling:
    """Where curves have their points."""

    @pytest.mark.parametrize(
        ("every", "points"),
        [
            (15, [15, 30, 40, 45, 60, 75, 80]),
            (20, [20, 40, 60, 80]),
            (1000, [40, 80]),
            ("cycle", [40, 80]),
            ("epoch", [33, 40, 66, 80]),
            (1, list(range(1, 81))),
        ],
    )
    def test_points_are_where_the_study_asks(
        self, images: Images, every: int | str, points: list[int]
    ) -> None:
        """Curves are sampled every k updates, epochs or cycles, and always at cycle ends."""
        outcomes = trained(images, training=settings(sample_every=every)).outcomes()
        assert [curve_of(outcome).updates.tolist() for outcome in outcomes] == [points] * 3

    def test_sampling_changes_nothing_that_is_trained(self, images: Images) -> None:
        """However often curves are sampled, the models have the same bits."""
        often = trained(images, training=settings(sample_every=1)).models()
        seldom = trained(images, training=settings(sample_every="cycle")).models()
        assert [bits_of_model(one) for one in often] == [bits_of_model(one) for one in seldom]

    def test_training_curves_are_means_since_the_last_point(self, exact: Images) -> None:
        """A point's training loss and accuracy are the mean over the mini-batches since the last.

        Sampled at every update the curve holds the mini-batches themselves.
        """
        single = trained(exact, training=settings(sample_every=1)).outcomes()
        coarse = trained(exact, training=settings(sample_every="epoch")).outcomes()
        for each, few in zip(single, coarse, strict=True):
            ends = [0, 33, 40, 66, 80]
            for name in ("training_loss", "training_accuracy"):
                batches = curve_of(each).values[name]
                means = [batches[a:b].mean() for a, b in itertools.pairwise(ends)]
                np.testing.assert_allclose(curve_of(few).values[name], means, rtol=1e-12)

    def test_the_learning_rate_of_a_point_is_the_schedules(self, images: Images) -> None:
        """The learning rates beside the points are the zigzag's at those update counts."""
        curve = curve_of(trained(images, training=settings(sample_every=10)).outcomes()[0])
        low, middle, high = 1e-4, (1e-4 + 0.1) / 2, 0.1
        expected = [middle, high, middle, low] * 2
        np.testing.assert_allclose(curve.learning_rate, expected, rtol=1e-12)

    def test_cycle_accuracies_are_those_at_cycle_ends(self, images: Images) -> None:
        """There is one validation accuracy per cycle, the last of them the trial's own."""
        for outcome in trained(images).outcomes():
            curve = curve_of(outcome)
            ends = np.isin(curve.updates, (40, 80))
            assert outcome.cycle_scores == tuple(curve.values["validation_accuracy"][ends])
            assert outcome.cycle_scores[-1] == outcome.score
            assert outcome.validation_loss == curve.values["validation_loss"][-1]

    def test_test_curves_are_there_only_where_test_images_are(self, images: Images) -> None:
        """Without test images there is no test curve; with them all else keeps its bits."""
        without, with_them = trained(images).outcomes(), trained(images, test=True).outcomes()
        for plain, tested in zip(without, with_them, strict=True):
            for name in ("test_loss", "test_cost", "test_accuracy"):
                assert name not in curve_of(plain).values
                assert curve_of(tested).values[name].shape == curve_of(tested).updates.shape
            kept = [item for item in bits(curve_of(tested)) if not item[0].startswith("test")]
            assert [item for item in bits(curve_of(plain)) if item[1] is not None] == kept
            assert plain.scores is not None
            assert tested.scores is not None
            np.testing.assert_array_equal(plain.scores, tested.scores)

    def test_correctness_needs_no_array_of_ones_own(self, images: Images) -> None:
        """Splits that make their arrays anew at each asking have the same correct images."""

        class Views:
            def __getattr__(self, name: str) -> Any:
                array = getattr(images, name)
                return None if array is None else array.view()

        made_anew = NetworkTrainer(
            Views(), settings(), [-3.0], hidden=HIDDEN, classes=CLASSES, seed=SEED
        )
        finish(made_anew)
        assert all_bits(made_anew) == all_bits(trained(images, [-3.0]))


class TestProgress:
    """What is yielded while it trains."""

    def test_every_update_is_yielded(self, images: Images) -> None:
        """Progress counts updates from 1 to the total, and cycles as they end."""
        progress = finish(trainer(images))
        assert [one.updates for one in progress] == list(range(1, 81))
        assert {one.total for one in progress} == {80}
        assert [one.cycles for one in progress] == [0] * 39 + [1] * 40 + [2]

    def test_cycle_ends_are_said(self, images: Images) -> None:
        """Progress says of just those updates that end a cycle that they do."""
        progress = finish(trainer(images))
        assert [one.updates for one in progress if one.cycle_end] == [40, 80]

    def test_accuracies_are_those_of_the_last_point(self, images: Images) -> None:
        """Progress carries every model's accuracy at the last point, NaN once it was taken out."""
        training = settings(eta_min=0.1, sample_every=20)
        found = trainer(images, (-3.0, 3.0, -1.0), training=training)
        progress = finish(found)
        assert progress[18].scores is None
        curves = [curve_of(outcome) for outcome in found.outcomes()]
        for point, update in enumerate((20, 40, 60, 80)):
            accuracies = progress[update - 1].scores
            assert accuracies is not None
            assert np.isnan(accuracies[1])
            for model in (0, 2):
                assert accuracies[model] == curves[model].values["validation_accuracy"][point]


@pytest.fixture(scope="module")
def cohort(images: Images) -> tuple[NetworkTrainer, list[int]]:
    """A cohort in which two models diverge, and how many models were left after each update."""
    lambdas = (-3.0, 3.0, -1.0, 3.5)
    found = trainer(images, lambdas, training=settings(eta_min=0.1, sample_every=3))
    return found, [found.weights.count for _ in found.run()]


class TestDivergence:
    """Models whose cost is no longer finite."""

    def test_a_diverging_model_fails_with_its_reason(
        self, cohort: tuple[NetworkTrainer, list[int]]
    ) -> None:
        """A model that diverges is FAIL, at once, and its reason names the update."""
        found, left = cohort
        counts = itertools.pairwise([4, *left])
        leaving = [update for update, (had, has) in enumerate(counts, 1) if has < had]
        outcomes = found.outcomes()
        assert [one.state.value for one in outcomes] == ["COMPLETE", "FAIL", "COMPLETE", "FAIL"]
        assert 0 < leaving[0] < 20
        named = {f"no longer finite at update {update} (learning rate 0.1)" for update in leaving}
        for model in (1, 3):
            reason = outcomes[model].reason
            assert reason is not None
            assert any(text in reason for text in named)
        assert left[-1] == 2

    def test_a_failed_model_has_no_scores(self, cohort: tuple[NetworkTrainer, list[int]]) -> None:
        """What failed has no score and no model, and a curve of finite points only."""
        found, _ = cohort
        for model in (1, 3):
            outcome = found.outcomes()[model]
            assert outcome.score is None
            assert outcome.validation_loss is None
            assert outcome.train_score is None
            assert outcome.scores is None
            assert outcome.cycle_scores == ()
            assert found.models()[model] is None
            curve = curve_of(outcome)
            assert curve.updates.tolist() == list(range(3, 3 * len(curve.updates) + 1, 3))
            assert len(curve.updates) >= 1
            assert np.isfinite(curve.values["validation_cost"]).all()

    def test_the_others_go_on_as_without_it(
        self, images: Images, cohort: tuple[NetworkTrainer, list[int]]
    ) -> None:
        """The models that stay equal, to rounding, a cohort trained without the diverging ones."""
        training = settings(eta_min=0.1, sample_every=3)
        without = trained(images, (-3.0, -1.0), training=training)
        outcomes = cohort[0].outcomes()
        assert_same_training((outcomes[0], outcomes[2]), without.outcomes())
        for model, other in ((0, 0), (2, 1)):
            np.testing.assert_allclose(
                model_of(cohort[0], model).layers[0][0],
                model_of(without, other).layers[0][0],
                rtol=0,
                atol=1e-4,
            )

    def test_a_cohort_of_which_nothing_is_left_ends(self, images: Images) -> None:
        """When every model has diverged the training ends at once, long before the next point."""
        training = settings(eta_min=0.1, sample_every="cycle")
        found = trainer(images, [3.0, 3.2], training=training)
        progress = finish(found)
        assert progress[-1].updates == found.updates < 20
        assert progress[-1].scores is None
        assert [one.state for one in found.outcomes()] == [TrialState.FAIL] * 2
        assert all("loss no longer finite" in (one.reason or "") for one in found.outcomes())
        assert found.models() == (None, None)
        again = trainer(images, [3.0, 3.2], training=training)
        again.restore(through_a_file(found))
        assert finish(again) == []
        assert all_bits(again) == all_bits(found)

    def test_an_infinite_cost_at_a_point_takes_a_model_out(self, images: Images) -> None:
        """A model with a finite training loss but no finite validation cost fails at that point."""
        far = digits()
        far.validation_x[5, 30] = np.inf
        found = trainer(far, [-3.0])
        finish(found)
        (outcome,) = found.outcomes()
        assert outcome.state is TrialState.FAIL
        assert outcome.reason == "cost no longer finite at update 15 (learning rate 0.07003)"
        assert found.updates == 15
        assert len(curve_of(outcome).updates) == 0


def halved(images: Images, **options: Any) -> tuple[NetworkTrainer, list[Progress]]:
    """Return a cohort of four that models 0 and 3 leave after the first cycle, and its progress."""
    found = trainer(images, (-4.0, -3.0, -2.0, -1.0), **options)
    progress = []
    for one in found.run():
        if one.updates == 40:
            found.drop({3: "the worst", 0: "the next"})
        progress.append(one)
    return found, progress


class TestDropping:
    """Models that whoever trains lets go."""

    def test_a_dropped_model_is_pruned_with_the_scores_it_left_with(self, images: Images) -> None:
        """It has its reason, its updates, its curve up to then, and no model."""
        found, progress = halved(images)
        outcomes = found.outcomes()
        states = [one.state.value for one in outcomes]
        assert states == ["PRUNED", "COMPLETE", "COMPLETE", "PRUNED"]
        left = outcomes[3]
        assert (left.reason, left.updates, left.train_score) == ("the worst", 40, None)
        curve = curve_of(left)
        assert curve.updates.tolist() == [15, 30, 40]
        assert left.score == curve.values["validation_accuracy"][-1]
        assert left.validation_loss == curve.values["validation_loss"][-1]
        assert left.cycle_scores == (left.score,)
        assert left.scores is not None
        assert left.scores.mean() == pytest.approx(left.score)
        assert progress[39].scores is not None
        assert progress[39].scores[3] == left.score
        assert found.models()[3] is None
        assert (outcomes[1].updates, len(outcomes[1].cycle_scores)) == (None, 2)

    def test_the_matrices_shrink(self, images: Images) -> None:
        """After the drop only those that stay are trained; who has left counts as NaN at once."""
        found, progress = halved(images)
        assert found.weights.V.shape[1] == 2 * HIDDEN
        assert progress[40].scores is not None
        assert progress[40].losses is not None
        assert np.isnan(progress[40].scores).tolist() == [True, False, False, True]
        assert np.isnan(progress[40].losses).tolist() == [True, False, False, True]

    def test_those_that_stay_train_as_without_it(self, images: Images) -> None:
        """They equal, to rounding, the models of a cohort that nobody leaves, and of one of two."""
        found, _ = halved(images)
        stayed = found.outcomes()[1:3]
        whole = trained(images, (-4.0, -3.0, -2.0, -1.0))
        assert_same_training(stayed, whole.outcomes()[1:3])
        assert_same_training(stayed, trained(images, (-3.0, -2.0)).outcomes())

    @pytest.mark.parametrize("stop", [39, 40, 41, 70])
    def test_restored_before_or_after_the_bits_are_the_same(
        self, images: Images, stop: int
    ) -> None:
        """Restored at any update, with the drop made once, all ends with the same bits."""
        whole, _ = halved(images)
        first = trainer(images, (-4.0, -3.0, -2.0, -1.0))
        run = first.run()
        for update in range(1, stop + 1):
            next(run)
            if update == 40:
                first.drop({0: "the next", 3: "the worst"})
        second = trainer(images, (-4.0, -3.0, -2.0, -1.0))
        second.restore(through_a_file(first))
        for progress in second.run():
            if progress.updates == 40:
                second.drop({0: "the next", 3: "the worst"})
        assert all_bits(second) == all_bits(whole)

    def test_dropping_twice_is_dropping_once(self, images: Images) -> None:
        """A model that has left, by failing too, stays as it is."""
        found = trainer(images, (-4.0, 3.0, -2.0), training=settings(eta_min=0.1))
        for progress in found.run():
            if progress.updates == 40:
                for reason in ("first", "second"):
                    found.drop({1: reason, 2: reason})
        outcomes = found.outcomes()
        assert [one.state.value for one in outcomes] == ["COMPLETE", "FAIL", "PRUNED"]
        assert "no longer finite" in (outcomes[1].reason or "")
        assert outcomes[1].updates is not None
        assert outcomes[1].updates < 40
        assert (outcomes[2].reason, outcomes[2].updates) == ("first", 40)

    def test_a_cohort_that_all_leave_ends(self, images: Images) -> None:
        """Where the last model is dropped the training is over."""
        found = trainer(images, (-4.0,))
        for progress in found.run():
            if progress.cycle_end:
                found.drop({0: "enough"})
        assert found.updates == 40
        assert [one.state for one in found.outcomes()] == [TrialState.PRUNED]

    def test_models_are_dropped_only_where_they_were_evaluated(self, images: Images) -> None:
        """Between sampling points a drop is refused: the scores would be older than the model."""
        found = trainer(images)
        run = found.run()
        for _ in range(16):
            next(run)
        with pytest.raises(ValueError, match="models are dropped where they are evaluated, got 16"):
            found.drop({0: "too late"})


class TestAnswers:
    """What is exported at the end."""

    def test_the_model_reproduces_its_validation_scores(self, images: Images) -> None:
        """The exported arrays, put into the documented formula on raw images, score the same."""
        found = trained(images)
        labels = images.validation_y
        for model, outcome in enumerate(found.outcomes()):
            answer = scores(model_of(found, model), images.raw_validation_x)
            loss = -log_softmax(answer, axis=1)[np.arange(len(labels)), labels].mean()
            right = answer.argmax(axis=1) == labels
            assert outcome.score == right.mean()
            assert outcome.validation_loss == pytest.approx(loss, rel=1e-5)
            np.testing.assert_array_equal(outcome.scores, right)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_models_are_single_precision(
        self, images: Images, exact: Images, dtype: npt.DTypeLike
    ) -> None:
        """Whatever was trained in, exported arrays are float32 in their documented shapes."""
        found = trained(images if dtype == np.float32 else exact)
        model = model_of(found, 1)
        shapes = {name: array.shape for name, array in model.arrays().items()}
        assert shapes == {
            "W1": (64, HIDDEN), "b1": (HIDDEN,), "W2": (HIDDEN, CLASSES), "b2": (CLASSES,),
            "mean": (64,), "std": (64,),
        }  # fmt: skip
        assert {array.dtype for array in model.arrays().values()} == {np.dtype("f4")}

    def test_train_accuracy_is_that_of_the_whole_training_split(self, images: Images) -> None:
        """The training accuracy is the final model's on every training image."""
        found = trained(images)
        raw = images.train_x.astype(np.float64) * images.std + images.mean
        for model, outcome in enumerate(found.outcomes()):
            right = scores(model_of(found, model), raw).argmax(axis=1) == images.train_y
            assert outcome.train_score == right.mean()

    def test_models_share_no_memory_with_the_training(self, images: Images) -> None:
        """A model taken out of a trainer does not change with it."""
        found = trainer(images)
        run = found.run()
        next(run)
        model = model_of(found)
        before = bits_of_model(model)
        finish(found)
        assert bits_of_model(model) == before
        assert bits_of_model(model_of(found)) != before

    def test_it_learns(self, images: Images) -> None:
        """A few epochs on digits bring right answers from one in ten to nine in ten."""
        training = settings(step_size=165, cycles=1, sample_every="epoch")
        found = trained(images, [-4.0, 0.0], training=training)
        weak, strong = found.outcomes()
        assert weak.score is not None
        assert strong.score is not None
        assert weak.score > 0.85
        assert weak.train_score is not None
        assert weak.train_score > 0.95
        assert strong.score < weak.score
        losses = curve_of(weak).values["training_loss"]
        assert losses[-1] < 0.2 * losses[0]

    def test_a_separable_problem_is_solved(self) -> None:
        """Two classes apart by a wide margin are told apart without a mistake."""
        rng = np.random.default_rng(0)
        labels = rng.integers(2, size=300)
        x = (rng.standard_normal((300, 6)) + 8.0 * labels[:, None] - 4.0).astype(np.float32)
        blobs = Images(x[:200], labels[:200], x[200:], labels[200:], x[0] * 0, x[0] * 0 + 1,
                       x[200:], (x[200:], labels[200:]))  # fmt: skip
        found = NetworkTrainer(blobs, settings(), [-5.0], hidden=4, classes=2, seed=SEED)
        finish(found)
        (outcome,) = found.outcomes()
        assert (outcome.score, outcome.train_score) == (1.0, 1.0)
