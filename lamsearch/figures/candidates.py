"""Validation scores over what is searched. Enters: a record, whole or partial. Leaves: a figure.

Refuses to know how the candidate was chosen: it draws what the record says. Where dimensions are
several, `slices` draws them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamsearch.figures.marks import LOOKS, LOST, legend
from lamsearch.figures.slices import slices
from lamsearch.figures.style import (
    GREY,
    INK,
    VERMILION,
    is_narrow,
    new_figure,
    styled,
    titled,
)
from lamsearch.figures.units import dimension_axis, score_axis
from lamsearch.metrics import least_range, size_of
from lamsearch.results import STAGES, StageName, StudyRecord
from lamsearch.statistics import CandidateScore, candidate_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """A part of the plane: coordinates from ``left`` to ``right``, scores between the others."""

    left: float
    right: float
    bottom: float
    top: float


def scores_over_space(record: StudyRecord) -> Figure:
    """Draw every candidate's mean validation score over its coordinate, all stages together.

    Bars are ± one standard error (over replicates; binomial for a single share). Where the best
    candidates are crowded into a corner of the whole, a second panel enlarges them. Where
    dimensions are several, each has a panel of its own.
    """
    if record.space.several:
        return slices(record)
    scores = {name: _drawable(candidate_scores(record, name)) for name in STAGES}
    whole = _whole_window(record, scores)
    close = _close_window(record, scores, whole)
    with styled():
        figure = new_figure(4.7 if close is None else 8.2)
        panels = figure.subplots(1 if close is None else 2, 1, squeeze=False)[:, 0]
        for axes, window in zip(panels, (whole, close), strict=False):
            if window is not None:
                _draw(axes, record, scores, window)
        _mark_value(panels[0], record, whole)
        panels[0].set_title(_title(record), pad=22, parse_math=False)
        if close is not None:
            panels[1].set_title("Enlarged: where the best are", fontsize=11)
        panels[-1].set_xlabel(dimension_axis(record.space.dimensions[0]))
        legend(figure, panels[0], "Mark: mean over replicates. Bar: ± 1 standard error.")
    return figure


def _title(record: StudyRecord) -> str:
    what = f"Validation {record.metric.title} of each {record.space.symbol} tried"
    return titled(what, record.name)


def _at(score: CandidateScore) -> float:
    """The coordinate at which a candidate is drawn."""
    return score.point[0] if score.point else 0.0


def _height(record: StudyRecord, score: CandidateScore) -> float:
    return record.metric.number(score.mean or 0.0)


def _drawable(scores: Iterable[CandidateScore]) -> list[CandidateScore]:
    return [s for s in scores if s.point is not None and s.mean is not None]


def _draw(
    axes: Axes,
    record: StudyRecord,
    scores: dict[StageName, list[CandidateScore]],
    window: _Window,
) -> None:
    axes.set_xlim(window.left, window.right)
    axes.set_ylim(window.bottom, window.top)
    axes.set_ylabel(score_axis(record.metric))
    _shade_fine(axes, record)
    for name in STAGES:
        if scores[name]:
            _draw_stage(axes, record, name, scores[name])
    _mark_lost(axes, record)
    if record.selected is not None:
        axes.axvline(
            record.selected.point[0], color=INK, linewidth=1.2, linestyle=(0, (5, 3)),
            zorder=1.5, label="_chosen",
        )  # fmt: skip
    if not any(scores.values()):
        axes.text(
            0.5, 0.5, "no trial is complete yet", transform=axes.transAxes, color=GREY,
            ha="center", va="center", fontsize=13,
        )  # fmt: skip


def _shade_fine(axes: Axes, record: StudyRecord) -> None:
    fine = record.stages.get("fine")
    if fine is not None and fine.bounds is not None:
        axes.axvspan(
            *fine.bounds[0], color=VERMILION, alpha=0.09, linewidth=0, zorder=0,
            label="interval of fine",
        )  # fmt: skip


def _draw_stage(
    axes: Axes, record: StudyRecord, name: StageName, scores: list[CandidateScore]
) -> None:
    marker, colour, size = LOOKS[name]
    x = [_at(score) for score in scores]
    y = [_height(record, score) for score in scores]
    sparse = len(scores) <= 25  # caps of more bars than that run into each other
    factor = record.metric.factor
    bars = [float("nan") if score.se is None else factor * score.se for score in scores]
    axes.errorbar(
        x, y, yerr=None if all(score.se is None for score in scores) else bars,
        linestyle="none", marker=marker, markersize=size, color=colour, ecolor=colour,
        elinewidth=1.1 if sparse else 0.7, capsize=2.5 if sparse else 0.0,
        markeredgecolor="white", markeredgewidth=0.6,
        zorder=2.5 if name == "final" else 3 + STAGES.index(name),  # the large star hides none
        label=f"{name} ({len(scores)} {record.space.symbol})",
    )  # fmt: skip


def _mark_lost(axes: Axes, record: StudyRecord) -> None:
    """Mark failed and pruned trials at the bottom edge: they have a point but no score."""
    for state, (marker, colour, word) in LOST.items():
        trials = [t for s in record.stages.values() for t in s.trials if t.state is state]
        at = [trial.point[0] for trial in trials if trial.point is not None]
        if at:
            axes.plot(
                at, [0.025] * len(at), transform=axes.get_xaxis_transform(), linestyle="none",
                marker=marker, color=colour, markersize=5.5, zorder=8,
                label=f"{word} ({len(at)} trial{'s' if len(at) > 1 else ''})",
            )  # fmt: skip


def _mark_value(axes: Axes, record: StudyRecord, window: _Window) -> None:
    """Write the chosen value above the frame, where no point can be, within the frame's ends."""
    if record.selected is None:
        return
    at = record.selected.point[0]
    word = "given" if record.selected.score is None else "chosen"
    share = (at - window.left) / (window.right - window.left)
    side = "left" if share < 0.25 else "right" if share > 0.75 else "center"
    transform = axes.get_xaxis_transform()
    if is_narrow():  # as wide as the frame
        share, side, transform = 0.0, "left", axes.transAxes
    text = f"{word}: {_value(record, at)}  ({_coordinate(record, at)})"
    size = 8.5 if is_narrow() else 10.5
    axes.text(
        share if is_narrow() else at, 1.02, text.replace("-", "−"),
        transform=transform, ha=side, va="bottom", fontsize=size, color=INK,
    )  # fmt: skip


