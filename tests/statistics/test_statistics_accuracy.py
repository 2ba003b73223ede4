"""Standard errors and intervals of accuracies, against SciPy's and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from lamsearch.statistics import (
    binomial_error,
    interval95,
    standard_error,
    unseen_variance,
    wilson95,
)


@pytest.mark.parametrize(
    ("right", "examples"), [(0, 1), (1, 1), (0, 50), (50, 50), (49, 50), (200, 200), (5263, 10000)]
)
def test_wilsons_interval_is_scipys(right: int, examples: int) -> None:
    """The interval for the draw of examples is Wilson's as SciPy has it, at the edges too."""
    found = binomtest(right, examples).proportion_ci(method="wilson")
    assert wilson95(right / examples, examples) == pytest.approx((found.low, found.high), abs=1e-12)


def test_all_right_is_not_certain() -> None:
    """200 of 200 leave 98.1 to 100 %, 1 of 1 leaves 20.7 to 100 %, with one replicate or three."""
    for n in (1, 3):
        assert interval95(1.0, 0.0, n, 200) == pytest.approx((0.98115, 1.0), abs=1e-5)
        assert interval95(1.0, 0.0, n, 1) == pytest.approx((0.20655, 1.0), abs=1e-5)
        assert interval95(0.0, 0.0, n, 1) == pytest.approx((0.0, 0.79345), abs=1e-5)


def test_the_interval_adds_seeds_and_examples_in_squares() -> None:
    """On each side Student's half width t(0.975, n − 1)·sd/√n and Wilson's add in squares."""
    seeds = 12.7062047 * 0.01 / math.sqrt(2)  # t for one degree of freedom, from a table
    found = binomtest(900, 1000).proportion_ci(method="wilson")
    expected = (0.9 - math.hypot(seeds, 0.9 - found.low), 0.9 + math.hypot(seeds, found.high - 0.9))
    assert interval95(0.9, 0.01, 2, 1000) == pytest.approx(expected, abs=1e-8)


def test_the_interval_stays_between_zero_and_one() -> None:
    """An interval never leaves the range of an accuracy."""
    assert interval95(0.99, 0.2, 2, 10)[1] == 1.0
    assert interval95(0.01, 0.2, 2, 10)[0] == 0.0


def test_rounding_leaves_no_interval_beyond_one() -> None:
    """All right of any number of examples ends at exactly 1, and none right begins at exactly 0."""
    for examples in range(1, 3000):
        assert wilson95(1.0, examples)[1] == 1.0
        assert wilson95(0.0, examples)[0] == 0.0


@pytest.mark.parametrize("accuracy", [0.7, 0.98, 0.995])
@pytest.mark.parametrize("alike", [True, False], ids=["one error for all seeds", "own errors"])
def test_the_interval_covers_what_it_says(accuracy: float, alike: bool) -> None:
    """Over 2,000 test sets of 50 examples and three seeds each the interval holds the accuracy
    expected over seeds in at least 90 %, whether the seeds err on the same examples or not."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(2000):
        draws = rng.random((1 if alike else 3, 50)) < accuracy
        scores = np.broadcast_to(draws, (3, 50)).mean(axis=1)
        low, high = interval95(float(scores.mean()), float(scores.std(ddof=1)), 3, 50)
        covered += low <= accuracy <= high
    assert covered / 2000 >= 0.9


def test_a_single_runs_error_is_binomial_and_never_zero() -> None:
    """√(p(1 − p)/n) inside; at 0 and 1 half an example in n + 1 may have been otherwise."""
    assert binomial_error(0.7, 50) == math.sqrt(0.7 * (1 - 0.7) / 50)
    edge = math.sqrt((0.5 / 201) * (1 - 0.5 / 201) / 200)
    assert binomial_error(1.0, 200) == binomial_error(0.0, 200) == pytest.approx(edge)
    assert 0 < binomial_error(1.0, 200) < binomial_error(199 / 200, 200)
    assert binomial_error(1.0, 1) == pytest.approx(math.sqrt(0.25 * 0.75))


def test_replicates_that_agree_have_an_error() -> None:
    """The mean of replicates has sd/√n; where all agree to the last example it is not 0."""
    assert standard_error([0.4, 0.5, 0.6], 1000) == pytest.approx(0.1 / math.sqrt(3))
    agreed = standard_error([0.75, 0.75, 0.75], 200)
    assert agreed == pytest.approx(math.sqrt(unseen_variance(400, 200) / 3))
    assert agreed is not None
    assert agreed > 0.001
    assert standard_error([0.75, 0.75], None) == 0.0
    assert standard_error([0.75], None) is None
