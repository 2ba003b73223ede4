"""The replay over λ × η_max in short: what its bank holds, and that all searches cost the same."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import plane_bank
from benchmarks.plane import LAYOUTS, PLANES, Layout, Way, alone, halve, search, whole
from benchmarks.plane_bank import BLOCKS, LAMBDAS, RATES, SEEDS, Bank

BANK = plane_bank.load()


def test_the_bank_holds_every_point_and_says_what_failed() -> None:
    """Counts stay within a block's images, and whatever ended early has none right."""
    assert BANK.right.shape == (len(RATES), len(LAMBDAS), SEEDS, BLOCKS)
    assert BANK.right.max() <= plane_bank.HELD_OUT // BLOCKS
    failed = BANK.ended < BANK.updates
    assert 0 < failed.sum() < failed.size / 2
    assert not BANK.right[failed].any()
    assert BANK.right[~failed].sum(axis=-1).min() > plane_bank.HELD_OUT / 5


def test_the_best_point_is_not_at_an_edge_of_the_bank() -> None:
    """It has larger and smaller λs and rates beside it."""
    rate, lam = np.unravel_index(int(whole(BANK).argmax()), (len(RATES), len(LAMBDAS)))
    assert 0 < rate < len(RATES) - 1
    assert 0 < lam < len(LAMBDAS) - 1


def test_what_is_seen_is_never_part_of_the_truth() -> None:
    """Images that one seed alone has right are seen, or in the truth, or neither; never both."""
    right = np.zeros_like(BANK.right)
    right[:, :, 3, 5] = 500
    bank = Bank(right, np.full_like(BANK.ended, 1), 1)
    halves = [halve(bank, np.random.default_rng(number)) for number in range(60)]
    seen = [bool(half.seen.any()) for half in halves]
    true = [bool(half.truth.any()) for half in halves]
    assert any(seen)
    assert any(true)
    assert not any(one and other for one, other in zip(seen, true, strict=True))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("way", [*PLANES, alone(0.1), alone(0.2)], ids=lambda way: way.name)
def test_every_search_of_a_layout_trains_as_many_finalists(way: Way, layout: Layout) -> None:
    """As many different points as are kept, each on all replicates, none at another rate."""
    for number in range(2):
        rng = np.random.default_rng(number)
        trials = search(halve(BANK, rng), way, layout, rng).trials
        assert len({trial.point for trial in trials}) == layout.keep
        assert len(trials) == layout.keep * layout.replicates
