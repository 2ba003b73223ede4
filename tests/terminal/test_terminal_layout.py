"""What a figure and its plot are made of, line by line."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pseudo_terminal import HEIGHT, POINTS, WIDTH, status
from rich.console import Console

from lamsearch.metrics import metric_of
from lamsearch.results import Score, ScoreKind, Selected
from lamsearch.storage import Scored, StageStatus
from lamsearch.terminal import Layout, plot
from lamsearch.terminal.scale import heights


def rendered(width: int = WIDTH, height: int = HEIGHT, **rest: Any) -> list[str]:
    """Return the lines of a figure on an empty terminal of that size."""
    console = Console(file=io.StringIO(), width=width, height=height)
    with console.capture() as capture:
        console.print(Layout(**rest), end="")
    return [line.rstrip() for line in capture.get().splitlines()]


def drawn(points: Any, width: int = 40, height: int = 8) -> list[str]:
    """Return the lines of a plot."""
    return [line.plain for line in plot(points, width=width, height=height)]


def point(x: float, y: float, stage: str = "coarse") -> Scored:
    """Return a candidate's mean."""
    return Scored(stage=stage, at=x, score=y)


def test_a_picture_names_stages_workers_best_and_time_left() -> None:
    """The figure of a study at work has its stages, workers, best so far, speed and time left."""
    lines = rendered(status=status(), left=125.0, rate=4400.4)
    assert lines[:2] == [
        "digits  running  1:15  2:05 left",
        "best 96.52 % at log10 λ -2.500  4400 updates/s",
    ]
    assert [line.split()[0] for line in lines[2:4]] == ["coarse", "fine"]
    assert lines[3].split()[-5:] == ["5", "%", "of", "16", "trials"]
    assert lines[4].split() == ["host", "pid", "cohort", "updates", "per", "s", "renewed"]
    assert [line.split() for line in lines[5:7]] == [
        ["vm", "100", "fine", "0", "0/1380", "2200", "0", "s", "ago"],
        ["vm", "101", "fine", "1", "1/1380", "2200", "0", "s", "ago"],
    ]
    assert lines[7:10] == [
        "reclaimed: 1",
        "recovered: fine 0 at update 900 of 1380, reclaimed from vm 99",
        "validation accuracy  · coarse  ○ fine  ★ best mean  ↓ low",
    ]
    assert lines[-1].endswith("log10 λ")


def test_a_picture_of_the_end_has_the_choice() -> None:
    """Once λ is chosen or given it stands where the best trial was; the test set is scored."""
    score = Score(mean=0.5285, se=0.003, n=5)
    chosen = Selected(point=(-2.4485,), rule="best", score=score)
    test = StageStatus(name="test", planned=0, finished=0, updates=0, total=0)
    end = replace(status(0), state="done", selected=chosen, stages=(*status(0).stages, test))
    lines = rendered(status=end)
    assert lines[1] == "chosen: log10 λ -2.449, mean validation accuracy 52.85 %"
    guessed = replace(chosen, score=replace(score, n=0, kind=ScoreKind.PREDICTED))
    assert rendered(status=replace(end, selected=guessed))[1] == (
        "chosen: log10 λ -2.449, predicted validation accuracy 52.85 %"
    )
    assert ["test", "scored"] in [line.split() for line in lines]
    given = replace(chosen, score=None)
    lines = rendered(status=replace(end, state="running", selected=given))
    assert lines[1] == "given: log10 λ -2.449"
    assert ["test"] in [line.split() for line in lines]


def test_who_is_silent_is_seen() -> None:
    """A worker whose lease was not renewed is shown with how long ago that was, and as expired."""
    worker = replace(status(1).workers[0], renewed_ago=23.2, expired=True)
    lines = rendered(status=replace(status(1), workers=(worker,)))
    assert any(line.split()[-4:] == ["23", "s", "ago,", "expired"] for line in lines)


@pytest.mark.parametrize("width", [80, 60, 31, 9])
@pytest.mark.parametrize("workers", [0, 2, 9, 60])
@pytest.mark.parametrize("failure", [None, "a stage has no candidate that ended well " * 5])
def test_a_picture_fits_every_size(width: int, workers: int, failure: str | None) -> None:
    """From 2 lines to 60, plot, workers and stages leave in this order, and no line is too wide."""
    stages = tuple(
        StageStatus(name=name, planned=4, finished=1, updates=5, total=20)
        for name in ("coarse", "fine", "finalists", "final", "test")
    )
    whole = replace(status(workers), stages=stages, failure=failure)
    before = (0, 0, 0)
    for height in range(2, 61):
        lines = rendered(width, height, status=whole, rate=1.0, left=1.0)
        assert len(lines) < height
        assert max(map(len, lines)) <= width
        if width == WIDTH:
            parts = (
                sum("━" in line or line.endswith("of 4 trials") for line in lines),
                sum(line.endswith(" s ago") for line in lines),
                sum("★" in line for line in lines),
            )
            assert parts[0] == 5 or parts[1:] == (0, 0)
            assert parts[1] >= min(workers, 8) or parts[2] == 0
            assert parts[0] >= before[0]
            before = parts
    assert width != WIDTH or before == (5, min(workers, 50) if workers < 40 else before[1], 2)


