"""What further figures are called, by what they show. Enters: a record. Leaves: names, titles.

Refuses to draw: a page that shows files needs no figure in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lamsearch import points
from lamsearch.figures import is_contour, is_drawn, what
from lamsearch.report import view
from lamsearch.results import StudyRecord
from lamsearch.statistics import deciding_curve, importances, searched

CONFUSION = "confusion_matrix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """A figure's file name, its heading, and what it shows to those who cannot see it."""

    name: str
    title: str
    alt: str


def titles(record: StudyRecord) -> Iterator[Title]:
    """Return the figures of several dimensions, and of the curve that decided, in their order."""
    if record.space.several:
        yield from _several(record)
    curve = deciding_curve(record)
    if curve is not None:
        first = record.space.dimensions[0]
        yield Title(
            name=f"model_over_{'parameters' if record.space.several else first.parameter}",
            title="The curve that decided",
            alt=f"A Gaussian process through {len(curve.points)} means of {curve.stage} with a "
            f"band of one standard deviation, over {points.listed(_symbols(record))}; "
            "results.json has its numbers",
        )


def confusion_title(record: StudyRecord) -> Title | None:
    """Return that of the confusion matrix, None where there is none."""
    if record.final is None or not record.final.confusion:
        return None
    return Title(
        name=CONFUSION,
        title=view.CONFUSION,
        alt=f"Confusion matrix of {len(record.final.confusion)} classes, a row for each true class "
        "and a column for each predicted one, shaded by share; results.json has its numbers",
    )


def _symbols(record: StudyRecord) -> list[str]:
    return [one.symbol for one in record.space.dimensions]


def _several(record: StudyRecord) -> Iterator[Title]:
    title = record.metric.title
    symbols = ", ".join(_symbols(record))
    yield Title(
        name=view.scores_name(record),
        title=f"{record.metric.heading} over each dimension",
        alt=f"Validation {title} over each of {symbols}, all stages, with standard errors; "
        "the numbers are in the tables below",
    )
    found, known = searched(record), importances(record)
    if found is not None and is_drawn(record, found, known.order):
        names = what(record, known.order)
        kind = "areas of colour" if is_contour(record, known.order) else "a line for each choice"
        yield Title(
            name=f"{record.metric.name}_over_two",
            title=f"{record.metric.heading} over {names}",
            alt=f"Validation {title} over {names}: a model's mean as {kind}, and every point tried",
        )
    if known.evaluated:
        yield Title(
            name="importance_over_parameters",
            title="Which dimension matters",
            alt="Importances of the dimensions as bars; the numbers are in the table below",
        )
