"""The score of the final: accuracy, ensemble, interval, confusion, against hand-computed ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lamsearch.dataset import LabelledImages
from lamsearch.results import Model
from lamsearch.worker import final


def model(swap: float, sure: float) -> Model:
    """Return a net of two features and classes whose class scores are ±sure·swap·(x0 − x1)."""
    eye = np.eye(2, dtype=np.float32)
    return Model(
        W1=eye,
        b1=np.zeros(2, np.float32),
        W2=np.float32(sure * swap) * eye,
        b2=np.zeros(2, np.float32),
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
    assert found.accuracies == (0.75,)
    assert found.ensemble == 0.75
    assert found.test_images == 4
    # rows are true classes: of class 0 both are seen as 0, of class 1 one as 0 and one as 1
    assert found.confusion == ((2, 0), (1, 1))


def test_the_interval_of_one_model_is_the_binomial_one() -> None:
    """With one replicate only the draw of the images counts: 1.95996 · sqrt(p(1 − p)/n)."""
    low, high = final.interval95(0.9, 0.0, 1, 100)
    assert (low, high) == pytest.approx((0.9 - 0.0587989, 0.9 + 0.0587989), abs=1e-6)


def test_the_interval_adds_seeds_and_images_in_squares() -> None:
    """With n replicates Student's half width t(0.975, n − 1)·sd/√n and the binomial one add up."""
    seeds = 12.7062047 * 0.01 / math.sqrt(2)  # t for one degree of freedom, from a table
    draw = 1.9599640 * math.sqrt(0.5 * 0.5 / 1000)
    half = math.sqrt(seeds**2 + draw**2)
    assert final.interval95(0.5, 0.01, 2, 1000) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-7)


def test_the_interval_stays_between_zero_and_one() -> None:
    """An interval never leaves the range of an accuracy."""
    assert final.interval95(0.99, 0.2, 2, 10)[1] == 1.0
    assert final.interval95(0.01, 0.2, 2, 10)[0] == 0.0


def test_the_ensemble_is_the_mean_of_probabilities_not_a_vote() -> None:
    """One sure net outvotes two unsure ones that say the contrary."""
    found = final.score([model(1, 5), model(-1, 0.1), model(-1, 0.1)], IMAGES)
    assert found.accuracies == (0.75, 0.25, 0.25)
    assert found.ensemble == 0.75
    assert found.mean == pytest.approx(5 / 12)
    assert found.sd == pytest.approx(math.sqrt((1 / 9 + 1 / 36 + 1 / 36) / 2))
    assert found.confusion == ((2, 0), (1, 1))


def test_raw_images_are_normalised_by_the_model() -> None:
    """Class scores are relu((x − mean) / std @ W1 + b1) @ W2 + b2, bytes taken as x / 255."""
    one = Model(
        W1=np.array([[1.0]], np.float32),
        b1=np.array([0.5], np.float32),
        W2=np.array([[1.0, -1.0]], np.float32),
        b2=np.array([-1.0, 1.0], np.float32),
        mean=np.array([0.5], np.float32),
        std=np.array([0.25], np.float32),
    )
    # x = 255 → 1.0 → (1 − 0.5)/0.25 + 0.5 = 2.5 → (1.5, −1.5): class 0
    # x = 127 → 0.498 → 0.492 → (−0.508, 0.508): class 1; x = 0 → relu(−1.5) = 0 → class 1
    images = LabelledImages(x=np.array([[255], [127], [0]], np.uint8), y=np.array([0, 1, 1]))
    assert final.score([one], images).accuracies == (1.0,)
