"""Validation scores over each of several searched dimensions. Enters: a record. Leaves: a figure.

Refuses to know how the candidate was chosen, and to smooth: every mark is a candidate's mean. What
the other dimensions do is seen as spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lamsearch.figures.marks import LOOKS, LOST, apart, legend, place, set_axis, whole
from lamsearch.figures.style import (
    GREY,
    INK,
    VERMILION,
    is_narrow,
    new_figure,
    styled,
    titled,
    titled_lines,
)
from lamsearch.figures.units import score_axis
from lamsearch.metrics import least_range
from lamsearch.results import STAGES, StageName, StudyRecord
from lamsearch.statistics import CandidateScore, candidate_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Scores = dict[StageName, list[CandidateScore]]
_ROW, _MANY_ROWS, _HEAD, _FOOT = 2.35, 1.95, 0.75, 0.75  # inches
_FLAT = 0.4  # of the whole height, below which the best are enlarged
_GOOD = 0.5  # of all candidates, the share that is enlarged where no later stage says what is good
_BESIDE = 0.19  # of a choice's column, between the marks of two stages


def slices(record: StudyRecord) -> Figure:
    """Draw every candidate's mean validation score over each dimension, a panel for each.

    Bars are ± one standard error: over replicates, and binomial for a single run of a share. Where
    some candidates are far worse than the good ones, a second panel beside it enlarges those.
    """
    scores = {
        name: [one for one in candidate_scores(record, name) if one.point and one.mean is not None]
        for name in STAGES
    }
    heights = _whole_heights(record, scores)
    close = _close_heights(record, scores, heights)
    count = len(record.space.dimensions)
    windows = [window for window in (heights, close) if window is not None]
    if is_narrow():  # one below the other, and of each dimension what is worth enlarging
        windows = windows[-1:]
    across = 1 if is_narrow() else 2
    rows = -(-count * len(windows) // across)
    head, ends = _title(record), whole(record)
    with styled():
        row = _ROW if rows <= 3 else _MANY_ROWS
        figure = new_figure(_HEAD + 0.2 * head.count("\n") + _FOOT + row * rows)
        grid = figure.subplots(rows, across, squeeze=False)
        places = iter(grid.ravel())
        panels = [(next(places), index, window) for index in range(count) for window in windows]
        for axes, index, window in panels:
            set_axis(axes, axes.xaxis, record.space.dimensions[index], ends[index])
            _draw(axes, record, scores, index, window)
        for axes in grid[:, 0]:
            axes.set_ylabel(score_axis(record.metric))
        if close:
            if len(windows) > 1:
                grid[0][0].set_title("all", fontsize=10.5)
            grid[0][-1].set_title("enlarged: the good ones", fontsize=10.5)
        for unused in places:
            unused.set_visible(False)
        figure.suptitle(head, x=0.015, ha="left", parse_math=False)
        legend(figure, panels[0][0], "Mark: mean over replicates. Bar: ± 1 standard error.")
    return figure


def _title(record: StudyRecord) -> str:
    lines = [titled(f"Validation {record.metric.title} over each dimension", record.name)]
    if record.selected is not None:
        word = "given" if record.selected.score is None else "chosen"
        values = record.space.named_values(record.selected.point, ".3g").replace("-", "−")
        lines.append(titled_lines(f"{word}: {values}"))
    return "\n".join(lines)


def _draw(
    axes: Axes, record: StudyRecord, scores: Scores, index: int, heights: tuple[float, float]
) -> None:
    dimension = record.space.dimensions[index]
    axes.set_ylim(*heights)
    _shade_fine(axes, record, index)
    drawn = [name for name in STAGES if scores[name]]
    for number, name in enumerate(drawn):
        shift = _BESIDE * (number - (len(drawn) - 1) / 2)
        _draw_stage(axes, record, name, scores[name], index, shift)
    _mark_lost(axes, record, index)
    if record.selected is not None:
        at = place(dimension, record.selected.point[index])
        axes.axvline(
            at, color=INK, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1.5, label="_chosen"
        )
    if not any(scores.values()):
        axes.text(
            0.5, 0.5, "no trial is complete yet", transform=axes.transAxes, color=GREY,
            ha="center", va="center", fontsize=12,
        )  # fmt: skip


def _shade_fine(axes: Axes, record: StudyRecord, index: int) -> None:
    fine, dimension = record.stages.get("fine"), record.space.dimensions[index]
    if fine is None or fine.bounds is None:
        return
    low, high = fine.bounds[index]
    if not dimension.ordered:
        low, high = low - 0.45, high + 0.45
    axes.axvspan(
        place(dimension, low), place(dimension, high), color=VERMILION, alpha=0.09, linewidth=0,
        zorder=0, label="interval of fine",
    )  # fmt: skip


def _draw_stage(
    axes: Axes,
    record: StudyRecord,
    name: StageName,
    scores: list[CandidateScore],
    index: int,
    shift: float,
) -> None:
    marker, colour, size = LOOKS[name]
    metric, dimension = record.metric, record.space.dimensions[index]
    x = apart(dimension, [(one.point or ())[index] for one in scores], shift)
    y = [metric.number(one.mean or 0.0) for one in scores]
    bars = [float("nan") if one.se is None else metric.factor * one.se for one in scores]
    axes.errorbar(
        x, y, yerr=None if all(one.se is None for one in scores) else bars,
        linestyle="none", marker=marker, markersize=0.85 * size, color=colour, ecolor=colour,
        elinewidth=0.8, capsize=2.0 if len(scores) <= 10 else 0.0, markeredgecolor="white",
        markeredgewidth=0.5, zorder=2.5 if name == "final" else 3 + STAGES.index(name),
        label=f"{name} ({len(scores)} point{'' if len(scores) == 1 else 's'})",
    )  # fmt: skip


def _mark_lost(axes: Axes, record: StudyRecord, index: int) -> None:
    """Mark failed and pruned trials at the bottom edge: they have a point but no score."""
    for state, (marker, colour, word) in LOST.items():
        trials = [t for s in record.stages.values() for t in s.trials if t.state is state]
        at = [trial.point[index] for trial in trials if trial.point is not None]
        if at:
            axes.plot(
                apart(record.space.dimensions[index], at), [0.035] * len(at),
                transform=axes.get_xaxis_transform(), linestyle="none", marker=marker,
                color=colour, markersize=5.0, zorder=8,
                label=f"{word} ({len(at)} trial{'s' if len(at) > 1 else ''})",
            )  # fmt: skip


def _whole_heights(record: StudyRecord, scores: Scores) -> tuple[float, float]:
    return _heights(record, [one for found in scores.values() for one in found])


def _close_heights(
    record: StudyRecord, scores: Scores, heights: tuple[float, float]
) -> tuple[float, float] | None:
    """Return the heights worth enlarging, None where the whole shows them well enough."""
    every = sorted(
        (one for found in scores.values() for one in found), key=lambda one: -(one.mean or 0.0)
    )
    good = [one for name in ("fine", "finalists", "final") for one in scores[name]]
    good = good or every[: max(2, round(_GOOD * len(every)))]
    if len(every) < 4:
        return None
    low, high = _heights(record, [*good, every[0]])
    return (low, high) if high - low < _FLAT * (heights[1] - heights[0]) else None


def _heights(record: StudyRecord, scores: Sequence[CandidateScore]) -> tuple[float, float]:
    """Return the ends of an axis that holds some scores with their bars, with air."""
    metric = record.metric
    ends = [
        metric.number((one.mean or 0.0) + sign * (one.se or 0.0))
        for one in scores
        for sign in (-1, 1)
    ]
    low, high = min(ends, default=0.0), max(ends, default=metric.factor)
    half = max(high - low, least_range(metric, ends)) / 2 * 1.2
    low, high = (low + high) / 2 - half, (low + high) / 2 + half
    return metric.within(low, high)