def test_a_plot_has_each_candidate_in_its_place() -> None:
    """Corners lie in the corners, the best is starred, axes have round numbers and units."""
    assert drawn([point(-5.0, 0.5), point(-3.0, 0.9), point(-1.0, 0.7)]) == [
        "validation accuracy  · coarse  ★ best mean",
        "90 % ┤                ★                 ",
        "     │                                  ",
        "70 % ┤                                 ·",
        "     │                                  ",
        "50 % ┤·                                 ",
        "     └┬───────┬───────┬────────┬───────┬",
        "     -5      -4      -3       -2 log10 λ",
    ]


def test_a_plot_of_one_candidate_is_one_star() -> None:
    """One candidate, and several of equal values, make a plot with a star in its middle."""
    for points in ([point(-3.0, 0.9)], [point(-3.0, 0.9)] * 5):
        grid = drawn(points)[1:-2]
        assert sum(line.count("★") for line in grid) == 1
        assert sum(line.count("·") for line in grid) == 0
        assert "90.0 % ┤" in "\n".join(grid)


def test_equal_bests_are_all_starred() -> None:
    """Of candidates with the same mean none is called better than the others."""
    grid = drawn([point(-5.0, 0.9), point(-4.0, 0.9), point(-3.0, 0.8)])[1:-2]
    assert grid[0].count("★") == 2
    assert grid[-1].count("·") == 1


def test_nothing_to_plot_is_no_plot() -> None:
    """Before the first candidate, and of values that are no numbers, there are no lines."""
    assert drawn([]) == []
    assert drawn([point(-3.0, math.nan), point(-math.inf, 0.9)]) == []
    assert drawn(POINTS, height=6) == []
    lines = rendered(status=replace(status(), points=()))
    assert lines[-1].startswith("recovered: ")


def test_the_star_is_of_the_latest_stage() -> None:
    """A shorter stage's higher accuracy is not the best: stages do not compare."""
    points = [point(-4.0, 0.99), point(-3.0, 0.90, "fine"), point(-2.0, 0.95, "fine")]
    grid = drawn(points)[1:-2]
    (row,) = [line for line in grid if "★" in line]
    assert row.rstrip().endswith("★")
    assert "·" in grid[0]
    assert "○" in grid[-1]


def test_one_bad_candidate_does_not_flatten_the_others() -> None:
    """53.6 and 52 % are rows apart beside 10 %, which is an arrow at the lower edge."""
    points = [point(-4.0, 0.520), point(-3.0, 0.536), point(-2.0, 0.525), point(-1.0, 0.1)]
    lines = drawn(points, width=60, height=12)
    rows = {
        sign: [row for row, line in enumerate(lines[1:-2]) if sign in line[9:]] for sign in "★·↓"
    }
    assert rows["★"][0] <= rows["·"][0] - 3
    assert rows["↓"] == [8]
    assert lines[0].endswith("★ best mean  ↓ low")
    labels = [line.split(" % ")[0].strip() for line in lines if " % ┤" in line]
    assert [f"{round(float(one) * 5) / 5:.1f}" for one in labels] == labels
    assert "↓" not in "".join(drawn(points[:3]))


def test_a_high_error_is_an_arrow_at_the_upper_edge() -> None:
    """Where lower is better the worst lies above."""
    points = [point(-4.0, -43.0), point(-3.0, -43.6), point(-2.0, -44.1), point(-1.0, -900.0)]
    lines = [one.plain for one in plot(points, width=60, height=12, metric=metric_of("mae"))]
    assert "↑" in lines[1]
    assert lines[0].endswith("↑ high")


@pytest.mark.parametrize("scores", [[0.999, 1.0, 0.98], [0.97, 0.96, 0.99], [0.0, 0.01, 0.03]])
@pytest.mark.parametrize("rows", [4, 5, 9])
def test_no_row_is_a_score_that_there_cannot_be(scores: list[float], rows: int) -> None:
    """The scale of accuracies lies between 0 and 100 %, and holds the scores."""
    scaled = heights(scores, rows, metric_of("accuracy"))
    assert 0 <= scaled.low <= 100 * min(scores) + 1e-9
    assert 100 * max(scores) - 1e-9 <= scaled.high <= 100


@given(
    st.lists(
        st.builds(
            point, st.floats(-12, 6), st.floats(0, 1),
            st.sampled_from(["coarse", "fine", "finalists", "final"]),
        ),
        min_size=1, max_size=30,
    ),
    st.integers(30, 120),
    st.integers(7, 30),
)  # fmt: skip
def test_any_plot_fits(points: list[Scored], width: int, height: int) -> None:
    """Whatever the points, the grid has the size that was asked for, and a star."""
    lines = drawn(points, width, height)
    assert len(lines) == min(height, 12)
    assert max(len(line) for line in lines[1:]) <= width
    assert any("★" in line for line in lines[1:])
