"""The score over the two dimensions that matter most. Enters: a record. Leaves: a figure.

Two ordered dimensions make a contour; where one is a choice, there is a line for each of its
values. Both are a model's, said to be one, with every point that was tried drawn over it. Refuses
to draw the model where nothing near was tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lamsearch.figures.choice_lines import lines
from lamsearch.figures.marks import (
    GRID,
    KNOWN,
    LOOKS,
    LOST,
    legend,
    others,
    place,
    set_axis,
    through,
    title,
    whole,
)
from lamsearch.figures.style import INK, new_figure, styled
from lamsearch.points import listed
from lamsearch.results import STAGES, StudyRecord, TrialState
from lamsearch.statistics import Searched, searched
from lamsearch.statistics.surface import LEAST, MOST, floor_of, has_surface, surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEVELS = 12


def pair(record: StudyRecord, order: Sequence[int]) -> tuple[int, int]:
    """Return the indices of the two dimensions that are drawn: x, which is ordered, and y.

    ``order`` has the dimensions by importance, and may be empty. λ is x where it is one of them.
    """
    count = len(record.space.dimensions)
    ranked = [*order, *(index for index in range(count) if index not in order)]
    ordered = [index for index in ranked if record.space.dimensions[index].ordered]
    first, second = ranked[:2]
    if first not in ordered and second not in ordered:
        second = ordered[0]
    across = min(index for index in (first, second) if index in ordered)
    return across, second if across == first else first


def contour(record: StudyRecord, order: Sequence[int]) -> Figure | None:
    """Draw the score over two dimensions; None as long as too few candidates have one.

    ``order`` has the dimensions by importance.
    """
    found = searched(record)
    across, up = pair(record, order)
    if found is None:
        return None
    if record.space.dimensions[up].ordered:
        return _plane(record, found, across, up)
    return lines(record, found, across, up)


def is_drawn(record: StudyRecord, found: Searched, order: Sequence[int]) -> bool:
    """Whether the candidates that have a score are enough for the figure."""
    if is_contour(record, order):
        return has_surface(found.thinned(MOST), floor_of(found))
    return len(found.points) >= LEAST


def is_contour(record: StudyRecord, order: Sequence[int]) -> bool:
    """Whether both dimensions are ordered, so that areas of colour show the score."""
    return record.space.dimensions[pair(record, order)[1]].ordered


def what(record: StudyRecord, order: Sequence[int]) -> str:
    """Return the names of the two dimensions: ``λ and η_max``."""
    return listed([record.space.dimensions[index].symbol for index in pair(record, order)])


def _plane(record: StudyRecord, found: Searched, across: int, up: int) -> Figure | None:
    space, ends = record.space, whole(record)
    x, y = (np.linspace(*found.bounds[index], GRID) for index in (across, up))
    grid = np.array([(one, other) for other in y for one in x])
    floor = floor_of(found)
    model = surface(found.thinned(MOST), space, (across, up), grid, floor)
    if model is None:
        return None
    shown = np.where(model.known < KNOWN, np.nan, record.metric.number(1.0) * model.mean)
    with styled():
        figure = new_figure(6.2)
        axes = figure.subplots()
        set_axis(axes, axes.xaxis, space.dimensions[across], ends[across], air=0.02)
        set_axis(axes, axes.yaxis, space.dimensions[up], ends[up], air=0.02)
        axes.grid(visible=False)
        cut = floor > min(found.scores)
        _fill(figure, axes, record, (across, up), (x, y), shown.reshape(GRID, GRID), cut)
        _mark_points(axes, record, across, up)
        axes.set_title(title(record, across, up), parse_math=False)
        what_lies = "Colour: the mean of a Gaussian process over these two dimensions alone,"
        texts = [f"{what_lies} through {through(found)}", *others(record)]
        if cut:
            texts.append(f"Scores beyond {record.metric.words(floor)} count as that.")
        texts.append("Mark: a point that was tried. Star: the chosen one.")
        legend(figure, axes, "\n".join(texts))
    return figure


def _fill(
    figure: Figure,
    axes: Axes,
    record: StudyRecord,
    dimensions: tuple[int, int],
    grid: Sequence[npt.NDArray[np.float64]],
    shown: npt.NDArray[np.float64],
    cut: bool,
) -> None:
    """Draw the model's mean as areas of colour with a bar that says which is which."""
    if np.isfinite(shown).sum() < 4 or np.nanmax(shown) - np.nanmin(shown) <= 0:
        return
    x, y = (
        [place(record.space.dimensions[index], float(one)) for one in line]
        for index, line in zip(dimensions, grid, strict=True)
    )
    extend = "neither" if not cut else "min" if record.metric.sign > 0 else "max"
    filled = axes.contourf(x, y, shown, levels=_LEVELS, cmap="cividis", zorder=0.5, extend=extend)
    axes.contour(x, y, shown, levels=filled.levels, colors="white", linewidths=0.4, zorder=0.6)
    bar = figure.colorbar(filled, ax=axes, pad=0.015, aspect=28)
    bar.set_label(f"validation {record.metric.label}, the model's mean")


def _mark_points(axes: Axes, record: StudyRecord, across: int, up: int) -> None:
    """Mark where every trial was, by its stage, and the chosen point."""
    dimensions = record.space.dimensions

    def at(points: Sequence[tuple[float, ...]]) -> tuple[list[float], list[float]]:
        x, y = ([place(dimensions[i], one[i]) for one in points] for i in (across, up))
        return x, y

    for name in STAGES[:3]:
        trials = record.stages[name].trials if name in record.stages else ()
        points = sorted(
            {t.point for t in trials if t.point is not None and t.state is TrialState.COMPLETE}
        )
        if points:
            marker, colour, size = LOOKS[name]
            axes.plot(
                *at(points), linestyle="none", marker=marker, markersize=size, color=colour,
                markeredgecolor="white", markeredgewidth=0.8, zorder=3 + STAGES.index(name),
                label=f"{name} ({len(points)} point{'' if len(points) == 1 else 's'})",
            )  # fmt: skip
    for state, (marker, _, word) in LOST.items():
        trials = tuple(t for s in record.stages.values() for t in s.trials if t.state is state)
        points = [trial.point for trial in trials if trial.point is not None]
        if points:
            axes.plot(
                *at(points), linestyle="none", marker=marker, markersize=7.5, color=INK,
                markeredgewidth=1.5, markerfacecolor="none", zorder=8,
                label=f"{word} ({len(points)} trial{'s' if len(points) > 1 else ''})",
            )  # fmt: skip
    if record.selected is not None:
        axes.plot(
            *at([record.selected.point]), linestyle="none", marker="*", markersize=19,
            color="white", markeredgecolor=INK, markeredgewidth=1.3, zorder=9, label="_chosen",
        )  # fmt: skip
