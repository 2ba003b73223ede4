"""What figures over searched dimensions have in common: marks of stages, axes of dimensions.

Enters: stages, dimensions. Leaves: looks, coordinates as an axis has them. Refuses to know scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lamsearch.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    PURPLE,
    VERMILION,
    columns,
    titled,
    wrapped,
)
from lamsearch.points import listed
from lamsearch.results import STAGES, StageName, StudyRecord, TrialState
from lamsearch.space import Bounds, Dimension, Scale, span
from lamsearch.statistics import Searched
from lamsearch.statistics.surface import MOST

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

LOOKS: dict[StageName, tuple[str, str, float]] = {
    "coarse": ("o", BLUE, 5.0),
    "fine": ("s", VERMILION, 4.6),
    "finalists": ("D", GREEN, 6.0),
    "final": ("*", PURPLE, 12.0),
}
LOST: dict[TrialState, tuple[str, str, str]] = {
    TrialState.FAIL: ("x", INK, "failed"),
    TrialState.PRUNED: ("v", GREY, "pruned"),
}
GRID = 81  # points of a model along a dimension
KNOWN = 0.5  # of 1: where a model is less sure, it is not drawn
_LABEL_LENGTH = 14  # of a choice on an axis
_CHOICES_AT_MOST, _LETTERS = 12, 34  # named on an axis, and their letters in all
_DECADE = 1.2  # decades from which powers of ten alone are ticks enough


def place(dimension: Dimension, coordinate: float) -> float:
    """Return where a coordinate lies on an axis: at the value on a logarithmic one."""
    return float(10.0**coordinate) if dimension.logarithmic else float(coordinate)


def apart(dimension: Dimension, coordinates: Sequence[float], shift: float = 0.0) -> list[float]:
    """Return where coordinates lie on an axis; those of one choice beside each other.

    ``shift`` moves all of them: within a choice's column stages have places of their own.
    """
    if dimension.ordered:
        return [place(dimension, x) for x in coordinates]
    spread = (np.arange(len(coordinates)) * 0.618034 % 1.0 - 0.5) * 0.16
    return [float(x) + shift + float(more) for x, more in zip(coordinates, spread, strict=True)]


def label(dimension: Dimension) -> str:
    """Return an axis's name: the parameter, and that it is logarithmic where it is."""
    return f"{dimension.symbol} (log scale)" if dimension.logarithmic else dimension.symbol


def whole(record: StudyRecord) -> Bounds:
    """Return what holds every point, every stage's bounds, and every choice."""
    trials = [trial for stage in record.stages.values() for trial in stage.trials]
    points = [trial.point for trial in trials if trial.point is not None]
    for stage in record.stages.values():
        if stage.bounds is not None:
            points += list(zip(*stage.bounds, strict=True))
    if record.selected is not None:
        points.append(record.selected.point)
    if not points:
        return tuple((0.0, 1.0) for _ in record.space.dimensions)
    ends = span(points)
    pairs = zip(record.space.dimensions, ends, strict=True)
    return tuple(
        (low, high) if one.ordered else (0.0, len(one.choices) - 1.0) for one, (low, high) in pairs
    )


def set_axis(
    axes: Axes, axis: Axis, dimension: Dimension, ends: tuple[float, float], *, air: float = 0.05
) -> None:
    """Make an axis that of a dimension: its scale, its ends with some air, its ticks, its name."""
    low, high = ends
    wide = max(high - low, 0.4 * dimension.unit)
    more = 0.5 if not dimension.ordered else (wide - (high - low)) / 2 + air * wide
    horizontal = axis is axes.xaxis
    limits = axes.set_xlim if horizontal else axes.set_ylim
    if dimension.logarithmic:
        (axes.set_xscale if horizontal else axes.set_yscale)("log")
        _log_ticks(axis, high - low)
    limits(place(dimension, low - more), place(dimension, high + more))
    if dimension.scale is Scale.CHOICE:
        names = [_shortened(dimension.shown_value(k)) for k in range(len(dimension.choices))]
        every = max(1, -(-len(names) // _CHOICES_AT_MOST))
        tilted: dict[str, Any] = {"rotation": 35, "ha": "right"} if _crowded(names) else {}
        axis.set_ticks(
            range(0, len(names), every), labels=names[::every], parse_math=False,
            **(tilted if horizontal else {}),
        )  # fmt: skip
        axes.grid(visible=False, axis="x" if horizontal else "y")
    elif dimension.scale is Scale.INTEGER:
        from matplotlib.ticker import MaxNLocator

        axis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    (axes.set_xlabel if horizontal else axes.set_ylabel)(label(dimension), parse_math=False)


def _log_ticks(axis: Axis, decades: float) -> None:
    """Powers of ten where there are some, else round values with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if decades > _DECADE:
        axis.set_major_locator(LogLocator(numticks=6))
        axis.set_minor_formatter(NullFormatter())
        return
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _crowded(names: Sequence[str]) -> bool:
    """Whether names of choices have no room beside each other in half a figure's width."""
    return sum(len(name) + 3 for name in names) > _LETTERS


def _shortened(text: str) -> str:
    return text if len(text) <= _LABEL_LENGTH else f"{text[: _LABEL_LENGTH - 1]}…"


def legend(figure: Figure, axes: Axes, title: str) -> None:
    """Put the marks' meanings below a figure, the stages in their order, then the others."""
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    opening = [*STAGES, "interval", *(word for _, _, word in LOST.values())]
    entries = zip(labels, handles, strict=True)
    most = 3 if len(handles) in (5, 6) else min(len(handles), 4)
    ordered = sorted(entries, key=lambda entry: opening.index(entry[0].split()[0]))
    figure.legend(
        [handle for _, handle in ordered], [text for text, _ in ordered],
        loc="outside lower center", ncols=columns(most),
        title=wrapped(title),
    )  # fmt: skip


def title(record: StudyRecord, across: int, up: int) -> str:
    """Return the title of a figure over two dimensions."""
    names = listed([record.space.dimensions[index].symbol for index in (across, up)])
    return titled(f"Validation {record.metric.title} over {names}", record.name)


def through(found: Searched) -> str:
    """Say what a model rests on."""
    count = len(found.points)
    points = f"{MOST} of {count:,} points" if count > MOST else f"{count} points"
    return f"{points} of {listed(found.stages)}."


def others(record: StudyRecord) -> list[str]:
    """Say what becomes of the dimensions that are not drawn."""
    several = len(record.space.dimensions) > 2
    return ["What the other dimensions do to the score is noise to it."] if several else []
