"""The report's figures. Enters: a study's record. Leaves: each figure as PNG and SVG.

Refuses to know where they go.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamsearch.figures import (
    Format,
    contour,
    importance_bars,
    learning_curves,
    render,
    scores_over_space,
)
from lamsearch.report.titles import titles
from lamsearch.report.view import curve_stage, scores_name
from lamsearch.results import StudyRecord
from lamsearch.statistics import importances

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedFigure:
    """One figure in both forms; ``alt`` says what it shows to those who cannot see it."""

    name: str
    title: str
    alt: str
    png: bytes
    svg: bytes

    @property
    def data_uri(self) -> str:
        """The smaller of the two forms, for a page that loads nothing."""
        kind, content = min(
            (("svg+xml", self.svg), ("png", self.png)), key=lambda form: len(form[1])
        )
        return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def figures(record: StudyRecord) -> Iterator[RenderedFigure]:
    """Draw scores over what is searched and, once there are any, learning curves."""
    if record.space.several:
        yield from _several(record)
    else:
        yield _scores(record)
    stage = curve_stage(record)
    if stage is not None:
        yield _rendered(
            learning_curves(record, stage),
            name="learning_curves",
            title="Learning curves",
            alt=f"Learning curves and learning rate over updates of stage {stage}",
        )


def _scores(record: StudyRecord) -> RenderedFigure:
    metric, first = record.metric, record.space.dimensions[0]
    unit = "percent" if metric.unit == " %" else metric.unit.strip()
    what = f"{metric.title} in {unit}" if unit else metric.title
    return _rendered(
        scores_over_space(record),
        name=scores_name(record),
        title=f"{metric.heading} over {first.symbol}",
        alt=f"Validation {what} over {first.label}, all stages, with standard errors; "
        "the numbers are in the tables below",
    )


def _several(record: StudyRecord) -> Iterator[RenderedFigure]:
    """Draw the slices, what the two most important dimensions do together, and importances."""
    known = importances(record)
    draw: dict[str, Callable[[], Figure | None]] = {
        scores_name(record): lambda: scores_over_space(record),
        f"{record.metric.name}_over_two": lambda: contour(record, known.order),
        "importance_over_parameters": lambda: importance_bars(record, known),
    }
    for one in titles(record):
        figure = draw[one.name]()
        if figure is not None:
            yield _rendered(figure, name=one.name, title=one.title, alt=one.alt)


def _rendered(figure: Figure, *, name: str, title: str, alt: str) -> RenderedFigure:
    return RenderedFigure(
        name=name, title=title, alt=alt, png=_bytes(figure, "png"), svg=_bytes(figure, "svg")
    )


def _bytes(figure: Figure, form: Format) -> bytes:
    buffer = io.BytesIO()
    render(figure, buffer, form)
    return buffer.getvalue()
