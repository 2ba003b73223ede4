from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_dimension import bounds, extension, finalists, narrow

from lamsearch.errors import WorkFailedError
from lamsearch.results import StageName, StageRecord, TrialRecord, TrialState
from lamsearch.search import winner
from lamsearch.space import SPACE
from lamsearch.statistics import rank

Row = tuple[Any, ...]  # log10 λ, then accuracies or (accuracy, loss), one per replicate; None fails


def stage(
    rows: Sequence[Row],
    interval: tuple[float, float] | None = (-5.0, -1.0),
    name: StageName = "coarse",
) -> StageRecord:
    """Return a finished stage; candidate k is row k."""
    trials = []
    for candidate, (value, *scores) in enumerate(rows):
        for replicate, score in enumerate(scores):
            accuracy, loss = score if isinstance(score, tuple) else (score, 1.0)
            failed = accuracy is None
            trials.append(
                TrialRecord(
                    candidate=candidate, replicate=replicate, cohort=0, point=(value,),
                    state=TrialState.FAIL if failed else TrialState.COMPLETE,
                    score=accuracy, validation_loss=None if failed else loss,
                )
            )  # fmt: skip
    return StageRecord(name=name, bounds=bounds(interval), trials=tuple(trials))


def test_rank_is_by_accuracy_then_loss_then_number() -> None:
    """The best accuracy stands first; ties go to the lower loss, then to the lower number."""
    record = stage(
        [(-1.0, (0.5, 1.0)), (-2.0, (0.7, 0.9)), (-3.0, (0.7, 0.8)), (-4.0, (0.5, 1.0)),
         (-4.5, (0.7, 0.9))]
    )  # fmt: skip
    assert [one.candidate for one in rank(record, 100)] == [2, 1, 4, 0, 3]


def test_rank_takes_means_over_replicates() -> None:
    """Candidates are ranked by the mean of their replicates, whatever their best one is."""
    record = stage([(-1.0, 0.9, 0.1), (-2.0, 0.6, 0.6), (-3.0, 0.5, 0.5)])
    ranked = rank(record, 100)
    assert [one.candidate for one in ranked] == [1, 0, 2]
    assert [one.mean for one in ranked] == [0.6, 0.5, 0.5]
    assert [one.n for one in ranked] == [2, 2, 2]


def test_a_candidate_that_can_fail_is_not_ranked() -> None:
    """One failed replicate takes its candidate out, however good the others are."""
    record = stage([(-1.0, 0.99, None), (-2.0, 0.3, 0.2)])
    assert [one.candidate for one in rank(record, 100)] == [1]


def test_standard_error_is_the_replicates_or_the_binomial_one() -> None:
    """Over n > 1 replicates the error is sd / √n; of a single one it is √(p(1 − p) / images)."""
    several = rank(stage([(-1.0, 0.50, 0.54, 0.58)]), 100)[0]
    assert several.mean == pytest.approx(0.54)
    assert several.se == pytest.approx(0.04 / math.sqrt(3))  # sd of (-.04, 0, .04) with n − 1
    one = rank(stage([(-1.0, 0.8)]), 100)[0]
    assert one.se == pytest.approx(0.04)  # √(.8 · .2 / 100)


def test_narrow_widens_the_span_by_half_the_mean_distance() -> None:
    """Fine searches the span of the best keep, each end widened by (hi − lo) / (2 · trials)."""
    record = stage([(-4.5, 0.1), (-3.0, 0.9), (-2.5, 0.8), (-1.5, 0.2)])
    # interval [-5, -1] of width 4 with 4 trials: half the mean distance is 0.5
    assert narrow(record, keep=2, examples=100) == (-3.5, -2.0)
    assert narrow(record, keep=1, examples=100) == (-3.5, -2.5)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(-4.75, 0.9), (-4.5, 0.8), (-3.0, 0.1), (-2.0, 0.1)], (-5.0, -4.0)),
        ([(-1.25, 0.9), (-1.5, 0.8), (-3.0, 0.1), (-2.0, 0.1)], (-2.0, -1.0)),
        ([(-4.75, 0.9), (-1.25, 0.8), (-3.0, 0.1), (-2.0, 0.1)], (-5.0, -1.0)),
    ],
)
def test_narrow_is_clipped_to_the_coarse_interval(
    rows: list[Row], expected: tuple[float, float]
) -> None:
    """Widening ends at either bound of the coarse interval."""
    assert narrow(stage(rows), keep=2, examples=100) == expected


