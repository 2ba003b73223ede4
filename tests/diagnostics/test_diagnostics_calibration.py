"""Calibration: that it trains, how often, and with how many threads; never how fast."""

from __future__ import annotations

import math

import pytest
from threadpoolctl import threadpool_info

from lamsearch.diagnostics import calibration
from lamsearch.diagnostics.calibration import calibrate
from lamsearch.trainers.network import NetworkTrainer


def test_an_update_takes_some_time() -> None:
    """The answer is a positive finite number of seconds, even when no time is given."""
    found = calibrate(16, 4, 3, 2, 10, seconds=0.0)
    assert math.isfinite(found)
    assert found > 0


def test_mini_batches_larger_than_the_usual_rows_are_possible() -> None:
    """A mini-batch of more images than are usually drawn still has its images."""
    assert calibrate(2, 2, 2, 1, 5000, seconds=0.0) > 0


def test_updates_are_counted_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that ticks a quarter of a second per reading, an update takes that long."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(calibration, "perf_counter", lambda: next(ticks) / 4)
    assert calibrate(16, 4, 3, 2, 10, seconds=2.0) == 0.25


def test_one_thread_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    """While updates are measured, every BLAS library has one thread."""
    seen: set[int] = set()

    class Watched(NetworkTrainer):
        def _update(self) -> None:
            libraries = threadpool_info()
            seen.update(one["num_threads"] for one in libraries if one["user_api"] == "blas")
            super()._update()

    monkeypatch.setattr(calibration, "NetworkTrainer", Watched)
    calibrate(16, 4, 3, 2, 10, seconds=0.0)
    assert seen == {1}
