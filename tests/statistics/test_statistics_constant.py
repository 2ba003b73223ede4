"""Better than what no learning gets: how often that is said where it is not so, and where it is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_rel

from lamsearch.statistics import BEYOND, gain_over, gain_over_splits, unpaired_better


def test_the_interval_is_that_of_a_paired_t_test() -> None:
    """Of one model it is SciPy's for the mean difference; of two that of their mean."""
    rng = np.random.default_rng(2)
    scores, always = rng.normal(size=(2, 80)), rng.normal(size=80)
    for rows in (scores[:1], scores):
        found = gain_over(rows, always)
        expected = ttest_rel(rows.mean(axis=0), always).confidence_interval(0.95)
        assert found.interval95 == pytest.approx((expected.low, expected.high))
        assert found.mean == pytest.approx(rows.mean() - always.mean())


def test_the_best_of_many_that_guess_seldom_seems_better() -> None:
    """Of 30 candidates that guess the labels of 100 examples one seems better than the majority in
    at most 5 % of 1,000 studies at the level divided by 30, and in most of them without that."""
    rng = np.random.default_rng(7)
    wrong = {30: 0, 1: 0}
    for _ in range(1000):
        labels = rng.integers(0, 2, 100)
        right = rng.integers(0, 2, (30, 100)) == labels
        best = right[right.mean(axis=1).argmax()]
        for divided in wrong:
            found = gain_over(best[None], labels == 0, beyond=BEYOND / divided)
            assert found.interval95 is not None
            wrong[divided] += found.interval95[0] > 0
    assert wrong[30] <= 50
    assert wrong[1] > 200


def test_what_is_right_more_often_is_better() -> None:
    """Nine in ten against one in ten, on 40 examples, at the level of 50 candidates."""
    labels = np.arange(40) % 10
    right = np.arange(40) >= 4
    found = gain_over(right[None], labels == 0, beyond=BEYOND / 50)
    assert found.interval95 is not None
    assert found.interval95[0] > 0


def test_the_same_answer_is_no_better() -> None:
    """A model that gives the constant answer, to rounding or to the bit, gains nothing."""
    always = np.where(np.arange(50) % 2, -0.6, -0.8).astype(np.float32)
    for scores in (always, always + np.float32(1e-7)):
        found = gain_over(scores[None], always)
        assert found.interval95 is not None
        assert found.interval95[0] <= 0
    right = np.arange(50) < 30
    same = gain_over(right[None], right)
    assert same.interval95 is not None
    assert same.interval95[0] < 0 < same.interval95[1]


def test_one_example_shows_nothing() -> None:
    """A single number has no spread, and no gain is beyond it."""
    found = gain_over(np.array([[5.0]]), np.array([0.0]))
    assert found.interval95 == (-math.inf, math.inf)


def test_splits_of_one_pool_do_not_add_up() -> None:
    """Three replicates with examples of their own have the mean of their half widths, not less."""
    rng = np.random.default_rng(5)
    scores = rng.normal(1.0, 1.0, (3, 60))
    always = [rng.normal(size=60) for _ in range(3)]
    found = gain_over_splits(scores, always, beyond=BEYOND)
    alone = [gain_over(row[None], one) for row, one in zip(scores, always, strict=True)]
    assert found.mean == pytest.approx(np.mean([one.mean for one in alone]))
    assert found.interval95 is not None
    halves = [one.mean - one.interval95[0] for one in alone if one.interval95 is not None]
    assert found.mean - found.interval95[0] == pytest.approx(np.mean(halves))


def test_without_pairs_both_errors_count() -> None:
    """The difference must be beyond the root of the sum of squares of the two errors."""
    assert unpaired_better(0.7, 0.03, 0.6, 0.04, beyond=0.025)
    assert not unpaired_better(0.7, 0.04, 0.6, 0.04, beyond=0.025)
