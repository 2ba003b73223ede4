"""The end of a round: how many workers end it soonest where they share the cores."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamsearch.pool.last_round import seconds_to_end, workers_more
from lamsearch.storage import Remaining

SHARED = 1.1  # times as long takes what shares cores
SECONDS = st.lists(st.floats(0.1, 100.0), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("training", "waiting", "cores", "more", "after", "expected"),
    [
        ([3.0], [], 1, 0, 0.0, 3.0),
        ([1.0, 1.0], [1.0], 2, 0, 0.0, 2.0),
        ([1.0, 1.0], [1.0], 2, 1, 0.0, 1.5 * SHARED),
        ([1.0, 1.0], [1.0, 1.0], 2, 0, 0.0, 2.0),
        ([1.0, 1.0], [1.0, 1.0], 2, 1, 0.0, 1.5 * SHARED + 1),
        ([3.0, 3.0], [2.0, 1.0], 2, 0, 0.0, 5.0),
        ([3.0, 3.0], [2.0, 1.0], 2, 1, 2.0, 2 + 1.5 * SHARED + 1),
        ([1.0] * 8, [1.0] * 4, 8, 4, 0.0, 1.5 * SHARED),
        ([2.0, 2.0], [1.0, 5.0, 1.0], 2, 1, 0.0, 1.5 * SHARED + 1 + 5),
        ([2.0], [1.0], 4, 9, 0.0, 2.0),
    ],
)
def test_workers_share_the_cores(
    training: list[float], waiting: list[float], cores: int, more: int, after: float,
    expected: float,
) -> None:  # fmt: skip
    """By hand: whoever has ended takes the next, those who train have equal shares, and a worker
    beyond the others leaves after one."""
    found = seconds_to_end(training, waiting, cores=cores, more=more, after=after)
    assert found == pytest.approx(expected)


@given(
    training=SECONDS, waiting=SECONDS, cores=st.integers(1, 8), more=st.integers(0, 6),
    after=st.floats(0.0, 500.0),
)  # fmt: skip
def test_no_core_does_more_than_it_can(
    training: list[float], waiting: list[float], cores: int, more: int, after: float
) -> None:
    """All work takes at least its time over the cores, and its longest piece; at most one core's
    time for all, and what sharing costs."""
    found = seconds_to_end(training, waiting, cores=cores, more=more, after=after)
    whole = sum(training) + sum(waiting)
    assert found >= max(whole / cores, *training, *waiting) * (1 - 1e-6)
    assert found <= whole * SHARED * (1 + 1e-6)


def left(*models: int, busy: int) -> list[Remaining]:
    """Cohorts of a thousand updates each, of which so many are in work."""
    return [
        Remaining(models=count, updates=1000, leased=place < busy)
        for place, count in enumerate(models)
    ]


@pytest.mark.parametrize(
    ("models", "busy", "cores", "expected"),
    [
        pytest.param([1, 1, 1], 2, 2, 1, id="one-over"),
        pytest.param([3, 3, 2, 1], 2, 2, 0, id="too-soon"),
        pytest.param([2, 2, 1, 1], 2, 2, 0, id="even"),
        pytest.param([1] * 12, 8, 8, 4, id="half-a-round"),
        pytest.param([1] * 5, 2, 2, 0, id="not-the-last-round"),
        pytest.param([1, 1], 2, 2, 0, id="none-waits"),
        pytest.param([1, 1, 1], 1, 2, 0, id="a-core-is-free"),
        pytest.param([1, 1, 1], 3, 2, 0, id="more-than-cores"),
    ],
)
def test_more_workers_where_cores_would_be_idle(
    models: list[int], busy: int, cores: int, expected: int
) -> None:
    """As many more as end the round soonest, and none where that is as soon with none."""
    found = workers_more(left(*models, busy=busy), {1: 0.01}, cores=cores, gain=1.0)
    assert found == expected


@pytest.mark.parametrize(("done", "expected"), [(1.0, 0), (1.95, 1), (2.0, 1), (2.8, 0)])
def test_cores_are_shared_no_longer_than_needed(done: float, expected: int) -> None:
    """Of three, three, two and one the third begins when the first two have one left: all end
    together. Sooner it would share for longer, later it would end after them."""
    rest = [
        replace(one, updates=one.updates - round(1000 / 3 * done) * one.leased)
        for one in left(3, 3, 2, 1, busy=2)
    ]
    assert workers_more(rest, {3: 0.03}, cores=2, gain=2.0) == expected


def test_what_a_worker_costs_is_weighed() -> None:
    """None is started for less than the gain asked for; a cohort's time is that of one like it."""
    rest = left(4, 4, 4, busy=2)  # 5 + 5 and 5 s: 10 in turn, 7.5 · 1.1 together
    measured = {2: 0.0025, 4: 0.005, 8: 1.0}
    assert workers_more(rest, measured, cores=2, gain=1.7) == 1
    assert workers_more(rest, measured, cores=2, gain=1.8) == 0
    assert workers_more(rest, {8: 0.01}, cores=2, gain=1.7) == 1
    assert workers_more(rest, {}, cores=2, gain=0.1) == 0
