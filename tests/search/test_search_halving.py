"""Who leaves a cohort at the end of a cycle, by hand-computed sequences."""

from __future__ import annotations

import numpy as np
import pytest

from lamsearch.search.halving import leavers, model_cycles, reasons, survivors

GONE = float("nan")


@pytest.mark.parametrize(
    ("planned", "cycles", "left"),
    [
        (8, 4, [8, 4, 2, 2, 2]),
        (7, 4, [7, 3, 1, 1, 1]),
        (5, 3, [5, 2, 1, 1]),
        (3, 4, [3, 1, 1, 1, 1]),
        (2, 4, [2, 1, 1, 1, 1]),
        (1, 4, [1, 1, 1, 1, 1]),
        (8, 2, [8, 4, 4]),
        (8, 1, [8, 8]),
        (16, 6, [16, 8, 4, 4, 4, 4, 4]),
    ],
)
def test_half_stay_after_each_of_two_cycles_and_at_least_one(
    planned: int, cycles: int, left: list[int]
) -> None:
    """Half stay after cycle 1, half of these after cycle 2, rounded down but not to nobody."""
    found = [survivors(planned, cycle=cycle, cycles=cycles) for cycle in range(cycles + 1)]
    assert found == left


@pytest.mark.parametrize(
    ("planned", "cycles", "trained"),
    [(8, 1, 8), (8, 2, 12), (8, 3, 14), (8, 4, 16), (8, 5, 18), (8, 8, 24), (7, 4, 12), (2, 4, 5)],
)
def test_what_a_cohort_trains_in_all(planned: int, cycles: int, trained: int) -> None:
    """Eight nets over four cycles train 8 + 4 + 2 + 2 = 16 cycles instead of 32."""
    assert model_cycles(planned, cycles=cycles) == trained


@pytest.mark.parametrize("cycles", range(4, 12))
def test_four_cycles_or_more_need_half_the_updates_at_most(cycles: int) -> None:
    """From four cycles on, every cohort of three or more needs at most half of its updates."""
    assert all(2 * model_cycles(nets, cycles=cycles) <= nets * cycles for nets in range(3, 70))


def test_the_worse_half_leaves_best_first() -> None:
    """By accuracy; at one accuracy the higher loss leaves, at one loss the higher position."""
    accuracies = [0.50, 0.52, 0.49, 0.50, 0.50, 0.55]
    losses = [1.40, 1.90, 1.10, 1.30, 1.40, 2.00]
    # the order is 5, 1, 3, then 0 before 4 by position alone, then 2
    assert leavers(accuracies, losses, cycle=1, cycles=4) == (0, 4, 2)
    assert leavers(accuracies, losses, cycle=2, cycles=4) == (1, 3, 0, 4, 2)


def test_models_that_failed_count_as_gone() -> None:
    """Of eight of which three diverged one leaves; where four or more did nobody does."""
    accuracies = [0.5, GONE, 0.3, 0.4, GONE, 0.6, GONE, 0.7]
    assert leavers(accuracies, accuracies, cycle=1, cycles=4) == (2,)
    accuracies[7] = GONE
    assert leavers(accuracies, accuracies, cycle=1, cycles=4) == ()
    assert leavers([GONE] * 8, [GONE] * 8, cycle=1, cycles=4) == ()


def test_asking_again_gives_nobody() -> None:
    """With those that left as NaN the same cycle end lets nobody else go."""
    rng = np.random.default_rng(3)
    for planned in range(1, 20):
        accuracies, losses = rng.random(planned), rng.random(planned)
        accuracies[list(leavers(accuracies, losses, cycle=1, cycles=4))] = GONE
        assert leavers(accuracies, losses, cycle=1, cycles=4) == ()


def test_nobody_leaves_at_the_last_cycle_end() -> None:
    """The end of the last cycle is the end: those that are there are complete."""
    assert leavers([0.1, 0.2, 0.3], [1, 1, 1], cycle=2, cycles=2) == ()
    assert leavers([0.1, 0.2, 0.3], [1, 1, 1], cycle=1, cycles=1) == ()


def test_the_reason_says_place_and_cycle() -> None:
    """Who leaves is told its place among those that were in training, and when it left."""
    found = reasons([0.5, GONE, 0.3, 0.4], [1, GONE, 1, 1], cycle=1, cycles=2)
    assert found == {2: "halving: place 3 of 3 in its cohort at the end of cycle 1"}
    found = reasons([0.5, 0.6, 0.3, 0.4], [1, 1, 1, 1], cycle=1, cycles=2)
    assert found == {
        3: "halving: place 3 of 4 in its cohort at the end of cycle 1",
        2: "halving: place 4 of 4 in its cohort at the end of cycle 1",
    }
