"""Metrics: a number per example, and the words for its mean."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
)

from lamsearch.errors import InputError
from lamsearch.metrics import (
    ACCURACY,
    LOG_LOSS,
    METRICS,
    Metric,
    metric_of,
    score_error,
    score_title_of,
)


def drawn(examples: int = 200, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return made-up probabilities and labels."""
    rng = np.random.default_rng(5)
    return rng.dirichlet(np.ones(classes), examples), rng.integers(0, classes, examples)


def test_the_means_are_scikit_learn_s() -> None:
    """Accuracy, and the log loss with its sign changed, are those of an independent library."""
    probabilities, labels = drawn()
    found = ACCURACY.per_example(probabilities, labels)
    assert found.dtype == np.bool_
    assert found.mean() == accuracy_score(labels, probabilities.argmax(axis=1))
    scores = LOG_LOSS.per_example(probabilities, labels)
    assert -scores.mean() == pytest.approx(log_loss(labels, probabilities), rel=1e-12)


@pytest.mark.parametrize("classes", [2, 4, 9])
def test_the_means_of_weighted_and_of_linearised_scores_are_scikit_learn_s(classes: int) -> None:
    """Balanced accuracy, macro F1 and the Brier score, classes that do not occur left out."""
    probabilities, labels = drawn(60, classes)
    labels = np.minimum(labels, 5)
    predicted = probabilities.argmax(axis=1)
    score = {name: metric_of(name).per_example(probabilities, labels).mean() for name in
             ("balanced_accuracy", "macro_f1", "brier")}  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that classes are predicted which do not occur
        balanced = balanced_accuracy_score(labels, predicted)
    assert score["balanced_accuracy"] == pytest.approx(balanced, rel=1e-12)
    f1 = f1_score(labels, predicted, average="macro")
    assert score["macro_f1"] == pytest.approx(f1, rel=1e-12)
    hits = np.eye(classes)[labels]
    assert score["brier"] == pytest.approx(-((probabilities - hits) ** 2).sum(axis=1).mean())


def test_the_spread_of_macro_f1_s_numbers_is_its_sampling_error() -> None:
    """Their standard error is the standard deviation of macro F1 over bootstrap samples."""
    probabilities, labels = drawn(2000)
    probabilities[np.arange(2000), labels] += 0.3 * (labels + 1)
    metric, rng = metric_of("macro_f1"), np.random.default_rng(3)
    error = score_error(metric, metric.per_example(probabilities, labels))
    draws = [rng.integers(0, 2000, 2000) for _ in range(400)]
    values = [metric.per_example(probabilities[one], labels[one]).mean() for one in draws]
    assert error == pytest.approx(np.std(values), rel=0.15)


def test_errors_of_quantities_are_scikit_learn_s() -> None:
    """R², and mean absolute and squared errors with their signs changed, in the target's unit."""
    rng = np.random.default_rng(7)
    targets = 50 + 10 * rng.normal(size=80)
    predictions = targets + rng.normal(size=80)
    score = {name: metric_of(name).per_example(predictions, targets).mean() for name in
             ("r2", "mae", "mse")}  # fmt: skip
    assert score["r2"] == pytest.approx(r2_score(targets, predictions), rel=1e-12)
    assert score["mae"] == pytest.approx(-mean_absolute_error(targets, predictions), rel=1e-12)
    assert score["mse"] == pytest.approx(-mean_squared_error(targets, predictions), rel=1e-12)
    assert {metric_of(name).task for name in score} == {"regression"}


def test_targets_without_variance_have_no_r2_but_right_or_wrong() -> None:
    """Each right prediction scores 1 and each other one 0: nothing is divided by zero."""
    found = metric_of("r2").per_example(np.array([2.0, 3.0]), np.array([2.0, 2.0]))
    assert found.tolist() == [1.0, 0.0]


def test_a_sure_model_that_errs_has_a_finite_loss() -> None:
    """Probability 0 of the true class counts as float64's resolution, of float32 as well."""
    one = np.array([[1.0, 0.0]], np.float32)
    found = LOG_LOSS.per_example(one, np.array([1]))
    assert found[0] == pytest.approx(math.log(np.finfo(np.float64).eps))


def test_a_score_s_error_is_that_of_its_mean() -> None:
    """sd/√n over the examples; a share's follows from the share, and is not said."""
    probabilities, labels = drawn()
    scores = LOG_LOSS.per_example(probabilities, labels)
    expected = np.std(scores, ddof=1) / math.sqrt(len(scores))
    assert score_error(LOG_LOSS, scores) == pytest.approx(expected)
    assert score_error(ACCURACY, ACCURACY.per_example(probabilities, labels)) is None


