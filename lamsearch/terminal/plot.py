"""Validation scores over what is searched, on a grid of letters.

Enters: points and a size. Leaves: lines of text that fit it, or none where there is nothing to
draw or no room. Refuses to know where the points are from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from lamsearch.metrics import DEFAULT_METRIC, Metric, is_open, least_range
from lamsearch.storage import Scored
from lamsearch.terminal.glyphs import UNICODE, Glyphs

_LEAST_HEIGHT, _MOST_HEIGHT = 7, 12
_LEAST_WIDTH, _MOST_WIDTH = 30, 100
_AROUND = 3  # lines that are not the grid: what the marks mean, the axis, its numbers
_MOST_DECIMALS = 12
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
    """
    points = [p for p in points if math.isfinite(p.at + p.score)]
    if not points or height < _LEAST_HEIGHT or width < _LEAST_WIDTH:
        return []
    rows, width = min(height, _MOST_HEIGHT) - _AROUND, min(width, _MOST_WIDTH)
    left, right = _span([p.at for p in points], least=0.2)
    numbers = [metric.number(p.score) for p in points]
    low, high = _span(numbers, least=0.2 * least_range(metric, numbers))
    decimals = _decimals(high - low, rows, metric)
    scale = [
        f"{high - (high - low) * row / (rows - 1):.{decimals}f}{metric.unit}" for row in range(rows)
    ]
    margin = max(map(len, scale)) + 2
    columns = width - margin
    grid: list[list[tuple[str, str]]] = [[(" ", "")] * columns for _ in range(rows)]
    for point, sign, style in _marks(points, glyphs):
        column = round((point.at - left) / (right - left) * (columns - 1))
        row = round((high - metric.number(point.score)) / (high - low) * (rows - 1))
        grid[row][column] = (sign, style)
    lines = [_legend(points, glyphs, metric)]
    for row, cells in enumerate(grid):
        labelled = row in (0, rows // 2, rows - 1)
        side = glyphs.tick if labelled else glyphs.side
        start = (f"{scale[row] if labelled else '':>{margin - 2}} {side}", "dim")
        lines.append(Text.assemble(start, *cells))
    return lines + _axis(left, right, margin, columns, glyphs)


def _decimals(length: float, rows: int, metric: Metric) -> int:
    """How many decimals the numbers at an axis of that length have."""
    if is_open(metric):
        return min(max(0, 1 - math.floor(math.log10(length / rows))), _MOST_DECIMALS)
    return 0 if length >= 2 * rows else 1 if length >= 0.2 * rows else 2


def _marks(points: Sequence[Scored], glyphs: Glyphs) -> list[tuple[Scored, str, str]]:
    """What is drawn, the last on top; stages do not compare, so the best is of the latest."""
    marks = [(one, glyphs.marks[one.stage], _STYLES[one.stage]) for one in points]
    latest = [point for point in points if point.stage == points[-1].stage]
    top = max(one.score for one in latest)
    best = [one for one in latest if one.score == top]
    return [*marks, *((one, glyphs.best, _BEST_STYLE) for one in best)]


def _legend(points: Sequence[Scored], glyphs: Glyphs, metric: Metric) -> Text:
    line = Text(f"validation {metric.title} ", style="dim")
    for stage in dict.fromkeys(point.stage for point in points):
        line.append(f" {glyphs.marks[stage]}", style=_STYLES[stage]).append(f" {stage} ")
    return line.append(f" {glyphs.best}", style=_BEST_STYLE).append(" best mean")


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
