"""The score of the final: accuracy, ensemble, interval, confusion, against hand-computed ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from lamsearch.data import LabelledImages
from lamsearch.metrics import LOG_LOSS, metric_of
from lamsearch.results import Model
from lamsearch.statistics import interval95
from lamsearch.worker import final


def model(swap: float, sure: float) -> Model:
    """Return a net of two features and classes whose class scores are ±sure·swap·(x0 − x1)."""
    eye = np.eye(2, dtype=np.float32)
    return Model(
        layers=(
            (eye, np.zeros(2, np.float32)),
            (np.float32(sure * swap) * eye, np.zeros(2, np.float32)),
        ),
        mean=np.zeros(2, np.float32),
        std=np.ones(2, np.float32),
    )


# Three images of class 0 by their features, one of class 1; the second is labelled otherwise.
X = np.array([[2, 0], [2, 0], [2, 0], [0, 2]], np.float32)
Y = np.array([0, 1, 0, 1])
IMAGES = LabelledImages(x=X, y=Y)


def test_the_accuracy_of_one_model_is_the_share_of_images_it_gets_right() -> None:
    """One net that errs on one of four images has accuracy 3/4, sd 0, itself as ensemble."""
    found = final.score([model(1, 1)], IMAGES)
    assert (found.mean, found.sd, found.n) == (0.75, 0.0, 1)
    assert found.scores == (0.75,)
    assert found.ensemble == 0.75
    assert found.test_images == 4
    # rows are true classes: of class 0 both are seen as 0, of class 1 one as 0 and one as 1
    assert found.confusion == ((2, 0), (1, 1))


def test_the_score_has_the_interval_of_its_accuracies() -> None:
    """The interval is that of mean, spread and number of the accuracies, on so many examples."""
    found = final.score([model(1, 1), model(-1, 1)], IMAGES)
    assert found.scores == (0.75, 0.25)
    assert found.interval95 == interval95(0.5, found.sd, 2, 4)


def test_snapshots_are_averaged_within_a_replicate_and_over_all() -> None:
    """Two replicates of two cycle ends: each one's mean of probabilities, all of them, and each
    cycle end alone, are scored by hand."""
    right, wrong, unsure = model(1, 5), model(-1, 5), model(-1, 0.1)
    found = final.score_snapshots({0: [wrong, right], 3: [unsure, right]}, [60, 90], IMAGES)
    assert (found.updates, found.replicates, found.n) == ((60, 90), (0, 3), 2)
    # the first one's models cancel: both classes tie, and argmax takes class 0
    assert found.scores == (0.5, 0.75)
    assert found.mean == 0.625
    assert found.members == (0.25, 0.75)
    assert found.ensemble == 0.75
    assert found.gain == 0.625 - 0.75
    assert found.gain_interval95 is not None
    assert found.gain_interval95[0] < found.gain < found.gain_interval95[1]
    assert found.interval95 == interval95(0.625, found.sd, 2, 4)


def test_snapshots_of_one_replicate_have_no_interval_of_their_gain() -> None:
    """One training shows no noise of seeds; its interval is for the draw of examples."""
    found = final.score_snapshots({1: [model(-1, 0.1), model(1, 5)]}, [30, 60], IMAGES)
    assert (found.mean, found.sd, found.n) == (0.75, 0.0, 1)
    assert found.gain_interval95 is None
    assert found.ensemble == 0.75


def test_the_ensemble_is_the_mean_of_probabilities_not_a_vote() -> None:
    """One sure net outvotes two unsure ones that say the contrary."""
    found = final.score([model(1, 5), model(-1, 0.1), model(-1, 0.1)], IMAGES)
    assert found.scores == (0.75, 0.25, 0.25)
    assert found.ensemble == 0.75
    assert found.mean == pytest.approx(5 / 12)
    assert found.sd == pytest.approx(math.sqrt((1 / 9 + 1 / 36 + 1 / 36) / 2))
    assert found.confusion == ((2, 0), (1, 1))


def test_raw_images_are_normalised_by_the_model() -> None:
    """Class scores are relu((x − mean) / std @ W1 + b1) @ W2 + b2, bytes taken as x / 255."""
    one = Model(
        layers=(
            (np.array([[1.0]], np.float32), np.array([0.5], np.float32)),
            (np.array([[1.0, -1.0]], np.float32), np.array([-1.0, 1.0], np.float32)),
        ),
        mean=np.array([0.5], np.float32),
        std=np.array([0.25], np.float32),
    )
    # x = 255 → 1.0 → (1 − 0.5)/0.25 + 0.5 = 2.5 → (1.5, −1.5): class 0
    # x = 127 → 0.498 → 0.492 → (−0.508, 0.508): class 1; x = 0 → relu(−1.5) = 0 → class 1
    images = LabelledImages(x=np.array([[255], [127], [0]], np.uint8), y=np.array([0, 1, 1]))
    assert final.score([one], images).scores == (1.0,)


def test_the_log_loss_of_models_and_of_their_ensemble() -> None:
    """Scores are the negative log losses of an independent library, and so is that of the mean of
    probabilities; with one model the interval is 1.96 standard errors of the draw of examples."""
    models = [model(1, 0.5), model(1, 2.0)]
    found = final.score(models, IMAGES, LOG_LOSS)
    probabilities = [
        softmax(one.layers[1][0][0, 0] * X.astype(np.float64), axis=1) for one in models
    ]
    expected = [-log_loss(Y, one) for one in probabilities]
    assert found.scores == pytest.approx(expected, rel=1e-6)
    assert found.ensemble == pytest.approx(-log_loss(Y, np.mean(probabilities, axis=0)), rel=1e-6)
    alone = final.score(models[:1], IMAGES, LOG_LOSS)
    losses = np.log(probabilities[0][np.arange(4), Y])
    half = 1.959964 * np.std(losses, ddof=1) / 2
    assert alone.interval95 == pytest.approx((expected[0] - half, expected[0] + half), rel=1e-5)


def test_what_no_learning_gets_is_evaluated_beside_it() -> None:
    """Always class 0 is right on two of four images, the model on those and a third: the gain is
    the mean paired difference, with Student's interval over the four."""
    found = final.score([model(1, 1)], IMAGES, constant=(1.0, 0.0)).baseline
    assert found is not None
    assert (found.mean, found.gain) == (0.5, 0.25)
    # right: 1, 0, 1, 1; always class 0: 1, 0, 1, 0; the differences' sd is ½, and t is 3.182
    half = 3.182446 * 0.5 / 2
    assert found.gain_interval95 == pytest.approx((0.25 - half, 0.25 + half))
    assert final.score([model(1, 1)], IMAGES).baseline is None


def test_the_gain_is_of_the_models_mean_score() -> None:
    """Two models that cancel gain what their mean does; the constant answer of log loss is the
    classes' shares."""
    found = final.score([model(1, 1), model(-1, 1)], IMAGES, LOG_LOSS, constant=(0.5, 0.5))
    assert found.baseline is not None
    assert found.baseline.mean == pytest.approx(math.log(0.5))
    assert found.baseline.gain == pytest.approx(found.mean - math.log(0.5))


@pytest.mark.parametrize("name", ["balanced_accuracy", "macro_f1"])
def test_an_interval_ends_where_scores_do(name: str) -> None:
    """Of a model that is right everywhere it reaches up to 1, and below."""
    images = LabelledImages(x=X, y=np.array([0, 0, 0, 1]))
    found = final.score([model(1, 1)], images, metric_of(name))
    assert found.mean == 1.0
    assert 0 < found.interval95[0] < 1
    assert found.interval95[1] == 1.0
    assert found.beside is not None
    assert found.beside.mean == 1.0
