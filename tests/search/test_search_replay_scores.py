"""The replay of scores and splits in short: what its bank holds, and that nothing is seen twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import scores_bank
from benchmarks.replay import search
from benchmarks.scores_bank import BLOCK, LAMBDAS, SEEDS, TRUTH, VALIDATION, WAYS, Bank
from benchmarks.selection_scores import BUDGETS, GRID, halve, optimum, signal, whole

SHAPE = (len(LAMBDAS), SEEDS, VALIDATION + TRUTH)


def empty() -> dict[str, Bank]:
    """Return a bank in which nothing is right."""
    return {way: Bank(np.zeros(SHAPE, np.uint16), np.zeros(SHAPE, np.float32)) for way in WAYS}


def test_the_bank_has_its_best_lambda_inside_by_either_score() -> None:
    """Counts within a block's images, the best λ off the ends by accuracy and by log loss, and a
    step of λ stands out of one run's noise more by log loss."""
    bank = scores_bank.load()
    for one in bank.values():
        assert one.right.shape == one.loss.shape == SHAPE
        assert one.right.max() <= BLOCK
    assert -3 < optimum(bank) < -2
    assert -3 < GRID[whole(bank, loss=True).argmin()] < -2
    assert signal(bank, "log loss") > signal(bank, "accuracy")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("block", [2, VALIDATION + 3])
def test_what_is_seen_is_never_part_of_the_truth(way: str, block: int) -> None:
    """Images that one seed alone has right are seen, or in the truth, or neither; never both. Those
    of the truth are seen on one split only, those of a redrawn split are never the truth."""
    bank = empty()
    bank[way].right[:, 3, block] = 500
    halves = [halve(bank, np.random.default_rng(number))["accuracy"] for number in range(60)]
    seen = [bool(half.seen[way].any()) for half in halves]
    true = [bool(half.truth["one"].max() > 1e-9) for half in halves]
    assert not any(one and other for one, other in zip(seen, true, strict=True))
    assert any(seen) is (way == "one" or block < VALIDATION)
    assert any(true) is (block >= VALIDATION)


def test_finalists_are_scored_by_the_asked_score_and_way() -> None:
    """A search by log loss whose finalists are on redrawn splits goes by the loss of the one split
    before them and by that of their own among them, whatever accuracy says."""
    bank, best = empty(), {"one": 8, "redrawn": 11}
    for way, index in best.items():
        losses = BLOCK * (1 + 0.1 * np.abs(np.arange(len(LAMBDAS)) - index))
        bank[way].loss[:] = losses[:, None, None]
        bank[way].right[0] = 400
    half = halve(bank, np.random.default_rng(0))["log loss"]
    for way, index in best.items():
        found = search(half, replace(BUDGETS[2], final=way), np.random.default_rng(1))
        finalists = np.array(found.indices)
        assert finalists.min() <= best["one"] <= finalists.max()
        nearest = finalists[np.abs(finalists - index).argmin()]
        assert found.choice("best") == GRID[nearest]
