"""The score over one ordered dimension, a line for each value of a choice. Leaves: a figure.

Enters: a record, and what its search tried. Refuses to draw a model's line where nothing near was
tried, and where it has fallen to what the worst scores count as.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lamsearch.figures.marks import GRID, KNOWN, others, place, set_axis, through, title, whole
from lamsearch.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    PURPLE,
    VERMILION,
    columns,
    new_figure,
    shortened,
    styled,
    verbatim,
    wrapped,
)
from lamsearch.figures.units import score_axis
from lamsearch.results import StudyRecord
from lamsearch.statistics import Searched
from lamsearch.statistics.surface import MOST, floor_of, surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ABOVE = 0.1  # of the height above the floor, from which on a line is one of scores
_LOOKS = ((BLUE, "o"), (VERMILION, "s"), (GREEN, "D"), (PURPLE, "^"), (INK, "v"), (GREY, "P"))


def lines(record: StudyRecord, found: Searched, across: int, up: int) -> Figure:
    """Draw a model's line over the ordered dimension for each value of the choice."""
    space, floors = record.space, list[float]()
    x = np.linspace(*found.bounds[across], GRID)
    with styled():
        figure = new_figure(5.6)
        axes = figure.subplots()
        set_axis(axes, axes.xaxis, space.dimensions[across], whole(record)[across])
        for index, (colour, marker) in zip(_best_choices(found, up), _LOOKS, strict=False):
            own = _of_choice(found, up, index)
            floors.append(floor_of(own))
            name = shortened(space.dimensions[up].shown_value(index))
            _line(axes, record, own, across, x, floors[-1], (colour, marker, verbatim(name)))
        ends = [record.metric.number(one) for one in (min(floors), max(found.scores))]
        air = 0.08 * (max(ends) - min(ends)) or 0.02
        axes.set_ylim(min(ends) - air, max(ends) + air)
        axes.set_ylabel(score_axis(record.metric))
        if record.selected is not None:
            axes.axvline(
                place(space.dimensions[across], record.selected.point[across]), color=INK,
                linewidth=1.2, linestyle=(0, (5, 3)), zorder=1.5, label="_chosen",
            )  # fmt: skip
        axes.set_title(title(record, across, up), parse_math=False)
        _line_legend(figure, axes, record, found, up, hidden=min(floors) > min(found.scores))
    return figure


def _line(
    axes: Axes,
    record: StudyRecord,
    own: Searched,
    across: int,
    x: npt.NDArray[np.float64],
    floor: float,
    look: tuple[str, str, str],
) -> None:
    dimension, metric = record.space.dimensions[across], record.metric
    colour, marker, name = look
    count = len(own.points)
    axes.plot(
        [place(dimension, point[across]) for point in own.points],
        [metric.number(score) for score in own.scores], linestyle="none", marker=marker,
        color=colour, markersize=5, markeredgecolor="white", markeredgewidth=0.5, zorder=3,
        label=f"{name} ({count} point{'s' * (count > 1)})",
    )  # fmt: skip
    model = surface(own.thinned(MOST), record.space, (across,), x[:, None], floor)
    if model is None:
        return
    ends = [point[across] for point in own.points]
    tried = (x >= min(ends)) & (x <= max(ends)) & (model.known >= KNOWN)
    seen = _around_top(
        model.mean, tried & (model.mean > floor + _ABOVE * (max(own.scores) - floor))
    )
    axes.plot(
        [place(dimension, float(one)) for one in x],
        np.where(seen, metric.number(1.0) * model.mean, np.nan), color=colour, linewidth=1.8,
        zorder=2, label="_model",
    )  # fmt: skip


def _around_top(
    mean: npt.NDArray[np.float64], seen: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Return the one stretch of what can be seen that holds its highest point."""
    if not seen.any():
        return seen
    top = int(np.argmax(np.where(seen, mean, -np.inf)))
    gaps = np.flatnonzero(~seen)
    start, end = gaps[gaps < top], gaps[gaps > top]
    place = np.arange(len(seen))
    after = start[-1] if len(start) else -1
    before = end[0] if len(end) else len(seen)
    return np.asarray((place > after) & (place < before))


def _best_choices(found: Searched, dimension: int) -> list[float]:
    """Return the tried values of a choice in their order; of many those with the best scores."""
    best: dict[float, float] = {}
    for point, score in zip(found.points, found.scores, strict=True):
        best[point[dimension]] = max(score, best.get(point[dimension], score))
    kept = sorted(best, key=lambda one: (-best[one], one))[: len(_LOOKS)]
    return sorted(kept)


def _of_choice(found: Searched, dimension: int, at: float) -> Searched:
    """Return the candidates of one value of a choice."""
    pairs = [
        (point, score)
        for point, score in zip(found.points, found.scores, strict=True)
        if point[dimension] == at
    ]
    points, scores = zip(*pairs, strict=True)
    return replace(found, points=points, scores=scores)


def _line_legend(
    figure: Figure, axes: Axes, record: StudyRecord, found: Searched, up: int, *, hidden: bool
) -> None:
    symbol = record.space.dimensions[up].symbol
    texts = [
        f"Line: the mean of a Gaussian process for each {symbol}, through {through(found)}",
        *others(record),
        f"Mark: a point that was tried, by {symbol}.{' Worse ones lie below.' * hidden}",
    ]
    if hidden and record.metric.sign < 0:
        texts[-1] = texts[-1].replace("below", "above")
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=columns(min(len(handles), 3)),
        title=wrapped("\n".join(texts)),
    )  # fmt: skip
