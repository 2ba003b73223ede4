"""The report's figures. Enters: a study's record. Leaves: each figure as PNG and SVG.

Refuses to know where they go.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING

from lamsearch.figures import (
    NARROW,
    Format,
    confusion_matrix,
    contour,
    count_marks,
    decision,
    drawn_on,
    importance_bars,
    learning_curves,
    prepare,
    render,
    scores_over_space,
)
from lamsearch.report.parallel import Pieces
from lamsearch.report.titles import Title, confusion_title, titles
from lamsearch.report.view import class_names, curve_stage, scores_name
from lamsearch.results import StudyRecord
from lamsearch.statistics import DecidingCurve, deciding_curve, importances

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_LIGHT = 200_000  # bytes of an SVG for a phone; of a heavier one the smaller form is taken
LEARNING_CURVES = "learning_curves"  # the name of a figure
_SLOW = 2_500  # as many trials take a plain figure's time again
_MARKS = 2_500  # of as many its SVG is several times heavier than that


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedFigure:
    """One figure in both forms; ``alt`` says what it shows to those who cannot see it.

    ``narrow_uri`` is the same drawn for a phone.
    """

    name: str
    title: str
    alt: str
    png: bytes
    svg: bytes
    narrow_uri: str

    @property
    def data_uri(self) -> str:
        """The smaller of the two forms, for a page that loads nothing."""
        return _smaller(self.svg, self.png)


def figures(record: StudyRecord, most: int | None = None) -> list[RenderedFigure]:
    """Draw scores over what is searched and, once there are any, learning curves and the rest.

    ``most`` is how many of them, the first ones, are wanted.
    """
    return Drawing(record, most).finished()


class Drawing:
    """The figures of a record, on all cores where there are several: begun with this object.

    `finished` must be called.
    """

    def __init__(self, record: StudyRecord, most: int | None = None) -> None:
        prepare()
        whole = list(islice(_all(record), most))
        self._titles = [title for title, _ in whole]
        jobs: list[Callable[[], tuple[bytes, ...]]] = []
        costs: list[float] = []
        for title, draw in whole:
            jobs += [partial(_wide, draw), partial(_narrow, draw)]
            cost = _cost(record, title.name)
            costs += [cost, cost / 2]
        # what takes longest first: the cores end together
        self._order = sorted(range(len(jobs)), key=lambda index: -costs[index])
        self._pieces = Pieces([jobs[index] for index in self._order])

    def finished(self) -> list[RenderedFigure]:
        """Return the figures in the order of the page."""
        drawn = dict(zip(self._order, self._pieces.finished(), strict=True))
        found = [drawn[index] for index in range(len(drawn))]
        return [
            RenderedFigure(
                name=one.name, title=one.title, alt=one.alt, png=wide[0], svg=wide[1],
                narrow_uri=narrow[0].decode() if narrow else "",
            )
            for one, wide, narrow in zip(self._titles, found[::2], found[1::2], strict=True)
            if wide
        ]  # fmt: skip


def _cost(record: StudyRecord, name: str) -> float:
    """Roughly how long a figure takes, in parts of a plain one: panels and points."""
    if name == LEARNING_CURVES:
        return 1.5
    trials = sum(stage.planned for stage in record.stages.values())
    return 1.0 + trials / _SLOW if name == scores_name(record) else 1.0


def _wide(draw: Callable[[], Figure | None]) -> tuple[bytes, ...]:
    """A figure as PNG and SVG; nothing where there is none."""
    figure = draw()
    return () if figure is None else (_bytes(figure, "png"), _bytes(figure, "svg"))


def _narrow(draw: Callable[[], Figure | None]) -> tuple[bytes, ...]:
    """The same for a phone, as the address of itself."""
    with drawn_on(NARROW):
        figure = draw()
    return () if figure is None else (_uri(figure).encode(),)


def _all(record: StudyRecord) -> Iterator[tuple[Title, Callable[[], Figure | None]]]:
    """What is drawn, in the order of the page."""
    if not record.space.several:
        yield _scores(record), lambda: scores_over_space(record)
    known = importances(record) if record.space.several else None
    draw: dict[str, Callable[[], Figure | None]] = {} if known is None else {
        scores_name(record): lambda: scores_over_space(record),
        f"{record.metric.name}_over_two": lambda: contour(record, known.order),
        "importance_over_parameters": lambda: importance_bars(record, known),
    }  # fmt: skip
    curve = cache(lambda: deciding_curve(record))  # of one fit, for both widths
    for one in titles(record):
        yield one, draw.get(one.name, lambda: _decision(record, curve()))
    stage = curve_stage(record)
    if stage is not None:
        yield (
            Title(
                name=LEARNING_CURVES,
                title="Learning curves",
                alt=f"Learning curves and learning rate over updates of stage {stage}",
            ),
            lambda: learning_curves(record, stage),
        )
    matrix = confusion_title(record)
    if matrix is not None:
        yield matrix, lambda: _confusion(record)


def _scores(record: StudyRecord) -> Title:
    metric, first = record.metric, record.space.dimensions[0]
    unit = "percent" if metric.unit == " %" else metric.unit.strip()
    what = f"{metric.title} in {unit}" if unit else metric.title
    return Title(
        name=scores_name(record),
        title=f"{metric.heading} over {first.symbol}",
        alt=f"Validation {what} over {first.label}, all stages, with standard errors; "
        "the numbers are in the tables below",
    )


def _decision(record: StudyRecord, found: DecidingCurve | None) -> Figure | None:
    return None if found is None else decision(record, found)


def _confusion(record: StudyRecord) -> Figure | None:
    if record.final is None:
        return None
    return confusion_matrix(record.final.confusion, class_names(record), record.name)


def _uri(figure: Figure) -> str:
    if count_marks(figure) > _MARKS:
        return _as_uri("png", _bytes(figure, "png"))
    svg = _bytes(figure, "svg")
    return _smaller(svg, svg if len(svg) < _LIGHT else _bytes(figure, "png"))


def _smaller(svg: bytes, png: bytes) -> str:
    return _as_uri(*min((("svg+xml", svg), ("png", png)), key=lambda form: len(form[1])))


def _as_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _bytes(figure: Figure, form: Format) -> bytes:
    buffer = io.BytesIO()
    render(figure, buffer, form)
    return buffer.getvalue()
