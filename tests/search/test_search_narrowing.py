from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_dimension import bounds, further, narrow

from lamsearch.errors import WorkFailedError
from lamsearch.results import StageRecord, TrialRecord, TrialState
from lamsearch.search import Batch
from lamsearch.study import Fine

FIRST, WITHIN = (-4.0, -2.0), (-5.0, -1.0)
INSIDE = [(-3.8, 0.1), (-3.0, 0.9), (-2.6, 0.8), (-2.2, 0.2)]
ABOVE = [(-3.8, 0.1), (-3.0, 0.5), (-2.6, 0.8), (-2.2, 0.9)]
BELOW = [(-3.8, 0.9), (-3.0, 0.8), (-2.6, 0.5), (-2.2, 0.1)]

Rows = list[tuple[float, float | None]]


def fine(rows: Any) -> StageRecord:
    """Return finished trials of fine; candidate k is row k, None failed."""
    trials = [
        TrialRecord(
            candidate=k, replicate=0, cohort=0, point=(value,), score=score,
            state=TrialState.FAIL if score is None else TrialState.COMPLETE,
            validation_loss=None if score is None else 1.0,
        )
        for k, (value, score) in enumerate(rows)
    ]  # fmt: skip
    return StageRecord(name="fine", bounds=(FIRST,), trials=tuple(trials))


def after(
    rows: Any, within: tuple[float, float] = WITHIN, first: tuple[float, float] = FIRST, **keys: Any
) -> Batch | None:
    """Return what comes after these candidates, of whom the first four are the first round."""
    wanted = Fine(**{"trials": 4, "keep": 2, **keys})
    return further(fine(rows), wanted, first, within=within, examples=100)


@pytest.mark.parametrize("rows", [INSIDE, ABOVE, BELOW])
def test_fine_is_over_after_its_draws_by_default(rows: Rows) -> None:
    """Without `rounds` and `extend` nothing comes after fine's first draws."""
    assert after(rows) is None


def test_a_further_round_narrows_as_coarse_was_narrowed() -> None:
    """Round 2 is the span of the best keep, widened by half the mean distance of round 1."""
    found = after(INSIDE, rounds=2)
    # the best are −3.0 and −2.6; 2 / (2 · 4) is 0.25
    assert found is not None
    assert found.bounds[0] == pytest.approx((-3.25, -2.35))
    assert (found.count, found.round, found.part) == (4, 2, (2,))
    assert found.bounds[0] == narrow(fine(INSIDE), keep=2, examples=100)


def test_a_third_round_takes_the_best_of_all_and_the_margin_of_the_second() -> None:
    """Round 3 ranks the candidates of both rounds; its margin is of the second one's draws."""
    second: Rows = [(-3.2, 0.3), (-2.9, 0.95), (-2.7, 0.4), (-2.4, 0.2)]
    assert after(INSIDE + second, rounds=2) is None
    found = after(INSIDE + second, rounds=3)
    # the best are −2.9 of round 2 and −3.0 of round 1; 0.9 / (2 · 4) is 0.1125
    assert found is not None
    assert found.bounds[0] == pytest.approx((-3.1125, -2.7875))
    assert (found.count, found.round, found.part) == (4, 3, (3,))


@pytest.mark.parametrize(
    ("rows", "within", "interval", "count"),
    [
        (ABOVE, (-5.0, -1.0), (-2.0, -1.0), 2),  # half of the width, so half as many
        (ABOVE, (-5.0, -1.5), (-2.0, -1.5), 1),  # clipped to coarse's bound
        (ABOVE, (-5.0, -1.99), (-2.0, -1.99), 1),  # at least one, however little is left
        (BELOW, (-9.0, -1.0), (-5.0, -4.0), 2),
        (BELOW, (-4.5, -1.0), (-4.5, -4.0), 1),
    ],
)
def test_fine_goes_on_past_an_outermost_best(
    rows: Rows, within: tuple[float, float], interval: tuple[float, float], count: int
) -> None:
    """Beyond the edge where the best lies further λs are drawn, as dense as those before it."""
    found = after(rows, within, extend=True, rounds=2)
    assert found == Batch(bounds=bounds(interval), count=count, round=1, extension=1)
    assert found.part == (1, 1)


@pytest.mark.parametrize(
    ("rows", "within"),
    [
        (INSIDE, WITHIN),
        (ABOVE, (-5.0, -2.0)),  # the bound of coarse is reached
        (BELOW, (-4.0, -1.0)),
        ([*ABOVE[:3], (-2.2, None)], WITHIN),  # what failed was tried
        ([(value, None) for value, _ in ABOVE], WITHIN),
    ],
)
def test_fine_ends_where_its_best_is_inside_or_at_the_bound(
    rows: Rows, within: tuple[float, float]
) -> None:
    """There is no extension with worse ones on both sides, nor past coarse's bound."""
    assert after(rows, within, extend=True) is None


