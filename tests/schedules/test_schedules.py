"""The learning rate, against sequences worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lamsearch.schedules import exp_range, linear, schedule_of, triangular, triangular2
from lamsearch.study import Training

BOUNDS = {"eta_min": 1e-5, "eta_max": 1e-1}


def training(**settings: Any) -> Training:
    """Return training settings with a step size of 2 between rates 1 and 3."""
    return Training(**{"step_size": 2, "eta_min": 1.0, "eta_max": 3.0, **settings})


def test_triangular_rises_and_falls_linearly() -> None:
    """The triangular rate is the hand-computed zigzag, twice over."""
    rates = [triangular(t, eta_min=0.1, eta_max=0.5, step_size=4) for t in range(17)]
    up_and_down = [0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.3, 0.2]
    assert rates == pytest.approx([*up_and_down, *up_and_down, 0.1], rel=1e-14)


def test_triangular_with_a_step_size_of_one_alternates() -> None:
    """With n_s = 1 the rate jumps between its two bounds."""
    rates = [triangular(t, eta_min=0.25, eta_max=0.75, step_size=1) for t in range(5)]
    assert rates == [0.25, 0.75, 0.25, 0.75, 0.25]


def test_triangular2_halves_the_amplitude_after_every_cycle() -> None:
    """The triangular2 rate is the hand-computed sequence over three cycles."""
    rates = [triangular2(t, eta_min=1.0, eta_max=3.0, step_size=2) for t in range(13)]
    assert rates == [1, 2, 3, 2, 1, 1.5, 2, 1.5, 1, 1.25, 1.5, 1.25, 1]


def test_exp_range_decays_the_amplitude_with_every_update() -> None:
    """The exp_range rate is the hand-computed sequence for γ = 1/2."""
    rates = [exp_range(t, eta_min=1.0, eta_max=3.0, step_size=2, gamma=0.5) for t in range(7)]
    assert rates == [1, 1.5, 1.5, 1.125, 1, 1.03125, 1.03125]


def test_linear_rises_once_and_stays() -> None:
    """The linear ramp is the hand-computed sequence, and stays at its end."""
    rates = [linear(t, eta_min=0.5, eta_max=2.5, updates=4) for t in range(7)]
    assert rates == [0.5, 1.0, 1.5, 2.0, 2.5, 2.5, 2.5]


def test_linear_is_the_rising_half_of_a_triangle() -> None:
    """Up to its end the ramp is a triangular cycle's first half with n_s = its updates."""
    ramp = [linear(t, updates=900, **BOUNDS) for t in range(901)]
    half = [triangular(t, step_size=900, **BOUNDS) for t in range(901)]
    assert ramp == pytest.approx(half, rel=1e-13)


@pytest.mark.parametrize("step_size", [1, 3, 7, 900, 1960])
def test_rates_stay_within_their_bounds(step_size: int) -> None:
    """No schedule leaves [η_min, η_max] by more than rounding, in 20 cycles."""
    for t in range(0, 40 * step_size, max(1, step_size // 50)):
        for rate in (
            triangular(t, step_size=step_size, **BOUNDS),
            triangular2(t, step_size=step_size, **BOUNDS),
            exp_range(t, step_size=step_size, gamma=0.999, **BOUNDS),
        ):
            assert 1e-5 * (1 - 1e-15) <= rate <= 1e-1 * (1 + 1e-15)


@pytest.mark.parametrize("step_size", [1, 3, 7, 900])
def test_triangular_repeats_every_cycle(step_size: int) -> None:
    """The triangular rate has period 2·n_s and is symmetric about the cycle's middle."""
    cycle = [triangular(t, step_size=step_size, **BOUNDS) for t in range(2 * step_size + 1)]
    later = range(10 * step_size, 12 * step_size + 1)
    assert [triangular(t, step_size=step_size, **BOUNDS) for t in later] == pytest.approx(cycle)
    assert cycle[::-1] == pytest.approx(cycle)


@pytest.mark.parametrize("step_size", [1, 3, 7, 900, 1960])
def test_every_cycle_ends_at_the_lowest_rate(step_size: int) -> None:
    """At multiples of 2·n_s every schedule is exactly η_min, and η_max is reached half way."""
    for cycle in range(5):
        end = 2 * step_size * cycle
        assert triangular(end, step_size=step_size, **BOUNDS) == 1e-5
        assert triangular2(end, step_size=step_size, **BOUNDS) == 1e-5
        assert exp_range(end, step_size=step_size, gamma=0.9, **BOUNDS) == 1e-5
        middle = triangular(end + step_size, step_size=step_size, **BOUNDS)
        assert middle == pytest.approx(1e-1, rel=1e-15)


def test_amplitudes_that_vanish_leave_the_lowest_rate() -> None:
    """After thousands of cycles triangular2 and exp_range are η_min and nothing overflows."""
    late = 2 * 5000 + 1
    assert triangular2(late, step_size=1, **BOUNDS) == 1e-5
    assert exp_range(late, step_size=1, gamma=0.5, **BOUNDS) == 1e-5


def test_exp_range_without_decay_is_triangular() -> None:
    """With γ = 1, its default in a study file, exp_range is the triangular rate."""
    flat, plain = schedule_of(training(schedule="exp_range")), schedule_of(training())
    assert [flat(t) for t in range(9)] == [plain(t) for t in range(9)]


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        ({}, [1, 2, 3, 2, 1, 2, 3]),
        ({"schedule": "triangular"}, [1, 2, 3, 2, 1, 2, 3]),
        ({"schedule": "triangular2"}, [1, 2, 3, 2, 1, 1.5, 2]),
        ({"schedule": "exp_range", "gamma": 0.5}, [1, 1.5, 1.5, 1.125, 1, 1.03125, 1.03125]),
    ],
)
def test_a_study_file_chooses_its_schedule(settings: dict[str, Any], rates: list[float]) -> None:
    """`schedule_of` returns the schedule that the training settings name, with their constants."""
    rate = schedule_of(training(**settings))
    assert [rate(t) for t in range(7)] == rates


def test_equal_bounds_give_a_constant_rate() -> None:
    """With η_min = η_max the rate is that value at every update."""
    rate = schedule_of(training(eta_min=0.3, eta_max=0.3))
    assert np.ptp([rate(t) for t in range(20)]) == 0
    assert rate(3) == 0.3
