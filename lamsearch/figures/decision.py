"""The curve that decided: a model's mean, its band, and the means that it rests on.

Enters: a study's record and its curve. Leaves: a figure. Refuses to fit anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lamsearch.figures.marks import LOOKS, place, set_axis, whole
from lamsearch.figures.style import (
    BLUE,
    INK,
    VERMILION,
    is_narrow,
    new_figure,
    styled,
    titled,
    wrapped,
)
from lamsearch.figures.units import dimension_axis, score_axis
from lamsearch.metrics import least_range
from lamsearch.results import ScoreKind, StudyRecord
from lamsearch.statistics.deciding_curve import DecidingCurve, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 2.6  # inches of a panel where dimensions are several
_BAND_AT_MOST = 1.0  # beyond the marks and the mean, in parts of their range


def decision(record: StudyRecord, found: DecidingCurve) -> Figure:
    """Draw the model over each dimension, through the chosen point, with what it rests on."""
    space = record.space
    with styled():
        figure = new_figure(1.3 + _ROW * len(found.sections) if space.several else 4.6)
        panels = figure.subplots(len(found.sections), 1, squeeze=False)[:, 0]
        for axes, section in zip(panels, found.sections, strict=True):
            _axis(axes, record, found, section)
            _draw(axes, record, found, section)
        title = titled(f"Validation {record.metric.title}, the curve that decided", record.name)
        panels[0].set_title(title, parse_math=False)
        _legend(figure, panels[0], record, found)
    return figure


def _axis(axes: Axes, record: StudyRecord, found: DecidingCurve, section: Section) -> None:
    dimension = record.space.dimensions[section.dimension]
    axes.set_ylabel(score_axis(record.metric))
    if record.space.several:
        set_axis(axes, axes.xaxis, dimension, whole(record)[section.dimension])
    else:
        axes.set_xlabel(dimension_axis(dimension))


def _draw(axes: Axes, record: StudyRecord, found: DecidingCurve, section: Section) -> None:
    metric, chosen = record.metric, record.selected
    dimension = record.space.dimensions[section.dimension]
    at = _places(record, section.dimension, section.at)
    mean = [metric.number(one) for one in section.mean]
    sd = [metric.factor * one for one in section.sd]
    marker, colour, size = LOOKS[found.stage]
    x = _places(record, section.dimension, [one.point[section.dimension] for one in found.points])
    y, bars = (
        [metric.number(one.mean) for one in found.points],
        [metric.factor * one.sd for one in found.points],
    )
    if dimension.ordered:
        low, high = ([m + sign * s for m, s in zip(mean, sd, strict=True)] for sign in (-1, 1))
        axes.fill_between(
            at, low, high, color=BLUE, alpha=0.15, linewidth=0, zorder=1,
            label="± 1 standard deviation of the curve",
        )  # fmt: skip
        axes.plot(at, mean, color=BLUE, linewidth=1.8, zorder=2, label="mean of the process")
    else:
        axes.errorbar(
            at, mean, yerr=sd, linestyle="none", marker="_", markersize=22, color=BLUE,
            elinewidth=6, alpha=0.35, zorder=2,
        )  # fmt: skip
    axes.errorbar(
        x, y, yerr=bars, linestyle="none", marker=marker, markersize=size, color=colour,
        ecolor=colour, elinewidth=1.1, capsize=2.5, markeredgecolor="white", markeredgewidth=0.6,
        zorder=4, label=f"mean of {found.stage} ({len(x)})",
    )  # fmt: skip
    ends = [*mean, *y, *(a - b for a, b in zip(y, bars, strict=True)),
            *(a + b for a, b in zip(y, bars, strict=True))]  # fmt: skip
    if chosen is not None:
        (here,) = _places(record, section.dimension, [chosen.point[section.dimension]])
        ends += _mark_choice(axes, record, here)
    _limit(axes, record, ends)


def _mark_choice(axes: Axes, record: StudyRecord, here: float) -> list[float]:
    """Mark the chosen point, and what is predicted there; return the ends of that."""
    chosen, metric = record.selected, record.metric
    axes.axvline(here, color=INK, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1.5, label="chosen")
    score = None if chosen is None else chosen.score
    if score is None or score.kind is not ScoreKind.PREDICTED:
        return []
    level, error = metric.number(score.mean), metric.factor * score.se
    axes.errorbar(
        [here], [level], yerr=[error], linestyle="none", marker="o", markersize=7.5,
        markerfacecolor="white", color=VERMILION, ecolor=VERMILION, elinewidth=1.4, capsize=4,
        markeredgewidth=1.6, zorder=5, label="prediction at the chosen one, for new seeds",
    )  # fmt: skip
    return [level - error, level + error]


def _limit(axes: Axes, record: StudyRecord, ends: Sequence[float]) -> None:
    """Keep a band that is wide where nothing was tried from flattening the rest."""
    low, high = min(ends), max(ends)
    air = 0.15 * max(high - low, 0.2 * least_range(record.metric, ends))
    least, most = axes.get_ylim()
    beyond = _BAND_AT_MOST * (high - low) + air
    low, high = max(least, low - beyond), min(most, high + beyond)
    axes.set_ylim(*record.metric.within(low, high))


def _places(record: StudyRecord, index: int, coordinates: Sequence[float]) -> list[float]:
    """Where coordinates lie on an axis: at values where dimensions are several."""
    if not record.space.several:
        return list(coordinates)
    return [place(record.space.dimensions[index], x) for x in coordinates]


def _legend(figure: Figure, axes: Axes, record: StudyRecord, found: DecidingCurve) -> None:
    texts = [
        f"A Gaussian process through {len(found.points)} means of {found.stage}; its top was "
        "chosen. Bars: ± 1 standard deviation, without what replicates share."
    ]
    if record.space.several:
        texts.append("Curve: at the chosen values of all other parameters. Marks: at their own.")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, [wrapped(one) for one in labels], loc="outside lower center",
        ncols=1 if is_narrow() else 2, title="\n".join(map(wrapped, texts)),
    )  # fmt: skip