def test_extensions_grow_the_interval_and_come_before_the_next_round() -> None:
    """Each extension is half as wide as all before it; then the round's margin counts all of it."""
    once: Rows = [*ABOVE, (-1.2, 0.95), (-1.7, 0.5)]
    found = after(once, (-5.0, 0.0), extend=True, rounds=2)
    # the interval is now [−4, −1] with 6 candidates: 1.5 more, clipped to 1
    assert found == Batch(bounds=((-1.0, 0.0),), count=2, round=1, extension=2)
    inside: Rows = [*ABOVE, (-1.2, 0.5), (-1.7, 0.95)]
    found = after(inside, (-5.0, 0.0), extend=True, rounds=2)
    # the best are −1.7 and −2.2; 3 / (2 · 6) is 0.25
    assert found is not None
    assert found.bounds[0] == pytest.approx((-2.45, -1.45))
    assert (found.count, found.round, found.extension) == (4, 2, 0)


def test_a_lone_candidate_is_extended_above_then_below() -> None:
    """A single draw is outermost on both sides: above first, and below unless that was better."""
    found = after([(-3.0, 0.5)], trials=1, keep=1, extend=True)
    assert found == Batch(bounds=((-2.0, -1.0),), count=1, round=1, extension=1)
    found = after([(-3.0, 0.5), (-1.5, 0.4)], trials=1, keep=1, extend=True)
    assert found == Batch(bounds=((-5.0, -4.0),), count=1, round=1, extension=2)


def test_no_round_begins_where_nothing_is_left_to_narrow() -> None:
    """An interval narrower than 0.001 is not narrowed again, however many rounds are wanted."""
    rows: Rows = [(-3.0 + k * 1e-4, 0.5) for k in range(4)]
    assert after(rows, first=(-3.0, -2.9995), rounds=99) is None


def test_a_round_with_nothing_to_begin_from_is_a_failure_of_the_work() -> None:
    """Where all of fine failed a further round says what to change."""
    with pytest.raises(WorkFailedError, match=r"fine: nothing to select from"):
        after([(value, None) for value, _ in INSIDE], rounds=2, extend=True)


@settings(deadline=None, max_examples=80, derandomize=True)
@given(
    peak=st.floats(-7, 1), low=st.floats(-5, -1.2), width=st.floats(0.05, 3), seed=st.integers(0),
    trials=st.integers(1, 8), keep=st.integers(1, 5), rounds=st.integers(1, 4),
    extend=st.booleans(),
)  # fmt: skip
def test_whatever_fine_finds_it_ends_within_coarse_and_keeps_the_best(
    peak: float, low: float, width: float, seed: int, trials: int, keep: int, rounds: int,
    extend: bool,
) -> None:  # fmt: skip
    """Played to its end over any peak, fine stays in coarse's interval, holds the best so far in
    every further round, and where it is extended has it inside or at the bound."""
    first = (low, min(-1.0, low + width))
    wanted = Fine(trials=trials, keep=keep, rounds=rounds, extend=extend)
    rng = np.random.default_rng(seed)
    rows: Rows = []
    batch: Batch | None = Batch(bounds=(first,), count=trials, round=1)
    batches = []
    while batch is not None:
        batches.append(batch)
        for value in rng.uniform(*batch.bounds[0], batch.count):
            rows.append((float(value), 0.9 - 0.01 * (value - peak) ** 2))
        batch = further(fine(rows), wanted, first, within=WITHIN, examples=100)
        assert len(batches) < 100
        if batch is not None and not batch.extension:
            best = max(rows, key=lambda row: row[1] or 0.0)[0]
            assert batch.bounds[0][0] <= best <= batch.bounds[0][1]
    assert all(-5.0 <= one.bounds[0][0] < one.bounds[0][1] <= -1.0 for one in batches)
    begun = [one for one in batches if not one.extension]
    assert [one.round for one in begun] == list(range(1, len(begun) + 1))
    (low, high), *_ = begun[-1].bounds
    assert len(begun) == rounds or (len(begun) < rounds and high - low < 0.001)
    assert len({one.part for one in batches}) == len(batches)
    if not extend:
        assert len(rows) == len(begun) * trials
        return
    last = [one.bounds[0] for one in batches if one.round == len(begun)]
    ends = (min(a for a, _ in last), max(b for _, b in last))
    best = max(rows, key=lambda row: row[1] or 0.0)[0]
    assert best != max(rows)[0] or ends[1] == -1.0
    assert best != min(rows)[0] or ends[0] == -5.0
