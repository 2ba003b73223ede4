"""Class scores become probabilities, to SciPy's bits."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

from lamsearch.softmax import softmax


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1000, 10), (7, 3), (64, 100), (1, 2)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_it_is_scipys_to_the_bit(
    kind: type[np.floating], shape: tuple[int, int], order: str
) -> None:
    """Probabilities of scores of any size and layout are those of `scipy.special.softmax`."""
    drawn = np.random.default_rng(1).normal(0, 40, shape)
    scores = np.asarray(drawn, kind, order="F" if order == "F" else "C")
    expected = scipy.special.softmax(scores, axis=1)
    found = softmax(scores)
    assert found.dtype == expected.dtype
    assert found.tobytes() == expected.tobytes()


def test_scores_that_no_exponential_holds() -> None:
    """Scores whose exponentials are infinite have probabilities nevertheless."""
    found = softmax(np.array([[1000.0, 1000.0], [-1e4, 0.0]]))
    np.testing.assert_array_equal(found, [[0.5, 0.5], [0.0, 1.0]])
