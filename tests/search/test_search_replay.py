"""The replay in short: what the bank holds, and that the rules of choice earn their updates."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import selection_bank
from benchmarks.bank import HELD_OUT
from benchmarks.replay import mean_and_error
from benchmarks.selection import (
    BUDGETS,
    MODEL,
    choices,
    halve,
    optimum,
    single,
)
from benchmarks.selection_bank import BLOCKS, LAMBDAS, SEEDS, Bank

BANK = selection_bank.load()
TOP = optimum(BANK["full"])


def test_the_bank_holds_enough_lambdas_and_seeds() -> None:
    """At least 25 λs × 20 seeds at every schedule, counts within a block's images."""
    for bank in BANK.values():
        lambdas, seeds, _, blocks = bank.right.shape
        assert lambdas >= 25
        assert seeds >= 20
        assert bank.right.max() <= HELD_OUT // blocks
        assert bank.train.shape == (lambdas, seeds)


def test_the_best_lambda_is_not_at_an_edge_of_the_bank() -> None:
    """Every schedule has its best λ inside, and a longer one a larger best λ."""
    best = {name: optimum(bank) for name, bank in BANK.items()}
    assert all(-4 < value < -1.5 for value in best.values())
    assert best["short"] <= best["full"]


def test_what_is_seen_is_never_part_of_the_truth() -> None:
    """Images that one seed alone has right are seen, or in the truth, or neither; never both."""
    right = np.zeros((len(LAMBDAS), SEEDS, 1, BLOCKS), np.uint16)
    right[:, 3, :, 5] = 500
    bank = {"full": Bank(right, np.zeros((len(LAMBDAS), SEEDS), np.float32), 1)}
    halves = [halve(bank, np.random.default_rng(number)) for number in range(60)]
    seen = [bool(half.seen["full"].any()) for half in halves]
    true = [bool(half.truth["full"].max() > 1e-9) for half in halves]
    assert any(seen)
    assert any(true)
    assert not any(one and other for one, other in zip(seen, true, strict=True))


def test_the_model_of_replicated_finalists_beats_the_single_seeds_best() -> None:
    """Over 80 searches its regret is lower at its own updates, and that of training highest."""
    model, beside, fitted = [], [], []
    for number in range(20):
        rng = np.random.default_rng([1, number])
        half = halve(BANK, rng)
        for _ in range(4):
            found = choices(half, BUDGETS[0], rng)
            true, updates = found[MODEL]
            model.append(half.true(TOP) - true)
            beside.append(half.true(TOP) - float(single(half, updates, rng).mean()))
            fitted.append(half.true(TOP) - found["training accuracy, as in the source report"][0])
    assert np.mean(model) < 0.8 * np.mean(beside)
    assert np.mean(fitted) > np.mean(beside) + 0.01  # more than a point


def test_the_error_counts_what_halves_differ_by() -> None:
    """Halves that differ give their spread, however many searches there are in each."""
    rng = np.random.default_rng(0)
    levels = rng.normal(0, 1, (200, 1))
    mean, error = mean_and_error(levels + rng.normal(0, 3, (200, 50)))
    assert mean == pytest.approx(0, abs=0.3)
    assert error == pytest.approx(1, rel=0.25)
    alike = mean_and_error(rng.normal(0, 3, (200, 50)))[1]
    assert alike < 0.3
