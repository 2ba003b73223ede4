"""What the figures of several dimensions are called. Enters: a record. Leaves: names, titles.

Refuses to draw: a page that shows files needs no figure in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lamsearch.figures import is_contour, is_drawn, what
from lamsearch.report import view
from lamsearch.results import StudyRecord
from lamsearch.statistics import importances, searched


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """A figure's file name, its heading, and what it shows to those who cannot see it."""

    name: str
    title: str
    alt: str


def titles(record: StudyRecord) -> Iterator[Title]:
    """Return those of the figures that a record has beside its learning curves, in their order."""
    if not record.space.several:
        return
    title = record.metric.title
    symbols = ", ".join(one.symbol for one in record.space.dimensions)
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
