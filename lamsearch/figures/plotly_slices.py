"""Scores over each of several dimensions, as Plotly's panels. Enters: traces over no dimension yet.

Leaves: the same traces once per dimension, and the layout of their axes. Refuses to know scores:
it lays out what it is given, by points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamsearch.results import StudyRecord
from lamsearch.space import Dimension, Point, Scale

SHOWN = 6  # panels; Optuna's page gives a figure the height of two rows of three
_COLUMNS = 3
_GAP, _ROW_GAP = 0.06, 0.28  # of the figure, between panels
_SMALL = {"size": 10}


def panels(
    record: StudyRecord, drawn: Sequence[tuple[dict[str, Any], Sequence[Point]]]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return each trace over each dimension, and the axes that they need.

    ``drawn`` has traces without ``x``, each with the points that it is drawn at.
    """
    traces, layout = [], dict[str, Any]()
    dimensions = record.space.dimensions[:SHOWN]
    columns = min(_COLUMNS, len(dimensions))
    rows = -(-len(dimensions) // columns)
    for index, dimension in enumerate(dimensions):
        number = "" if index == 0 else str(index + 1)
        layout[f"xaxis{number}"] = _across(dimension, index, number, columns)
        layout[f"yaxis{number}"] = _up(record, index, number, (rows, columns))
        for trace, points in drawn:
            traces.append(
                {
                    **trace,
                    "x": [_place(dimension, point[index]) for point in points],
                    "xaxis": f"x{number}",
                    "yaxis": f"y{number}",
                    "legendgroup": trace["name"],
                    "showlegend": index == 0,
                }
            )
    if record.selected is not None:
        layout["shapes"] = [
            _line(dimension, record.selected.point[index], index)
            for index, dimension in enumerate(dimensions)
        ]
    return traces, layout


def _place(dimension: Dimension, coordinate: float) -> Any:
    """Where a coordinate lies on Plotly's axis: at the value; a choice by its words."""
    if dimension.scale is Scale.CHOICE:
        return dimension.shown_value(coordinate)
    return float(f"{dimension.value(coordinate):.4g}")


def _across(dimension: Dimension, index: int, number: str, columns: int) -> dict[str, Any]:
    column = index % columns
    width = (1 - _GAP * (columns - 1)) / columns
    low = column * (width + _GAP)
    axis: dict[str, Any] = {
        "title": {"text": escaped(dimension.symbol), "standoff": 4}, "zeroline": False,
        "anchor": f"y{number}", "nticks": 4, "tickfont": _SMALL, "tickangle": 0,
        "domain": [round(low, 4), round(low + width, 4)],
    }  # fmt: skip
    if dimension.logarithmic:
        return {**axis, "type": "log", "exponentformat": "power"}
    if dimension.scale is Scale.CHOICE:
        order = [dimension.shown_value(k) for k in range(len(dimension.choices))]
        return {**axis, "type": "category", "categoryorder": "array", "categoryarray": order}
    return axis


def _up(record: StudyRecord, index: int, number: str, shape: tuple[int, int]) -> dict[str, Any]:
    rows, columns = shape
    height = (1 - _ROW_GAP * (rows - 1)) / rows
    top = 1 - (index // columns) * (height + _ROW_GAP)
    axis: dict[str, Any] = {
        "zeroline": False, "anchor": f"x{number}", "tickfont": _SMALL,
        "domain": [round(max(0.0, top - height), 4), round(top, 4)],
    }  # fmt: skip
    if index:
        axis["matches"] = "y"
    if index % columns == 0:
        axis["title"] = {"text": record.metric.label}
    return axis


def _line(dimension: Dimension, coordinate: float, index: int) -> dict[str, Any]:
    number = "" if index == 0 else str(index + 1)
    at = _place(dimension, coordinate)
    return {
        "type": "line", "xref": f"x{number}", "yref": f"y{number} domain", "x0": at, "x1": at,
        "y0": 0, "y1": 1, "line": {"color": "#5c5c5c", "width": 1.5, "dash": "dash"},
    }  # fmt: skip


def escaped(text: str) -> str:
    """Plotly reads a few HTML tags in its texts; what a study file says has none."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
