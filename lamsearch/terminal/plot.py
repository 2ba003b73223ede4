"""Validation scores over what is searched, on a grid of letters.

Enters: points and a size. Leaves: lines of text that fit it, or none where there is nothing to
draw or no room. Refuses to know where the points are from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from lamsearch.metrics import DEFAULT_METRIC, Metric
from lamsearch.storage import Scored
from lamsearch.terminal.glyphs import UNICODE, Glyphs
from lamsearch.terminal.scale import Heights, heights

_LEAST_HEIGHT, _MOST_HEIGHT = 7, 12
_LEAST_WIDTH, _MOST_WIDTH = 30, 100
_AROUND = 3  # lines that are not the grid: what the marks mean, the axis, its numbers
_MOST_DECIMALS = 12
_SAME = 1e-6  # of a step
_BEST_STYLE = "bold green"
_STYLES = {"coarse": "cyan", "fine": "blue", "finalists": "magenta", "final": "yellow"}


def plot(
    points: Sequence[Scored],
    *,
    width: int,
    height: int,
    glyphs: Glyphs = UNICODE,
    metric: Metric = DEFAULT_METRIC,
) -> list[Text]:
    """Return the points as lines: the score upwards, the coordinate to the right.

    A later stage's mark covers an earlier one's; the best means of the latest stage cover all.
    Scores far below the good ones do not stretch the scale: an arrow at its end is one of them.
    """
    points = [p for p in points if math.isfinite(p.at + p.score)]
    if not points or height < _LEAST_HEIGHT or width < _LEAST_WIDTH:
        return []
    rows, width = min(height, _MOST_HEIGHT) - _AROUND, min(width, _MOST_WIDTH)
    left, right = _span([p.at for p in points], least=0.2)
    scaled = heights([point.score for point in points], rows, metric)
    labelled = (0, rows // 2, rows - 1)
    decimals = _decimals([scaled.rows[row] for row in labelled], scaled.step)
    scale = [f"{value + 0.0:.{decimals}f}{metric.unit}" for value in scaled.rows]
    margin = max(map(len, scale)) + 2
    columns = width - margin
    grid: list[list[tuple[str, str]]] = [[(" ", "")] * columns for _ in range(rows)]
    for point, sign, style in _marks(points, glyphs):
        column = round((point.at - left) / (right - left) * (columns - 1))
        row, beyond = scaled.row(metric.number(point.score))
        if beyond and sign != glyphs.best:
            sign = glyphs.down if beyond < 0 else glyphs.up
        grid[row][column] = (sign, style)
    lines = [_legend(points, glyphs, metric, scaled)]
    for row, cells in enumerate(grid):
        side = glyphs.tick if row in labelled else glyphs.side
        start = (f"{scale[row] if row in labelled else '':>{margin - 2}} {side}", "dim")
        lines.append(Text.assemble(start, *cells))
    return lines + _axis(left, right, margin, columns, glyphs)


def _decimals(values: Sequence[float], step: float) -> int:
    """How many decimals it takes to write some multiples of a step as they are."""
    found = (
        decimals
        for decimals in range(_MOST_DECIMALS)
        if all(abs(round(one, decimals) - one) < _SAME * step for one in values)
    )
    return next(found, _MOST_DECIMALS)


def _marks(points: Sequence[Scored], glyphs: Glyphs) -> list[tuple[Scored, str, str]]:
    """What is drawn, the last on top; stages do not compare, so the best is of the latest."""
    marks = [(one, glyphs.marks[one.stage], _STYLES[one.stage]) for one in points]
    latest = [point for point in points if point.stage == points[-1].stage]
    top = max(one.score for one in latest)
    best = [one for one in latest if one.score == top]
    return [*marks, *((one, glyphs.best, _BEST_STYLE) for one in best)]


def _legend(points: Sequence[Scored], glyphs: Glyphs, metric: Metric, scaled: Heights) -> Text:
    line = Text(f"validation {metric.title} ", style="dim")
    for stage in dict.fromkeys(point.stage for point in points):
        line.append(f" {glyphs.marks[stage]}", style=_STYLES[stage]).append(f" {stage} ")
    line.append(f" {glyphs.best}", style=_BEST_STYLE).append(" best mean")
    beyond = {scaled.row(metric.number(point.score))[1] for point in points} - {0}
    words = {-1: f"  {glyphs.down} low", 1: f"  {glyphs.up} high"}
    return line.append("".join(words[one] for one in sorted(beyond)))


def _span(values: Sequence[float], *, least: float) -> tuple[float, float]:
    """The least and the greatest value, moved apart to ``least`` where they are nearer."""
    low, high = min(values), max(values)
    lack = max(0.0, least - (high - low)) / 2
    return low - lack, high + lack


def _axis(left: float, right: float, margin: int, columns: int, glyphs: Glyphs) -> list[Text]:
    """The axis with a notch at each round number, and the numbers below."""
    name = glyphs.axis
    floor, below = [glyphs.floor] * columns, [" "] * (margin + columns)
    below[len(below) - len(name) :] = name
    for value, text in _ticks(left, right, most=max(2, columns // 7)):
        column = round((value - left) / (right - left) * (columns - 1))
        floor[column] = glyphs.notch
        start = margin + column - len(text) // 2
        end = start + len(text)
        if all(sign == " " for sign in below[max(0, start - 1) : end + 1]) and end < len(below):
            below[start:end] = text
    edge = " " * (margin - 1) + glyphs.corner
    return [Text(edge + "".join(floor), style="dim"), Text("".join(below), style="dim")]


def _ticks(low: float, high: float, *, most: int) -> list[tuple[float, str]]:
    """Round numbers from low to high in steps of 1, 2 or 5 times a power of ten, as text too."""
    power = math.floor(math.log10((high - low) / most))
    steps = [(factor, power + more) for more in (0, 1) for factor in (1, 2, 5)]
    factor, power = next(s for s in steps if (high - low) / (s[0] * 10.0 ** s[1]) <= most)
    step, decimals = factor * 10.0**power, max(0, -power)
    counts = range(math.ceil(low / step), math.floor(high / step) + 1)
    return [(count * step, f"{count * step:.{decimals}f}") for count in counts]