def _value(record: StudyRecord, at: float) -> str:
    first = record.space.dimensions[0]
    return f"{first.symbol} = {first.value(at):.3g}"


def _coordinate(record: StudyRecord, at: float) -> str:
    return f"{record.space.dimensions[0].label} = {at:.3f}"


def _whole_window(record: StudyRecord, scores: dict[StageName, list[CandidateScore]]) -> _Window:
    trials = [trial for stage in record.stages.values() for trial in stage.trials]
    x = [trial.point[0] for trial in trials if trial.point is not None]
    x += [end for s in record.stages.values() if s.bounds is not None for end in s.bounds[0]]
    x += [] if record.selected is None else [record.selected.point[0]]
    every = [score for found in scores.values() for score in found]
    return _around(record, x or [-5.0, -1.0], every)


def _close_window(
    record: StudyRecord, scores: dict[StageName, list[CandidateScore]], whole: _Window
) -> _Window | None:
    """Return the part worth enlarging, None where the whole shows it well enough."""
    fine, every = record.stages.get("fine"), [s for found in scores.values() for s in found]
    if len(every) < 4:
        return None
    best = max(score.mean for score in every if score.mean is not None)
    later = scores["finalists"] + scores["final"]
    x = [_at(score) for score in later]
    if fine is not None and fine.bounds is not None:
        x += fine.bounds[0]
    else:
        size = size_of(record.metric, [_height(record, one) for one in every])
        near = 0.03 * size / record.metric.factor
        x += [_at(s) for s in every if (s.mean or 0.0) > best - near]
    x += [] if record.selected is None else [record.selected.point[0]]
    frame = _around(record, x, [])
    inside = [s for s in every if frame.left <= _at(s) <= frame.right]
    if len(inside) < 2:
        return None
    close = _around(record, x, inside)
    narrow = (close.right - close.left) < 0.6 * (whole.right - whole.left)
    flat = (close.top - close.bottom) < 0.4 * (whole.top - whole.bottom)
    return close if narrow or flat else None


def _around(record: StudyRecord, x: list[float], scores: list[CandidateScore]) -> _Window:
    """Return the window around some coordinates and scores, with air and a least size."""
    metric = record.metric
    ends = [
        metric.number((score.mean or 0.0) + sign * (score.se or 0.0))
        for score in scores
        for sign in (-1, 1)
    ]
    whole, least = metric.factor, least_range(metric, ends)
    left, right = _widened(min(x), max(x), least=0.4, air=0.04)
    bottom, top = _widened(min(ends, default=0.0), max(ends, default=whole), least=least, air=0.08)
    bottom, top = metric.within(bottom, top)
    return _Window(left=left, right=right, bottom=bottom, top=top)


def _widened(low: float, high: float, *, least: float, air: float) -> tuple[float, float]:
    half = max(high - low, least) / 2 * (1 + 2 * air)
    middle = (low + high) / 2
    return middle - half, middle + half