def test_narrow_counts_failed_candidates_among_the_drawn() -> None:
    """A failed candidate is not kept, but its place counts in the mean distance."""
    record = stage([(-3.0, 0.5), (-2.0, None), (-1.5, None), (-4.0, 0.1)])
    assert narrow(record, keep=1, examples=100) == (-3.5, -2.5)


def test_narrow_of_given_values_takes_their_own_span() -> None:
    """Where coarse had a fixed list, its span stands for the interval."""
    record = stage([(-4.0, 0.5), (-3.0, 0.9), (-2.0, 0.1), (-1.0, 0.1)], interval=None)
    assert narrow(record, keep=1, examples=100) == (-3.375, -2.625)  # 3 / (2 · 4)


def test_narrow_of_a_single_value_is_refused() -> None:
    """One given value has no width to search."""
    with pytest.raises(WorkFailedError, match=r"one candidate -3\.0 and no interval"):
        narrow(stage([(-3.0, 0.5)], interval=None), keep=3, examples=100)


scores = st.lists(
    st.tuples(st.floats(-5, -1), st.integers(0, 100).map(lambda n: n / 100)),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(deadline=None, max_examples=60, derandomize=True)
@given(scores, st.integers(1, 6))
def test_narrow_holds_the_best_within_the_old_interval(rows: list[Row], keep: int) -> None:
    """Whatever coarse found, fine's interval lies in coarse's, has a width and holds its best."""
    record = stage(rows)
    low, high = narrow(record, keep=keep, examples=100)
    assert -5.0 <= low < high <= -1.0
    for one in rank(record, 100)[:keep]:
        assert low <= one.point[0] <= high


def test_finalists_lie_a_quarter_of_the_width_apart() -> None:
    """From the best on, each finalist is at least a quarter of the interval from those before."""
    rows = [(-3.0, 0.9), (-2.9, 0.89), (-3.5, 0.88), (-2.0, 0.87), (-2.5, 0.86), (-4.0, 0.85)]
    # the width is 4, so a quarter is 1: −2.9 and −3.5 are too near −3, −2.5 too near −2
    assert finalists(stage(rows), keep=4, examples=100) == [-3.0, -2.0, -4.0]
    assert finalists(stage(rows), keep=2, examples=100) == [-3.0, -2.0]


def test_finalists_of_given_values_need_no_distance() -> None:
    """A fixed list has no interval, so its best are the finalists."""
    rows = [(-3.0, 0.9), (-2.9, 0.89), (-3.5, 0.88)]
    found = finalists(stage(rows, interval=None), keep=2, examples=100)
    assert found == [-3.0, -2.9]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(scores, st.integers(1, 6))
def test_finalists_are_apart_and_begin_with_the_best(rows: list[Row], keep: int) -> None:
    """Finalists are at most keep, pairwise a quarter of the width apart, the best one first."""
    record = stage(rows)
    chosen = finalists(record, keep=keep, examples=100)
    assert 1 <= len(chosen) <= keep
    assert chosen[0] == rank(record, 100)[0].point[0]
    assert all(abs(a - b) >= 1.0 for i, a in enumerate(chosen) for b in chosen[:i])


@pytest.mark.parametrize(
    ("best", "step", "expected"),
    [
        (-2.0, 0.25, [-1.75, -1.5]),  # above all that was tried
        (-3.0, 0.25, [-3.25, -3.5]),  # below
        (-2.5, 0.25, []),  # between worse ones
        (-2.0, 0.75, [-1.25]),  # the second step leaves the searched interval
        (-2.0, 1.5, []),  # the first one does
        (-2.0, 0.0, []),  # no interval was searched
    ],
)
def test_finalists_go_on_past_an_outermost_best(
    best: float, step: float, expected: list[float]
) -> None:
    """Where the best finalist is the outermost, one and two steps beyond it are tried, as far as
    they lie in the searched interval."""
    record = stage([(v, 0.9 if v == best else 0.5) for v in (-3.0, -2.5, -2.0)], None, "finalists")
    found = extension(record, step=step, within=(-5.0, -1.0), examples=100)
    assert found == expected


def test_a_single_finalist_is_outermost_on_both_sides() -> None:
    """A lone finalist is tried on both sides."""
    record = stage([(-3.0, 0.9)], None, "finalists")
    found = extension(record, step=0.5, within=(-5.0, -2.25), examples=100)
    assert found == [-2.5, -3.5, -4.0]


def test_a_failed_finalist_ends_the_extension_on_its_side() -> None:
    """What failed was tried: nothing is tried beyond it."""
    record = stage([(-3.0, 0.5), (-2.5, 0.9), (-2.0, None)], None, "finalists")
    assert extension(record, step=0.5, within=(-5.0, -1.0), examples=100) == []


def test_the_winner_has_the_best_mean_over_replicates() -> None:
    """The winner is the candidate with the best mean, told with its error, number and rule."""
    deciding = stage(
        [(-3.0, 0.80, 0.60), (-2.5, 0.74, 0.70), (-2.0, 0.70, 0.70)], name="finalists"
    )  # fmt: skip
    selected = winner(deciding, [], examples=100)
    assert selected.point[0] == -2.5  # between the others, so nothing is to be warned of
    assert SPACE.values(selected.point) == pytest.approx((10**-2.5,))
    assert selected.rule == (
        "best mean validation accuracy over 2 replicates among 3 candidates of finalists"
    )
    score = selected.score
    assert score is not None
    assert (score.mean, score.n) == (pytest.approx(0.72), 2)
    assert score.se == pytest.approx(0.02)  # sd .02·√2, over √2
    assert selected.warnings == ()


@pytest.mark.parametrize(
    ("best", "said"), [(-4.0, "below -4"), (-2.0, "above -2"), (-3.0, None)]
)  # fmt: skip
def test_a_winner_at_the_edge_of_a_stage_is_said(best: float, said: str | None) -> None:
    """A winner beyond which a stage tried nothing gets a warning that names stage and side."""
    coarse = stage([(value, 0.9 if value == best else 0.5) for value in (-4.0, -3.0, -2.0)])
    warnings = winner(coarse, [coarse], examples=100).warnings
    if said is None:
        assert warnings == ()
    else:
        assert warnings == (
            f"the chosen log10 λ {best:.4g} lies at the edge of coarse, which tried nothing "
            f"{said}: the best may lie outside; wider bounds of coarse.log10_lambda look there",
        )


def test_the_deciding_stage_and_the_first_warn_for_themselves() -> None:
    """A winner at the edge of fine is said of fine, and of coarse where it is at its edge too."""
    coarse = stage([(-4.0, 0.5), (-3.0, 0.6), (-2.0, 0.5)])
    for beyond, edges in ((-3.4, ["fine"]), (-4.5, ["coarse", "fine"])):
        fine = stage([(beyond, 0.9), (-3.0, 0.6), (-2.6, 0.5)], (-5.0, -2.5), "fine")
        warnings = winner(fine, [coarse, fine], examples=100).warnings
        assert [warning.split("edge of ")[1].split(",")[0] for warning in warnings] == edges


def test_two_drawn_candidates_have_no_inside_to_warn_about() -> None:
    """Of two drawn candidates every one is at the edge, which is no news; of two finalists, which
    were chosen to lie apart, it is."""
    rows = [(-4.0, 0.5), (-3.0, 0.6)]
    assert winner(stage(rows), [stage(rows)], examples=100).warnings == ()
    (warning,) = winner(
        stage(rows, None, "finalists"), [stage(rows)], examples=100
    ).warnings  # fmt: skip
    assert "lies at the edge of finalists, which tried nothing above -3" in warning
    assert "extend = true in [finalists] looks there within the bounds, wider bounds of " in warning


def test_where_all_failed_there_is_nothing_to_select() -> None:
    """A stage whose candidates all failed is a failure of the work that says what to change."""
    record = stage([(-3.0, None), (-2.0, None, 0.9)])
    for choose in (
        lambda: narrow(record, keep=3, examples=100),
        lambda: finalists(record, keep=3, examples=100),
        lambda: winner(record, [record], examples=100),
    ):
        with pytest.raises(WorkFailedError, match=r"coarse: nothing to select from.*3 trials"):
            choose()