@pytest.mark.parametrize(
    ("metric", "score", "error", "words"),
    [
        (ACCURACY, 0.52345, None, "52.34 %"),
        (ACCURACY, 0.52345, 0.0123, "52.34 ± 1.23 %"),
        (LOG_LOSS, -0.31234, 0.0123, "0.3123 ± 0.0123 nats"),
        (LOG_LOSS, None, None, "–"),
        (ACCURACY, math.nan, None, "–"),
    ],
)
def test_a_score_is_put_as_people_quote_it(
    metric: object, score: float | None, error: float | None, words: str
) -> None:
    """Accuracies in percent, losses positive and in nats, a dash where there is none."""
    assert metric.words(score, error) == words  # type: ignore[attr-defined]


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    """The sentence has the rule and the value."""
    with pytest.raises(
        InputError, match=rf"^metric: must be one of {', '.join(METRICS.builtin)}, got 'f1'$"
    ):
        metric_of("f1")
    assert [METRICS.get(name).name for name in METRICS.builtin] == list(METRICS.builtin)


def test_labels_and_intervals_have_the_unit_where_there_is_one() -> None:
    """An axis has no empty brackets; an interval of losses is quoted from low to high."""
    bare = Metric(
        name="spherical", title="spherical loss", per_example=LOG_LOSS.per_example, sign=-1
    )
    labels = [one.label for one in (ACCURACY, LOG_LOSS, bare)]
    assert labels == ["accuracy (%)", "log loss (nats)", "spherical loss"]
    assert ACCURACY.interval_words((0.51, 0.5376)) == "51.00 to 53.76 %"
    assert LOG_LOSS.interval_words((-0.5, -0.25)) == "0.2500 to 0.5000 nats"
    assert bare.interval_words((-0.5, -0.25)) == "0.2500 to 0.5000"


def test_the_scores_of_a_metric_that_is_not_installed_go_by_its_name() -> None:
    """Who lists studies of all metrics needs no package but for its own."""
    assert [score_title_of(name) for name in ("accuracy", "log_loss", "spherical")] == [
        "accuracy", "−log loss", "spherical",
    ]  # fmt: skip


def test_errors_in_a_target_s_own_unit_have_significant_digits() -> None:
    """Large and small ones are quoted with four digits, an error with the decimals of its score."""
    mae = metric_of("mae")
    assert mae.words(-43.30961, 2.7183) == "43.31 ± 2.72"
    assert mae.words(-2859.6904, 104.25) == "2860 ± 104"
    assert mae.words(-123456789.0) == "123456789"
    assert mae.words(-0.00031234567, 0.0000123) == "0.0003123 ± 0.0000123"
    assert mae.words(0.0) == "0"
    assert mae.words(-3e-15) == "3e-15"
    assert mae.interval_words((-45.0, -41.5)) == "41.50 to 45.00"
    assert mae.gain(0.001234) == "+0.00123"
    assert mae.rounded(0.000312345678) == 0.00031235
    assert ACCURACY.rounded(52.34567) == 52.346


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("accuracy", (0, 1)), ("balanced_accuracy", (0, 1)), ("macro_f1", (0, 1)),
        ("log_loss", (-math.inf, 0)), ("brier", (-2, 0)), ("r2", (-math.inf, 1)),
        ("mae", (-math.inf, 0)), ("mse", (-math.inf, 0)),
    ],
)  # fmt: skip
def test_no_score_lies_beyond_what_it_can_be(name: str, limits: tuple[float, float]) -> None:
    """Predictions and intervals are clipped to a metric's limits, axes a little beyond them."""
    metric = metric_of(name)
    assert metric.limits == limits
    assert metric.clipped(7.0) == limits[1]
    assert metric.clipped(limits[1] - 0.1) == limits[1] - 0.1
    low, high = metric.within(-1e9, 1e9)
    ends = sorted(metric.number(end) for end in limits)
    assert low <= ends[0] or low == -1e9
    assert high >= ends[1] or high == 1e9
    assert high - low < 2e9


def test_a_heading_begins_with_a_capital_letter_and_keeps_the_others() -> None:
    """F1 stays F1, MAE stays MAE."""
    names = ("accuracy", "macro_f1", "mae", "r2")
    assert [metric_of(one).heading for one in names] == ["Accuracy", "Macro F1", "MAE", "R²"]


def test_only_accuracy_is_the_default() -> None:
    """Another metric of 0 and 1 in percent is not, whatever its numbers look like."""
    top = Metric(name="top", title="top", per_example=ACCURACY.per_example, factor=100.0,
                 unit=" %", proportion=True)  # fmt: skip
    assert [one.is_default for one in (ACCURACY, LOG_LOSS, top)] == [True, False, False]
    assert top.limits == (0.0, 1.0)
